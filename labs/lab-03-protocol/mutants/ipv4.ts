/** Wrong solutions of `ipv4`. */
import { mutants } from '../../kit/grading/mutants.ts'

export default mutants('ipv4.ts', {
  'byte-for-word': {
    misconception: 'updates with the TTL alone instead of its word',
    says: 'upper half of a word',
    edits: [['read16(packet, TTL_AT), read16(forwarded, TTL_AT)', 'packet[TTL_AT], forwarded[TTL_AT]']],
  },
  'calculated-afresh': {
    misconception: 'the checksum is calculated afresh after the TTL',
    says: 'would come out right over data that are wrong',
    edits: [
      [
        `const [before, after] = [read16(packet, TTL_AT), read16(forwarded, TTL_AT)]
        write16(forwarded, CHECKSUM_AT, updateChecksum(read16(packet, CHECKSUM_AT), before, after))`,
        `write16(forwarded, CHECKSUM_AT, 0)
        const headerLength = (packet[0] & 0x0f) * 4
        write16(forwarded, CHECKSUM_AT, internetChecksum(forwarded.subarray(0, headerLength)))`,
      ],
    ],
  },
  'carry-lost': {
    misconception: 'carries are cut off',
    says: 'added back in at bit 0',
    edits: [
      [
        `let folded = sum
        while (folded > 0xffff) folded = (folded & 0xffff) + (folded >>> 16)
        return folded`,
        'return sum & 0xffff',
      ],
    ],
  },
  'carry-once': {
    misconception: 'carries are added back in once',
    says: 'bring up one more',
    edits: [
      [
        `let folded = sum
        while (folded > 0xffff) folded = (folded & 0xffff) + (folded >>> 16)
        return folded`,
        'return ((sum & 0xffff) + (sum >>> 16)) & 0xffff',
      ],
    ],
  },
  'checksum-not-updated': {
    misconception: 'the checksum stays as it was',
    says: 'the next router would drop',
    edits: [
      [
        `const [before, after] = [read16(packet, TTL_AT), read16(forwarded, TTL_AT)]
        write16(forwarded, CHECKSUM_AT, updateChecksum(read16(packet, CHECKSUM_AT), before, after))`,
        '',
      ],
    ],
  },
  'checksum-over-everything': {
    misconception: 'the checksum is taken over the payload too',
    says: 'the payload is not',
    edits: [['packet.subarray(0, headerLength)', 'packet']],
  },
  'equation-two': {
    misconception: 'updates with the equation of RFC 1141',
    says: 'RFC 1624 exists because',
    edits: [
      [
        'complement(fold(complement(checksum) + complement(oldWord) + newWord))',
        'fold(checksum + oldWord + complement(newWord))',
      ],
    ],
  },
  'ihl-below-five': {
    misconception: 'an IHL below 5 is accepted',
    says: 'the shortest header has 5',
    edits: [["if (headerLength < SHORTEST_HEADER) throw new MalformedError('IHL below 5')", '']],
  },
  'ihl-in-bytes': {
    misconception: 'IHL is taken for a number of bytes',
    says: 'options are part of the header',
    edits: [['(packet[0] & 0x0f) * 4', 'Math.max(SHORTEST_HEADER, packet[0] & 0x0f)']],
  },
  'little-endian-words': {
    misconception: 'the words are read in little-endian order',
    says: 'network byte order',
    edits: [['sum += (bytes[at] << 8) | lower', 'sum += (lower << 8) | bytes[at]']],
  },
  'no-complement': {
    misconception: 'the sum itself is taken for the checksum',
    says: 'its complement',
    edits: [['return complement(fold(sum))', 'return fold(sum)']],
  },
  'odd-byte-forgotten': {
    misconception: 'an odd last byte is left out',
    says: 'counts too',
    edits: [['for (let at = 0; at < bytes.length; at += 2) {', 'for (let at = 0; at + 1 < bytes.length; at += 2) {']],
  },
  'odd-byte-lower': {
    misconception: 'an odd last byte is taken for the lower half',
    says: 'not the lower one',
    edits: [['sum += (bytes[at] << 8) | lower', 'sum += at + 1 < bytes.length ? (bytes[at] << 8) | lower : bytes[at]']],
  },
  'options-forgotten': {
    misconception: 'the checksum is taken over 20 bytes, whatever IHL says',
    says: 'options are part of the header',
    edits: [['0, headerLength', '0, SHORTEST_HEADER']],
  },
  'total-length-unchecked': {
    misconception: 'the Total Length is not looked at',
    says: 'Total Length is the length of the packet',
    edits: [
      ["if (read16(packet, TOTAL_LENGTH_AT) !== packet.length) throw new MalformedError('wrong Total Length')", ''],
    ],
  },
  'ttl-off-by-one': {
    misconception: 'a packet with TTL 1 is forwarded with TTL 0',
    says: 'may not be forwarded',
    edits: [['if (packet[TTL_AT] <= 1) return undefined', 'if (packet[TTL_AT] < 1) return undefined']],
  },
  'update-reversed': {
    misconception: 'the new word is taken out and the old one put in',
    says: 'other way round',
    edits: [['complement(oldWord) + newWord', 'complement(newWord) + oldWord']],
  },
  'input-decremented': {
    misconception: 'counts the hop in the packet itself',
    says: 'change a copy',
    edits: [
      ['const forwarded = packet.slice()', 'const forwarded = packet'],
      [
        'const [before, after] = [read16(packet, TTL_AT), read16(forwarded, TTL_AT)]',
        `const after = read16(forwarded, TTL_AT)
  const before = after + 0x100`,
      ],
    ],
  },
  'header-of-sixty': {
    misconception: 'a header may have 60 bytes, however long the packet is',
    says: 'before what it promises is used',
    edits: [['if (headerLength > packet.length)', 'if (headerLength > 60)']],
  },
  'zero-as-all-ones': {
    misconception: 'a checksum of 0 is written as 0xffff',
    says: 'stays 0 here',
    edits: [['return complement(fold(sum))', 'return complement(fold(sum)) || 0xffff']],
  },
  'update-carried-once': {
    misconception: 'the carry of an update is added back in once',
    says: 'may bring up one more',
    edits: [
      [
        'return complement(fold(complement(checksum) + complement(oldWord) + newWord))',
        `const total = complement(checksum) + complement(oldWord) + newWord
  return complement((total & 0xffff) + (total >>> 16))`,
      ],
    ],
  },
})
