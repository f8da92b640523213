/** The stateless reset token of each connection id, from one key of the endpoint (RFC 9000 §10.3.2). */
export class StatelessResetTokens {
  constructor(_key: Uint8Array) {}
  of(_id: Uint8Array): Uint8Array {
    throw new Error('to be written')
  }
}

/** A datagram that resets (§10.3), shorter than the packet it answers, of `answeredLength` bytes. undefined: that was too short to be answered. */
export function statelessReset(
  _token: Uint8Array,
  _answeredLength: number,
  _randomBytes: (length: number) => Uint8Array,
): Uint8Array | undefined {
  throw new Error('to be written')
}
