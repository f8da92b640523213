/** Task 6: histogram_quantile. Known vectors, hidden ones, the lab's own server, and Prometheus itself where there is one. */

import { numberText, prometheusVersion, type Sample } from '../../../src/testbed/prometheus.ts'
import { type Call, expectCalls, type Misconception } from '../../kit/check/calls.ts'
import { ROUNDING, same } from '../../kit/check/format.ts'
import { Seeded } from '../../kit/check/seeded.ts'
import type { CheckContext, Feedback } from '../../kit/lab/types.ts'
import { showChart } from '../chart.ts'
import { serveMetrics, startPrometheus } from '../prometheus.ts'
import { startServer } from '../tunnel.ts'

const FILE = 'histogram.ts'
const READ = [
  'prometheus.io/docs, PromQL functions, histogram_quantile()',
  'labs/lab-02-performance/README.md, "What a histogram keeps"',
  'docs/monitoring.md',
]
const METRIC = 'masque_vpn_packet_processing_duration_seconds_bucket'
const QUANTILES = [0.01, 0.25, 0.5, 0.9, 0.95, 0.99, 1]
const HIDDEN = 60

export interface Bucket {
  le: number
  count: number
}

// Cases ---------------------------------------------------------------------------------------------------------------

const MISCONCEPTIONS: Misconception[] = [
  ...(['upper', 'middle', 'lower'] as const).map(within => ({
    says: 'Within a bucket the observations are assumed to be spread evenly: interpolate between its bounds. The first one begins at 0.',
    would: (q: number, given: Bucket[]) => quantile(q, given, { within }),
  })),
  {
    says: 'The first bucket has a lower bound, too. The first one begins at 0, as durations and sizes do.',
    would: (q: number, given: Bucket[]) => quantile(q, given, { noFirstStart: true }),
  },
  {
    says: 'A count that is exactly the rank is enough: the rank is in the first bucket whose count is at least as high.',
    would: (q: number, given: Bucket[]) => quantile(q, given, { above: true }),
  },
  {
    says: 'The last bucket has no end. The most that is known is that the value is above the bound before it.',
    would: (q: number, given: Bucket[]) => quantile(q, given, { last: 'infinity' }),
  },
  {
    says: 'The counts are cumulative already: each bucket includes all those below it.',
    would: (q: number, given: Bucket[]) => quantile(q, given, { notCumulative: true }),
  },
  {
    says: 'The number of all observations is the count of the last bucket, le="+Inf".',
    would: (q: number, given: Bucket[]) => quantile(q, given, { total: 'last-but-one' }),
  },
  {
    says: 'The buckets come in any order: sort them by le first.',
    would: (q: number, given: Bucket[]) => quantile(q, given, { keepOrder: true }),
  },
  {
    says: 'A count that is below one before it cannot be: it is taken to be as high as that one.',
    would: (q: number, given: Bucket[]) => quantile(q, given, { keepDrops: true }),
  },
]

const histogram = (...pairs: [le: number, count: number][]): Bucket[] => pairs.map(([le, count]) => ({ le, count }))

/** A histogram with round and crooked bounds, empty buckets, and observations beyond the last bound. */
function buckets(random: Seeded): Bucket[] {
  const bounds = new Set(random.list(random.int(2, 9), () => random.int(1, 400) / random.pick([1, 10, 1000, 1e6])))
  let count = 0
  const inner = [...bounds]
    .sort((a, b) => a - b)
    .map(le => ({ le, count: (count += random.boolean() ? random.int(0, 40) : 0) }))
  return [...inner, { le: Infinity, count: count + random.int(1, 20) }]
}

// Reference -----------------------------------------------------------------------------------------------------------

interface Variant {
  /** The first bucket is all at its upper bound. */
  noFirstStart?: boolean
  /** The bucket is the first one whose count is above the rank. */
  above?: boolean
  /** What is done when the rank is in the last bucket. */
  last?: 'infinity' | 'interpolate'
  within?: 'upper' | 'middle' | 'lower'
  /** Counts are those of each bucket alone. */
  notCumulative?: boolean
  keepOrder?: boolean
  keepDrops?: boolean
  total?: 'last-but-one'
}

