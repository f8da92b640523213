/** What comes out of one run: numbers by name, and some of them as whole samples. */

/** One number that a probe reports. */
export interface Measure {
  /** `rtt_p95_ms`; in results it stands behind the probe's name: `ping.rtt_p95_ms`. */
  name: string
  title: string
  unit: string
  /** Which way is better; `undefined` where neither is. */
  better?: 'less' | 'more'
  /** Drawn when the experiment names no figures. */
  headline?: boolean
}

/** Every measure by its name; null where there was nothing to measure (no reply, so no round-trip time). */
export type Measurements = Readonly<Record<string, number | null>>

/** Distributions, by name; at most SAMPLE_LIMIT values each, ascending. */
export type Samples = Readonly<Record<string, readonly number[]>>

export interface RunResult {
  measurements: Measurements
  samples: Samples
}

/** So that the results of a thousand runs still open in an editor. */
const SAMPLE_LIMIT = 500

/** The values in ascending order, thinned to SAMPLE_LIMIT evenly spaced ranks (the extremes stay), to 4 digits. */
export function sampleOf(values: readonly number[]): number[] {
  const sorted = values.filter(Number.isFinite).toSorted((a, b) => a - b)
  const kept =
    sorted.length <= SAMPLE_LIMIT
      ? sorted
      : Array.from(
          { length: SAMPLE_LIMIT },
          (_, i) => sorted[Math.round((i * (sorted.length - 1)) / (SAMPLE_LIMIT - 1))],
        )
  return kept.map(value => Number(value.toPrecision(4)))
}
