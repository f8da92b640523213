/** Wrong answers of `kernel`. */
import { mutants } from '../../kit/grading/mutants.ts'

export default mutants('answers.toml', {
  'mtu-of-the-cable': {
    misconception: 'calculates with the MTU outside of the tunnel',
    says: 'outside of the tunnel',
    edits: [['segment = "1314"', 'segment = "1448"']],
  },
  'cable-without-timestamps': {
    misconception: 'knows the MSS of Ethernet by heart',
    says: 'without timestamps',
    edits: [['segment = "1314"', 'segment = "1460"']],
  },
  'whole-packet': {
    misconception: 'takes the whole packet for its data',
    says: 'the whole IP packet',
    edits: [['segment = "1314"', 'segment = "1366"']],
  },
  'no-timestamps': {
    misconception: 'forgets the options of TCP',
    says: 'The timestamps are in each packet',
    edits: [['segment = "1314"', 'segment = "1326"']],
  },
  'header-of-ipv6': {
    misconception: 'takes off the header of IPv6',
    says: 'that of IPv6',
    edits: [['segment = "1314"', 'segment = "1294"']],
  },
  'part-of-the-cable': {
    misconception: 'divides by what came in outside',
    says: 'divide by the file',
    edits: [['overhead = "9.66"', 'overhead = "8.81"']],
  },
  'no-percent': {
    misconception: 'gives a part instead of percent',
    says: 'not percent',
    edits: [['overhead = "9.66"', 'overhead = "0.0966"']],
  },
  'all-of-it': {
    misconception: 'gives all that came in',
    says: 'all that came in',
    edits: [['overhead = "9.66"', 'overhead = "109.7"']],
  },
  'overhead-of-somebody-else': {
    misconception: 'an answer that is right for another run',
    says: 'one of your own runs',
    edits: [['overhead = "9.66"', 'overhead = "5"']],
  },
  'tcp-is-modest': {
    misconception: 'TCP slows down by itself',
    says: 'takes all that it gets',
    edits: [['slower = "c"', 'slower = "a"']],
  },
  'slow-veth': {
    misconception: 'the virtual cable is slow',
    says: 'many times as much',
    edits: [['slower = "c"', 'slower = "b"']],
  },
  'encrypted-twice': {
    misconception: 'TCP encrypts',
    says: 'TCP encrypts nothing',
    edits: [['slower = "c"', 'slower = "d"']],
  },
})
