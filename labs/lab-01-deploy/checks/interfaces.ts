/** Task 9, optional: programs of the operating system in the tunnel. */
import { expectOwnNumber, type OwnQuestion, recordRun } from '../../kit/check/own-runs.ts'
import { expectChoice, expectNumber, numberIn } from '../../kit/check/questions.ts'
import { realNetwork } from '../../kit/check/real-network.ts'
import type { CheckContext, Feedback, Reading } from '../../kit/lab/types.ts'
import { ROUTING } from '../deployment.ts'

const TUN = 'docs/tun.md'
const WEB = '198.51.100.2'

// Cases ----------------------------------------------------------------------------------------------------------------

const READ_TTL: Reading[] = [ROUTING, `${TUN}, "The way of a packet"`]
const READ_MTU: Reading[] = [`${TUN}, "The way of a packet"`, 'RFC 791 §3.1', 'RFC 792, "Echo or Echo Reply Message"']

const TTL: OwnQuestion = {
  task: 'interfaces',
  figures: ['ttl', 'mtu'],
  right: run => run.ttl,
  wrong: [
    {
      says: 'The process of the proxy takes one. But the packet comes to it through a kernel that forwards, too, from one interface to another: that is a router of its own.',
      would: run => run.ttl + 1,
    },
    { says: 'Nobody on the way would be a router then. Two of those that pass the packet on are.', would: () => 64 },
    {
      says: 'The client is where the packet ends. It comes out of the tunnel and goes up to `ping`; it is not forwarded again.',
      would: run => run.ttl - 1,
    },
  ],
  tolerance: 0,
  read: READ_TTL,
}

const IP_HEADER = 20
const IPV6_HEADER = 40
const ICMP_HEADER = 8
const ETHERNET_MTU = 1500
/** `ping` takes no larger ones. */
const LARGEST_PING = 65_000

const LARGEST: OwnQuestion = {
  task: 'interfaces',
  figures: ['ttl', 'mtu'],
  right: run => run.mtu - IP_HEADER - ICMP_HEADER,
  wrong: [
    {
      says: 'That fits into the 1500 bytes of c0, outside of the tunnel. What counts is the MTU inside, of masque0: the headers of IP, UDP and QUIC go around each packet.',
      would: () => ETHERNET_MTU - IP_HEADER - ICMP_HEADER,
    },
    {
      says: 'That is the MTU of c0, outside of the tunnel. What counts is that of masque0.',
      would: () => ETHERNET_MTU,
    },
    { says: 'That is the MTU, so the whole IP packet. -s is about the data of the ping alone.', would: run => run.mtu },
    { says: 'Behind the header of IP is that of ICMP, which is no data either.', would: run => run.mtu - IP_HEADER },
    {
      says: 'In front of the header of ICMP is that of IP, which the MTU counts too.',
      would: run => run.mtu - ICMP_HEADER,
    },
    {
      says: 'The header of IPv4 has 20 bytes. The one with 40 is that of IPv6.',
      would: run => run.mtu - IPV6_HEADER - ICMP_HEADER,
    },
  ],
  tolerance: 0,
  read: READ_MTU,
}

// Judgement ------------------------------------------------------------------------------------------------------------

export async function check(context: CheckContext): Promise<Feedback> {
  expectNumber(context, 'ttl', {
    text: 'you predict the TTL before you measure it',
    expected: 'a number, before anything is measured',
    right: () => true,
    read: READ_TTL,
  })
  // A mark must not depend on what a machine allows: in grading, the run counts that the student has sat in front of.
  const tried = context.mode === 'live' ? await measure(context) : undefined
  expectOwnNumber(context, 'ttl', TTL)
  expectOwnNumber(context, 'largest', LARGEST)
  if (tried !== undefined) {
    context.expect('a ping of that size is answered, and one with a byte more is not', tried.own && !tried.oneMore, {
      expected: 'an answer with as much data as you say, and none with a byte more',
      found: `with your number: ${tried.own ? 'answered' : 'no answer'}; with a byte more: ${tried.oneMore ? 'answered' : 'no answer'}`,
      read: READ_MTU,
    })
  }
  expectChoice(context, 'sees', {
    right: 'c',
    wrong: {
      a: 'That address is outside of the tunnel: it is on the packets that carry the tunnel, and stays between client and proxy.',
      b: 'That one is on the packet in the tunnel. But the web server would know no way back to it: the proxy machine puts its own in its place (NAT).',
      d: 'That is an address of the proxy machine, but on its other side. What leaves through an interface gets the address of that interface.',
    },
    read: [`${TUN}, "The server"`],
  })
  expectChoice(context, 'cable', {
    right: 'a',
    wrong: {
      b: 'That is what tcpdump shows on masque0: what programs send. What leaves the machine is what our client makes of it.',
      c: 'masque0 leads into our client, and not out of the machine. The client sends what it makes of each packet through c0.',
      d: 'The payload of QUIC is encrypted, the addresses of the inner packets with it. tcpdump sees UDP, and no more.',
    },
    read: [`${TUN}, "The way of a packet"`, 'RFC 9001 §5'],
  })
  return {
    passed: true,
    expected: 'what the programs of an operating system see of a tunnel, and what is seen of it from outside',
    found: 'the TTL, the largest ping, the address and the cable are as you say',
    read: [TUN, 'RFC 9484 §8.1'],
  }
}

/**
 * Measures in a network of the check's own, and tries the student's number there: is a ping of this size answered, and one of a byte
 * more? Undefined: it is no size of a ping.
 */
async function measure(context: CheckContext): Promise<{ own: boolean; oneMore: boolean } | undefined> {
  const network = await realNetwork(context, ['ping'])
  const ping = (...options: string[]) => network.run('client', ['ping', '-n', '-c', '1', '-W', '10', ...options, WEB])
  const ttl = Number(/ttl=(\d+)/.exec(await context.do(`ping ${WEB}`, () => ping()))?.[1])
  const mtu = Number(await network.run('client', ['cat', '/sys/class/net/masque0/mtu']))
  context.measure('TTL of the answer at the client', ttl)
  recordRun(context, 'interfaces', { ttl, mtu })
  const { value } = numberIn(context.answers.largest)
  if (!Number.isInteger(value) || value < 0 || value > LARGEST_PING) return undefined
  const isAnswered = (size: number) =>
    ping('-M', 'do', '-s', `${size}`).then(
      () => true,
      () => false,
    )
  return await context.do(`ping in one piece with ${value} bytes of data, and with one more`, async () => ({
    own: await isAnswered(value),
    oneMore: await isAnswered(value + 1),
  }))
}
