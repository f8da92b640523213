/**
 * The Capsule Protocol, RFC 9297 §3.2: what flows on the request stream once the request is accepted.
 *
 *   Capsule Protocol {
 *     Capsule (..) ...,
 *   }
 *
 *   Capsule {
 *     Capsule Type (i),
 *     Capsule Length (i),
 *     Capsule Value (..),
 *   }
 */

import {
  decodeSmallVarint,
  decodeVarint,
  encodeVarint,
  varintLength,
  varintLengthFromFirstByte,
} from '../bytes/varint.ts'
import { ConnectIpError, excessiveLoad } from './errors.ts'

export const CapsuleType = {
  /** RFC 9297 §3.5 */
  DATAGRAM: 0x00n,
  /** RFC 9484 §4.7.1 */
  ADDRESS_ASSIGN: 0x01n,
  /** RFC 9484 §4.7.2 */
  ADDRESS_REQUEST: 0x02n,
  /** RFC 9484 §4.7.3 */
  ROUTE_ADVERTISEMENT: 0x03n,
} as const

/** The types above by number, so that the parser need not make a bigint for each capsule. */
const KNOWN_TYPES = Object.values(CapsuleType)

export interface Capsule {
  readonly type: bigint
  readonly value: Uint8Array
}

export interface CapsuleLimits {
  /** The longest value of an ADDRESS_ASSIGN, ADDRESS_REQUEST or ROUTE_ADVERTISEMENT capsule, in bytes. */
  readonly maxControlLength: number
  /** The longest value of a DATAGRAM capsule, in bytes. */
  readonly maxDatagramLength: number
}

export const DEFAULT_CAPSULE_LIMITS: CapsuleLimits = {
  maxControlLength: 65_536,
  // The largest IP packet, and a context id in its longest form.
  maxDatagramLength: 65_535 + 8,
}

/** The capsule as bytes for the stream. */
export function encodeCapsule(type: bigint | number, value: Uint8Array): Uint8Array {
  const out = new Uint8Array(varintLength(type) + varintLength(value.length) + value.length)
  const offset = encodeVarint(value.length, out, encodeVarint(type, out, 0))
  out.set(value, offset)
  return out
}

/** Two varints of at most 8 bytes each. */
const LONGEST_HEADER = 16

/** A first buffer for a value that arrives in pieces: memory grows with what was received, not with what was claimed. */
const FIRST_BUFFER = 1024

/**
 * Cuts the bytes of a stream into capsules, however the network split them.
 *
 * Holds at most one incomplete capsule of a known type, bounded by the limits, and of it only what has arrived.
 * A capsule of an unknown type is skipped as its bytes pass by, up to the largest length that can be written (2^62-1).
 */
export class CapsuleParser {
  /** DATAGRAM capsules that were too long to hold an IP packet and were skipped. */
  oversizeDatagrams = 0

  readonly #limits: CapsuleLimits
  readonly #extensionTypes: ReadonlySet<bigint>
  #failure: ConnectIpError | undefined

  /** Between two capsules: the header bytes that have arrived so far. */
  readonly #header = new Uint8Array(LONGEST_HEADER)
  #headerLength = 0

  /** Inside a known capsule: its type; the value so far, and how long it will be. */
  #type: bigint | undefined
  #value = new Uint8Array(0)
  #received = 0
  #expected = 0

  /** Inside a capsule to be skipped: how many bytes are still to come. */
  #toSkip = 0n

  /** A capsule whose last byte was just read. */
  #complete: Capsule | undefined

  /** `extensionTypes`: types beside those above that are handed out and not skipped; they count as control capsules. */
  constructor(limits: Partial<CapsuleLimits> = {}, extensionTypes: Iterable<bigint> = []) {
    this.#limits = { ...DEFAULT_CAPSULE_LIMITS, ...limits }
    this.#extensionTypes = new Set(extensionTypes)
  }

