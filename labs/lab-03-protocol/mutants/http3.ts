/** Wrong solutions of `http3`. */
import { mutants } from '../../kit/grading/mutants.ts'

export default mutants('http3.ts', {
  'capsule-protocol-1': {
    misconception: 'Capsule-Protocol is written as 1',
    says: 'true is written ?1',
    edits: [["['capsule-protocol', '?1'],", "['capsule-protocol', '1'],"]],
  },
  'connect-udp': {
    misconception: 'asks for the wrong protocol',
    says: 'here connect-ip',
    edits: [["[':protocol', 'connect-ip'],", "[':protocol', 'connect-udp'],"]],
  },
  'decimal-setting': {
    misconception: 'the identifier of H3_DATAGRAM is written as 33',
    says: '0x33 is hexadecimal',
    edits: [['H3_DATAGRAM: 0x33n', 'H3_DATAGRAM: 33n']],
  },
  'draft-setting': {
    misconception: 'the identifier of H3_DATAGRAM is that of a draft',
    says: 'that of a draft',
    edits: [['H3_DATAGRAM: 0x33n', 'H3_DATAGRAM: 0xffd277n']],
  },
  'dynamic-table-bit': {
    misconception: 'the bit T is written as 0',
    says: '1 is the static one',
    edits: [
      ['const INDEXED_STATIC = 0b1100_0000', 'const INDEXED_STATIC = 0b1000_0000'],
      ['const NAME_REFERENCE_STATIC = 0b0101_0000', 'const NAME_REFERENCE_STATIC = 0b0100_0000'],
    ],
  },
  'http2-settings': {
    misconception: 'settings of HTTP/2 are accepted',
    says: 'identifiers of HTTP/2',
    edits: [['if (FORBIDDEN_SETTINGS.includes(id)) throw new MalformedError(`setting ${id} belongs to HTTP/2`)', '']],
  },
  'ids-as-numbers': {
    misconception: 'identifiers are compared as numbers of 53 bits',
    says: 'two different identifiers may be the same',
    edits: [['([other]) => other === id.value', '([other]) => Number(other) === Number(id.value)']],
  },
  'index-unchecked': {
    misconception: 'an index beyond the table is looked up',
    says: 'is an accident, not a check',
    edits: [['if (entry === undefined) throw new MalformedError(`the static table has no entry ${index}`)', '']],
  },
  'name-with-seven-bits': {
    misconception: 'the length of a name is written with a 7-bit prefix',
    says: 'with a 3-bit prefix',
    edits: [['3, LITERAL_NAME', '7, LITERAL_NAME']],
  },
  'never-indexed-literal': {
    misconception: 'no use is made of the names in the static table',
    says: 'The name is in the static table',
    edits: [['nameIndex >= 0', 'nameIndex > 1000']],
  },
  'no-bound-check': {
    misconception: 'a string is taken as long as it is claimed to be',
    says: 'Is the string all there',
    edits: [
      ["if (end > this.#bytes.length) throw new MalformedError('the field section ends inside a string')", ''],
      ['this.#at = end', 'this.#at = Math.min(end, this.#bytes.length)'],
    ],
  },
  'prefix-not-subtracted': {
    misconception: 'after a full prefix the whole value follows',
    says: 'not the whole value again',
    edits: [['let rest = value - full', 'let rest = value']],
  },
  'prefix-off-by-one': {
    misconception: '2^N - 1 itself is written into the prefix',
    says: 'Only values below 2^N - 1 fit',
    edits: [['(value < full) return Uint8Array', '(value <= full) return Uint8Array']],
  },
  'settings-twice': {
    misconception: 'a setting may occur twice',
    says: 'must not occur twice',
    edits: [
      [
        'if (settings.some(([other]) => other === id.value)) throw new MalformedError(`setting ${id.value} occurs twice`)',
        '',
      ],
    ],
  },
  'stream-type-missing': {
    misconception: 'the control stream begins with the frame',
    says: 'begins with its type',
    edits: [
      [
        'concat(encodeVarint(CONTROL_STREAM), encodeFrame(FrameType.SETTINGS, settings))',
        'encodeFrame(FrameType.SETTINGS, settings)',
      ],
    ],
  },
  'table-from-one': {
    misconception: 'the static table is counted from 1, as in HTTP/2',
    says: 'counts from 0',
    edits: [
      ['lineIndex,', 'lineIndex + 1,'],
      ['nameIndex,', 'nameIndex + 1,'],
    ],
  },
  'two-bytes-missing': {
    misconception: 'the two bytes before the field lines are missing',
    says: 'both 0 without a dynamic table',
    edits: [
      [
        `const noDynamicTable = Uint8Array.of(0, 0)
        return concat(noDynamicTable, ...headers.map(encodeLine))`,
        'return concat(...headers.map(encodeLine))',
      ],
    ],
  },
  'shifts-of-32-bits': {
    misconception: 'the continuation bytes are shifted into place',
    says: 'know 32 bits only',
    edits: [
      [
        'for (let scale = 1; value < LARGEST_INTEGER; scale *= 0x80) {',
        'for (let shift = 0; shift < 70; shift += 7) {',
      ],
      ['value += (byte & 0x7f) * scale', 'value += (byte & 0x7f) << shift'],
      ['const LARGEST_INTEGER = 2 ** 32', ''],
    ],
  },
  'shifting-encoder': {
    misconception: 'the encoder shifts',
    says: 'know 32 bits only',
    edits: [['rest = Math.floor(rest / 0x80)', 'rest >>= 7']],
  },
  'huffman-of-values-only': {
    misconception: 'looks for the Huffman bit of names where that of values is',
    says: 'bit 3 for a name',
    edits: [['(this.peek() & (1 << prefixBits)) !== 0', 'prefixBits === 7 && (this.peek() & 0x80) !== 0']],
  },
  'settings-sorted': {
    misconception: 'settings come out sorted',
    says: 'in the order in which they came',
    edits: [
      [
        `return settings
}`,
        `return settings.sort(([a], [b]) => (a < b ? -1 : 1))
}`,
      ],
    ],
  },
})
