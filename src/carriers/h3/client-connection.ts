/** The client's end of an HTTP/3 connection: requests go out. */

import type { Header } from '../../http/header.ts'
import { QuicEndpoint } from '../../quic/endpoint.ts'
import type { UdpTap } from '../../quic/io.ts'
import type { KeptTokens } from '../../quic/kept-tokens.ts'
import type { QuicConnection, QuicSettings } from '../../quic/quic.ts'
import type { Connect, HttpClientConnection, HttpClientHandler, TunnelStream } from '../http-connection.ts'
import type { H3Tap } from './tap.ts'
import { H3Transport, type StreamEvent } from './transport.ts'

/** Connects by HTTP/3, on QUIC with these settings. `tap`: of a capture; `watch`: of qlog; `tokens`: those of QUIC, of all tunnels. */
export function connectByHttp3(
  settings: QuicSettings,
  tap?: UdpTap,
  watch?: (quic: QuicConnection) => H3Tap,
  tokens?: KeptTokens,
): Connect {
  return async options => {
    const quic = await QuicEndpoint.connect({ ...options, settings, tap, tokens })
    return new H3ClientConnection(quic, watch?.(quic))
  }
}

export class H3ClientConnection extends H3Transport<HttpClientHandler> implements HttpClientConnection {
  get resumptionTicket(): Uint8Array | undefined {
    return this.quic.resumptionTicket
  }

  get draining(): boolean {
    return this.h3.draining
  }

  vanish(): void {
    this.quic.vanish()
  }

  request(headers: Header[]): TunnelStream | undefined {
    if (this.h3.closed) return undefined
    const id = this.h3.request(headers)
    this.flush()
    return { id, openCarrier: (encapsulations, handler) => this.openCarrier(id, encapsulations, handler) }
  }

  protected override onGoAway(): void {
    this.handler.onGoAway()
  }

  protected override onStreamGone(): void {}

  protected override onStreamEvent(event: StreamEvent): void {
    if (event.type === 'response') this.handler.onResponse(event.headers)
  }
}
