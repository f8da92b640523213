/**
 * Given: there is nothing to do in this file. You write strings without Huffman code; a peer may send them with it.
 *
 * The code of RFC 7541 Appendix B is canonical: codes of one length are consecutive numbers, in the order of their symbols,
 * and the first code of a length follows from the last one of the length before. So the lengths are the whole table.
 */
import { MalformedError } from './errors.ts'

const END_OF_STRING = 256

/** Symbols by the length of their code: printable ones as text, others by number or as [first, last]. */
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
  [30, '', [10, 13, 22, END_OF_STRING]],
]

/** "101101" → symbol, for all codes. */
const SYMBOL_OF = new Map<string, number>()
let code = 0
let lengthBefore = 0
for (const [length, printable, others] of SYMBOLS_BY_LENGTH) {
  const symbols = [...printable].map(character => character.charCodeAt(0))
  for (const other of others) {
    const [first, last] = typeof other === 'number' ? [other, other] : other
    for (let symbol = first; symbol <= last; symbol++) symbols.push(symbol)
  }
  code <<= length - lengthBefore
  lengthBefore = length
  for (const symbol of symbols.sort((a, b) => a - b)) SYMBOL_OF.set((code++).toString(2).padStart(length, '0'), symbol)
}

/** Decodes a Huffman-coded string. Throws MalformedError when it is none. */
export function decodeHuffman(bytes: Uint8Array): Uint8Array {
  const decoded: number[] = []
  let bits = ''
  for (const byte of bytes) {
    for (const bit of byte.toString(2).padStart(8, '0')) {
      bits += bit
      const symbol = SYMBOL_OF.get(bits)
      if (symbol === undefined) continue
      if (symbol === END_OF_STRING) throw new MalformedError('a Huffman-coded string contains the end-of-string symbol')
      decoded.push(symbol)
      bits = ''
    }
  }
  // The last byte is filled up with ones: the beginning of the end-of-string symbol.
  if (bits.length > 7 || bits.includes('0')) throw new MalformedError('a Huffman-coded string ends inside a code')
  return Uint8Array.from(decoded)
}
