/** What the checks show, by key, and the panel draws. */
import type { Live } from '../kit/lab/types.ts'

/** The link, with what it does now. */
export interface LinkPicture {
  profile: string
  /** One-way, ms. */
  delayMs: { up: number; down: number }
  /** Shares, 0 to 1. */
  loss: { up: number; down: number }
  /** bit/s; undefined: as fast as it goes. */
  rate?: { up?: number; down?: number }
  /** Packets in the queue of the bottleneck now, and how many fit. */
  queue?: { packets: number; limit: number }
  /** What is going on: `outage`, `rebinding`, `second attachment`. */
  state?: string
}

/** A model's prediction beside what was measured, one row a value. */
export interface PredictionRow {
  name: string
  predicted: number
  measured?: number
  /** The interval that the measurement leaves. */
  low?: number
  high?: number
  unit: string
  good?: boolean
}

/** Delay in a queue over time, ms, in equal steps. */
export interface Delays {
  plain: number[]
  codel?: number[]
}

export const LINK_KEY = 'link'
export const PREDICTIONS_KEY = 'predictions'
export const TITLES_KEY = 'titles'
export const DELAYS_KEY = 'delays'

export function showLink(live: Pick<Live, 'show'>, link: LinkPicture): void {
  live.show(LINK_KEY, link)
}

/** `titles`: of the two columns of numbers. */
export function showPredictions(
  live: Pick<Live, 'show'>,
  rows: readonly PredictionRow[],
  titles: readonly [string, string] = ['predicted', 'measured'],
): void {
  live.show(PREDICTIONS_KEY, rows)
  live.show(TITLES_KEY, titles)
}

export function showDelays(live: Pick<Live, 'show'>, delays: Delays): void {
  live.show(DELAYS_KEY, delays)
}
