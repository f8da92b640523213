// mutant: the length is written as that of the whole capsule; expect: bytes of the value alone
/**
 * Task 2: the Capsule Protocol, RFC 9297 §3.2.
 *
 *   Capsule {
 *     Capsule Type (i),
 *     Capsule Length (i),        of the value alone, in bytes
 *     Capsule Value (..),
 *   }
 */
import { concat } from './bytes.ts'
import { MalformedError } from './errors.ts'
import { decodeVarint, encodeVarint } from './varint.ts'

/** The types that we know. Any other is an unknown type. */
export const CapsuleType = {
  DATAGRAM: 0x00n,
  ADDRESS_ASSIGN: 0x01n,
  ADDRESS_REQUEST: 0x02n,
  ROUTE_ADVERTISEMENT: 0x03n,
} as const

export interface Capsule {
  type: bigint
  value: Uint8Array
}

/** The capsule as bytes for the stream. */
export function encodeCapsule(type: bigint, value: Uint8Array): Uint8Array {
  return concat(encodeVarint(type), encodeVarint(BigInt(value.length + encodeVarint(type).length + encodeVarint(BigInt(value.length)).length)), value)
}

/** Cuts a stream of bytes into capsules, however it was split on its way. */
export class CapsuleParser {
  readonly maxLength: number
  /** What has arrived of a capsule that is not complete; never the value of an unknown one. */
  #kept = new Uint8Array(0)
  /** Inside an unknown capsule: how many bytes of its value are still to come. */
  #toSkip = 0n

  /** `maxLength`: the longest value of a known capsule that is accepted, in bytes. */
  constructor(maxLength = 65_536) {
    this.maxLength = maxLength
  }

  /** How many bytes the parser keeps at the moment. */
  get buffered(): number {
    return this.#kept.length
  }

  /** Takes the next bytes of the stream. Returns the capsules that are complete with them, in order. */
  push(bytes: Uint8Array): Capsule[] {
    const capsules: Capsule[] = []
    let rest = concat(this.#kept, bytes)
    while (true) {
      rest = this.#skip(rest)
      const header = decodeHeader(rest)
      if (header === undefined) break
      const { type, length, valueAt } = header
      if (!isKnown(type)) {
        this.#toSkip = length
        rest = rest.subarray(valueAt)
        continue
      }
      if (length > this.maxLength) {
        throw new MalformedError(
          `a capsule of type ${type} with ${length} bytes; at most ${this.maxLength} are accepted`,
        )
      }
      const end = valueAt + Number(length)
      if (end > rest.length) break
      capsules.push({ type, value: rest.slice(valueAt, end) })
      rest = rest.subarray(end)
    }
    this.#kept = rest.slice()
    return capsules
  }

  /** The stream has ended. Throws MalformedError when it ended inside a capsule, known or unknown (RFC 9297 §3.3). */
  end(): void {
    if (this.#kept.length > 0 || this.#toSkip > 0n) throw new MalformedError('the stream ended inside a capsule')
  }

  /** What is left of `bytes` after the unknown capsule that we are in. */
  #skip(bytes: Uint8Array): Uint8Array {
    const available = BigInt(bytes.length)
    const skipped = this.#toSkip < available ? this.#toSkip : available
    this.#toSkip -= skipped
    return bytes.subarray(Number(skipped))
  }
}

/** Type and length, and where the value begins; undefined when they have not arrived completely. */
function decodeHeader(bytes: Uint8Array): { type: bigint; length: bigint; valueAt: number } | undefined {
  const type = decodeVarint(bytes, 0)
  if (type === undefined) return undefined
  const length = decodeVarint(bytes, type.length)
  if (length === undefined) return undefined
  return { type: type.value, length: length.value, valueAt: type.length + length.length }
}

function isKnown(type: bigint): boolean {
  return type <= CapsuleType.ROUTE_ADVERTISEMENT
}
