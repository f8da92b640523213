/**
 * Round-trip times of a second, counted in classes, so that an hour of them has room and quantiles over any part of it are a sum away.
 *
 * Quantiles themselves cannot be combined: the 95th percentile of a minute is not the mean of those of its seconds. Counts can. Each class is a tenth wider than the one
 * before, and a quantile is told as the middle of its class: at most 5 % beside the value that was measured, whether that is 1 ms or 1 s.
 */

/** In ms. Below and above is told as these. */
export const RTT_LEAST_MS = 0.05
export const RTT_MOST_MS = 60_000
const GROWTH = 1.1
const CLASSES = Math.ceil(Math.log(RTT_MOST_MS / RTT_LEAST_MS) / Math.log(GROWTH)) + 1

/** Pairs: the number of a class, and how many are in it. At most 64 are asked a second, so both fit a byte. */
export type RttCounts = Uint8Array
const MOST_OF_CLASS = 255

export interface RttQuantiles {
  /** Null: none was measured. */
  p50Ms: number | null
  p95Ms: number | null
  /** How many were measured. */
  readings: number
}

/** Undefined: there is none. */
export function countRtts(rttsMs: readonly number[]): RttCounts | undefined {
  if (rttsMs.length === 0) return undefined
  const counts = new Map<number, number>()
  for (const rttMs of rttsMs) {
    const number = classOf(rttMs)
    counts.set(number, Math.min((counts.get(number) ?? 0) + 1, MOST_OF_CLASS))
  }
  return Uint8Array.from([...counts].flat())
}

/** Over all of these together, by nearest rank. */
export function rttQuantiles(parts: Iterable<RttCounts | undefined>): RttQuantiles {
  const sums = new Uint32Array(CLASSES)
  let readings = 0
  for (const part of parts) {
    if (part === undefined) continue
    for (let i = 0; i < part.length; i += 2) {
      sums[part[i]] += part[i + 1]
      readings += part[i + 1]
    }
  }
  const quantile = (percent: number): number | null => {
    if (readings === 0) return null
    const rank = Math.ceil((percent * readings) / 100)
    let below = 0
    return middleOf(sums.findIndex(count => (below += count) >= rank))
  }
  return { p50Ms: quantile(50), p95Ms: quantile(95), readings }
}

function classOf(rttMs: number): number {
  // What is no number, or no time, is none of ours to tell: the least.
  if (!(rttMs > RTT_LEAST_MS)) return 0
  return Math.min(Math.ceil(Math.log(rttMs / RTT_LEAST_MS) / Math.log(GROWTH)), CLASSES - 1)
}

/** In ms, halfway by ratio. */
function middleOf(number: number): number {
  if (number === 0) return RTT_LEAST_MS
  return Math.min(RTT_LEAST_MS * GROWTH ** (number - 0.5), RTT_MOST_MS)
}
