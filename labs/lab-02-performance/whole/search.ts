/**
 * A student's `PathMtuSearch` in the place of that of src/quic/path-mtu.ts. QUIC asks its search in the middle of a turn, and the student's
 * is in another process. So the answer to "what now?" is fetched ahead, and until it is there QUIC is told to come again a moment later.
 *
 *   QUIC                       here                     the student's
 *   nextProbe        <-------  the probe it wants  <--  next(now)
 *   onProbeAcked     ------->                      -->  acknowledged(size), confirmed, next(now)
 *   onProbeLost, -Void  ---->  silence: it asks again
 *                              when the wait is over --> next(now)
 */
import type { MtuSearch } from '../../../src/quic/path-mtu.ts'
import { format } from '../../kit/check/format.ts'
import type { StudentObject } from '../../kit/student-code/types.ts'
import { PartError, SEARCH } from './parts.ts'

/** How soon QUIC comes again while an answer is on its way, in ms. */
const SOON_MS = 5

export interface SearchOptions {
  max: number
  /** Resolves with a new PathMtuSearch of the student's. */
  create: () => Promise<StudentObject>
  /** The student's code cannot go on. */
  failed: (error: unknown) => void
}

export class StudentSearch implements MtuSearch {
  readonly #max: number
  readonly #failed: (error: unknown) => void
  #student: StudentObject | undefined
  /** What it has said is to be done next; undefined: it is being asked. */
  #action: { type: 'probe'; size: number } | { type: 'wait'; untilMs: number } | { type: 'done' } | undefined
  #size: number = SEARCH.base
  #over = false

  constructor({ max, create, failed }: SearchOptions) {
    this.#max = max
    this.#failed = failed
    this.#ask(async () => {
      this.#student = await create()
      return this.#student
    })
  }

  get size(): number {
    return this.#size
  }

  get settled(): boolean {
    return this.#over || this.#action?.type === 'done'
  }

  get dueAt(): number | undefined {
    if (this.settled) return undefined
    if (this.#action === undefined) return performance.now() + SOON_MS
    return this.#action.type === 'wait' ? this.#action.untilMs : performance.now()
  }

  nextProbe(now: number): number | undefined {
    const action = this.#action
    if (this.#over || action === undefined) return undefined
    if (action.type === 'wait' && now >= action.untilMs) this.#ask(async () => this.#student!)
    return action.type === 'probe' ? action.size : undefined
  }

  /** Before each of these three, QUIC has taken the probe that `nextProbe` has: the action is still that one. */
  onProbeAcked(): void {
    const size = this.#action?.type === 'probe' ? this.#action.size : this.#size
    this.#ask(async () => {
      await this.#student!.call('acknowledged', size)
      return this.#student!
    })
  }

  onProbeLost(): void {
    this.#ask(async () => this.#student!)
  }

  /** It could not be sent, or nothing was heard of it. To the student's search both are silence. */
  onProbeVoid(): void {
    this.onProbeLost()
  }

  postpone(): void {}

  /** The paths of this lab stay as they are: losses are those of the link. */
  suspect(): void {}

  onStall(): void {
    this.#ask(async () => {
      await this.#student!.call('blackHole')
      return this.#student!
    })
  }

  /** Tells what has happened, and fetches what is to be done next. */
  #ask(tell: () => Promise<StudentObject>): void {
    if (this.#over) return
    this.#action = undefined
    void (async () => {
      const student = await tell()
      const confirmed = await student.get('confirmed')
      const action = await student.call('next', performance.now())
      this.#take(confirmed, action)
    })().catch(error => {
      this.#over = true
      this.#failed(error)
    })
  }

  /** What comes from the sandbox may be anything. */
  #take(confirmed: unknown, action: unknown): void {
    const { base } = SEARCH
    const isSize = (value: unknown): value is number =>
      typeof value === 'number' && Number.isInteger(value) && value >= base && value <= this.#max
    if (!isSize(confirmed)) {
      throw new PartError({
        expected: `\`confirmed\` to be a size from ${base} to ${this.#max}`,
        found: format(confirmed),
      })
    }
    this.#size = confirmed
    const { type, size, untilMs } = (action ?? {}) as Record<string, unknown>
    if (type === 'done') this.#action = { type }
    else if (type === 'wait' && typeof untilMs === 'number' && Number.isFinite(untilMs))
      this.#action = { type, untilMs }
    else if (type === 'probe' && isSize(size)) this.#action = { type, size }
    else throw new PartError({ expected: 'next() to return a probe, a wait or done', found: format(action) })
  }
}
