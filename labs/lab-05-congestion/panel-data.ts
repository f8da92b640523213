/** What the checks show, by key, and the panel draws. */
import type { VirtualFlow } from '../../src/testbed/virtual-bottleneck.ts'
import type { Style } from '../kit/lab/text.ts'
import type { Live } from '../kit/lab/types.ts'

/** Values over time, in equal steps. */
export interface Chart {
  caption: string
  values: readonly number[]
  style: Style
  /** Below it: letters, each where something happens, as a part of the time. */
  events?: readonly { letter: string; at: number }[]
}

/** Shares of the line, from 0 to 1, network by network. */
export type Shares = readonly { own: number; cubic: number; jain: number }[]

export const CHARTS_KEY = 'charts'
export const SHARES_KEY = 'shares'

type Show = Pick<Live, 'show'>

export function showCharts(live: Show, charts: readonly Chart[]): void {
  live.show(CHARTS_KEY, charts)
}

export function showShares(live: Show, shares: Shares): void {
  live.show(SHARES_KEY, shares)
}

const STEPS = 120

/** The longest delay in each part of the time, in ms: with NewReno, and with the student's controller. */
export function showDelays(live: Show, newReno: VirtualFlow, own: VirtualFlow): void {
  showCharts(live, [
    { caption: 'NewReno alone, delay in ms', values: delaysOf(newReno), style: 'bad' },
    { caption: 'your controller alone, delay in ms', values: delaysOf(own), style: 'good' },
  ])
}

function delaysOf({ arrivals }: VirtualFlow): number[] {
  const end = (arrivals.at(-1)?.atMs ?? 0) + 1
  const from = arrivals[0]?.atMs ?? 0
  const values: number[] = Array.from({ length: STEPS }, () => 0)
  for (const { atMs, delayMs } of arrivals) {
    const step = Math.floor(((atMs - from) / (end - from)) * STEPS)
    values[step] = Math.max(values[step]!, delayMs)
  }
  return values
}

/** Mbit/s, of bytes per ms. */
export function megabits(bytesPerMs: number): number {
  return (bytesPerMs * 8) / 1000
}
