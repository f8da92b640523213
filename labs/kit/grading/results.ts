/**
 * What grading finds out, in the form in which it is written to a file and merged: the same at every run, whatever
 * machine it ran on and however the work was split. So no times (unless they are asked for), no ports, no paths.
 */
import { tmpdir } from 'node:os'
import type { Feedback, Lab } from '../lab/types.ts'
import type { CourseGrade } from './course-grades.ts'

export const FORMAT = 'masque-lab grading'
export const VERSION = 1

export type Mode = 'solutions' | 'submissions'
export type Kind = 'reference' | 'start' | 'mutant' | 'submission'

export interface Report {
  format: typeof FORMAT
  version: typeof VERSION
  mode: Mode
  /** A part of the whole; absent in a complete report. */
  shard?: Shard & {
    /** The arguments of check-solutions as they were typed: what makes this part, and by it another. */
    command?: string[]
  }
  /** What was asked, and of what: parts of one run are known by it. */
  run?: Run
  /** The versions of Node. Several, where shards ran on different systems. */
  node?: string[]
  /** What kept student code from the machine, beside its being in another process. Several, where shards ran on different systems. */
  isolation?: string[]
  labs: LabSummary[]
  results: Result[]
  /** What a course file makes of it. */
  course?: { title: string; grades: CourseGrade[] }
}

/** Counted from 1. */
export interface Shard {
  index: number
  of: number
}

export interface Run {
  /** Of this program. */
  version: string
  /** Absent where it cannot be told. */
  commit?: string
  /** The options that decide what is graded. */
  asked: Readonly<Record<string, unknown>>
  /** A hash of all that is graded, whichever part of it. */
  inputs: string
  /** How many results there are, of all parts. */
  results: number
}

export interface LabSummary {
  id: string
  number: number
  title: string
  tasks: { id: string; title: string; points: number }[]
}

/** One submission of one lab, or one of the things that `check-solutions` tries out by itself. */
export interface Result {
  kind: Kind
  /** The student's folder; `task/name` of a mutant; `reference` or `reference run 7`; `starting files`. */
  name: string
  lab: string
  seed: string
  points: number
  of: number
  tasks: TaskResult[]
  /** What happened beside the tasks: files that were left out or missing. */
  notes: string[]
  /** What is not as it has to be. Of submissions: that they could not be graded. */
  problems: string[]
  /** Of a submission: the hash of each of the student's own files, without blanks and comments; and by FILE + NAMES_ASIDE, without names, too. */
  fingerprints?: Record<string, string>
  /** Of a submission that a course file is for: the time of its newest file (ISO 8601). */
  handedIn?: string
}

export interface TaskResult {
  task: string
  passed: boolean
  /** It could not be checked: something of the platform's own failed, twice. */
  broken?: true
  points: number
  /** Of a task that was not passed. */
  feedback?: { expected: string; found: string; misconception?: string; read: string[] }
  ms?: number
}

export function summarise(lab: Lab): LabSummary {
  const tasks = lab.tasks.map(({ id, title, points }) => ({ id, title, points }))
  return { id: lab.id, number: lab.number, title: lab.title, tasks }
}

/** By lab, then the reference before the starting files before the mutants, then by name, whatever the locale. */
export function inOrder(labs: readonly LabSummary[], results: readonly Result[]): Result[] {
  const kinds: readonly Kind[] = ['reference', 'start', 'mutant', 'submission']
  const rank = (result: Result) => labs.findIndex(lab => lab.id === result.lab)
  const byName = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0)
  return [...results].sort(
    (a, b) =>
      rank(a) - rank(b) ||
      kinds.indexOf(a.kind) - kinds.indexOf(b.kind) ||
      byName(a.name, b.name) ||
      byName(a.seed, b.seed),
  )
}

/** Longer feedback says nothing more; a student's program can make it as long as it likes. */
const MAX_TEXT = 4000

