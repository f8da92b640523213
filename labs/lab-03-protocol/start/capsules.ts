/**
 * Task 2: the Capsule Protocol, RFC 9297 §3.2. This is what flows on the stream of the request once it is accepted.
 *
 *   Capsule {
 *     Capsule Type (i),          (i): a varint, task 1
 *     Capsule Length (i),        of the value alone, in bytes
 *     Capsule Value (..),
 *   }
 *
 * A QUIC stream is a stream of bytes, as TCP's is: it keeps no boundaries. A capsule may arrive in pieces, cut anywhere,
 * also inside its type or its length; several may arrive in one piece.
 */
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
  throw new Error('TODO: encodeCapsule')
}

/** Cuts a stream of bytes into capsules, however it was split on its way. */
export class CapsuleParser {
  readonly maxLength: number

  /** `maxLength`: the longest value of a known capsule that is accepted, in bytes. */
  constructor(maxLength = 65_536) {
    this.maxLength = maxLength
  }

  /**
   * How many bytes the parser keeps at the moment. Never more than have arrived of one capsule of a known type; 0
   * between two capsules.
   */
  get buffered(): number {
    throw new Error('TODO: buffered')
  }

  /**
   * Takes the next bytes of the stream. Returns the capsules that are complete with them, in order.
   *
   * - A capsule of an unknown type is skipped silently (RFC 9297 §3.2), whatever its length. Its value is not kept: of an
   *   unknown capsule at most the 16 bytes of type and length may ever be buffered.
   * - A known capsule longer than `maxLength` is refused as soon as its length is known: throw MalformedError.
   */
  push(bytes: Uint8Array): Capsule[] {
    // TODO. A way that works: keep two things between calls: the bytes of an unfinished capsule, and how many bytes
    // of an unknown capsule are still to be skipped (a bigint).
    throw new Error('TODO: push')
  }

  /** The stream has ended. Throws MalformedError when it ended inside a capsule, known or unknown (RFC 9297 §3.3). */
  end(): void {
    throw new Error('TODO: end')
  }
}
