/**
 * Encodes field sections, RFC 9204 §4.5, with the static table and literals only.
 *
 *     0   1   2   3   4   5   6   7
 *   +---+---+---+---+---+---+---+---+
 *   |   Required Insert Count (8+)  |   0: no dynamic table entry is needed
 *   +---+---------------------------+
 *   | S |      Delta Base (7+)      |   0
 *   +---+---------------------------+
 *   |      Encoded Field Lines    ...
 *   +-------------------------------+
 *
 * A dynamic table would save bytes on the second request of a connection; a tunnel has one. Without it the encoder
 * has no state, needs no encoder stream, and cannot be probed for secrets (RFC 9204 §7.1).
 */
import { Writer } from '../../bytes/writer.ts'
import type { Header } from '../../http/header.ts'
import { encodeInteger } from './integer.ts'
import { staticLineIndex, staticNameIndex } from './static-table.ts'
import { encodeString } from './string-literal.ts'

/** RFC 9114 §4.2.2: each field line counts its name, its value and 32 bytes. */
export const FIELD_LINE_OVERHEAD = 32

/** Lines that no one on the way may put into a compression table: their values are secrets (RFC 9204 §7.1.3). */
const NEVER_INDEXED = new Set(['authorization', 'proxy-authorization', 'cookie', 'set-cookie'])

/** The size of a field section as SETTINGS_MAX_FIELD_SECTION_SIZE counts it, in bytes. */
export function fieldSectionSize(headers: readonly Header[]): number {
  let size = 0
  for (const [name, value] of headers) size += name.length + value.length + FIELD_LINE_OVERHEAD
  return size
}

/** Encodes a field section. Throws RangeError for characters that do not fit a byte. */
export function encodeFieldSection(headers: readonly Header[]): Uint8Array {
  const writer = new Writer(128)
  writer.u8(0).u8(0)
  for (const [name, value] of headers) encodeFieldLine(writer, name, value)
  return writer.finish()
}

function encodeFieldLine(writer: Writer, name: string, value: string): void {
  const neverIndexed = NEVER_INDEXED.has(name)
  const lineIndex = neverIndexed ? undefined : staticLineIndex(name, value)
  if (lineIndex !== undefined) {
    // Indexed Field Line, §4.5.2: 1 T index(6+), T = 1: static.
    encodeInteger(writer, 6, 0xc0, lineIndex)
    return
  }
  const nameIndex = staticNameIndex(name)
  if (nameIndex !== undefined) {
    // Literal Field Line with Name Reference, §4.5.4: 0 1 N T index(4+).
    encodeInteger(writer, 4, neverIndexed ? 0x70 : 0x50, nameIndex)
  } else {
    // Literal Field Line with Literal Name, §4.5.6: 0 0 1 N H length(3+).
    encodeString(writer, 3, neverIndexed ? 0x30 : 0x20, name)
  }
  encodeString(writer, 7, 0, value)
}
