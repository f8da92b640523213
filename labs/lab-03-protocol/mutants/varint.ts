/** Wrong solutions of `varint`. */
import { mutants } from '../../kit/grading/mutants.ts'

export default mutants('varint.ts', {
  'all-bits-used': {
    misconception: 'counts 8, 16, 32, 64 bits as usable',
    says: '6, 14, 30, 62 bits',
    edits: [['if (value < 1n << 14n) return 2', 'if (value < 1n << 16n) return 2']],
  },
  'length-bits-not-masked': {
    misconception: 'the two length bits are read as part of the number',
    says: 'have to be masked out',
    edits: [['let value = BigInt(bytes[offset] & 0x3f)', 'let value = BigInt(bytes[offset])']],
  },
  'length-not-a-power': {
    misconception: 'the two length bits are taken for the length minus one',
    says: '(1 << bits)',
    edits: [['const length = 1 << (bytes[offset] >> 6)', 'const length = (bytes[offset] >> 6) + 1']],
  },
  'little-endian': {
    misconception: 'the bytes are written and read in little-endian order',
    says: 'little-endian order',
    edits: [
      [
        `let value = BigInt(bytes[offset] & 0x3f)
        for (let at = offset + 1; at < offset + length; at++) value = (value << 8n) | BigInt(bytes[at])`,
        `let value = 0n
        for (let at = offset + length - 1; at > offset; at--) value = (value << 8n) | BigInt(bytes[at])
        value = (value << 8n) | BigInt(bytes[offset] & 0x3f)`,
      ],
    ],
  },
  'no-bound-check': {
    misconception: 'reads on beyond the end of the bytes',
    says: 'beyond the end of an array',
    edits: [
      ['if (offset + length > bytes.length) return undefined', ''],
      ['BigInt(bytes[at])', 'BigInt(bytes[at] ?? 0)'],
    ],
  },
  'no-upper-limit': {
    misconception: 'numbers of more than 62 bits are cut off silently',
    says: 'does not fit 62 bits',
    edits: [['0n || value > MAX_VARINT', '0n']],
  },
  'offset-ignored': {
    misconception: 'reads the first byte of the array for the length',
    says: 'begins at bytes[offset]',
    edits: [
      [
        'const length = 1 << (bytes[offset] >> 6)',
        `  return decodeAt(bytes)
        }
        function decodeAt(bytes: Uint8Array): { value: bigint; length: number } | undefined {
          const offset = 0
          const length = 1 << (bytes[offset] >> 6)`,
      ],
    ],
  },
  'prefix-missing': {
    misconception: 'the length bits are not written',
    says: 'nobody knows how long',
    edits: [['bytes[0] |= PREFIX[length]', '']],
  },
  'step-off-by-one': {
    misconception: '64 is written in one byte, where its upper bit would fall into the length',
    says: '6, 14, 30, 62 bits',
    edits: [['if (value < 1n << 6n) return 1', 'if (value <= 1n << 6n) return 1']],
  },
  'thirty-two-bits': {
    misconception: 'calculates with 32-bit operators',
    says: 'work on 32 bits only',
    edits: [
      ['let value = BigInt(bytes[offset] & 0x3f)', 'let value = bytes[offset] & 0x3f'],
      ['(value << 8n) | BigInt(bytes[at])', '(value << 8) | bytes[at]'],
      ['return { value, length }', 'return { value: BigInt(value), length }'],
    ],
  },
  'buffer-from-its-beginning': {
    misconception: 'reads from the beginning of the buffer behind the bytes',
    says: 'byteOffset',
    edits: [
      [
        `let value = BigInt(bytes[offset] & 0x3f)
  for (let at = offset + 1; at < offset + length; at++) value = (value << 8n) | BigInt(bytes[at])`,
        `const view = new DataView(bytes.buffer)
  let value = BigInt(view.getUint8(offset) & 0x3f)
  for (let at = offset + 1; at < offset + length; at++) value = (value << 8n) | BigInt(view.getUint8(at))`,
      ],
    ],
  },
  'one-output': {
    misconception: 'writes every number into the same array',
    says: 'finds the second result',
    edits: [
      ['const bytes = new Uint8Array(length)', 'const bytes = shared.subarray(0, length)'],
      [
        '/** The upper bits of the first byte, by length. */',
        `const shared = new Uint8Array(8)

/** The upper bits of the first byte, by length. */`,
      ],
    ],
  },
  'throws-when-cut': {
    misconception: 'an incomplete varint is an error',
    says: 'and no error',
    edits: [
      [
        'if (offset + length > bytes.length) return undefined',
        "if (offset + length > bytes.length) throw new MalformedError('cut short')",
      ],
    ],
  },
  'through-a-double': {
    misconception: 'the number goes through a JavaScript number',
    says: 'exact up to 53',
    edits: [['return { value, length }', 'return { value: BigInt(Number(value)), length }']],
  },
  'one-width-little-endian': {
    misconception: 'numbers of four bytes are read in little-endian order',
    says: 'little-endian order',
    edits: [
      [
        'return { value, length }',
        `if (length === 4) value = BigInt(new DataView(bytes.buffer, bytes.byteOffset).getUint32(offset, true) & 0x3fffffff)
  return { value, length }`,
      ],
    ],
  },
})
