/**
 * What a course makes of points: which labs and tasks count, how much, until when. One TOML file (`--course`); docs/grading.md explains it, and
 * the schema below documents every key.
 */
import { TomlDate } from 'smol-toml'
import { z } from 'zod'
import { ConfigError, failOnProblems, type KeyProblem } from '../../../src/config/config-error.ts'
import { integer, listOf, table, tables, text } from '../../../src/config/fields.ts'
import { parseToml, readConfigFile } from '../../../src/config/read-toml.ts'
import { findLab } from '../lab/registry.ts'
import type { Lab } from '../lab/types.ts'
import { instantOf, isTimeZone } from './time-zone.ts'

export interface Course {
  title: string
  /** Of the times that are shown. */
  timezone: string
  late: {
    percentPerDay: number
    graceMs: number
    /** After so many days nothing counts. */
    days: number
  }
  labs: CourseLab[]
  extensions: Extension[]
  /** From the best mark to the worst: what it is called, and from how many per cent it is given. */
  marks: { name: string; from: number }[]
}

export interface CourseLab {
  id: string
  title: string
  weight: number
  /** In ms since 1970; undefined: none. */
  deadline: number | undefined
  tasks: { id: string; points: number }[]
}

export interface Extension {
  student: string
  /** undefined: of each lab. */
  lab: string | undefined
  until: number | undefined
  days: number
  reason: string
}

const WHEN = 'a date and time, such as 2026-11-30T23:59:00'
const when = () => z.custom<TomlDate>(value => value instanceof TomlDate && value.isDateTime(), { error: WHEN })
const percent = (what: string) => {
  const error = `${what} from 0 to 100`
  return z.number({ error }).min(0, { error }).max(100, { error })
}
const LAB = 'a lab by its number or name, such as 3 or "lab-03-protocol"'
const lab = () => z.union([z.int({ error: LAB }), z.string({ error: LAB }).min(1, { error: LAB })], { error: LAB })
const student = () => text("the name of a student's folder", /^.+$/s)

export const courseSchema = table({
  title: text('a title of one line, at most 100 characters', /^.{1,100}$/).describe('What the course is called.'),
  timezone: text('a time zone, such as "Europe/Berlin" or "UTC"')
    .refine(isTimeZone, { error: 'a time zone that this system knows, such as "Europe/Berlin" or "UTC"' })
    .default('UTC')
    .describe('Of all times without an offset of their own, and of those that are shown.'),
  late: table({
    percent_per_day: percent('per cent')
      .default(0)
      .describe('Of the points that were reached: how many are lost for each day after the deadline that has begun.'),
    grace_minutes: integer(0, 10_080, 'minutes')
      .default(0)
      .describe('Who hands in so soon after the deadline is not late. Later, the days count from the deadline.'),
    days: integer(0, 365, 'days')
      .default(365)
      .describe('What is later than so many days after the deadline counts nothing.'),
  })
    .prefault({})
    .describe('What becomes of what is handed in after the deadline.'),
  lab: tables({
    lab: lab().describe('Which lab: its number or name.'),
    weight: z
      .number({ error: 'a number above 0' })
      .positive({ error: 'a number above 0' })
      .default(1)
      .describe('How much of the whole it is, beside the other labs.'),
    deadline: when().optional().describe('When it has to be handed in. None: it is never late.'),
    tasks: listOf(text('the id of a task'), 'a list of task ids')
      .min(1, { error: 'a list of task ids with at least one entry' })
      .optional()
      .describe('The tasks that count. Default: all.'),
    points: z
      .record(z.string(), integer(0, 1000, 'points'), { error: 'a table of points by task id' })
      .default({})
      .describe("Points of a task, in the place of the lab's own."),
  })
    .min(1, { error: 'at least one [[lab]]' })
    .describe('The labs that count.'),
  extension: tables({
    student: student().describe("The name of the student's folder."),
    lab: lab().optional().describe('For one lab. Default: for each.'),
    until: when().optional().describe("The student's own deadline."),
    days: integer(0, 365, 'days').optional().describe('Or so many days after that of the others.'),
    reason: text('a text').default('').describe('Why. The student reads it, too.'),
  })
    .default([])
    .describe('More time for some.'),
  marks: z
    .record(z.string(), percent('per cent'), { error: 'a table of per cent by mark' })
    .default({})
    .describe('From how many per cent of the whole each mark is given, such as "1.0" = 95.'),
})

/** Reads a course file. Throws ConfigError that names file, key, value found and what is allowed. */
export function loadCourse(file: string, labs: readonly Lab[]): Course {
  return parseCourse(readConfigFile(file), file, labs)
}

