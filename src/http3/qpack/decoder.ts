/**
 * Decodes field sections, RFC 9204 §4.5, for a dynamic table of capacity 0.
 *
 *   first bits    representation                                       here
 *   1 T           Indexed Field Line (§4.5.2)                          T = 1 only: static table
 *   0 1 N T       Literal Field Line with Name Reference (§4.5.4)      T = 1 only
 *   0 0 1 N H     Literal Field Line with Literal Name (§4.5.6)        yes
 *   0 0 0 1       Indexed Field Line with Post-Base Index (§4.5.3)     never: dynamic table
 *   0 0 0 0 N     Literal with Post-Base Name Reference (§4.5.5)       never: dynamic table
 *
 * We announce SETTINGS_QPACK_MAX_TABLE_CAPACITY = 0, so a peer that refers to the dynamic table refers to something
 * that cannot exist: QPACK_DECOMPRESSION_FAILED.
 */
import { DecodeError } from '../../bytes/errors.ts'
import { Reader } from '../../bytes/reader.ts'
import type { Header } from '../../http/header.ts'
import { H3ErrorCode } from '../error-codes.ts'
import { H3Error } from '../errors.ts'
import { FIELD_LINE_OVERHEAD } from './encoder.ts'
import { HUFFMAN_EXPANSION, StringTooLong } from './huffman.ts'
import { decodeInteger } from './integer.ts'
import { STATIC_TABLE } from './static-table.ts'
import { decodeString } from './string-literal.ts'

/**
 * Decodes one encoded field section.
 *
 * `maxSize`: the largest field section taken, in bytes, counted as RFC 9114 §4.2.2 says.
 * Throws H3Error: QPACK_DECOMPRESSION_FAILED (connection) when it cannot be decoded, H3_EXCESSIVE_LOAD (stream) when
 * it is larger than `maxSize`.
 */
export function decodeFieldSection(bytes: Uint8Array, maxSize: number): Header[] {
  try {
    return decodeLines(new Reader(bytes), maxSize)
  } catch (error) {
    if (error instanceof StringTooLong) throw fieldSectionTooLarge(maxSize)
    if (error instanceof H3Error || !(error instanceof DecodeError)) throw error
    throw failed(error.message)
  }
}

function decodeLines(reader: Reader, maxSize: number): Header[] {
  decodePrefix(reader)
  const headers: Header[] = []
  // What the lines that are still to come may have.
  let room = maxSize
  while (reader.remaining > 0) {
    room -= FIELD_LINE_OVERHEAD
    if (room < 0) throw fieldSectionTooLarge(maxSize)
    const line = decodeLine(reader, room)
    room -= line[0].length + line[1].length
    if (room < 0) throw fieldSectionTooLarge(maxSize)
    headers.push(line)
  }
  return headers
}

/**
 * How long a field section of `maxSize` bytes, counted as RFC 9114 §4.2.2 says, can be when it is encoded: a longer one need
 * not be read to its end.
 *
 * It may well be longer than `maxSize`. Nothing obliges a peer to leave a string uncoded when Huffman's code makes it longer,
 * nor to write an integer in as few bytes as can be. A line with literal name and value takes at most two lengths of ten
 * bytes, two bytes of padding and 30/8 of its characters, which is less than 30/8 of what it counts with its overhead of 32.
 * The prefix takes 1 byte and 10: its first integer is 0.
 */
export function maxEncodedLength(maxSize: number): number {
  return Math.ceil(maxSize * HUFFMAN_EXPANSION) + 11
}

/** The error for a field section that is larger than we announced to take. It ends the request, not the connection. */
export function fieldSectionTooLarge(maxSize: number): H3Error {
  return new H3Error(
    H3ErrorCode.H3_EXCESSIVE_LOAD,
    `the field section is larger than the ${maxSize} bytes that SETTINGS_MAX_FIELD_SECTION_SIZE allows`,
    'stream',
  )
}

function decodePrefix(reader: Reader): void {
  const requiredInsertCount = decodeInteger(reader, 8, reader.u8())
  if (requiredInsertCount !== 0) throw failed('the field section needs the dynamic table, whose capacity is 0')
  const signAndDelta = reader.u8()
  decodeInteger(reader, 7, signAndDelta)
  // The Base is of no use without a dynamic table, but a negative one is an error (§4.5.1.2).
  if (signAndDelta >= 0x80) throw failed('the field section has a negative Base')
}

/** `room`: how many characters name and value may have together. */
function decodeLine(reader: Reader, room: number): Header {
  const first = reader.u8()
  if (first >= 0x80) {
    if ((first & 0x40) === 0) throw dynamicReference()
    return staticEntry(decodeInteger(reader, 6, first))
  }
  if (first >= 0x40) {
    if ((first & 0x10) === 0) throw dynamicReference()
    const name = staticEntry(decodeInteger(reader, 4, first))[0]
    return [name, decodeString(reader, 7, reader.u8(), Math.max(0, room - name.length))]
  }
  if (first >= 0x20) {
    const name = decodeString(reader, 3, first, room)
    return [name, decodeString(reader, 7, reader.u8(), Math.max(0, room - name.length))]
  }
  throw dynamicReference()
}

function staticEntry(index: number): Header {
  const entry = STATIC_TABLE[index]
  if (entry === undefined) throw failed(`index ${index} is beyond the static table, which ends at 98`)
  return entry
}

function dynamicReference(): H3Error {
  return failed('a field line refers to the dynamic table, whose capacity is 0')
}

function failed(reason: string): H3Error {
  return new H3Error(H3ErrorCode.QPACK_DECOMPRESSION_FAILED, `QPACK: ${reason}`)
}
