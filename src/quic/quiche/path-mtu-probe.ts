/**
 * The probes of the path MTU search on a quiche connection: how one is made, and how one learns what became of it.
 *
 * A probe is a QUIC packet of exactly the size in question, full of data of a unidirectional stream that the peer's
 * application ignores. The stream ends with it. quiche does not say which packets were acknowledged; but it forgets a stream
 * when all of its data was, and counts the stream data that it sends again. So:
 *
 *   the stream is forgotten, and less was sent again than   the probe itself was acknowledged: the size fits
 *     it holds
 *   the stream's data was sent again after a loss           the probe was lost, and something after it arrived
 *   neither, for long                                       the path carries nothing now: no information
 *
 * What is sent again may be anything, also the handshake's: quiche counts it all together. It does that when the answer is late, too, as when a process had
 * to wait, and then first with what it has sent first.
 *
 * A peer may grant no stream for this. Then the probe is full of bytes that are ignored on a stream that stays open, and so is
 * never forgotten. What tells of it is quiche's timer: while anything is under way that has to be acknowledged, it rings
 * after a few round trips; when there is nothing, only at the idle timeout. So:
 *
 *   nothing is under way, and nothing was lost or sent again     the probe was acknowledged
 *
 * When packets that were taken for lost are acknowledged after all, quiche 0.18 reckons with less under way than there is. So
 * such a probe waits until nothing was lost for some round trips.
 *
 * A tunnel that is never quiet learns nothing in this way, and tries again.
 *
 * What does not fit into the probe any more, a few bytes, leaves in a small packet behind it. Its acknowledgement is what
 * shows the loss of the probe, a round trip later.
 */

import type { Connection as NativeConnection, SendInfo } from '@matrixai/quic/native/index.js'
import { quiche } from '@matrixai/quic/native/index.js'
import type { ProbeContent } from '../engine.ts'
import { BASE_UDP_PAYLOAD, type MtuSearch } from '../path-mtu.ts'

/** Reserved streams may end with this code (RFC 9114 §6.2.3). */
const H3_NO_ERROR = 0x100

/** Around the stream data there are at most so many bytes: header, packet number, tag, an ACK frame, frame header. */
const MAX_OVERHEAD = 400

/** Round trips after which a probe of which nothing was heard says nothing any more; and at least so many ms. */
const PATIENCE_ROUND_TRIPS = 8
const PATIENCE_MS = 1000

/** quiche 0.18 takes round trips for much too long while its congestion window is small. */
const MAX_ROUND_TRIP_MS = 1000

/** How often losses are looked at, in ms, and how many lost packets larger than the base make a suspicion. */
const LOSS_CHECK_MS = 1000
const SUSPICIOUS_LOSSES = 2

/** Fewer packets than this between two looks, though more wait to be sent: nothing is acknowledged, a stall. */
const STALLED_PACKETS = 4

/** Where the packets that are not lost are on average smaller than this, in bytes, large ones do not arrive. */
const SMALL_PACKET = 300

/** A probe's stream may still be reported when the probe is over; of so many one remembers whose they were. */
const REMEMBERED_STREAMS = 16

/** With a timer that rings later than this, in ms and in round trips, nothing is under way: a first probe timeout is earlier. */
const NOTHING_UNDER_WAY_MS = 2000
const NOTHING_UNDER_WAY_ROUND_TRIPS = 20

/** How long after a loss its late acknowledgement may come, in ms and in round trips. */
const LATE_MS = 20
const LATE_ROUND_TRIPS = 4

interface Probe {
  readonly streamId: number
  readonly ends: boolean
  readonly size: number
  readonly sentAt: number
  /** When nothing is to be expected any more. */
  readonly deadline: number
  /** The connection's counters when it was sent. */
  readonly retransmitted: number
  readonly lost: number
  readonly retrans: number
}

