/**
 * A client whose packets are sent by somebody else: it opens a tunnel, and then does on QUIC what it is told, action by action.
 * Everything that comes back is counted here.
 */
import { readFileSync } from 'node:fs'
import { type Carrier, type CarrierHandler, ENCAPSULATION_HEADER } from '../../src/carriers/carrier.ts'
import { H3ClientConnection } from '../../src/carriers/h3/client-connection.ts'
import { PACKET_STREAM_TYPE } from '../../src/carriers/h3/packet-streams.ts'
import type { HttpClientHandler } from '../../src/carriers/http-connection.ts'
import { Tunnel, type TunnelOwner } from '../../src/carriers/tunnel.ts'
import { buildRequestHeaders } from '../../src/connect-ip/request.ts'
import { parseScope } from '../../src/connect-ip/scope.ts'
import { ConnectIpSession } from '../../src/connect-ip/session.ts'
import { defaultTemplate, expandTemplate, parseUriTemplate } from '../../src/connect-ip/uri-template.ts'
import type { IpAddress } from '../../src/ip/address.ts'
import { decodeIcmp, IcmpType, icmpEchoRequest } from '../../src/ip/icmp.ts'
import { QuicEndpoint } from '../../src/quic/endpoint.ts'
import { DEFAULT_QUIC_SETTINGS, type QuicConnection, type SocketAddress } from '../../src/quic/quic.ts'
import type { CheckContext } from '../kit/lab/types.ts'
import type { LabServer } from './tunnel.ts'

/** What `send-packet.ts` may ask for. */
export type SendAction =
  | { type: 'open-stream'; stream: number; streamType: number }
  | { type: 'write'; stream: number | 'request'; data: Uint8Array; fin: boolean }
  | { type: 'datagram'; data: Uint8Array }
  | { type: 'too-big'; mtu: number }
  | { type: 'drop' }

const PATIENCE_MS = 10_000
const IDENTIFIER = 0x4c32

export class Peer implements HttpClientHandler {
  readonly #library: IpAddress
  #connection!: H3ClientConnection
  requestStream = 0
  #own: IpAddress | undefined
  #failure: Error | undefined
  #wake: () => void = () => {}
  /** The student's numbers of streams, and QUIC's. */
  readonly #streams = new Map<number, number>()
  /** Actions that wait for the peer to allow one more stream. As OpenStreamSync of quic-go: those behind them wait too. */
  #waiting: SendAction[] = []
  /** By sequence number: when the ping was handed over, and when its answer came, in ms. */
  readonly sent: number[] = []
  readonly answered: number[] = []
  /** When the last answer came. */
  lastAnswerMs = 0

