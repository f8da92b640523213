/**
 * Peers that speak QUIC as they should and, above it, whatever a test wants.
 *
 * What they receive is parsed by an `H3Connection` of ours. What they send is either made by it too, as far as a test wants
 * to be well-behaved, or consists of bytes that the test writes.
 */

import { type Capsule, CapsuleParser } from '../../src/connect-ip/capsule.ts'
import type { Header } from '../../src/http/header.ts'
import { H3Connection, type H3ConnectionOptions, type H3Event } from '../../src/http3/connection.ts'
import { errorName } from '../../src/http3/error-codes.ts'
import { QuicEndpoint } from '../../src/quic/endpoint.ts'
import {
  DEFAULT_QUIC_SETTINGS,
  type QuicConnection,
  type QuicSettings,
  type SocketAddress,
} from '../../src/quic/quic.ts'
import { CONNECT_IP } from '../http3/conversation.ts'
import { clientTls, serverTls } from './certificates.ts'
import { Recorder } from './quic-peer.ts'

/** One end of a QUIC connection, with HTTP/3 as far as it is wanted. */
export class HostilePeer {
  readonly quic: QuicConnection
  readonly recorder: Recorder
  h3!: H3Connection
  readonly events: H3Event[] = []
  /** Called for each event as it happens. */
  onEvent: ((event: H3Event) => void) | undefined

  constructor(quic: QuicConnection, recorder: Recorder) {
    this.quic = quic
    this.recorder = recorder
    recorder.onData = (streamId, data, fin) => {
      // Events refer to the buffer of the QUIC engine: what is kept has to be copied.
      for (const event of this.h3.receiveStream(streamId, Uint8Array.from(data), fin)) {
        this.events.push(event)
        this.onEvent?.(event)
      }
    }
  }

  async established(): Promise<void> {
    await this.recorder.until(() => this.recorder.established || this.recorder.closed)
    if (this.recorder.closed) throw new Error(`the handshake failed: ${this.recorder.closed.reason}`)
  }

  /** Bytes on a stream, as they are. */
  send(streamId: number, bytes: Uint8Array, fin = false): void {
    this.quic.streamSend(streamId, bytes, fin)
  }

  /** What `h3` wants to send. Call it after calls of its methods. */
  flush(): void {
    for (const output of this.h3.takeOutput()) {
      if (output.type === 'stream') this.quic.streamSend(output.streamId, output.data, output.fin)
      else if (output.type === 'reset') this.quic.streamReset(output.streamId, output.code)
      else if (output.type === 'stop-sending') this.quic.streamStopSending(output.streamId, output.code)
    }
  }

  /** The first event like this, when it has come. */
  async event<T extends H3Event['type']>(
    type: T,
    matches: (event: Extract<H3Event, { type: T }>) => boolean = () => true,
  ): Promise<Extract<H3Event, { type: T }>> {
    const find = () => this.events.find(event => event.type === type && matches(event as Extract<H3Event, { type: T }>))
    await this.recorder.until(() => find() ?? this.recorder.closed)
    const event = find()
    if (event === undefined) throw new Error(`the connection was closed before there was an event ${type}`)
    return event as Extract<H3Event, { type: T }>
  }

  /** The name of the error code with which the other side resets a stream. */
  async streamError(streamId: number): Promise<string> {
    const { resets, stopped } = this.recorder
    await this.recorder.until(() => resets.has(streamId) || this.recorder.closed)
    const code = resets.get(streamId)
    if (code === undefined)
      throw new Error(
        `stream ${streamId} was not reset; the connection was closed instead: ${JSON.stringify(this.recorder.closed)}`,
      )
    // STOP_SENDING comes with it, and is not always reported: QUIC forgets a stream that is over in both directions.
    if ((stopped.get(streamId) ?? code) !== code) throw new Error('RESET_STREAM and STOP_SENDING have different codes')
    return errorName(code)
  }

  /** The name of the error code with which the other side closes the connection. */
  async connectionError(): Promise<string> {
    await this.recorder.until(() => this.recorder.closed)
    const { closed } = this.recorder
    if (closed?.source !== 'peer' || !closed.application) throw new Error(`closed otherwise: ${JSON.stringify(closed)}`)
    return errorName(closed.code)
  }

  close(): void {
    this.quic.close(0x100, '')
  }
}

// -- a client ------------------------------------------------------------------------------------------------------

export interface HostileClientOptions {
  /** False: HTTP/3 is not started, so that the test writes the control stream (2) itself. */
  start?: boolean
  h3?: Partial<H3ConnectionOptions>
  quic?: Partial<QuicSettings>
  /** Do not send the transport parameter max_datagram_frame_size. */
  withoutDatagrams?: boolean
}

export interface HostileTunnel {
  readonly streamId: number
  readonly status: string
  readonly headers: Header[]
  /** What the proxy has sent so far. */
  readonly capsules: Capsule[]
  /** Waits for the nth capsule (from 0) of a type, and returns its value. */
  capsule(type: bigint, index?: number): Promise<Uint8Array>
}

