/** What 1-RTT packets are sealed with in one key phase, and from then on: RFC 9001 §6.1, §6.6. */
import { VERSION_1, type Version } from '../version.ts'
import { type CipherSuite, SUITES } from './cipher-suites.ts'
import { deriveNextSecret } from './derive.ts'
import { HeaderProtection } from './header-protection.ts'
import { SealingKeys } from './packet-keys.ts'
import type { OneRttLimits } from './usage-limits.ts'

export class SealingPhase extends SealingKeys {
  readonly #suite: CipherSuite
  readonly #secret: Uint8Array
  readonly #version: Version
  readonly #limits: OneRttLimits
  readonly #header: HeaderProtection
  readonly #wornAt: number

  constructor(
    suite: CipherSuite,
    secret: Uint8Array,
    limits: OneRttLimits,
    version: Version = VERSION_1,
    header: HeaderProtection = new HeaderProtection(suite, secret, version),
  ) {
    const most = limits.mostSealed ?? SUITES[suite].mostSealed
    super(suite, secret, version, most, header)
    this.#suite = suite
    this.#secret = secret
    this.#version = version
    this.#limits = limits
    this.#header = header
    this.#wornAt = limits.updateAfter ?? most / 2
  }

  /** It is time for the next keys. */
  get isWorn(): boolean {
    return this.sealed >= this.#wornAt
  }

  /** Header protection stays. */
  next(): SealingPhase {
    const secret = deriveNextSecret(this.#suite, this.#secret, this.#version)
    return new SealingPhase(this.#suite, secret, this.#limits, this.#version, this.#header)
  }
}
