/**
 * How a nameserver is reached, as service parameters of RFC 9460 §2.2:
 *
 *   SvcParam {
 *     SvcParamKey (16),
 *     Length (16),
 *     SvcParamValue (..),
 *   }
 *
 * one after the other, by ascending key.
 *
 *   key                    value
 *   1  alpn                names of protocols, each behind one byte with its length ("h3", "dot", "doq")
 *   2  no-default-alpn     nothing: there is no unencrypted DNS on port 53
 *   3  port                16 bits
 *   7  dohpath             a URI Template for DNS over HTTPS, relative to the server (RFC 9461 §5)
 *   4, 6  ipv4hint, ipv6hint   forbidden in DNS_ASSIGN: it has fields of its own for addresses
 */

import { DecodeError } from '../../bytes/errors.ts'
import { Reader } from '../../bytes/reader.ts'
import { Writer } from '../../bytes/writer.ts'

const Key = { ALPN: 1, NO_DEFAULT_ALPN: 2, PORT: 3, IPV4HINT: 4, IPV6HINT: 6, DOHPATH: 7 } as const

export interface ServiceParameters {
  /** Encrypted transports, in order of preference. Empty: none. */
  readonly alpn: readonly string[]
  /** There is no unencrypted DNS over UDP and TCP port 53 beside them. */
  readonly noDefaultAlpn: boolean
  /** Undefined: the usual port of each transport. */
  readonly port: number | undefined
  readonly dohpath: string | undefined
  /** Parameters that this file does not know, by key: the value as it came. */
  readonly others: ReadonlyMap<number, Uint8Array>
}

export const NO_PARAMETERS: ServiceParameters = {
  alpn: [],
  noDefaultAlpn: false,
  port: undefined,
  dohpath: undefined,
  others: new Map(),
}

/** Throws RangeError for a value that has no such form. */
export function encodeServiceParameters(parameters: ServiceParameters): Uint8Array {
  const { alpn, noDefaultAlpn, port, dohpath, others } = parameters
  const values = new Map<number, Uint8Array>(others)
  if (alpn.length > 0) values.set(Key.ALPN, encodeAlpn(alpn))
  if (noDefaultAlpn) values.set(Key.NO_DEFAULT_ALPN, new Uint8Array(0))
  if (port !== undefined) values.set(Key.PORT, new Writer().u16(port).finish())
  if (dohpath !== undefined) values.set(Key.DOHPATH, new TextEncoder().encode(dohpath))
  const writer = new Writer()
  for (const [key, value] of [...values].sort(([a], [b]) => a - b)) {
    if (value.length > 0xffff) throw new RangeError(`service parameter ${key} of ${value.length} bytes; at most 65535`)
    writer.u16(key).u16(value.length).bytes(value)
  }
  return writer.finish()
}

/** Throws DecodeError. */
export function decodeServiceParameters(bytes: Uint8Array): ServiceParameters {
  const reader = new Reader(bytes)
  let parameters = NO_PARAMETERS
  const others = new Map<number, Uint8Array>()
  let previous = -1
  while (reader.remaining > 0) {
    const key = reader.u16()
    if (key <= previous) throw new DecodeError(`service parameter ${key} after ${previous}; expected ascending keys`)
    previous = key
    const value = reader.take(reader.u16())
    switch (key) {
      case Key.ALPN:
        parameters = { ...parameters, alpn: decodeAlpn(value) }
        break
      case Key.NO_DEFAULT_ALPN:
        if (value.length > 0) throw new DecodeError('service parameter no-default-alpn with a value; expected none')
        parameters = { ...parameters, noDefaultAlpn: true }
        break
      case Key.PORT:
        if (value.length !== 2) throw new DecodeError(`service parameter port of ${value.length} bytes; expected 2`)
        parameters = { ...parameters, port: new Reader(value).u16() }
        break
      case Key.DOHPATH:
        parameters = { ...parameters, dohpath: decodeText('dohpath', value) }
        break
      case Key.IPV4HINT:
      case Key.IPV6HINT:
        throw new DecodeError('service parameter ipv4hint or ipv6hint; expected addresses in their own fields')
      default:
        others.set(key, Uint8Array.from(value))
    }
  }
  // RFC 9460 §7.1.1: without "alpn" there would be no protocol left.
  if (parameters.noDefaultAlpn && parameters.alpn.length === 0) {
    throw new DecodeError('service parameter no-default-alpn without alpn; expected both or neither')
  }
  return { ...parameters, others }
}

function encodeAlpn(names: readonly string[]): Uint8Array {
  const writer = new Writer()
  for (const name of names) {
    const bytes = new TextEncoder().encode(name)
    if (bytes.length === 0 || bytes.length > 255) throw new RangeError(`alpn "${name}"; expected 1 to 255 bytes`)
    writer.u8(bytes.length).bytes(bytes)
  }
  return writer.finish()
}

function decodeAlpn(value: Uint8Array): string[] {
  const reader = new Reader(value)
  const names: string[] = []
  do {
    const length = reader.u8()
    if (length === 0) throw new DecodeError('an empty name in service parameter alpn; expected 1 to 255 bytes')
    names.push(decodeText('alpn', reader.take(length)))
  } while (reader.remaining > 0)
  return names
}

/** Both are shown to people, and made of printable ASCII wherever they are registered. */
function decodeText(what: string, bytes: Uint8Array): string {
  const text = String.fromCharCode(...bytes.subarray(0, 1024))
  if (bytes.length > 1024 || !/^[\x21-\x7e]*$/.test(text)) {
    throw new DecodeError(`service parameter ${what}; expected at most 1024 printable ASCII characters`)
  }
  return text
}
