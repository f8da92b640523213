/**
 * Path validation, RFC 9000 §8.2: what is sent there comes back only if the peer is there.
 *
 *      PATH_CHALLENGE, 8 random bytes ────────────────>
 *                                     <──────────────── PATH_RESPONSE, the same 8 bytes
 *
 * The challenge is sent again when no answer comes, with other bytes and each time after twice as long; at last the path is given up.
 *
 *   │<─ 1/7 ─>│<───── 2/7 ─────>│<─────────────── 4/7 of timeout ──────────────>│
 *   challenge challenge         challenge                                        failed
 *
 * It is in a datagram of 1200 bytes, which every path of QUIC has to carry, or of fewer where anti-amplification allows no more. The answer to such
 * a small one shows that the peer is there, and not what the path carries: it is validated once more then (§8.2.1).
 */

import { PATH_DATA_LENGTH } from './frames/path-challenge-frame.ts'
import { sameBytes } from './same-bytes.ts'

const CHALLENGES = 3
const FIRST_WAIT = 1 / 7

/** One path that is being validated. */
export class PathValidation {
  readonly #randomBytes: (length: number) => Uint8Array
  readonly #failsAt: number
  readonly #sent: { readonly data: Uint8Array; readonly isFull: boolean }[] = []
  #wait: number
  /** When the next challenge is to be sent; undefined: it is due, or there are no more. */
  #nextAt: number | undefined
  #isDue = true
  #state: 'running' | 'validated' | 'failed' = 'running'
  /** The challenge that was answered was in a datagram of 1200 bytes. */
  provesSize = false

  /** `timeout` in ms: three PTO of this path or of a new one, whichever is longer (§8.2.4). */
  constructor(now: number, timeout: number, randomBytes: (length: number) => Uint8Array) {
    this.#randomBytes = randomBytes
    this.#failsAt = now + timeout
    this.#wait = timeout * FIRST_WAIT
  }

  get state(): 'running' | 'validated' | 'failed' {
    return this.#state
  }

  /** Whether a PATH_CHALLENGE is to be sent now. */
  wantsChallenge(now: number): boolean {
    if (this.#nextAt !== undefined && now >= this.#nextAt) this.#becomeDue()
    return this.#state === 'running' && this.#isDue
  }

  /** The bytes for a PATH_CHALLENGE that is sent now. `isFull`: in a datagram of 1200 bytes. */
  challenge(now: number, isFull = true): Uint8Array {
    const data = this.#randomBytes(PATH_DATA_LENGTH)
    this.#sent.push({ data, isFull })
    this.#isDue = false
    this.#nextAt = this.#sent.length < CHALLENGES ? now + this.#wait : undefined
    this.#wait *= 2
    return data
  }

  /** A PATH_RESPONSE has come, on whichever path (§8.2.3). True: it answers a challenge of this one, which is validated with it. */
  onResponse(data: Uint8Array): boolean {
    const answered = this.#sent.find(each => sameBytes(each.data, data))
    if (this.#state !== 'running' || answered === undefined) return false
    this.#state = 'validated'
    this.provesSize = answered.isFull
    return true
  }

  deadline(): number | undefined {
    if (this.#state !== 'running') return undefined
    return this.#nextAt === undefined ? this.#failsAt : Math.min(this.#nextAt, this.#failsAt)
  }

  onDeadline(now: number): void {
    if (this.#state !== 'running') return
    if (now >= this.#failsAt) this.#state = 'failed'
    else if (this.#nextAt !== undefined && now >= this.#nextAt) this.#becomeDue()
  }

  #becomeDue(): void {
    this.#nextAt = undefined
    this.#isDue = true
  }
}

/** Who floods a path with challenges gets answers to the newest. */
const MOST_RESPONSES = 8

/** What is to be sent back on one path, in PATH_RESPONSEs. */
export class PathResponses {
  readonly #waiting: Uint8Array[] = []

  get length(): number {
    return this.#waiting.length
  }

  /** The data of a PATH_CHALLENGE that came there, which is copied. */
  push(data: Uint8Array): void {
    if (this.#waiting.length >= MOST_RESPONSES) this.#waiting.shift()
    this.#waiting.push(Uint8Array.from(data))
  }

  /** The data of the next PATH_RESPONSE. */
  shift(): Uint8Array | undefined {
    return this.#waiting.shift()
  }
}
