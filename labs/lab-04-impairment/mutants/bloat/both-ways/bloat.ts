// mutant: the queue counts in both directions; expect: on the way up only
/**
 * Task 4: what a queue that is too large does to everybody. A prediction.
 *
 * A link sends `bitsPerSecond`. What comes faster waits in a queue before it, first in, first out. What does not fit into the queue
 * any more is dropped. All bytes are counted as the link counts them, with all headers.
 */

export interface Bottleneck {
  bitsPerSecond: number
  /** How much the queue holds. */
  limit: { packets: number } | { bytes: number }
}

/**
 * How long a packet waits that comes when the queue is full, ms: until everything before it has been sent.
 *
 * @param packetBytes of the packets that fill the queue; matters where the limit is in packets
 */
export function fullQueueMs(link: Bottleneck, packetBytes: number): number {
  return (queueBits(link, packetBytes) * 1000) / link.bitsPerSecond
}

/** The round-trip time while the queue of the way up is full, ms. `roundTripMs` is that of the idle link. */
export function roundTripUnderLoadMs(link: Bottleneck, packetBytes: number, roundTripMs: number): number {
  return roundTripMs + 2 * fullQueueMs(link, packetBytes)
}

/**
 * How long it takes from an empty queue to a full one when `offeredBitsPerSecond` come in, ms. Infinity if that never happens.
 * While the queue fills, the link goes on sending.
 */
export function fullAfterMs(link: Bottleneck, packetBytes: number, offeredBitsPerSecond: number): number {
  const growth = offeredBitsPerSecond - link.bitsPerSecond
  return growth > 0 ? (queueBits(link, packetBytes) * 1000) / growth : Number.POSITIVE_INFINITY
}

/** The largest limit in bytes (a whole number) with which nobody waits longer than `targetMs` in the queue. */
export function limitFor(bitsPerSecond: number, targetMs: number): number {
  return Math.floor((bitsPerSecond * targetMs) / 8000)
}

function queueBits({ limit }: Bottleneck, packetBytes: number): number {
  return 8 * ('bytes' in limit ? limit.bytes : limit.packets * packetBytes)
}
