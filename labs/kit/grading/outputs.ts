/** What `check-solutions` writes: the options that ask for it, and the files. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Command } from 'commander'
import { makeFolder, writeNamedFile } from '../../../src/config/write-file.ts'
import { loadLabs } from '../lab/registry.ts'
import { type Course, type HandedIn, loadCourse, parseHandedIn } from './course.ts'
import { courseGrades, unknownStudents } from './course-grades.ts'
import { gradesCsv, toCsv } from './csv.ts'
import { annotations, harmless, tellRunner } from './github.ts'
import { toGradescope } from './gradescope.ts'
import { toJunit } from './junit.ts'
import type { Part } from './part.ts'
import type { Report } from './results.ts'
import { studentReports } from './student-report.ts'
import { courseTable, isolationLine, solutionsTable, submissionsTable } from './table.ts'

export interface OutputOptions {
  json?: string | true
  csv?: string
  junit?: string
  report?: string
  course?: string
  handedIn?: string
  grades?: string
  gradescope?: string
  github?: boolean
}

/** The command cannot be carried out as it was typed. */
export class UsageError extends Error {}

export function withOutputs(command: Command): Command {
  return command
    .option('--json [file]', 'the results as JSON; without a file, to standard output instead of the table')
    .option('--csv <file>', 'the marks, for a spreadsheet')
    .option('--junit <file>', 'the results as JUnit XML, for CI')
    .option('--report <dir>', 'a Markdown report for each student')
    .option('--course <file>', 'a course file (TOML): weights, deadlines, what is late; for submissions')
    .option(
      '--handed-in <file>',
      'with --course: when each was handed in, as lines student,lab,time; else the newest file says',
    )
    .option('--grades <file>', 'with --course: the grades, for a spreadsheet')
    .option('--gradescope <file>', "one student's results, as Gradescope reads them")
    .option(
      '--github',
      'in GitHub Actions: annotations, the summary of the job, and the output `result` for GitHub Classroom',
    )
}

export interface CourseUse {
  course: Course
  times: HandedIn | undefined
}

/** Reads the course file, before anything is graded, where there is one. Throws ConfigError, UsageError. */
export async function courseOf(options: OutputOptions, mode: Report['mode']): Promise<CourseUse | undefined> {
  const { course: file, handedIn, grades } = options
  if (file === undefined) {
    if (handedIn !== undefined || grades !== undefined)
      throw new UsageError('--handed-in and --grades are for --course')
    return undefined
  }
  if (mode !== 'submissions') throw new UsageError('--course is for submissions')
  const labs = await loadLabs()
  const course = loadCourse(file, labs)
  const times =
    handedIn === undefined ? undefined : parseHandedIn(readFileSync(handedIn, 'utf8'), handedIn, course, labs)
  return { course, times }
}

/** Everything that was asked for, and the table. Returns the exit status. */
export function writeOutputs(
  graded: Report,
  options: OutputOptions,
  { problems = [], part, use }: { problems?: readonly string[]; part?: Part | undefined; use?: CourseUse | undefined },
): number {
  const grades = use === undefined ? undefined : courseGrades(use.course, graded, use.times)
  // A part holds what was graded; grades are made of the whole.
  const report: Report =
    grades && use && !graded.shard ? { ...graded, course: { title: use.course.title, grades } } : graded
  const json = `${JSON.stringify(report, null, 2)}\n`
  if (part !== undefined) part.finish(json)
  else if (typeof options.json === 'string') writeNamedFile(options.json, json)
  if (options.csv !== undefined) writeNamedFile(options.csv, toCsv(report))
  if (options.grades !== undefined) writeNamedFile(options.grades, gradesCsv(report))
  if (options.junit !== undefined) writeNamedFile(options.junit, toJunit(report))
  if (options.gradescope !== undefined) {
    writeNamedFile(options.gradescope, `${JSON.stringify(toGradescope(report), null, 2)}\n`)
  }
  if (options.report !== undefined) {
    makeFolder(options.report)
    for (const [name, text] of studentReports(report)) writeNamedFile(join(options.report, name), text)
  }
  const table = report.mode === 'solutions' ? solutionsTable(report, problems) : submissionsTable(report)
  const text = options.json === true ? json : `${table}${courseTable(report)}${isolationLine(report)}`
  process.stdout.write(options.github ? harmless(text) + annotations(report) : text)
  if (options.github) tellRunner(report, process.env)
  if (report.course && use) {
    for (const name of unknownStudents(use.course, report.course.grades)) {
      process.stderr.write(
        `${options.course}: an extension for '${name}', of whom nothing was handed in: is it another name?\n`,
      )
    }
  }
  return statusOf(report, problems)
}

/** Submissions that are wrong are no failure of grading; submissions that could not be graded are. */
function statusOf({ results, course }: Report, problems: readonly string[]): number {
  const fine = problems.length === 0 && results.every(result => result.problems.length === 0)
  return fine && (course?.grades.every(grade => grade.problems.length === 0) ?? true) ? 0 : 1
}
