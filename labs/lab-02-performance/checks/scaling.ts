/** Task 7: scaling. Laws, hidden curves with outliers, and clients on a link whose bottleneck is known. */

import type { MasqueClient } from '../../../src/client/client.ts'
import type { IpAddress } from '../../../src/ip/address.ts'
import { median } from '../../../src/stats/statistics.ts'
import { type Call, expectCalls, type Misconception } from '../../kit/check/calls.ts'
import { format } from '../../kit/check/format.ts'
import { recordRun } from '../../kit/check/own-runs.ts'
import { expectChoice } from '../../kit/check/questions.ts'
import { Seeded } from '../../kit/check/seeded.ts'
import { watchTunnel } from '../../kit/check/window-recorder.ts'
import type { CheckContext, Feedback, Reading } from '../../kit/lab/types.ts'
import { showChart } from '../chart.ts'
import { LINK_OVERHEAD, linkProfile, startLink } from '../link.ts'
import { startServer } from '../tunnel.ts'

const FILE = 'scaling.ts'
const READ: Reading[] = [
  'labs/lab-02-performance/README.md, "Before and after the knee"',
  'L. Kleinrock, Power and deterministic rules of thumb for probabilistic problems in computer communications, 1979',
  'J. D. C. Little, A proof for the queuing formula L = λW, 1961',
]

interface Point {
  clients: number
  throughput: number
  latencyMs: number
}

// Cases ---------------------------------------------------------------------------------------------------------------

/** By what somebody takes for the knee who gets it wrong. */
const KNEES: Misconception[] = [
  {
    says: 'The highest throughput is far behind the knee: there, the queue is full already, and everybody waits. The knee is where throughput divided by latency is highest.',
    would: (points: Point[]) => best(points, runs => median(throughputs(runs))),
  },
  {
    says: 'Whoever is alone has the lowest latency. The knee is where throughput divided by latency is highest.',
    would: (points: Point[]) => best(points, runs => -median(latencies(runs))),
  },
  {
    says: 'Power is throughput divided by latency. Multiplied, they are the number of clients, as Little says.',
    would: (points: Point[]) => best(points, runs => median(throughputs(runs)) * median(latencies(runs))),
  },
  {
    says: 'One run of several is far off, because the machine was busy: a mean goes along with it, a median does not.',
    would: kneeWith(mean),
  },
  {
    says: 'One run of several is far off, because the machine was busy: a mean without the largest and the smallest value still is one. Asked for is the median.',
    would: kneeWith(values => (values.length < 3 ? mean(values) : mean(sorted(values).slice(1, -1)))),
  },
  {
    says: 'One run of several is far off, because the machine was busy: the best single run, or the last one, is luck. Take medians.',
    would: kneeWith(values => values.at(-1)!),
  },
  {
    says: 'One run of several is far off, because the machine was busy: the best single run, or the last one, is luck. Take medians.',
    would: (points: Point[]) => best(points, runs => Math.max(...runs.map(powerOf))),
  },
  {
    says: 'Of the throughputs a median, and of the latencies another, and then their ratio: the median of the ratios is something else.',
    would: (points: Point[]) => best(points, runs => median(runs.map(powerOf))),
  },
  {
    says: 'Of an even number of values, the median is the mean of the two in the middle, not the higher of them.',
    would: kneeWith(values => sorted(values)[values.length >> 1]),
  },
  {
    says: 'Of an even number of values, the median is the mean of the two in the middle, not the lower of them.',
    would: kneeWith(values => sorted(values)[(values.length - 1) >> 1]),
  },
  {
    says: 'sort() without a comparator sorts numbers as text: 100 comes before 25. Give it one: (a, b) => a - b.',
    would: kneeWith(values => middle([...values].sort())),
  },
  {
    says: 'A median is the middle of the values in their order of size. These come in the order in which they were measured.',
    would: kneeWith(middle),
  },
  {
    says: 'Asked for is the number of clients, not the place in the list.',
    would: (points: Point[]) => points.findIndex(point => point.clients === kneeOf(points)),
  },
]

/** Two straight lines with a corner at `knee`. */
function corner(knee: number): Point[] {
  return [1, 2, 4, 6, 8, 10, 12, 16].map(clients => ({
    clients,
    throughput: Math.min(clients, knee) * 10,
    latencyMs: 100 * Math.max(1, clients / knee),
  }))
}

