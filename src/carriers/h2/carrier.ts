/** One tunnel on an HTTP/2 connection: capsules on its stream, packets among them. */

import type { Http2Stream } from 'node:http2'
import type { AbortReason } from '../../http/errors.ts'
import { CapsulePackets, STREAM_MTU } from '../capsule-packets.ts'
import type { Carrier, CarrierEnd, CarrierHandler, SendBacklog, SendResult } from '../carrier.ts'
import type { HttpHandler } from '../http-connection.ts'
import { ABORT_CODES, errorName } from './codes.ts'
import type { H2Transport } from './transport.ts'

export class H2Carrier implements Carrier {
  readonly streamId: number
  readonly stream: Http2Stream
  readonly encapsulation = 'single-stream'
  readonly mtu = STREAM_MTU
  readonly mtuSettled = true
  readonly handler: CarrierHandler
  readonly #transport: H2Transport<HttpHandler>
  readonly #packets: CapsulePackets
  #open = true

  constructor(transport: H2Transport<HttpHandler>, stream: Http2Stream, handler: CarrierHandler) {
    this.#transport = transport
    this.stream = stream
    this.streamId = stream.id as number
    this.handler = handler
    this.#packets = new CapsulePackets({
      get buffered() {
        return stream.writableLength
      },
      write: bytes => this.#write(bytes),
    })
  }

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
    return this.stream.writableLength
  }

  sendCapsules(bytes: Uint8Array): void {
    // The caller may use its buffer again.
    if (this.#open) this.#write(Uint8Array.from(bytes))
  }

  sendPacket(packet: Uint8Array): SendResult {
    return this.#open ? this.#packets.send(packet) : 'dropped'
  }

  end(): void {
    if (!this.#open) return
    this.#open = false
    if (!this.stream.destroyed) this.stream.end()
  }

  abort(reason: AbortReason): string {
    const code = ABORT_CODES[reason]
    this.#open = false
    this.#transport.forget(this)
    if (!this.stream.destroyed) this.stream.close(code)
    return errorName(code)
  }

  /** The peer has ended its half. Whoever is told so ends ours, and nothing more will arrive for this tunnel. */
  ended(): void {
    this.handler.onEnd()
    this.end()
    this.#transport.forget(this)
  }

  /** The stream is gone, by the peer's will or because the peer broke a rule. */
  aborted(end: CarrierEnd): void {
    this.#open = false
    this.#transport.forget(this)
    this.handler.onAborted(end)
  }

  #write(bytes: Uint8Array): void {
    // Between a reset and the turn in which we hear of it.
    if (this.stream.writable) this.stream.write(bytes)
  }
}
