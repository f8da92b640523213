/** Wrong solutions of `whole`: of its answers, and of the three parts. Some parts pass the task in which they are written. */
import { mutants } from '../../kit/grading/mutants.ts'

export default mutants('answers.toml', {
  'queue-of-both': {
    misconception: 'takes what leaves both queues for what leaves this one',
    says: 'gets shorter only by those of the busy one',
    edits: [['queue = "342"', 'queue = "282"']],
  },
  'queue-at-the-pace': {
    misconception: 'takes the pace of the pump for what was measured',
    says: 'the pace that the pump can go at',
    edits: [['queue = "342"', 'queue = "256"']],
  },
  'queue-of-one': {
    misconception: 'takes the time of one packet for that of a queue',
    says: 'the time of one packet',
    edits: [['queue = "342"', 'queue = "5.34"']],
  },
  'queue-in-seconds': {
    misconception: 'gives seconds',
    says: 'in seconds',
    edits: [['queue = "342"', 'queue = "0.342"']],
  },
  'queue-multiplied': {
    misconception: "takes Little's law the wrong way round",
    says: 'not multiplied',
    edits: [['queue = "342"', 'queue = "11990"']],
  },
  'queue-of-the-other': {
    misconception: 'takes the rate of the quiet client',
    says: 'not at that of the quiet one',
    edits: [['queue = "342"', 'queue = "1628"']],
  },
  'queue-of-somebody-else': {
    misconception: 'an answer that is right for another run',
    says: 'one of your own runs',
    edits: [['queue = "342"', 'queue = "308"']],
  },
  'fewer-without-headers': {
    misconception: 'takes the MTU for what a packet holds of the file',
    says: '28 bytes are headers',
    edits: [['fewer = "72"', 'fewer = "69"']],
  },
  'fewer-is-after': {
    misconception: 'takes one of the two for the difference',
    says: 'how many there are afterwards',
    edits: [['fewer = "72"', 'fewer = "807"']],
  },
  'fewer-is-before': {
    misconception: 'takes the other one for the difference',
    says: 'how many there were before',
    edits: [['fewer = "72"', 'fewer = "879"']],
  },
  'fewer-with-a-sign': {
    misconception: 'after less before',
    says: 'without a sign',
    edits: [['fewer = "72"', 'fewer = "-72"']],
  },
  'link-is-full': {
    misconception: 'takes the link for what both share',
    says: 'a link of its own',
    edits: [['unfair = "d"', 'unfair = "a"']],
  },
  'congestion-control': {
    misconception: 'takes congestion control for one of all connections',
    says: 'for each connection by itself',
    edits: [['unfair = "d"', 'unfair = "b"']],
  },
  'library-is-busy': {
    misconception: 'takes what is not delivered for what was not sent',
    says: 'The library has answered',
    edits: [['unfair = "d"', 'unfair = "c"']],
  },
  'no-run': {
    misconception: 'has answered without a measurement',
    says: 'no run of whole yet',
    file: 'measured.toml',
    edits: [['[[whole]]', '[[elsewhere]]']],
  },
  'pump-drains-a-queue': {
    misconception: 'a queue is drained before the next one',
    says: 'also while the other one is flooded',
    file: 'pump.ts',
    edits: [['this.#ready = [...this.#ready.filter(queue => queue !== event.queue), event.queue]', '']],
  },
  'pump-forgets': {
    misconception: 'a new turn knows only the queues that are named',
    // Whichever of the two it forgets: the quiet one loses pings, or the busy one hardly has a turn, fewer than the quiet one.
    says: 'the quiet',
    file: 'pump.ts',
    edits: [
      [
        'for (const queue of event.queues) if (!this.#ready.includes(queue)) this.#ready.push(queue)',
        'this.#ready = [...event.queues]',
      ],
    ],
  },
  'pump-yields-early': {
    misconception: 'every packet has a turn of its own',
    says: 'packets in a turn',
    file: 'pump.ts',
    edits: [['this.#taken >= this.#budget', 'this.#taken >= 1']],
  },
  'pump-without-a-budget': {
    misconception: 'drains everything before it lets others go on',
    says: 'in one turn of your pump',
    file: 'pump.ts',
    edits: [["if (this.#taken >= this.#budget) return { type: 'yield' }", '']],
  },
  'sender-of-streams': {
    misconception: 'a stream for each packet',
    says: 'came late',
    file: 'send-packet.ts',
    edits: [
      [
        "return [{ type: 'datagram', data: concat(this.#prefix, packet) }]",
        `const stream = this.#streams++
        const data = concat(this.#prefix, packet)
        return [
          { type: 'open-stream', stream, streamType: 0x4d51 },
          { type: 'write', stream, data, fin: true },
        ]`,
      ],
      [
        '#maxDatagramLength: number',
        `#maxDatagramLength: number
        #streams = 0`,
      ],
    ],
  },
  'sender-with-one-mtu-for-all': {
    misconception:
      'all senders share what the last one was told; it passes its own task, in which there is never more than one',
    says: 'refused as too big',
    file: 'send-packet.ts',
    edits: [
      ['#maxDatagramLength: number', 'static told = 0'],
      [
        `this.#prefix = Uint8Array.from([...varint(requestStream / 4), CONTEXT_ID])
        this.#maxDatagramLength = maxDatagramLength`,
        `this.#prefix = Uint8Array.from([...varint(requestStream / 4), CONTEXT_ID])
        PacketSender.told = maxDatagramLength`,
      ],
      ['this.#maxDatagramLength = length', 'PacketSender.told = length'],
      ['this.#maxDatagramLength > 0', 'PacketSender.told > 0'],
      ['this.#maxDatagramLength - this.#prefix.length', 'PacketSender.told - this.#prefix.length'],
    ],
  },
  'sender-that-is-not-told': {
    misconception: 'the length of datagrams stays as it was',
    says: 'refused as too big',
    file: 'send-packet.ts',
    edits: [['this.#maxDatagramLength = length', 'void length']],
  },
  'sender-that-thins-out': {
    misconception: 'loses a part of the packets itself',
    says: 'pings answered',
    file: 'send-packet.ts',
    edits: [
      [
        "return [{ type: 'datagram', data: concat(this.#prefix, packet) }]",
        "return Math.random() < 0.2 ? [{ type: 'drop' }] : [{ type: 'datagram', data: concat(this.#prefix, packet) }]",
      ],
    ],
  },
  'search-for-all': {
    misconception:
      'all searches share what the best one has found; it passes its own task, in which there is never more than one',
    says: 'what is larger than that vanishes',
    file: 'path-mtu.ts',
    edits: [
      ['#confirmed: number', '#confirmed: number\n  static best = 0'],
      ['this.#confirmed = options.base', 'PathMtuSearch.best = this.#confirmed = options.base'],
      ['return this.#confirmed\n', 'return PathMtuSearch.best\n'],
      [
        'this.#confirmed = Math.max(this.#confirmed, size)',
        `this.#confirmed = Math.max(this.#confirmed, size)
        PathMtuSearch.best = Math.max(PathMtuSearch.best, this.#confirmed)`,
      ],
      ['this.#confirmed = this.#options.base', 'PathMtuSearch.best = this.#confirmed = this.#options.base'],
    ],
  },
  'search-believes-silence': {
    misconception: 'what was sent has arrived',
    says: 'what is larger than that vanishes',
    file: 'path-mtu.ts',
    edits: [['this.#givenUp.push(probe.size)', 'this.#confirmed = probe.size']],
  },
  'search-that-is-content': {
    misconception: 'the base is enough',
    says: 'your search to end within',
    file: 'path-mtu.ts',
    edits: [['this.#ceiling - this.#confirmed < granularity', 'this.#ceiling - this.#confirmed < 50 * granularity']],
  },
})