/** Several runs of each number of clients, in which every wrong median has a knee of its own. The same for everybody. */
const SPREAD: Point[][] = [
  points(2, [75, 145], [35, 80], [100, 100]).concat(
    points(4, [95, 45], [30, 105], [105, 105]),
    points(8, [25, 80], [60, 20], [115, 85]),
  ),
  points(2, [25, 15], [45, 95], [65, 25], [45, 145]).concat(
    points(4, [65, 75], [25, 55], [25, 100], [100, 140]),
    points(8, [100, 30], [80, 60], [80, 140], [40, 130]),
  ),
  // Three of four values are equal, and so are the two in the middle.
  [...points(2, [40, 10], [10, 10], [40, 10], [40, 10]), ...points(4, [30, 10], [30, 10], [30, 10])],
  // The text "9" comes after "10" and "11".
  [...points(2, [9, 10], [10, 10], [11, 10]), ...points(4, [21, 20], [21, 20], [21, 20])],
  points(2, [80, 10], [40, 60], [120, 130], [100, 70], [120, 125]).concat(
    points(4, [95, 85], [75, 115], [55, 35], [115, 15], [115, 115]),
    points(8, [110, 60], [70, 135], [85, 115], [45, 35], [105, 95]),
  ),
]

function points(clients: number, ...runs: [throughput: number, latencyMs: number][]): Point[] {
  return runs.map(([throughput, latencyMs]) => ({ clients, throughput, latencyMs }))
}

/** Which numbers of clients were tried. */
const TRIED = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64]

/** Runs that differ a little, and of each number of clients one or two that are far off: in one direction or the other. */
function noisy(points: readonly Point[], random: Seeded, runs: number): Point[] {
  const near = () => 1 + random.int(-30, 30) / 1000
  const measured = points.flatMap(point =>
    Array.from({ length: runs }, (_, run) => {
      const off =
        run === 0 && random.boolean() ? random.pick([0.15, 0.3, 6]) : run === 1 ? random.pick([1, 0.5, 0.2]) : 1
      return {
        clients: point.clients,
        throughput: point.throughput * near() * off,
        latencyMs: (point.latencyMs * near()) / off,
      }
    }),
  )
  return random.shuffle(measured)
}

// Reference -----------------------------------------------------------------------------------------------------------

const throughputOf = (clients: number, base: number, capacity: number) => Math.min((clients * 1000) / base, capacity)
const latencyOf = (clients: number, base: number, capacity: number) =>
  (clients * 1000) / throughputOf(clients, base, capacity)

/**
 * The Universal Scalability Law (Gunther): what contention (sigma) and coherence (kappa) make of clients that would otherwise
 * each bring `lambda` requests a second. The latency follows from Little's law.
 */
function usl(clients: number, lambda: number, sigma: number, kappa: number): Point {
  const throughput = (lambda * clients) / (1 + sigma * (clients - 1) + kappa * clients * (clients - 1))
  return { clients, throughput, latencyMs: (clients * 1000) / throughput }
}

const throughputs = (runs: readonly Point[]) => runs.map(run => run.throughput)
const latencies = (runs: readonly Point[]) => runs.map(run => run.latencyMs)
const powerOf = ({ throughput, latencyMs }: Point) => throughput / latencyMs

/** The number of clients whose runs have the highest score. */
function best(points: readonly Point[], score: (runs: readonly Point[]) => number): number {
  const numbers = sorted([...new Set(points.map(point => point.clients))])
  const scores = numbers.map(clients => score(points.filter(point => point.clients === clients)))
  return numbers[scores.indexOf(Math.max(...scores))]
}

function kneeWith(average: (values: readonly number[]) => number): (points: readonly Point[]) => number {
  return points => best(points, runs => average(throughputs(runs)) / average(latencies(runs)))
}

function kneeOf(points: readonly Point[]): number {
  return kneeWith(median)(points)
}

function sorted(values: readonly number[]): number[] {
  return [...values].sort((a, b) => a - b)
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}

/** As a median takes it, of values in whatever order they are. */
function middle(values: readonly number[]): number {
  const half = values.length >> 1
  return values.length % 2 === 1 ? values[half] : (values[half - 1] + values[half]) / 2
}

// Judgement -----------------------------------------------------------------------------------------------------------

export async function check(context: CheckContext): Promise<Feedback> {
  const random = new Seeded(context.seed, 'scaling')
  await expectLaws(context, random)
  await expectKnees(context, random)
  expectAnswer(context)
  const knee = await expectLive(context, random)
  return {
    passed: true,
    expected: 'throughput and latency from two numbers, and the knee from measurements',
    found: `Little's law held in every live run, the link was as full as you predicted, and its knee is at ${knee} clients`,
    read: READ,
  }
}

