/** The results of one student as Gradescope reads them: /autograder/results/results.json. */
import { type Report, ReportError, type TaskResult, withoutControls } from './results.ts'

/** What Gradescope's specification calls so; nothing of it is ours. */
export interface GradescopeResults {
  /** Of the whole submission, in the place of the sum of the tests. */
  score: number
  /** Seconds. Only where times were asked for. */
  execution_time?: number
  output: string
  /** Of what the autograder itself printed: for instructors. */
  stdout_visibility: 'hidden'
  tests: GradescopeTest[]
}

interface GradescopeTest {
  name: string
  number: string
  score: number
  max_score: number
  status: 'passed' | 'failed'
  output: string
  output_format: 'text'
  visibility: 'visible'
}

/** Throws ReportError where the report is not about one student. */
export function toGradescope(report: Report): GradescopeResults {
  const submissions = report.results.filter(({ kind }) => kind === 'submission')
  const [student, ...others] = new Set(submissions.map(({ name }) => name))
  if (student === undefined || others.length > 0) {
    throw new ReportError(
      `--gradescope is for the submission of one student, and there are ${others.length + (student === undefined ? 0 : 1)}`,
    )
  }
  const grade = report.course?.grades.find(each => each.student === student)
  const tests: GradescopeTest[] = []
  for (const result of submissions) {
    const lab = report.labs.find(({ id }) => id === result.lab)
    if (!lab) continue
    const counting = report.course === undefined ? undefined : grade?.labs.find(each => each.lab === lab.id)?.tasks
    lab.tasks.forEach(({ id, title, points }, i) => {
      const own = counting?.find(task => task.id === id)
      // Without points it shows what was found, and nothing else.
      const worth = report.course === undefined ? points : (own?.points ?? 0)
      const task = result.tasks.find(each => each.task === id)
      tests.push({
        name: `Lab ${lab.number}: ${title} (${id})`,
        number: `${lab.number}.${i + 1}`,
        score: task?.passed ? worth : 0,
        max_score: worth,
        status: task?.passed ? 'passed' : 'failed',
        output: outputOf(task),
        output_format: 'text',
        visibility: 'visible',
      })
    })
  }
  const timed = submissions.flatMap(({ tasks }) => tasks.flatMap(({ ms }) => (ms === undefined ? [] : [ms])))
  const lines = submissions.flatMap(({ lab, notes, problems }) =>
    [...notes, ...problems].map(said => `${lab}: ${said}`),
  )
  for (const { lab, because } of grade?.labs ?? []) lines.push(`${lab}: ${because.join(' ')}`)
  const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0)
  return {
    score: grade
      ? Number(sum(grade.labs.map(({ points }) => points)).toFixed(2))
      : sum(tests.map(({ score }) => score)),
    ...(timed.length > 0 ? { execution_time: Number((sum(timed) / 1000).toFixed(3)) } : {}),
    output: withoutControls(lines.join('\n')),
    stdout_visibility: 'hidden',
    tests,
  }
}

/** What the student sees, as a text that nothing in it can turn into anything else. */
export function outputOf(task: TaskResult | undefined): string {
  if (task === undefined || task.broken)
    return 'It could not be checked; this is not your fault, and your instructor knows.'
  if (task.passed || task.feedback === undefined) return task.passed ? 'Solved.' : 'Not solved.'
  const { expected, found, misconception, read } = task.feedback
  const parts = [`Expected: ${expected}`, `Found: ${found}`]
  if (misconception !== undefined) parts.push(misconception)
  if (read.length > 0) parts.push(`Read: ${read.join('; ')}`)
  return withoutControls(parts.join('\n\n'))
}
