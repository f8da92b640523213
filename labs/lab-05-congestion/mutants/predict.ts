/** Wrong solutions of `predict`. */
import { mutants } from '../../kit/grading/mutants.ts'

export default mutants('answers.toml', {
  'one-datagram': {
    misconception: 'in slow start, a round trip is worth a datagram',
    says: 'slow start grows by all that is acknowledged',
    edits: [['a = "24000"', 'a = "13200"']],
  },
  linear: {
    misconception: 'slow start grows by the same amount each time',
    says: 'the larger the window',
    edits: [['b = "96000"', 'b = "36000"']],
  },
  cubic: {
    misconception: 'a loss leaves 0.7 of the window',
    says: 'NewReno halves',
    edits: [['c = "48000"', 'c = "67200"']],
  },
  'acknowledged-first': {
    misconception: 'an ACK lets the window grow first, and is heard to tell of a loss then',
    says: 'the window is halved before anything of this round has let it grow',
    edits: [['c = "48000"', 'c = "49800"']],
  },
  'four-times': {
    misconception: 'each lost packet halves the window',
    says: 'the same recovery period',
    edits: [['d = "48000"', 'd = "6000"']],
  },
  'grows-in-recovery': {
    misconception: 'every ACK lets the window grow',
    says: 'in a recovery period the window does not grow',
    edits: [['d = "48000"', 'd = "120000"']],
  },
  'slow-start-again': {
    misconception: 'after a loss the window doubles again',
    says: 'from the threshold on',
    edits: [['e = "60000"', 'e = "96000"']],
  },
  'not-used': {
    misconception: 'time alone lets a window grow',
    says: 'a window that is not used does not grow',
    edits: [['f = "60000"', 'f = "67200"']],
  },
  'anew-after-a-pause': {
    misconception: 'with little to send, a connection begins anew',
    says: 'nothing for longer than its retransmission timeout',
    edits: [['f = "60000"', 'f = "12000"']],
  },
  'half-again': {
    misconception: 'persistent congestion is one more loss',
    says: 'longer than three probe timeouts',
    edits: [['g = "2400"', 'g = "30000"']],
  },
  'avoidance-after-all': {
    misconception: 'after persistent congestion there is no slow start',
    says: 'below the threshold of 30000 it is slow start',
    edits: [['h = "19200"', 'h = "6000"']],
  },
})
