/**
 * Packet numbers, RFC 9000 §17.1 and appendix A. Of the number, 0 … 2^62-1, only the last 1 to 4 bytes are sent; the receiver knows
 * about where it must be.
 *
 *               largest received + 1
 *      ──┬──────────────┼──────────────┬──>    of all numbers that end in the bytes sent, the one in this window is meant
 *        │<─ half a window ─>│<─ half ─>│
 */

/** How many bytes have to be sent. `largestAcked`: the largest that the peer has acknowledged, -1 when there is none. */
export function packetNumberLength(packetNumber: number, largestAcked: number): 1 | 2 | 3 | 4 {
  const unacknowledged = packetNumber - largestAcked
  // More than twice that range has to be told apart (§17.1).
  if (unacknowledged < 1 << 7) return 1
  if (unacknowledged < 1 << 15) return 2
  if (unacknowledged < 1 << 23) return 3
  return 4
}

/** The number whose last `length` bytes are `truncated`. `largest`: the largest received in this space, below 2^52; -1 when there is none. */
export function decodePacketNumber(largest: number, truncated: number, length: number): number {
  const expected = largest + 1
  const window = 2 ** (8 * length)
  const candidate = expected - (expected % window) + truncated
  if (candidate <= expected - window / 2) return candidate + window
  if (candidate > expected + window / 2 && candidate >= window) return candidate - window
  return candidate
}
