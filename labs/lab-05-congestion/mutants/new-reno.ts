/** Wrong solutions of `new-reno`. */
import { mutants } from '../../kit/grading/mutants.ts'

const RECOVERY = 'if (sentAt <= this.#recoveryStart) return'
const ACKED = 'if (!isWindowUsed || packet.sentAt <= this.#recoveryStart) return'

export default mutants('new-reno.ts', {
  'ten-datagrams': {
    misconception: 'a connection begins with ten datagrams, whatever their size',
    says: 'ten large ones would be too much',
    edits: [['Math.min(10 * datagramSize, Math.max(2 * datagramSize, 14_720))', '10 * datagramSize']],
  },
  'one-datagram': {
    misconception: 'one datagram is enough of a window',
    says: 'two are the minimum',
    edits: [['return 2 * datagramSize', 'return datagramSize']],
  },
  'halves-again': {
    misconception: 'each lost packet halves the window',
    says: 'half of a half is too little',
    edits: [[RECOVERY, '']],
  },
  'grows-in-recovery': {
    misconception: 'every ACK lets the window grow',
    says: 'what was in flight then says nothing',
    edits: [[ACKED, 'if (!isWindowUsed) return']],
  },
  'at-the-same-time': {
    misconception: 'what was sent at the very moment of the reduction is later than it',
    says: 'was sent at 80 ms',
    edits: [[RECOVERY, 'if (sentAt < this.#recoveryStart) return']],
  },
  'recovery-moves': {
    misconception: 'a loss in a recovery period prolongs it',
    says: 'ends with the first ACK for something that was sent later',
    edits: [[RECOVERY, 'if (sentAt <= this.#recoveryStart) { this.#recoveryStart = now; return }']],
  },
  'not-used': {
    misconception: 'a window grows whether it is used or not',
    says: 'nothing has shown that the path would carry more',
    edits: [[ACKED, 'if (packet.sentAt <= this.#recoveryStart) return']],
  },
  'slow-start-only': {
    misconception: 'there is nothing but slow start',
    says: 'from the threshold on',
    edits: [['if (this.window < this.slowStartThreshold) {', 'if (isWindowUsed) {']],
  },
  'each-ack': {
    misconception: 'in congestion avoidance, each ACK is worth a datagram',
    says: 'one for each whole window',
    edits: [['if (this.#acked < this.window) return', '']],
  },
  'each-packet': {
    misconception: 'in slow start, each packet is worth a datagram',
    says: 'by the bytes that were acknowledged',
    edits: [['this.window += packet.bytes', 'this.window += this.#datagramSize']],
  },
  'begins-again': {
    misconception: 'after a loss the window is the minimum (TCP Tahoe)',
    says: 'one loss halves it',
    edits: [
      [
        'this.window = Math.max(this.slowStartThreshold, minimumWindow(this.#datagramSize))',
        'this.window = minimumWindow(this.#datagramSize)',
      ],
    ],
  },
  'factor-of-cubic': {
    misconception: 'a loss leaves 0.7 of the window',
    says: 'NewReno halves',
    edits: [['Math.floor(this.window / 2)', 'Math.floor(this.window * 0.7)']],
  },
  'no-minimum': {
    misconception: 'the window may become as small as it gets',
    says: 'smaller than two datagrams',
    edits: [
      [
        'this.window = Math.max(this.slowStartThreshold, minimumWindow(this.#datagramSize))',
        'this.window = this.slowStartThreshold',
      ],
    ],
  },
  'threshold-minimum': {
    misconception: 'the threshold has the minimum of the window',
    says: 'the minimum is one of the window',
    edits: [
      [
        'this.slowStartThreshold = Math.floor(this.window / 2)',
        'this.slowStartThreshold = Math.max(Math.floor(this.window / 2), minimumWindow(this.#datagramSize))',
      ],
    ],
  },
  'all-taken': {
    misconception: 'counting begins with 0 after each datagram',
    says: 'counts towards the next datagram',
    edits: [['this.#acked -= this.window', 'this.#acked = 0']],
  },
  'still-counted': {
    misconception: 'what was acknowledged before a loss still counts',
    says: 'the counting with it',
    edits: [['this.#acked = 0 this.slowStartThreshold', 'this.slowStartThreshold']],
  },
  'persistent-half': {
    misconception: 'persistent congestion is one more loss',
    says: 'worth nothing',
    edits: [
      [
        'this.window = minimumWindow(this.#datagramSize) this.#recoveryStart',
        'this.window = Math.max(this.window / 2, minimumWindow(this.#datagramSize)); this.#recoveryStart',
      ],
    ],
  },
  'persistent-recovery': {
    misconception: 'persistent congestion does not end the recovery period',
    says: 'all begins anew',
    edits: [
      [
        'this.window = minimumWindow(this.#datagramSize) this.#recoveryStart = Number.NEGATIVE_INFINITY',
        'this.window = minimumWindow(this.#datagramSize)',
      ],
    ],
  },
  'old-size': {
    misconception: 'datagrams are always as large as at first',
    says: 'the old size',
    edits: [['this.#datagramSize = bytes this.window', 'this.window']],
  },
  'static-window': {
    misconception: 'what is kept belongs to the class',
    says: 'in fields of the object',
    edits: [
      ['#acked = 0 constructor', 'static acked = 0; constructor'],
      ['this.#acked += packet.bytes', 'NewReno.acked += packet.bytes'],
      ['if (this.#acked < this.window) return', 'if (NewReno.acked < this.window) return'],
      ['this.#acked -= this.window', 'NewReno.acked -= this.window'],
      ['this.#acked = 0 this.slowStartThreshold', 'NewReno.acked = 0; this.slowStartThreshold'],
    ],
  },
})