  static async connect(scope: Pick<CheckContext, 'defer'>, server: LabServer, by: SocketAddress): Promise<Peer> {
    const peer = new Peer(server.library)
    const quic = await QuicEndpoint.connect({
      remote: by,
      serverName: 'localhost',
      tls: { ca: readFileSync(server.certificates.ca) },
      settings: DEFAULT_QUIC_SETTINGS,
    })
    peer.#connection = new H3ClientConnection(quic)
    peer.#connection.handler = peer
    scope.defer(() => peer.close())
    const deadline = performance.now() + PATIENCE_MS
    while (peer.#own === undefined) {
      if (peer.#failure !== undefined) throw peer.#failure
      if (performance.now() > deadline) throw new Error('no tunnel: the proxy has not answered')
      await peer.#sleep(100)
    }
    return peer
  }

  private constructor(library: IpAddress) {
    this.#library = library
  }

  get quic(): QuicConnection {
    return this.#connection.quic
  }

  /** UDP payloads, in bytes. */
  get bytesSent(): number {
    return this.#connection.quic.stats().bytesSent
  }

  get maxDatagramLength(): number {
    return this.#connection.quic.maxDatagramLength
  }

  /** A ping of the library; its answer is found by its number. */
  ping(sequence: number, dataLength: number): Uint8Array {
    const fields = { source: this.#own!, destination: this.#library, id: IDENTIFIER, seq: sequence }
    return icmpEchoRequest(fields, new Uint8Array(dataLength))
  }

  /** Does on QUIC what one call of sendPacket() has asked for. */
  perform(actions: readonly SendAction[], sequence: number): void {
    this.sent[sequence] = performance.now()
    this.#waiting.push(...actions)
    this.flush()
  }

  /** As far as the peer's limit of streams allows. */
  flush(): void {
    while (this.#waiting.length > 0) {
      const [action] = this.#waiting
      if (action.type === 'open-stream' && !this.#connection.quic.canOpenStream('uni')) return
      this.#waiting.shift()
      this.#do(action)
    }
  }

  close(): void {
    if (!this.#connection.closed) this.#connection.close('')
  }

  #do(action: SendAction): void {
    switch (action.type) {
      case 'open-stream':
        this.#streams.set(action.stream, this.#connection.h3.openExtensionStream(action.streamType))
        break
      case 'write': {
        const id = action.stream === 'request' ? this.requestStream : this.#streams.get(action.stream)
        if (id === undefined) throw new Error(`a write on stream ${action.stream}, which was not opened before`)
        if (action.stream === 'request') this.#connection.quic.streamSend(id, action.data, action.fin)
        else this.#connection.h3.sendRaw(id, action.data, action.fin)
        if (action.fin && action.stream !== 'request') this.#streams.delete(action.stream)
        break
      }
      case 'datagram':
        this.#connection.quic.sendDatagram(action.data)
        break
    }
    this.#connection.flush()
  }

  // -- HttpClientHandler -----------------------------------------------------------------------------------------------

  onReady(): void {}

  onCapabilities(): void {
    const scope = { target: '*', ipproto: '*' }
    const session = new ConnectIpSession({ role: 'client', now: () => performance.now(), scope: parseScope(scope) })
    const template = parseUriTemplate(defaultTemplate('localhost', 4433))
    // The proxy answers in datagrams, and also takes the streams of those who have not changed sendPacket() yet.
    const agreed = [ENCAPSULATION_HEADER, 'datagram, stream-per-packet'] as const
    const stream = this.#connection.request(buildRequestHeaders(expandTemplate(template, scope), [agreed]))
    if (stream === undefined) return
    this.requestStream = stream.id
    const openCarrier = (handler: CarrierHandler): Carrier => stream.openCarrier(['datagram'], handler)
    const { carrier } = new Tunnel({ session, openCarrier, owner: this.#owner })
    carrier.sendCapsules(session.requestAddresses([{ version: 4 }]).bytes)
  }

  onResponse(): void {}
  onGoAway(): void {}

  onRequestFailed(_streamId: number, error: unknown): void {
    this.#fail(`the tunnel has failed: ${error}`)
  }

  onClosed(reason: { reason: string }): void {
    this.#fail(`the connection has ended: ${reason.reason}`)
  }

  readonly #owner: TunnelOwner = {
    onPacket: packet => {
      const { type, id, seq } = decodeIcmp(packet)
      if (type !== IcmpType.ECHO_REPLY || id !== IDENTIFIER || seq === undefined) return
      this.lastAnswerMs = performance.now()
      this.answered[seq] ??= this.lastAnswerMs
    },
    onAddressesAssigned: addresses => {
      this.#own = addresses[0]?.prefix.address
      this.#wake()
    },
    onAddressesRequested: () => {},
    onRoutesAdvertised: () => {},
    onMtu: () => {},
    onClosed: reason => this.#fail(`the tunnel has ended: ${reason.reason}`),
  }

  #fail(text: string): void {
    this.#failure ??= new Error(text)
    this.#wake()
  }

  async #sleep(ms: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined
    await new Promise<void>(resolve => {
      this.#wake = resolve
      timer = setTimeout(resolve, ms)
    })
    clearTimeout(timer)
  }
}

/** The article's SendPacket: a new stream for each packet. */
export function articleActions(requestStream: number, packet: Uint8Array, stream: number): SendAction[] {
  const data = Uint8Array.from([requestStream / 4, 0, ...packet])
  return [
    { type: 'open-stream', stream, streamType: PACKET_STREAM_TYPE },
    { type: 'write', stream, data, fin: true },
  ]
}
