/**
 * Packet numbers that have arrived, as an ACK frame tells them (RFC 9000 §19.3.1): ranges, the highest first, both ends inclusive.
 *
 *   [ largest, smallest,  largest, smallest,  … ]
 *       first range         second range
 */
export type AckRanges = readonly number[]

/** ECN counts (RFC 9000 §19.3.2): packets that arrived with each of the codepoints, since the beginning of their packet number space. */
export interface EcnCounts {
  readonly ect0: number
  readonly ect1: number
  readonly ce: number
}

/** An ACK frame of the peer. `delayMs`: its ACK Delay in ms, as its ack_delay_exponent says; not used before the 1-RTT keys. */
export interface Acknowledgement {
  readonly ranges: AckRanges
  readonly delayMs: number
  readonly ecn?: EcnCounts | undefined
}
