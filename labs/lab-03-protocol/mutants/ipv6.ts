/** Wrong solutions of `ipv6`. */
import { mutants } from '../../kit/grading/mutants.ts'

export default mutants('ipv6.ts', {
  'ah-like-the-others': {
    misconception: 'AH is measured like the others',
    says: 'AH counts differently',
    edits: [['return type === AH ? (units + 2) * 4 : (units + 1) * 8', 'return (units + 1) * 8']],
  },
  'esp-is-skipped': {
    misconception: 'ESP is taken for an extension header',
    says: 'ESP encrypts',
    edits: [['135, 139, 140', '135, 139, 140, 50']],
  },
  'first-only': {
    misconception: 'only the first extension header is skipped',
    says: 'several extension headers',
    edits: [
      ['while (EXTENSION_HEADERS.includes(protocol) && !laterFragment)', 'if (EXTENSION_HEADERS.includes(protocol))'],
    ],
  },
  'fragment-like-the-others': {
    misconception: 'the reserved byte of a Fragment header is taken for its length',
    says: 'is reserved and says nothing',
    edits: [['if (type === FRAGMENT) return 8', '']],
  },
  'hop-by-hop-anywhere': {
    misconception: 'Hop-by-Hop Options may be anywhere',
    says: 'directly after the IPv6 header only',
    edits: [
      [
        `if (protocol === HOP_BY_HOP && offset > IPV6_HEADER_LENGTH) {
          throw new MalformedError('Hop-by-Hop Options behind another extension header')
        }`,
        '',
      ],
    ],
  },
  'later-fragments': {
    misconception: 'the walk goes on in later fragments',
    says: 'is in another packet',
    edits: [
      ['let laterFragment = false', 'const laterFragment = false'],
      ['laterFragment = protocol === FRAGMENT && fragmentOffset(packet, offset) > 0', ''],
    ],
  },
  'length-off-by-one': {
    misconception: 'the first 8 bytes of an extension header are not counted',
    says: 'does not count the first 8 bytes',
    edits: [['(units + 1)', 'units']],
  },
  'mobility-unknown': {
    misconception: 'Mobility is taken for the upper layer',
    says: 'Mobility (135) is an extension header',
    edits: [['135, 139,', '139,']],
  },
  'more-flag': {
    misconception: 'the flag M is taken for a part of the fragment offset',
    says: 'Fragment Offset is 13 bits',
    edits: [['return read16(packet, offset + 2) >> 3', 'return read16(packet, offset + 2)']],
  },
  'next-header-only': {
    misconception: 'the Next Header of the IPv6 header is taken for the upper layer',
    says: 'the upper layer comes behind it',
    edits: [['!laterFragment', 'offset < 0']],
  },
  'no-bound-check': {
    misconception: 'an extension header may reach beyond the packet',
    says: 'is it all there',
    edits: [["if (end > packet.length) throw new MalformedError('the packet ends inside an extension header')", '']],
  },
  'nothing-behind': {
    misconception: 'a packet with nothing behind its extension headers is refused',
    says: 'nothing in it is cut off',
    edits: [['if (end > packet.length) throw', 'if (end >= packet.length) throw']],
  },
  'eight-headers': {
    misconception: 'no more than eight extension headers',
    says: 'no limit to how many',
    edits: [
      [
        'while (EXTENSION_HEADERS.includes(protocol) && !laterFragment) {',
        `let count = 0
  while (EXTENSION_HEADERS.includes(protocol) && !laterFragment) {
    if (++count > 8) throw new MalformedError('too many extension headers')`,
      ],
    ],
  },
  'offset-by-upper-byte': {
    misconception: 'looks for the fragment offset in one byte',
    says: 'Fragment Offset has 13 bits',
    edits: [
      ['return read16(packet, offset + 2) >> 3', 'return packet[offset + 2]!'],
      ["import { read16 } from './bytes.ts'", ''],
    ],
  },
  'no-next-header': {
    misconception: 'No Next Header is an error',
    says: 'is the end of a chain like any other',
    edits: [
      [
        'return { protocol, offset, laterFragment }',
        `if (protocol === 59) throw new MalformedError('nothing follows')
  return { protocol, offset, laterFragment }`,
      ],
    ],
  },
})
