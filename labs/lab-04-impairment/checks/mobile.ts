/**
 * Task 9: a report with figures. First, do they fit each other and the profile? Then, do they fit a fresh measurement?
 *
 * The fresh measurement is 15 s of the same profile from the beginning of its timeline, with another seed. Compared are the median of
 * the round trip (a quarter and 20 ms: a busy machine moves a median by a few), and the loss, by intervals of Clopper and Pearson at
 * 99.99 % that have to overlap, with an eighth of the packets, because losses come in bursts and are worth less than independent ones.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'smol-toml'
import { ConfigError } from '../../../src/config/config-error.ts'
import { readRegularFile } from '../../../src/config/read-file.ts'
import { readConfigFile } from '../../../src/config/read-toml.ts'
import { loadProfile, parseProfile, profileNames } from '../../../src/link/profile/load-profile.ts'
import type { Profile } from '../../../src/link/profile/profile.ts'
import { clopperPearson, wilson } from '../../../src/stats/intervals.ts'
import { fail } from '../../kit/check/calls.ts'
import { formatNumber, percent } from '../../kit/check/format.ts'
import { watchTunnel } from '../../kit/check/window-recorder.ts'
import type { CheckContext, Feedback, Reading } from '../../kit/lab/types.ts'
import { MEASURED, measureProfile } from '../measure.ts'
import { type PredictionRow, showLink, showPredictions } from '../panel-data.ts'

const FILE = 'report.toml'
const OWN = 'my-profile.toml'
const READ: Reading[] = ['labs/lab-04-impairment/README.md, "A report"', 'docs/netem.md']

const FEWEST_PINGS = 200
const LEAST_WORDS = 200
const BURSTS = 8
const TITLES = ['reported', 'fresh'] as const

const FIGURES: Readonly<Record<string, readonly string[]>> = {
  rtt: ['median_ms', 'p95_ms', 'jitter_ms'],
  loss: ['sent', 'lost', 'low_percent', 'high_percent'],
  goodput: ['offered_kbit', 'received_kbit'],
}

interface Report {
  profile: string
  rtt: { median_ms: number; p95_ms: number; jitter_ms: number }
  loss: { sent: number; lost: number; low_percent: number; high_percent: number }
  goodput: { offered_kbit: number; received_kbit: number }
  words: { explanation: string }
}

// Judgement -----------------------------------------------------------------------------------------------------------

export async function check(context: CheckContext): Promise<Feedback> {
  const report = await context.do(`read ${FILE}`, () => readReport(context.exercises))
  const profile = await context.do('find its profile', () => profileOf(report, context.exercises))
  expectSense(context, report, profile)
  expectOwn(context, report)
  const rows: PredictionRow[] = [
    { name: 'round trip, median', predicted: report.rtt.median_ms, unit: 'ms' },
    { name: 'round trip, p95', predicted: report.rtt.p95_ms, unit: 'ms' },
    { name: 'loss of pings', predicted: (100 * report.loss.lost) / report.loss.sent, unit: '%' },
    { name: 'goodput', predicted: report.goodput.received_kbit, unit: 'kbit/s' },
  ]
  showPredictions(context, rows, TITLES)
  showLink(context, {
    profile: profile.name,
    delayMs: { up: profile.up.delayMs, down: profile.down.delayMs },
    loss: { up: 0, down: 0 },
    rate: {
      ...(profile.up.rate && { up: profile.up.rate.bitsPerSecond }),
      ...(profile.down.rate && { down: profile.down.rate.bitsPerSecond }),
    },
  })
  const fresh = await context.do(`measure ${profile.name} again`, () =>
    measureProfile(profile, `${context.seed} mobile`, {
      signal: context.signal,
      onTunnel: client => watchTunnel(context, `over ${profile.name}`, client),
      onProgress: (done, total) => context.progress(done, total, 'pings'),
    }),
  )
  const measured = [
    fresh.rtt.medianMs,
    fresh.rtt.p95Ms,
    (100 * fresh.loss.lost) / fresh.loss.sent,
    fresh.goodput.receivedKbit,
  ]
  for (const [i, row] of rows.entries()) row.measured = measured[i]
  showPredictions(context, rows, TITLES)
  expectFresh(context, report, fresh)
  return {
    passed: true,
    expected: 'a report whose figures fit each other and a fresh measurement',
    found: rows
      .map(row => `${row.name} ${formatNumber(row.predicted)} (again: ${formatNumber(row.measured!)}) ${row.unit}`)
      .join('; '),
    read: READ,
  }
}

function readReport(exercises: string): Report {
  const file = join(exercises, FILE)
  if (!existsSync(file)) return fail({ expected: `your report in ${FILE}`, found: 'no such file' })
  let content: Record<string, unknown>
  try {
    content = parse(readRegularFile(file).toString('utf8'))
  } catch (error) {
    return fail({ expected: `${FILE} to be TOML`, found: (error as Error).message.split('\n')[0] })
  }
  for (const [section, keys] of Object.entries(FIGURES)) {
    for (const key of keys) {
      const value = (content[section] as Record<string, unknown> | undefined)?.[key]
      if (typeof value === 'number' && Number.isFinite(value) && value >= 0) continue
      return fail({
        expected: `${section}.${key} to be a number, 0 or more, in ${FILE}`,
        found: value === undefined ? 'nothing' : String(value),
      })
    }
  }
  const explanation = (content.words as Record<string, unknown> | undefined)?.explanation
  return {
    ...(content as unknown as Report),
    profile: typeof content.profile === 'string' ? content.profile.trim() : '',
    words: { explanation: typeof explanation === 'string' ? explanation : '' },
  }
}

/** A shipped one by its name, or the student's own. Any other file is not read: reports of others are graded too. */
function profileOf({ profile }: Report, exercises: string): Profile {
  const names = profileNames()
  const wanted = `profile = "lte", another shipped one, or "${OWN}", in ${FILE}`
  if (profile === '') return fail({ expected: wanted, found: 'no name yet' })
  try {
    if (names.includes(profile)) return loadProfile(profile)
    if (profile !== OWN) {
      return fail({
        expected: wanted,
        found: JSON.stringify(profile),
        misconception: `Shipped are ${names.join(', ')}.`,
      })
    }
    const file = join(exercises, OWN)
    return parseProfile(readConfigFile(file), { file: OWN })
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    return fail({ expected: `${OWN} to be a valid profile`, found: error.message })
  }
}