/** With `variant`: as somebody would compute it who has got one thing wrong. */
export function quantile(q: number, given: readonly Bucket[], variant: Variant = {}): number {
  if (Number.isNaN(q)) return Number.NaN
  if (q < 0 || q > 1) return q < 0 ? -Infinity : Infinity
  let sorted = variant.keepOrder ? [...given] : [...given].sort((a, b) => a.le - b.le)
  const last = sorted.length - 1
  if (last < 1 || sorted[last].le !== Infinity) return Number.NaN
  let highest = 0
  if (!variant.keepDrops) sorted = sorted.map(({ le, count }) => ({ le, count: (highest = Math.max(highest, count)) }))
  if (variant.notCumulative) {
    let sum = 0
    sorted = sorted.map(({ le, count }) => ({ le, count: (sum += count) }))
  }
  const total = sorted[variant.total === 'last-but-one' ? last - 1 : last].count
  if (!(total > 0)) return Number.NaN
  const rank = q * total
  let index = sorted.findIndex(({ count }) => (variant.above ? count > rank : count >= rank))
  if (index < 0) index = last
  if (index === last) {
    if (variant.last === 'infinity') return Infinity
    return sorted[last - 1].le
  }
  const end = sorted[index].le
  if (index === 0 && end <= 0) return end
  const start = index === 0 ? (variant.noFirstStart ? end : 0) : sorted[index - 1].le
  const below = index === 0 ? 0 : sorted[index - 1].count
  if (variant.within === 'upper') return end
  if (variant.within === 'lower') return start
  if (variant.within === 'middle') return (start + end) / 2
  return start + ((end - start) * (rank - below)) / (sorted[index].count - below)
}

// Judgement -----------------------------------------------------------------------------------------------------------

export async function check(context: CheckContext): Promise<Feedback> {
  const random = new Seeded(context.seed, 'histogram')
  await expectVectors(context, random)
  await expectIncreases(context, random)
  const hidden = random.list(8, () => buckets(random))
  const server = await expectServer(context)
  const version = prometheusVersion()
  if (version === undefined) {
    await context.do('ask a real Prometheus: skipped, there is no program "prometheus" on this machine', () => {})
  } else await expectPrometheus(context, version, hidden, server)
  return {
    passed: true,
    expected: 'the quantiles that PromQL computes',
    found:
      version === undefined
        ? 'the same in every case (Prometheus is not installed here and was not asked)'
        : `the same in every case, also as Prometheus ${version} has them, which scraped the server of this lab`,
    read: READ,
  }
}

async function expectVectors(context: CheckContext, random: Seeded): Promise<void> {
  const plain = histogram([10, 120], [25, 180], [50, 190], [Infinity, 200])
  const negative = histogram([-10, 3], [0, 5], [10, 9], [Infinity, 10])
  const dropping = histogram([1, 5], [2, 3], [4, 9], [Infinity, 10])
  const call = (about: string, q: number, given: Bucket[], because?: string): Call => ({
    about,
    args: [q, given],
    returns: quantile(q, given),
    because,
  })
  const one = {
    text: 'quantiles of histograms that can be worked out by hand',
    file: FILE,
    name: 'histogramQuantile',
    misconceptions: MISCONCEPTIONS,
    exact: true,
    read: READ,
  }
  await expectCalls(context, {
    ...one,
    calls: [
      call('the example of the file: the 30th of 60 in the second bucket', 0.75, plain),
      call(
        'a rank in the first bucket, which begins at 0',
        0.3,
        plain,
        'The first bucket has a lower bound too: 0, as durations and sizes do.',
      ),
      call(
        'exactly the rank of a bucket: its upper bound',
        0.6,
        plain,
        'The rank is in the first bucket whose count is at least as high.',
      ),
      call('a rank in the last bucket', 0.99, plain),
      call('the median', 0.5, histogram([1, 0], [2, 4], [4, 8], [8, 8], [Infinity, 8])),
      call(
        'the highest value, with an empty bucket before the last',
        1,
        histogram([1, 0], [2, 4], [4, 8], [8, 8], [Infinity, 8]),
      ),
    ],
  })
  const hidden = random.list(HIDDEN, () => call('one of your own', random.pick(QUANTILES), buckets(random)))
  await expectCalls(context, { ...one, text: 'quantiles of histograms of your own', calls: hidden })
  await expectCalls(context, {
    ...one,
    text: 'the cases at the edge',
    calls: [
      call('buckets in another order', 0.75, [plain[3], plain[2], plain[0], plain[1]]),
      call('counts that go down', 0.35, dropping),
      call('counts that go down, a higher quantile', 0.7, dropping),
      call('the last count is the lowest', 0.9, histogram([1, 5], [2, 8], [Infinity, 6])),
      call(
        'a first bucket below 0',
        0.2,
        negative,
        'A first bucket that ends at or below 0 has no known beginning: its upper bound is the result.',
      ),
      call('a bucket from -10 to 0', 0.4, negative),
      call(
        'a first bucket that ends at 0',
        0.1,
        histogram([0, 5], [1, 10], [Infinity, 10]),
        'A first bucket that ends at or below 0 has no known beginning: its upper bound is the result.',
      ),
      call(
        'no observations',
        0.5,
        histogram([1, 0], [2, 0], [Infinity, 0]),
        'Without observations there is no quantile: NaN, not 0.',
      ),
      call(
        'no observations, and a first bound below 0',
        0.5,
        histogram([-1, 0], [1, 0], [Infinity, 0]),
        'Without observations there is no quantile: NaN, whatever the bounds are.',
      ),
      call('a single observation', 0.5, histogram([1, 0], [2, 1], [Infinity, 1])),
      call('two buckets', 0.5, histogram([10, 5], [Infinity, 5]), 'Two buckets are enough.'),
      call('q of 0', 0, plain, 'A q of 0 is not below 0: the rank is 0, and the first bucket has it.'),
      call(
        'q of 0, and an empty bucket that ends at 0',
        0,
        histogram([0, 0], [1, 10], [Infinity, 10]),
        'A first bucket that ends at or below 0 has no known beginning: its upper bound is the result.',
      ),
      call(
        'a first bucket that ends just below 0',
        0.1,
        histogram([-0.5, 5], [1, 10], [Infinity, 10]),
        'A first bucket that ends at or below 0 has no known beginning: its upper bound is the result.',
      ),
      call('no buckets', 0.5, [], 'A quantile needs at least two buckets: NaN.'),
      call('nothing but the last bucket', 0.5, histogram([Infinity, 7]), 'A quantile needs at least two buckets: NaN.'),
      call(
        'no bucket with le="+Inf"',
        0.5,
        histogram([1, 5], [2, 7]),
        'Without the bucket le="+Inf" it is not known how many observations there are: NaN.',
      ),
      call('q above 1', 1.1, plain, 'A q outside of 0 to 1 gives Infinity or -Infinity, so that a mistake is seen.'),
      call('q below 0', -0.1, plain, 'A q outside of 0 to 1 gives Infinity or -Infinity, so that a mistake is seen.'),
      call(
        'q above 1, no buckets',
        2,
        [],
        'A q outside of 0 to 1 gives Infinity or -Infinity, whatever the buckets are.',
      ),
      call('q is NaN', Number.NaN, plain),
      call('an infinite count of nothing: all in the last bucket', 0.5, histogram([1, 0], [2, 0], [Infinity, 7])),
    ],
  })
}

