/** Wrong solutions of `addresses`. */
import { mutants } from '../../kit/grading/mutants.ts'

export default mutants('addresses.ts', {
  'empty-assign-refused': {
    misconception: 'an ADDRESS_ASSIGN without an entry is refused',
    says: 'takes all addresses away',
    edits: [
      [
        'const entries: AddressEntry[] = []',
        `if (value.length === 0) throw new MalformedError('an empty capsule')
        const entries: AddressEntry[] = []`,
      ],
    ],
  },
  'empty-request-accepted': {
    misconception: 'a request may be empty',
    says: 'at least one address',
    edits: [["if (entries.length === 0) throw new MalformedError('an ADDRESS_REQUEST that requests nothing')", '']],
  },
  'host-bits-by-byte': {
    misconception: 'only whole bytes beyond the prefix are looked at',
    says: 'down to the single bit',
    edits: [['prefixLength;', 'Math.ceil(prefixLength / 8) * 8;']],
  },
  'host-bits-off-by-one': {
    misconception: 'the first bit beyond the prefix is not looked at',
    says: 'down to the single bit',
    edits: [['prefixLength;', 'prefixLength + 1;']],
  },
  'host-bits-unchecked': {
    misconception: 'bits beyond the prefix are not looked at',
    says: 'must be 0',
    edits: [['checkPrefix(address, prefixLength)', '']],
  },
  'id-of-one-byte': {
    misconception: 'the Request ID is written in one byte',
    says: 'A Request ID is a varint',
    edits: [['encodeVarint(requestId)', 'Uint8Array.of(Number(requestId & 0xffn))']],
  },
  'no-bound-check': {
    misconception: 'an entry that is cut short is read as far as it goes',
    says: 'is there enough left',
    edits: [
      ["if (prefixAt >= value.length) throw new MalformedError('the capsule ends inside an entry')", ''],
      ['const prefixLength = value[prefixAt]', 'const prefixLength = value[prefixAt] ?? address.length * 8'],
    ],
  },
  'one-limit-for-both': {
    misconception: 'an IPv4 prefix may have up to 128 bits',
    says: '32 bits in IPv4',
    edits: [['prefixLength > bits', 'prefixLength > 128']],
  },
  'prefix-before-address': {
    misconception: 'the prefix length stands before the address',
    says: 'order of the fields',
    edits: [['address, Uint8Array.of(prefixLength)', 'Uint8Array.of(prefixLength), address']],
  },
  'same-id-accepted': {
    misconception: 'a request may use a Request ID twice',
    says: 'never used twice',
    edits: [['seen.add(requestId)', '']],
  },
  'version-unchecked': {
    misconception: 'every version that is not 4 is taken for 6',
    says: '4 and 6 only',
    edits: [
      [
        `const version = value[versionAt]
        if (version !== 4 && version !== 6) throw new MalformedError(\`IP version \${version}\`)`,
        'const version = value[versionAt] as 4 | 6',
      ],
    ],
  },
  'zero-id-accepted': {
    misconception: 'a request may use Request ID 0',
    says: 'Request ID 0 is kept',
    edits: [
      ["if (requestId === 0n) throw new MalformedError('Request ID 0 is for assignments that nobody asked for')", ''],
    ],
  },
  'ids-as-numbers': {
    misconception: 'compares Request IDs as numbers',
    says: 'exact up to 53',
    edits: [
      ['const seen = new Set<bigint>()', 'const seen = new Set<number>()'],
      ['if (seen.has(requestId)) throw', 'if (seen.has(Number(requestId))) throw'],
      ['seen.add(requestId)', 'seen.add(Number(requestId))'],
    ],
  },
  'no-zero-in-assign': {
    misconception: 'an ADDRESS_ASSIGN must not use Request ID 0',
    says: 'may use Request ID 0',
    edits: [
      [
        'const requestId = decodeVarint(value, at)',
        `const requestId = decodeVarint(value, at)
  if (requestId?.value === 0n) throw new MalformedError('Request ID 0')`,
      ],
    ],
  },
  'no-single-addresses': {
    misconception: 'a prefix is shorter than the address',
    says: 'are single addresses',
    edits: [['if (prefixLength > bits) throw', 'if (prefixLength >= bits) throw']],
  },
})
