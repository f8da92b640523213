/**
 * What GitHub Actions shows and passes on: annotations at the run, the summary of the job, and, for GitHub Classroom, the result that its
 * reporter reads (`education/autograding-grading-reporter`).
 */
import { randomBytes } from 'node:crypto'
import { appendFileSync } from 'node:fs'
import { outputOf } from './gradescope.ts'
import { type Report, type Result, withoutControls } from './results.ts'
import { studentReports } from './student-report.ts'
import { shown } from './table.ts'

/** A step shows ten errors, and there is one of them for each task that is not solved. */
const MAX_ANNOTATIONS = 10
/** A summary with more than 1 MiB is not shown at all. */
const MAX_SUMMARY = 1_000_000

/** What to print instead of `text`, which then is no command to GitHub wherever a student's folder or code had a hand in it. */
export function harmless(text: string): string {
  const token = randomBytes(16).toString('hex')
  return `::stop-commands::${token}\n${text.endsWith('\n') ? text : `${text}\n`}::${token}::\n`
}

/** Workflow commands, one a line. */
export function annotations(report: Report): string {
  const lines = report.results.flatMap(result => {
    const who = `${result.lab} ${shown(result.name)}`
    return [
      ...result.problems.map(problem => command(`${who}: could not be graded`, problem)),
      ...unsolved(result).map(task => command(`${who}: ${task.task}`, outputOf(task))),
    ]
  })
  return lines.slice(0, MAX_ANNOTATIONS).join('')
}

/** Markdown: the report of one student, or a table of all. */
export function summary(report: Report): string {
  const reports = [...studentReports(report).values()]
  if (reports.length === 1 && reports[0].length < MAX_SUMMARY) return reports[0]
  const rows = report.results.map(({ name, lab, points, of, problems }) => {
    const cell = (text: string) => shown(text).replace(/[\\`*_{}[\]<>#|!~]/g, '\\$&')
    return `| ${cell(name)} | ${lab} | ${points} of ${of} | ${problems.map(cell).join('; ')} |\n`
  })
  const text = `| student | lab | points | |\n| --- | --- | ---: | --- |\n${rows.join('')}`
  return text.length < MAX_SUMMARY ? text : `${text.slice(0, MAX_SUMMARY)}\n`
}

/** The form that the graders of GitHub Classroom give to its reporter: JSON in base64. */
export function classroomResult(report: Report): string {
  const tests = report.results.flatMap(result =>
    (report.labs.find(({ id }) => id === result.lab)?.tasks ?? []).map(({ id, title, points }) => {
      const task = result.tasks.find(each => each.task === id)
      const status = task?.passed ? 'pass' : task === undefined || task.broken ? 'error' : 'fail'
      return {
        name: `${result.lab}: ${title}`,
        status,
        score: task?.passed ? points : 0,
        ...(task?.passed ? {} : { message: outputOf(task) }),
      }
    }),
  )
  const status = ['error', 'fail'].find(each => tests.some(test => test.status === each)) ?? 'pass'
  const max_score = report.results.reduce((sum, { of }) => sum + of, 0)
  return Buffer.from(JSON.stringify({ version: 1, status, max_score, tests })).toString('base64')
}

/** Writes to where the runner reads: the files that it names in the environment, where it has. */
export function tellRunner(report: Report, env: NodeJS.ProcessEnv): void {
  if (env.GITHUB_STEP_SUMMARY) appendFileSync(env.GITHUB_STEP_SUMMARY, summary(report))
  // Base64 has no line breaks, with which a student could name another output.
  if (env.GITHUB_OUTPUT) appendFileSync(env.GITHUB_OUTPUT, `result=${classroomResult(report)}\n`)
}

function unsolved({ kind, tasks }: Result) {
  return kind === 'submission' || kind === 'reference' ? tasks.filter(({ passed }) => !passed) : []
}

function command(title: string, text: string): string {
  const data = (value: string) =>
    withoutControls(value).replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A')
  const property = (value: string) => data(value).replaceAll(':', '%3A').replaceAll(',', '%2C')
  return `::error title=${property(title)}::${data(text)}\n`
}
