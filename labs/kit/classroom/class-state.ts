/**
 * What a classroom knows of its students, from what they tell: nothing of it is proven. Bounded, whatever they tell, and however many they
 * are. The clock is an argument.
 */
import type { Lab } from '../lab/types.ts'
import { isAlias, MAX_MISCONCEPTION, type Told } from '../run/classroom.ts'

export const CLASS_LIMITS = {
  students: 200,
  /** Of one student, in a minute. */
  reports: 120,
  /** Different ones that are remembered of a task. */
  misconceptions: 50,
} as const
const MINUTE_MS = 60_000
/** Failed checks after which somebody counts as stuck. */
const STUCK_FAILURES = 3
/** How many students must have a misconception before it is shown: what a single one sends is not for the projector. */
const SHOWN_FROM = 2
const SHOWN_MISCONCEPTIONS = 8

interface TaskState {
  firstAt: number
  failures: number
  solvedAt: number | undefined
}

interface Student {
  alias: string
  /** `lab/task` that was told of last. */
  current: string | undefined
  lastAt: number
  tasks: Map<string, TaskState>
  minute: number
  reports: number
}

/** What the projector shows. */
export interface ClassView {
  students: number
  solved: number
  tasks: {
    lab: string
    /** Of the lab, and of the task in it: `2.1`. */
    number: string
    task: string
    title: string
    here: number
    solved: number
    stuck: number
    /** From the first that was told of it to its first passed check, in minutes; null: nobody has solved it who was seen at it before. */
    medianMinutes: number | null
    names: string[]
  }[]
  misconceptions: { task: string; number: string; text: string; students: number }[]
  /** Null: it is switched off. */
  leaderboard: { alias: string; solved: number }[] | null
}

/** A request that is not taken: its status, and a sentence. */
export class Refusal extends Error {
  override name = 'Refusal'
  readonly status: number

  constructor(status: number, message: string) {
    super(message)
    this.status = status
  }
}

export interface ClassOptions {
  leaderboard?: boolean
  now?: () => number
  /** Throws a Refusal for somebody new who may not; `code`: what was told as the code of the class. */
  mayJoin?: (id: string, code: unknown) => void
}

export class ClassState {
  readonly #labs: readonly Lab[]
  readonly #leaderboard: boolean
  readonly #now: () => number
  readonly #mayJoin: (id: string, code: unknown) => void
  /** By task. */
  readonly #numbers: ReadonlyMap<string, string>
  readonly #students = new Map<string, Student>()
  /** By task, by text: who. */
  readonly #misconceptions = new Map<string, Map<string, Set<string>>>()