async function expectLaws(context: CheckContext, random: Seeded): Promise<void> {
  const one = { file: FILE, read: READ, exact: true }
  await expectCalls(context, {
    ...one,
    text: "Little's law",
    name: 'requestsUnderWay',
    calls: [
      { about: '200 a second, 50 ms each', args: [200, 50], returns: 10 },
      ...random.list(6, (): Call => {
        const [throughput, latency] = [random.int(1, 100_000), random.int(1, 5000) / 10]
        return { about: 'one of your own', args: [throughput, latency], returns: (throughput * latency) / 1000 }
      }),
    ],
    misconceptions: [
      {
        says: 'Per second, and in ms: one of the two has to be converted.',
        would: (throughput: number, latency: number) => throughput * latency,
      },
      {
        says: 'Each request is there for the whole of its latency: the longer it takes, the more are under way. Multiply.',
        would: (throughput: number, latency: number) => throughput / (latency / 1000),
      },
    ],
  })
  const lists: [about: string, ...args: [number, number, number]][] = [
    ['one client, far from the capacity', 1, 100, 60],
    ['twice as many', 2, 100, 60],
    ['exactly at the corner', 6, 100, 60],
    ['twice as many as at the corner', 12, 100, 60],
    ['very many', 1000, 100, 60],
    ...random.list(8, (): [string, number, number, number] => [
      'one of your own',
      random.int(1, 300),
      random.int(1, 400),
      random.int(10, 5000),
    ]),
  ]
  await expectCalls(context, {
    ...one,
    text: 'the throughput of so many clients',
    name: 'predictThroughput',
    calls: lists.map(([about, ...args]) => ({ about, args, returns: throughputOf(...args) })),
    misconceptions: [
      {
        says: 'A bottleneck handles its capacity and no more: after the knee, more clients bring nothing.',
        would: (clients: number, base: number) => (clients * 1000) / base,
      },
      {
        says: 'A few clients cannot fill the bottleneck: each sends one request in a round trip, and waits.',
        would: (_: number, __: number, capacity: number) => capacity,
      },
      {
        says: 'The capacity is that of the bottleneck, which all clients share: it does not grow with their number.',
        would: (clients: number, base: number, capacity: number) => clients * Math.min(1000 / base, capacity),
      },
      {
        says: 'The latency is in ms, the throughput per second.',
        would: (clients: number, base: number, capacity: number) => Math.min(clients / base, capacity),
      },
    ],
  })
  await expectCalls(context, {
    ...one,
    text: 'the latency with so many clients',
    name: 'predictLatencyMs',
    calls: lists.map(([about, ...args]) => ({ about, args, returns: latencyOf(...args) })),
    misconceptions: [
      {
        says: 'After the knee, all that comes on top waits in the queue: the latency grows with the number of clients.',
        would: (_: number, base: number) => base,
      },
      {
        says: 'A client that waits adds its wait to nothing but the queue: before the knee nobody waits, and after it the latency is clients / capacity. The base latency is in there already.',
        would: (clients: number, base: number, capacity: number) =>
          base +
          Math.max(0, clients - (capacity * base) / 1000) * (1000 / capacity) +
          (clients > (capacity * base) / 1000 ? base : 0),
      },
      {
        says: 'Before the knee there is no queue: the latency is the base latency, however many clients there are.',
        would: (clients: number, _: number, capacity: number) => (clients * 1000) / capacity,
      },
      {
        says: 'A client that waits adds its wait to nothing but the queue: before the knee nobody waits, and after it the latency is clients / capacity. The base latency is in there already.',
        would: (clients: number, base: number, capacity: number) => base + (clients * 1000) / capacity,
      },
    ],
  })
}