/**
 * A text for a result file: without what differs from run to run, and without control characters, with which a
 * student's output could draw over the instructor's terminal.
 */
export function settled(text: string): string {
  const temporary = tmpdir().replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
  return withoutControls(text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT)} …` : text)
    .replace(new RegExp(`${temporary}[\\\\/](masque-[\\w-]+[\\\\/]?)+`, 'g'), '')
    .replace(/(127\.0\.0\.1|\blocalhost|\[::1\]):(3[2-9]\d{3}|[45]\d{4}|6[0-5]\d{3})\b/g, '$1:PORT')
}

export function withoutControls(text: string): string {
  // Escapes, C1 controls, and the characters that change the direction of a text.
  return text
    .replace(/\r\n?/g, '\n')
    .replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, '?')
}

export function settledFeedback(feedback: Feedback): NonNullable<TaskResult['feedback']> {
  return {
    expected: settled(feedback.expected),
    found: settled(feedback.found),
    ...(feedback.misconception === undefined ? {} : { misconception: settled(feedback.misconception) }),
    read: feedback.read.map(settled),
  }
}

/** What a report file cannot be used for, in words for whoever gave it. */
export class ReportError extends Error {}

/** Reads a report that `--json` wrote. Throws `ReportError`. */
export function parseReport(text: string, file: string): Report {
  let report: Partial<Report>
  try {
    report = JSON.parse(text) as Partial<Report>
  } catch {
    throw new ReportError(`${file} is not JSON; expected a file that check-solutions wrote with --json`)
  }
  if (report?.format !== FORMAT || !Array.isArray(report.results) || !Array.isArray(report.labs)) {
    throw new ReportError(`${file} is not a result file; expected one that check-solutions wrote with --json`)
  }
  if (report.version !== VERSION) {
    throw new ReportError(`${file} has version ${report.version} of the format; this is version ${VERSION}`)
  }
  return report as Report
}

/** What makes two runs different, in words; undefined when both are of the same run. */
export function runDifference(a: Run | undefined, b: Run | undefined): string | undefined {
  if (a === undefined || b === undefined) return a === b ? undefined : 'one of them does not say which'
  if (a.version !== b.version) return `by version ${b.version} of the labs, and by ${a.version}`
  if (a.commit !== b.commit) return `by commit ${b.commit ?? 'unknown'}, and by ${a.commit ?? 'unknown'}`
  const asked = (run: Run) => JSON.stringify(run.asked)
  if (asked(a) !== asked(b)) return `asked for was ${asked(b)}, and ${asked(a)}`
  return a.inputs === b.inputs && a.results === b.results ? undefined : 'what they graded is not the same'
}

/** Behind the name of a file: its code, whatever its variables and functions are called. */
export const NAMES_ASIDE = ', names aside'

/**
 * Submissions with a file in common that is neither the starting file nor the reference. A reason to ask, no proof. Those that are the same
 * with their names are not listed again without them, unless there are more of these.
 */
export function alike(report: Report): { lab: string; file: string; students: string[] }[] {
  const groups = new Map<string, { lab: string; file: string; students: string[] }>()
  for (const { kind, lab, name, fingerprints } of report.results) {
    if (kind !== 'submission') continue
    for (const [file, hash] of Object.entries(fingerprints ?? {})) {
      const key = `${lab} ${file} ${hash}`
      const group = groups.get(key) ?? { lab, file, students: [] }
      group.students.push(name)
      groups.set(key, group)
    }
  }
  const found = [...groups.values()].filter(({ students }) => students.length > 1)
  return found.filter(({ lab, file, students }) => {
    if (!file.endsWith(NAMES_ASIDE)) return true
    const exact = file.slice(0, -NAMES_ASIDE.length)
    const same = found.find(each => each.lab === lab && each.file === exact && each.students.includes(students[0]))
    return same?.students.length !== students.length
  })
}
