/** What of a profile's timeline a comparison looks at: its events, and the stretch of time around them. */

import type { Profile } from '../../src/link/profile/profile.ts'
import { timelineEndMs } from '../../src/link/profile/timeline.ts'

/** Something after which a tunnel has to recover. Times are those of the profile's timeline. */
export interface LinkEvent {
  readonly kind: 'outage' | 'handover' | 'nat-rebind'
  readonly atMs: number
  /** When packets can pass again: at once, but after an outage. */
  readonly endMs: number
}

/** What is played of the timeline. */
export interface Stretch {
  readonly fromMs: number
  readonly toMs: number
  readonly events: readonly LinkEvent[]
}

const BEFORE_MS = 3000
const AFTER_MS = 5000
/** Of a profile in which nothing happens. */
const QUIET_MS = 8000
/** After the end of the last event, what happens still counts as "during" it. */
export const AFTERMATH_MS = 1000

/**
 * From three seconds before the first event until five seconds after the last; of a timeline that repeats, the first round. Without events: its first
 * eight seconds, or until it is over.
 */
export function stretchOf(profile: Profile): Stretch {
  const events = profile.timeline
    .flatMap((phase): LinkEvent[] => {
      const { atMs } = phase
      if (phase.kind === 'outage') return [{ kind: 'outage', atMs, endMs: atMs + phase.durationMs }]
      return phase.kind === 'address-change' ? [{ kind: phase.change, atMs, endMs: atMs }] : []
    })
    .sort((a, b) => a.atMs - b.atMs)
  if (events.length === 0) return { fromMs: 0, toMs: Math.max(QUIET_MS, timelineEndMs(profile)), events }
  const last = Math.max(...events.map(({ endMs }) => endMs))
  return { fromMs: Math.max(0, events[0].atMs - BEFORE_MS), toMs: last + AFTER_MS, events }
}