export class PathMtuProbes {
  readonly search: MtuSearch
  readonly #native: NativeConnection
  #probe: Probe | undefined
  /** Streams whose end does not interest the application. */
  readonly #streams = new Set<number>()
  #lastBulkAt = Number.NEGATIVE_INFINITY
  /** How many packets were lost when that was last looked at, and when it was first seen. */
  #lost = 0
  #lastLossAt = Number.NEGATIVE_INFINITY
  #nextLook = 0
  /** The connection's counters at the last look. */
  #seen = { lost: 0, lostBytes: 0, sent: 0, sentBytes: 0, waiting: false }

  constructor(native: NativeConnection, search: MtuSearch) {
    this.#native = native
    this.search = search
  }

  /** When `send` or `judge` wants to be called, in ms; undefined: not because of time. */
  get dueAt(): number | undefined {
    if (this.#probe === undefined) return this.search.dueAt
    return this.#probe.deadline
  }

  /** Packets leave on another path now: what is still to be heard of a probe says nothing about it. */
  onMoved(now: number): void {
    if (this.#probe?.ends) this.#end(this.#probe.streamId)
    this.#probe = undefined
    if (this.search.onMoved === undefined) this.search.suspect(now)
    else this.search.onMoved(now)
  }

  /** Whether the stream is a probe's. */
  owns(streamId: number): boolean {
    return this.#streams.has(streamId)
  }

  /** The application sends on a stream: much of it makes it unclear whose data is sent again. */
  onStreamData(bytes: number, now: number): void {
    if (bytes > MAX_OVERHEAD) this.#lastBulkAt = now
  }

  /**
   * Makes a probe if one is due. Call it when quiche has nothing else to send. Returns what is to be transmitted; null:
   * nothing. `buffer`: room for the largest UDP payload. `makeContent`: at least so many bytes that the peer ignores; undefined when
   * there can be none now.
   */
  send(
    buffer: Uint8Array,
    makeContent: (length: number) => ProbeContent | undefined,
    now: number,
  ): [length: number, info: SendInfo] | null {
    if (this.#probe !== undefined) return null
    const size = this.search.nextProbe(now)
    if (size === undefined) return null
    const content = makeContent(size)
    if (content === undefined) {
      this.search.onProbeVoid(now)
      return null
    }
    const { streamId, data, ends } = content
    const { streamRetransBytes, lost, retrans } = this.#native.stats()
    this.#noteLoss(lost, now)
    const quietAt = this.#lastLossAt + Math.max(LATE_MS, LATE_ROUND_TRIPS * this.#roundTripMs())
    if (!ends && now < quietAt) {
      this.search.postpone(quietAt)
      return null
    }
    if (ends) this.#remember(streamId)
    const written = this.#native.streamSend(streamId, data, ends)
    const sent = written === data.length ? this.#native.send(buffer.subarray(0, size)) : null
    if (sent === null || sent[0] !== size) {
      // Flow control or congestion left no room. What is kept of the stream must not leave in a smaller packet.
      if (ends) this.#end(streamId)
      this.search.onProbeVoid(now)
      return sent
    }
    const deadline = now + Math.max(PATIENCE_MS, PATIENCE_ROUND_TRIPS * this.#roundTripMs())
    this.#probe = { streamId, ends, size, sentAt: now, deadline, retransmitted: streamRetransBytes, lost, retrans }
    return sent
  }

  /**
   * Looks what became of the probe, or else whether larger packets still arrive. `waiting`: more datagrams want to be sent
   * than QUIC lets through. Returns true when the search has a result that is to be heeded.
   */
  judge(now: number, waiting: boolean): boolean {
    const probe = this.#probe
    if (probe === undefined) return this.#lookForBlackHole(now, waiting)
    const stats = this.#native.stats()
    this.#noteLoss(stats.lost, now)
    const resent = stats.streamRetransBytes - probe.retransmitted
    const arrived = probe.ends ? this.#isOver(probe.streamId) : this.#isAllAcknowledged(probe, stats)
    const before = this.search.size
    const settledBefore = this.search.settled
    const isPerhapsResent = resent >= probe.size - MAX_OVERHEAD
    if (arrived && !isPerhapsResent) this.search.onProbeAcked(now)
    else if (stats.lost > probe.lost && isPerhapsResent) {
      if (this.#wasAlone(probe)) this.search.onProbeLost(now)
      else this.search.onProbeVoid(now)
    } else if (arrived || now >= probe.deadline) this.search.onProbeVoid(now)
    else return false
    this.#probe = undefined
    if (probe.ends) this.#end(probe.streamId)
    // That a probe was lost is no suspicion.
    this.#see(stats, waiting)
    return this.search.size !== before || this.search.settled !== settledBefore
  }

  /** Packets larger than the base that are lost, though they were proven to fit, may have come upon a narrower path. */
  #lookForBlackHole(now: number, waiting: boolean): boolean {
    if (now < this.#nextLook) return false
    const stats = this.#native.stats()
    const before = this.#seen
    this.#see(stats, waiting)
    this.#nextLook = now + Math.max(LOSS_CHECK_MS, 4 * this.#roundTripMs())
    const lost = stats.lost - before.lost
    const lostBytes = stats.lostBytes - before.lostBytes
    const others = stats.sent - before.sent - lost
    const otherBytes = stats.sentBytes - before.sentBytes - lostBytes
    const largeAreLost = lost >= SUSPICIOUS_LOSSES && lostBytes > lost * BASE_UDP_PAYLOAD
    const nothingArrives = others + lost < STALLED_PACKETS
    const size = this.search.size
    // With a queue that does not get shorter there is never room for a probe; but there is no doubt either.
    if (waiting && before.waiting && (nothingArrives || (largeAreLost && otherBytes < others * SMALL_PACKET))) {
      this.search.onStall(now)
    } else if (largeAreLost) this.search.suspect(now)
    return this.search.size !== size
  }

  #see({ lost, lostBytes, sent, sentBytes }: ReturnType<NativeConnection['stats']>, waiting: boolean): void {
    this.#seen = { lost, lostBytes, sent, sentBytes, waiting }
  }

  /** quiche has forgotten the stream: all of it was acknowledged. Or the peer wants no more of it: it has the beginning. */
  #isOver(streamId: number): boolean {
    try {
      this.#native.streamCapacity(streamId)
      return false
    } catch {
      return true
    }
  }

  #noteLoss(lost: number, now: number): void {
    if (lost !== this.#lost) this.#lastLossAt = now
    this.#lost = lost
  }

  /** All packets since the probe were acknowledged, and so was it: nothing was lost, sent again, or is still under way. */
  #isAllAcknowledged(probe: Probe, { lost, retrans }: ReturnType<NativeConnection['stats']>): boolean {
    if (lost !== probe.lost || retrans !== probe.retrans) return false
    const far = Math.max(NOTHING_UNDER_WAY_MS, NOTHING_UNDER_WAY_ROUND_TRIPS * this.#roundTripMs())
    return (this.#native.timeout() ?? 0) > far
  }

  /** No other stream had much under way, so that what was sent again was the probe's. */
  #wasAlone(probe: Probe): boolean {
    return this.#lastBulkAt < probe.sentAt - 2 * this.#roundTripMs()
  }

  #roundTripMs(): number {
    return Math.min(this.#native.pathStats().find(path => path.active)?.rtt ?? 0, MAX_ROUND_TRIP_MS)
  }

  #remember(streamId: number): void {
    this.#streams.add(streamId)
    if (this.#streams.size <= REMEMBERED_STREAMS) return
    for (const oldest of this.#streams) {
      this.#streams.delete(oldest)
      return
    }
  }

  #end(streamId: number): void {
    try {
      this.#native.streamShutdown(streamId, quiche.Shutdown.Write, H3_NO_ERROR)
    } catch {
      // It has ended already.
    }
  }
}
