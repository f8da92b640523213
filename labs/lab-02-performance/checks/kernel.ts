/** Task 12, optional: a TCP connection of the operating system in the tunnel. */
import { expectOwnNumber, type OwnQuestion, recordRun } from '../../kit/check/own-runs.ts'
import { expectChoice, expectNumber } from '../../kit/check/questions.ts'
import { realNetwork } from '../../kit/check/real-network.ts'
import type { CheckContext, Feedback, Reading } from '../../kit/lab/types.ts'

const TUN = 'docs/tun.md'
const BYTES = 20_000_000
const URL = `http://198.51.100.2/bytes/${BYTES}`

// Cases ----------------------------------------------------------------------------------------------------------------

const FIGURES = ['bytes', 'seconds', 'mtu', 'packets', 'outside']
const READ: Reading[] = [`${TUN}, "The way of a packet"`, 'RFC 9293 §3.7.1', 'RFC 7323 §3.2']

const IP_HEADER = 20
const IPV6_HEADER = 40
const TCP_HEADER = 20
const TIMESTAMPS = 12
const ETHERNET_MTU = 1500

const SEGMENT: OwnQuestion = {
  task: 'kernel',
  figures: FIGURES,
  right: run => run.mtu - IP_HEADER - TCP_HEADER - TIMESTAMPS,
  wrong: [
    {
      says: 'That fits into the 1500 bytes of c0, outside of the tunnel. TCP runs inside of it: what counts is the MTU of masque0.',
      would: () => ETHERNET_MTU - IP_HEADER - TCP_HEADER - TIMESTAMPS,
    },
    {
      says: 'That fits into the 1500 bytes of c0, outside of the tunnel, and without timestamps. What counts is the MTU of masque0.',
      would: () => ETHERNET_MTU - IP_HEADER - TCP_HEADER,
    },
    { says: 'That is the whole IP packet: the headers of IP and TCP are in it.', would: run => run.mtu },
    {
      says: 'That is the MSS that TCP tells its peer. The timestamps are in each packet, too, and take from it.',
      would: run => run.mtu - IP_HEADER - TCP_HEADER,
    },
    {
      says: 'The header of IPv4 has 20 bytes. The one with 40 is that of IPv6.',
      would: run => run.mtu - IPV6_HEADER - TCP_HEADER - TIMESTAMPS,
    },
  ],
  units: ['byte', 'bytes'],
  tolerance: 0,
  read: READ,
}

const OVERHEAD: OwnQuestion = {
  task: 'kernel',
  figures: FIGURES,
  right: run => (run.outside / run.bytes - 1) * 100,
  wrong: [
    {
      says: 'That is the part of what came in at c0 that is no file. Asked for is how much more it is than the file: divide by the file.',
      would: run => (1 - run.bytes / run.outside) * 100,
    },
    { says: 'That is a part, and not percent of it.', would: run => run.outside / run.bytes - 1 },
    {
      says: 'That is all that came in, and not how much more it is than the file.',
      would: run => (run.outside / run.bytes) * 100,
    },
  ],
  units: ['%', 'percent'],
  read: READ,
}

// Judgement ------------------------------------------------------------------------------------------------------------

export async function check(context: CheckContext): Promise<Feedback> {
  const predicted = expectNumber(context, 'speed', {
    text: 'you predict the speed before you measure it',
    expected: 'a number of Mbit/s, before anything is measured',
    right: value => value > 0,
    units: ['mbit/s', 'mbps'],
    read: READ,
  })
  // A mark must not depend on what a machine allows: in grading, the run counts that the student has sat in front of.
  if (context.mode === 'live') await measure(context, predicted)
  expectOwnNumber(context, 'segment', SEGMENT)
  expectOwnNumber(context, 'overhead', OVERHEAD)
  expectChoice(context, 'slower', {
    right: 'c',
    wrong: {
      a: 'TCP takes all that it gets, and slows down where packets are lost or late. Here it is alone.',
      b: 'A pair of veth devices hands packets from one kernel to itself; without the tunnel it carries many times as much.',
      d: 'TCP encrypts nothing. Each packet is encrypted once, by QUIC, as in the benchmark.',
    },
    read: ['docs/benchmarks.md', `${TUN}, "The way of a packet"`],
  })
  return {
    passed: true,
    expected: 'what a TCP connection of the operating system has to do with the tunnel that it runs in',
    found: 'your numbers follow from your run',
    read: [TUN, 'docs/benchmarks.md'],
  }
}

/** A download in a network of the check's own. Each packet is counted where it comes in at the client: in the tunnel, and on the cable. */
async function measure(context: CheckContext, predicted: number): Promise<void> {
  const network = await realNetwork(context)
  const read = async (device: string, what: string) =>
    Number(await network.run('client', ['cat', `/sys/class/net/${device}/${what}`]))
  const counted = async () => ({
    packets: await read('masque0', 'statistics/rx_packets'),
    outside: await read('c0', 'statistics/rx_bytes'),
  })
  const before = await counted()
  const code = `const begin = performance.now()
    const answer = await fetch('${URL}')
    for await (const part of answer.body) void part
    console.log((performance.now() - begin) / 1000)`
  const seconds = Number(
    await context.do(`download ${BYTES / 1e6} MB through the tunnel`, () =>
      network.run('client', [process.execPath, '--input-type=module', '-e', code]),
    ),
  )
  const after = await counted()
  const mtu = await read('masque0', 'mtu')
  const run = {
    bytes: BYTES,
    seconds,
    mtu,
    packets: after.packets - before.packets,
    outside: after.outside - before.outside,
  }
  recordRun(context, 'kernel', run)
  context.compare(
    'Mbit/s, beside your prediction',
    (BYTES * 8) / 1e6 / seconds,
    { min: predicted, max: predicted },
    'Mbit/s',
  )
  context.measure('MTU of masque0', mtu, 'bytes')
  context.measure('packets that came out of masque0', run.packets)
  context.measure('packets a second', run.packets / seconds)
  context.measure('bytes that came in at c0', run.outside, 'bytes')
}
