/** Results for the terminal. */

import { rateAtMost } from '../../../src/stats/intervals.ts'
import { median } from '../../../src/stats/statistics.ts'
import { columns, padEnd } from '../../../src/text/columns.ts'
import { alike, type LabSummary, NAMES_ASIDE, type Report, type Result, withoutControls } from './results.ts'

/** Marks that are told apart without colours. */
const PASSED = '✔'
const FAILED = '✘'
const MAX_PROBLEM = 500
const MAX_GROUPS = 20
const MAX_GROUP = 8

export function solutionsTable(report: Report, labProblems: readonly string[] = []): string {
  const lines: string[] = []
  for (const lab of report.labs) {
    const of = (kind: Result['kind']) => report.results.filter(result => result.lab === lab.id && result.kind === kind)
    const [references, start, mutants] = [of('reference'), of('start'), of('mutant')]
    const tasks = (results: readonly Result[]) => results.flatMap(result => result.tasks)
    const count = (results: readonly Result[], passed: boolean) =>
      `${tasks(results).filter(task => task.passed === passed).length} of ${tasks(results).length}`
    lines.push(`Lab ${lab.number}: ${lab.title}`)
    const row = (results: readonly Result[], text: string) => {
      if (results.length === 0) return
      lines.push(`  ${results.every(result => result.problems.length === 0) ? PASSED : FAILED} ${text}`)
    }
    const runs = references.length > 1 ? ` in ${references.length} runs` : ''
    row(references, `reference solutions: ${count(references, true)} checks pass${runs}`)
    if (references.length > 1) lines.push(...runTable(lab, references))
    row(start, `starting files: ${count(start, false)} checks fail`)
    row(mutants, `mutants: ${count(mutants, false)} are rejected`)
    for (const result of [...references, ...start, ...mutants]) {
      for (const said of [...result.problems, ...result.notes])
        lines.push(`    ${result.kind} ${result.name}: ${short(said)}`)
    }
  }
  for (const problem of labProblems) lines.push(`${FAILED} ${problem}`)
  return `${lines.join('\n')}\n`
}

/**
 * How often the check of each task failed a correct solution. No failure in n runs does not mean that there is none: the
 * last column is the failure rate that the runs still allow, at most, with 95 % confidence (one-sided Clopper–Pearson).
 */
function runTable(lab: LabSummary, references: readonly Result[]): string[] {
  const width = Math.max('task'.length, ...lab.tasks.map(({ id }) => id.length))
  const lines = [`      ${'task'.padEnd(width)}   runs  failed  at most`]
  for (const { id } of lab.tasks) {
    const runs = references.flatMap(result => result.tasks.filter(({ task }) => task === id))
    if (runs.length === 0) continue
    const failed = runs.filter(({ passed }) => !passed).length
    const most = `${(rateAtMost(failed, runs.length, 0.05) * 100).toPrecision(2)} %`
    lines.push(
      `      ${id.padEnd(width)}  ${String(runs.length).padStart(5)}  ${String(failed).padStart(6)}  ${most.padStart(7)}`,
    )
  }
  return lines
}

/** One row a student, one column a task. */
export function submissionsTable(report: Report): string {
  const lines: string[] = []
  for (const lab of report.labs) {
    const results = report.results.filter(result => result.lab === lab.id)
    if (results.length === 0) continue
    const names = results.map(result => shown(result.name))
    const width = Math.max('student'.length, ...names.map(columns))
    const total = lab.tasks.reduce((sum, task) => sum + task.points, 0)
    lines.push(`Lab ${lab.number}: ${lab.title}`, '')
    lab.tasks.forEach((task, i) => {
      lines.push(`  ${String(i + 1).padStart(2)}  ${task.id} (${task.points})`)
    })
    lines.push(
      '',
      `  ${'student'.padEnd(width)}  ${'points'.padStart(9)}  ${lab.tasks.map((_, i) => String(i + 1).padStart(2)).join(' ')}`,
    )
    results.forEach((result, i) => {
      const name = names[i]
      const padded = padEnd(name, width)
      lines.push(`  ${padded}  ${`${result.points}/${total}`.padStart(9)}  ${marks(lab, result)}`)
      for (const problem of result.problems) lines.push(`  ${' '.repeat(width)}  ${FAILED} ${problem}`)
    })
    lines.push('', `  ${statistics(lab, results)}`, '')
  }
  const groups = alike(report)
  for (const { lab, file, students } of groups.slice(0, MAX_GROUPS)) {
    const more = students.length > MAX_GROUP ? ` and ${students.length - MAX_GROUP} more` : ''
    const names = students.slice(0, MAX_GROUP).map(shown).join(', ')
    const bare = file.endsWith(NAMES_ASIDE)
    const path = `${lab}/${bare ? file.slice(0, -NAMES_ASIDE.length) : file}`
    lines.push(`The same ${path}, but for blanks${bare ? ', comments and names' : ' and comments'}: ${names}${more}`)
  }
  if (groups.length > MAX_GROUPS)
    lines.push(`and ${groups.length - MAX_GROUPS} more such groups: "fingerprints" in --json`)
  return `${lines.join('\n').trimEnd()}\n`
}

/** What a course file makes of it: one row a student. Nothing without one. */
export function courseTable({ course }: Report): string {
  if (course === undefined) return ''
  const { grades } = course
  const names = grades.map(({ student }) => shown(student))
  const width = Math.max('student'.length, ...names.map(columns))
  const lines = [course.title, '']
  grades.forEach(({ labs, percent, mark, problems }, i) => {
    const each = labs.map(({ lab, points, of, daysLate }) => {
      const late = daysLate === 0 ? '' : ` (${daysLate} ${daysLate === 1 ? 'day' : 'days'} late)`
      return `${lab} ${points}/${of}${late}`
    })
    const marked = mark === undefined ? '' : `  ${mark}`
    lines.push(`  ${padEnd(names[i], width)}  ${percent.toFixed(2).padStart(6)} %${marked}  ${each.join(', ')}`)
    for (const problem of problems) lines.push(`  ${' '.repeat(width)}  ${FAILED} ${shown(problem)}`)
  })
  return `\n${lines.join('\n')}\n`
}

/** One line: what student code was kept in. */
export function isolationLine({ isolation = [] }: Report): string {
  return isolation.length === 0 ? '' : `Student code ran in ${isolation.join(' / ')}\n`
}

function marks(lab: LabSummary, result: Result): string {
  return lab.tasks
    .map(({ id }) => {
      const task = result.tasks.find(candidate => candidate.task === id)
      return ` ${task === undefined || task.broken ? '?' : task.passed ? PASSED : FAILED}`
    })
    .join(' ')
}

function statistics(lab: LabSummary, results: readonly Result[]): string {
  const solved = lab.tasks.map(
    ({ id }) => results.filter(({ tasks }) => tasks.find(({ task }) => task === id)?.passed).length,
  )
  return `${results.length} submissions; median ${median(results.map(result => result.points))}; solved by: ${solved.map((n, i) => `task ${i + 1} ${n}`).join(', ')}`
}

/** The whole is in the result file. */
function short(text: string): string {
  return text.length > MAX_PROBLEM ? `${text.slice(0, MAX_PROBLEM)} …` : text
}

/** A folder's name comes from the student. */
export function shown(name: string): string {
  return withoutControls(name).replace(/\s/g, ' ')
}