export class HostileClient extends HostilePeer {
  static async connect(to: { address: SocketAddress }, options: HostileClientOptions = {}): Promise<HostileClient> {
    const recorder = new Recorder()
    const tls = await clientTls()
    const settings = { ...DEFAULT_QUIC_SETTINGS, takesDatagrams: options.withoutDatagrams !== true, ...options.quic }
    const quic = await QuicEndpoint.connect({ remote: to.address, serverName: 'localhost', tls, settings })
    quic.handler = recorder
    const peer = new HostileClient(quic, recorder)
    peer.h3 = new H3Connection({ role: 'client', peerMaxDatagramFrameSize: 65_535, ...options.h3 })
    clients.push(peer)
    await peer.established()
    if (options.start !== false) {
      peer.h3.start()
      peer.flush()
    }
    // Then the server has the whole handshake, and loses nothing that is sent from now on.
    await peer.event('settings')
    return peer
  }

  /** Sends a request and waits for the head of its answer. */
  async request(
    headers: Header[],
    fin = false,
  ): Promise<{ streamId: number; status: string; headers: Header[]; fin: boolean }> {
    const streamId = this.h3.request(headers, fin)
    this.flush()
    const response = await this.event('response', event => event.streamId === streamId)
    const status = response.headers.find(([name]) => name === ':status')?.[1] ?? ''
    return { streamId, status, headers: response.headers, fin: response.fin }
  }

  /** Asks for a tunnel, and collects the capsules that come. */
  async openTunnel(headers: Header[] = CONNECT_IP): Promise<HostileTunnel> {
    const parser = new CapsuleParser()
    const capsules: Capsule[] = []
    const streamId = this.h3.request(headers)
    const receive = (event: H3Event): void => {
      if (event.type === 'data' && event.streamId === streamId) capsules.push(...parser.push(event.data))
    }
    const before = this.onEvent
    this.onEvent = event => {
      before?.(event)
      receive(event)
    }
    this.flush()
    const response = await this.event('response', event => event.streamId === streamId)
    return {
      streamId,
      status: response.headers.find(([name]) => name === ':status')?.[1] ?? '',
      headers: response.headers,
      capsules,
      capsule: async (type, index = 0) => {
        const matching = () => capsules.filter(capsule => capsule.type === type)[index]
        await this.recorder.until(() => matching() ?? this.recorder.closed)
        return matching().value
      },
    }
  }

  /** Capsule bytes in a DATA frame. */
  sendData(streamId: number, bytes: Uint8Array, fin = false): void {
    this.h3.sendData(streamId, bytes, fin)
    this.flush()
  }
}

// -- a proxy -------------------------------------------------------------------------------------------------------

export interface HostileProxyOptions {
  /** Called when a client's handshake is done, before anything is sent. Default: HTTP/3 is started. */
  onConnection?(peer: HostilePeer): void
  onRequest?(peer: HostilePeer, streamId: number, headers: Header[]): void
  h3?: Partial<H3ConnectionOptions>
}

export interface HostileProxy {
  readonly address: SocketAddress
  readonly peers: HostilePeer[]
}

/** Something at the other end of a client that does what the test says. */
export async function startHostileProxy(options: HostileProxyOptions = {}): Promise<HostileProxy> {
  const peers: HostilePeer[] = []
  const endpoint = await QuicEndpoint.listen({
    host: '127.0.0.1',
    port: 0,
    tls: await serverTls(),
    settings: DEFAULT_QUIC_SETTINGS,
    clientCertificate: 'none',
    retry: 'never',
    maxConnections: 100,
    maxConnectionsPerAddress: 100,
    onConnection: quic => {
      const recorder = new Recorder()
      const peer = new HostilePeer(quic, recorder)
      peer.h3 = new H3Connection({ role: 'server', peerMaxDatagramFrameSize: 65_535, ...options.h3 })
      peer.onEvent = event => {
        if (event.type === 'request') options.onRequest?.(peer, event.streamId, event.headers)
      }
      const begin = options.onConnection ?? (() => peer.h3.start())
      const onEstablished = recorder.onEstablished.bind(recorder)
      recorder.onEstablished = () => {
        onEstablished()
        begin(peer)
        peer.flush()
      }
      peers.push(peer)
      return recorder
    },
  })
  endpoints.push(endpoint)
  return { address: endpoint.local, peers }
}

// ------------------------------------------------------------------------------------------------------------------

const clients: HostileClient[] = []
const endpoints: QuicEndpoint[] = []

/** Ends all that was opened here. Call it in `afterEach`. */
export async function closeHostilePeers(): Promise<void> {
  for (const client of clients.splice(0)) client.close()
  await Promise.all(endpoints.splice(0).map(endpoint => endpoint.close()))
}
