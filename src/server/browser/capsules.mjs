// The capsules of CONNECT-IP: RFC 9297 §3.2 and RFC 9484 §4.7.
//
//   Capsule {
//     Capsule Type (i),
//     Capsule Length (i),
//     Capsule Value (..),
//   }

import { concat, encodeVarint, Reader } from './bytes.mjs'

export const CapsuleType = { DATAGRAM: 0, ADDRESS_ASSIGN: 1, ADDRESS_REQUEST: 2, ROUTE_ADVERTISEMENT: 3 }

/** The longest that makes sense here: an IP packet and its context id. */
const MAX_LENGTH = 65_543

export function encodeCapsule(type, value) {
  return concat(encodeVarint(type), encodeVarint(value.length), value)
}

/** Cuts the bytes of a stream into capsules, however the network has split them. */
export class CapsuleParser {
  #bytes = new Uint8Array(0)

  /** Takes the next bytes; returns the capsules that are complete now. Throws RangeError when one is too long. */
  push(bytes) {
    this.#bytes = concat(this.#bytes, bytes)
    const capsules = []
    for (;;) {
      const reader = new Reader(this.#bytes)
      try {
        const type = reader.varint()
        const length = reader.varint()
        if (length > MAX_LENGTH) throw new TypeError(`a capsule of ${length} bytes; at most ${MAX_LENGTH} are taken`)
        capsules.push({ type, value: reader.take(length) })
      } catch (error) {
        if (error instanceof RangeError) return capsules // the rest is still to come
        throw error
      }
      this.#bytes = this.#bytes.subarray(this.#bytes.length - reader.remaining)
    }
  }
}

/** ADDRESS_ASSIGN, RFC 9484 §4.7.1: a list of { Request ID (i), IP Version (8), IP Address (32..128), IP Prefix Length (8) }. */
export function parseAddressAssign(value) {
  const reader = new Reader(value)
  const addresses = []
  while (reader.remaining > 0) {
    reader.varint()
    const length = reader.byte() === 4 ? 4 : 16
    addresses.push({ address: reader.take(length), prefixLength: reader.byte() })
  }
  return addresses
}

/** ROUTE_ADVERTISEMENT, RFC 9484 §4.7.3: a list of { IP Version (8), Start, End (32..128), IP Protocol (8) }. */
export function parseRouteAdvertisement(value) {
  const reader = new Reader(value)
  const routes = []
  while (reader.remaining > 0) {
    const length = reader.byte() === 4 ? 4 : 16
    routes.push({ start: reader.take(length), end: reader.take(length), protocol: reader.byte() })
  }
  return routes
}
