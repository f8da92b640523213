/**
 * Beside the student's controllers, in their process: what loss recovery tells comes as numbers, and becomes calls of a controller.
 *
 *   check                                             student's process
 *   loss recovery ── RemoteController ─┐
 *   loss recovery ── RemoteController ─┴─[ which, rtt, call, its arguments, call … , END, which … ]──> Players ──> student's controllers
 *                              <─────────[ window, threshold, pacing rate, window … ]────────────────
 *
 * This file is handed to that process as text (remote-controller.ts), so it imports nothing but types.
 */
import type {
  CongestionController,
  ControllerOptions,
} from '../../src/quic/typescript/recovery/congestion/controller.ts'
import type { Rtt } from '../../src/quic/typescript/recovery/rtt.ts'
import type { SentPacket } from '../../src/quic/typescript/recovery/sent-packet.ts'

/** Each call by its place in this list. Behind it come the numbers that `Player` reads for it. `end`: no more for this controller. */
export const CALLS = ['end', 'sent', 'acked', 'ackDone', 'congestion', 'persistentCongestion', 'datagramSize'] as const

/** All controllers of a check: one question for several of them is much cheaper than one for each. */
export class Players {
  readonly #make: (options: ControllerOptions) => CongestionController
  readonly #players: Player[] = []

  constructor(make: (options: ControllerOptions) => CongestionController) {
    this.#make = make
  }

  /** One more controller; returns which one it is. */
  add(datagramSize: number): number {
    return this.#players.push(new Player(this.#make, datagramSize)) - 1
  }

  /** Makes the calls that it is told, and returns three numbers for each controller that was told something, in that order (see `Player`). */
  play(told: Float64Array): Float64Array {
    const numbers = new Numbers(told)
    const wanted: number[] = []
    while (!numbers.isOver) wanted.push(...this.#players[numbers.next()]!.play(numbers))
    return Float64Array.from(wanted)
  }
}

class Numbers {
  readonly #numbers: Float64Array
  #at = 0

  constructor(numbers: Float64Array) {
    this.#numbers = numbers
  }

  get isOver(): boolean {
    return this.#at >= this.#numbers.length
  }

  next(): number {
    return this.#numbers[this.#at++]!
  }
}

class Player {
  readonly #controller: CongestionController
  readonly #rtt = { latest: 0, smoothed: 333, variation: 166.5, min: 0, hasSample: false }

  constructor(make: (options: ControllerOptions) => CongestionController, datagramSize: number) {
    this.#controller = make({ datagramSize, rtt: this.#rtt as Rtt, random: randomNumbers() })
  }

  /** Returns what the controller wants then: window, threshold, pacing rate (NaN: none). */
  play(numbers: Numbers): [number, number, number] {
    const rtt = this.#rtt
    rtt.latest = numbers.next()
    rtt.smoothed = numbers.next()
    rtt.variation = numbers.next()
    rtt.min = numbers.next()
    rtt.hasSample = numbers.next() === 1
    for (let call = CALLS[numbers.next()]; call !== 'end'; call = CALLS[numbers.next()])
      this.#call(call, () => numbers.next())
    const { window, slowStartThreshold, pacingRate = Number.NaN } = this.#controller
    return [window, slowStartThreshold, pacingRate]
  }

  #call(call: (typeof CALLS)[number] | undefined, next: () => number): void {
    const controller = this.#controller
    switch (call) {
      case 'sent':
        return controller.onSent(packetOf(next), next(), next())
      case 'acked':
        return controller.onAcked(packetOf(next), next() === 1, next())
      case 'ackDone': {
        const sample = {
          rate: next(),
          isAppLimited: next() === 1,
          delivered: next(),
          priorDelivered: next(),
          acked: next(),
          lost: next(),
          rttMs: next(),
        }
        const [inFlight, now] = [next(), next()]
        return controller.onAckDone?.(sample, inFlight, now)
      }
      case 'congestion':
        return controller.onCongestion(next(), next(), next())
      case 'persistentCongestion':
        return controller.onPersistentCongestion(next())
      case 'datagramSize':
        return controller.onDatagramSize(next())
    }
  }
}

function packetOf(next: () => number): SentPacket {
  const packet = { number: next(), sentAt: next(), bytes: next() }
  return { ...packet, space: 2, ackEliciting: true, inFlight: true, path: 0, isMtuProbe: false } as SentPacket
}

/** From 0 to 1, 1 excluded; the same each time (the minimal standard generator of Park and Miller). */
function randomNumbers(): () => number {
  let state = 2
  return () => {
    state = (state * 48_271) % 2_147_483_647
    return (state - 1) / 2_147_483_646
  }
}
