/** One tunnel on an HTTP/2 connection: capsules on its stream, packets among them. */

import type { Http2Stream } from 'node:http2'
import type { AbortReason } from '../../http/errors.ts'
import type { CarrierHandler } from '../carrier.ts'
import type { HttpHandler } from '../http-connection.ts'
import { StreamCarrier } from '../tcp/stream-carrier.ts'
import { ABORT_CODES, errorName } from './codes.ts'
import type { H2Transport } from './transport.ts'

export class H2Carrier extends StreamCarrier {
  readonly streamId: number
  readonly stream: Http2Stream
  readonly #transport: H2Transport<HttpHandler>

  constructor(transport: H2Transport<HttpHandler>, stream: Http2Stream, handler: CarrierHandler) {
    super(stream, handler)
    this.#transport = transport
    this.stream = stream
    this.streamId = stream.id as number
  }

  protected override endStream(): void {
    if (!this.stream.destroyed) this.stream.end()
  }

  protected override abortStream(reason: AbortReason): string {
    const code = ABORT_CODES[reason]
    if (!this.stream.destroyed) this.stream.close(code)
    return errorName(code)
  }

  protected override forget(): void {
    this.#transport.forget(this)
  }
}
