import type { AddressChange, Attachment, Direction, Impairment, Profile } from './profile.ts'

/** Something that happens at one moment of a timeline. */
export type Step =
  | { kind: 'impairment'; atMs: number; attachment: Attachment; direction: Direction; impairment: Impairment }
  | { kind: 'address-change'; atMs: number; change: AddressChange; to: Attachment }

/** What one direction of one attachment does `elapsedMs` after the timeline began. */
export function impairmentAt(
  profile: Profile,
  attachment: Attachment,
  direction: Direction,
  elapsedMs: number,
): Impairment {
  return attachment === 1 && profile.second && elapsedMs >= 0 ? profile.second[direction] : profile[direction]
}

/** One round of the timeline, in order of time; begins with the impairment of every direction of every attachment at 0. */
export function steps(profile: Profile, resolutionMs: number): Step[] {
  throw new Error(`not yet: ${profile.name} ${resolutionMs}`)
}

/** The same, without end when the profile repeats: `atMs` goes on rising. Take them one by one. */
export function* walkTimeline(profile: Profile, resolutionMs: number): Generator<Step, void> {
  yield* steps(profile, resolutionMs)
}

/** When the last phase of one round is over: Infinity is not counted. */
export function timelineEndMs(profile: Profile): number {
  throw new Error(`not yet: ${profile.name}`)
}
