export interface AckFrame {
  readonly largest: number
  /** As it is on the wire: in units of 2^ack_delay_exponent µs. */
  readonly delay: number
  /** From the largest down, with a gap between any two; the first one ends with `largest`. */
  readonly ranges: readonly AckRange[]
  readonly ecn: EcnCounts | undefined
}

/** All packet numbers from `smallest` to `largest`. */
export interface AckRange {
  readonly smallest: number
  readonly largest: number
}

export interface EcnCounts {
  readonly ect0: number
  readonly ect1: number
  readonly ce: number
}
