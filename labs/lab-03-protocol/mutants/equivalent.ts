/** Mutations of the solutions that change nothing which can be observed, or nothing that is asked for; and why. */
import type { Equivalents } from '../../kit/grading/mutants.ts'

export default {
  'addresses.ts': {
    'what is missing is no IP version': [
      [
        "if (versionAt >= value.length) throw new MalformedError('the capsule ends before the IP version')",
        "if (false) throw new MalformedError('the capsule ends before the IP version')",
      ],
      [
        "if (versionAt >= value.length) throw new MalformedError('the capsule ends before the IP version')",
        "if (versionAt > value.length) throw new MalformedError('the capsule ends before the IP version')",
      ],
    ],
    'behind the address no bit is set': [
      ['for (let bit = prefixLength; bit < bits; bit++) {', 'for (let bit = prefixLength; bit <= bits; bit++) {'],
    ],
    'the bits after this one are looked at anyway': [
      [
        'const isSet = (address[bit >> 3] & (0x80 >> (bit & 7))) !== 0',
        'const isSet = (address[bit >> 3] & (0x81 >> (bit & 7))) !== 0',
      ],
    ],
  },
  'capsules.ts': {
    'the values were given: what they are used for is in the live task': [
      ['DATAGRAM: 0x00n, ADDRESS_ASSIGN: 0x01n,', 'DATAGRAM: 0x01n, ADDRESS_ASSIGN: 0x00n,'],
      ['DATAGRAM: 0x00n,', 'DATAGRAM: (-1n),'],
      ['DATAGRAM: 0x00n,', 'DATAGRAM: 0x1n,'],
      ['ADDRESS_ASSIGN: 0x01n, ADDRESS_REQUEST: 0x02n,', 'ADDRESS_ASSIGN: 0x02n, ADDRESS_REQUEST: 0x01n,'],
      ['ADDRESS_ASSIGN: 0x01n,', 'ADDRESS_ASSIGN: 0x0n,'],
      ['ADDRESS_ASSIGN: 0x01n,', 'ADDRESS_ASSIGN: 0x2n,'],
      ['ADDRESS_REQUEST: 0x02n,', 'ADDRESS_REQUEST: 0x1n,'],
      ['ADDRESS_REQUEST: 0x02n,', 'ADDRESS_REQUEST: 0x3n,'],
    ],
    'concat has made a new array already': [['this.#kept = rest.slice()', 'this.#kept = rest']],
    'both are the same then': [
      [
        'const skipped = this.#toSkip < available ? this.#toSkip : available',
        'const skipped = this.#toSkip <= available ? this.#toSkip : available',
      ],
    ],
  },
  'endpoint.ts': {
    'concat has made a new array already': [['this.#kept = rest.slice()', 'this.#kept = rest']],
    'nothing is to come of it': [
      ['#type = 0n', '#type = (-1n)'],
      ['#type = 0n', '#type = 1n'],
    ],
    'how long a header section may be is up to its receiver': [
      ['const LONGEST_HEADERS = 1 << 20', 'const LONGEST_HEADERS = 2 << 20'],
      ['const LONGEST_HEADERS = 1 << 20', 'const LONGEST_HEADERS = 1 << 19'],
      ['const LONGEST_HEADERS = 1 << 20', 'const LONGEST_HEADERS = 1 << 21'],
      [
        'if (length > LONGEST_HEADERS) throw new MalformedError(`a frame of ${length} bytes`)',
        'if (false) throw new MalformedError(`a frame of ${length} bytes`)',
      ],
      [
        'if (length > LONGEST_HEADERS) throw new MalformedError(`a frame of ${length} bytes`)',
        'if (length >= LONGEST_HEADERS) throw new MalformedError(`a frame of ${length} bytes`)',
      ],
    ],
    'nothing comes before the response': [
      ['events.push(receiveHeaders(rest.subarray(at, end)))', 'events.unshift(receiveHeaders(rest.subarray(at, end)))'],
    ],
    "all ones are 0 in one's complement": [['write16(message, 2, 0)', 'write16(message, 2, (-1))']],
    'there is one :status': [
      [
        "const status = decodeHeaders(payload).find(([name]) => name === ':status')",
        "const status = decodeHeaders(payload).findLast(([name]) => name === ':status')",
      ],
    ],
    'without a type there is no length': [
      [
        'if (type === undefined || length === undefined) return undefined',
        'if (length === undefined) return undefined',
      ],
    ],
    'DSCP and Identification may be anything': [
      [
        'const header = concat(Uint8Array.of(0x45, 0, 0, 0, 0, 0, 0, 0, TTL, ICMP, 0, 0), source, destination)',
        'const header = concat(Uint8Array.of(0x45, (-1), 0, 0, 0, 0, 0, 0, TTL, ICMP, 0, 0), source, destination)',
      ],
      [
        'const header = concat(Uint8Array.of(0x45, 0, 0, 0, 0, 0, 0, 0, TTL, ICMP, 0, 0), source, destination)',
        'const header = concat(Uint8Array.of(0x45, 1, 0, 0, 0, 0, 0, 0, TTL, ICMP, 0, 0), source, destination)',
      ],
      [
        'const header = concat(Uint8Array.of(0x45, 0, 0, 0, 0, 0, 0, 0, TTL, ICMP, 0, 0), source, destination)',
        'const header = concat(Uint8Array.of(0x45, 0, 0, 0, (-1), 0, 0, 0, TTL, ICMP, 0, 0), source, destination)',
      ],
      [
        'const header = concat(Uint8Array.of(0x45, 0, 0, 0, 0, 0, 0, 0, TTL, ICMP, 0, 0), source, destination)',
        'const header = concat(Uint8Array.of(0x45, 0, 0, 0, 1, 0, 0, 0, TTL, ICMP, 0, 0), source, destination)',
      ],
      [
        'const header = concat(Uint8Array.of(0x45, 0, 0, 0, 0, 0, 0, 0, TTL, ICMP, 0, 0), source, destination)',
        'const header = concat(Uint8Array.of(0x45, 0, 0, 0, 0, (-1), 0, 0, TTL, ICMP, 0, 0), source, destination)',
      ],
      [
        'const header = concat(Uint8Array.of(0x45, 0, 0, 0, 0, 0, 0, 0, TTL, ICMP, 0, 0), source, destination)',
        'const header = concat(Uint8Array.of(0x45, 0, 0, 0, 0, 1, 0, 0, TTL, ICMP, 0, 0), source, destination)',
      ],
    ],
    'the Total Length is written over it': [
      [
        'const header = concat(Uint8Array.of(0x45, 0, 0, 0, 0, 0, 0, 0, TTL, ICMP, 0, 0), source, destination)',
        'const header = concat(Uint8Array.of(0x45, 0, (-1), 0, 0, 0, 0, 0, TTL, ICMP, 0, 0), source, destination)',
      ],
      [
        'const header = concat(Uint8Array.of(0x45, 0, 0, 0, 0, 0, 0, 0, TTL, ICMP, 0, 0), source, destination)',
        'const header = concat(Uint8Array.of(0x45, 0, 1, 0, 0, 0, 0, 0, TTL, ICMP, 0, 0), source, destination)',
      ],
      [
        'const header = concat(Uint8Array.of(0x45, 0, 0, 0, 0, 0, 0, 0, TTL, ICMP, 0, 0), source, destination)',
        'const header = concat(Uint8Array.of(0x45, 0, 0, (-1), 0, 0, 0, 0, TTL, ICMP, 0, 0), source, destination)',
      ],
      [
        'const header = concat(Uint8Array.of(0x45, 0, 0, 0, 0, 0, 0, 0, TTL, ICMP, 0, 0), source, destination)',
        'const header = concat(Uint8Array.of(0x45, 0, 0, 1, 0, 0, 0, 0, TTL, ICMP, 0, 0), source, destination)',
      ],
    ],
  },
  'http3.ts': {
    'the values were given: what they are used for is in the live task': [
      [
        'export const FrameType = { DATA: 0x00n, HEADERS: 0x01n, SETTINGS: 0x04n } as const',
        'export const FrameType = { DATA: 0x01n, HEADERS: 0x00n, SETTINGS: 0x04n } as const',
      ],
      [
        'export const FrameType = { DATA: 0x00n, HEADERS: 0x01n, SETTINGS: 0x04n } as const',
        'export const FrameType = { DATA: (-1n), HEADERS: 0x01n, SETTINGS: 0x04n } as const',
      ],
      [
        'export const FrameType = { DATA: 0x00n, HEADERS: 0x01n, SETTINGS: 0x04n } as const',
        'export const FrameType = { DATA: 0x1n, HEADERS: 0x01n, SETTINGS: 0x04n } as const',
      ],
      [
        'export const FrameType = { DATA: 0x00n, HEADERS: 0x01n, SETTINGS: 0x04n } as const',
        'export const FrameType = { DATA: 0x00n, HEADERS: 0x0n, SETTINGS: 0x04n } as const',
      ],
      [
        'export const FrameType = { DATA: 0x00n, HEADERS: 0x01n, SETTINGS: 0x04n } as const',
        'export const FrameType = { DATA: 0x00n, HEADERS: 0x2n, SETTINGS: 0x04n } as const',
      ],
    ],
    'without an identifier there is no value': [
      [
        "if (id === undefined || value === undefined) throw new MalformedError('SETTINGS ends inside a setting')",
        "if (value === undefined) throw new MalformedError('SETTINGS ends inside a setting')",
      ],
    ],
    'no line is twice in the table': [
      [
        'const lineIndex = STATIC_TABLE.findIndex(entry => entry[0] === name && entry[1] === value)',
        'const lineIndex = STATIC_TABLE.findLastIndex(entry => entry[0] === name && entry[1] === value)',
      ],
    ],
    'what is missing is refused when it is read': [
      [
        "if (section.length < 2) throw new MalformedError('a field section without its two first bytes')",
        "if (false) throw new MalformedError('a field section without its two first bytes')",
      ],
      [
        "if (section.length < 2) throw new MalformedError('a field section without its two first bytes')",
        "if (section.length < 1) throw new MalformedError('a field section without its two first bytes')",
      ],
    ],
    'where a number is too large is not prescribed': [
      ['const LARGEST_INTEGER = 2 ** 32', 'const LARGEST_INTEGER = 3 ** 32'],
      ['const LARGEST_INTEGER = 2 ** 32', 'const LARGEST_INTEGER = 2 ** 31'],
      ['const LARGEST_INTEGER = 2 ** 32', 'const LARGEST_INTEGER = 2 ** 33'],
      [
        'for (let scale = 1; value < LARGEST_INTEGER; scale *= 0x80) {',
        'for (let scale = 1; value <= LARGEST_INTEGER; scale *= 0x80) {',
      ],
    ],
    'behind the end, what is read is no line, and is refused': [
      [
        "if (this.atEnd) throw new MalformedError('the field section ends inside a line')",
        "if (false) throw new MalformedError('the field section ends inside a line')",
      ],
      [
        "if (end > this.#bytes.length) throw new MalformedError('the field section ends inside a string')",
        "if (false) throw new MalformedError('the field section ends inside a string')",
      ],
    ],
  },
  'ipv4.ts': {
    'a header is a multiple of four bytes, and is compared with what is there anyway': [
      ['const SHORTEST_HEADER = 20', 'const SHORTEST_HEADER = 19'],
      [
        "if (packet.length < SHORTEST_HEADER) throw new MalformedError('shorter than an IPv4 header')",
        "if (false) throw new MalformedError('shorter than an IPv4 header')",
      ],
    ],
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
    'the old checksum and the old word are added up': [
      [
        'write16(forwarded, CHECKSUM_AT, updateChecksum(read16(packet, CHECKSUM_AT), before, after))',
        'write16(forwarded, CHECKSUM_AT, updateChecksum(before, read16(packet, CHECKSUM_AT), after))',
      ],
    ],
  },
  'ipv6.ts': {
    'an extension header has eight bytes at least, which are not there either': [
      [
        "if (offset + 2 > packet.length) throw new MalformedError('the packet ends where an extension header begins')",
        "if (offset + 3 > packet.length) throw new MalformedError('the packet ends where an extension header begins')",
      ],
      [
        "if (offset + 2 > packet.length) throw new MalformedError('the packet ends where an extension header begins')",
        "if (offset + 2 >= packet.length) throw new MalformedError('the packet ends where an extension header begins')",
      ],
    ],
  },
  'routes.ts': {
    'what is outside of both addresses is the same': [
      ['for (let i = 0; i < a.length; i++) {', 'for (let i = (-1); i < a.length; i++) {'],
      ['for (let i = 0; i < a.length; i++) {', 'for (let i = 0; i <= a.length; i++) {'],
    ],
    'two that are the same overlap': [
      [
        "if (compareRoutes(before, after) > 0) throw new MalformedError('the ranges are not in order')",
        "if (compareRoutes(before, after) >= 0) throw new MalformedError('the ranges are not in order')",
      ],
      [
        "if (compareRoutes(before, after) > 0) throw new MalformedError('the ranges are not in order')",
        "if (compareRoutes(before, after) > (-1)) throw new MalformedError('the ranges are not in order')",
      ],
    ],
  },
  'too-big.ts': {
    'the other addresses of 0.0.0.0/8 are no receivers either (RFC 1122 §3.2.1.3): whether they are told is left open':
      [
        [
          'const source = packet.subarray(V4.sourceAt, V4.sourceAt + 4)',
          'const source = packet.subarray(V4.sourceAt, V4.sourceAt + 3)',
        ],
      ],
    'the Total Length is written over it': [
      [
        'const header = concat(Uint8Array.of(0x45, 0xc0, 0, 0, 0, 0, 0x40, 0, HOP_COUNT, ICMP, 0, 0), source, destination)',
        'const header = concat(Uint8Array.of(0x45, 0xc0, (-1), 0, 0, 0, 0x40, 0, HOP_COUNT, ICMP, 0, 0), source, destination)',
      ],
      [
        'const header = concat(Uint8Array.of(0x45, 0xc0, 0, 0, 0, 0, 0x40, 0, HOP_COUNT, ICMP, 0, 0), source, destination)',
        'const header = concat(Uint8Array.of(0x45, 0xc0, 1, 0, 0, 0, 0x40, 0, HOP_COUNT, ICMP, 0, 0), source, destination)',
      ],
      [
        'const header = concat(Uint8Array.of(0x45, 0xc0, 0, 0, 0, 0, 0x40, 0, HOP_COUNT, ICMP, 0, 0), source, destination)',
        'const header = concat(Uint8Array.of(0x45, 0xc0, 0, (-1), 0, 0, 0x40, 0, HOP_COUNT, ICMP, 0, 0), source, destination)',
      ],
      [
        'const header = concat(Uint8Array.of(0x45, 0xc0, 0, 0, 0, 0, 0x40, 0, HOP_COUNT, ICMP, 0, 0), source, destination)',
        'const header = concat(Uint8Array.of(0x45, 0xc0, 0, 1, 0, 0, 0x40, 0, HOP_COUNT, ICMP, 0, 0), source, destination)',
      ],
    ],
    'a sum does not depend on the order of the words': [
      [
        'const pseudoHeader = concat(source, destination, length, Uint8Array.of(0, 0, 0, ICMPV6))',
        'const pseudoHeader = concat(destination, source, length, Uint8Array.of(0, 0, 0, ICMPV6))',
      ],
      [
        'const pseudoHeader = concat(source, destination, length, Uint8Array.of(0, 0, 0, ICMPV6))',
        'const pseudoHeader = concat(source, length, destination, Uint8Array.of(0, 0, 0, ICMPV6))',
      ],
      [
        'const pseudoHeader = concat(source, destination, length, Uint8Array.of(0, 0, 0, ICMPV6))',
        'const pseudoHeader = concat(source, destination, Uint8Array.of(0, 0, 0, ICMPV6), length)',
      ],
    ],
    'the Payload Length is written over it': [
      [
        'const header = concat(Uint8Array.of(0x60, 0, 0, 0, 0, 0, ICMPV6, HOP_COUNT), source, destination)',
        'const header = concat(Uint8Array.of(0x60, 0, 0, 0, (-1), 0, ICMPV6, HOP_COUNT), source, destination)',
      ],
      [
        'const header = concat(Uint8Array.of(0x60, 0, 0, 0, 0, 0, ICMPV6, HOP_COUNT), source, destination)',
        'const header = concat(Uint8Array.of(0x60, 0, 0, 0, 1, 0, ICMPV6, HOP_COUNT), source, destination)',
      ],
      [
        'const header = concat(Uint8Array.of(0x60, 0, 0, 0, 0, 0, ICMPV6, HOP_COUNT), source, destination)',
        'const header = concat(Uint8Array.of(0x60, 0, 0, 0, 0, (-1), ICMPV6, HOP_COUNT), source, destination)',
      ],
      [
        'const header = concat(Uint8Array.of(0x60, 0, 0, 0, 0, 0, ICMPV6, HOP_COUNT), source, destination)',
        'const header = concat(Uint8Array.of(0x60, 0, 0, 0, 0, 1, ICMPV6, HOP_COUNT), source, destination)',
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
      ['if (offset >= bytes.length) return undefined', 'if (false) return undefined'],
      ['if (offset >= bytes.length) return undefined', 'if (offset > bytes.length) return undefined'],
    ],
  },
} satisfies Equivalents
