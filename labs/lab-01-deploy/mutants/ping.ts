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
  'data-with-headers': {
    misconception: 'takes the whole packet for its data',
    says: 'the whole IP packet',
    edits: [['data = "464"', 'data = "492"']],
  },
  'data-with-icmp': {
    misconception: 'forgets the header of ICMP',
    says: 'no data either',
    edits: [['data = "464"', 'data = "472"']],
  },
  'data-with-ip': {
    misconception: 'forgets the header of IP',
    says: 'which the server counts too',
    edits: [['data = "464"', 'data = "484"']],
  },
  'data-of-ipv6': {
    misconception: 'takes off the header of IPv6',
    says: 'that of IPv6',
    edits: [['data = "464"', 'data = "444"']],
  },
  'data-of-somebody-else': {
    misconception: 'an answer that is right for another run',
    says: 'one of your own runs',
    edits: [['data = "464"', 'data = "300"']],
  },
})
