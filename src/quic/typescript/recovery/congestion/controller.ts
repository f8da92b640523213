/**
 * Congestion control: how many bytes may be on their way at a time, and how fast they leave. RFC 9002 §7 has the rules for all of them.
 *
 *                  acknowledged, lost                          window, pacing rate
 *   loss recovery ───────────────────>  CongestionController ──────────────────────>  may the next packet leave now?
 *
 * One of your own: a class with these methods, and its name in controllers.ts; or in a file that an experiment names (docs/experiments.md). new-reno.ts is the shortest.
 */
import type { DeliveryRateSample } from '../delivery-rate.ts'
import type { Rtt } from '../rtt.ts'
import type { SentPacket } from '../sent-packet.ts'

export interface CongestionController {
  readonly name: string
  /** Congestion window: how many bytes may be in flight. */
  readonly window: number
  /** In bytes: below it the window grows fast. Infinity: none is known. */
  readonly slowStartThreshold: number
  /** In bytes per ms. undefined: what fills the window in a round trip, and a little more (RFC 9002 §7.7). */
  readonly pacingRate?: number | undefined
  /** `onCongestion` leaves it as fast as it was: then packets are not sent as ones that a router may mark (RFC 9000 §13.4). */
  readonly ignoresMarks?: boolean
  /** For those who look on: where it has others than those of RFC 9002 §7. */
  readonly state?: string

  /** Of the packets that congestion control counts. `inFlight`: bytes, this packet included. */
  onSent(packet: SentPacket, inFlight: number, now: number): void
  /** For each packet that was newly acknowledged. `isWindowUsed`: the window was what held us back (RFC 9002 §7.8). */
  onAcked(packet: SentPacket, isWindowUsed: boolean, now: number): void
  /** Once for each ACK, after the others. `inFlight`: bytes that are left. */
  onAckDone?(sample: DeliveryRateSample, inFlight: number, now: number): void
  /** Packets were lost, or marked by a router (ECN-CE). `sentAt`: when the last of them was sent; `bytes`: of them all, 0 if marked. */
  onCongestion(sentAt: number, bytes: number, now: number): void
  /** After `onCongestion`, where nothing has arrived for a long time (RFC 9002 §7.6). */
  onPersistentCongestion(now: number): void
  /** The path was found to carry UDP payloads of so many bytes. */
  onDatagramSize(bytes: number): void
}

/** What a controller is made with. */
export interface ControllerOptions {
  /** The largest UDP payload, in bytes. */
  datagramSize: number
  rtt: Rtt
  /** From 0 to 1, 1 excluded. */
  random: () => number
}
