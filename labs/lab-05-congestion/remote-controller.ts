/**
 * Congestion controllers of a student's, in their process, as controllers of the engine in this one.
 *
 * What the engine tells one of them is kept until `settle`, which asks once for all of it. In between, the window is what it was: so whoever lets the
 * engine send settles before. Those of connections that run at the same time are asked together.
 */
import { readFileSync } from 'node:fs'
import type {
  CongestionController,
  ControllerOptions,
} from '../../src/quic/typescript/recovery/congestion/controller.ts'
import type { DeliveryRateSample } from '../../src/quic/typescript/recovery/delivery-rate.ts'
import type { Rtt } from '../../src/quic/typescript/recovery/rtt.ts'
import type { SentPacket } from '../../src/quic/typescript/recovery/sent-packet.ts'
import { describeOutcome, manners } from '../kit/check/calls.ts'
import { CheckFailure } from '../kit/check/check-failure.ts'
import { feedbackOf } from '../kit/check/feedback.ts'
import type { CheckContext } from '../kit/lab/types.ts'
import { openStudentCode, StudentError, type StudentObject } from '../kit/student-code/student-code.ts'
import { CALLS } from './player.ts'

const PLAYER = 'player.ts'
/** Nothing here holds a tenth of that, and who sends it all at once takes this process with it. */
const MOST_WINDOW = 2 ** 20
/** Of all calls together. They are many thousands, each of which waits for its turn on a busy machine. */
const TOTAL_MS = 200_000
const CALL = Object.fromEntries(CALLS.map((name, index) => [name, index])) as Record<(typeof CALLS)[number], number>

/** What a controller wants: the first two in bytes, the last in bytes per ms. */
export interface Wanted {
  window: number
  slowStartThreshold: number
  pacingRate: number | undefined
}

/** What of a packet is told. */
type Told = Pick<SentPacket, 'number' | 'sentAt' | 'bytes'>

type Ask = { told: readonly number[]; answer(wanted: Wanted): void; fail(error: unknown): void }

/** The controllers of one class of the student's. */
export class StudentControllers {
  readonly #players: Pick<StudentObject, 'call'>
  readonly #asStudents: (error: unknown) => unknown
  #asks: Ask[] = []

  /** `players`: in the student's process, what `Players` has. `asStudents`: what is told of an error that a call of it ended with. */
  constructor(players: Pick<StudentObject, 'call'>, asStudents: (error: unknown) => unknown = error => error) {
    this.#players = players
    this.#asStudents = asStudents
  }

  /** Those of the class `className` in the student's `file`. */
  static async open(
    context: Pick<CheckContext, 'exercises' | 'signal' | 'defer'>,
    file: string,
    className: string,
  ): Promise<StudentControllers> {
    const players = readFileSync(new URL(PLAYER, import.meta.url), 'utf8')
    const students = `
      import { ${className} as Subject } from './${file}'
      export class Subjects extends Players {
        constructor() {
          super(options => new Subject(options))
        }
      }`
    const { exercises, signal } = context
    const ours = new Map([[PLAYER, players + students]])
    const code = openStudentCode({ exercises, signal, ours, limits: { totalMs: TOTAL_MS } })
    context.defer(() => code.close())
    // Called without `new`, a class runs nothing. But a file that cannot be loaded, or has no such class, is told about as in other tasks.
    await code.batch(file, className, [[]])
    const asStudents = (error: unknown) => inStudentsTerms(error, file, className)
    const subjects = await code.create(PLAYER, 'Subjects').catch(error => {
      throw asStudents(error)
    })
    return new StudentControllers(subjects, asStudents)
  }

  async add(datagramSize: number): Promise<RemoteController> {
    const which = await this.#call<number>('add', datagramSize)
    return new RemoteController(told => this.#ask([which, ...told, CALL.end]))
  }

  async #call<T>(method: string, ...args: unknown[]): Promise<T> {
    try {
      return await this.#players.call<T>(method, ...args)
    } catch (error) {
      throw this.#asStudents(error)
    }
  }

  /** Together with all others that are asked before anything else happens here. */
  #ask(told: readonly number[]): Promise<Wanted> {
    return new Promise((answer, fail) => {
      if (this.#asks.push({ told, answer, fail }) === 1) setImmediate(() => void this.#askAll())
    })
  }

  async #askAll(): Promise<void> {
    const asks = this.#asks
    this.#asks = []
    try {
      const told = Float64Array.from(asks.flatMap(one => one.told))
      const wanted = await this.#call<Float64Array>('play', told)
      for (const [i, { answer }] of asks.entries()) answer(wantedIn(wanted.subarray(3 * i, 3 * i + 3)))
    } catch (error) {
      for (const { fail } of asks) fail(error)
    }
  }
}

export class RemoteController implements CongestionController {
  readonly name = 'student'
  window = 0
  slowStartThreshold = Number.POSITIVE_INFINITY
  pacingRate: number | undefined
  readonly #ask: (told: readonly number[]) => Promise<Wanted>
  #rtt: Pick<Rtt, 'latest' | 'smoothed' | 'variation' | 'min' | 'hasSample'> = NO_SAMPLE
  #told: number[] = []
  /** Something else was told than that packets were sent. */
  #isAskDue = true

