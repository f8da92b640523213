/**
 * Task 1: estimates from traces. First on traces that are made here, where the truth is known; then on one that is recorded
 * through the emulator.
 *
 * Bounds: of 200 000 packets, a correct estimate of p and r has a standard deviation of at most 5 % of the parameter, and one of
 * 1-h of at most 2 %, for the parameters that are drawn here; so 25 % and 12 % are five standard deviations or more. Of the
 * 20 000 recorded ones it is 7 % and 3 %, and the bounds are 40 % and 18 %. A correct solution fails less than once in 10 000
 * runs, and always or never with one seed.
 */

import {
  type Call,
  type CallGroup,
  expectGroups,
  fail,
  type Misconception,
  recognise,
  valuesOf,
} from '../../kit/check/calls.ts'
import { format, formatNumber, percent, ROUNDING, same } from '../../kit/check/format.ts'
import { Seeded } from '../../kit/check/seeded.ts'
import type { CheckContext, Feedback, Reading } from '../../kit/lab/types.ts'
import { recordTrace } from '../record-trace.ts'

const FILE = 'estimate.ts'
const READ_WILSON: Reading[] = ['labs/lab-04-impairment/README.md, "An estimate is an interval"']

const READ_MODEL: Reading[] = ['labs/lab-04-impairment/README.md, "Loss comes in bursts"', 'man tc-netem: loss gemodel']

const LINKS = 2000
const PACKETS = 200_000
const RECORDED = 20_000

interface Interval {
  low: number
  high: number
}

interface Model {
  p: number
  r: number
  oneMinusH: number
}

// Cases ---------------------------------------------------------------------------------------------------------------

const INTERVALS: readonly Misconception[] = [
  { says: 'The rate is a share: an interval ends at 0 and at 1.', would: unclamped },
  {
    says: 'This is the interval of Wald, x ∓ z·√(x(1-x)/n). With few losses it is too short, and with none it has no length at all: 0 lost of 50 is no proof that nothing is ever lost.',
    would: (lost: number, sent: number, z: number) => clamp(wald(lost, sent, z)),
  },
  {
    says: 'This is the interval of Wald, x ∓ z·√(x(1-x)/n). With few losses it is too short, and with none it has no length at all: 0 lost of 50 is no proof that nothing is ever lost.',
    would: wald,
  },
  {
    says: 'The third argument says how sure one wants to be. 1.96 is 95 % and nothing else.',
    would: (lost: number, sent: number) => wilson(lost, sent, 1.96),
  },
  {
    says: 'Centre and half width are both divided by 1 + z²/n: without that the interval leans to one half.',
    would: (lost: number, sent: number, z: number) => {
      const { centre, half } = parts(lost, sent, z)
      return clamp({ low: centre - half, high: centre + half })
    },
  },
  {
    says: 'Below the root there are two terms: x(1-x)/n and z²/(4n²). With no loss the first is 0, and the second alone keeps the interval open.',
    would: (lost: number, sent: number, z: number) => {
      const { centre, scale } = parts(lost, sent, z)
      const x = lost / sent
      const half = z * Math.sqrt((x * (1 - x)) / sent)
      return clamp({ low: (centre - half) / scale, high: (centre + half) / scale })
    },
  },
]

function intervals(random: Seeded): CallGroup {
  const call = (about: string, lost: number, sent: number, z: number, because?: string): Call => ({
    about,
    args: [lost, sent, z],
    returns: wilson(lost, sent, z),
    ...(because ? { because } : {}),
  })
  const sent = random.int(100, 5000)
  return {
    text: 'wilson() at the ends, and with other promises than 95 %',
    file: FILE,
    name: 'wilson',
    calls: [
      call('nothing lost', 0, 50, 1.96, 'No loss of 50 is compatible with a loss rate of several percent.'),
      call('all lost', 50, 50, 1.96),
      call('ten of a hundred', 10, 100, 1.96),
      call('99.9 %', 10, 100, 3.29),
      call('nothing sent', 0, 0, 1.96, 'When nothing was sent, every rate is possible: from 0 to 1.'),
      call('one of one', 1, 1, 1.96),
      ...random.list(5, () => call('made for you', random.int(0, sent), sent, random.pick([1, 1.645, 2.576, 3.89]))),
    ],
    misconceptions: INTERVALS,
    read: READ_WILSON,
  }
}

