/** Wrong solutions of `controller`. */
import { mutants } from '../../kit/grading/mutants.ts'

const FILLED = 'who waits for losses has filled it by then'
const IDLE = 'the line is idle for a part of the time'
const GIVES_WAY = 'it gives way to a queue that somebody else fills'
const STARVES = 'hardly anything is left for the CUBIC'

export default mutants('controller.ts', {
  'waits-for-losses': {
    misconception: 'only a loss says that the path is full',
    says: FILLED,
    edits: [['return roundTrip - this.#rtt.min > TARGET_MS', 'return roundTrip < 0']],
  },
  'smoothed-as-shortest': {
    misconception: 'what round trips are compared with is their mean, which grows with the queue',
    says: FILLED,
    edits: [['return roundTrip - this.#rtt.min > TARGET_MS', 'return roundTrip - this.#rtt.smoothed > TARGET_MS']],
  },
  'always-competes': {
    misconception: 'there is always somebody else',
    says: FILLED,
    edits: [['} else if (!this.#isCompeting) {', '} else if (this.#isCompeting) {']],
  },
  'half-a-second-is-short': {
    misconception: 'half a second is a short queue',
    says: FILLED,
    edits: [['const TARGET_MS = 25', 'const TARGET_MS = 500']],
  },
  'six-packets': {
    misconception: 'a small window is a short queue, and that is all there is to it',
    says: IDLE,
    edits: [
      [
        'this.window += this.#isSlowStart ?',
        'if (this.window < 6 * this.#datagramSize) this.window += this.#isSlowStart ?',
      ],
      ['this.window = 10 * datagramSize', 'this.window = 6 * datagramSize'],
    ],
  },
  'gives-way': {
    misconception: 'a long queue is always our own',
    says: GIVES_WAY,
    edits: [['roundTrip > FOLLOWED * this.#tried.roundTrip', 'roundTrip < 0']],
  },
  'counts-the-runs': {
    misconception: 'whether there is somebody else follows from how many controllers were made before',
    says: GIVES_WAY,
    edits: [
      [
        "readonly name = 'tunnel'",
        "readonly name = 'tunnel'; static made = 0; readonly isLate = TunnelController.made++ >= 12",
      ],
      ['roundTrip > FOLLOWED * this.#tried.roundTrip', 'this.isLate'],
    ],
  },
  'keeps-its-window': {
    misconception: 'losses are for others',
    says: STARVES,
    edits: [
      ['this.#shrink(SHRINK_LOSS)', ''],
      ['const GROWTH = 2', 'const GROWTH = 6'],
      ['const TRY_AGAIN_MS = 10_000', 'const TRY_AGAIN_MS = Number.POSITIVE_INFINITY'],
    ],
  },
  'no-window': {
    misconception: 'a window may be nothing',
    says: 'window is',
    edits: [['this.window = Math.max(bytes, 2 * this.#datagramSize)', 'this.window = Math.min(0, bytes)']],
  },
})
