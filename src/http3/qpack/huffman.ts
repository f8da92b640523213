/**
 * The Huffman code of RFC 7541 Appendix B, which QPACK uses unchanged (RFC 9204 §4.1.2).
 *
 * The code is canonical: codes of the same length are consecutive numbers in the order of their symbols, and the
 * first code of a length follows from the last code of the length before. So the lengths below are the whole table.
 *
 *   symbol  code as bits   length
 *    '0'     00000            5      the shortest codes, for the commonest characters
 *    '1'     00001            5
 *    ...
 *    't'     01001            5
 *    ' '     010100           6      (01001 + 1) and one bit more
 *
 * A string is padded to a whole byte with the first bits of EOS, which are all ones.
 */
import { DecodeError } from '../../bytes/errors.ts'

/** Ends no string, it is only padding; in a string it is an error. */
const EOS = 256

/** Which symbols have codes of which length: printable ones as text, others by number or as [first, last]. */
const SYMBOLS_BY_LENGTH: [bits: number, printable: string, others: (number | [number, number])[]][] = [
  [5, '012aceiost', []],
  [6, ' %-./3456789=A_bdfghlmnpru', []],
  [7, ':BCDEFGHIJKLMNOPQRSTUVWYjkqvwxyz', []],
  [8, '&*,;XZ', []],
  [10, '!"()?', []],
  [11, "'+|", []],
  [12, '#>', []],
  [13, '$@[]~', [0]],
  [14, '^}', []],
  [15, '<`{', []],
  [19, '\\', [195, 208]],
  [20, '', [128, [130, 131], 162, 184, 194, 224, 226]],
  [21, '', [153, 161, 167, 172, [176, 177], 179, 209, [216, 217], 227, [229, 230]]],
  // biome-ignore format: one length, one line or two
  [22, '', [129, [132, 134], 136, 146, 154, 156, 160, [163, 164], [169, 170], 173, 178, 181, [185, 187],
    [189, 190], 196, 198, 228, [232, 233]]],
  // biome-ignore format: one length, one line or two
  [23, '', [1, 135, [137, 141], 143, 147, [149, 152], 155, [157, 158], [165, 166], 168, [174, 175], 180,
    [182, 183], 188, 191, 197, 231, 239]],
  [24, '', [9, 142, [144, 145], 148, 159, 171, 206, 215, 225, [236, 237]]],
  [25, '', [199, 207, [234, 235]]],
  [26, '', [[192, 193], [200, 202], 205, 210, 213, [218, 219], 238, 240, [242, 243], 255]],
  [27, '', [[203, 204], [211, 212], 214, [221, 223], 241, [244, 248], [250, 254]]],
  [28, '', [[2, 8], [11, 12], [14, 21], [23, 31], 127, 220, 249]],
  [30, '', [10, 13, 22, EOS]],
]

const MAX_BITS = 30

/** By symbol: the code, and its length in bits. */
const CODE = new Uint32Array(257)
const BITS = new Uint8Array(257)
/** By length in bits: the first code, how many codes there are, and where their symbols begin in SYMBOLS. */
const FIRST_CODE = new Uint32Array(MAX_BITS + 1)
const CODE_COUNT = new Uint32Array(MAX_BITS + 1)
const FIRST_SYMBOL = new Uint32Array(MAX_BITS + 1)
/** All symbols in the order of their codes. */
const SYMBOLS: number[] = []

buildTables()

function buildTables(): void {
  let code = 0
  let previousBits = 0
  for (const [bits, printable, others] of SYMBOLS_BY_LENGTH) {
    const symbols = [...printable].map(character => character.charCodeAt(0))
    for (const other of others) {
      const [first, last] = typeof other === 'number' ? [other, other] : other
      for (let symbol = first; symbol <= last; symbol++) symbols.push(symbol)
    }
    symbols.sort((a, b) => a - b)
    code <<= bits - previousBits
    previousBits = bits
    FIRST_CODE[bits] = code
    CODE_COUNT[bits] = symbols.length
    FIRST_SYMBOL[bits] = SYMBOLS.length
    for (const symbol of symbols) {
      CODE[symbol] = code++
      BITS[symbol] = bits
      SYMBOLS.push(symbol)
    }
  }
}

/** How many bytes `bytes` take when Huffman-coded, with padding. */
export function huffmanLength(bytes: Uint8Array): number {
  let bits = 0
  for (let i = 0; i < bytes.length; i++) bits += BITS[bytes[i]]
  return Math.ceil(bits / 8)
}

/** Huffman-codes `bytes`. */
export function huffmanEncode(bytes: Uint8Array): Uint8Array {
  const out = new Uint8Array(huffmanLength(bytes))
  let bitOffset = 0
  for (let i = 0; i < bytes.length; i++) {
    const code = CODE[bytes[i]]
    let left = BITS[bytes[i]]
    while (left > 0) {
      const free = 8 - (bitOffset & 7)
      const take = Math.min(free, left)
      const piece = (code >>> (left - take)) & ((1 << take) - 1)
      out[bitOffset >> 3] |= piece << (free - take)
      bitOffset += take
      left -= take
    }
  }
  // Padding: ones up to the end of the byte.
  if ((bitOffset & 7) !== 0) out[bitOffset >> 3] |= 0xff >> (bitOffset & 7)
  return out
}

/** The longest code has 30 bits, the shortest 5: a coded string is at most 30/8 as long as what it stands for. */
export const HUFFMAN_EXPANSION = 30 / 8

/** A string is longer than whoever decodes it takes. It may be correct. */
export class StringTooLong extends DecodeError {
  override name = 'StringTooLong'
}

/**
 * Decodes a Huffman-coded string of at most `maxLength` bytes; in length the result is between 8/30 and 8/5 of the input.
 * Throws StringTooLong as soon as it is longer, and DecodeError for EOS inside the string and for padding that is not all
 * ones or is a whole byte or more.
 */
export function huffmanDecode(bytes: Uint8Array, maxLength = Number.POSITIVE_INFINITY): Uint8Array {
  const out = new Uint8Array(Math.min(Math.floor((bytes.length * 8) / 5), maxLength))
  let length = 0
  let code = 0
  let bits = 0
  for (let i = 0; i < bytes.length; i++) {
    for (let bit = 7; bit >= 0; bit--) {
      code = (code << 1) | ((bytes[i] >> bit) & 1)
      bits++
      // In a canonical code the beginnings of longer codes come after the last code of each length.
      const position = code - FIRST_CODE[bits]
      if (position >= CODE_COUNT[bits]) continue
      const symbol = SYMBOLS[FIRST_SYMBOL[bits] + position]
      if (symbol === EOS) throw new DecodeError('a Huffman-coded string contains EOS')
      if (length === maxLength) throw new StringTooLong(`a string is longer than ${maxLength} bytes`)
      out[length++] = symbol
      code = 0
      bits = 0
    }
  }
  if (bits > 7) throw new DecodeError('a Huffman-coded string ends inside a code')
  if (code !== (1 << bits) - 1) throw new DecodeError('the padding of a Huffman-coded string is not all ones')
  return out.subarray(0, length)
}
