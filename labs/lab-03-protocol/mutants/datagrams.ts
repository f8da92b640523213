/** Wrong solutions of `datagrams`. */
import { mutants } from '../../kit/grading/mutants.ts'

export default mutants('datagrams.ts', {
  'any-stream': {
    misconception: 'streams that carry no request are rounded down',
    says: 'divisible by four',
    edits: [
      [
        'if (streamId % 4n !== 0n) throw new MalformedError(`stream ${streamId} is not client-initiated and bidirectional`)',
        '',
      ],
    ],
  },
  'context-first': {
    misconception: 'the Context ID is written before the Quarter Stream ID',
    says: 'Quarter Stream ID comes first',
    edits: [['(streamId / 4n), encodeVarint(contextId)', '(contextId), encodeVarint(streamId / 4n)']],
  },
  'context-ignored': {
    misconception: 'every datagram is taken for an IP packet',
    says: 'dropped silently',
    edits: [['&& contextId === IP_PACKETS ? payload', '? payload']],
  },
  'context-missing': {
    misconception: 'there is no Context ID',
    says: 'Between the Quarter Stream ID and the IP packet',
    edits: [['encodeVarint(contextId)', 'contextId === 0n ? new Uint8Array(0) : encodeVarint(contextId)']],
  },
  'context-of-one-byte': {
    misconception: 'the Context ID is read as one byte',
    says: 'Both numbers are varints',
    edits: [
      ['decodeVarint(datagram, quarter.length)', '{ value: BigInt(datagram[quarter.length] ?? 0), length: 1 }'],
      ['context === undefined', 'quarter.length >= datagram.length'],
    ],
  },
  'quarter-not-multiplied': {
    misconception: 'the quarter stream id is taken for the stream id',
    says: 'divided by four',
    edits: [['streamId: quarter.value * 4n,', 'streamId: quarter.value,']],
  },
  'quarter-unbounded': {
    misconception: 'a Quarter Stream ID of more than 60 bits is accepted',
    says: 'at most 60',
    edits: [
      [
        'if (quarter.value > MAX_QUARTER_STREAM_ID) throw new MalformedError(`a Quarter Stream ID of ${quarter.value}`)',
        '',
      ],
    ],
  },
  'stream-id-not-divided': {
    misconception: 'the stream id is written as it is',
    says: 'divided by four',
    edits: [['streamId / 4n', 'streamId']],
  },
  'stream-ignored': {
    misconception: 'packets of other tunnels are taken',
    says: 'may carry several tunnels',
    edits: [
      ['streamId: arrivedFor, contextId', 'contextId'],
      ['arrivedFor === streamId && contextId', 'contextId'],
    ],
  },
  'truncated-is-empty': {
    misconception: 'a datagram that is cut short counts as one with zeros',
    says: 'no more will come',
    edits: [
      [
        "throw new MalformedError('the datagram ends inside the Quarter Stream ID')",
        'return { streamId: 0n, contextId: 0n, payload: new Uint8Array(0) }',
      ],
    ],
  },
  'unknown-context-refused': {
    misconception: 'an unknown Context ID is an error',
    says: 'is no error',
    edits: [
      [
        'return arrivedFor === streamId && contextId === IP_PACKETS ? payload : undefined',
        `if (contextId !== IP_PACKETS) throw new MalformedError(\`unknown context \${contextId}\`)
        return arrivedFor === streamId ? payload : undefined`,
      ],
    ],
  },
  'id-through-a-double': {
    misconception: 'the stream id goes through a number',
    says: 'exact up to 53',
    edits: [['encodeVarint(streamId / 4n)', 'encodeVarint(BigInt(Number(streamId)) / 4n)']],
  },
  'id-read-as-a-double': {
    misconception: 'the stream id is read through a number',
    says: 'exact up to 53',
    edits: [['streamId: quarter.value * 4n,', 'streamId: BigInt(Number(quarter.value * 4n)),']],
  },
})
