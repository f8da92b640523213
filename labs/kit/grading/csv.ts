/** One row a student and lab, for a spreadsheet: RFC 4180. */
import type { Report } from './results.ts'

export function toCsv(report: Report): string {
  const width = Math.max(0, ...report.labs.map(lab => lab.tasks.length))
  const times = report.results.some(result => result.tasks.some(task => task.ms !== undefined))
  const columns = Array.from({ length: width }, (_, i) => `task ${i + 1}`)
  const rows: (string | number)[][] = [
    ['lab', 'kind', 'name', 'points', 'of', ...columns, ...(times ? ['ms'] : []), 'problems'],
  ]
  for (const { lab, kind, name, points, of, tasks, problems } of report.results) {
    const declared = report.labs.find(candidate => candidate.id === lab)?.tasks ?? []
    const marks = columns.map((_, i) => tasks.find(({ task }) => task === declared[i]?.id)?.points ?? '')
    const ms = times ? [tasks.reduce((sum, task) => sum + (task.ms ?? 0), 0)] : []
    rows.push([lab, kind, name, points, of, ...marks, ...ms, problems.join('; ')])
  }
  return rows.map(row => `${row.map(field).join(',')}\r\n`).join('')
}

/** One row a student, by what the course file says: of each lab what was reached, days late, and points after that. */
export function gradesCsv({ course }: Report): string {
  const labs = course?.grades[0]?.labs.map(({ lab }) => lab) ?? []
  const heads = labs.flatMap(lab => [`${lab} reached`, `${lab} of`, `${lab} days late`, `${lab} points`])
  const rows: (string | number)[][] = [['student', ...heads, 'percent', 'mark', 'problems']]
  for (const { student, labs, percent, mark = '', problems } of course?.grades ?? []) {
    const cells = labs.flatMap(({ reached, of, daysLate, points }) => [reached, of, daysLate, points])
    rows.push([student, ...cells, percent, mark, problems.join('; ')])
  }
  return rows.map(row => `${row.map(field).join(',')}\r\n`).join('')
}

function field(value: string | number): string {
  if (typeof value === 'number') return String(value)
  // A spreadsheet takes a text that begins like this for a formula, and a student chooses the name of a folder.
  const text = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}
