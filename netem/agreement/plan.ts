/** The plan of a measurement, made in the same way wherever it is measured. */
import { loadProfile } from '../../src/link/profile/load-profile.ts'
import type { Phase, Profile } from '../../src/link/profile/profile.ts'
import { casesOf } from './cases.ts'
import type { Plan } from './measurement.ts'

/**
 * What there is to measure of these profiles. Timelines that repeat are looked at in samples only (see cases.ts). An outage of UDP alone is one
 * of everything in both backends, as far as datagrams can see.
 */
export function planOf(names: readonly string[]): Plan {
  const once = names
    .map(loadProfile)
    .filter(({ timeline, repeatMs }) => timeline.some(isSeen) && repeatMs === undefined)
  return { cases: names.flatMap(casesOf), timelines: once.map(sooner) }
}

const isSeen = (phase: Phase): boolean => phase.kind !== 'outage' || phase.only === undefined

/** How long nothing happens before the first event of a timeline that is played by the clock. */
const LEAD_MS = 2000

/** The same timeline, with less time before its first event. */
function sooner(profile: Profile): Profile {
  const first = Math.min(...profile.timeline.map(({ atMs }) => atMs))
  const shift = Math.max(0, first - LEAD_MS)
  return { ...profile, timeline: profile.timeline.map(phase => ({ ...phase, atMs: phase.atMs - shift })) }
}