const of = (text: string) => Uint8Array.from(text.replaceAll(' ', ''), Number)

function runs(random: Seeded): CallGroup {
  const call = (about: string, trace: Uint8Array, because?: string): Call => ({
    about,
    args: [trace],
    returns: bursts(trace),
    ...(because ? { because } : {}),
  })
  return {
    text: 'burstLengths() finds the runs of losses',
    file: FILE,
    name: 'burstLengths',
    calls: [
      call('two bursts', of('0110 0100')),
      call('no loss', of('0000')),
      call('a burst at the end', of('0100 1110 0111'), 'A burst that lasts until the trace ends has a length too.'),
      call('a burst at the beginning', of('1110 1')),
      call('an empty trace', of('')),
      ...random.list(4, () => call('made for you', makeTrace(random, { p: 0.2, r: 0.4, oneMinusH: 0.9 }, 40))),
    ],
    misconceptions: [
      {
        says: 'A burst is counted once, with its length, not once for each of its losses.',
        would: (trace: Uint8Array) => bursts(trace).flatMap(length => Array.from({ length }, (_, i) => i + 1)),
      },
      { says: 'These are the lengths of the runs of arrivals; the 1 is a loss.', would: arrivals },
      {
        says: 'The lengths are wanted in the order in which the bursts happened.',
        would: (trace: Uint8Array) => bursts(trace).sort((a, b) => a - b),
      },
    ],
    read: READ_MODEL,
  }
}

const MODELS: readonly Misconception[] = [
  {
    says: 'This takes every loss for the bad state and every arrival for the good one: the simple Gilbert model, in which 1-h is 1. Here packets get through in the bad state too, so a single arrival does not end it. That is what the pattern 1?1 is counted for.',
    would: (trace: Uint8Array) => {
      const { a, b } = frequencies(trace)
      return { p: (a * (1 - b)) / (1 - a), r: 1 - b, oneMinusH: 1 }
    },
  },
  {
    says: 'p and r are exchanged: p leads from good to bad, and is the small one on a link that works.',
    would: (trace: Uint8Array) => {
      const { p, r, oneMinusH } = solve(frequencies(trace))
      return { p: r, r: p, oneMinusH }
    },
  },
  {
    says: 'This is h. What is asked for is 1-h, the probability that a packet is lost in the bad state.',
    would: (trace: Uint8Array) => {
      const { p, r, oneMinusH } = solve(frequencies(trace))
      return { p, r, oneMinusH: 1 - oneMinusH }
    },
  },
  {
    says: 'c is the share of 111 among 111 and 101: of the packets between two lost ones. This is the share of 111 among all triples that begin with two losses.',
    would: (trace: Uint8Array) => {
      let [filled, more] = [0, 0]
      for (let i = 0; i + 2 < trace.length; i++) {
        if (!trace[i] || !trace[i + 1]) continue
        more++
        if (trace[i + 2]) filled++
      }
      return solve({ ...frequencies(trace), c: filled / more })
    },
  },
  {
    says: 'b is a share of the packets after a loss, not of all packets.',
    would: (trace: Uint8Array) => {
      const { a, b, c } = frequencies(trace)
      return solve({ a, b: a * b, c })
    },
  },
  {
    says: 'r is the probability to leave the bad state, x the one to stay in it.',
    would: (trace: Uint8Array) => {
      const { p, r, oneMinusH } = solve(frequencies(trace))
      return { p, r: 1 - r, oneMinusH }
    },
  },
  {
    says: 'p is a probability for each packet in the good state. The share of packets that the link spends in the bad state is p/(p + r), and a = p/(p + r) · (1-h).',
    would: (trace: Uint8Array) => {
      const found = solve(frequencies(trace))
      return { ...found, p: frequencies(trace).a }
    },
  },
]

/** Each ends in another way: with a loss, a pair, a pattern 1?1, or arrivals and as many 111 as 101. */
const SMALL = ['111101000001', '111110100011', '111100000101', '111101000111', '11110110100']
const COUNTED =
  'Of the last packet nothing is behind it: it counts in a, and neither in b nor as the first of a pattern 1?1.'
const MOST = 'A probability of exactly 1 is one: at most 1, not below it.'

