/** One path that is being validated (RFC 9000 §8.2). */
export class PathValidation {
  /** `timeout` in ms: 3 PTO of this or of a new path, whichever is longer (§8.2.4). */
  constructor(_now: number, _timeout: number, _randomBytes: (length: number) => Uint8Array) {}
  readonly state: 'running' | 'validated' | 'failed' = 'running'
  /** Whether a PATH_CHALLENGE is to be sent now. */
  wantsChallenge(_now: number): boolean {
    throw new Error('to be written')
  }
  /** The 8 bytes for one more PATH_CHALLENGE, which is sent now. */
  challenge(_now: number): Uint8Array {
    throw new Error('to be written')
  }
  /** True: it answers a challenge of this path, which is validated now. */
  onResponse(_data: Uint8Array): boolean {
    throw new Error('to be written')
  }
  deadline(): number | undefined {
    throw new Error('to be written')
  }
  onDeadline(_now: number): void {}
}

/** The PATH_RESPONSEs that are to be sent on a path: bounded, the oldest goes. */
export class PathResponses {
  push(_data: Uint8Array): void {}
  shift(): Uint8Array | undefined {
    throw new Error('to be written')
  }
  get length(): number {
    throw new Error('to be written')
  }
}
