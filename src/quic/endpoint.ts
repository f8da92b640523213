/** A QUIC endpoint on UDP: here an engine, sockets of the system and the driver come together. */

import type { AcceptPolicy } from './acceptor.ts'
import { chooseEngine } from './choose-engine.ts'
import type { EndpointCounters } from './counters.ts'
import { QuicDriver } from './driver.ts'
import type { EngineOptions, QuicEngine } from './engine.ts'
import type { PacketSocket, UdpTap } from './io.ts'
import type { KeptTokens } from './kept-tokens.ts'
import type { QuicConnection, QuicSettings, SocketAddress, TlsMaterial } from './quic.ts'
import { NODE_IO } from './udp/node-io.ts'
import { bindSocket, connectSocket } from './udp/open-socket.ts'
import { TappedSocket } from './udp/tapped-socket.ts'

interface EndpointOptions extends Pick<EngineOptions, 'newMtuSearch' | 'congestionControl'> {
  tls: TlsMaterial
  settings: QuicSettings
  /** A handler threw: a bug of ours, which closes that connection only. */
  onError?(error: unknown): void
  /** Something beside the connections has failed, such as the key log; they go on. */
  onWarning?(sentence: string): void
  /** Of a capture. */
  tap?: UdpTap | undefined
  /** Something that is worth a line of the log for whoever looks closely. */
  debug?(message: string): void
}

export interface ListenOptions extends EndpointOptions, AcceptPolicy {
  host: string
  port: number
  /** Whether a client certificate is asked for; one that is sent must verify against `tls.ca`. */
  clientCertificate: 'none' | 'optional' | 'required'
}

export interface ConnectOptions extends EndpointOptions {
  /** An IP address: resolve names first. */
  remote: SocketAddress
  /**
   * The name or IP address that the server's certificate must be for, wherever `remote` is (RFC 9110 §4.3.4). A name is
   * also sent as SNI; an IP address never is (RFC 6066 §3).
   */
  serverName: string
  /** Accept any certificate. Only for looking at broken set-ups. */
  insecure?: boolean
  /** A ticket from `QuicConnection.resumptionTicket` of an earlier connection to the same server. */
  resumptionTicket?: Uint8Array
  /** Of all connections that the caller makes: a server that asks for a proof of the address takes one of these in the place of a Retry. */
  tokens?: KeptTokens
}

export class QuicEndpoint {
  readonly #driver: QuicDriver
  readonly #socket: PacketSocket

  /** Opens a server socket. Rejects with the system's error (EADDRINUSE, EACCES, …) when that cannot be. */
  static async listen(options: ListenOptions): Promise<QuicEndpoint> {
    const { settings, tls, clientCertificate: peerCertificate, newMtuSearch, congestionControl, debug } = options
    const logKeys = options.tap?.keys !== undefined
    const { host, port } = options
    const parts = { newMtuSearch, congestionControl, logKeys, listensAt: { host, port } }
    const engine = await makeEngine({ role: 'server', settings, tls, peerCertificate, ...parts }, debug)
    const socket = tapped(await bindSocket(options, { debug }), options.tap)
    return closingOnFailure(socket, () => {
      const driver = new QuicDriver({ ...options, engine, io: NODE_IO, sockets: [socket], accept: options })
      return new QuicEndpoint(driver, socket)
    })
  }

  /**
   * Opens a socket of its own and starts a handshake on it. The socket closes with the connection. Rejects with the
   * system's error when there is no way to `remote` (ENETUNREACH, EACCES, …).
   *
   * Set the connection's `handler` at once: nothing is reported before the caller's turn of the event loop is over.
   */
  static async connect(options: ConnectOptions): Promise<QuicConnection> {
    const { settings, tls, insecure, newMtuSearch, debug } = options
    const peerCertificate = insecure === true ? 'any' : 'required'
    const { tap } = options
    const logKeys = tap?.keys !== undefined
    const engine = await clientEngine({ role: 'client', settings, tls, peerCertificate, newMtuSearch, logKeys }, debug)
    const socket = tapped(await connectSocket(options.remote, { debug }), tap)
    const openSocket = async (remote: SocketAddress, local?: string): Promise<PacketSocket> =>
      tapped(await connectSocket(remote, { debug, local }), tap)
    return closingOnFailure(socket, () =>
      new QuicDriver({ ...options, engine, io: NODE_IO, sockets: [socket], openSocket }).connect(options),
    )
  }

  private constructor(driver: QuicDriver, socket: PacketSocket) {
    this.#driver = driver
    this.#socket = socket
  }

  get local(): SocketAddress {
    return this.#socket.local
  }

  get counters(): EndpointCounters {
    return this.#driver.counters
  }

  /** UDP packets that the system did not take, by reason: see udp/unsent.ts. */
  get unsent(): Readonly<Record<string, number>> {
    return this.#socket.unsent
  }

  get connections(): Iterable<QuicConnection> {
    return this.#driver.table.all
  }

  /** Closes every connection (without an error unless said otherwise), then the socket. Idempotent. */
  close(code?: number, reason?: string): Promise<void> {
    return this.#driver.close(code, reason)
  }
}

/** Those of clients, by the material that they were made with. */
const clientEngines = new WeakMap<TlsMaterial, { readonly options: EngineOptions; readonly engine: QuicEngine }>()

/**
 * Attempts of one client, such as knocks (../client/dial.ts), share an engine: to make one for each takes a multiple of a ClientHello's time, and 18 ms of CPU time on quiche where all
 * authorities are trusted that Node knows.
 */
async function clientEngine(options: EngineOptions, debug: EndpointOptions['debug']): Promise<QuicEngine> {
  const made = clientEngines.get(options.tls)
  if (made !== undefined && isSame(made.options, options)) return made.engine
  const engine = await makeEngine(options, debug)
  clientEngines.set(options.tls, { options, engine })
  return engine
}

function isSame(a: EngineOptions, b: EngineOptions): boolean {
  return Object.entries(a).every(([name, value]) => b[name as keyof EngineOptions] === value)
}

async function makeEngine(options: EngineOptions, debug: EndpointOptions['debug']): Promise<QuicEngine> {
  const { name, why, how, make } = await chooseEngine(options.settings.engine)
  debug?.(`the QUIC engine is ${name}: ${why}${how === undefined ? '' : `; ${how}`}`)
  return make(options)
}

function tapped(socket: PacketSocket, tap: UdpTap | undefined): PacketSocket {
  return tap?.sent === undefined && tap?.received === undefined ? socket : new TappedSocket(socket, tap)
}

function closingOnFailure<T>(socket: PacketSocket, step: () => T): T {
  try {
    return step()
  } catch (error) {
    void socket.close()
    throw error
  }
}