/** The bounds of what a trace can say. All numbers on the way are exact in binary, so that no rounding decides. */
function silences(): CallGroup {
  const SILENT = 'Where a trace does not say it, undefined is the honest answer; NaN is not.'
  const BEYOND = 'The formulas give a value here that is no probability. Cut off at 0 or 1, it would be invented.'
  const call = (about: string, trace: Uint8Array, because: string, returns?: Model): Call => ({
    about,
    args: [trace],
    returns,
    because,
  })
  return {
    text: 'fitGilbertElliott() says when a trace does not say it',
    file: FILE,
    name: 'fitGilbertElliott',
    calls: [
      call('nothing lost', new Uint8Array(100), SILENT),
      call('one loss', of('000 100'), SILENT),
      call('an empty trace', new Uint8Array(0), SILENT),
      call('all lost', new Uint8Array(50).fill(1), SILENT),
      call('a p below 0', of('1110'), BEYOND),
      call('a p above 1, an r below 0', of('11100'), BEYOND),
      call('a 1-h above 1', of('111101'), BEYOND),
      call('an r above 1, a 1-h below 0', of('1111000'), BEYOND),
      call(
        'p and r of exactly 0',
        of('0111'),
        'A link that never changes its state has no bursts: above 0 is asked for.',
      ),
      call('a 1-h of exactly 1', of('11111010 01001000 00000000 00000000'), MOST, { p: 1 / 6, r: 1 / 2, oneMinusH: 1 }),
      ...SMALL.map(text =>
        call('a small trace, which can be counted by hand', of(text), COUNTED, solve(frequencies(of(text)))),
      ),
    ],
    misconceptions: [
      {
        says: MOST,
        would: (trace: Uint8Array) => {
          if (solve(frequencies(trace)).oneMinusH !== 1) throw new Error('nothing is exactly 1')
          return undefined
        },
      },
      {
        says: BEYOND,
        would: (trace: Uint8Array) => (found: unknown) => {
          const { p, r, oneMinusH } = solve(frequencies(trace))
          const all = [p, r, oneMinusH].map(value => Math.min(1, Math.max(0, value)))
          const given = found as Model | undefined
          return given !== undefined && same([given.p, given.r, given.oneMinusH], all, ROUNDING)
        },
      },
      ...MODELS,
    ],
    read: READ_MODEL,
  }
}

function drawModel(random: Seeded): Model {
  return { p: random.int(10, 30) / 1000, r: random.int(150, 300) / 1000, oneMinusH: random.int(70, 90) / 100 }
}

function makeTrace(random: Seeded, { p, r, oneMinusH }: Model, packets: number): Uint8Array {
  let bad = chance(random, p / (p + r))
  return Uint8Array.from({ length: packets }, () => {
    if (chance(random, bad ? r : p)) bad = !bad
    return bad && chance(random, oneMinusH) ? 1 : 0
  })
}

function chance(random: Seeded, probability: number): boolean {
  return random.uint32() < probability * 2 ** 32
}

// Reference -----------------------------------------------------------------------------------------------------------

function wilson(lost: number, sent: number, z: number): Interval {
  if (sent === 0) return { low: 0, high: 1 }
  const x = lost / sent
  const centre = x + z ** 2 / (2 * sent)
  const half = z * Math.sqrt((x * (1 - x)) / sent + z ** 2 / (4 * sent ** 2))
  const scale = 1 + z ** 2 / sent
  return { low: Math.max(0, (centre - half) / scale), high: Math.min(1, (centre + half) / scale) }
}

function wald(lost: number, sent: number, z: number): Interval {
  if (sent === 0) throw new Error('there is no rate')
  const x = lost / sent
  const half = z * Math.sqrt((x * (1 - x)) / sent)
  return { low: x - half, high: x + half }
}

const clamp = ({ low, high }: Interval): Interval => ({ low: Math.max(0, low), high: Math.min(1, high) })

function parts(lost: number, sent: number, z: number) {
  if (sent === 0) throw new Error('there is no rate')
  const x = lost / sent
  return {
    centre: x + z ** 2 / (2 * sent),
    half: z * Math.sqrt((x * (1 - x)) / sent + z ** 2 / (4 * sent ** 2)),
    scale: 1 + z ** 2 / sent,
  }
}

