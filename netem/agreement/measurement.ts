/** What a backend gives back: the same form from both. */

import { type ProbeRun, type ProbeSockets, probe, type Trails } from '../../src/link/check/probe.ts'
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
}

/** A whole timeline, played by the clock. */
export interface TimelineResult {
  profile: string
  trails: Trails
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
  /**
   * Puts a link that does not change in place; a trace begins now. For packets that do not fill the link (`steady`), a trace
   * is followed by the steps that the kernel takes, by both backends.
   */
  set(link: Profile, kind: CaseRun['kind']): Promise<void>
  /** Plays a timeline from its beginning; resolves when it has begun. */
  play(profile: Profile): Promise<void>
  /** Packets changed so far, by direction, as far as the probe does not see them. */
  corrupted(): Promise<Partial<Record<Direction, number>>>
}

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
  for (const { profile, state, link, runs } of plan.cases) {
    progress(`${profile} (${state})`)
    const results: RunResult[] = []
    const corrupts = link.up.corrupt.rate > 0 || link.down.corrupt.rate > 0
    const corrupted = async () => (corrupts ? await backend.corrupted() : {})
    for (const run of runs) {
      // A trace begins anew with each run; everything else is as it was once the run before has drained.
      if (results.length === 0 || run.kind === 'trace') await backend.set(link, run.kind)
      const before = await corrupted()
      const trails = await probe(backend.sockets, run, { signal })
      const after = await corrupted()
      const more = (direction: Direction) => (after[direction] ?? 0) - (before[direction] ?? 0)
      results.push({ trails, corrupted: { up: more('up'), down: more('down') } })
    }
    cases.push(results)
  }
  const timelines: TimelineResult[] = []
  for (const profile of plan.timelines) {
    progress(`${profile.name}, its timeline by the clock`)
    // What comes before the timeline begins; a change of address needs a client that is known.
    await backend.set({ ...profile, timeline: [] }, 'steady')
    const trails = await probe(backend.sockets, timelineRun(profile), { signal, onBegin: () => backend.play(profile) })
    timelines.push({ profile: profile.name, trails })
  }
  return { cases, timelines }
}
