/**
 * Task 4: a congestion controller for the tunnel.
 *
 *     tunnel ───┐                                            alone: the queue stays short, and the line busy
 *               ├──>  [##############]  bottleneck ──>       beside a CUBIC, which fills the queue: each has a share
 *     CUBIC  ───┘
 *
 * What is asked of it, how it is judged, and ideas to begin with are in the handout. Everything in this class is yours: fields, constants, more
 * methods. The engine calls the methods below, and looks at `window`, at `slowStartThreshold` and, where there is one, at `pacingRate`
 * (congestion.ts leads to what each of them means). Your NewReno of task 3 is a good beginning.
 *
 * All sizes are in bytes, all times in ms.
 */
import type { CongestionController, ControllerOptions, Rtt, SentPacket } from './congestion.ts'

export class TunnelController implements CongestionController {
  readonly name = 'tunnel'
  /** How many bytes may be in flight. */
  window: number
  /** Below it the engine sends twice the window in a round trip, above it 1.25 times: so bursts are spread. */
  slowStartThreshold = Number.POSITIVE_INFINITY
  /** Round trips: `latest`, `smoothed`, `variation`, and `min`, the shortest that there ever was. It is the same object all the time, with new values. */
  readonly #rtt: Rtt
  #datagramSize: number

  constructor({ datagramSize, rtt }: ControllerOptions) {
    this.#datagramSize = datagramSize
    this.#rtt = rtt
    this.window = 10 * datagramSize
  }

  /** A packet leaves. Packet numbers rise: so you can find out when a round trip is over. */
  onSent(packet: SentPacket, inFlight: number, now: number): void {}

  /** A packet was acknowledged. `#rtt` is of now already. */
  onAcked(packet: SentPacket, isWindowUsed: boolean, now: number): void {
    throw new Error('TODO: onAcked')
  }

  /** Packets were lost, the last of which was sent at `sentAt`. */
  onCongestion(sentAt: number, bytes: number, now: number): void {
    throw new Error('TODO: onCongestion')
  }

  /** For a long time nothing has arrived. */
  onPersistentCongestion(now: number): void {
    this.window = 2 * this.#datagramSize
  }

  /** The path was found to carry larger packets. */
  onDatagramSize(bytes: number): void {
    this.#datagramSize = bytes
    this.window = Math.max(this.window, 2 * bytes)
  }
}
