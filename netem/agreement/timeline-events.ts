/** What a probe sees of a timeline: where nothing passed, and when the client's address changed. Sans-IO. */

import type { Trail } from '../../src/link/check/probe.ts'
import type { Direction, Profile } from '../../src/link/profile/profile.ts'
import { figures } from './figures.ts'

export interface TimelineEvent {
  what: 'gap begins' | 'gap ends' | 'address changes'
  /** When the packet was sent that shows it, from the first packet on. */
  atMs: number
}

/** A gap as long as this (of 200 packets/s: 0.8 s) is an outage, and not a change of address that takes a moment. */
const LEAST_GAP_PACKETS = 160

/** In order of time. Towards the client there is no address to see: it always comes from the server. */
export function timelineEvents(trail: Trail, profile: Profile, direction: Direction): TimelineEvent[] {
  const { lost } = figures(trail)
  const startMs = trail.sentMs[0] ?? 0
  const events: TimelineEvent[] = []
  let run = 0
  for (let i = 0; i <= lost.length; i++) {
    if (lost[i]) {
      run++
      continue
    }
    if (run >= LEAST_GAP_PACKETS) {
      events.push({ what: 'gap begins', atMs: trail.sentMs[i - run] - startMs })
      if (i < lost.length) events.push({ what: 'gap ends', atMs: trail.sentMs[i] - startMs })
    }
    run = 0
  }
  if (direction === 'up') {
    const { delayMs } = profile.up
    for (const { atMs } of trail.sources.slice(1))
      events.push({ what: 'address changes', atMs: atMs - startMs - delayMs })
  }
  return events.sort((a, b) => a.atMs - b.atMs)
}