function unclamped(lost: number, sent: number, z: number): Interval {
  const { centre, half, scale } = parts(lost, sent, z)
  return { low: (centre - half) / scale, high: (centre + half) / scale }
}

function bursts(trace: Uint8Array): number[] {
  return [...trace]
    .join('')
    .split('0')
    .filter(run => run !== '')
    .map(run => run.length)
}

function arrivals(trace: Uint8Array): number[] {
  return bursts(trace.map(lost => 1 - lost))
}

/** The three frequencies of Gilbert's method. */
function frequencies(trace: Uint8Array) {
  let [losses, pairs, followed, filled, gaps] = [0, 0, 0, 0, 0]
  for (let i = 0; i < trace.length; i++) {
    if (!trace[i]) continue
    losses++
    if (i + 1 < trace.length) followed++
    if (trace[i + 1]) pairs++
    if (trace[i + 2]) trace[i + 1] ? filled++ : gaps++
  }
  return { a: losses / trace.length, b: pairs / followed, c: filled / (filled + gaps) }
}

function solve({ a, b, c }: { a: number; b: number; c: number }): Model {
  const x = (a * c - b ** 2) / (2 * a * c - b * (a + c))
  return { p: (a * (1 - x)) / (b / x - a), r: 1 - x, oneMinusH: b / x }
}

// Judgement -----------------------------------------------------------------------------------------------------------

export async function check(context: CheckContext): Promise<Feedback> {
  const random = new Seeded(context.seed, 'estimate')
  const coverage = await expectCoverage(context, random)
  await expectGroups(context, 'estimate', random => [intervals(random), runs(random), silences()])
  await expectFits(context, random)
  const { truth, found, loss } = await expectRecordedFit(context, random)
  return {
    passed: true,
    expected: 'estimates that hold the truth as often as they promise, on traces made here and on one of the emulator',
    found:
      `${percent(coverage)} of ${LINKS} intervals at 95 % hold the true rate; through the emulator, ${RECORDED} packets: ` +
      `loss ${percent(loss.low)} to ${percent(loss.high)}, ${modelText(found)}, where the link had ${modelText(truth)}`,
    read: [...READ_WILSON, ...READ_MODEL],
  }
}

/**
 * What an interval at 95 % promises: that it holds the truth in 95 of 100 cases. Wilson's, averaged over these links, does in
 * 94 to 97; the count has a standard deviation of 0.5 %.
 */
async function expectCoverage(context: CheckContext, random: Seeded): Promise<number> {
  const links = random.list(LINKS, () => {
    const rate = random.int(20, 1000) / 10_000
    const sent = random.int(50, 400)
    let lost = 0
    for (let i = 0; i < sent; i++) if (chance(random, rate)) lost++
    return { rate, sent, lost }
  })
  const intervals = await valuesOf<Interval>(
    context,
    FILE,
    'wilson',
    links.map(({ lost, sent }) => [lost, sent, 1.96]),
    READ_WILSON,
  )
  const shape = intervals.findIndex(one => typeof one?.low !== 'number' || typeof one?.high !== 'number')
  context.expect('wilson() returns an interval', shape < 0, () => ({
    expected: 'an object { low, high } of two numbers',
    found: format(intervals[shape]),
    read: READ_WILSON,
  }))
  const held = links.filter(({ rate }, i) => intervals[i].low <= rate && rate <= intervals[i].high).length / LINKS
  context.compare('intervals at 95 % that hold the true rate', held * 100, { min: 92.5, max: 98.5 }, '%')
  context.expect(
    `of ${LINKS} links, the interval holds the true loss rate in about 95 %`,
    held >= 0.925 && held <= 0.985,
    () => {
      const wrong = links.findIndex(({ rate }, i) => rate < intervals[i].low || rate > intervals[i].high)
      const { rate, sent, lost } = links[Math.max(0, wrong)]
      const args = [lost, sent, 1.96]
      const misconception = recogniseMost(links.map((link, i) => [[link.lost, link.sent, 1.96], intervals[i]]))
      return {
        expected: `an interval at 95 % to hold the true rate in 92.5 to 98.5 % of ${LINKS} links of 50 to 400 packets`,
        found: `it does in ${percent(held)}; for example wilson(${args.join(', ')}) returned ${format(intervals[Math.max(0, wrong)])}, and the rate was ${percent(rate)}`,
        misconception,
        read: READ_WILSON,
      }
    },
  )
  return held
}

