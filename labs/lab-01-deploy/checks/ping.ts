/** Task 5: the TTL that arrives, predicted and then measured. */
import { setTimeout as sleep } from 'node:timers/promises'
import { expectOwnNumber, type OwnQuestion, recordRun } from '../../kit/check/own-runs.ts'
import { expectNumber, numberIn } from '../../kit/check/questions.ts'
import { Seeded } from '../../kit/check/seeded.ts'
import type { CheckContext, Feedback } from '../../kit/lab/types.ts'
import { connect, loadClient, loadServer, NETWORK, ping, ROUTING, startServer } from '../deployment.ts'
import { clientsOf } from '../rest-api.ts'

// Cases ----------------------------------------------------------------------------------------------------------------

/** Who answers, where, and what somebody thinks who predicts another TTL. */
const ANSWERED_BY = [
  {
    question: 'host',
    name: 'the library',
    addresses: [NETWORK.library4, NETWORK.library6],
    wrong: {
      62: 'It is decremented once for the tunnel, not at both of its ends: on encapsulation, not on decapsulation. Otherwise a tunnel would count as two hops.',
      64: 'The library sends with 64, but its packet is forwarded by the proxy, from one link to another, and forwarding costs one hop.',
      65: 'The field only ever goes down.',
      128: 'Some systems start at 128, but the library starts at 64, as the brief says.',
      255: 'Some systems start at 255, but the library starts at 64, as the brief says.',
    },
  },
  {
    question: 'gateway',
    name: 'the proxy itself',
    addresses: [NETWORK.gateway4, NETWORK.gateway6],
    wrong: {
      63: 'The proxy makes this answer itself, it does not forward it from another link. Packets that the endpoint generates are not decremented.',
    },
  },
] as const

/** What surrounds the data of an ICMP echo request in IPv4 (RFC 791, RFC 792). */
const IP_HEADER = 20
const ICMP_HEADER = 8
const IPV6_HEADER = 40

const MOST_TRIES = 20

const eachPing = (run: { packets: number; bytes: number }) => run.bytes / run.packets
const lessEach = (headers: number) => (run: Readonly<Record<string, number>>) =>
  eachPing({ packets: run.packets, bytes: run.bytes }) - headers

const DATA: OwnQuestion = {
  task: 'ping',
  figures: ['packets', 'bytes'],
  right: lessEach(IP_HEADER + ICMP_HEADER),
  wrong: [
    { says: 'That is the whole IP packet: the headers of IP and ICMP are in it.', would: lessEach(0) },
    { says: 'Behind the header of IP is that of ICMP, which is no data either.', would: lessEach(IP_HEADER) },
    {
      says: 'In front of the header of ICMP is that of IP, which the server counts too.',
      would: lessEach(ICMP_HEADER),
    },
    {
      says: 'The header of IPv4 has 20 bytes. The one with 40 is that of IPv6.',
      would: lessEach(IPV6_HEADER + ICMP_HEADER),
    },
    { says: 'That is of all of them together. Asked for is one.', would: run => run.bytes },
  ],
  // Bytes are counted: nothing is rounded.
  tolerance: 0,
  read: ['RFC 792, "Echo or Echo Reply Message"', 'RFC 791 §3.1'],
}

// Judgement ------------------------------------------------------------------------------------------------------------

export async function check(context: CheckContext): Promise<Feedback> {
  for (const { question } of ANSWERED_BY) {
    expectNumber(context, question, {
      text: `you predict before you measure: ${question}`,
      expected: 'a number for each of the two questions, before anything is measured',
      right: () => true,
      read: [ROUTING],
    })
  }
  const server = await startServer(context, await loadServer(context))
  const client = await connect(context, server, await loadClient(context, 'client.toml'))
  const found: string[] = []
  for (const { name, question, addresses, wrong } of ANSWERED_BY) {
    const [ttl, hopLimit] = [
      await context.do(`ping ${addresses[0]}`, () => ping(context, client, addresses[0])),
      await context.do(`ping ${addresses[1]}`, () => ping(context, client, addresses[1])),
    ]
    const { value } = numberIn(context.answers[question])
    const right = value === ttl && value === hopLimit
    // The whole answer after a second try only: until then there is something to think about.
    const told = right || context.failures > 0
    if (told) context.compare(`TTL of ${name}, beside your prediction`, ttl, { min: value, max: value })
    expectNumber(context, question, {
      text: `your prediction for ${name}`,
      expected: told
        ? `what was measured on the answers of ${name}: TTL ${ttl}, hop limit ${hopLimit}`
        : `what was measured on the answers of ${name}; it is told when the next check fails, too`,
      right: () => right,
      wrong,
      read: [ROUTING],
    })
    found.push(`${name}: TTL ${ttl}, hop limit ${hopLimit}`)
  }
  await countPings(context, server, client)
  expectOwnNumber(context, 'data', DATA)
  return {
    passed: true,
    expected: 'the TTL that you have predicted, from the library and from the proxy',
    found: found.join('; '),
    read: [ROUTING, 'src/connect-ip/session.ts'],
  }
}

/** Some pings of a size that differs from student to student, and what the server has counted meanwhile. */
async function countPings(
  context: CheckContext,
  server: { apiUrl: string },
  client: Awaited<ReturnType<typeof connect>>,
): Promise<void> {
  const random = new Seeded(context.seed, 'ping')
  const [count, size] = [random.int(4, 9), random.int(100, 900)]
  const counted = async () => {
    const [{ packets, bytes }] = await clientsOf(context, server.apiUrl)
    return { packets: packets.received, bytes: bytes.received }
  }
  const counts = await context.do('ping the library some more, each time with as many bytes', async () => {
    for (let tried = 1; ; tried++) {
      const before = await counted()
      for (let i = 0; i < count; i++) await client.ping(NETWORK.library4, { size, timeoutMs: 10_000 })
      const after = await counted()
      const counts = { packets: after.packets - before.packets, bytes: after.bytes - before.bytes }
      // The two ends of the tunnel may have looked meanwhile whether it is wide enough: then once more, and later each time, as on a busy machine they
      // look again and again.
      if (counts.packets === count || tried === MOST_TRIES) return counts
      await sleep(tried * 100)
    }
  })
  const { packets, bytes } = counts
  context.expect(`the server has counted ${packets} packets more, of ${bytes} bytes together`, packets === count, {
    expected: `${count} packets from the client, one for each ping`,
    found: `${packets}`,
    read: ['src/carriers/tunnel.ts'],
  })
  recordRun(context, 'ping', counts)
}
