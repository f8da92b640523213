/**
 * String literals, RFC 9204 §4.1.2.
 *
 *     0   1   2   3   4   5   6   7
 *   +---+---------------------------+
 *   | H |     Value Length (7+)     |   H = 1: Huffman-coded
 *   +---+---------------------------+
 *   |  Value String (Length bytes)  |
 *   +-------------------------------+
 *
 * Names begin in the middle of a byte and have a shorter length prefix; the rest is the same.
 *
 * Field names and values are bytes, mostly ASCII. In strings here each character is one byte (0 to 255), so
 * nothing is lost in either direction, whatever a peer sends.
 */
import type { Reader } from '../../bytes/reader.ts'
import type { Writer } from '../../bytes/writer.ts'
import { huffmanDecode, huffmanEncode, huffmanLength, StringTooLong } from './huffman.ts'
import { decodeInteger, encodeInteger } from './integer.ts'

/** Writes a string; the length has a `prefixBits`-bit prefix, the H bit is before it, `firstBits` before that. */
export function encodeString(writer: Writer, prefixBits: number, firstBits: number, text: string): void {
  const plain = toBytes(text)
  const useHuffman = huffmanLength(plain) < plain.length
  const bytes = useHuffman ? huffmanEncode(plain) : plain
  const huffmanBit = useHuffman ? 1 << prefixBits : 0
  encodeInteger(writer, prefixBits, firstBits | huffmanBit, bytes.length)
  writer.bytes(bytes)
}

/**
 * Reads a string whose first byte was read already, and whose characters are at most `maxLength`. Throws StringTooLong when
 * there are more, before they take any memory, and DecodeError when they cannot be decoded.
 */
export function decodeString(reader: Reader, prefixBits: number, firstByte: number, maxLength: number): string {
  const length = decodeInteger(reader, prefixBits, firstByte)
  const bytes = reader.take(length)
  if ((firstByte & (1 << prefixBits)) !== 0) return toText(huffmanDecode(bytes, maxLength))
  if (length > maxLength) throw new StringTooLong(`a string of ${length} bytes; at most ${maxLength} are taken`)
  return toText(bytes)
}

function toBytes(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length)
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code > 0xff) {
      throw new RangeError(`a field may not contain '${text[i]}': encode it as UTF-8 bytes or with percent signs`)
    }
    bytes[i] = code
  }
  return bytes
}

function toText(bytes: Uint8Array): string {
  let text = ''
  for (let i = 0; i < bytes.length; i++) text += String.fromCharCode(bytes[i])
  return text
}
