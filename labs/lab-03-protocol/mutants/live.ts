/** Wrong solutions of `live`. */
import { mutants } from '../../kit/grading/mutants.ts'

export default mutants('endpoint.ts', {
  'answers-everything': {
    misconception: 'every ICMP message is answered',
    says: 'answered in turn, for ever',
    edits: [['request[0] !== ECHO_REQUEST || internetChecksum(request)', 'internetChecksum(request)']],
  },
  'capsule-without-frame': {
    misconception: 'the capsule is not put into a DATA frame',
    says: 'From outside in',
    edits: [
      [
        'encodeFrame(FrameType.DATA, encodeCapsule(CapsuleType.ADDRESS_REQUEST, encodeAddresses([entry])))',
        'encodeCapsule(CapsuleType.ADDRESS_REQUEST, encodeAddresses([entry]))',
      ],
    ],
  },
  'checksum-over-checksum': {
    misconception: 'the checksum is calculated with the old one in its place',
    says: 'with 0 in their own place',
    edits: [['write16(message, 2, 0)', '']],
  },
  'frames-forgotten': {
    misconception: 'an incomplete frame is forgotten',
    says: 'Keep an incomplete frame',
    edits: [['this.#kept = rest.slice()', '']],
  },
  'header-given-out': {
    misconception: 'what is given out is the packet without its first byte',
    says: 'from its first to its last byte',
    edits: [['return packetFor(this.streamId, datagram)', 'return packetFor(this.streamId, datagram)?.subarray(1)']],
  },
  'identifier-forgotten': {
    misconception: 'the answer has no identifier and no sequence number',
    says: 'by them the sender knows its own',
    edits: [
      [
        'reply[0] = ECHO_REPLY',
        `reply[0] = ECHO_REPLY
        reply.fill(0, 4, 8)`,
      ],
    ],
  },
  'no-length-of-prefix': {
    misconception: 'the request asks for a prefix of 0 bits',
    says: 'prefix length 32',
    edits: [['address.length * 8', '0']],
  },
  'no-capsule-protocol': {
    misconception: 'the request does not say that capsules follow, which our own proxy forgives',
    says: 'missing Capsule-Protocol header',
    withOthers: true,
    edits: [
      [
        'encodeHeaders(connectIpRequest(authority, path))',
        'encodeHeaders(connectIpRequest(authority, path).slice(0, -1))',
      ],
    ],
  },
  'not-exchanged': {
    misconception: 'the answer goes where the request went',
    says: 'exchanged',
    edits: [['(16, 20), packet.subarray(12, 16)', '(12, 16), packet.subarray(16, 20)']],
  },
  'old-checksum': {
    misconception: 'the answer keeps the checksum of the request',
    says: 'There are two checksums',
    edits: [
      [
        `write16(message, 2, 0)
        write16(message, 2, internetChecksum(message))`,
        'if (message[0] === ECHO_REQUEST) write16(message, 2, internetChecksum(message))',
      ],
    ],
  },
  'parser-per-frame': {
    misconception: 'each DATA frame gets a CapsuleParser of its own',
    says: 'one and the same CapsuleParser',
    edits: [
      ['readonly #capsules = new CapsuleParser()', ''],
      ['this.#capsules', 'new CapsuleParser()'],
    ],
  },
  'type-kept': {
    misconception: 'the answer is an echo request',
    says: 'its reply type 0',
    edits: [['reply[0] = ECHO_REPLY', '']],
  },
  'unknown-frames': {
    misconception: 'a frame of an unknown type is an error',
    says: 'skip unknown types',
    edits: [
      [
        'if (type !== FrameType.HEADERS) {',
        `if (type !== FrameType.HEADERS) {
          if (type !== FrameType.DATA) throw new MalformedError(\`frame type \${type}\`)`,
      ],
    ],
  },
  'wrong-context': {
    misconception: 'packets are sent with another Context ID',
    says: 'Context ID 0',
    edits: [['return encodeDatagram(this.streamId, 0n, packet)', 'return encodeDatagram(this.streamId, 2n, packet)']],
  },
  'options-ignored': {
    misconception: 'the ICMP message begins at byte 20',
    says: 'behind the options',
    edits: [['packet.subarray((packet[0] & 0x0f) * 4)', 'packet.subarray(HEADER_LENGTH)']],
  },
  'static-parser': {
    misconception: 'all endpoints share one parser of frames',
    says: 'belongs to that endpoint',
    edits: [
      ['#kept: Uint8Array = new Uint8Array(0)', 'static #kept: Uint8Array = new Uint8Array(0)'],
      ['let rest = concat(this.#kept, bytes)', 'let rest = concat(Endpoint.#kept, bytes)'],
      ['this.#kept = rest.slice()', 'Endpoint.#kept = rest.slice()'],
    ],
  },
  'static-id': {
    misconception: 'all endpoints count one Request ID',
    says: 'belongs to that endpoint',
    edits: [
      ['#lastRequestId = 0n', 'static #lastRequestId = 0n'],
      ['++this.#lastRequestId', '++Endpoint.#lastRequestId'],
    ],
  },
  'input-answered': {
    misconception: 'the answer is written over the question',
    says: 'change a copy',
    edits: [['const reply = request.slice()', 'const reply = request']],
  },
  'sixteen-kib': {
    misconception: 'frames of more than 16 KiB are refused',
    says: 'a frame of',
    edits: [
      [
        'const { type, length, at } = header',
        `const { type, length, at } = header
        if (length > 16384n) throw new MalformedError(\`a frame of \${length} bytes\`)`,
      ],
    ],
  },
  'whole-data-frames': {
    misconception: 'a DATA frame is kept until it is complete',
    says: 'due as soon as they are complete',
    edits: [
      [
        'const { type, length, at } = header',
        `const { type, length, at } = header
        if (type === FrameType.DATA) {
          const end = at + Number(length)
          if (end > rest.length) break
          events.push(...this.#capsules.push(rest.subarray(at, end)).flatMap(receiveCapsule))
          rest = rest.subarray(end)
          continue
        }`,
      ],
    ],
  },
  'context-first': {
    misconception: 'the Context ID comes before the Quarter Stream ID',
    says: 'behind Quarter Stream ID 1 and Context ID 0',
    edits: [['encodeDatagram(this.streamId, 0n, packet)', 'encodeDatagram(0n, this.streamId, packet)']],
  },
  'first-header': {
    misconception: 'takes the first header for the status',
    says: 'the value of the first field',
    edits: [["decodeHeaders(payload).find(([name]) => name === ':status')", 'decodeHeaders(payload)[0]']],
  },
})