async function expectKnees(context: CheckContext, random: Seeded): Promise<void> {
  const call = (about: string, points: Point[]): Call => ({
    about,
    args: [points],
    shown: `[${points.map(({ clients, throughput, latencyMs }) => `${clients}: ${format(throughput)}/s, ${format(latencyMs)} ms`).join('; ')}]`,
    returns: kneeOf(points),
  })
  const curve = () => {
    const [lambda, sigma, kappa] = [random.int(20, 500), random.int(20, 200) / 1000, random.int(2, 40) / 10_000]
    return TRIED.map(clients => usl(clients, lambda, sigma, kappa))
  }
  const groups: [text: string, calls: Call[]][] = [
    [
      'the knee of curves that can be worked out by hand',
      [
        call('two straight lines with a corner at 6', corner(6)),
        call('two straight lines with a corner at 10', corner(10)),
        call('the same in another order', random.shuffle(corner(10))),
        call('one number of clients', [usl(8, 100, 0.05, 0.001)]),
        {
          ...call('two that are equal: the lower one', [
            ...points(4, [80, 20]),
            ...points(8, [160, 40]),
            ...points(16, [170, 94]),
          ]),
          because: 'Of several that are equal, the lowest: the same power for less waiting.',
        },
        {
          ...call('two that are equal, the higher one first', [
            ...points(16, [170, 94]),
            ...points(8, [160, 40]),
            ...points(4, [80, 20]),
          ]),
          because: 'Of several that are equal, the lowest, in whatever order they come.',
        },
        ...SPREAD.map(points => call('each number of clients several times', points)),
      ],
    ],
    [
      'the knee of curves of your own',
      random.list(8, () => call('a curve of the Universal Scalability Law', random.shuffle(curve()))),
    ],
    [
      'the knee of measurements with outliers',
      random.list(12, index =>
        call(
          'each number of clients several times, now and then a run that is far off',
          noisy(curve(), random, index % 2 === 0 ? 5 : 6),
        ),
      ),
    ],
  ]
  for (const [text, calls] of groups)
    await expectCalls(context, {
      text,
      calls,
      file: FILE,
      name: 'findKnee',
      misconceptions: KNEES,
      exact: true,
      read: READ,
    })
}

function expectAnswer(context: CheckContext): void {
  expectChoice(context, 'after', {
    right: 'b',
    wrong: {
      a: 'The bottleneck is full: more clients do not make it faster. Compare with the first figure of scaling.ts.',
      c: 'Throughput stays what it is: the bottleneck does not work less because the queue in front of it is longer. (It does where clients hinder each other, which is the kappa of the Universal Scalability Law.)',
      d: 'Queues without a limit lose nothing. What happens before a queue is full?',
    },
    read: READ,
  })
}

// Live ------------------------------------------------------------------------------------------------------------------

const CLIENTS = [1, 2, 4, 8, 16] as const
const BASE_RTT_MS = 120
/** Bytes of one whole IP packet, there and back. */
const PACKET = 500
/** UDP payload around it: the QUIC datagram of task 2. */
const AROUND = 31
const MEASURE_MS = 2500
/** Of one number of clients, as long as the machine is too slow to tell. */
const MOST_RUNS = 4
/**
 * What a busy machine may do to a run. Little's law and the capacity of the link hold whatever the machine does; below the knee,
 * computing adds to the latency.
 */
const LITTLE_TOLERANCE = 0.15
const LEAST_OF_PREDICTED = 0.6
const MOST_OF_PREDICTED = 1.12

