/** Wrong solutions of `interfaces`. */
import { mutants } from '../../kit/grading/mutants.ts'

export default mutants('answers.toml', {
  'kernel-is-no-router': {
    misconception: 'forgets that the kernel of the proxy machine forwards',
    says: 'a router of its own',
    edits: [['ttl = "62"', 'ttl = "63"']],
  },
  'no-router-at-all': {
    misconception: 'expects no decrement at all',
    says: 'Nobody on the way would be a router',
    edits: [['ttl = "62"', 'ttl = "64"']],
  },
  'client-forwards': {
    misconception: 'takes the arrival at the client for forwarding',
    says: 'not forwarded again',
    edits: [['ttl = "62"', 'ttl = "61"']],
  },
  'mtu-of-the-cable': {
    misconception: 'calculates with the MTU outside of the tunnel',
    says: 'MTU inside, of masque0',
    edits: [['largest = "1338"', 'largest = "1472"']],
  },
  'whole-packet': {
    misconception: 'takes the whole packet for its data',
    says: 'the whole IP packet',
    edits: [['largest = "1338"', 'largest = "1366"']],
  },
  'largest-with-icmp': {
    misconception: 'forgets the header of ICMP',
    says: 'no data either',
    edits: [['largest = "1338"', 'largest = "1346"']],
  },
  'header-of-ipv6': {
    misconception: 'takes off the header of IPv6',
    says: 'that of IPv6',
    edits: [['largest = "1338"', 'largest = "1318"']],
  },
  'assigned-address': {
    misconception: 'expects the assigned address outside, in spite of NAT',
    says: 'NAT',
    edits: [['sees = "c"', 'sees = "b"']],
  },
  'address-of-the-cable': {
    misconception: 'expects the outer address at the web server',
    says: 'outside of the tunnel',
    edits: [['sees = "c"', 'sees = "a"']],
  },
  'address-of-the-other-side': {
    misconception: 'takes any address of the proxy machine for the one that NAT puts in',
    says: 'on its other side',
    edits: [['sees = "c"', 'sees = "d"']],
  },
  'inner-packets-on-the-cable': {
    misconception: 'expects the inner packets on the cable',
    says: 'what programs send',
    edits: [['cable = "a"', 'cable = "b"']],
  },
  'nothing-on-the-cable': {
    misconception: 'takes the TUN device for a way out of the machine',
    says: 'not out of the machine',
    edits: [['cable = "a"', 'cable = "c"']],
  },
  'readable-tunnel': {
    misconception: 'takes the tunnel for one that is not encrypted',
    says: 'encrypted',
    edits: [['cable = "a"', 'cable = "d"']],
  },
})
