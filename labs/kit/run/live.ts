/** Collects what a check or a demonstration tells while it runs, and passes it on, but not more often than an eye can follow. */
import type { Live, LiveComparison, LiveSeries, LiveState } from '../lab/types.ts'

/** Ten pictures a second. */
const EVERY_MS = 100
/** Values of a series that are kept: enough for percentiles and for the widest sparkline. */
const KEPT_VALUES = 600

export const NOTHING_YET: LiveState = { series: [], comparisons: [], shown: {} }

export class LiveReporter implements Live {
  readonly #report: (state: LiveState) => void
  readonly #series = new Map<string, { unit: string; values: number[]; count: number }>()
  readonly #comparisons = new Map<string, LiveComparison>()
  #progress: LiveState['progress']
  readonly #shown: Record<string, unknown> = {}
  #timer: NodeJS.Timeout | undefined
  #changed = false

  constructor(report: (state: LiveState) => void = () => {}) {
    this.#report = report
  }

  measure(series: string, value: number, unit = ''): void {
    const kept = this.#series.get(series) ?? { unit, values: [], count: 0 }
    this.#series.set(series, kept)
    kept.values.push(value)
    kept.count++
    if (kept.values.length > KEPT_VALUES) kept.values.shift()
    this.#touch()
  }

  compare(name: string, measured: number, expected: { min?: number; max?: number }, unit = ''): void {
    this.#comparisons.set(name, { name, unit, measured, expected })
    this.#touch()
  }

  progress(done: number, total: number, text = ''): void {
    this.#progress = { done, total, text }
    this.#touch()
  }

  show(key: string, value: unknown): void {
    this.#shown[key] = value
    this.#touch()
  }

  state(): LiveState {
    const series: LiveSeries[] = [...this.#series].map(([name, { unit, values, count }]) => ({
      name,
      unit,
      values: [...values],
      count,
    }))
    return {
      series,
      comparisons: [...this.#comparisons.values()],
      ...(this.#progress ? { progress: this.#progress } : {}),
      shown: { ...this.#shown },
    }
  }

  /** Reports what has not been reported yet; nothing comes after it. */
  finish(): LiveState {
    clearTimeout(this.#timer)
    this.#timer = undefined
    const state = this.state()
    if (this.#changed) this.#report(state)
    this.#changed = false
    return state
  }

  #touch(): void {
    this.#changed = true
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined
      if (!this.#changed) return
      this.#changed = false
      this.#report(this.state())
    }, EVERY_MS)
  }
}
