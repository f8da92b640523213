/** Task 8: what was measured, explained. Each wrong answer is a misconception that somebody has. */
import { expectOwnNumber, type OwnQuestion } from '../../kit/check/own-runs.ts'
import { expectChoice, expectEach } from '../../kit/check/questions.ts'
import type { CheckContext, Feedback } from '../../kit/lab/types.ts'

const HANDOUT = 'labs/lab-02-performance/README.md'

// Cases and reference -------------------------------------------------------------------------------------------------

const ANSWERS: readonly (Parameters<typeof expectChoice>[2] & { question: string })[] = [
  {
    question: 'settings',
    right: 'c',
    wrong: {
      a: 'The handshake does not wait for HTTP: for the client it is complete before any SETTINGS are sent.',
      b: 'The ADDRESS_REQUEST goes along with the request, in the same flight. It costs bytes, no waiting.',
      d: 'QUIC validates the path in the handshake itself. A PATH_CHALLENGE is for a path that is new.',
    },
    read: ['RFC 9220 §3', `${HANDOUT}, "Counting round trips"`],
  },
  {
    question: 'streams',
    right: 'd',
    wrong: {
      a: 'Streams do not wait for each other: that is what they were made for. So only the lost packet itself is late.',
      b: 'The datagrams that are lost stay lost. Nothing sends them again; look at how many were answered.',
      c: 'Without loss the two were alike in time. A few bytes more on each packet do not make 2 % of them late.',
    },
    read: ['RFC 9000 §2.2', 'RFC 9221 §5', `${HANDOUT}, "What waits for what"`],
  },
  {
    question: 'reliable',
    right: 'a',
    wrong: {
      b: 'Two machines that each send again know nothing of each other: both react to the same loss, one after the other.',
      c: 'TCP does not see how its packets travel. It measures times, and these get worse.',
      d: 'A checksum finds damage. It brings nothing back.',
    },
    read: [`${HANDOUT}, "What waits for what"`, 'RFC 9484 §10'],
  },
  {
    question: 'budget',
    right: 'c',
    wrong: {
      a: 'A larger budget means fewer wake-ups for each packet, not more.',
      b: 'What is read later is not lost as long as the queue has room; and it has more room after each turn.',
      d: 'The order within a queue is the same with every budget.',
    },
    read: [`${HANDOUT}, "Why pumps work in turns"`],
  },
  {
    question: 'probe',
    right: 'b',
    wrong: {
      a: 'Encryption does not protect against loss: a probe is lost as any packet is.',
      c: 'A router that drops in silence is what this search was made for. Nobody has to say anything.',
      d: 'A lost probe is no sign of congestion, and RFC 8899 says not to treat it as one. But that is not the reason here.',
    },
    read: ['RFC 8899 §3, §5.1.2', `${HANDOUT}, "How large may a packet be?"`],
  },
  {
    question: 'buckets',
    right: 'd',
    wrong: {
      a: 'A quantile of a mixture is not the mean of the quantiles: a busy server weighs as much as an idle one there.',
      b: 'Then one server decides alone, whatever the others do.',
      c: 'The sums and counts give the mean of all. How the values are distributed they have forgotten.',
    },
    read: [`${HANDOUT}, "What a histogram keeps"`, 'prometheus.io/docs, Histograms and summaries'],
  },
  {
    question: 'bound',
    right: 'a',
    wrong: {
      b: 'The histogram does not know where in its bucket a value is. Within a bucket, every answer between its bounds is possible.',
      c: 'More observations make the counts more certain, not the bounds narrower.',
      d: 'It is the other way round: interpolation cannot leave the bucket, so the error is at most its width.',
    },
    read: [`${HANDOUT}, "What a histogram keeps"`],
  },
]

/** Of the run of task 7 with the most clients, and of the one with one: Little's law says the rest. */
const WAITING: OwnQuestion = {
  task: 'scaling',
  figures: ['clients', 'per_second', 'latency_ms', 'latency_alone_ms'],
  right: run => run.clients - (run.per_second * run.latency_alone_ms) / 1000,
  wrong: [
    {
      says: 'All of them are under way. But some of them are on the link: those do not wait.',
      would: run => run.clients,
    },
    {
      says: 'That is how many are on the link, as if nobody waited. The others wait.',
      would: run => (run.per_second * run.latency_alone_ms) / 1000,
    },
    {
      says: 'That is how long one waits, in ms. Asked for is how many do: multiply by how many come in a second.',
      would: run => run.latency_ms - run.latency_alone_ms,
    },
    {
      says: 'Per second, and in ms: one of the two has to be converted.',
      would: run => run.per_second * (run.latency_ms - run.latency_alone_ms),
    },
    {
      says: 'A latency that is so many times longer is a ratio, and no number of requests.',
      would: run => run.latency_ms / run.latency_alone_ms,
    },
  ],
  // Two figures with three digits each, and a difference.
  tolerance: 0.03,
  read: [`${HANDOUT}, "Before and after the knee"`],
}

// Judgement -----------------------------------------------------------------------------------------------------------

export async function check(context: CheckContext): Promise<Feedback> {
  expectEach(context, [
    ...ANSWERS.map(
      ({ question, ...asked }) =>
        (each: CheckContext) =>
          expectChoice(each, question, asked),
    ),
    each => expectOwnNumber(each, 'waiting', WAITING),
  ])
  return {
    passed: true,
    expected: `${ANSWERS.length + 1} explanations that agree with what was measured`,
    found: 'all of them',
    read: [HANDOUT],
  }
}
