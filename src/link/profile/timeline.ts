/**
 * What a profile's timeline does, and when.
 *
 * Both backends are driven by `walkTimeline`: it says which impairment to set on which direction of which attachment at which
 * moment, and when the client's address changes. What changes little by little (ramp, oscillation) comes as steps of
 * `resolutionMs`.
 */
import {
  type AddressChange,
  type Attachment,
  DIRECTIONS,
  type Direction,
  type Impairment,
  type Levels,
  type Phase,
  type Profile,
} from './profile.ts'

/** Something that happens at one moment of a timeline. */
export type Step =
  | { kind: 'impairment'; atMs: number; attachment: Attachment; direction: Direction; impairment: Impairment }
  | { kind: 'address-change'; atMs: number; change: AddressChange; to: Attachment }

/** What one direction of one attachment does `elapsedMs` after the timeline began; before it began, what the profile begins with. */
export function impairmentAt(
  profile: Profile,
  attachment: Attachment,
  direction: Direction,
  elapsedMs: number,
): Impairment {
  const base = (attachment === 1 ? profile.second : profile)?.[direction] ?? profile[direction]
  if (elapsedMs < 0) return base
  const timeMs = profile.repeatMs === undefined ? elapsedMs : elapsedMs % profile.repeatMs
  return profile.timeline
    .filter(phase => concerns(phase, attachment, direction))
    .reduce((impairment, phase) => applied(phase, impairment, attachment, timeMs), base)
}

/** A profile without a timeline: what this one does `elapsedMs` after its timeline began, from now on. undefined: before it began. */
export function standingStill(profile: Profile, elapsedMs: number | undefined): Profile {
  const at = (attachment: Attachment) => ({
    up: impairmentAt(profile, attachment, 'up', elapsedMs ?? -1),
    down: impairmentAt(profile, attachment, 'down', elapsedMs ?? -1),
  })
  return { ...profile, ...at(0), ...(profile.second && { second: at(1) }), timeline: [], repeatMs: undefined }
}

/** One round of the timeline, in order of time; begins with the impairment of every direction of every attachment at 0. */
export function steps(profile: Profile, resolutionMs: number): Step[] {
  return [...round(profile, resolutionMs)]
}

/** The same, without end when the profile repeats: `atMs` goes on rising. Take them one by one. */
export function* walkTimeline(profile: Profile, resolutionMs: number): Generator<Step, void> {
  const { repeatMs } = profile
  for (let startMs = 0; ; startMs += repeatMs ?? 0) {
    for (const step of round(profile, resolutionMs)) yield { ...step, atMs: startMs + step.atMs }
    if (repeatMs === undefined) return
  }
}

/** When the last change of one round is over; 0 without a timeline. */
export function timelineEndMs(profile: Profile): number {
  const ends = profile.timeline.map(phase => (Number.isFinite(phase.durationMs) ? endOf(phase) : phase.atMs))
  return profile.repeatMs ?? Math.max(0, ...ends)
}

function* round(profile: Profile, resolutionMs: number): Generator<Step, void> {
  const attachments: Attachment[] = profile.second ? [0, 1] : [0]
  const last = new Map<string, Impairment>()
  for (const atMs of moments(profile, resolutionMs)) {
    for (const attachment of attachments) {
      for (const direction of DIRECTIONS) {
        const impairment = impairmentAt(profile, attachment, direction, atMs)
        const key = `${attachment} ${direction}`
        const before = last.get(key)
        if (before !== undefined && sameImpairment(before, impairment)) continue
        last.set(key, impairment)
        yield { kind: 'impairment', atMs, attachment, direction, impairment }
      }
    }
    for (const phase of profile.timeline) {
      if (phase.kind === 'address-change' && phase.atMs === atMs) {
        yield { kind: 'address-change', atMs, change: phase.change, to: phase.to }
      }
    }
  }
}

/** The times of one round at which something may change, ascending, beginning with 0. */
function moments(profile: Profile, resolutionMs: number): number[] {
  const times = new Set([0])
  for (const phase of profile.timeline) {
    times.add(phase.atMs)
    const end = endOf(phase)
    if (!Number.isFinite(end)) continue
    times.add(end)
    if (phase.kind !== 'ramp' && phase.kind !== 'oscillation') continue
    for (let i = 1; phase.atMs + i * resolutionMs < end; i++) times.add(phase.atMs + i * resolutionMs)
  }
  const { repeatMs = Number.POSITIVE_INFINITY } = profile
  return [...times].filter(time => time < repeatMs).sort((a, b) => a - b)
}

function endOf(phase: Phase): number {
  return phase.atMs + phase.durationMs
}

function concerns(phase: Phase, attachment: Attachment, direction: Direction): boolean {
  if (phase.attachment !== undefined && phase.attachment !== attachment) return false
  return phase.direction === 'both' || phase.direction === direction
}

/** What a phase makes of an impairment at a time of its round. */
function applied(phase: Phase, impairment: Impairment, attachment: Attachment, timeMs: number): Impairment {
  const sinceMs = timeMs - phase.atMs
  if (sinceMs < 0) return impairment
  const over = sinceMs >= phase.durationMs
  switch (phase.kind) {
    case 'outage':
      return over ? impairment : { ...impairment, down: true }
    case 'set':
      return over ? impairment : { ...impairment, ...phase.change }
    case 'ramp':
      return between(impairment, phase.to, over ? 1 : sinceMs / phase.durationMs)
    case 'oscillation':
      return over
        ? impairment
        : between(impairment, phase.to, (1 - Math.cos((2 * Math.PI * sinceMs) / phase.periodMs)) / 2)
    case 'address-change':
      return phase.change === 'handover' ? { ...impairment, down: attachment !== phase.to } : impairment
  }
}

/** `share` 0: as it was, 1: all the way to `to`. */
function between(impairment: Impairment, to: Levels, share: number): Impairment {
  const level = (from: number, goal: number | undefined) => (goal === undefined ? from : from + (goal - from) * share)
  const result: Impairment = {
    ...impairment,
    delayMs: level(impairment.delayMs, to.delayMs),
    jitterMs: level(impairment.jitterMs, to.jitterMs),
  }
  if (to.lossRate !== undefined) {
    const { rate, correlation } = impairment.loss.model === 'random' ? impairment.loss : { rate: 0, correlation: 0 }
    result.loss = { model: 'random', rate: level(rate, to.lossRate), correlation }
  }
  if (impairment.rate) {
    const bitsPerSecond = level(impairment.rate.bitsPerSecond, to.bitsPerSecond)
    result.rate = { ...impairment.rate, bitsPerSecond: Math.round(bitsPerSecond) }
  }
  return result
}

function sameImpairment(a: Impairment, b: Impairment): boolean {
  return a.trace?.opportunitiesMs === b.trace?.opportunitiesMs && comparable(a) === comparable(b)
}

/** Without the trace's numbers: they are many, and compared by identity. */
function comparable({ trace, ...impairment }: Impairment): string {
  return JSON.stringify([impairment, trace?.limit])
}
