import { DecodeError } from '../bytes/errors.ts'
import { addressLength, IpAddress, type IpVersion } from './address.ts'
import { AddressRange } from './range.ts'

/**
 * An address block whose members share their first `length` bits: 10.89.0.0/24, 2001:db8::/32 (RFC 4632, RFC 4291
 * §2.3).
 *
 * A prefix here never has bits set beyond its length. "10.89.0.7/24" may mean the network or the host in it,
 * and CONNECT-IP forbids it on the wire (RFC 9484 §4.7.1), so it is refused and not silently masked.
 */
export class IpPrefix {
  readonly address: IpAddress
  readonly length: number

  // The two parts that `containsBytes` compares: whole bytes, then the leading bits of one more byte.
  readonly #wholeBytes: number
  readonly #lastMask: number

  /** Throws DecodeError when `length` is too big for the address or bits beyond it are set. */
  constructor(address: IpAddress, length: number) {
    const maximum = addressLength(address.version) * 8
    if (!Number.isInteger(length) || length < 0 || length > maximum) {
      throw new DecodeError(`prefix length ${length} for ${address}; expected 0 to ${maximum}`)
    }
    this.address = address
    this.length = length
    this.#wholeBytes = length >> 3
    this.#lastMask = (0xff00 >> (length & 7)) & 0xff
    const masked = maskBytes(address.bytes, length)
    if (!masked.every((byte, i) => byte === address.bytes[i])) {
      throw new DecodeError(
        `${address}/${length} has bits set beyond the prefix; ` +
          `did you mean ${IpAddress.from(address.version, masked)}/${length} or ${address}/${maximum}?`,
      )
    }
  }

  /** Reads "10.89.0.0/24" or "2001:db8::/32"; without a length, the single address. Throws DecodeError. */
  static parse(text: string): IpPrefix {
    const slash = text.indexOf('/')
    if (slash === -1) return IpPrefix.single(IpAddress.parse(text))
    const length = text.slice(slash + 1)
    if (!/^(0|[1-9][0-9]{0,2})$/.test(length)) {
      throw new DecodeError(`"${length.slice(0, 20)}" is not a prefix length; expected a number as in 10.89.0.0/24`)
    }
    return new IpPrefix(IpAddress.parse(text.slice(0, slash)), Number(length))
  }

  /** The prefix that holds just this address: /32 or /128. */
  static single(address: IpAddress): IpPrefix {
    return new IpPrefix(address, addressLength(address.version) * 8)
  }

  /** The prefix of this length that the address is in: the host bits are cleared. */
  static containing(address: IpAddress, length: number): IpPrefix {
    return new IpPrefix(IpAddress.from(address.version, maskBytes(address.bytes, length)), length)
  }

  /** Every address of the version: 0.0.0.0/0 or ::/0. */
  static all(version: IpVersion): IpPrefix {
    return new IpPrefix(IpAddress.unspecified(version), 0)
  }

  get version(): IpVersion {
    return this.address.version
  }

  /** Is it one address only (/32, /128)? */
  get isSingle(): boolean {
    return this.length === this.address.bytes.length * 8
  }

  contains(address: IpAddress): boolean {
    return address.version === this.version && this.containsBytes(address.bytes, 0)
  }

  /**
   * Is the address at `bytes[offset…]` inside? For addresses inside a packet: allocates nothing.
   * The caller knows that the packet's IP version is the prefix's.
   */
  containsBytes(bytes: Uint8Array, offset: number): boolean {
    const own = this.address.bytes
    const whole = this.#wholeBytes
    for (let i = 0; i < whole; i++) if (bytes[offset + i] !== own[i]) return false
    return this.#lastMask === 0 || (bytes[offset + whole] & this.#lastMask) === own[whole]
  }

  containsPrefix(other: IpPrefix): boolean {
    return other.length >= this.length && this.contains(other.address)
  }

  /** From the first to the last address of the prefix. */
  toRange(): AddressRange {
    const last = Uint8Array.from(this.address.bytes)
    for (let i = 0; i < last.length; i++) last[i] |= 0xff >> Math.min(8, Math.max(0, this.length - i * 8))
    return new AddressRange(this.address, IpAddress.from(this.version, last))
  }

  equals(other: IpPrefix): boolean {
    return this.length === other.length && this.address.equals(other.address)
  }

  /** In JSON, and so in logs, an address is its text, made only when it is needed. */
  toJSON(): string {
    return this.toString()
  }

  /** "10.89.0.0/24". The length is always there, also for a single address. */
  toString(): string {
    return `${this.address}/${this.length}`
  }
}

/** A copy of the address with every bit after the first `length` cleared. */
function maskBytes(bytes: Uint8Array, length: number): Uint8Array {
  return bytes.map((byte, i) => byte & (0xff00 >> Math.min(8, Math.max(0, length - i * 8))))
}