export function parseCourse(toml: string, file: string, all: readonly Lab[]): Course {
  const parsed = parseToml(courseSchema, toml, file)
  const problems: KeyProblem[] = []
  const { timezone } = parsed
  const instant = (date: TomlDate | undefined) => date && instantOf(date.toISOString(), timezone)
  const known = (name: string | number, key: string): Lab | undefined => {
    const found = findLab(all, String(name))
    if (!found) {
      const allowed = all.map(({ number }) => number).join(', ')
      problems.push({ key, message: `found ${JSON.stringify(name)}, expected one of the labs ${allowed}` })
    }
    return found
  }
  const labs = parsed.lab.flatMap((row, i): CourseLab[] => {
    const found = known(row.lab, `lab[${i}].lab`)
    if (!found) return []
    const ids = found.tasks.map(({ id }) => id)
    const allowed = ids.join(', ')
    row.tasks?.forEach((id, j) => {
      if (ids.includes(id)) return
      problems.push({
        key: `lab[${i}].tasks[${j}]`,
        message: `found ${JSON.stringify(id)}, expected one of ${allowed}`,
      })
    })
    for (const id of Object.keys(row.points)) {
      if (row.tasks === undefined ? ids.includes(id) : row.tasks.includes(id)) continue
      problems.push({
        key: `lab[${i}].points.${id}`,
        message: `no task of that name counts; expected one of ${allowed}`,
      })
    }
    const tasks = found.tasks
      .filter(({ id }) => row.tasks?.includes(id) ?? true)
      .map(({ id, points }) => ({ id, points: Object.hasOwn(row.points, id) ? row.points[id] : points }))
    if (tasks.length > 0 && tasks.every(({ points }) => points === 0)) {
      problems.push({ key: `lab[${i}]`, message: 'its tasks have no points at all, expected some' })
    }
    return [{ id: found.id, title: found.title, weight: row.weight, deadline: instant(row.deadline), tasks }]
  })
  labs.forEach(({ id }, i) => {
    if (labs.findIndex(other => other.id === id) < i) {
      problems.push({ key: `lab[${i}].lab`, message: `${id} is there twice, expected each lab once` })
    }
  })
  const extensions = parsed.extension.flatMap((row, i): Extension[] => {
    if ((row.until === undefined) === (row.days === undefined)) {
      problems.push({ key: `extension[${i}]`, message: 'expected either until or days' })
    }
    const of = row.lab === undefined ? undefined : known(row.lab, `extension[${i}].lab`)
    if (of && !labs.some(({ id }) => id === of.id)) {
      problems.push({
        key: `extension[${i}].lab`,
        message: `${of.id} does not count, expected one of the course's labs`,
      })
    }
    const { student, days = 0, reason } = row
    return [{ student, lab: of?.id, until: instant(row.until), days, reason }]
  })
  failOnProblems(file, problems)
  const marks = Object.entries(parsed.marks).map(([name, from]) => ({ name, from }))
  return {
    title: parsed.title,
    timezone,
    late: {
      percentPerDay: parsed.late.percent_per_day,
      graceMs: parsed.late.grace_minutes * 60_000,
      days: parsed.late.days,
    },
    labs,
    extensions,
    marks: marks.sort((a, b) => b.from - a.from),
  }
}

/** When submissions were handed in, by student and lab (`''`: each lab of the student that has no row of its own). */
export type HandedIn = ReadonlyMap<string, ReadonlyMap<string, number>>

/**
 * Reads a list of times: a line `student,lab,time` each, as a learning platform or `git log` gives them. An empty lab means all; of
 * two lines about the same, the later time counts. Throws ConfigError that names the line.
 */
export function parseHandedIn(csv: string, file: string, course: Course, all: readonly Lab[]): HandedIn {
  const times = new Map<string, Map<string, number>>()
  const problems: string[] = []
  csv
    .replace(/^\ufeff/, '')
    .split(/\r?\n/)
    .forEach((line, i) => {
      if (line.trim() === '' || line.startsWith('#') || (i === 0 && /^student,lab,time$/i.test(line.trim()))) return
      const [student, name, time, ...more] = fieldsOf(line)
      const lab = name === '' ? '' : findLab(all, name ?? '')?.id
      const instant = instantOf(time ?? '', course.timezone)
      const at = `${file}:${i + 1}`
      if (more.length > 0 || time === undefined || student === '') problems.push(`${at}: expected student,lab,time`)
      else if (lab === undefined)
        problems.push(`${at}: there is no lab '${name}'; expected a number, a name, or nothing for all`)
      else if (instant === undefined)
        problems.push(`${at}: found '${time}', expected a time such as 2026-11-30T23:59:00+01:00`)
      else {
        const own = times.get(student) ?? new Map<string, number>()
        times.set(student, own.set(lab, Math.max(own.get(lab) ?? 0, instant)))
      }
    })
  if (problems.length > 0) throw new ConfigError(file, problems)
  return times
}

/** RFC 4180, but for line breaks inside of a field. */
function fieldsOf(line: string): string[] {
  return [...line.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g)].map(([, quoted, plain]) =>
    quoted === undefined ? plain.trim() : quoted.replaceAll('""', '"'),
  )
}