/** Clients, each with a ping under way at all times, on a link with a known bottleneck. Returns the knee of what was measured. */
async function expectLive(context: CheckContext, random: Seeded): Promise<number> {
  // The corner of the two lines: so many requests are under way when the bottleneck is just full.
  const corner = random.int(45, 65) / 10
  const wireBits = (PACKET + AROUND + LINK_OVERHEAD) * 8
  const capacity = (corner * 1000) / BASE_RTT_MS
  const server = await context.do('start a proxy', () => startServer(context))
  const link = await startLink(context, { to: server.address, seed: context.seed, link: { rttMs: 2 } })
  const clients = await context.do(`open ${CLIENTS.at(-1)} tunnels`, () =>
    Promise.all(Array.from({ length: CLIENTS.at(-1)! }, () => server.connect({}, link.address))),
  )
  watchTunnel(context, 'the first client', clients[0])
  const bitsPerSecond = Math.round(capacity * wireBits)
  await context.do(`make it a link with ${Math.round(bitsPerSecond / 1000)} kbit/s and ${BASE_RTT_MS} ms`, () =>
    link.setProfile(linkProfile({ rttMs: BASE_RTT_MS, bitsPerSecond })),
  )
  const points: (Point & { predicted: { throughput: number; latencyMs: number } })[] = []
  for (const [index, count] of CLIENTS.entries()) {
    context.progress(index, CLIENTS.length, `${count} ${count === 1 ? 'client' : 'clients'} for ${MEASURE_MS / 1000} s`)
    const [throughput, latencyMs] = await Promise.all([
      context.student.call<number>(FILE, 'predictThroughput', count, BASE_RTT_MS, capacity),
      context.student.call<number>(FILE, 'predictLatencyMs', count, BASE_RTT_MS, capacity),
    ])
    const measured = await context.do(`measure with ${count} ${count === 1 ? 'client' : 'clients'}`, async () => {
      let best = await measure(context, clients.slice(0, count), server.library)
      // A machine that was busy with something else makes a run slower, and none faster: the fastest of a few tells.
      for (let more = 1; more < MOST_RUNS && best.throughput < LEAST_OF_PREDICTED * throughput; more++) {
        const again = await measure(context, clients.slice(0, count), server.library)
        if (again.throughput > best.throughput) best = again
      }
      return best
    })
    const underWay = await context.student.call<number>(
      FILE,
      'requestsUnderWay',
      measured.throughput,
      measured.latencyMs,
    )
    points.push({ ...measured, predicted: { throughput, latencyMs } })
    show(context, points)
    context.expect(
      `Little's law, measured: ${count} requests under way`,
      Math.abs(underWay / count - 1) < LITTLE_TOLERANCE,
      {
        expected: `about ${count} requests under way: that is how many clients there are, and each has one`,
        found: `${underWay.toFixed(2)}, from ${measured.throughput.toFixed(1)} answers/s and ${measured.latencyMs.toFixed(1)} ms`,
        read: READ,
      },
    )
    const ratio = measured.throughput / throughput
    context.expect(
      `the throughput of ${count} clients is as predicted`,
      ratio > LEAST_OF_PREDICTED && ratio < MOST_OF_PREDICTED,
      {
        expected: `about ${throughput.toFixed(1)} answers/s, as you predicted`,
        found: `${measured.throughput.toFixed(1)} answers/s`,
        read: READ,
      },
    )
  }
  context.progress(CLIENTS.length, CLIENTS.length, 'measured')
  const [alone, most] = [points[0], points.at(-1)!]
  recordRun(context, 'scaling', {
    clients: most.clients,
    per_second: most.throughput,
    latency_ms: most.latencyMs,
    latency_alone_ms: alone.latencyMs,
  })
  const knee = await context.student.call<number>(
    FILE,
    'findKnee',
    points.map(({ predicted: _, ...point }) => point),
  )
  const reference = kneeOf(points)
  context.expect('the knee of the live measurement', knee === reference, {
    expected: `${reference} clients`,
    found: String(knee),
    read: READ,
  })
  return knee
}

/** Each client has one ping under way at all times. */
async function measure(context: CheckContext, clients: readonly MasqueClient[], library: IpAddress): Promise<Point> {
  const started = performance.now()
  const ends = started + MEASURE_MS
  let answers = 0
  let sumMs = 0
  await Promise.all(
    clients.map(async client => {
      while (performance.now() < ends) {
        context.signal.throwIfAborted()
        const { rttMs } = await client.ping(library, { size: PACKET - 28, timeoutMs: 20_000 })
        answers++
        sumMs += rttMs
      }
    }),
  )
  const seconds = (performance.now() - started) / 1000
  return { clients: clients.length, throughput: answers / seconds, latencyMs: sumMs / answers }
}

function show(
  context: CheckContext,
  points: readonly (Point & { predicted: { throughput: number; latencyMs: number } })[],
): void {
  const label = ({ clients }: Point) => `${clients} ${clients === 1 ? 'client' : 'clients'}`
  showChart(context, {
    title: 'Power: throughput / latency',
    unit: 'answers/s per s',
    rows: points.map(point => ({
      label: label(point),
      predicted: (1000 * point.predicted.throughput) / point.predicted.latencyMs,
      measured: (1000 * point.throughput) / point.latencyMs,
    })),
  })
  showChart(context, {
    title: 'Latency against clients',
    unit: 'ms',
    rows: points.map(point => ({
      label: label(point),
      predicted: point.predicted.latencyMs,
      measured: point.latencyMs,
    })),
  })
  showChart(context, {
    title: 'Throughput against clients',
    unit: 'answers/s',
    rows: points.map(point => {
      const ratio = point.throughput / point.predicted.throughput
      const good = ratio > LEAST_OF_PREDICTED && ratio < MOST_OF_PREDICTED
      return { label: label(point), predicted: point.predicted.throughput, measured: point.throughput, good }
    }),
  })
}
