/** What a backend and its probe add to times by themselves, as measured on a link that does nothing. */

import { DIRECTIONS, type Direction } from '../../src/link/profile/profile.ts'
import { turnMs } from './disturbed.ts'
import { figures } from './figures.ts'
import type { RunResult } from './measurement.ts'
import { quantile } from './verdict.ts'

/** The share of delays that the measured spread leaves out. */
export const BEYOND_SPREAD = 0.02
/** Two clocks' worth of rounding, a loop's turn, and the like. */
const LEAST_TOLERANCE_MS = 0.5
/** The profile whose run says what is usual. */
export const CALM = 'clean'

/** What a backend, with its probe, adds to every delay. */
export interface Noise {
  /** The median, taken off every delay, by direction. */
  ownMs: Record<Direction, number>
  /** From the median to the 98th percentile. */
  spreadMs: number
  /** How late times were while that was measured: the probe's turns (98th percentile) and the backend's own process. */
  lateMs: number
}

export interface CompareOptions {
  /** Of each single test. */
  falseAlarm: number
  kernelNoise: Noise
  emulatorNoise: Noise
}

/** From a measurement of a link that does nothing. */
export function noiseOf(clean: RunResult): Noise {
  const ownMs = { up: 0, down: 0 }
  let spreadMs = 0
  for (const direction of DIRECTIONS) {
    const trail = clean.trails[direction]
    if (trail === undefined) continue
    const delays = figures(trail).delaysMs.sort()
    ownMs[direction] = quantile(delays, 0.5)
    spreadMs = Math.max(spreadMs, quantile(delays, 1 - BEYOND_SPREAD) - ownMs[direction])
  }
  return { ownMs, spreadMs, lateMs: Math.max(...DIRECTIONS.map(direction => lateMs(clean, direction))) }
}

export function lateMs({ trails, disturbance }: RunResult, direction: Direction): number {
  const trail = trails[direction]
  return (trail ? turnMs(trail, disturbance, BEYOND_SPREAD) : 0) + disturbance.lateMs
}

export function toleranceMs(kernel: Noise, emulator: Noise): number {
  return LEAST_TOLERANCE_MS + kernel.spreadMs + emulator.spreadMs
}
