/**
 * "Grease": ids that mean nothing and must be ignored, RFC 9114 §7.2.4.1 (settings), §7.2.8 (frames), §6.2.3 (streams).
 *
 *   0x1f * N + 0x21     for N = 0, 1, 2 ...
 *
 * A peer that is never sent anything unknown may come to rely on that, and then no extension can ever be deployed. So those
 * who can are asked to send some.
 */

/** N is below this: ids of up to four bytes. */
const GREASE_RANGE = 2 ** 24

export function isReservedId(id: bigint): boolean {
  return id >= 0x21n && (id - 0x21n) % 0x1fn === 0n
}

/** One of them. `random` is 0 or more and below 1, as from Math.random. */
export function reservedId(random: number): number {
  return 0x1f * Math.floor(random * GREASE_RANGE) + 0x21
}

/** Up to seven bytes, of which nobody may make anything. */
export function greasePayload(random: number): Uint8Array {
  return new Uint8Array(Math.floor(random * 8)).fill(Math.floor(random * 256))
}