async function expectIncreases(context: CheckContext, random: Seeded): Promise<void> {
  const READ_COUNTERS = ['prometheus.io/docs, Metric types, Counter; PromQL functions, increase()', READ[1]]
  const before = buckets(random)
  const grown = before.map(({ le, count }, index) => ({ le, count: count + index * random.int(1, 9) }))
  const restarted = before.map(({ le, count }) => ({ le, count: Math.floor(count / 2) }))
  const subtracted = (earlier: Bucket[], later: Bucket[]) =>
    later.map(({ le, count }) => ({ le, count: count - (earlier.find(bucket => bucket.le === le)?.count ?? 0) }))
  const call = (about: string, earlier: Bucket[], later: Bucket[], because?: string): Call => ({
    about,
    args: [earlier, later],
    returns: subtracted(earlier, later).map(({ le, count }, index) => ({
      le,
      count: count < 0 ? later[index].count : count,
    })),
    because,
  })
  await expectCalls(context, {
    text: 'what happened between two scrapes',
    file: FILE,
    name: 'increase',
    exact: true,
    calls: [
      call('a histogram that has grown', histogram([1, 5], [Infinity, 9]), histogram([1, 7], [Infinity, 19])),
      call('one of your own', before, grown),
      call('nothing happened', before, before),
      call(
        'another order of the buckets before',
        [...before].reverse(),
        grown,
        'Buckets belong together by their le, not by their place.',
      ),
      call('the first scrape', [], grown, 'A bucket that was not there had the count 0.'),
      call(
        'the server was started anew',
        before,
        restarted,
        'A counter that went down began at 0 again: all that it has now is the increase.',
      ),
    ],
    misconceptions: [
      { says: 'A counter that went down began at 0 again: all that it has now is the increase.', would: subtracted },
      {
        says: 'A counter that went down began at 0 again: all that it has now is the increase.',
        would: (earlier: Bucket[], later: Bucket[]) =>
          subtracted(earlier, later).map(({ le, count }) => ({ le, count: Math.max(0, count) })),
      },
    ],
    read: READ_COUNTERS,
  })
}

// Live ------------------------------------------------------------------------------------------------------------------

