/** What a figure shows, whatever it is drawn with. */

/** A value with its interval; `low` and `high` equal `y` where there is none. */
export interface Point {
  x: number
  y: number
  low: number
  high: number
}

interface FigureBase {
  /** For file names: letters, digits, dashes. */
  id: string
  title: string
  /** What the points and whiskers are, in one sentence. */
  note: string
  xLabel: string
  yLabel: string
  /** Is the axis of the measure logarithmic? */
  log: boolean
}

/** A measure over a number. Points in ascending order of x. */
export interface LineFigure extends FigureBase {
  kind: 'line'
  series: readonly { name: string; points: readonly Point[] }[]
}

/** A measure for each of some categories; undefined where there is no value. */
export interface BarFigure extends FigureBase {
  kind: 'bars'
  categories: readonly string[]
  series: readonly { name: string; values: readonly (Omit<Point, 'x'> | undefined)[] }[]
}

/** Which share of a sample is at most x; the measure is along the x axis. */
export interface CdfFigure extends FigureBase {
  kind: 'cdf'
  series: readonly { name: string; values: readonly number[] }[]
}

export type Figure = LineFigure | BarFigure | CdfFigure

/** Is there anything to draw? */
export function isEmpty(figure: Figure): boolean {
  if (figure.kind === 'line') return figure.series.every(series => series.points.length === 0)
  return figure.series.every(series => series.values.every(value => value === undefined))
}

/** The corners of a CDF's steps, from (smallest, 0) to (largest, 1). `values` need not be sorted. */
export function cdfSteps(values: readonly number[]): { x: number; y: number }[] {
  const sorted = values.toSorted((a, b) => a - b)
  const steps: { x: number; y: number }[] = []
  let share = 0
  for (let i = 0; i < sorted.length; i++) {
    if (i + 1 < sorted.length && sorted[i + 1] === sorted[i]) continue
    steps.push({ x: sorted[i], y: share })
    share = (i + 1) / sorted.length
    steps.push({ x: sorted[i], y: share })
  }
  return steps
}
