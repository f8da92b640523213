/** What a comparison prints: tables of 80 columns, and who did best in plain words. */

import { cpus, loadavg } from 'node:os'
import { wilson } from '../../src/stats/intervals.ts'
import { median } from '../../src/stats/statistics.ts'
import { padEnd } from '../../src/text/columns.ts'
import { type CompareResult, type ContenderResult, decisive, type Estimate, estimate, MIN_ROUNDS } from './compare.ts'
import type { PartFigures, RunFigures } from './figures.ts'
import type { Run } from './run.ts'
import { FLOW_KBIT } from './traffic.ts'

/** Of the longest title, and one space. */
const NAME_WIDTH = 27

export function reportText(result: CompareResult): string {
  const { profile, title, about, rounds, absent, failures, stalls } = result
  const measured = result.contenders.filter(({ runs }) => runs.length > 0)
  const hasEvents = measured.some(({ runs }) => runs[0].events.length > 0)
  return [
    `${profile}: ${title}`,
    `${about}; ${rounds} ${rounds === 1 ? 'round' : 'rounds'}; ${machine()}`,
    '',
    ...(result.traffic === 'tcp'
      ? tcpTables(measured)
      : [...(hasEvents ? eventTables(measured) : [quietTable(measured)]), ...tcpBehind(measured)]),
    '',
    ...verdict(result),
    ...(stalls > 0 ? [`The emulator was held up ${stalls} times: this machine is busy.`] : []),
    ...failures,
    ...absent,
  ].join('\n')
}

/** Where something happens: how long until it works again, what was lost, and how it feels before, during and after. */
function eventTables(measured: readonly ContenderResult[]): string[] {
  const parts = ['before', 'during', 'after'] as const
  const of = (runs: ContenderResult['runs'], value: (figures: RunFigures) => number): number =>
    median(runs.map(({ figures }) => value(figures)))
  const part = (figures: RunFigures, name: (typeof parts)[number]): PartFigures => figures[name] ?? figures.whole
  const recovery = table(
    ['medians [95 %]', 'recovers after, ms', 'lost', 'of', 'goodput kbit/s'],
    measured.map(({ title, runs }) => [
      title,
      withInterval(estimate(runs.map(decisive))),
      ...parts.slice(1, 2).map(name => whole(of(runs, figures => part(figures, name).lost))),
      whole(of(runs, figures => figures.during?.sent ?? 0)),
      `${whole(of(runs, ({ goodputKbit }) => goodputKbit))} of ${FLOW_KBIT}`,
    ]),
    [24, 7, 6, 15],
  )
  const feel = (name: string, value: (figures: PartFigures) => number): string =>
    table(
      [name, ...parts],
      measured.map(({ title, runs }) => [
        title,
        ...parts.map(each => tenths(of(runs, figures => value(part(figures, each))))),
      ]),
      [12, 12, 12],
    )
  return [
    recovery,
    '',
    feel('round trip p50, ms', ({ p50Ms }) => p50Ms),
    '',
    feel('round trip p95, ms', ({ p95Ms }) => p95Ms),
    '',
    feel('jitter, ms', ({ jitterMs }) => jitterMs),
    '',
    feel('lost, of 100', ({ lost, sent }) => (100 * lost) / sent),
  ]
}

/** One TCP flow that takes all it gets: how much it got, and whether the connection went on. */
function tcpTables(measured: readonly ContenderResult[]): string[] {
  const hasEvents = measured.some(({ runs }) => runs[0].events.length > 0)
  const survived = (runs: readonly Run[]): string =>
    `${runs.filter(({ tcp }) => tcp?.hasSurvived).length} of ${runs.length}`
  const whole = table(
    ['TCP, medians [95 %]', 'goodput, Mbit/s', 'standstill, ms', 'survived'],
    measured.map(({ title, runs }) => [
      title,
      withInterval(estimate(runs.map(({ figures }) => figures.goodputKbit / 1000)), tenths),
      hasEvents ? withInterval(estimate(runs.map(({ tcp }) => Math.max(...(tcp?.standstillMs ?? []))))) : '-',
      survived(runs),
    ]),
    [20, 22, 11],
  )
  if (!hasEvents) return [whole]
  const parts = ['before', 'during', 'after'] as const
  return [
    whole,
    '',
    table(
      ['TCP goodput, Mbit/s', ...parts],
      measured.map(({ title, runs }) => [
        title,
        ...parts.map(part => tenths(median(runs.map(({ tcp }) => (tcp?.goodputKbit?.[part] ?? Number.NaN) / 1000)))),
      ]),
      [12, 12, 12],
    ),
  ]
}

