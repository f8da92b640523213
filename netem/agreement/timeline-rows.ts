/** Of a whole timeline: gaps and changes of address, and when. */

import { DIRECTIONS, type Profile } from '../../src/link/profile/profile.ts'
import { takenMs } from './disturbed.ts'
import { heldUpShare } from './figures.ts'
import type { Measurement } from './measurement.ts'
import { timelineEvents } from './timeline-events.ts'
import { MOST_HELD_UP, ms, percent, type Row } from './verdict.ts'

/** A change of address is some commands in a row, which may have been late before it. */
const PREPARATION_MS = 1000
/** What a machine has to be away for to make a gap in a timeline, or to fill one: see timeline-events.ts. */
const LEAST_GAP_MS = 500
const EVENT_TOLERANCE_MS = { 'gap begins': 300, 'gap ends': 300, 'address changes': 300 } as const

export function compareTimelines(
  profile: Profile,
  kernel: Measurement['timelines'][number],
  emulator: Measurement['timelines'][number],
): Row[] {
  return DIRECTIONS.flatMap(direction => {
    const trails = [kernel.trails[direction], emulator.trails[direction]]
    if (!trails[0] || !trails[1]) return []
    const disturbances = [kernel.disturbance, emulator.disturbance]
    const [a, b] = trails.map(trail => timelineEvents(trail!, profile, direction))
    const same = a.length === b.length && a.every((event, i) => event.what === b[i].what)
    const late = (event: (typeof a)[number], i: number) => Math.abs(event.atMs - b[i].atMs)
    const heldUp = Math.max(...trails.map(trail => heldUpShare(trail!)))
    const agrees = same && a.every((event, i) => late(event, i) <= EVENT_TOLERANCE_MS[event.what])
    // The earlier of the two needed that long less of the machine, or the later one that much more.
    const taken = (fromMs: number, toMs: number) =>
      disturbances.reduce((sum, one, i) => {
        const startMs = trails[i]!.sentMs[0] ?? 0
        return sum + takenMs(one, startMs + fromMs - PREPARATION_MS, startMs + toMs)
      }, 0)
    const lateFor = (event: (typeof a)[number], i: number) =>
      late(event, i) - taken(Math.min(event.atMs, b[i].atMs), Math.max(event.atMs, b[i].atMs))
    const [lost, lostB] = disturbances.map(one => one.machineLosses)
    const disturbed = same
      ? a.every((event, i) => lateFor(event, i) <= EVENT_TOLERANCE_MS[event.what])
      : lost !== 0 || lostB !== 0 || taken(0, Number.POSITIVE_INFINITY) >= LEAST_GAP_MS
    const verdict = agrees ? 'agree' : heldUp > MOST_HELD_UP || disturbed ? 'not measured' : 'differ'
    const bound = a.map(({ what }) => ms(EVENT_TOLERANCE_MS[what])).join(', ') || 'none'
    const whole = ms(taken(0, Number.POSITIVE_INFINITY))
    const why = `; disturbed: ${whole} taken from the machine; held up: ${percent(heldUp)}; ${lost ?? '?'} and ${lostB ?? '?'} lost`
    const text = (events: typeof a) =>
      events.map(({ what, atMs }) => `${what} ${(atMs / 1000).toFixed(2)} s`).join(', ')
    return [
      {
        profile: profile.name,
        state: 'timeline',
        direction,
        property: 'events',
        kernel: text(a) || 'none',
        emulator: text(b) || 'none',
        difference: same ? a.map((event, i) => ms(late(event, i))).join(', ') || 'none' : 'other events',
        bound: verdict === 'not measured' ? bound + why : bound,
        verdict,
      },
    ]
  })
}
