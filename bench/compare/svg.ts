/** A comparison as two figures: who recovers when, and the round trips of the first round as they went by. */

import type { BarFigure, Figure, LineFigure, Point } from '../../src/experiment/charts/figure.ts'
import { percentileOf } from '../../src/stats/statistics.ts'
import { type CompareResult, decisive, estimate } from './compare.ts'
import type { Echo } from './figures.ts'

/** The round trips of so many ms become one point. */
const BIN_MS = 250

export function figuresOfResult(result: CompareResult): Figure[] {
  const measured = result.contenders.filter(({ runs }) => runs.length > 0)
  const decisive = decisiveFigure({ ...result, contenders: measured })
  // With TCP alone nobody has measured round trips.
  return result.traffic === 'tcp' ? [decisive] : [decisive, roundTripFigure({ ...result, contenders: measured })]
}

/** What the figure of bars is about: `decisive`, in words. */
function wordsOf({ traffic, contenders }: CompareResult): { id: string; title: string; name: string } {
  if (traffic === 'tcp') return { id: 'tcp', title: 'how long TCP takes for a megabyte', name: 'a megabyte' }
  return contenders.some(({ runs }) => runs[0].events.length > 0)
    ? { id: 'recovery', title: 'how long until packets come through again', name: 'recovery' }
    : { id: 'latency', title: 'median round trip', name: 'round trip' }
}

function decisiveFigure(result: CompareResult): BarFigure {
  const { profile, rounds, contenders } = result
  const { id, title, name } = wordsOf(result)
  return {
    kind: 'bars',
    id: `${profile}-${id}`,
    title: `${profile}: ${title}`,
    note: `Medians of ${rounds} rounds, with their intervals of 95 %; a dash: not within the run`,
    xLabel: '',
    yLabel: `${name}, ms`,
    log: id !== 'latency',
    categories: contenders.map(({ title }) => title),
    series: [
      {
        name,
        values: contenders.map(({ runs }) => bar(runs.map(decisive))),
      },
    ],
  }
}

/** Without an end to draw to, a whisker is left out. */
function bar(values: readonly number[]): { y: number; low: number; high: number } | undefined {
  const { median, low, high } = estimate(values)
  if (!Number.isFinite(median)) return undefined
  return Number.isFinite(low) && Number.isFinite(high)
    ? { y: median, low, high }
    : { y: median, low: median, high: median }
}

function roundTripFigure({ profile, contenders }: CompareResult): LineFigure {
  const events = contenders[0]?.runs[0]?.events ?? []
  const text = events.map(({ kind, atMs, endMs }) => {
    const until = endMs > atMs ? ` to ${endMs / 1000}` : ''
    return `${kind} at ${atMs / 1000}${until} s`
  })
  return {
    kind: 'line',
    id: `${profile}-round-trips`,
    title: `${profile}: round trips inside the tunnel, first round`,
    note: `By when the request was sent, medians of ${BIN_MS} ms; no mark, no reply${text.length === 0 ? '' : `; ${text.join(', ')}`}`,
    xLabel: 'time, s',
    yLabel: 'round trip, ms',
    log: true,
    series: contenders.map(({ title, runs }) => ({ name: title, points: pointsOf(runs[0].echoes) })),
  }
}

/** A point for each stretch of time in which a request was answered. */
export function pointsOf(echoes: readonly Echo[]): Point[] {
  const bins = new Map<number, number[]>()
  for (const { sentMs, rttMs } of echoes) {
    // The first requests leave while the timeline is being begun.
    if (rttMs === undefined || sentMs < 0) continue
    const bin = Math.floor(sentMs / BIN_MS)
    bins.set(bin, [...(bins.get(bin) ?? []), rttMs])
  }
  return [...bins]
    .sort(([a], [b]) => a - b)
    .map(([bin, rtts]) => {
      const y = percentileOf(rtts, 0.5)
      return { x: ((bin + 0.5) * BIN_MS) / 1000, y, low: y, high: y }
    })
}
