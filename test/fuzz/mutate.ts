/** Another input out of those that are known, with a few changes of the kinds that decoders stumble over. */

/** Where varints, lengths and bits change their meaning. */
const BYTES = [0x00, 0x01, 0x02, 0x3f, 0x40, 0x7f, 0x80, 0xbf, 0xc0, 0xfe, 0xff]
/** 2^62-1, 2^32, 16384 and 63 as varints; 2^16-1. */
const NUMBERS = ['ffffffffffffffff', 'c000000100000000', '80004000', '3f', 'ffff'].map(hex => Buffer.from(hex, 'hex'))
const MOST_CHANGES = 6
const MAX_LENGTH = 8192

/** `random`: from 0 up to 1. */
export function mutate(corpus: readonly Uint8Array[], random: () => number): Uint8Array {
  const below = (bound: number): number => Math.floor(random() * bound)
  const pick = <T>(from: readonly T[]): T => from[below(from.length)]
  let bytes = Uint8Array.from(pick(corpus))
  const put = (at: number, more: Uint8Array, over: number): void => {
    const behind = bytes.subarray(Math.min(bytes.length, at + over))
    const changed = new Uint8Array(at + more.length + behind.length)
    changed.set(bytes.subarray(0, at))
    changed.set(more, at)
    changed.set(behind, at + more.length)
    bytes = changed
  }
  const anyPiece = (of: Uint8Array): Uint8Array => {
    const from = below(of.length)
    return of.subarray(from, from + 1 + below(Math.min(64, of.length)))
  }
  const changes: ((at: number) => void)[] = [
    at => put(at, Uint8Array.of(bytes[at] ^ (1 << below(8))), 1),
    at => put(at, Uint8Array.of(pick(BYTES)), 1),
    at => put(at, Uint8Array.of(below(256)), 1),
    at => put(at, Uint8Array.of(bytes[at] + below(9) - 4), 1),
    at => put(at, pick(NUMBERS), pick([0, 1, 2, 4, 8])),
    at =>
      put(
        at,
        Uint8Array.from({ length: 1 + below(8) }, () => below(256)),
        0,
      ),
    at => put(at, new Uint8Array(0), 1 + below(16)),
    at => put(at, new Uint8Array(0), bytes.length),
    // Of the same input, or of another one.
    at => put(at, anyPiece(bytes), below(2) * below(64)),
    at => put(at, anyPiece(pick(corpus)), below(2) * below(64)),
  ]
  for (let left = 1 + below(MOST_CHANGES); left > 0; left--) {
    if (bytes.length === 0) bytes = Uint8Array.of(below(256))
    pick(changes)(below(bytes.length))
  }
  return bytes.subarray(0, MAX_LENGTH)
}
