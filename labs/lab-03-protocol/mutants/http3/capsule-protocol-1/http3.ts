// mutant: Capsule-Protocol is written as 1; expect: true is written ?1
/**
 * Task 5: HTTP/3 before the tunnel: SETTINGS (RFC 9114 §7.2.4) and the header section of an Extended CONNECT request
 * (RFC 9220), in QPACK (RFC 9204).
 *
 *   Frame {                 Setting {
 *     Type (i),               Identifier (i),
 *     Length (i),             Value (i),
 *     Payload (..),         }
 *   }
 */
import { concat } from './bytes.ts'
import { MalformedError } from './errors.ts'
import { decodeHuffman } from './huffman.ts'
import { STATIC_TABLE } from './static-table.ts'
import { decodeVarint, encodeVarint } from './varint.ts'

export const FrameType = { DATA: 0x00n, HEADERS: 0x01n, SETTINGS: 0x04n } as const

export const SettingId = { ENABLE_CONNECT_PROTOCOL: 0x08n, H3_DATAGRAM: 0x33n } as const

/** What HTTP/2 used these for has no place in HTTP/3 (RFC 9114 §7.2.4.1, §11.2.2). */
const FORBIDDEN_SETTINGS: readonly bigint[] = [0x00n, 0x02n, 0x03n, 0x04n, 0x05n]
const BOOLEAN_SETTINGS: readonly bigint[] = Object.values(SettingId)

const CONTROL_STREAM = 0x00n

export type Header = [name: string, value: string]

/** A frame as bytes for a stream. */
export function encodeFrame(type: bigint, payload: Uint8Array): Uint8Array {
  return concat(encodeVarint(type), encodeVarint(BigInt(payload.length)), payload)
}

/** All that the client writes to its control stream. */
export function controlStream(): Uint8Array {
  const settings = concat(encodeVarint(SettingId.H3_DATAGRAM), encodeVarint(1n))
  return concat(encodeVarint(CONTROL_STREAM), encodeFrame(FrameType.SETTINGS, settings))
}

/** Reads the payload of a SETTINGS frame: identifiers and values as they come. Throws MalformedError. */
export function decodeSettings(payload: Uint8Array): [id: bigint, value: bigint][] {
  const settings: [bigint, bigint][] = []
  let at = 0
  while (at < payload.length) {
    const id = decodeVarint(payload, at)
    const value = id && decodeVarint(payload, at + id.length)
    if (id === undefined || value === undefined) throw new MalformedError('SETTINGS ends inside a setting')
    if (settings.some(([other]) => other === id.value)) throw new MalformedError(`setting ${id.value} occurs twice`)
    checkSetting(id.value, value.value)
    settings.push([id.value, value.value])
    at += id.length + value.length
  }
  return settings
}

function checkSetting(id: bigint, value: bigint): void {
  if (FORBIDDEN_SETTINGS.includes(id)) throw new MalformedError(`setting ${id} belongs to HTTP/2`)
  if (BOOLEAN_SETTINGS.includes(id) && value > 1n) throw new MalformedError(`setting ${id} is ${value}, not 0 or 1`)
}

/** What an Extended CONNECT for CONNECT-IP consists of, RFC 9484 §4.4. */
export function connectIpRequest(authority: string, path: string): Header[] {
  return [
    [':method', 'CONNECT'],
    [':protocol', 'connect-ip'],
    [':scheme', 'https'],
    [':authority', authority],
    [':path', path],
    ['capsule-protocol', '1'],
  ]
}

// QPACK ---------------------------------------------------------------------------------------------------------------

/** The bits before the prefix, RFC 9204 §4.5.2, §4.5.4, §4.5.6: static table, never-indexed and Huffman bits included. */
const INDEXED_STATIC = 0b1100_0000
const NAME_REFERENCE_STATIC = 0b0101_0000
const LITERAL_NAME = 0b0010_0000

/** An integer with an N-bit prefix, RFC 7541 §5.1. */
export function encodeInteger(value: number, prefixBits: number, firstBits: number): Uint8Array {
  const full = 2 ** prefixBits - 1
  if (value < full) return Uint8Array.of(firstBits | value)
  const bytes = [firstBits | full]
  let rest = value - full
  while (rest >= 0x80) {
    bytes.push(0x80 | (rest & 0x7f))
    rest = Math.floor(rest / 0x80)
  }
  bytes.push(rest)
  return Uint8Array.from(bytes)
}

