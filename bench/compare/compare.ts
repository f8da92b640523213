/** The contenders take turns over one profile, in another order each round, until it is known well enough who does how well. */

import { Random } from '../../src/link/model/random.ts'
import type { Profile } from '../../src/link/profile/profile.ts'
import { percentileInterval } from '../../src/stats/intervals.ts'
import { ascending } from '../../src/stats/statistics.ts'
import type { Arena } from './contender.ts'
import type { Run, Traffic } from './run.ts'

export interface CompareOptions {
  arena: Arena
  profile: Profile
  seed: string
  /** In this order, in each turn; default `udp` alone. */
  traffic?: readonly Traffic[]
  /** So many rounds, neither more nor fewer; otherwise as many as it takes, between MIN_ROUNDS and MAX_ROUNDS. */
  rounds?: number
  /** Names of contenders; default all. */
  only?: readonly string[]
  signal?: AbortSignal
  onProgress?: (text: string) => void
}

export interface CompareResult {
  profile: string
  title: string
  /** What `runs` are of. */
  traffic: Traffic
  about: string
  rounds: number
  /** Whether the intervals are as narrow as `isNarrow` asks for. */
  narrow: boolean
  contenders: ContenderResult[]
  absent: readonly string[]
  /** Contenders that carried nothing in some round, and why. */
  failures: string[]
  /** How often the emulator was held up in all runs: what was measured then is partly this machine's doing. */
  stalls: number
}

export interface ContenderResult {
  name: string
  title: string
  atHandover: string
  runs: Run[]
  /** With the echo train and the paced flow in `runs`: the same again with TCP, where it was sent too. */
  tcpRuns: Run[]
}

/** The median of the rounds, with its interval of 95 %; infinite ends: too few rounds for one. */
export interface Estimate {
  median: number
  low: number
  high: number
}

/** With fewer than six there is no interval of 95 % for a median. */
export const MIN_ROUNDS = 6
export const MAX_ROUNDS = 12
const TAIL = 0.025
/** Of the median, or in ms, whichever is more: no wider than this to either side. */
const NARROW_SHARE = 0.2
const NARROW_MS = 25

export async function compare(options: CompareOptions): Promise<CompareResult> {
  const { arena, profile, seed, traffic = ['udp'], rounds, only, signal, onProgress } = options
  const random = new Random(seed, 'order of the contenders')
  const results = arena.contenders
    .filter(({ name }) => only === undefined || only.includes(name))
    .map(({ name, title, atHandover }): ContenderResult => ({ name, title, atHandover, runs: [], tcpRuns: [] }))
  const failures: string[] = []
  let round = 0
  for (; round < (rounds ?? MAX_ROUNDS); round++) {
    if (rounds === undefined && round >= MIN_ROUNDS && isNarrow(results)) break
    // Nobody goes first always: a machine that warms up, or grows busy, favours nobody.
    const order = results.map(result => ({ result, at: random.float() })).sort((a, b) => a.at - b.at)
    for (const { result } of order) {
      signal?.throwIfAborted()
      onProgress?.(`round ${round + 1}: ${result.title}`)
      for (const [i, each] of traffic.entries()) {
        try {
          // The same seed for all in a round, and another one for each round.
          const run = await arena.run(result.name, profile, `${seed} ${round + 1}`, each)
          ;(i === 0 ? result.runs : result.tcpRuns).push(run)
        } catch (error) {
          signal?.throwIfAborted()
          const what = i === 0 ? '' : ', TCP'
          failures.push(
            `round ${round + 1}, ${result.title}${what}: ${error instanceof Error ? error.message : String(error)}`,
          )
        }
      }
    }
  }
  return {
    profile: profile.name,
    title: profile.title,
    traffic: traffic[0],
    about: arena.about,
    rounds: round,
    narrow: isNarrow(results),
    contenders: results,
    absent: arena.absent,
    failures,
    stalls: results.flatMap(({ runs, tcpRuns }) => [...runs, ...tcpRuns]).reduce((sum, { stalls }) => sum + stalls, 0),
  }
}

/**
 * What decides, and the less the better: the slowest recovery of a run; where nothing happens, the median round trip. Of TCP: how long a megabyte takes, in ms,
 * which has all its standstills in it.
 */
export function decisive({ figures, tcp }: Run): number {
  const { recoveryMs, whole, goodputKbit } = figures
  if (tcp !== undefined) return 8000 / (goodputKbit / 1000)
  return recoveryMs.length === 0 ? whole.p50Ms : Math.max(...recoveryMs)
}

export function estimate(values: readonly number[]): Estimate {
  const sorted = ascending(values)
  const { low, high } = percentileInterval(sorted, 0.5, TAIL)
  const middle = (sorted.length - 1) / 2
  // Half-way between two that are both infinite is as far.
  const [below, above] = [sorted[Math.floor(middle)], sorted[Math.ceil(middle)]]
  return { median: below === above ? below : (below + above) / 2, low, high }
}

/** Each contender's decisive figure is known to a fifth, or to 25 ms; or it has never been within the run. */
export function isNarrow(results: readonly Pick<ContenderResult, 'runs'>[]): boolean {
  const measured = results.filter(({ runs }) => runs.length > 0)
  return measured.every(({ runs }) => {
    const { median, low, high } = estimate(runs.map(decisive))
    if (low === Number.POSITIVE_INFINITY) return true
    return Math.max(median - low, high - median) <= Math.max(NARROW_MS, NARROW_SHARE * median)
  })
}
