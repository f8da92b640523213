/** What the parts of this folder have in common: where a student's code is, and what is said when it does what it may not. */
import type { StudentCode } from '../../kit/student-code/student-code.ts'

/** The sandboxes in which the three parts run; two of them may be one. */
export interface Parts {
  pump: StudentCode
  sender: StudentCode
  search: StudentCode
}

/** One of the three parts cannot go on: said to the student as it is. */
export interface Failure {
  expected: string
  found: string
  misconception?: string
}

export class PartError extends Error {
  override name = 'PartError'
  readonly failure: Failure

  constructor(failure: Failure) {
    super(failure.found)
    this.failure = failure
  }
}

/** Turns of the pump have at most so many packets. */
export const BUDGET = 16
/** Packets that wait for one tunnel; what comes on top is lost. */
export const QUEUE = 64
/** So many packets the pump may pass in a second: the rate of the device that it reads from. */
export const PACKETS_PER_SECOND = 250

export const SEARCH = { base: 1200, granularity: 8, maxProbes: 3, probeTimeoutMs: 500 } as const
