/** Wrong solutions of `path-mtu`. */
import { mutants } from '../../kit/grading/mutants.ts'

export default mutants('path-mtu.ts', {
  'believes-every-router': {
    misconception: 'Packet Too Big is believed whatever it says',
    says: 'Anybody can send',
    edits: [['undefined || largest < this.#confirmed || largest >= this.#probe.size', 'undefined']],
  },
  'confirmed-by-a-router': {
    misconception: 'what a router names is taken for confirmed',
    says: 'only that is known to pass',
    edits: [
      [
        'this.#limit = largest',
        `this.#limit = largest
        this.#confirmed = largest`,
      ],
    ],
  },
  'ignores-routers': {
    misconception: 'Packet Too Big is ignored',
    says: 'saves the probes above it',
    edits: [
      [
        `this.#limit = largest
        this.#probe = undefined`,
        '',
      ],
    ],
  },
  'late-answers-ignored': {
    misconception: 'only the answer to the probe on its way counts',
    says: 'small enough',
    edits: [
      [
        'acknowledged(size: number): void {',
        `acknowledged(size: number): void {
          if (this.#probe?.size !== size) return`,
      ],
    ],
  },
  'late-answers-leave-the-ceiling': {
    misconception: 'a late answer raises what is confirmed, and what its silence had ruled out stays ruled out',
    says: 'nothing is left of what was concluded from its silence',
    edits: [
      ['...this.#givenUp.map(size => size - 1)', '...this.#givenUp.map(size => Math.max(size - 1, this.#confirmed))'],
      ['this.#givenUp = this.#givenUp.filter(other => other > this.#confirmed)', ''],
    ],
  },
  'never-gives-up': {
    misconception: 'a size is tried for ever',
    says: 'has to be given up',
    edits: [['probe.sent < maxProbes', 'probe.sent > 0']],
  },
  'old-answers-count': {
    misconception: 'an answer that was on its way when the path changed counts for the new path',
    says: 'about the old path',
    edits: [['this.#tried.clear()', '']],
  },
  'one-loss-is-enough': {
    misconception: 'a size is given up after one lost probe',
    says: 'One probe that is lost is not a proof',
    edits: [['probe.sent < maxProbes', 'probe.sent < 1']],
  },
  'first-probe-counts-twice': {
    misconception: 'a size is given up after one probe less than maxProbes',
    says: 'after maxProbes of its probes',
    edits: [['(this.#ceiling - this.#confirmed) / 2), 1, nowMs)', '(this.#ceiling - this.#confirmed) / 2), 2, nowMs)']],
  },
  'packet-number-of-one-byte': {
    misconception: 'the MTU holds for the first packets only',
    says: 'hold for every packet',
    edits: [['const LONGEST_PACKET_NUMBER = 4', 'const LONGEST_PACKET_NUMBER = 1']],
  },
  'stays-in-the-hole': {
    misconception: 'after a black hole the ceiling stays',
    says: 'nothing of what was known',
    edits: [
      [
        `this.#confirmed = this.#options.base
        this.#givenUp = []
        this.#limit = Infinity`,
        'this.#limit = this.#confirmed - 1',
      ],
    ],
  },
  'steps-of-ten': {
    misconception: 'tries one size after the other',
    says: 'one after the other takes too long',
    edits: [
      [
        'this.#confirmed + Math.ceil((this.#ceiling - this.#confirmed) / 2)',
        'Math.min(this.#ceiling, this.#confirmed + 10)',
      ],
    ],
  },
  'stops-early': {
    misconception: 'is content with less than granularity asks for',
    says: 'what it may still gain',
    edits: [['this.#confirmed < granularity', 'this.#confirmed < 4 * granularity']],
  },
  'stream-id-not-quartered': {
    misconception: 'the stream id itself is written',
    says: 'divided by four',
    edits: [['streamId / 4', 'streamId']],
  },
  'tag-forgotten': {
    misconception: 'the tag takes no room',
    says: 'tag of 16 bytes',
    edits: [['const AEAD_TAG = 16', 'const AEAD_TAG = 0']],
  },
  'two-at-a-time': {
    misconception: 'sends the next probe without waiting',
    says: 'never more than one probe',
    edits: [['nowMs < untilMs', 'nowMs < untilMs && probe.sent > 1']],
  },
  'udp-inside': {
    misconception: 'the UDP and IP headers are taken off as well',
    says: 'inside of UDP',
    edits: [['- quicPacket', '- 28 - quicPacket']],
  },
  'waits-for-nothing': {
    misconception: 'the wait is over at once',
    says: 'keeps the processor busy',
    edits: [["'wait', untilMs", "'wait', untilMs: nowMs"]],
  },
})
