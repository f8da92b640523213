// mutant: the extent goes to the last packet that overtook; expect: the one that arrived earliest
/**
 * Task 3: jitter and reordering, of packets as they arrived.
 *
 * Packets are numbered from 0 in the order of sending. `arrivals` are in the order of **arrival**. Some numbers may be missing
 * (lost), and some may be there more than once (duplicated).
 */

export interface Arrival {
  sequence: number
  sentMs: number
  receivedMs: number
}

export interface Counts {
  /** Different packets that arrived. */
  received: number
  /** Packets that were sent and did not arrive. */
  lost: number
  /** Further copies of packets that had arrived before. */
  duplicates: number
}

export interface Reordering {
  /** How many packets were reordered. */
  reordered: number
  /** reordered / received; 0 when nothing arrived. */
  ratio: number
  /** The extent of each reordered packet, in the order of arrival. */
  extents: number[]
  /** The late time of each reordered packet in ms, in the order of arrival. */
  lateMs: number[]
}

/** The arrivals without further copies: of each packet only the one that came first. In the order of arrival. */
export function firstCopies(arrivals: readonly Arrival[]): Arrival[] {
  const seen = new Set<number>()
  return arrivals.filter(({ sequence }) => {
    if (seen.has(sequence)) return false
    seen.add(sequence)
    return true
  })
}

/** What became of `sent` packets. */
export function counts(sent: number, arrivals: readonly Arrival[]): Counts {
  const received = firstCopies(arrivals).length
  return { received, lost: sent - received, duplicates: arrivals.length - received }
}

/**
 * The jitter of RFC 3550 §6.4.1, in ms, over first copies in the order of arrival. For each packet after the first, D is the
 * difference between its time in transit and that of the packet that arrived before it; from it follows
 *
 *     J  =  J + (|D| - J) / 16
 *
 * which begins with 0. It needs no synchronised clocks: an offset between them cancels out in D.
 */
export function jitter(arrivals: readonly Arrival[]): number {
  let result = 0
  let before: number | undefined
  for (const { sentMs, receivedMs } of firstCopies(arrivals)) {
    const transit = receivedMs - sentMs
    if (before !== undefined) result += (Math.abs(transit - before) - result) / 16
    before = transit
  }
  return result
}

/**
 * Reordering by RFC 4737, over first copies.
 *
 * §3: the receiver knows the number that it expects next at least: one more than the highest so far. A packet with a number below
 * that is **reordered**; any other sets the expected number anew. So when 3 arrives behind 8, 3 is reordered and 8 is not; and a
 * lost packet makes no other one reordered.
 *
 * §4.2: the **extent** of a reordered packet is how far back in the order of arrival the first packet is that was sent after it
 * and arrived before it. In 0 1 3 4 2, packet 2 has extent 2: counted back from it, 4 is one and 3 is two arrivals away.
 *
 * §4.3: its **late time** is the time between the arrival of that packet (3) and its own.
 */
export function reordering(arrivals: readonly Arrival[]): Reordering {
  const packets = firstCopies(arrivals)
  const extents: number[] = []
  const lateMs: number[] = []
  let nextExpected = 0
  for (const [i, { sequence, receivedMs }] of packets.entries()) {
    if (sequence >= nextExpected) {
      nextExpected = sequence + 1
      continue
    }
    const overtaker = packets.findIndex(other => other.sequence > sequence)
    const last = packets.slice(0, i).findLastIndex(other => other.sequence > sequence)
    extents.push(i - last)
    lateMs.push(receivedMs - packets[overtaker].receivedMs)
  }
  const reordered = extents.length
  return { reordered, ratio: packets.length === 0 ? 0 : reordered / packets.length, extents, lateMs }
}
