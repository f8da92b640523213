/**
 * RFC 9000 §8.1: before its address is validated, a peer is sent at most three times as many bytes as have come from there.
 */
const FACTOR = 3

export class AntiAmplification {
  #validated: boolean
  #received = 0
  #sent = 0

  /** A client's server needs no validation. */
  constructor(validated: boolean) {
    this.#validated = validated
  }

  get validated(): boolean {
    return this.#validated
  }

  validate(): void {
    this.#validated = true
  }

  /** A datagram has come from there, of so many bytes, whatever is in it. */
  onReceived(bytes: number): void {
    this.#received += bytes
  }

  onSent(bytes: number): void {
    this.#sent += bytes
  }

  /** How many more bytes may be sent there; Infinity once it is validated. */
  get allowance(): number {
    return this.#validated ? Number.POSITIVE_INFINITY : Math.max(0, FACTOR * this.#received - this.#sent)
  }
}
