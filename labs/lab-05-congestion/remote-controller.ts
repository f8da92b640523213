/**
 * A student's congestion controller, in their process, as a controller of the engine in this one.
 *
 * What the engine tells it is kept until `settle`, which asks once for all of it. In between, the window is what it was: so whoever lets
 * the engine send settles before.
 */
import { readFileSync } from 'node:fs'
import type {
  CongestionController,
  ControllerOptions,
} from '../../src/quic/typescript/recovery/congestion/controller.ts'
import type { DeliveryRateSample } from '../../src/quic/typescript/recovery/delivery-rate.ts'
import type { Rtt } from '../../src/quic/typescript/recovery/rtt.ts'
import type { SentPacket } from '../../src/quic/typescript/recovery/sent-packet.ts'
import { CheckFailure } from '../kit/check/check-failure.ts'
import type { CheckContext } from '../kit/lab/types.ts'
import { openStudentCode, type StudentCode, type StudentObject } from '../kit/student-code/student-code.ts'
import { CALLS } from './player.ts'

const PLAYER = 'player.ts'
const CALL = Object.fromEntries(CALLS.map((name, index) => [name, index])) as Record<(typeof CALLS)[number], number>

/** The class `className` of the student's `file`, ready to be made and played. */
export function openControllers(
  context: Pick<CheckContext, 'exercises' | 'signal' | 'defer'>,
  file: string,
  className: string,
): StudentCode {
  const player = readFileSync(new URL(PLAYER, import.meta.url), 'utf8')
  const played = `
    import { ${className} as Subject } from './${file}'
    export class Played extends Player {
      constructor(datagramSize: number, randomSeed: number) {
        super(options => new Subject(options), datagramSize, randomSeed)
      }
    }`
  const { exercises, signal } = context
  const code = openStudentCode({ exercises, signal, ours: new Map([[PLAYER, player + played]]) })
  context.defer(() => code.close())
  return code
}

/** One controller of the student's. */
export async function newPlayed(code: StudentCode, datagramSize: number, randomSeed = 1): Promise<StudentObject> {
  return await code.create(PLAYER, 'Played', datagramSize, randomSeed)
}

/** What a controller wants: the first two in bytes, the last in bytes per ms. */
export interface Wanted {
  window: number
  slowStartThreshold: number
  pacingRate: number | undefined
}

/** What of a packet is told. */
type Told = Pick<SentPacket, 'number' | 'sentAt' | 'bytes'>

export class RemoteController implements CongestionController {
  readonly name = 'student'
  window = 0
  slowStartThreshold = Number.POSITIVE_INFINITY
  pacingRate: number | undefined
  readonly #player: StudentObject
  #rtt: Pick<Rtt, 'latest' | 'smoothed' | 'variation' | 'min' | 'hasSample'> = NO_SAMPLE
  #told: number[] = []
  /** Something else was told than that packets were sent. */
  #isAskDue = true

  constructor(player: StudentObject) {
    this.#player = player
  }

  /** Before the first packet: whose round trips are told. */
  begin({ rtt }: ControllerOptions): this {
    this.#rtt = rtt
    return this
  }

  /** The controller learns what has happened, and the engine what it wants. undefined: there is nothing new. */
  settle(): Promise<void> | undefined {
    return this.#isAskDue ? this.#ask() : undefined
  }

  async #ask(): Promise<void> {
    const { latest, smoothed, variation, min, hasSample } = this.#rtt
    const told = Float64Array.of(latest, smoothed, variation, min, Number(hasSample), ...this.#told)
    this.#told = []
    this.#isAskDue = false
    Object.assign(this, wantedIn(await this.#player.call<Float64Array>('play', told)))
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

const NO_SAMPLE = { latest: 0, smoothed: 333, variation: 166.5, min: 0, hasSample: false }

/** Reads what `Player.play` has returned. Throws CheckFailure. */
function wantedIn([window = Number.NaN, slowStartThreshold = Number.NaN, rate = Number.NaN]: Float64Array): Wanted {
  if (!(window > 0)) throw wrongAnswer('a window in bytes, above 0', `window is ${window}`)
  if (rate <= 0) throw wrongAnswer('a pacing rate in bytes per ms, above 0, or none', `pacingRate is ${rate}`)
  return { window, slowStartThreshold, pacingRate: Number.isNaN(rate) ? undefined : rate }
}

function wrongAnswer(expected: string, found: string): CheckFailure {
  const misconception =
    'A controller that wants nothing to be sent learns nothing any more: nothing is acknowledged, nothing is lost.'
  return new CheckFailure({ expected, found, misconception, failing: 'none' })
}
