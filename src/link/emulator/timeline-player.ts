import type { Phase, Profile } from '../profile/profile.ts'
import { type Step, walkTimeline } from '../profile/timeline.ts'

/** How finely a ramp or an oscillation is followed. */
const RESOLUTION_MS = 20

/** A phase of the profile has begun, `atMs` after the timeline did. */
export interface PhaseBegin {
  atMs: number
  phase: Phase
}

/** Plays a profile's timeline against a clock. Sans-IO: says when it wants to be asked again. */
export class TimelinePlayer {
  readonly #beganMs: number
  readonly #steps: Generator<Step, void>
  readonly #phases: Generator<PhaseBegin, void>
  #step: Step | undefined
  #phase: PhaseBegin | undefined

  constructor(profile: Profile, nowMs: number) {
    this.#beganMs = nowMs
    this.#steps = walkTimeline(profile, RESOLUTION_MS)
    this.#phases = phaseBegins(profile)
    this.#step = this.#steps.next().value ?? undefined
    this.#phase = this.#phases.next().value ?? undefined
  }

  /** When there is something to do next; Infinity when the timeline is over. */
  get nextMs(): number {
    const elapsed = Math.min(
      this.#step?.atMs ?? Number.POSITIVE_INFINITY,
      this.#phase?.atMs ?? Number.POSITIVE_INFINITY,
    )
    return this.#beganMs + elapsed
  }

  elapsedMs(nowMs: number): number {
    return nowMs - this.#beganMs
  }

  /** Does all that is due by now. `atMs` is when it should have been, on the caller's clock. */
  advance(nowMs: number, onStep: (step: Step, atMs: number) => void, onPhase: (begin: PhaseBegin) => void): void {
    const elapsed = this.elapsedMs(nowMs)
    while (this.#phase !== undefined && this.#phase.atMs <= elapsed) {
      onPhase(this.#phase)
      this.#phase = this.#phases.next().value ?? undefined
    }
    while (this.#step !== undefined && this.#step.atMs <= elapsed) {
      onStep(this.#step, this.#beganMs + this.#step.atMs)
      this.#step = this.#steps.next().value ?? undefined
    }
  }
}

function* phaseBegins(profile: Profile): Generator<PhaseBegin, void> {
  const phases = profile.timeline.toSorted((a, b) => a.atMs - b.atMs)
  for (let roundMs = 0; phases.length > 0; roundMs += profile.repeatMs ?? 0) {
    for (const phase of phases) yield { atMs: roundMs + phase.atMs, phase }
    if (profile.repeatMs === undefined) return
  }
}
