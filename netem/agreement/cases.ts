/** What is measured of a profile: which states of it, with which packets, for how long. The same for both backends. */

import { LEAST_PAYLOAD_BYTES, type Load, type ProbeRun } from '../../src/link/check/probe.ts'
import { UDP_WIRE_OVERHEAD } from '../../src/link/model/link-direction.ts'
import { loadProfile } from '../../src/link/profile/load-profile.ts'
import { DIRECTIONS, type Direction, type Impairment, type Profile } from '../../src/link/profile/profile.ts'
import { impairmentAt, timelineEndMs } from '../../src/link/profile/timeline.ts'

/** A link that does not change (other than by its trace), and the runs that measure it. */
export interface Case {
  profile: string
  /** Which state of the profile: `base`, `second`, `at 12 s`. */
  state: string
  /** As a profile without a timeline, so that either backend takes it as it is. */
  link: Profile
  runs: CaseRun[]
}

export interface CaseRun extends ProbeRun {
  /** `steady`: fewer packets than the rate allows. `overload`: more, in one direction. `trace`: more than a trace carries. */
  kind: 'steady' | 'overload' | 'trace'
  /** For overload: when the queue is full, from the first packet on. */
  fullAfterMs: Record<Direction, number>
}

const STEADY_MS = 3500
/** Where losses come in bursts: of those there are few. */
const BURSTY_MS = 8000
const STEADY_PACKETS_PER_SECOND = 1200
/** Of a bottleneck's rate, so that the queue in front of it stays short. */
const STEADY_SHARE = 0.4
/** Where packets are corrupted: large enough that most bits are in the payload. */
const CORRUPTIBLE_BYTES = 200

const OVERLOAD_PAYLOAD_BYTES = 1400
const OVERLOAD_MS = 1500
/** More than the probe can send inside User Mode Linux is no overload. */
const OVERLOAD_PACKETS_PER_SECOND = 3000
/** How long filling the queue may take. */
const FILL_MS = 1500
const TRACE_MS = 9000

/** The states of a profile at which its timeline is looked at: in the middle of each phase, at most so many. */
const STATES = 3

export function casesOf(name: string): Case[] {
  const profile = loadProfile(name)
  const cases = [stateCase(profile, 'base', { up: profile.up, down: profile.down })]
  if (profile.second) cases.push(stateCase(profile, 'second', profile.second))
  const seen = new Set(cases.map(({ link }) => fingerprint(link)))
  for (const atMs of middles(profile)) {
    const state = { up: impairmentAt(profile, 0, 'up', atMs), down: impairmentAt(profile, 0, 'down', atMs) }
    const sampled = stateCase(profile, `at ${atMs / 1000} s`, state)
    // An outage has nothing to measure but itself: the runs of whole timelines do that.
    if (state.up.down || state.down.down || seen.has(fingerprint(sampled.link))) continue
    seen.add(fingerprint(sampled.link))
    cases.push(sampled)
    if (seen.size > STATES) break
  }
  return cases
}

/** In the middle of each phase, in order of time. */
function middles(profile: Profile): number[] {
  const end = timelineEndMs(profile)
  const times = profile.timeline.map(({ atMs, durationMs }) => {
    const until = Math.min(atMs + durationMs, Math.max(end, atMs + 2000))
    return Math.round((atMs + until) / 2)
  })
  return [...new Set(times)].sort((a, b) => a - b)
}

function stateCase(profile: Profile, state: string, link: { up: Impairment; down: Impairment }): Case {
  const still: Profile = { ...profile, ...link, timeline: [], second: undefined, repeatMs: undefined }
  return { profile: profile.name, state, link: still, runs: runsOf(still, !state.startsWith('at')) }
}

function fingerprint(link: Profile): string {
  return JSON.stringify([link.up, link.down], (key, value) => (key === 'trace' ? value?.name : value))
}