  /**
   * Takes the next bytes of the stream; gives the capsules that are complete with them, each before the bytes behind it
   * are looked at. Nothing happens before the first one is asked for.
   *
   * A value that lies wholly in `bytes` is given as a view of it: use it before `bytes` is reused, or copy it.
   * Throws ConnectIpError when a control capsule is longer than the limit, and from then on.
   */
  *push(bytes: Uint8Array): Generator<Capsule, void, undefined> {
    if (this.#failure) throw this.#failure
    let at = 0
    while (at < bytes.length) {
      if (this.#toSkip > 0n) at = this.#skip(bytes, at)
      else if (this.#type !== undefined) at = this.#continueValue(bytes, at)
      else if (this.#headerLength > 0) at = this.#continueHeader(bytes, at)
      else at = this.#startCapsule(bytes, at)
      const complete = this.#complete
      if (complete === undefined) continue
      this.#complete = undefined
      yield complete
    }
  }

  /** The stream has ended. Throws ConnectIpError when it ended inside a capsule (RFC 9297 §3.3). */
  end(): void {
    if (this.#failure) throw this.#failure
    if (this.#toSkip > 0n || this.#type !== undefined || this.#headerLength > 0) {
      this.#failure = new ConnectIpError('the stream ended inside a capsule; expected it to end after a whole one')
      throw this.#failure
    }
  }

  /** The header is at bytes[at]. Returns where to go on; everything that is left is kept when the header is incomplete. */
  #startCapsule(bytes: Uint8Array, at: number): number {
    const valueAt = headerEnd(bytes, at)
    if (valueAt === -1) {
      this.#header.set(bytes.subarray(at))
      this.#headerLength = bytes.length - at
      return bytes.length
    }
    this.#beginValue(bytes, at)
    if (this.#type !== undefined && bytes.length - valueAt >= this.#expected) {
      const end = valueAt + this.#expected
      this.#complete = { type: this.#type, value: bytes.subarray(valueAt, end) }
      this.#type = undefined
      return end
    }
    return valueAt
  }

  /** Adds one byte to a header that was split. At most 15 times a capsule, so simple is good enough. */
  #continueHeader(bytes: Uint8Array, at: number): number {
    this.#header[this.#headerLength++] = bytes[at]
    if (headerEnd(this.#header.subarray(0, this.#headerLength), 0) !== -1) {
      this.#headerLength = 0
      this.#beginValue(this.#header, 0)
      this.#finishIfComplete()
    }
    return at + 1
  }

  /** Reads the complete header at bytes[at] and decides: keep the value, skip it, or fail. */
  #beginValue(bytes: Uint8Array, at: number): void {
    const lengthAt = at + varintLengthFromFirstByte(bytes[at])
    const type = decodeSmallVarint(bytes, at)
    const length = decodeSmallVarint(bytes, lengthAt)
    const known = type < KNOWN_TYPES.length ? KNOWN_TYPES[type] : this.#extensionType(bytes, at)
    if (known === undefined) {
      // RFC 9297 §3.2: "MUST silently drop that Capsule and skip over it".
      this.#toSkip = decodeVarint(bytes, lengthAt)
      return
    }
    const isDatagram = known === CapsuleType.DATAGRAM
    if (isDatagram && length > this.#limits.maxDatagramLength) {
      // RFC 9297 §3.5: known to be unusable, so discarded without being buffered. It is not an error.
      this.oversizeDatagrams++
      this.#toSkip = decodeVarint(bytes, lengthAt)
      return
    }
    if (!isDatagram && length > this.#limits.maxControlLength) {
      this.#failure = excessiveLoad(
        `a capsule of type ${type} announces ${decodeVarint(bytes, lengthAt)} bytes; ` +
          `at most ${this.#limits.maxControlLength} are accepted`,
      )
      throw this.#failure
    }
    this.#type = known
    this.#expected = length
    this.#received = 0
  }

  #extensionType(bytes: Uint8Array, at: number): bigint | undefined {
    if (this.#extensionTypes.size === 0) return undefined
    const type = decodeVarint(bytes, at)
    return this.#extensionTypes.has(type) ? type : undefined
  }

  #continueValue(bytes: Uint8Array, at: number): number {
    const take = Math.min(this.#expected - this.#received, bytes.length - at)
    this.#reserve(this.#received + take)
    this.#value.set(bytes.subarray(at, at + take), this.#received)
    this.#received += take
    this.#finishIfComplete()
    return at + take
  }

  #finishIfComplete(): void {
    if (this.#type === undefined || this.#received < this.#expected) return
    this.#complete = { type: this.#type, value: this.#value.subarray(0, this.#expected) }
    this.#type = undefined
    // The buffer now belongs to the capsule that was handed out.
    this.#value = new Uint8Array(0)
  }

  #reserve(needed: number): void {
    if (needed <= this.#value.length) return
    const size = Math.min(this.#expected, Math.max(needed, FIRST_BUFFER, this.#value.length * 2))
    const larger = new Uint8Array(size)
    larger.set(this.#value.subarray(0, this.#received))
    this.#value = larger
  }

  #skip(bytes: Uint8Array, at: number): number {
    const available = BigInt(bytes.length - at)
    const skipped = this.#toSkip < available ? this.#toSkip : available
    this.#toSkip -= skipped
    return at + Number(skipped)
  }
}

/** Where the value begins of the capsule whose header is at bytes[at], or -1 when the header is not all there. */
function headerEnd(bytes: Uint8Array, at: number): number {
  const lengthAt = at + varintLengthFromFirstByte(bytes[at])
  if (lengthAt >= bytes.length) return -1
  const valueAt = lengthAt + varintLengthFromFirstByte(bytes[lengthAt])
  return valueAt > bytes.length ? -1 : valueAt
}
