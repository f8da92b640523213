/**
 * Measurements as pictures of characters: a sparkline with percentiles for a series, two bars for a value beside what is
 * expected of it. `liveText` says the same in words.
 */
import { median, percentileOf } from '../../../src/stats/statistics.ts'
import type { Marks } from '../lab/marks.ts'
import type { Line, Span, Style } from '../lab/text.ts'
import type { LiveComparison, LiveSeries, LiveState } from '../lab/types.ts'

const BAR_MAX_COLUMNS = 40

/** Three digits that mean something, and no exponent. */
export function formatNumber(value: number): string {
  if (!Number.isFinite(value)) return String(value)
  const size = Math.abs(value)
  if (Number.isInteger(value) && size < 1e6) return String(value)
  if (size >= 100) return value.toFixed(0)
  return size >= 10 ? value.toFixed(1) : value.toFixed(2)
}

/** One column a value, the most recent ones; the highest reaches the top, zero is the floor. */
export function sparkline(values: readonly number[], columns: number, levels: readonly string[]): string {
  const shown = values.slice(-Math.max(1, columns))
  const top = Math.max(...shown.filter(Number.isFinite), 0)
  return shown
    .map(value => {
      const level = top > 0 && Number.isFinite(value) ? Math.round((Math.max(0, value) / top) * (levels.length - 1)) : 0
      return levels[level]
    })
    .join('')
}

export function withinExpected({ measured, expected }: LiveComparison): boolean {
  return measured >= (expected.min ?? -Infinity) && measured <= (expected.max ?? Infinity)
}

/** Everything that was told, for the terminal UI. */
export function liveLines(live: LiveState, width: number, marks: Marks): Line[] {
  return [
    ...(live.progress ? [progressLine(live.progress, width, marks)] : []),
    ...live.series.flatMap(series => seriesLines(series, width, marks)),
    ...live.comparisons.flatMap(comparison => comparisonLines(comparison, width, marks)),
  ]
}

export function progressLine(progress: NonNullable<LiveState['progress']>, width: number, marks: Marks): Line {
  const { done, total, text } = progress
  const share = total > 0 ? Math.min(1, Math.max(0, done / total)) : 0
  const bar = Math.min(BAR_MAX_COLUMNS, Math.max(10, width - 8 - text.length))
  const filled = Math.round(share * bar)
  return [
    { text: marks.barFull.repeat(filled), style: 'accent' },
    { text: marks.barEmpty.repeat(bar - filled), style: 'muted' },
    { text: ` ${String(Math.round(share * 100)).padStart(3)} %  ` },
    { text },
  ]
}

/** Fewer values than these are shown one by one. */
const FEWEST_FOR_PERCENTILES = 5

function percentilesOf(values: readonly number[]): [percent: number, value: string][] {
  return [50, 95, 99].map(percent => [
    percent,
    formatNumber(percent === 50 ? median(values) : percentileOf(values, percent / 100)),
  ])
}

function seriesLines({ name, unit, values, count }: LiveSeries, width: number, marks: Marks): Line[] {
  const last = values.at(-1)
  if (last === undefined) return []
  const few = values.length < FEWEST_FOR_PERCENTILES
  const numbers = few
    ? `of ${values.map(formatNumber).join(', ')}`
    : `${percentilesOf(values)
        .map(([percent, value]) => `p${percent} ${value}`)
        .join('  ')}  n ${count}`
  const label = `${name}  `
  return [
    [
      { text: label, style: 'muted' },
      { text: sparkline(values, Math.min(60, width - label.length), marks.sparkline), style: 'accent' },
    ],
    [
      { text: '  ' },
      { text: `${formatNumber(last)}${unit && ` ${unit}`}`, style: 'strong' },
      { text: `  ${numbers}`, style: 'muted' },
    ],
  ]
}

/**
 *     goodput
 *       measured  ##################----------  93.1 Mbit/s  +
 *       expected              [==========]      80 to 120 Mbit/s
 */
function comparisonLines(comparison: LiveComparison, width: number, marks: Marks): Line[] {
  const { name, unit, measured, expected } = comparison
  const good = withinExpected(comparison)
  const style: Style = good ? 'good' : 'bad'
  const bar = Math.min(BAR_MAX_COLUMNS, Math.max(10, width - 34))
  const largest = Math.max(measured, expected.max ?? 0, expected.min ?? 0)
  const top = largest > 0 ? largest * 1.1 : 1
  const column = (value: number) => Math.min(bar, Math.max(0, Math.round((value / top) * bar)))
  const filled = column(measured)
  const from = column(expected.min ?? 0)
  const to = Math.max(from + 1, expected.max === undefined ? bar : column(expected.max))
  const unitText = unit && ` ${unit}`
  const range: Span[] = [
    { text: ' '.repeat(from) },
    { text: marks.range.repeat(Math.min(bar, to) - from) },
    { text: ' '.repeat(Math.max(0, bar - to)) },
  ]
  return [
    [{ text: name, style: 'muted' }],
    [
      { text: '  measured  ', style: 'muted' },
      { text: marks.barFull.repeat(filled), style },
      { text: marks.barEmpty.repeat(bar - filled), style: 'muted' },
      { text: `  ${formatNumber(measured)}${unitText} ${good ? marks.good : marks.bad}`, style },
    ],
    [{ text: '  expected  ', style: 'muted' }, ...range, { text: `  ${rangeText(comparison)}` }],
  ]
}

function rangeText({ expected: { min, max }, unit }: LiveComparison): string {
  const unitText = unit && ` ${unit}`
  if (min !== undefined && max !== undefined) {
    return min === max ? `${formatNumber(min)}${unitText}` : `${formatNumber(min)} to ${formatNumber(max)}${unitText}`
  }
  if (min !== undefined) return `${formatNumber(min)}${unitText} or more`
  return max === undefined ? 'anything' : `${formatNumber(max)}${unitText} or less`
}

/** The same in words, one sentence a measurement. */
export function liveText(live: LiveState): string[] {
  return [
    ...live.series
      .filter(({ values }) => values.length > 0)
      .map(({ name, unit, values, count }) => {
        const inUnit = unit && ` ${unit}`
        if (count < FEWEST_FOR_PERCENTILES) return `Measured ${name}: ${values.map(formatNumber).join(', ')}${inUnit}.`
        const [p50, p95, p99] = percentilesOf(values).map(([, value]) => value)
        const range = `${formatNumber(Math.min(...values))} to ${formatNumber(Math.max(...values))}`
        return `Measured ${name}: ${count} values, ${range}${inUnit}, median ${p50}, 95th percentile ${p95}, 99th ${p99}.`
      }),
    ...live.comparisons.map(comparison => {
      const verdict = withinExpected(comparison) ? 'as expected' : 'not as expected'
      const unit = comparison.unit && ` ${comparison.unit}`
      return `Measured ${comparison.name}: ${formatNumber(comparison.measured)}${unit}; expected ${rangeText(comparison)}: ${verdict}.`
    }),
  ]
}