/** What TCP did in the same rounds, below the tables of echo train and paced flow. */
function tcpBehind(measured: readonly ContenderResult[]): string[] {
  const withTcp = measured.filter(({ tcpRuns }) => tcpRuns.length > 0)
  return withTcp.length === 0 ? [] : ['', ...tcpTables(withTcp.map(each => ({ ...each, runs: each.tcpRuns })))]
}

/** Where nothing happens but what the link does all the time. */
function quietTable(measured: readonly ContenderResult[]): string {
  return table(
    ['medians of rounds', 'p50 ms [95 %]', 'p95', 'jitter', 'lost % [95 %]', 'kbit/s'],
    measured.map(({ title, runs }) => {
      const of = (value: (figures: RunFigures) => number): number => median(runs.map(({ figures }) => value(figures)))
      return [
        title,
        withInterval(estimate(runs.map(({ figures }) => figures.whole.p50Ms))),
        tenths(of(({ whole }) => whole.p95Ms)),
        tenths(of(({ whole }) => whole.jitterMs)),
        lossWithInterval(runs.map(({ figures }) => figures.whole)),
        whole(of(({ goodputKbit }) => goodputKbit)),
      ]
    }),
    [16, 7, 7, 16, 7],
  )
}

/** Who is best in what decides, whoever that is. A draw with all whose intervals meet the best one's. */
export function verdict({ contenders, rounds, narrow, traffic }: CompareResult): string[] {
  const ranked = contenders
    .filter(({ runs }) => runs.length > 0)
    .map(({ title, runs }) => ({ title, ...estimate(runs.map(decisive)) }))
    .sort((a, b) => a.median - b.median)
  if (ranked.length === 0) return ['Nothing could be measured.']
  const [best, ...others] = ranked
  if (best.median === Number.POSITIVE_INFINITY) return ['None of them recovered within the run.']
  const what =
    traffic === 'tcp'
      ? 'lets TCP send most'
      : contenders.some(({ runs }) => runs[0]?.events.length)
        ? 'recovers first'
        : 'has the shortest round trips'
  if (rounds < MIN_ROUNDS) {
    return [
      `${best.title} ${what} here; of ${rounds} rounds, which say nothing certain (${MIN_ROUNDS} give an interval).`,
    ]
  }
  const level = others.filter(({ low }) => low <= best.high)
  return [
    level.length === 0
      ? `${best.title} ${what}; no other's interval meets its own.`
      : `${best.title} ${what}, but no worse, as far as can be told: ${level.map(({ title }) => title).join('; ')}.`,
    narrow
      ? 'Each interval is within a fifth of its median, or 25 ms.'
      : 'Some intervals are wider than a fifth of their medians and 25 ms: more rounds (--runs) would tell more.',
  ]
}

function withInterval({ median, low, high }: Estimate, text = whole): string {
  if (median === Number.POSITIVE_INFINITY) return 'not in the run'
  if (!Number.isFinite(low)) return text(median)
  return `${text(median)} [${text(low)}, ${high === Number.POSITIVE_INFINITY ? 'never' : text(high)}]`
}

function lossWithInterval(parts: readonly PartFigures[]): string {
  const sum = (of: (part: PartFigures) => number): number => parts.reduce((total, part) => total + of(part), 0)
  const [lost, sent] = [sum(({ lost }) => lost), sum(({ sent }) => sent)]
  const { low, high } = wilson(lost, sent)
  return `${percent(lost / sent)} [${percent(low)}, ${percent(high)}]`
}

function table(header: readonly string[], rows: readonly (readonly string[])[], widths: readonly number[]): string {
  return [header, ...rows]
    .map(([name, ...cells]) => padEnd(name, NAME_WIDTH) + cells.map((cell, i) => cell.padStart(widths[i])).join(''))
    .join('\n')
}

function machine(): string {
  return `${cpus().length} cores, load ${loadavg()[0].toFixed(1)}, Node ${process.versions.node}`
}

function whole(value: number): string {
  return Number.isNaN(value) ? '-' : value.toFixed(0)
}

function tenths(value: number): string {
  return Number.isNaN(value) ? '-' : value.toFixed(1)
}

function percent(share: number): string {
  return (100 * share).toFixed(1)
}
