/** Wrong solutions of `ping`. */
import { mutants } from '../../kit/grading/mutants.ts'

export default mutants('answers.toml', {
  'decrement-at-both-ends': {
    misconception: 'expects a decrement at both ends of the tunnel',
    says: 'not on decapsulation',
    edits: [['host = "63"', 'host = "62"']],
  },
  'no-decrement': {
    misconception: 'expects no decrement at all',
    says: 'forwarding costs one hop',
    edits: [['host = "63"', 'host = "64"']],
  },
  'proxy-decrements-its-own': {
    misconception: 'expects the proxy to decrement the packets it makes itself',
    says: 'makes this answer itself',
    edits: [['gateway = "64"', 'gateway = "63"']],
  },
})