function expectSense(context: CheckContext, report: Report, profile: Profile): void {
  const { rtt, loss, goodput, words } = report
  const of = (text: string, holds: boolean, expected: string, found: string, misconception: string) =>
    context.expect(text, holds, { expected, found, misconception, read: READ })

  of(
    `it is about at least ${FEWEST_PINGS} pings`,
    Number.isInteger(loss.sent) && loss.sent >= FEWEST_PINGS && Number.isInteger(loss.lost) && loss.lost <= loss.sent,
    `loss.sent a whole number of at least ${FEWEST_PINGS}, loss.lost one of at most loss.sent`,
    `${loss.lost} of ${loss.sent}`,
    'Counts are whole numbers; and with few packets the interval says next to nothing.',
  )
  const { low, high } = wilson(loss.lost, loss.sent, 0.95)
  const rounded = (value: number, exact: number) => Math.abs(value - exact * 100) <= 0.006 + exact * 100 * 0.02
  of(
    'the interval is that of the counts',
    rounded(loss.low_percent, low) && rounded(loss.high_percent, high),
    `${percent(low)} to ${percent(high)} for ${loss.lost} of ${loss.sent}`,
    `${loss.low_percent} % to ${loss.high_percent} %`,
    intervalMisconception(loss, { low, high }),
  )
  const least = profile.up.delayMs + profile.down.delayMs
  const jitter = profile.up.jitterMs + profile.down.jitterMs
  of(
    'no round trip is shorter than the link',
    rtt.median_ms >= least - 2 * jitter - 1,
    `rtt.median_ms of at least about ${least}: ${profile.up.delayMs} ms up and ${profile.down.delayMs} ms down`,
    `${rtt.median_ms} ms`,
    'A round trip goes up and down. Is this the delay of one direction?',
  )
  of(
    'the 95th percentile is not below the median',
    rtt.p95_ms >= rtt.median_ms,
    'rtt.p95_ms at or above rtt.median_ms',
    `${rtt.p95_ms} ms and ${rtt.median_ms} ms`,
    'Half of all values are at or below the median, 95 % at or below p95: so p95 is the larger one.',
  )
  of(
    'the jitter is smaller than the round trip',
    rtt.jitter_ms <= rtt.p95_ms,
    'rtt.jitter_ms at or below rtt.p95_ms',
    `${rtt.jitter_ms} ms`,
    'Jitter is a mean difference of neighbours; it cannot be larger than the largest times themselves.',
  )
  of(
    'no more arrives than was sent',
    goodput.received_kbit > 0 && goodput.received_kbit <= goodput.offered_kbit * 1.001,
    'goodput.received_kbit above 0 and at most goodput.offered_kbit',
    `${goodput.received_kbit} of ${goodput.offered_kbit} kbit/s`,
    'What was never sent cannot arrive. Are the two exchanged?',
  )
  of(
    'it says what explains the figures',
    words.explanation.trim().length >= LEAST_WORDS,
    `words.explanation of at least ${LEAST_WORDS} characters`,
    `${words.explanation.trim().length}`,
    'Figures without an explanation are half of a report.',
  )
}

