/** From lists of values to runs, in an order that keeps time out of the result. */

import { Random } from '../link/model/random.ts'
import type { Parameters, ParameterValue } from './parameters.ts'

/** One combination of parameters. */
export interface Cell {
  /** `encapsulation=datagram profile=lte …`: the same for the same values, whatever the order in the file. */
  key: string
  parameters: Parameters
}

/** One cell with one seed: what is measured at a time, and recorded as one line. */
export interface PlannedRun {
  /** The cell's key and the seed. */
  key: string
  cell: Cell
  seed: string
}

type Lists = Readonly<Record<string, readonly ParameterValue[]>>

/** Every combination, the last parameter changing fastest, without those that a row of `exclude` matches. */
export function allCells(lists: Lists, exclude: readonly Lists[]): Cell[] {
  let combinations: Record<string, ParameterValue>[] = [{}]
  for (const [name, values] of Object.entries(lists)) {
    combinations = combinations.flatMap(rest => values.map(value => ({ ...rest, [name]: value })))
  }
  return combinations
    .map(parameters => ({ key: keyOf(parameters), parameters }))
    .filter(cell => !exclude.some(row => matches(cell, row)))
}

/** Does the cell have, for every parameter of the row, one of the row's values? */
export function matches(cell: Cell, row: Lists): boolean {
  return Object.entries(row).every(([name, values]) => values.includes(cell.parameters[name]))
}

export function keyOf(parameters: Parameters): string {
  return Object.entries(parameters)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => `${name}=${value}`)
    .join(' ')
}

function runKey(cell: Cell, seed: string): string {
  return `${cell.key} seed=${seed}`
}

/**
 * All runs, in randomised complete blocks (R. A. Fisher): first every cell with the first seed, in random order, then
 * every cell with the second, in another. A machine that slows down over the hour then slows all cells alike, and what an
 * interrupted experiment has is balanced. `order` names the random order; the same name gives the same.
 */
export function plan(cells: readonly Cell[], seeds: readonly string[], order: string): PlannedRun[] {
  return seeds.flatMap(seed => {
    const block = cells.map(cell => ({ key: runKey(cell, seed), cell, seed }))
    const random = new Random(order, `block ${seed}`)
    // Fisher–Yates.
    for (let i = block.length - 1; i > 0; i--) {
      const j = Math.floor(random.float() * (i + 1))
      ;[block[i], block[j]] = [block[j], block[i]]
    }
    return block
  })
}

/** Part `index` (from 1) of `of`. */
export interface Shard {
  index: number
  of: number
}

/**
 * One of the parts of a plan that several machines share: a piece of it, as long as the others but for one run. Pieces and not every n-th
 * run, so that a machine has whole blocks as far as there are enough: what is particular to it then is in all cells, as an hour is.
 */
export function shardOf(planned: readonly PlannedRun[], { index, of }: Shard): PlannedRun[] {
  const begin = (part: number) => Math.floor((part * planned.length) / of)
  return planned.slice(begin(index - 1), begin(index))
}

export function shardText(shard: Shard | undefined): string {
  return shard === undefined ? 'all' : `part ${shard.index} of ${shard.of}`
}
