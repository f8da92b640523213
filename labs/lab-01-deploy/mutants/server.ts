/** Wrong solutions of `server`. */
import { mutants } from '../../kit/grading/mutants.ts'

export default mutants('answers.toml', {
  'counts-the-whole-prefix': {
    misconception: 'counts all addresses of the prefix',
    says: 'not all can be leased',
    edits: [['leases = "61"', 'leases = "64"']],
  },
  'forgets-the-broadcast': {
    misconception: 'leaves out the network address only',
    says: 'More than one address',
    edits: [['leases = "61"', 'leases = "63"']],
  },
  'forgets-the-proxy': {
    misconception: 'forgets that the proxy has an address too',
    says: 'One more is in use',
    edits: [['leases = "61"', 'leases = "62"']],
  },
  'reads-the-wrong-number': {
    misconception: 'reads how many are leased, not how many there are to lease',
    says: 'That is how many are leased now',
    edits: [['leases = "61"', 'leases = "0"']],
  },
})
