/** Axes: where the ticks are, and how a number is written beside one. */

export interface Axis {
  from: number
  to: number
  ticks: readonly number[]
  log: boolean
  /** 0 at `from`, 1 at `to`. What is outside comes out outside. */
  position(value: number): number
}

/** The steps that people count in. */
const STEPS = [1, 2, 2.5, 5, 10]

/**
 * An axis that has room for all values, begins at 0 where nothing is below it (a bar or curve cut off at the bottom
 * exaggerates differences), and has about `ticks` ticks at round numbers.
 */
export function linearAxis(values: readonly number[], ticks = 5, fromZero = true): Axis {
  const lowest = Math.min(...values, ...(fromZero || values.length === 0 ? [0] : []))
  const highest = Math.max(...values, ...(fromZero || values.length === 0 ? [0] : []))
  // All values the same: an axis needs some length nevertheless.
  const length = highest - lowest || Math.abs(highest)
  const span = length > 1e-100 ? length : 1
  const magnitude = 10 ** Math.floor(Math.log10(span / ticks))
  const step = magnitude * (STEPS.find(each => each * magnitude * ticks >= span * 0.999) ?? 10)
  const first = Math.floor(lowest / step + 1e-9)
  const last = Math.max(first + 1, Math.ceil(highest / step - 1e-9))
  // From whole numbers, so that 0.1 + 0.2 does not become 0.30000000000000004.
  const at = Array.from({ length: last - first + 1 }, (_, i) => Number(((first + i) * step).toPrecision(12)))
  const from = at[0]
  const to = at[at.length - 1]
  return { from, to, ticks: at, log: false, position: value => (value - from) / (to - from) }
}

/** A logarithmic axis over all values above 0, from a 1, 2 or 5 to another. */
export function logAxis(values: readonly number[]): Axis {
  const positive = values.filter(value => value > 0)
  if (positive.length === 0) return { ...linearAxis([1]), log: false }
  const lowest = Math.min(...positive)
  const highest = Math.max(...positive)
  const marks: number[] = []
  for (let exponent = Math.floor(Math.log10(lowest)) - 1; exponent <= Math.ceil(Math.log10(highest)) + 1; exponent++) {
    for (const digit of [1, 2, 5]) marks.push(Number((digit * 10 ** exponent).toPrecision(12)))
  }
  const below = marks.findLastIndex(mark => mark <= lowest * 1.0001)
  const above = marks.findIndex(mark => mark >= highest * 0.9999 && mark > marks[below])
  const all = marks.slice(below, above + 1)
  // Many decades: only the powers of ten, beside the ends.
  const ticks = all.length <= 8 ? all : all.filter(mark => Number.isInteger(Number(Math.log10(mark).toFixed(9))))
  const [from, to] = [all[0], all[all.length - 1]]
  const length = Math.log10(to / from)
  return { from, to, ticks, log: true, position: value => Math.log10(Math.max(value, from) / from) / length }
}

/** `12 500`, `0.02`, `3.1`: at most four digits that mean something, thousands apart. */
export function formatNumber(value: number): string {
  if (value === 0) return '0'
  const size = Math.abs(value)
  if (size >= 1e9 || size < 1e-4) return value.toExponential(1).replace('e+', 'e')
  const digits = size >= 1000 ? 0 : Math.max(0, 3 - Math.floor(Math.log10(size)) - 1)
  const [whole, fraction = ''] = Number(value.toPrecision(4)).toFixed(Math.min(8, digits)).split('.')
  const kept = fraction.replace(/0+$/, '')
  // U+202F, a narrow space that does not break.
  const grouped = whole.replace(/\B(?=(\d{3})+$)/g, size >= 10_000 ? '\u202f' : '')
  return kept === '' ? grouped : `${grouped}.${kept}`
}
