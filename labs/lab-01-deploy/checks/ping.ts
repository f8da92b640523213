/** Task 5: the TTL that arrives, predicted and then measured. */
import { expectNumber, numberIn } from '../../kit/check/questions.ts'
import type { CheckContext, Feedback } from '../../kit/lab/types.ts'
import { connect, loadClient, loadServer, NETWORK, ping, ROUTING, startServer } from '../deployment.ts'

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
  return {
    passed: true,
    expected: 'the TTL that you have predicted, from the library and from the proxy',
    found: found.join('; '),
    read: [ROUTING, 'src/connect-ip/session.ts'],
  }
}
