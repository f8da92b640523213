/** What a backend gives back: the same form from both. */

import { type ProbeOptions, type ProbeRun, type ProbeSockets, probe, type Trails } from '../../src/link/check/probe.ts'
import type { Direction, Profile } from '../../src/link/profile/profile.ts'
import { timelineEndMs } from '../../src/link/profile/timeline.ts'
import type { Case, CaseRun } from './cases.ts'

/** One run of a case. */
export interface RunResult {
  trails: Trails
  /**
   * Packets that the backend changed, by direction, where the probe does not see them: the kernel's UDP drops what has a
   * wrong checksum, and counts it.
   */
  corrupted: Partial<Record<Direction, number>>
  disturbance: Disturbance
}

/** What this machine did to a run, and not the link: as measured in that run. */
export interface Disturbance {
  /** Turns of the probe's loop that were not short: from, to, from, to, …, in order of time. */
  turns: Float64Array
  /** The probe and the link have one processor (User Mode Linux): what is taken from the one is taken from the other. */
  oneProcessor: boolean
  /** Datagrams that the machine lost: sockets and devices that were full. Undefined: it does not tell. */
  machineLosses: number | undefined
  /** How late the backend's own process let packets go: the 99th percentile. 0 where it has none. */
  lateMs: number
  /** The share of packets that it let go more than 2 ms late, and so about the share that it took in as late. */
  lateShare: number
  /** For how long that process stood still, stalls of more than 50 ms together: what came meanwhile it took in at once. */
  stalledMs: number
}

/** A whole timeline, played by the clock. */
export interface TimelineResult {
  profile: string
  trails: Trails
  disturbance: Disturbance
}

export interface Measurement {
  backend: 'kernel' | 'emulator'
  /** By case, by run: in the order of `casesOf`. */
  cases: RunResult[][]
  timelines: TimelineResult[]
  /** What else is worth saying: the kernel's release, the emulator's own timing error. */
  notes: string[]
}

/** What a measurement is made of. */
export interface Plan {
  cases: Case[]
  /** Profiles whose timelines are played by the clock. */
  timelines: Profile[]
}

/** One backend, as the measurement needs it. */
export interface Backend {
  sockets: ProbeSockets
  /** See Disturbance. */
  oneProcessor: boolean
  /**
   * Puts a link that does not change in place; a trace begins now. For packets that do not fill the link (`steady`), a trace
   * is followed by the steps that the kernel takes, by both backends.
   */
  set(link: Profile, kind: CaseRun['kind']): Promise<void>
  /** Plays a timeline from its beginning; resolves when it has begun. */
  play(profile: Profile): Promise<void>
  /** What it has counted so far. `corrupted`: as far as the probe does not see it. */
  counters(): Promise<BackendCounters>
}

export interface BackendCounters {
  corrupted: Partial<Record<Direction, number>>
  machineLosses: number | undefined
  /** Since they were last asked for. */
  timing: Pick<Disturbance, 'lateMs' | 'lateShare' | 'stalledMs'>
}

/** Shorter turns than this are what the probe's own work takes. */
const SHORT_TURN_MS = 0.5

/** Packets a second in each direction while a timeline is played: their distance is how exactly an event can be dated. */
const TIMELINE_PACKETS_PER_SECOND = 200
const TIMELINE_PAYLOAD_BYTES = 40
/** How long a timeline is watched after its last event. */
const AFTERWARDS_MS = 2500

export function timelineRun(profile: Profile): ProbeRun {
  const load = { packetsPerSecond: TIMELINE_PACKETS_PER_SECOND, payloadBytes: TIMELINE_PAYLOAD_BYTES }
  return { durationMs: timelineEndMs(profile) + AFTERWARDS_MS, drainMs: 600, loads: { up: load, down: load } }
}

/** All of the plan on one backend, one run after another. `progress` gets a line for each. */
export async function measure(
  backend: Backend,
  plan: Plan,
  progress: (line: string) => void,
  signal?: AbortSignal,
): Promise<Pick<Measurement, 'cases' | 'timelines'>> {
  const cases: RunResult[][] = []
  let counted = await backend.counters()
  /** One run, and what disturbed it. */
  const observed = async (run: ProbeRun, options: ProbeOptions = {}) => {
    const turns: number[] = []
    const onTurn = (fromMs: number, toMs: number) => {
      if (toMs - fromMs > SHORT_TURN_MS) turns.push(fromMs, toMs)
    }
    const trails = await probe(backend.sockets, run, { ...options, signal, onTurn })
    const before = counted
    counted = await backend.counters()
    const more = (direction: Direction) => (counted.corrupted[direction] ?? 0) - (before.corrupted[direction] ?? 0)
    const lost =
      before.machineLosses === undefined || counted.machineLosses === undefined
        ? undefined
        : counted.machineLosses - before.machineLosses
    const disturbance = {
      turns: Float64Array.from(turns),
      oneProcessor: backend.oneProcessor,
      machineLosses: lost,
      ...counted.timing,
    }
    return { trails, corrupted: { up: more('up'), down: more('down') }, disturbance }
  }
  for (const { profile, state, link, runs } of plan.cases) {
    progress(`${profile} (${state})`)
    const results: RunResult[] = []
    for (const run of runs) {
      // A trace begins anew with each run; everything else is as it was once the run before has drained.
      if (results.length === 0 || run.kind === 'trace') await backend.set(link, run.kind)
      results.push(await observed(run))
    }
    cases.push(results)
  }
  const timelines: TimelineResult[] = []
  for (const profile of plan.timelines) {
    progress(`${profile.name}, its timeline by the clock`)
    // What comes before the timeline begins; a change of address needs a client that is known.
    await backend.set({ ...profile, timeline: [] }, 'steady')
    const { trails, disturbance } = await observed(timelineRun(profile), { onBegin: () => backend.play(profile) })
    timelines.push({ profile: profile.name, trails, disturbance })
  }
  return { cases, timelines }
}
