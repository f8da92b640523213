/** The one tunnel of an HTTP/1.1 connection: all bytes behind the heads are capsules, packets among them. */

import type { AbortReason } from '../../http/errors.ts'
import { CapsulePackets, STREAM_MTU } from '../capsule-packets.ts'
import type { Carrier, CarrierEnd, CarrierHandler, SendBacklog, SendResult } from '../carrier.ts'
import type { HttpHandler } from '../http-connection.ts'
import type { H1Transport } from './transport.ts'

/** HTTP/1.1 has no code to end a tunnel with: the peer sees the end of the connection. */
const ABORTED = 'end of the TCP connection'

export class H1Carrier implements Carrier {
  readonly encapsulation = 'single-stream'
  readonly mtu = STREAM_MTU
  readonly mtuSettled = true
  readonly handler: CarrierHandler
  readonly #transport: H1Transport<HttpHandler>
  readonly #packets: CapsulePackets
  /** We have not ended our half. */
  #open = true
  /** Capsules that wait for the connection to be switched over; undefined once it is. */
  #ahead: Uint8Array[] | undefined

  /** `switched`: capsules may follow. A client has to wait for the answer: RFC 9112 says of no byte before it what it would be taken for. */
  constructor(transport: H1Transport<HttpHandler>, handler: CarrierHandler, switched: boolean) {
    this.#transport = transport
    this.handler = handler
    this.#ahead = switched ? undefined : []
    this.#packets = new CapsulePackets({
      get buffered() {
        return transport.socket.writableLength
      },
      write: bytes => this.#write(bytes),
    })
  }

  get writable(): boolean {
    return this.#ahead === undefined && this.#packets.writable
  }

  get backlog(): SendBacklog {
    return this.#packets.backlog
  }

  get capsulesWaiting(): number {
    return this.#transport.socket.writableLength
  }

  /** The answer is "yes". */
  switched(): void {
    const ahead = this.#ahead ?? []
    this.#ahead = undefined
    for (const bytes of ahead) if (this.#open) this.#write(bytes)
  }

  sendCapsules(bytes: Uint8Array): void {
    if (!this.#open) return
    // The caller may use its buffer again.
    const copy = Uint8Array.from(bytes)
    if (this.#ahead === undefined) this.#write(copy)
    else this.#ahead.push(copy)
  }

  sendPacket(packet: Uint8Array): SendResult {
    return this.#open && this.#ahead === undefined ? this.#packets.send(packet) : 'dropped'
  }

  end(): void {
    if (!this.#open) return
    this.#open = false
    this.#transport.takeLeave('the tunnel has ended')
  }

  abort(_reason: AbortReason): string {
    this.#open = false
    this.#transport.forget(this)
    this.#transport.cut()
    return ABORTED
  }

  /** The peer has ended its half. Whoever is told so ends ours, and nothing more will arrive. */
  ended(): void {
    this.handler.onEnd()
    this.end()
    this.#transport.forget(this)
  }

  /** The connection is gone. */
  aborted(end: CarrierEnd): void {
    this.#open = false
    this.#transport.forget(this)
    this.handler.onAborted(end)
  }

  #write(bytes: Uint8Array): void {
    // Between the end of the connection and the turn in which we hear of it.
    if (this.#transport.socket.writable) this.#transport.socket.write(bytes)
  }
}
