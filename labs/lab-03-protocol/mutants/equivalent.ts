/** Mutations of the solutions that change nothing which can be observed, and why. */
import type { Equivalents } from '../../kit/grading/mutants.ts'

export default {
  'ipv4.ts': {
    'what is read behind the end counts as 0, as the missing byte does': [
      ['for (let at = 0; at < bytes.length; at += 2) {', 'for (let at = 0; at <= bytes.length; at += 2) {'],
      ['const lower = at + 1 < bytes.length ? bytes[at + 1] : 0', 'const lower = bytes[at + 1]'],
      [
        'const lower = at + 1 < bytes.length ? bytes[at + 1] : 0',
        'const lower = at - 1 < bytes.length ? bytes[at + 1] : 0',
      ],
      [
        'const lower = at + 1 < bytes.length ? bytes[at + 1] : 0',
        'const lower = at + 0 < bytes.length ? bytes[at + 1] : 0',
      ],
      [
        'const lower = at + 1 < bytes.length ? bytes[at + 1] : 0',
        'const lower = at + 1 <= bytes.length ? bytes[at + 1] : 0',
      ],
    ],
    'the words of an IP packet do not add up to 2^31': [
      [
        'while (folded > 0xffff) folded = (folded & 0xffff) + (folded >>> 16)',
        'while (folded > 0xffff) folded = (folded & 0xffff) + (folded >> 16)',
      ],
    ],
    'a header is a multiple of four bytes, and is compared with what is there anyway': [
      ['const SHORTEST_HEADER = 20', 'const SHORTEST_HEADER = 19'],
      [
        "if (packet.length < SHORTEST_HEADER) throw new MalformedError('shorter than an IPv4 header')",
        "if (false) throw new MalformedError('shorter than an IPv4 header')",
      ],
    ],
    'the old checksum and the old word are added up': [
      [
        'write16(forwarded, CHECKSUM_AT, updateChecksum(read16(packet, CHECKSUM_AT), before, after))',
        'write16(forwarded, CHECKSUM_AT, updateChecksum(before, read16(packet, CHECKSUM_AT), after))',
      ],
    ],
  },
  'varint.ts': {
    'a missing prefix counts as 0, which is that of one byte': [
      [
        'const PREFIX = { 1: 0x00, 2: 0x40, 4: 0x80, 8: 0xc0 } as const',
        'const PREFIX = { 0: 0x00, 2: 0x40, 4: 0x80, 8: 0xc0 } as const',
      ],
      [
        'const PREFIX = { 1: 0x00, 2: 0x40, 4: 0x80, 8: 0xc0 } as const',
        'const PREFIX = { 2: 0x00, 2: 0x40, 4: 0x80, 8: 0xc0 } as const',
      ],
    ],
    'nothing is written before the beginning of an array': [
      ['for (let at = length - 1; at >= 0; at--) {', 'for (let at = length - 1; at >= (-1); at--) {'],
    ],
    'behind the end, the length is read as 1, for which there is no room': [
      ['if (offset >= bytes.length) return undefined', 'if (offset > bytes.length) return undefined'],
      ['if (offset >= bytes.length) return undefined', 'if (false) return undefined'],
    ],
  },
} satisfies Equivalents
