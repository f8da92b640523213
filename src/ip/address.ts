import ipaddr from 'ipaddr.js'
import { DecodeError } from '../bytes/errors.ts'

export type IpVersion = 4 | 6

/** How many bytes an address of this IP version has. */
export function addressLength(version: IpVersion): 4 | 16 {
  return version === 4 ? 4 : 16
}

/** "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255", the longest text that can be an address. */
const LONGEST_TEXT = 45

/**
 * One IPv4 or IPv6 address. Immutable: nobody writes into `bytes`, so addresses can be shared freely.
 *
 * Text forms (RFC 4291 §2.2 in, RFC 5952 out) come from ipaddr.js. Its leniencies are closed here, because two
 * programs that read the same text as two addresses are a security hole: no "127.1", no octal or hexadecimal parts,
 * no zone ids ("fe80::1%eth0"), which mean nothing beyond the machine they were written on.
 */
export class IpAddress {
  readonly version: IpVersion
  /** Network byte order; 4 or 16 bytes. Do not write to it. */
  readonly bytes: Uint8Array

  private constructor(version: IpVersion, bytes: Uint8Array) {
    this.version = version
    this.bytes = bytes
  }

  /** Reads "192.0.2.1" or "2001:db8::1". Throws DecodeError on anything else. */
  static parse(text: string): IpAddress {
    if (text.length <= LONGEST_TEXT) {
      if (ipaddr.IPv4.isValidFourPartDecimal(text)) {
        return new IpAddress(4, Uint8Array.from(ipaddr.IPv4.parse(text).toByteArray()))
      }
      const hexadecimal = withoutDottedTail(text)
      if (hexadecimal?.includes(':') && !hexadecimal.includes('%') && ipaddr.IPv6.isValid(hexadecimal)) {
        return new IpAddress(6, Uint8Array.from(ipaddr.IPv6.parse(hexadecimal).toByteArray()))
      }
    }
    throw new DecodeError(
      `not an IP address: "${text.slice(0, 60)}"; expected four decimal numbers as in 192.0.2.1, ` +
        'or an IPv6 address without a zone id as in 2001:db8::1',
    )
  }

  /** The address in these bytes, which are copied. Throws DecodeError when their number does not fit the version. */
  static from(version: IpVersion, bytes: Uint8Array): IpAddress {
    if (version !== 4 && version !== 6) throw new DecodeError(`IP version ${version}; expected 4 or 6`)
    if (bytes.length !== addressLength(version)) {
      throw new DecodeError(`an IPv${version} address of ${bytes.length} bytes; expected ${addressLength(version)}`)
    }
    return new IpAddress(version, Uint8Array.from(bytes))
  }

  /** 0.0.0.0 or ::, "no address". */
  static unspecified(version: IpVersion): IpAddress {
    return version === 4 ? UNSPECIFIED_V4 : UNSPECIFIED_V6
  }

  /** The address whose bytes are the big-endian form of `value`. Throws RangeError when it has too many bits. */
  static fromBigInt(version: IpVersion, value: bigint): IpAddress {
    const bytes = new Uint8Array(addressLength(version))
    let rest = value
    for (let i = bytes.length - 1; i >= 0; i--) {
      bytes[i] = Number(rest & 0xffn)
      rest >>= 8n
    }
    if (rest !== 0n) throw new RangeError(`${value} is not an IPv${version} address: 0 to 2^${bytes.length * 8}-1`)
    return new IpAddress(version, bytes)
  }

  /** The address as a number, for arithmetic over ranges. */
  toBigInt(): bigint {
    let value = 0n
    for (const byte of this.bytes) value = (value << 8n) | BigInt(byte)
    return value
  }

  equals(other: IpAddress): boolean {
    return this.compare(other) === 0
  }

  /** Below 0, 0, or above 0, for sorting: IPv4 before IPv6, then by value. */
  compare(other: IpAddress): number {
    if (this.version !== other.version) return this.version - other.version
    return compareBytes(this.bytes, 0, other.bytes, 0, this.bytes.length)
  }

  /** 0.0.0.0, ::. */
  get isUnspecified(): boolean {
    return this.bytes.every(byte => byte === 0)
  }

  /** 169.254.0.0/16 (RFC 3927), fe80::/10 (RFC 4291 §2.5.6). */
  get isLinkLocal(): boolean {
    const [first, second] = this.bytes
    return this.version === 4 ? first === 169 && second === 254 : first === 0xfe && (second & 0xc0) === 0x80
  }

  /** 224.0.0.0/4 (RFC 5771), ff00::/8 (RFC 4291 §2.7). */
  get isMulticast(): boolean {
    return this.version === 4 ? this.bytes[0] >> 4 === 0xe : this.bytes[0] === 0xff
  }

  /** 127.0.0.0/8 (RFC 1122 §3.2.1.3), ::1 (RFC 4291 §2.5.3). */
  get isLoopback(): boolean {
    if (this.version === 4) return this.bytes[0] === 127
    return this.bytes.every((byte, i) => byte === (i === 15 ? 1 : 0))
  }

  /** 255.255.255.255. IPv6 has no broadcast; a subnet's own broadcast address needs its prefix to be known. */
  get isBroadcast(): boolean {
    return this.version === 4 && this.bytes.every(byte => byte === 255)
  }

  /** "192.0.2.1"; IPv6 in the canonical form of RFC 5952. */
  /** In JSON, and so in logs, an address is its text, made only when it is needed. */
  toJSON(): string {
    return this.toString()
  }

  toString(): string {
    if (this.version === 4) return this.bytes.join('.')
    // RFC 5952 §5: an IPv4 address known by its well-known prefix to be inside is shown as one.
    if (isV4Mapped(this.bytes)) return '::ffff:' + this.bytes.subarray(12).join('.')
    return new ipaddr.IPv6(Array.from(this.bytes)).toRFC5952String()
  }
}

const UNSPECIFIED_V4 = IpAddress.from(4, new Uint8Array(4))
const UNSPECIFIED_V6 = IpAddress.from(6, new Uint8Array(16))

/** Compares `length` bytes of two arrays, the first byte counting most. Allocates nothing. */
export function compareBytes(a: Uint8Array, aOffset: number, b: Uint8Array, bOffset: number, length: number): number {
  for (let i = 0; i < length; i++) {
    const difference = a[aOffset + i] - b[bOffset + i]
    if (difference !== 0) return difference
  }
  return 0
}

/**
 * "64:ff9b::192.0.2.1" → "64:ff9b::c000:201". Undefined when the dotted part is not strict decimal.
 * ipaddr.js would accept octal here, and reads "::192.0.2.1" as "::ffff:192.0.2.1", which is another address.
 */
function withoutDottedTail(text: string): string | undefined {
  if (!text.includes('.')) return text
  const tailStart = text.lastIndexOf(':') + 1
  const tail = text.slice(tailStart)
  if (!ipaddr.IPv4.isValidFourPartDecimal(tail)) return undefined
  const [a, b, c, d] = ipaddr.IPv4.parse(tail).toByteArray()
  return `${text.slice(0, tailStart)}${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`
}

/** ::ffff:0:0/96, RFC 4291 §2.5.5.2. */
function isV4Mapped(bytes: Uint8Array): boolean {
  for (let i = 0; i < 10; i++) if (bytes[i] !== 0) return false
  return bytes[10] === 0xff && bytes[11] === 0xff
}