/** A server with traffic: its own histogram, as its /metrics has it. Returns HOST:PORT of that. */
async function expectServer(context: CheckContext): Promise<string> {
  const PACKETS = 640
  const server = await context.do('start a server, and send packets through it', async () => {
    const started = await startServer(context, { api: true })
    const client = await started.connect()
    for (let i = 0; i < PACKETS; i++) {
      await client.ping(started.library, { timeoutMs: 10_000 })
      if (i % 32 === 0) context.progress(i, PACKETS, 'pings through the tunnel')
    }
    context.progress(PACKETS, PACKETS, 'pings through the tunnel')
    return started
  })
  const text = await context.do('GET /metrics', async () => {
    const response = await fetch(`${server.apiUrl}/metrics`, {
      headers: { connection: 'close' },
      signal: context.signal,
    })
    return await response.text()
  })
  const found = [...text.matchAll(new RegExp(`^${METRIC}\\{le="([^"]+)"\\} (\\d+)$`, 'gm'))].map(match => ({
    le: match[1] === '+Inf' ? Infinity : Number(match[1]),
    count: Number(match[2]),
  }))
  await compareQuantiles(context, "the server's packet processing time", found, new Map())
  return new URL(server.apiUrl ?? '').host
}

async function expectPrometheus(
  context: CheckContext,
  version: string,
  hidden: Bucket[][],
  server: string,
): Promise<void> {
  const lines = hidden.flatMap((given, index) =>
    given.map(({ le, count }) => `lab_hidden_bucket{case="${index}",le="${numberText(le)}"} ${count}`),
  )
  const prometheus = await context.do(`start Prometheus ${version}`, async () => {
    const own = await serveMetrics(context, () => `${lines.join('\n')}\n`)
    return await startPrometheus(context, [server, own])
  })
  const at = await context.do('let it scrape the server, and histograms of your own', async () => {
    context.progress(0, 1, 'Prometheus waits about 5 s before its first scrape')
    const time = await prometheus.scraped([METRIC, 'lab_hidden_bucket'])
    context.progress(1, 1, 'scraped')
    return time
  })
  const [raw, ...answers] = await context.do('ask it in PromQL', () =>
    Promise.all([
      prometheus.query(METRIC, at),
      ...QUANTILES.map(q => prometheus.query(`histogram_quantile(${q}, ${METRIC})`, at)),
      ...QUANTILES.map(q => prometheus.query(`histogram_quantile(${q}, lab_hidden_bucket)`, at)),
    ]),
  )
  const scraped = raw.map(({ labels, value }) => ({ le: Number(labels.le.replace('+Inf', 'Infinity')), count: value }))
  const promql = new Map(QUANTILES.map((q, index) => [q, answers[index][0]?.value ?? Number.NaN]))
  await compareQuantiles(context, `the same, as Prometheus ${version} has it`, scraped, promql)

  const calls = QUANTILES.flatMap((q, row) =>
    answers[QUANTILES.length + row].map((sample: Sample): Call => {
      const given = hidden[Number(sample.labels.case)]
      return { about: `what Prometheus ${version} says`, args: [q, given], returns: sample.value }
    }),
  )
  await expectCalls(context, {
    text: `Prometheus ${version} computes the same from ${hidden.length} histograms of your own`,
    file: FILE,
    name: 'histogramQuantile',
    calls,
    misconceptions: MISCONCEPTIONS,
    exact: true,
    read: READ,
  })
}

/** The student's quantiles of one histogram, in a chart beside those of PromQL (or of the reference, where it was not asked). */
async function compareQuantiles(
  context: CheckContext,
  title: string,
  given: readonly Bucket[],
  promql: ReadonlyMap<number, number>,
): Promise<void> {
  const outcomes = await context.student.batch<number>(
    FILE,
    'histogramQuantile',
    QUANTILES.map(q => [q, given]),
  )
  const rows = QUANTILES.map((q, index) => {
    const outcome = outcomes[index]
    const expected = promql.get(q) ?? quantile(q, given)
    const value = outcome.ok ? outcome.value : Number.NaN
    return { q, expected, value, good: same(value, expected, ROUNDING) }
  })
  showChart(context, {
    title: `Quantiles of ${title}`,
    unit: 'µs',
    columns: ['yours', promql.size > 0 ? 'PromQL' : 'reference'],
    rows: rows.map(({ q, expected, value, good }) => ({
      label: `q = ${q}`,
      predicted: value * 1e6,
      measured: expected * 1e6,
      good,
    })),
  })
  const wrong = rows.find(row => !row.good)
  context.expect(`quantiles of ${title}`, wrong === undefined && given.length > 1, () => ({
    expected: `the ${wrong?.q}-quantile to be ${wrong?.expected} s`,
    found: String(wrong?.value),
    read: READ,
  }))
}