function runsOf(link: Profile, withOverload: boolean): CaseRun[] {
  const drainMs = Math.max(...DIRECTIONS.map(direction => longestDelayMs(link[direction]))) + 150
  const runs: CaseRun[] = [
    {
      kind: 'steady',
      durationMs: DIRECTIONS.some(direction => hasBursts(link[direction])) ? BURSTY_MS : STEADY_MS,
      drainMs,
      fullAfterMs: { up: 0, down: 0 },
      loads: { up: steadyLoad(link.up), down: steadyLoad(link.down) },
    },
  ]
  const overloads = DIRECTIONS.map(direction => overload(link[direction])).filter(run => run !== undefined)
  if (overloads.length === 0 || !withOverload) return runs
  // Both directions at once: they have nothing in common.
  const longest = (what: (run: Overload) => number) => Math.ceil(Math.max(...overloads.map(what)))
  runs.push({
    kind: link.up.trace || link.down.trace ? 'trace' : 'overload',
    durationMs: longest(run => run.durationMs),
    // What is in the queue has to come out before the next run.
    drainMs: longest(run => run.queueMs) + drainMs,
    fullAfterMs: { up: overload(link.up)?.fullAfterMs ?? 0, down: overload(link.down)?.fullAfterMs ?? 0 },
    loads: { up: overload(link.up)?.load, down: overload(link.down)?.load },
  })
  return runs
}

function longestDelayMs({ delayMs, jitterMs }: Impairment): number {
  return delayMs + 4 * jitterMs
}

function hasBursts({ loss }: Impairment): boolean {
  return loss.model === 'gemodel' || loss.model === 'state'
}

function steadyLoad(impairment: Impairment): Load {
  const payloadBytes = impairment.corrupt.rate > 0 ? CORRUPTIBLE_BYTES : LEAST_PAYLOAD_BYTES
  const bitsPerSecond = impairment.rate?.bitsPerSecond ?? traceMean(impairment) ?? Number.POSITIVE_INFINITY
  const allowed = (STEADY_SHARE * bitsPerSecond) / ((payloadBytes + UDP_WIRE_OVERHEAD) * 8)
  return { payloadBytes, packetsPerSecond: Math.floor(Math.min(STEADY_PACKETS_PER_SECOND, allowed)) }
}

function traceMean({ trace }: Impairment): number | undefined {
  return trace && (trace.opportunitiesMs.length * 1500 * 8 * 1000) / trace.periodMs
}

interface Overload {
  load: Load
  queueMs: number
  fullAfterMs: number
  durationMs: number
}

/** More than the bottleneck carries; undefined where there is none, or where the probe cannot send that much. */
function overload(impairment: Impairment): Overload | undefined {
  const frameBits = (OVERLOAD_PAYLOAD_BYTES + UDP_WIRE_OVERHEAD) * 8
  const mean = impairment.rate?.bitsPerSecond ?? traceMean(impairment)
  const limit = impairment.rate?.limit ?? impairment.trace?.limit
  if (mean === undefined || limit === undefined) return undefined
  const queueBits = 'packets' in limit ? limit.packets * frameBits : limit.bytes * 8
  const wanted = Math.max(1.5 * mean, mean + (queueBits * 1000) / FILL_MS)
  const packetsPerSecond = Math.ceil(wanted / frameBits)
  if (packetsPerSecond > OVERLOAD_PACKETS_PER_SECOND) return undefined
  const surplus = packetsPerSecond * frameBits - mean
  const queueMs = (queueBits / mean) * 1000
  const fullAfterMs = (queueBits / surplus) * 1000 * 1.1 + longestDelayMs(impairment) + queueMs * 0.1 + 100
  return {
    load: { payloadBytes: OVERLOAD_PAYLOAD_BYTES, packetsPerSecond },
    queueMs: impairment.trace ? 2 * queueMs : 1.05 * queueMs,
    fullAfterMs,
    durationMs: impairment.trace ? TRACE_MS : fullAfterMs + OVERLOAD_MS,
  }
}
