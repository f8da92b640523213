/**
 * How jitter is spread around the delay, with the tables and the arithmetic of netem.
 *
 * netem draws a delay as `delay + jitter × x`. For `uniform`, x is evenly spread from -1 to 1. For the others x comes from a
 * table: the inverse of the distribution's cumulative function at 4096 places, in units of 1/8192, so that picking an entry
 * at random gives the distribution. iproute2 ships the tables as files made by small programs (iproute2, netem/normal.c,
 * pareto.c, paretonormal.c, from NIST Net); here the same numbers are made from the same formulas.
 *
 *     uniform        mean 0      deviation 0.58    nothing beyond  -1 … 1
 *     normal         mean 0      deviation 1       nothing beyond  -4 … 3.5
 *     pareto         mean -0.03  deviation 0.82    nothing beyond  -0.67 … 4    a steep start and a long tail
 *     paretonormal   mean -0.03  deviation 0.83    nothing beyond  -1.5 … 3.88  three parts pareto, one part normal
 */
import type { Distribution } from '../profile/profile.ts'

/** Entries of a table (iproute2's TABLESIZE / 4). */
const TABLE_SIZE = 4096

/** What stands for 1 in a table (NETEM_DIST_SCALE of linux/pkt_sched.h; TABLEFACTOR in iproute2). */
const TABLE_SCALE = 8192

const LARGEST = 32_767
const tables = new Map<Distribution, Int16Array>()

/** The table of a distribution; undefined for `uniform`, which needs none. Made when first asked for (some 20 ms). */
export function distributionTable(distribution: Distribution): Int16Array | undefined {
  if (distribution === 'uniform') return undefined
  let table = tables.get(distribution)
  if (table === undefined) {
    table = distribution === 'normal' ? normal() : distribution === 'pareto' ? pareto() : paretonormal()
    tables.set(distribution, table)
  }
  return table
}

/**
 * One delay in ms (netem's `tabledist`): `delayMs` and `jitterMs` at least 0, `random` from 0 to 2^32 - 1.
 *
 * Whole nanoseconds, as the kernel counts. The result can be below 0; netem then sends at once.
 *
 * As in the kernel, only the remainder of `random` is used. That is why a correlated random number makes the delays hardly
 * correlated: neighbouring numbers have remainders that are far apart.
 */
export function drawDelayMs(delayMs: number, jitterMs: number, random: number, table: Int16Array | undefined): number {
  const sigma = Math.round(jitterMs * 1e6)
  if (sigma === 0) return delayMs
  const mu = Math.round(delayMs * 1e6)
  if (table === undefined) return ((random % (2 * sigma)) + mu - sigma) / 1e6
  const x = table[random % TABLE_SIZE]
  const rest = (sigma % TABLE_SCALE) * x
  const rounded = Math.trunc((rest >= 0 ? rest + TABLE_SCALE / 2 : rest - TABLE_SCALE / 2) / TABLE_SCALE)
  return (rounded + Math.floor(sigma / TABLE_SCALE) * x + mu) / 1e6
}

/** Where the cumulative function of the normal distribution passes each 16384th: every fourth place makes the table. */
function normal(): Int16Array {
  return Int16Array.from(normalQuantiles(), x => clamp(roundHalfEven(x * TABLE_SCALE)))
}

/**
 * The largest x, in steps of 0.00005 from -10, whose cumulative probability rounds to i/4096 in 16384ths. The probability
 * is the area under the bell curve, added up on the way (Simpson's rule).
 */
function normalQuantiles(): Float64Array {
  const step = 0.00005
  const quantiles = new Float64Array(TABLE_SIZE)
  const density = (x: number) => Math.exp(-(x * x) / 2) / Math.sqrt(2 * Math.PI)
  let probability = 0
  let x = -10
  let here = density(x)
  for (let i = 0; i < TABLE_SIZE; ) {
    const next = x + step
    const there = density(next)
    probability += ((here + 4 * density(x + step / 2) + there) * step) / 6
    // `probability` is that of `next`: when it rounds up to the place after, x was the last one of this place.
    if (roundHalfEven(4 * TABLE_SIZE * probability) > 4 * i) quantiles[i++] = x
    x = next
    here = there
  }
  return quantiles
}

/** Pareto's distribution with shape 3, moved and stretched to a mean of 0 and a deviation of about 1. */
function pareto(): Int16Array {
  return Int16Array.from({ length: TABLE_SIZE }, (_, i) => {
    const x = 1 / ((TABLE_SIZE - i) / TABLE_SIZE) ** (1 / 3) - 1.5
    return roundHalfEven(Math.min(x * ((4 / 3) * TABLE_SCALE), LARGEST))
  })
}

/** A quarter normal, three quarters pareto, which "seems to match experimentally observed distributions reasonably well". */
function paretonormal(): Int16Array {
  const long = pareto()
  return Int16Array.from(normalQuantiles(), (x, i) =>
    clamp(Math.trunc((roundHalfEven(x * TABLE_SCALE) + 3 * long[i]) / 4)),
  )
}

function clamp(value: number): number {
  return Math.max(-LARGEST - 1, Math.min(LARGEST, value))
}

/** C's `rint`. */
function roundHalfEven(value: number): number {
  const rounded = Math.round(value)
  return rounded - value === 0.5 && rounded % 2 !== 0 ? rounded - 1 : rounded
}
