/** Wrong solutions of `send-packet`. */
import { mutants } from '../../kit/grading/mutants.ts'

export default mutants('send-packet.ts', {
  'bound-for-datagrams': {
    misconception: 'datagrams wait for the stream as well',
    says: 'holds up no datagram',
    edits: [
      ['this.#asDatagram(packet)', 'this.#asDatagram(packet, waiting)'],
      ['(packet: Uint8Array):', '(packet: Uint8Array, waiting: number):'],
      ['packet.length > mtu', 'packet.length > mtu || waiting >= MOST_WAITING'],
    ],
  },
  'capsule-length-of-the-packet': {
    misconception: 'the length of the capsule leaves out the Context ID',
    says: 'counts what is inside',
    edits: [['value.length', 'packet.length']],
  },
  'capsule-without-frame': {
    misconception: 'the capsule stands directly on the stream',
    says: 'payload of a DATA frame',
    edits: [
      [
        'const data = concat(Uint8Array.from([DATA_FRAME, ...varint(capsule.length)]), capsule)',
        'const data = capsule',
      ],
    ],
  },
  'context-forgotten': {
    misconception: 'no Context ID in a datagram',
    says: 'Context ID',
    edits: [['[...varint(requestStream / 4), CONTEXT_ID]', 'varint(requestStream / 4)']],
  },
  'counts-the-packet': {
    misconception: 'what would wait with this packet is what counts',
    says: 'without the packet',
    edits: [['waiting >= MOST_WAITING', 'waiting + packet.length > MOST_WAITING']],
  },
  'dropped-in-silence': {
    misconception: 'what is too large is dropped without a word',
    says: 'together must fit',
    edits: [["{ type: 'too-big', mtu }", "{ type: 'drop' }"]],
  },
  'length-fixed': {
    misconception: 'a new length of datagrams is ignored',
    says: 'the last one that was told',
    edits: [
      ['this.#maxDatagramLength = length', 'this.#maxDatagramLength = Math.max(0, length) && this.#maxDatagramLength'],
    ],
  },
  'mtu-of-the-datagram': {
    misconception: 'the ids before the packet take no room',
    says: 'together must fit',
    edits: [['const mtu = this.#maxDatagramLength - this.#prefix.length', 'const mtu = this.#maxDatagramLength']],
  },
  'no-bound': {
    misconception: 'the queue on the stream grows without a bound',
    says: 'queue without a bound',
    edits: [["if (waiting >= MOST_WAITING) return [{ type: 'drop' }]", "if (waiting > 1e9) return [{ type: 'drop' }]"]],
  },
  'no-fallback': {
    misconception: 'without datagrams nothing is sent',
    says: 'takes no QUIC datagrams still takes packets',
    edits: [
      [
        '#asCapsule(packet: Uint8Array, waiting: number): SendAction[] {',
        `#asCapsule(packet: Uint8Array, waiting: number): SendAction[] {
          if (packet.length > 0) return [{ type: 'drop' }]`,
      ],
    ],
  },
  'off-by-one': {
    misconception: 'the largest packet is refused',
    says: 'together must fit',
    edits: [['packet.length > mtu', 'packet.length >= mtu']],
  },
  'one-byte-quarter': {
    misconception: 'the Quarter Stream ID is a byte',
    says: 'two bytes from 64 on',
    edits: [['[...varint(requestStream / 4), CONTEXT_ID]', '[(requestStream / 4) & 0xff, CONTEXT_ID]']],
  },
  'packet-alone': {
    misconception: 'the datagram is the packet and nothing else',
    says: 'whose it is',
    edits: [['concat(this.#prefix, packet)', 'packet']],
  },
  'single-stream': {
    misconception: 'everything goes on the stream of the request',
    says: 'head-of-line blocking',
    edits: [
      [
        'return this.#maxDatagramLength > 0 ? this.#asDatagram(packet) : this.#asCapsule(packet, waiting)',
        'return this.#asCapsule(packet, waiting)',
      ],
    ],
  },
  'one-buffer-for-all': {
    misconception: 'the bytes of every action are in one buffer, which the next call fills anew',
    says: 'changed what an earlier call',
    edits: [
      [
        `const joined = new Uint8Array(a.length + b.length)
        joined.set(a)`,
        `const joined = BUFFER.subarray(0, a.length + b.length)
        joined.set(a)`,
      ],
      [
        'const CONTEXT_ID = 0',
        `const BUFFER = new Uint8Array(2000)
      const CONTEXT_ID = 0`,
      ],
    ],
  },
  'stream-ended': {
    misconception: 'the stream of the request is ended with each packet',
    says: 'when it ends (fin)',
    edits: [['fin: false', 'fin: true']],
  },
  'stream-id-not-quartered': {
    misconception: 'the stream id itself is written',
    says: 'divided by four',
    edits: [['requestStream / 4', 'requestStream']],
  },
  'stream-per-packet': {
    misconception: 'one more packet, one more stream, in fewer lines',
    says: 'sent again, and comes',
    edits: [
      [
        '#maxDatagramLength: number',
        `#maxDatagramLength: number
        #streams = 0`,
      ],
      [
        'return this.#maxDatagramLength > 0 ? this.#asDatagram(packet) : this.#asCapsule(packet, waiting)',
        `const stream = this.#streams++
        return [
          { type: 'open-stream', stream, streamType: 0x4d51 },
          { type: 'write', stream, data: concat(this.#prefix, packet), fin: true },
        ]`,
      ],
    ],
  },
})
