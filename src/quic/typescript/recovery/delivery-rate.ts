/** How fast the path delivers, from one ACK. */
export interface DeliveryRateSample {
  /** Bytes per ms; 0: this ACK says nothing. */
  readonly rate: number
  /** There was not enough to send, so that the path may be faster. */
  readonly isAppLimited: boolean
  /** Bytes that were delivered since the beginning, and those of them by the time the acknowledged packet was sent. */
  readonly delivered: number
  readonly priorDelivered: number
  /** Bytes newly acknowledged by this ACK, and lost since the one before. */
  readonly acked: number
  readonly lost: number
  /** Round-trip time of the newest packet in ms; 0: none. */
  readonly rttMs: number
}
