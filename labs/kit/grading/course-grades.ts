/** From points to grades: what a course file says, applied to what was graded, with every step of it to be read. */
import type { Course, CourseLab, Extension, HandedIn } from './course.ts'
import type { Report, Result } from './results.ts'
import { timeText } from './time-zone.ts'

const DAY_MS = 86_400_000

export interface CourseGrade {
  student: string
  /** Of the whole, with two decimals. */
  percent: number
  mark?: string
  labs: LabGrade[]
  /** Why the grade cannot be relied upon yet. */
  problems: string[]
}

export interface LabGrade {
  lab: string
  /** Reached, by the tasks that count. */
  reached: number
  of: number
  weight: number
  /** Those that count. */
  tasks: { id: string; points: number }[]
  /** ISO 8601; absent: none, or not known. */
  deadline?: string
  handedIn?: string
  daysLate: number
  /** What is left after what being late costs. */
  points: number
  /** How it was made, as sentences. */
  because: string[]
}

/**
 * One grade for each student, in the order of their names. `times`: when things were handed in; without it, what the results say (the
 * newest file of each).
 */
export function courseGrades(course: Course, report: Report, times: HandedIn | undefined): CourseGrade[] {
  const submissions = report.results.filter(({ kind }) => kind === 'submission')
  const students = [...new Set(submissions.map(({ name }) => name))].sort()
  return students.map(student => {
    const problems: string[] = []
    const labs = course.labs.map(lab => {
      const result = submissions.find(({ name, lab: id }) => name === student && id === lab.id)
      return labGrade(course, lab, student, result, times, problems)
    })
    const weights = labs.reduce((sum, { weight }) => sum + weight, 0)
    const whole = labs.reduce((sum, { points, of, weight }) => sum + (points / of) * weight, 0) / weights
    const percent = rounded(whole * 100)
    const mark = course.marks.find(({ from }) => percent >= from)?.name
    return { student, percent, ...(mark === undefined ? {} : { mark }), labs, problems }
  })
}

/** Extensions of students of whom nothing is there: mostly a name that is spelled otherwise. */
export function unknownStudents(course: Course, grades: readonly CourseGrade[]): string[] {
  const names = new Set(grades.map(({ student }) => student))
  return [...new Set(course.extensions.map(({ student }) => student))].filter(name => !names.has(name))
}

function labGrade(
  course: Course,
  lab: CourseLab,
  student: string,
  result: Result | undefined,
  times: HandedIn | undefined,
  problems: string[],
): LabGrade {
  const { weight } = lab
  const of = sum(lab.tasks)
  const solved = lab.tasks.filter(({ id }) => result?.tasks.find(({ task }) => task === id)?.passed)
  const reached = sum(solved)
  const because = [
    `${solved.length} of the ${lab.tasks.length} tasks that count are solved: ${reached} of ${of} points.`,
  ]
  const grade = { lab: lab.id, reached, of, weight, tasks: lab.tasks, daysLate: 0, points: reached, because }
  for (const problem of result?.problems ?? []) problems.push(`${lab.id}: ${problem}`)
  if (result === undefined || result.notes.includes('nothing was handed in')) {
    return { ...grade, because: ['Nothing was handed in.'] }
  }
  const extension = course.extensions.findLast(each => each.student === student && (each.lab ?? lab.id) === lab.id)
  const deadline = deadlineOf(lab, extension)
  if (deadline === undefined) return grade
  const time = (instant: number) => timeText(instant, course.timezone)
  if (extension !== undefined && deadline !== lab.deadline) {
    const why = extension.reason === '' ? '' : `: ${extension.reason}`
    because.push(`The deadline is ${time(deadline)}, by an extension${why}.`)
  } else because.push(`The deadline is ${time(deadline)}.`)
  const dated = { ...grade, deadline: new Date(deadline).toISOString() }
  const own = times?.get(student)
  const handedIn = times === undefined ? parsedTime(result.handedIn) : (own?.get(lab.id) ?? own?.get(''))
  if (handedIn === undefined) {
    if (reached > 0) problems.push(`${lab.id}: it is not known when it was handed in; it is taken to be in time`)
    because.push('It is not known when it was handed in.')
    return dated
  }
  const source = times === undefined ? ', which is the time of its newest file' : ''
  because.push(`It was handed in ${time(handedIn)}${source}.`)
  const full = { ...dated, handedIn: new Date(handedIn).toISOString() }
  const { graceMs, percentPerDay, days } = course.late
  const lateMs = handedIn - deadline
  if (lateMs <= 0) return full
  if (lateMs <= graceMs) {
    because.push(`That is within the grace of ${graceMs / 60_000} minutes: not late.`)
    return full
  }
  const daysLate = Math.ceil(lateMs / DAY_MS)
  if (daysLate > days) {
    because.push(`That is ${daysLate} days late, of which at most ${days} are accepted: no points.`)
    return { ...full, daysLate, points: 0 }
  }
  const lost = Math.min(100, daysLate * percentPerDay)
  const points = rounded((reached * (100 - lost)) / 100)
  because.push(
    `That is ${daysLate} ${daysLate === 1 ? 'day' : 'days'} late, ${percentPerDay} % each: ${lost} % less, ${points} points.`,
  )
  return { ...full, daysLate, points }
}

/** An extension never takes time away. */
function deadlineOf({ deadline }: CourseLab, extension: Extension | undefined): number | undefined {
  if (deadline === undefined || extension === undefined) return deadline
  return Math.max(deadline, extension.until ?? deadline + extension.days * DAY_MS)
}

function parsedTime(text: string | undefined): number | undefined {
  return text === undefined ? undefined : Date.parse(text)
}

function sum(tasks: readonly { points: number }[]): number {
  return tasks.reduce((total, { points }) => total + points, 0)
}

function rounded(value: number): number {
  return Number(value.toFixed(2))
}