  constructor(ask: (told: readonly number[]) => Promise<Wanted>) {
    this.#ask = ask
  }

  /** Before the first packet: whose round trips are told. */
  begin({ rtt }: ControllerOptions): this {
    this.#rtt = rtt
    return this
  }

  /** The controller learns what has happened, and the engine what it wants. undefined: there is nothing new. */
  settle(): Promise<void> | undefined {
    return this.#isAskDue ? this.#askNow() : undefined
  }

  async #askNow(): Promise<void> {
    const { latest, smoothed, variation, min, hasSample } = this.#rtt
    const told = [latest, smoothed, variation, min, Number(hasSample), ...this.#told]
    this.#told = []
    this.#isAskDue = false
    Object.assign(this, await this.#ask(told))
  }

  #tell(call: (typeof CALLS)[number], ...values: number[]): void {
    this.#told.push(CALL[call], ...values)
    if (call !== 'sent') this.#isAskDue = true
  }

  onSent({ number, sentAt, bytes }: Told, inFlight: number, now: number): void {
    this.#tell('sent', number, sentAt, bytes, inFlight, now)
  }

  onAcked({ number, sentAt, bytes }: Told, isWindowUsed: boolean, now: number): void {
    this.#tell('acked', number, sentAt, bytes, Number(isWindowUsed), now)
  }

  onAckDone(sample: DeliveryRateSample, inFlight: number, now: number): void {
    const { rate, isAppLimited, delivered, priorDelivered, acked, lost, rttMs } = sample
    this.#tell('ackDone', rate, Number(isAppLimited), delivered, priorDelivered, acked, lost, rttMs, inFlight, now)
  }

  onCongestion(sentAt: number, bytes: number, now: number): void {
    this.#tell('congestion', sentAt, bytes, now)
  }

  onPersistentCongestion(now: number): void {
    this.#tell('persistentCongestion', now)
  }

  onDatagramSize(bytes: number): void {
    this.#tell('datagramSize', bytes)
  }
}

/** What the student's code is to blame for ends the check. `--replay` has nothing to offer then: what was asked of a function before went well. */
export async function loaded<T>(controllers: Promise<T>): Promise<T> {
  return await controllers.catch(error => {
    throw error instanceof StudentError ? new CheckFailure({ ...feedbackOf(error), failing: 'none' }) : error
  })
}

/** As `loaded`, of controllers at work. */
export async function played<T>(results: Promise<T>): Promise<T> {
  return await results.catch(error => {
    if (!(error instanceof StudentError)) throw error
    const outcome = { ok: false, error } as const
    const found = describeOutcome(outcome)
    throw new CheckFailure({ expected: 'a controller that runs', found, ...manners(outcome), failing: 'none' })
  })
}

/** Students know their own file and class, and nothing of the player's. */
function inStudentsTerms(error: unknown, file: string, className: string): unknown {
  if (!(error instanceof StudentError)) return error
  const { kind, message, line, column, source, ...details } = error
  const place = error.file === PLAYER ? { file } : { line, column, source }
  return new StudentError(kind, message, { ...details, ...place, during: `the calls of ${className}` })
}

const NO_SAMPLE = { latest: 0, smoothed: 333, variation: 166.5, min: 0, hasSample: false }

/** Reads what `Player.play` has returned. Throws CheckFailure. */
function wantedIn([window = Number.NaN, slowStartThreshold = Number.NaN, rate = Number.NaN]: Float64Array): Wanted {
  if (Number.isNaN(window)) {
    throw wrongAnswer(
      'a window in bytes, above 0',
      'window is NaN',
      'It was calculated with something that is no number: a field or a property that is not there is undefined, and 0 / 0 is NaN. What is calculated with NaN is NaN, too.',
    )
  }
  if (!(window > 0)) {
    throw wrongAnswer(
      'a window in bytes, above 0',
      `window is ${window}`,
      'A controller that wants nothing to be sent learns nothing any more: nothing is acknowledged, nothing is lost.',
    )
  }
  if (window > MOST_WINDOW) {
    throw wrongAnswer(
      `a window of at most ${MOST_WINDOW} bytes`,
      `window is ${window}`,
      'No path and no queue here holds a tenth of that. A window that grows and grows is one that nothing makes smaller: what does, when packets are lost?',
    )
  }
  if (rate <= 0 || rate === Number.POSITIVE_INFINITY) {
    throw wrongAnswer('a pacing rate in bytes per ms, above 0, or none', `pacingRate is ${rate}`)
  }
  return { window, slowStartThreshold, pacingRate: Number.isNaN(rate) ? undefined : rate }
}

function wrongAnswer(expected: string, found: string, misconception?: string): CheckFailure {
  return new CheckFailure({ expected, found, ...(misconception !== undefined && { misconception }), failing: 'none' })
}
