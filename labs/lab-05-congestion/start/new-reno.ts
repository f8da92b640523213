/**
 * Task 3: NewReno, RFC 9002 §7.3.
 *
 *   window
 *     ^            /|                /
 *     |           / |            / ‾
 *     |         /   |        / ‾
 *     |       /     |    / ‾
 *     |    /        +--‾            one datagram more for each window that is acknowledged
 *     | /           half of it: slowStartThreshold
 *     +-------------+--+----------------------> time
 *       slow start  loss  congestion avoidance
 *
 * All sizes are in bytes, all times in ms.
 */
import type { CongestionController, ControllerOptions, SentPacket } from './congestion.ts'

/** What a connection begins with (RFC 9002 §7.2): ten datagrams, but no more than 14720 bytes, or than two datagrams where those are more. */
export function initialWindow(datagramSize: number): number {
  throw new Error('TODO: initialWindow')
}

/** What always stays (kMinimumWindow, RFC 9002 §7.2): two datagrams. */
export function minimumWindow(datagramSize: number): number {
  throw new Error('TODO: minimumWindow')
}

export class NewReno implements CongestionController {
  readonly name = 'reno'
  /** How many bytes may be in flight. */
  window: number
  /** Below it the window grows fast. Infinity: no loss yet. */
  slowStartThreshold = Number.POSITIVE_INFINITY
  /** The largest UDP payload. */
  #datagramSize: number
  /** When the window was reduced the last time. What was sent until then belongs to that recovery period. */
  #recoveryStart = Number.NEGATIVE_INFINITY
  /** In congestion avoidance: acknowledged since the window grew the last time. */
  #acked = 0

  constructor({ datagramSize }: ControllerOptions) {
    this.#datagramSize = datagramSize
    this.window = initialWindow(datagramSize)
  }

  /** Nothing to be done. Complete. */
  onSent(): void {}

  /**
   * A packet was acknowledged.
   *
   * - `isWindowUsed` is false: the window was not what held the sender back, so nothing has shown that it could be larger (§7.8)
   * - sent until `#recoveryStart`: it says nothing about the window of now (§7.3.2)
   * - slow start: the window grows by what was acknowledged (§7.3.1)
   * - congestion avoidance: the acknowledged bytes are added up in `#acked`. When they make a whole window, that is taken off them, and
   *   the window grows by a datagram (§7.3.3)
   */
  onAcked(packet: SentPacket, isWindowUsed: boolean, _now: number): void {
    throw new Error('TODO: onAcked')
  }

  /**
   * Packets were lost, the last of which was sent at `sentAt`. One that was sent until `#recoveryStart` tells nothing new. Else a recovery
   * period begins now: the threshold is half of the window, rounded down; the window is the threshold, but the minimum at least; and
   * `#acked` begins with 0 again (§7.3.2).
   */
  onCongestion(sentAt: number, _bytes: number, now: number): void {
    throw new Error('TODO: onCongestion')
  }

  /**
   * For a long time nothing has arrived (§7.6): the window is the minimum, the recovery period is over, and the window grows by slow start
   * again. Called after `onCongestion`, which has set the threshold.
   */
  onPersistentCongestion(_now: number): void {
    throw new Error('TODO: onPersistentCongestion')
  }

  /** The path was found to carry UDP payloads of so many bytes: the window has the new minimum at least. */
  onDatagramSize(bytes: number): void {
    throw new Error('TODO: onDatagramSize')
  }
}