/** What measure.ts has recorded: its runs, as far as they can be read. */
function runsIn(exercises: string): Partial<Report>[] {
  const file = join(exercises, MEASURED)
  if (!existsSync(file)) return []
  try {
    const { run } = parse(readRegularFile(file).toString('utf8'))
    return Array.isArray(run) ? (run as Partial<Report>[]) : []
  } catch (error) {
    return fail({
      expected: `${MEASURED} to be TOML, as measure.ts wrote it`,
      found: (error as Error).message.split('\n')[0],
    })
  }
}

function expectOwn(context: CheckContext, report: Report): void {
  const differences = (run: Partial<Report>): string[] => {
    if (run.profile !== report.profile) return [`it was of ${JSON.stringify(run.profile)}`]
    return Object.entries(FIGURES).flatMap(([section, keys]) =>
      keys.flatMap(key => {
        const [found, measured] = [report, run].map(
          one => (one as unknown as Record<string, Record<string, number> | undefined>)[section]?.[key],
        )
        if (key.endsWith('_percent') || Math.abs(found! - measured!) <= 0.06 + 0.01 * measured!) return []
        return [`${section}.${key} is ${found} in the report and ${measured} in the run`]
      }),
    )
  }
  const all = runsIn(context.exercises).map(differences)
  const nearest = [...all].sort((a, b) => a.length - b.length)[0]
  context.expect('the figures are those of a run of your own', nearest?.length === 0, {
    expected: `the figures of one of the runs that measure.ts has recorded in ${MEASURED}`,
    found: nearest === undefined ? 'no run at all' : `of ${all.length}, the nearest: ${nearest.join('; ')}`,
    read: READ,
  })
}

function intervalMisconception(loss: Report['loss'], exact: { low: number; high: number }): string {
  if (Math.abs(loss.high_percent - exact.high) < 0.001 && exact.high > 0.001) {
    return 'In percent, not as a share.'
  }
  if (loss.low_percent === loss.high_percent) {
    return 'An interval with no length says that the rate is known exactly. Your function from task 1 knows better.'
  }
  return 'Your function from task 1 gives it, with z = 1.96, from the counts in the same report.'
}

function expectFresh(context: CheckContext, report: Report, fresh: Awaited<ReturnType<typeof measureProfile>>): void {
  const { medianMs } = fresh.rtt
  const room = medianMs * 0.25 + 20
  context.expect('the round trip is that of a fresh measurement', Math.abs(report.rtt.median_ms - medianMs) <= room, {
    expected: `a median of ${formatNumber(medianMs)} ms, within ${formatNumber(room)} ms`,
    found: `${report.rtt.median_ms} ms in your report`,
    read: READ,
  })
  const share = ({ received, offered }: { received: number; offered: number }) => received / offered
  const again = fresh.goodput
  // By how much two measurements of one profile may differ; nobody who measured comes near to it.
  for (const [name, reported, measured, factor, more] of [
    ['rtt.p95_ms', report.rtt.p95_ms, fresh.rtt.p95Ms, 2, 60],
    ['rtt.jitter_ms', report.rtt.jitter_ms, fresh.rtt.jitterMs, 3, 20],
    ['goodput.offered_kbit', report.goodput.offered_kbit, again.offeredKbit, 1.1, 0],
  ] as const) {
    const [least, most] = [measured / factor - more, measured * factor + more]
    context.expect(`${name} is one that this profile can have`, reported >= least && reported <= most, {
      expected: `${formatNumber(Math.max(0, least))} to ${formatNumber(most)}: a fresh measurement has ${formatNumber(measured)}`,
      found: `${reported} in your report`,
      read: READ,
    })
  }
  const { received_kbit: received, offered_kbit: offered } = report.goodput
  const shares = [share({ received, offered }), share({ received: again.receivedKbit, offered: again.offeredKbit })]
  context.expect('so much arrives as in a fresh measurement', Math.abs(shares[0] - shares[1]) <= 0.2, {
    expected: `about ${percent(shares[1])} of what was offered`,
    found: `${percent(shares[0])} in your report`,
    read: READ,
  })
  const interval = ({ lost, sent }: { lost: number; sent: number }) =>
    clopperPearson(Math.round(lost / BURSTS), Math.round(sent / BURSTS), 0.9999)
  const [yours, theirs] = [interval(report.loss), interval(fresh.loss)]
  context.expect('and so is the loss', yours.low <= theirs.high && theirs.low <= yours.high, {
    expected: `a loss that is compatible with ${fresh.loss.lost} of ${fresh.loss.sent}`,
    found: `${report.loss.lost} of ${report.loss.sent} in your report`,
    read: READ,
  })
}
