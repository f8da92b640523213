/** The one tunnel of an HTTP/1.1 connection: all bytes behind the heads are capsules, packets among them. */

import type { AbortReason } from '../../http/errors.ts'
import type { CarrierHandler, SendResult } from '../carrier.ts'
import type { HttpHandler } from '../http-connection.ts'
import { StreamCarrier } from '../tcp/stream-carrier.ts'
import type { H1Transport } from './transport.ts'

/** HTTP/1.1 has no code to end a tunnel with: the peer sees the end of the connection. */
const ABORTED = 'end of the TCP connection'

export class H1Carrier extends StreamCarrier {
  readonly #transport: H1Transport<HttpHandler>
  /** Capsules that wait for the connection to be switched over; undefined once it is. */
  #ahead: Uint8Array[] | undefined

  /** `switched`: capsules may follow. A client has to wait for the answer: RFC 9112 says of no byte before it what it would be taken for. */
  constructor(transport: H1Transport<HttpHandler>, handler: CarrierHandler, switched: boolean) {
    super(transport.socket, handler)
    this.#transport = transport
    this.#ahead = switched ? undefined : []
  }

  override get writable(): boolean {
    return this.#ahead === undefined && super.writable
  }

  override sendPacket(packet: Uint8Array): SendResult {
    return this.#ahead === undefined ? super.sendPacket(packet) : 'dropped'
  }

  /** The answer is "yes". */
  switched(): void {
    const ahead = this.#ahead ?? []
    this.#ahead = undefined
    for (const bytes of ahead) if (this.isOpen) this.writeCapsules(bytes)
  }

  protected override writeCapsules(bytes: Uint8Array): void {
    if (this.#ahead === undefined) super.writeCapsules(bytes)
    else this.#ahead.push(bytes)
  }

  protected override endStream(): void {
    this.#transport.takeLeave('the tunnel has ended')
  }

  protected override abortStream(_reason: AbortReason): string {
    this.#transport.cut()
    return ABORTED
  }

  protected override forget(): void {
    this.#transport.forget(this)
  }
}
