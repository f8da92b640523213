/**
 * Task 4: a queue that is too large. The formulas first; then the profile `bufferbloat`, with somebody else's upload on it.
 *
 * The upload brings more than the link carries, so the queue stays full whatever the machine does meanwhile: the round trip is then
 * a matter of rate and limit (2.1 s), and a busy machine adds some tens of milliseconds to it, where 15 % are allowed. The median of
 * 40 pings is outside of that only if half of them are.
 */

import { loadProfile } from '../../../src/link/profile/load-profile.ts'
import type { Profile, Rate } from '../../../src/link/profile/profile.ts'
import { percentileOf } from '../../../src/stats/statistics.ts'
import type { Testbed } from '../../../src/testbed/testbed.ts'
import { type CallGroup, expectGroups, fail, groupsOf, type Misconception, valuesOf } from '../../kit/check/calls.ts'
import { formatNumber } from '../../kit/check/format.ts'
import type { Seeded } from '../../kit/check/seeded.ts'
import type { CheckContext, Feedback, Reading } from '../../kit/lab/types.ts'
import { CrossTraffic } from '../cross-traffic.ts'
import { pings, startTestbed } from '../live.ts'
import { type PredictionRow, showLink, showPredictions } from '../panel-data.ts'

const FILE = 'bloat.ts'
const READ: Reading[] = [
  'labs/lab-04-impairment/README.md, "The queue before the bottleneck"',
  'netem/profiles/bufferbloat.toml',
]

const PACKET = 1042
const TARGET_MS = 50
const IDLE_PINGS = 10
const PINGS = 40
const EVERY_MS = 100
/** Of the rate of the link: fills the queue, then keeps it full. */
const FILLING = 4
const KEEPING = 1.15

interface Bottleneck {
  bitsPerSecond: number
  limit: { packets: number } | { bytes: number }
}

// Cases ---------------------------------------------------------------------------------------------------------------

const UNITS = 'Bytes to bits: 8. Seconds to milliseconds: 1000.'

const KILO =
  'This counts 1024 for a thousand. Rates are in powers of ten: 1 Mbit/s is 1 000 000 bit/s, and a second has 1000 ms; only KiB and MiB count by 1024.'

const OF_QUEUE: readonly Misconception[] = [
  ...[1024 / 1000, 1000 / 1024, (1024 / 1000) ** 2, (1000 / 1024) ** 2].map(factor => ({
    says: KILO,
    would: (link: Bottleneck, bytes: number) => full(link, bytes) * factor,
  })),
  { says: UNITS, would: (link: Bottleneck, bytes: number) => full(link, bytes) / 8 },
  { says: UNITS, would: (link: Bottleneck, bytes: number) => full(link, bytes) / 1000 },
  {
    says: 'Where the limit is in bytes, the size of a packet does not matter.',
    would: (link: Bottleneck, bytes: number) => ('bytes' in link.limit ? full(link, bytes) * bytes : full(link, bytes)),
  },
  {
    says: 'A limit in packets holds packets, not bytes: each of them takes as long as its size.',
    would: (link: Bottleneck) => full(link, 1),
  },
  {
    says: 'A packet that comes when the queue is full waits for all of it, not for half: that would be the mean of a queue that is anywhere between empty and full.',
    would: (link: Bottleneck, bytes: number) => full(link, bytes) / 2,
  },
]

const OF_ROUND_TRIP: readonly Misconception[] = [
  {
    says: 'The queue is on the way up only; the answers come back as fast as ever.',
    would: (link: Bottleneck, bytes: number, idle: number) => idle + 2 * full(link, bytes),
  },
  {
    says: 'The queue comes on top of the round trip of the idle link.',
    would: (link: Bottleneck, bytes: number) => full(link, bytes),
  },
]

const OF_FILLING: readonly Misconception[] = [
  {
    says: 'While the queue fills, the link goes on sending: it grows by the difference of the two rates.',
    would: (link: Bottleneck, bytes: number, offered: number) => (queueBytes(link, bytes) * 8000) / offered,
  },
  {
    says: 'When no more comes in than goes out, the queue never fills: Infinity.',
    would: (link: Bottleneck, bytes: number, offered: number) =>
      (queueBytes(link, bytes) * 8000) / (offered - link.bitsPerSecond),
  },
]

