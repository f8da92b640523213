/** What a student gets back: a Markdown file with the marks, and for each task that is not solved what was found. */
import { createHash } from 'node:crypto'
import type { Report } from './results.ts'
import { shown } from './table.ts'

/** One file for each student, by file name. */
export function studentReports(report: Report): Map<string, string> {
  const students = [...new Set(report.results.filter(({ kind }) => kind === 'submission').map(({ name }) => name))]
  return new Map(students.map(student => [fileNameOf(student), studentReport(report, student)]))
}

/** Two students never get the same file, also where names are not told apart by capitals. */
function fileNameOf(student: string): string {
  if (/^[a-z0-9_][a-z0-9_.-]{0,80}$/.test(student)) return `${student}.md`
  const hash = createHash('sha256').update(student).digest('hex').slice(0, 8)
  return `${student.replace(/[^A-Za-z0-9_-]/g, '_').slice(0, 80)}-${hash}.md`
}

function studentReport(report: Report, student: string): string {
  const results = report.results.filter(({ kind, name }) => kind === 'submission' && name === student)
  const points = results.reduce((sum, result) => sum + result.points, 0)
  const of = results.reduce((sum, result) => sum + result.of, 0)
  const lines = [`# ${inline(shown(student))}: ${points} of ${of} points`, '', ...gradeOf(report, student)]
  for (const result of results) {
    const lab = report.labs.find(candidate => candidate.id === result.lab)
    if (!lab) continue
    lines.push(`## Lab ${lab.number}: ${lab.title}, ${result.points} of ${result.of} points`, '')
    lines.push('| task | | points |', '| --- | --- | ---: |')
    for (const { id, title, points } of lab.tasks) {
      const task = result.tasks.find(candidate => candidate.task === id)
      lines.push(
        `| ${title} (\`${id}\`) | ${task?.broken ? '? could not be checked' : task?.passed ? '✔ solved' : '✘ not solved'} | ${points === 0 ? 'optional' : `${task?.points ?? 0} of ${points}`} |`,
      )
    }
    lines.push('')
    for (const note of [...result.notes, ...result.problems]) lines.push(`- ${inline(note)}`)
    if (result.notes.length + result.problems.length > 0) lines.push('')
    for (const { task, passed, feedback } of result.tasks) {
      if (passed || !feedback) continue
      const title = lab.tasks.find(candidate => candidate.id === task)?.title ?? task
      lines.push(`### ${title} (\`${task}\`)`, '')
      lines.push('Expected:', '', ...block(feedback.expected), '', 'Found:', '', ...block(feedback.found), '')
      if (feedback.misconception) lines.push(...block(feedback.misconception), '')
      if (feedback.read.length > 0) lines.push(`Read: ${feedback.read.map(inline).join('; ')}`, '')
    }
  }
  return `${lines.join('\n').trimEnd()}\n`
}

/** How the grade was made, step by step, so that it can be done again with a pencil. */
function gradeOf({ course, labs }: Report, student: string): string[] {
  const grade = course?.grades.find(each => each.student === student)
  if (!course || !grade) return []
  const mark = grade.mark === undefined ? '' : `, mark ${inline(grade.mark)}`
  const lines = [`## ${inline(course.title)}: ${grade.percent} %${mark}`, '']
  for (const { lab, points, of, weight, because } of grade.labs) {
    const title = labs.find(({ id }) => id === lab)?.title
    lines.push(
      `- **${lab}${title === undefined ? '' : `, ${title}`}: ${points} of ${of} points, weight ${weight}.** ${because.map(inline).join(' ')}`,
    )
  }
  const terms = grade.labs.map(({ points, of, weight }) => `${weight} × ${points}/${of}`)
  const weights = grade.labs.map(({ weight }) => weight)
  lines.push('', `Together: (${terms.join(' + ')}) / (${weights.join(' + ')}) = ${grade.percent} %.`, '')
  for (const problem of grade.problems) lines.push(`- Not settled yet: ${inline(problem)}`)
  return grade.problems.length > 0 ? [...lines, ''] : lines
}

/**
 * A text as it is: part of it may come from the student's program, and must not become a heading, a table or a link of
 * this report.
 */
function block(text: string): string[] {
  const longest = Math.max(0, ...[...text.matchAll(/`+/g)].map(([ticks]) => ticks.length))
  const fence = '`'.repeat(Math.max(3, longest + 1))
  return [`${fence}text`, ...text.split('\n'), fence]
}

function inline(text: string): string {
  return text.replace(/\s+/g, ' ').replace(/[\\`*_{}[\]<>#|!~]/g, '\\$&')
}
