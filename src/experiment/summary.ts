/** From runs to what can be said about a cell: medians over the seeds, with intervals. */

import { Random } from '../link/model/random.ts'
import { bootstrapPercentile } from '../stats/bootstrap.ts'
import { median } from '../stats/statistics.ts'
import type { Cell } from './matrix.ts'
import type { RunLine } from './results-file.ts'

export const CONFIDENCE = 0.95
/** Below this the bootstrap has too little to draw from; the range of the values is shown instead. */
export const BOOTSTRAP_RUNS = 5

export interface CellValue {
  /** Median over the runs. */
  median: number
  /** Bootstrap interval of the median; with fewer than BOOTSTRAP_RUNS runs the smallest and the largest value. */
  low: number
  high: number
  runs: number
}

export interface CellSummary {
  cell: Cell
  /** Runs that succeeded, failed. */
  ok: number
  failed: number
  values: Readonly<Record<string, CellValue>>
  /** All runs' samples together, by name. */
  samples: Readonly<Record<string, readonly number[]>>
}

/** One summary a cell, in the order of the cells. `lines`: one a run, the one that counts (see runner.ts). */
export function summariseCells(cells: readonly Cell[], lines: Iterable<RunLine>): CellSummary[] {
  const byCell = new Map<string, RunLine[]>(cells.map(cell => [cell.key, []]))
  for (const line of lines) {
    byCell.get(line.key.slice(0, line.key.lastIndexOf(' seed=')))?.push(line)
  }
  return cells.map(cell => {
    const runs = byCell.get(cell.key) ?? []
    const good = runs.filter(run => run.status === 'ok')
    const names = [...new Set(good.flatMap(run => Object.keys(run.measurements)))]
    const values: Record<string, CellValue> = {}
    for (const name of names) {
      const numbers = good.map(run => run.measurements[name]).filter(value => typeof value === 'number')
      if (numbers.length > 0) values[name] = cellValue(numbers, `${cell.key} ${name}`)
    }
    const sampleNames = [...new Set(good.flatMap(run => Object.keys(run.samples)))]
    const samples = Object.fromEntries(
      sampleNames.map(name => [name, good.flatMap(run => [...(run.samples[name] ?? [])])]),
    )
    return { cell, ok: good.length, failed: runs.length - good.length, values, samples }
  })
}

/** The same values and name give the same interval. */
export function cellValue(values: readonly number[], name: string): CellValue {
  const { low, high } =
    values.length < BOOTSTRAP_RUNS
      ? { low: Math.min(...values), high: Math.max(...values) }
      : bootstrapPercentile(values, 0.5, CONFIDENCE, new Random(name, 'bootstrap'))
  return { median: median(values), low, high, runs: values.length }
}