export function formulas(random: Seeded): CallGroup[] {
  const links = random.list(
    6,
    (i): Bottleneck => ({
      bitsPerSecond: random.int(5, 400) * 100_000,
      limit: i % 2 === 0 ? { packets: random.int(10, 1000) } : { bytes: random.int(10_000, 500_000) },
    }),
  )
  const sizes = links.map(() => random.int(200, 1500))
  // None comes out whole, but for the first: there it would be a matter of rounding in which order somebody multiplies and divides.
  const limits = [[1_000_000, TARGET_MS] as const, ...links.map(() => unevenLimit(random))]
  const group = groupsOf(FILE, READ)
  const about = ({ limit }: Bottleneck) => ('bytes' in limit ? 'a limit in bytes' : 'a limit in packets')

  return [
    group(
      'fullQueueMs(): how long the last one waits',
      'fullQueueMs',
      links.map((link, i) => ({ about: about(link), args: [link, sizes[i]], returns: full(link, sizes[i]) })),
      OF_QUEUE,
    ),
    group(
      'roundTripUnderLoadMs(): what everybody sees',
      'roundTripUnderLoadMs',
      links.map((link, i) => {
        const idle = random.int(10, 100)
        return { about: about(link), args: [link, sizes[i], idle], returns: idle + full(link, sizes[i]) }
      }),
      OF_ROUND_TRIP,
    ),
    group(
      'fullAfterMs(): how fast it fills',
      'fullAfterMs',
      [...links, ...links].map((link, i) => {
        const offered = Math.round(link.bitsPerSecond * random.pick(i < links.length ? [1.1, 2, 5] : [0.5, 0.9, 1]))
        const size = sizes[i % sizes.length]
        return {
          about: `${about(link)}, ${offered} bit/s offered`,
          args: [link, size, offered],
          returns: after(link, size, offered),
        }
      }),
      OF_FILLING,
    ),
    group(
      'limitFor(): how large a queue may be',
      'limitFor',
      limits.map(([bitsPerSecond, target]) => ({
        about: 'the largest whole number',
        args: [bitsPerSecond, target],
        returns: Math.floor((bitsPerSecond * target) / 8000),
        because: 'The largest limit with which nobody waits longer: a whole number of bytes, rounded down.',
      })),
      [
        ...[8192, 8000 * 1.024 ** 2, 8000 / 1.024].map(unit => ({
          says: KILO,
          would: (rate: number, target: number) => Math.floor((rate * target) / unit),
        })),
        { says: UNITS, would: (rate: number, target: number) => Math.floor((rate * target) / 1000) },
        {
          says: 'The target is in ms, the rate in bit/s.',
          would: (rate: number, target: number) => Math.floor((rate * target) / 8),
        },
      ],
    ),
  ]
}

function unevenLimit(random: Seeded): readonly [bitsPerSecond: number, targetMs: number] {
  for (;;) {
    const [bitsPerSecond, targetMs] = [random.int(500_000, 40_000_000), random.int(5, 100)]
    if ((bitsPerSecond * targetMs) % 8000 !== 0) return [bitsPerSecond, targetMs]
  }
}

// Reference -----------------------------------------------------------------------------------------------------------

function queueBytes({ limit }: Bottleneck, packetBytes: number): number {
  return 'bytes' in limit ? limit.bytes : limit.packets * packetBytes
}

function full(link: Bottleneck, packetBytes: number): number {
  return (queueBytes(link, packetBytes) * 8000) / link.bitsPerSecond
}

function after(link: Bottleneck, packetBytes: number, offered: number): number {
  const growth = offered - link.bitsPerSecond
  return growth > 0 ? (queueBytes(link, packetBytes) * 8000) / growth : Number.POSITIVE_INFINITY
}

// Judgement -----------------------------------------------------------------------------------------------------------

export async function check(context: CheckContext): Promise<Feedback> {
  await expectGroups(context, 'bloat', formulas)
  return await expectMeasurement(context)
}

// Live ----------------------------------------------------------------------------------------------------------------

