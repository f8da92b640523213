/**
 * A version of HTTP in memory: a reliable stream for each request, as HTTP/2 has, and no datagrams. What one end does, the
 * other hears in a turn of its own.
 */

import type { Carrier, CarrierHandler } from '../../src/carriers/carrier.ts'
import { connectionEnded, resetByPeer } from '../../src/carriers/end-reason.ts'
import type {
  Capabilities,
  CloseReason,
  HttpClientConnection,
  HttpClientHandler,
  HttpHandler,
  HttpServerConnection,
  HttpServerHandler,
  IncomingRequest,
  RequestHandler,
  TunnelStream,
} from '../../src/carriers/http-connection.ts'
import { encodeDatagramCapsule } from '../../src/connect-ip/datagram-capsule.ts'
import type { AbortReason } from '../../src/http/errors.ts'
import type { Header } from '../../src/http/header.ts'

export function connectionPair(): { client: MemoryClient; server: MemoryServer } {
  const client = new MemoryClient()
  const server = new MemoryServer()
  client.peer = server
  server.peer = client
  client.start()
  server.start()
  return { client, server }
}

type Message =
  | { type: 'response'; headers: readonly Header[] }
  | { type: 'bytes'; bytes: Uint8Array }
  | { type: 'end' }
  | { type: 'abort'; reason: AbortReason }

/** One end of a stream. */
class StreamEnd {
  peer!: StreamEnd
  hear: (message: Message) => void = () => {}

  send(message: Message): void {
    setImmediate(() => this.peer.hear(message))
  }
}

abstract class Connection<Handler extends HttpHandler> {
  readonly id = 'memory'
  readonly version = 'h2'
  readonly remote = { host: '192.0.2.1', port: 443 }
  readonly resumed = false
  readonly handshakeMs = 0
  readonly quic = undefined
  capabilities: Capabilities | undefined
  closed = false
  handler!: Handler
  abstract peer: Connection<HttpHandler>
  readonly #carriers = new Set<Carrier>()
  /** Why streams were aborted here. */
  readonly aborts: AbortReason[] = []

  start(): void {
    setImmediate(() => {
      this.handler.onReady()
      this.capabilities = { tunnels: true, encapsulations: ['single-stream'] }
      this.handler.onCapabilities(this.capabilities)
    })
  }

  goAway(): void {}

  close(why: string): void {
    this.end('local', why)
    setImmediate(() => this.peer.end('peer', why))
  }

  end(source: CloseReason['source'], why: string): void {
    if (this.closed) return
    this.closed = true
    const text = `${source === 'local' ? 'by us' : 'by the peer'}: ${why}`
    const reason = { source, orderly: true, reason: why, text, protocol: 'HTTP in memory' }
    for (const carrier of this.#carriers) {
      carrier.handler.onAborted({ ...connectionEnded(reason), orderly: true })
    }
    this.handler.onClosed(reason)
  }

  protected openCarrier(end: StreamEnd, handler: CarrierHandler, onResponse?: (headers: readonly Header[]) => void) {
    let open = true
    const over = (): void => {
      open = false
      this.#carriers.delete(carrier)
    }
    const carrier: Carrier = {
      encapsulation: 'single-stream',
      mtu: 1500,
      mtuSettled: true,
      writable: true,
      capsulesWaiting: 0,
      handler,
      sendCapsules: bytes => {
        if (open) end.send({ type: 'bytes', bytes: Uint8Array.from(bytes) })
      },
      sendPacket: packet => {
        if (!open) return 'dropped'
        carrier.sendCapsules(encodeDatagramCapsule(packet))
        return 'sent'
      },
      end: () => {
        if (open) end.send({ type: 'end' })
        open = false
      },
      abort: reason => {
        over()
        this.aborts.push(reason)
        end.hear = () => {}
        end.send({ type: 'abort', reason })
        return reason
      },
    }
    end.hear = message => {
      switch (message.type) {
        case 'response':
          return onResponse?.(message.headers)
        case 'bytes':
          return handler.onCapsuleBytes(message.bytes)
        case 'end':
          handler.onEnd()
          carrier.end()
          return over()
        case 'abort':
          over()
          return handler.onAborted({ orderly: false, reason: resetByPeer(message.reason) })
      }
    }
    this.#carriers.add(carrier)
    return carrier
  }
}

export class MemoryClient extends Connection<HttpClientHandler> implements HttpClientConnection {
  override peer!: MemoryServer
  readonly resumptionTicket = undefined
  readonly draining = false
  #requests = 0

  request(headers: Header[]): TunnelStream {
    const ours = new StreamEnd()
    const theirs = new StreamEnd()
    ours.peer = theirs
    theirs.peer = ours
    const id = this.#requests++
    setImmediate(() => this.peer.receive(id, headers, theirs))
    return {
      id,
      openCarrier: (_encapsulations, handler) =>
        this.openCarrier(ours, handler, response => this.handler.onResponse(response)),
    }
  }
}

export class MemoryServer extends Connection<HttpServerHandler> implements HttpServerConnection {
  override peer!: MemoryClient
  readonly peerCertificate = undefined
  inUse = false

  receive(id: number, headers: readonly Header[], end: StreamEnd): void {
    let answered = false
    const abort = (reason: AbortReason): void => {
      this.aborts.push(reason)
      end.send({ type: 'abort', reason })
    }
    const request: IncomingRequest = {
      id,
      headers,
      handler: undefined as unknown as RequestHandler,
      get awaitsResponse() {
        return !answered
      },
      accept: response => {
        answered = true
        end.send({ type: 'response', headers: response })
        return true
      },
      respond: response => {
        answered = true
        end.send({ type: 'response', headers: response })
        end.send({ type: 'end' })
      },
      openCarrier: (_encapsulations, handler) => this.openCarrier(end, handler),
      peerEnded: () => end.hear({ type: 'end' }),
      abort,
      fail: error => {
        abort('internal')
        this.handler.onRequestFailed(id, error)
      },
    }
    end.hear = message => {
      if (message.type === 'bytes') request.handler?.onCapsuleBytes(message.bytes)
      else if (message.type === 'end') request.handler?.onEnd()
      else request.handler?.onGone()
    }
    this.handler.onRequest(request, false)
  }
}