/** An encoded field section, RFC 9204 §4.5, each line in the shortest form. */
export function encodeHeaders(headers: readonly Header[]): Uint8Array {
  const noDynamicTable = Uint8Array.of(0, 0)
  return concat(noDynamicTable, ...headers.map(encodeLine))
}

function encodeLine([name, value]: Header): Uint8Array {
  const lineIndex = STATIC_TABLE.findIndex(entry => entry[0] === name && entry[1] === value)
  if (lineIndex >= 0) return encodeInteger(lineIndex, 6, INDEXED_STATIC)
  const nameIndex = STATIC_TABLE.findIndex(entry => entry[0] === name)
  const encodedName =
    nameIndex >= 0 ? encodeInteger(nameIndex, 4, NAME_REFERENCE_STATIC) : encodeString(name, 3, LITERAL_NAME)
  return concat(encodedName, encodeString(value, 7, 0))
}

function encodeString(text: string, prefixBits: number, firstBits: number): Uint8Array {
  const bytes = new TextEncoder().encode(text)
  return concat(encodeInteger(bytes.length, prefixBits, firstBits), bytes)
}

/** Reads an encoded field section. Throws MalformedError. */
export function decodeHeaders(section: Uint8Array): Header[] {
  if (section.length < 2) throw new MalformedError('a field section without its two first bytes')
  if (section[0] !== 0) throw new MalformedError('the field section needs the dynamic table')
  const reader = new SectionReader(section, 2)
  const headers: Header[] = []
  while (!reader.atEnd) headers.push(decodeLine(reader))
  return headers
}

function decodeLine(reader: SectionReader): Header {
  const first = reader.peek()
  if (first & 0b1000_0000) {
    if (!(first & 0b0100_0000)) throw new MalformedError('an entry of the dynamic table')
    const [name, value] = staticEntry(reader.integer(6))
    return [name, value]
  }
  if (first & 0b0100_0000) {
    if (!(first & 0b0001_0000)) throw new MalformedError('a name of the dynamic table')
    const [name] = staticEntry(reader.integer(4))
    return [name, reader.string(7)]
  }
  if (first & 0b0010_0000) return [reader.string(3), reader.string(7)]
  throw new MalformedError('an entry of the dynamic table, counted from the base')
}

function staticEntry(index: number): readonly [string, string] {
  const entry = STATIC_TABLE[index]
  if (entry === undefined) throw new MalformedError(`the static table has no entry ${index}`)
  return entry
}

/** Nothing in a field section is longer than this; more continuation bytes would only overflow. */
const LARGEST_INTEGER = 2 ** 32

class SectionReader {
  readonly #bytes: Uint8Array
  #at: number

  constructor(bytes: Uint8Array, at: number) {
    this.#bytes = bytes
    this.#at = at
  }

  get atEnd(): boolean {
    return this.#at === this.#bytes.length
  }

  peek(): number {
    if (this.atEnd) throw new MalformedError('the field section ends inside a line')
    return this.#bytes[this.#at]
  }

  integer(prefixBits: number): number {
    const full = 2 ** prefixBits - 1
    let value = this.#byte() & full
    if (value < full) return value
    for (let scale = 1; value < LARGEST_INTEGER; scale *= 0x80) {
      const byte = this.#byte()
      value += (byte & 0x7f) * scale
      if (byte < 0x80) return value
    }
    throw new MalformedError('an integer that is too large')
  }

  /** The Huffman bit stands directly before the prefix of the length. */
  string(prefixBits: number): string {
    const isHuffman = (this.peek() & (1 << prefixBits)) !== 0
    const length = this.integer(prefixBits)
    const end = this.#at + length
    if (end > this.#bytes.length) throw new MalformedError('the field section ends inside a string')
    const bytes = this.#bytes.subarray(this.#at, end)
    this.#at = end
    return new TextDecoder().decode(isHuffman ? decodeHuffman(bytes) : bytes)
  }

  #byte(): number {
    const byte = this.peek()
    this.#at++
    return byte
  }
}
