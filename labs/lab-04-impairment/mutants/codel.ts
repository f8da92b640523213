/** Wrong solutions of `codel`. */
import { mutants } from '../../kit/grading/mutants.ts'

export default mutants('codel.ts', {
  constant: {
    misconception: 'the time between drops stays the same',
    says: 'stays the same',
    edits: [['return timeMs + intervalMs / Math.sqrt(count)', 'return timeMs + intervalMs']],
  },
  'count-from-one': {
    misconception: 'dropping always begins with count 1',
    says: 'begins with the number of drops that were needed before',
    edits: [
      [
        `const inARow = this.#count - this.#lastCount
        this.#count = inARow > 1 && nowMs - this.#dropNextMs < 16 * intervalMs ? inARow : 1`,
        'this.#count = 1',
      ],
    ],
  },
  'count-kept': {
    misconception: 'count is remembered for ever',
    says: 'out of date',
    edits: [['1 && nowMs - this.#dropNextMs < 16 * intervalMs ? inARow', '1 ? inARow']],
  },
  'count-of-all': {
    misconception: 'count goes on where it was',
    says: 'count begins with count - lastcount',
    edits: [['const inARow = this.#count - this.#lastCount', 'const inARow = this.#count']],
  },
  'drops-at-once': {
    misconception: 'drops as soon as one packet has waited longer than target',
    says: 'a queue that drains again is good',
    edits: [
      [
        `if (this.#firstAboveMs === 0) {
          this.#firstAboveMs = nowMs + intervalMs
          return { packet, mayDrop: false }
        }
        return { packet, mayDrop: nowMs >= this.#firstAboveMs }`,
        'return { packet, mayDrop: true }',
      ],
    ],
  },
  'from-now': {
    misconception: 'the next drop is due after now, not after this one was due',
    says: 'not after now',
    edits: [['this.#dropNextMs,', 'nowMs,']],
  },
  'last-packet': {
    misconception: 'drops also when one packet is left',
    says: 'or such a link would carry nothing',
    edits: [['targetMs || this.#bytes <= maxPacketBytes', 'targetMs']],
  },
  linear: {
    misconception: 'the time between drops is interval/count',
    says: 'not interval/count',
    edits: [['return timeMs + intervalMs / Math.sqrt(count)', 'return timeMs + intervalMs / count']],
  },
  'longer-and-longer': {
    misconception: 'the time between drops grows',
    says: 'divided by √count',
    edits: [['return timeMs + intervalMs / Math.sqrt(count)', 'return timeMs + intervalMs * Math.sqrt(count)']],
  },
  'never-below': {
    misconception: 'the interval does not begin anew when the sojourn time is below target',
    says: 'the interval has to begin anew',
    edits: [
      [
        `if (nowMs - packet.arrivedMs < targetMs || this.#bytes <= maxPacketBytes) {
          this.#firstAboveMs = 0`,
        'if (nowMs - packet.arrivedMs < targetMs || this.#bytes <= maxPacketBytes) {',
      ],
    ],
  },
  'never-leaves': {
    misconception: 'the dropping state is never left',
    says: 'the queue is good again',
    edits: [
      [
        'if (this.#dropping) {',
        `mayDrop ||= this.#dropping
        if (this.#dropping) {`,
      ],
      ['if (!mayDrop) this.#dropping = false', ''],
      [
        `if (mayDrop) this.#dropNextMs = controlLaw(this.#dropNextMs, intervalMs, this.#count)
        else this.#dropping = false`,
        'this.#dropNextMs = controlLaw(this.#dropNextMs, intervalMs, this.#count)',
      ],
    ],
  },
  'one-a-call': {
    misconception: 'no more than one drop a call',
    says: 'while the time of the next one has come',
    edits: [
      [
        'while (this.#dropping && packet && nowMs >= this.#dropNextMs)',
        'if (this.#dropping && packet && nowMs >= this.#dropNextMs)',
      ],
    ],
  },
  'tail-drop': {
    misconception: 'drops at the tail',
    says: 'drops at the head',
    edits: [
      [
        'if (this.#dropping) {',
        `const drop = (head: Packet): void => {
          const tail = this.#packets.pop()
          if (tail) {
            this.#bytes += head.bytes - tail.bytes
            this.#packets.unshift(head)
          }
          dropped.push((tail ?? head).id)
        }
        if (this.#dropping) {`,
      ],
      [
        `while (this.#dropping && packet && nowMs >= this.#dropNextMs) {
          dropped.push(packet.id)`,
        `while (this.#dropping && packet && nowMs >= this.#dropNextMs) {
          drop(packet)`,
      ],
      [
        `} else if (mayDrop && packet) {
          dropped.push(packet.id)`,
        `} else if (mayDrop && packet) {
          drop(packet)`,
      ],
    ],
  },
  'at-target': {
    misconception: 'a sojourn time of exactly target is good',
    says: 'exactly target is not below it',
    edits: [['nowMs - packet.arrivedMs < targetMs', 'nowMs - packet.arrivedMs <= targetMs']],
  },
  'largest-packet-left': {
    misconception: 'a queue of exactly maxPacketBytes may be bad',
    says: 'of exactly maxPacketBytes',
    edits: [['this.#bytes <= maxPacketBytes', 'this.#bytes < maxPacketBytes']],
  },
  'fifteen-hundred': {
    misconception: 'the largest packet has 1500 bytes',
    says: 'maxPacketBytes is an option',
    edits: [
      ['this.#bytes <= maxPacketBytes', 'this.#bytes <= 1500'],
      [
        'const { targetMs, intervalMs, maxPacketBytes } = this.#options',
        'const { targetMs, intervalMs } = this.#options',
      ],
    ],
  },
  'fixed-times': {
    misconception: 'target and interval are 5 and 100 ms',
    says: 'whatever the options say',
    edits: [
      [
        'const { targetMs, intervalMs, maxPacketBytes } = this.#options',
        `const { maxPacketBytes } = this.#options
    const [targetMs, intervalMs] = [5, 100]`,
      ],
      ['const { intervalMs } = this.#options', 'const intervalMs = 100'],
    ],
  },
  'in-seconds': {
    misconception: 'target and interval are in seconds',
    says: 'All times here are in ms',
    edits: [
      [
        'const { targetMs, intervalMs, maxPacketBytes } = this.#options',
        `const { maxPacketBytes } = this.#options
    const [targetMs, intervalMs] = [this.#options.targetMs / 1000, this.#options.intervalMs / 1000]`,
      ],
      ['const { intervalMs } = this.#options', 'const intervalMs = this.#options.intervalMs / 1000'],
    ],
  },
})