/** The misconception that explains most of the results. */
function recogniseMost(results: readonly (readonly [readonly unknown[], unknown])[]): string | undefined {
  const counts = new Map<string, number>()
  for (const [args, found] of results) {
    const says = recognise(INTERVALS, args, found)
    if (says) counts.set(says, (counts.get(says) ?? 0) + 1)
  }
  const [says, count] = [...counts].sort((a, b) => b[1] - a[1])[0] ?? [undefined, 0]
  return count > results.length / 2 ? says : undefined
}

async function expectFits(context: CheckContext, random: Seeded): Promise<void> {
  const links = random.list(6, () => drawModel(random))
  const traces = links.map(link => makeTrace(random, link, PACKETS))
  const found = await valuesOf<Model | undefined>(
    context,
    FILE,
    'fitGilbertElliott',
    traces.map(trace => [trace]),
    READ_MODEL,
  )
  for (const [i, link] of links.entries()) {
    expectModel(context, `link ${i + 1} of ${links.length}`, link, found[i], traces[i], {
      rates: 0.25,
      oneMinusH: 0.12,
    })
  }
}

interface Bounds {
  /** Of p and r, relative. */
  rates: number
  oneMinusH: number
}

function expectModel(
  context: CheckContext,
  name: string,
  truth: Model,
  found: Model | undefined,
  trace: Uint8Array,
  bounds: Bounds,
): asserts found is Model {
  const within = (key: keyof Model, bound: number) =>
    found !== undefined && Math.abs(found[key] / truth[key] - 1) <= bound
  const holds = within('p', bounds.rates) && within('r', bounds.rates) && within('oneMinusH', bounds.oneMinusH)
  context.expect(`${name}: p, r and 1-h from ${trace.length} packets`, holds, () => {
    const misconception = recognise(MODELS, [trace], found, 0.02)
    return {
      expected: `${modelText(truth)}; p and r within ${percent(bounds.rates)} of that, 1-h within ${percent(bounds.oneMinusH)}`,
      found: found === undefined ? 'undefined, though the trace has many bursts' : modelText(found),
      misconception,
      read: READ_MODEL,
    }
  })
}

function modelText(model: Model): string {
  const { p, r, oneMinusH } = model
  if ([p, r, oneMinusH].some(value => typeof value !== 'number')) return format(model)
  return `p ${formatNumber(p)}, r ${formatNumber(r)}, 1-h ${formatNumber(oneMinusH)}`
}

// Live ----------------------------------------------------------------------------------------------------------------

async function expectRecordedFit(
  context: CheckContext,
  random: Seeded,
): Promise<{ truth: Model; found: Model; loss: Interval }> {
  const truth = { p: random.int(20, 30) / 1000, r: random.int(200, 260) / 1000, oneMinusH: random.int(80, 90) / 100 }
  const trace = await context.do(`send ${RECORDED} packets through the emulator`, () =>
    recordTrace(truth, RECORDED, { ...context, seed: `${context.seed} trace` }),
  )
  const lost = trace.reduce((sum, one) => sum + one, 0)
  const [found] = await valuesOf<Model | undefined>(context, FILE, 'fitGilbertElliott', [[trace]], READ_MODEL)
  const [loss] = await valuesOf<Interval>(context, FILE, 'wilson', [[lost, trace.length, 3.89]], READ_WILSON)
  if (loss === undefined) return fail({ expected: 'an interval', found: 'none' })
  expectModel(context, 'the recorded trace', truth, found, trace, { rates: 0.4, oneMinusH: 0.18 })
  const rate = (truth.oneMinusH * truth.p) / (truth.p + truth.r)
  context.compare('p', found.p, around(truth.p, 0.4))
  context.compare('r', found.r, around(truth.r, 0.4))
  context.compare('1-h', found.oneMinusH, around(truth.oneMinusH, 0.18))
  context.compare('loss', (lost / trace.length) * 100, around(rate * 100, 0.3), '%')
  return { truth, found, loss }
}

function around(value: number, share: number): { min: number; max: number } {
  return { min: value * (1 - share), max: value * (1 + share) }
}
