/** A tunnel on one stream of Node's: capsules, packets among them. What the carriers of HTTP/2 and HTTP/1.1 have in common. */

import type { Writable } from 'node:stream'
import type { AbortReason } from '../../http/errors.ts'
import { CapsulePackets, STREAM_MTU } from '../capsule-packets.ts'
import type { CarrierEnd, CarrierHandler, SendBacklog, SendResult } from '../carrier.ts'
import type { TcpCarrier } from './connection.ts'

/**
 * What a capsule that waits takes beside its bytes, in bytes: an answer is short, and each is an array, a buffer and an entry of the stream's list
 * (measured with Node 20: 250 of 10 bytes, 300 of 64).
 */
export const CAPSULE_OVERHEAD = 256

export abstract class StreamCarrier implements TcpCarrier {
  readonly encapsulation = 'single-stream'
  readonly mtu = STREAM_MTU
  readonly mtuSettled = true
  readonly handler: CarrierHandler
  readonly #stream: Writable
  readonly #packets: CapsulePackets
  #open = true
  /** Capsules that were written and have not left yet. */
  #capsules = 0
  readonly #onLeft = (): void => {
    this.#capsules--
  }

  constructor(stream: Writable, handler: CarrierHandler) {
    this.#stream = stream
    this.handler = handler
    this.#packets = new CapsulePackets({
      get buffered() {
        return stream.writableLength
      },
      write: bytes => this.write(bytes),
    })
  }

  /** Ends our half, behind all that waits. */
  protected abstract endStream(): void
  /** Ends both halves at once; returns what the peer sees of the reason. */
  protected abstract abortStream(reason: AbortReason): string
  /** The connection has nothing more to tell this tunnel. */
  protected abstract forget(): void

  /** We have not ended our half. */
  get isOpen(): boolean {
    return this.#open
  }

  get writable(): boolean {
    return this.#packets.writable
  }

  get backlog(): SendBacklog {
    return this.#packets.backlog
  }

  get capsulesWaiting(): number {
    return this.#stream.writableLength + this.#capsules * CAPSULE_OVERHEAD
  }

  sendCapsules(bytes: Uint8Array): void {
    // The caller may use its buffer again.
    if (this.#open) this.writeCapsules(Uint8Array.from(bytes))
  }

  protected writeCapsules(bytes: Uint8Array): void {
    if (!this.#stream.writable) return
    this.#capsules++
    this.#stream.write(bytes, this.#onLeft)
  }

  sendPacket(packet: Uint8Array): SendResult {
    return this.#open ? this.#packets.send(packet) : 'dropped'
  }

  end(): void {
    if (!this.#open) return
    this.#open = false
    this.endStream()
  }

  abort(reason: AbortReason): string {
    this.#open = false
    this.forget()
    return this.abortStream(reason)
  }

  /** The peer has ended its half. Whoever is told so ends ours, and nothing more will arrive for this tunnel. */
  ended(): void {
    this.handler.onEnd()
    this.end()
    this.forget()
  }

  /** The stream is gone: by the peer's will, because the peer broke a rule, or with its connection. */
  aborted(end: CarrierEnd): void {
    this.#open = false
    this.forget()
    this.handler.onAborted(end)
  }

  protected write(bytes: Uint8Array): void {
    // Between the end of the stream and the turn in which we hear of it.
    if (this.#stream.writable) this.#stream.write(bytes)
  }
}
