/**
 * Limits on the use of a key, RFC 9001 §6.6. The more is sealed with it, the more it can be told from a random function; the more
 * forgeries are tried, the likelier one of them passes.
 */
import { AEAD_LIMIT_REACHED, TransportError } from '../transport-error.ts'
import { type CipherSuite, SUITES } from './cipher-suites.ts'

/** Of 1-RTT keys; what is left out is as RFC 9001 §6.6 has it. */
export interface OneRttLimits {
  /** How many packets a key seals before it is updated; twice that is never reached. Default: half of what RFC 9001 §6.6 allows. */
  updateAfter?: number
  mostSealed?: number
  mostForged?: number
}

/** Counts packets that did not open, over all keys of a direction. */
export class ForgeryCount {
  #count = 0
  readonly #most: number

  constructor(suite: CipherSuite, most: number = SUITES[suite].mostForged) {
    this.#most = most
  }

  get count(): number {
    return this.#count
  }

  /** Throws AEAD_LIMIT_REACHED with the one that is too many. */
  add(): void {
    if (++this.#count > this.#most) throw new TransportError(AEAD_LIMIT_REACHED, 'too many packets were not authentic')
  }
}

export function confidentialityLimitReached(): TransportError {
  return new TransportError(AEAD_LIMIT_REACHED, 'the key has sealed as many packets as it may')
}
