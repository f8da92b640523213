/**
 * Reads DER, ITU-T X.690: every value is tag, length, content. What BER would allow besides is refused.
 */
import { DecodeError } from '../../bytes/errors.ts'
import { Reader } from '../../bytes/reader.ts'

/** Universal tags of what certificates are made of; the class bits are part of the number. */
export const Tag = {
  BOOLEAN: 0x01,
  INTEGER: 0x02,
  BIT_STRING: 0x03,
  OCTET_STRING: 0x04,
  OBJECT_IDENTIFIER: 0x06,
  UTC_TIME: 0x17,
  GENERALIZED_TIME: 0x18,
  SEQUENCE: 0x30,
} as const

/** The tag of a field that ASN.1 writes as `[number]`. */
export function contextTag(number: number, constructed: boolean): number {
  return 0x80 | (constructed ? 0x20 : 0) | number
}

export class DerReader {
  readonly #reader: Reader

  constructor(bytes: Uint8Array) {
    this.#reader = new Reader(bytes)
  }

  get atEnd(): boolean {
    return this.#reader.remaining === 0
  }

  /** Whether the next value is one of this tag. */
  has(tag: number): boolean {
    return !this.atEnd && this.#reader.bytes[this.#reader.offset] === tag
  }

  /** The content of the next value, which must be of this tag. */
  take(tag: number): Uint8Array {
    const found = this.#reader.u8()
    if (found !== tag) throw new DecodeError(`DER: tag 0x${found.toString(16)}, not 0x${tag.toString(16)}`)
    return this.#reader.take(this.#length())
  }

  /** The same with its tag and length. */
  takeWhole(tag: number): Uint8Array {
    const start = this.#reader.offset
    this.take(tag)
    return this.#reader.bytes.subarray(start, this.#reader.offset)
  }

  /** The content if the next value is of this tag: a field that may be left out. */
  takeIf(tag: number): Uint8Array | undefined {
    return this.has(tag) ? this.take(tag) : undefined
  }

  /** Whatever it is. */
  takeAny(): { tag: number; content: Uint8Array } {
    const tag = this.#reader.u8()
    if ((tag & 0x1f) === 0x1f) throw new DecodeError('DER: a tag of several bytes')
    return { tag, content: this.#reader.take(this.#length()) }
  }

  sequence(): DerReader {
    return new DerReader(this.take(Tag.SEQUENCE))
  }

  expectEnd(): void {
    if (!this.atEnd) throw new DecodeError('DER: something follows where nothing may')
  }

  /** One byte below 128, else a byte that counts the length bytes (§8.1.3), in the shortest form (§10.1). */
  #length(): number {
    const first = this.#reader.u8()
    if (first < 0x80) return first
    const count = first & 0x7f
    if (count === 0 || count > 3) throw new DecodeError('DER: a length that is indefinite, or too large')
    let length = 0
    for (let i = 0; i < count; i++) length = (length << 8) | this.#reader.u8()
    if (length < 0x80 || length < 2 ** (8 * (count - 1))) throw new DecodeError('DER: a length that is too long')
    return length
  }
}

/** In dotted form: the first two arcs share a number, each number is base 128 (§8.19). */
export function objectIdentifier(content: Uint8Array): string {
  const numbers: number[] = []
  let number = 0
  for (const byte of content) {
    number = number * 128 + (byte & 0x7f)
    if (number > Number.MAX_SAFE_INTEGER) throw new DecodeError('DER: an object identifier with a number above 2^53')
    if ((byte & 0x80) !== 0) continue
    numbers.push(number)
    number = 0
  }
  const first = numbers[0]
  if (first === undefined || (content.at(-1)! & 0x80) !== 0) throw new DecodeError('DER: no object identifier')
  const top = Math.min(2, Math.floor(first / 40))
  return [top, first - 40 * top, ...numbers.slice(1)].join('.')
}

/** 0xff or 0 (§11.1). */
export function boolean(content: Uint8Array): boolean {
  if (content.length !== 1 || (content[0] !== 0 && content[0] !== 0xff)) throw new DecodeError('DER: no boolean')
  return content[0] === 0xff
}

/** One that is not negative, and at most 2^31 - 1. */
export function smallInteger(content: Uint8Array): number {
  if (content.length === 0 || content.length > 4 || content[0] >= 0x80) throw new DecodeError('DER: no small integer')
  return content.reduce((value, byte) => value * 256 + byte, 0)
}

/** Named bits as a number: bit 0, the first one, is 1, bit 1 is 2, and so on. Those after the 16th are left out. */
export function namedBits(content: Uint8Array): number {
  if (content.length === 0 || content[0] > 7 || (content.length === 1 && content[0] > 0)) {
    throw new DecodeError('DER: no bit string')
  }
  let bits = 0
  for (let i = 0; i < 16 && i < 8 * (content.length - 1); i++) {
    if ((content[1 + (i >> 3)] & (0x80 >> (i & 7))) !== 0) bits |= 1 << i
  }
  return bits
}

/** In ms since 1970. Two-digit years are 1950 to 2049; seconds are there, and the zone is Z (RFC 5280 §4.1.2.5). */
export function time(tag: number, content: Uint8Array): number {
  let text = new TextDecoder('latin1').decode(content)
  if (tag === Tag.UTC_TIME) text = (Number(text.slice(0, 2)) < 50 ? '20' : '19') + text
  const match = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/.exec(text)
  if ((tag !== Tag.UTC_TIME && tag !== Tag.GENERALIZED_TIME) || match === null) throw new DecodeError('DER: no time')
  const [year, month, day, hour, minute, second] = match.slice(1).map(Number)
  const ms = Date.UTC(year, month - 1, day, hour, minute, second)
  // Dates that there are not, such as the 31st of February, come out as others.
  if (new Date(ms).toISOString().slice(0, 19).replace(/\D/g, '') !== text.slice(0, 14))
    throw new DecodeError('DER: no time')
  return ms
}