  constructor(labs: readonly Lab[], options: ClassOptions = {}) {
    this.#labs = labs
    this.#numbers = new Map(
      labs.flatMap(({ id, number, tasks }) => tasks.map((task, i) => [`${id}/${task.id}`, `${number}.${i + 1}`])),
    )
    this.#leaderboard = options.leaderboard ?? false
    this.#now = options.now ?? Date.now
    this.#mayJoin = options.mayJoin ?? (() => {})
  }

  /** `id`: who it is, as the kernel says. Throws a Refusal. */
  join(id: string, told: unknown): void {
    const { alias, code } = fields(told)
    if (typeof alias !== 'string' || !isAlias(alias)) {
      throw new Refusal(
        400,
        'an alias is up to 24 letters and digits, with blanks, dots, hyphens and underscores between them',
      )
    }
    if (!this.#students.has(id)) this.#mayJoin(id, code)
    const taken = [...this.#students].some(([other, student]) => other !== id && student.alias === alias)
    if (taken) throw new Refusal(409, `somebody is called ${alias} already; choose another name with --alias`)
    const student = this.#students.get(id)
    if (student) {
      this.#count(student)
      student.alias = alias
      return
    }
    if (this.#students.size >= CLASS_LIMITS.students)
      throw new Refusal(429, `the class is full (${CLASS_LIMITS.students})`)
    const now = this.#now()
    this.#students.set(id, { alias, current: undefined, lastAt: now, tasks: new Map(), minute: now, reports: 1 })
  }

  aliasOf(id: string): string | undefined {
    return this.#students.get(id)?.alias
  }

  leave(id: string): void {
    this.#students.delete(id)
    for (const texts of this.#misconceptions.values()) {
      for (const [text, who] of texts) if (who.delete(id) && who.size === 0) texts.delete(text)
    }
  }

  /** Throws a Refusal. Who has not joined, or is not known any more because the classroom was started again, joins by it. */
  report(id: string, given: unknown): void {
    const { lab, task, what, misconception } = fields(given) as Partial<Told>
    const key = `${lab}/${task}`
    if (!this.#numbers.has(key)) throw new Refusal(400, 'there is no such lab or task')
    if (what !== 'opened' && what !== 'passed' && what !== 'failed')
      throw new Refusal(400, 'it is opened, passed or failed')
    if (
      misconception !== undefined &&
      (typeof misconception !== 'string' || misconception.length > MAX_MISCONCEPTION)
    ) {
      throw new Refusal(400, `a misconception is a text of up to ${MAX_MISCONCEPTION} characters`)
    }
    if (!this.#students.has(id)) this.join(id, given)
    const student = this.#students.get(id) as Student
    this.#count(student)
    const now = this.#now()
    const state = student.tasks.get(key) ?? { firstAt: now, failures: 0, solvedAt: undefined }
    student.tasks.set(key, state)
    student.current = key
    student.lastAt = now
    if (what === 'passed') state.solvedAt ??= now
    if (what === 'failed' && state.solvedAt === undefined) state.failures++
    if (what === 'failed' && misconception !== undefined) this.#note(key, misconception, id)
  }

  view(): ClassView {
    const students = [...this.#students.values()]
    const tasks = this.#labs.flatMap(lab =>
      lab.tasks.map(({ id, title }) => {
        const key = `${lab.id}/${id}`
        const number = this.#numbers.get(key) as string
        const states = students.flatMap(student => student.tasks.get(key) ?? [])
        const here = students.filter(student => student.current === key)
        const minutes = states.flatMap(({ firstAt, solvedAt }) =>
          // Whose first report is that of a passed check has taken nobody knows how long.
          solvedAt === undefined || solvedAt === firstAt ? [] : (solvedAt - firstAt) / MINUTE_MS,
        )
        return {
          lab: lab.id,
          number,
          task: id,
          title,
          here: here.length,
          solved: states.filter(({ solvedAt }) => solvedAt !== undefined).length,
          stuck: here.filter(({ tasks }) => isStuck(tasks.get(key))).length,
          medianMinutes: medianOf(minutes),
          names: here.map(({ alias }) => alias).sort(),
        }
      }),
    )
    const solvedBy = (student: Student) =>
      [...student.tasks.values()].filter(({ solvedAt }) => solvedAt !== undefined).length
    return {
      students: students.length,
      solved: tasks.reduce((sum, { solved }) => sum + solved, 0),
      tasks: tasks.filter(({ here, solved }) => here + solved > 0),
      misconceptions: this.#frequent(),
      leaderboard: this.#leaderboard
        ? students
            .map(student => ({ alias: student.alias, solved: solvedBy(student) }))
            .sort((a, b) => b.solved - a.solved || a.alias.localeCompare(b.alias))
            .slice(0, 10)
        : null,
    }
  }

  /** A row for each student and task (RFC 4180). */
  csv(): string {
    const rows = [['alias', 'lab', 'task', 'failed checks', 'first seen', 'solved']]
    for (const { alias, tasks } of this.#students.values()) {
      for (const [key, { firstAt, failures, solvedAt }] of tasks) {
        const solved = solvedAt === undefined ? '' : new Date(solvedAt).toISOString()
        rows.push([alias, ...key.split('/'), String(failures), new Date(firstAt).toISOString(), solved])
      }
    }
    // An alias begins with a letter or a digit and has no comma or quotation mark in it, nor has anything else here.
    return rows.map(row => `${row.join(',')}\r\n`).join('')
  }

  #count(student: Student): void {
    const now = this.#now()
    if (now - student.minute >= MINUTE_MS) Object.assign(student, { minute: now, reports: 0 })
    if (++student.reports > CLASS_LIMITS.reports)
      throw new Refusal(429, `more than ${CLASS_LIMITS.reports} reports in a minute`)
  }

  #note(task: string, text: string, id: string): void {
    const texts = this.#misconceptions.get(task) ?? new Map<string, Set<string>>()
    this.#misconceptions.set(task, texts)
    if (!texts.has(text) && texts.size >= CLASS_LIMITS.misconceptions) return
    texts.set(text, (texts.get(text) ?? new Set()).add(id))
  }

  #frequent(): ClassView['misconceptions'] {
    return [...this.#misconceptions]
      .flatMap(([task, texts]) => {
        const number = this.#numbers.get(task) as string
        return [...texts].map(([text, who]) => ({ task, number, text, students: who.size }))
      })
      .filter(({ students }) => students >= SHOWN_FROM)
      .sort((a, b) => b.students - a.students)
      .slice(0, SHOWN_MISCONCEPTIONS)
  }
}

/** Throws a Refusal. */
export function fields(value: unknown): Record<string, unknown> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>
  throw new Refusal(400, 'a JSON object is expected')
}

function isStuck(state: TaskState | undefined): boolean {
  return state !== undefined && state.solvedAt === undefined && state.failures >= STUCK_FAILURES
}

function medianOf(values: readonly number[]): number | null {
  if (values.length === 0) return null
  const sorted = [...values].sort((a, b) => a - b)
  const middle = Math.floor(sorted.length / 2)
  const median = sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
  return Math.round(median * 10) / 10
}
