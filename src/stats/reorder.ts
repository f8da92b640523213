/**
 * How much of a flow arrived out of order, in the metrics of RFC 4737. Sans-IO: sequence numbers in order of arrival come in.
 *
 *   sent         1  2  3  4  5  6  7  8  9
 *   arrived      1  2  3  5  6  7  8  4  9
 *                                     └─ reordered: 4 < NextExp = 9
 *                                        reordering extent 4: four arrivals ago came 5, the first that should not have (§4.2)
 *                                        4-reordered: the last four arrivals were all higher (§5.3)
 *
 * TCP takes three duplicate acknowledgements for a loss (RFC 5681 §3.2): a packet that is 3-reordered is retransmitted for
 * nothing.
 */

import type { Interval } from './intervals.ts'
import { wilson } from './intervals.ts'
import { SequenceWindow } from './sequence-window.ts'
import { type Summary, summarise } from './statistics.ts'

/** How many arrivals back an n-reordering is counted. */
export const LARGEST_N = 32

/** Arrivals and sequence numbers that are remembered. */
const WINDOW = 65536

/** At most so many extents are kept for the summary; those after them are counted, no more. */
const KEPT_EXTENTS = 100_000

export interface ReorderSummary {
  /** Different packets that arrived. */
  received: number
  /** Of those: Type-P-Reordered, RFC 4737 §3. */
  reordered: number
  /** Further copies. They count nowhere else (§3.3). */
  duplicates: number
  /** More than 65 536 sequence numbers behind: whether they are copies is not known. They count nowhere else. */
  tooLate: number
  /** reordered / received, 0 … 1, §4.1; 0 when nothing arrived. */
  ratio: number
  /** Wilson's interval for the ratio at 95 %. */
  ratioInterval: Interval
  /** Reordering extents, in arrivals, §4.2; undefined when nothing was reordered. */
  extent: Summary | undefined
  /** Late times, in ms: how much later than the first that should have come after it, §4.3. */
  lateMs: Summary | undefined
  /** nReordered[n]: how many packets were n-reordered, §5.3. [0] is not used; each is at most the one before. */
  nReordered: number[]
}

/** Judges arrivals one by one, in bounded memory. */
export class ReorderMeter {
  #received = 0
  #reordered = 0
  #duplicates = 0
  #tooLate = 0
  readonly #seen = new SequenceWindow(WINDOW)
  /**
   * Arrivals that were higher than all before, with their times: the earliest arrival higher than s is always among them,
   * and both sequence and arrival go up, so that it is found by halving. The oldest are cut off now and then.
   */
  #records: { sequence: number; arrival: number; atMs: number }[] = []
  /** The last LARGEST_N sequence numbers as they arrived, in a ring. */
  readonly #latest = new Float64Array(LARGEST_N)
  readonly #nReordered: number[] = new Array(LARGEST_N + 1).fill(0)
  readonly #extents: number[] = []
  readonly #lateMs: number[] = []

  /**
   * The next arrival. `sequence`: a whole number from 0, up by 1 in the order of sending; `atMs`: when it arrived. Returns what it
   * was.
   */
  arrive(sequence: number, atMs: number): 'in-order' | 'reordered' | 'duplicate' | 'too-late' {
    const kind = this.#seen.note(sequence)
    if (kind === 'duplicate') this.#duplicates++
    if (kind === 'too-late') this.#tooLate++
    if (kind === 'duplicate' || kind === 'too-late') return kind
    const arrival = this.#received++
    if (kind === 'in-order') {
      this.#records.push({ sequence, arrival, atMs })
      if (this.#records.length > 2 * WINDOW) this.#records = this.#records.slice(-WINDOW)
    } else {
      this.#reordered++
      this.#measure(sequence, arrival, atMs)
    }
    this.#latest[arrival % LARGEST_N] = sequence
    return kind === 'late' ? 'reordered' : kind
  }

  summary(): ReorderSummary {
    const last = this.#nReordered.findLastIndex(count => count > 0)
    return {
      received: this.#received,
      reordered: this.#reordered,
      duplicates: this.#duplicates,
      tooLate: this.#tooLate,
      ratio: this.#received === 0 ? 0 : this.#reordered / this.#received,
      ratioInterval: wilson(this.#reordered, this.#received),
      extent: summarise(this.#extents),
      lateMs: summarise(this.#lateMs),
      nReordered: this.#nReordered.slice(0, Math.max(last, 0) + 1),
    }
  }

  #measure(sequence: number, arrival: number, atMs: number): void {
    let low = 0
    let high = this.#records.length - 1
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#records[middle].sequence > sequence) high = middle
      else low = middle + 1
    }
    const first = this.#records[low]
    if (this.#extents.length < KEPT_EXTENTS) {
      this.#extents.push(arrival - first.arrival)
      this.#lateMs.push(atMs - first.atMs)
    }
    for (let n = 1; n <= LARGEST_N && n <= arrival; n++) {
      if (this.#latest[(arrival - n) % LARGEST_N] < sequence) break
      this.#nReordered[n]++
    }
  }
}

/** The metrics of a whole flow at once. `arrived`: sequence numbers in order of arrival, from 0. Times do not matter. */
export function reordering(arrived: readonly number[]): ReorderSummary {
  const meter = new ReorderMeter()
  for (const sequence of arrived) meter.arrive(sequence, 0)
  return meter.summary()
}