async function expectMeasurement(context: CheckContext): Promise<Feedback> {
  const profile = loadProfile('bufferbloat')
  const rate = profile.up.rate ?? fail({ expected: 'a rate in the profile bufferbloat', found: 'none' })
  const link: Bottleneck = { bitsPerSecond: rate.bitsPerSecond, limit: rate.limit }
  const idleMs = profile.up.delayMs + profile.down.delayMs
  const [predicted] = await valuesOf<number>(context, FILE, 'roundTripUnderLoadMs', [[link, PACKET, idleMs]], READ)
  const [limit] = await valuesOf<number>(context, FILE, 'limitFor', [[rate.bitsPerSecond, TARGET_MS]], READ)
  const small = { ...profile, name: 'your limit', up: { ...profile.up, rate: { ...rate, limit: { bytes: limit! } } } }
  const rows: PredictionRow[] = [
    { name: 'idle', predicted: idleMs, unit: 'ms' },
    { name: 'upload, bufferbloat', predicted: predicted!, unit: 'ms' },
    { name: `upload, ${limit} bytes of queue`, predicted: idleMs + TARGET_MS, unit: 'ms' },
  ]
  showPredictions(context, rows)

  const bed = await startTestbed(context, { profile, seed: `${context.seed} bloat` })
  const total = IDLE_PINGS + 2 * PINGS
  let done = 0
  const measure = async (row: PredictionRow, count: number) => {
    const records = await pings(context, bed, bed.client, { count, intervalMs: EVERY_MS, timeoutMs: 8000 }, () =>
      context.progress(++done, total, 'pings'),
    )
    const rtts = records.flatMap(({ rttMs }) => rttMs ?? [])
    row.measured = percentileOf(rtts, 0.5)
    row.low = percentileOf(rtts, 0.25)
    row.high = percentileOf(rtts, 0.75)
    showPredictions(context, rows)
    return { rtts, sent: records.length }
  }
  await context.do('ping over the idle link', () => measure(rows[0], IDLE_PINGS))
  const upload = new CrossTraffic({
    to: bed.link.address,
    bitsPerSecond: FILLING * rate.bitsPerSecond,
    packetBytes: PACKET,
  })
  context.defer(() => upload.stop())

  const bloated = await underLoad(context, bed, profile, rate, upload, () => measure(rows[1], PINGS))
  const [low, high] = [predicted! * 0.85, predicted! * 1.15]
  context.compare('round trip under load', rows[1].measured!, { min: low, max: high }, 'ms')
  context.expect(
    'the round trip under load is as predicted',
    bloated.rtts.length >= PINGS / 4 && rows[1].measured! >= low && rows[1].measured! <= high,
    {
      expected: `a median of ${formatNumber(predicted!)} ms, within 15 %`,
      found: `${formatNumber(rows[1].measured!)} ms; ${bloated.rtts.length} of ${bloated.sent} pings were answered`,
      read: READ,
    },
  )
  await bed.setProfile(small)
  await underLoad(context, bed, small, small.up.rate, upload, () => measure(rows[2], PINGS))
  context.expect('with your limit, it is a small part of that', rows[2].low! < predicted! / 3, {
    expected: `less than ${formatNumber(predicted! / 3)} ms with a queue of ${limit} bytes`,
    found: `${formatNumber(rows[2].low!)} ms (lower quartile)`,
    read: READ,
  })
  return {
    passed: true,
    expected: 'a round trip under load that follows from rate and limit',
    found: rows
      .map(row => `${row.name}: ${formatNumber(row.measured!)} ms (predicted ${formatNumber(row.predicted)})`)
      .join('; '),
    read: READ,
  }
}

/** Fills the queue, keeps it full, and does something meanwhile. */
async function underLoad<T>(
  context: CheckContext,
  bed: Testbed,
  profile: Profile,
  rate: Rate,
  upload: CrossTraffic,
  work: () => Promise<T>,
): Promise<T> {
  const link = { bitsPerSecond: rate.bitsPerSecond, limit: rate.limit }
  upload.setRate(FILLING * rate.bitsPerSecond)
  const fillMs = after(link, PACKET, FILLING * rate.bitsPerSecond) + 500
  await context.do(`fill the queue (${profile.name})`, () => new Promise(resolve => setTimeout(resolve, fillMs)))
  upload.setRate(KEEPING * rate.bitsPerSecond)
  const look = async () => {
    const { up } = await bed.link.counters()
    showLink(context, {
      profile: profile.name,
      delayMs: { up: profile.up.delayMs, down: profile.down.delayMs },
      loss: { up: 0, down: 0 },
      rate: { up: rate.bitsPerSecond },
      queue: { packets: up[0].queued, limit: Math.floor(queueBytes(link, PACKET) / PACKET) },
    })
  }
  const timer = setInterval(() => void look().catch(() => {}), 300)
  try {
    return await context.do(`ping during an upload (${profile.name})`, work)
  } finally {
    clearInterval(timer)
  }
}
