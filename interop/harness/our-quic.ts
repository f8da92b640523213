import { chooseEngine } from '../../src/quic/choose-engine.ts'
import { QuicDriver } from '../../src/quic/driver.ts'
import type { EngineConnection, EngineOptions, QuicEngine } from '../../src/quic/engine.ts'
import {
  DEFAULT_QUIC_SETTINGS,
  type QuicConnection,
  type SocketAddress,
  type TlsMaterial,
} from '../../src/quic/quic.ts'
import { TypescriptConnection } from '../../src/quic/typescript/connection.ts'
import { TypescriptEngine } from '../../src/quic/typescript/engine.ts'
import { NODE_IO } from '../../src/quic/udp/node-io.ts'
import { bindSocket, connectSocket } from '../../src/quic/udp/open-socket.ts'
import type { CipherSuite } from '../../src/tls/tls.ts'
import { Recorder } from '../../test/support/quic-peer.ts'

export type EngineName = 'quiche' | 'typescript'

/** The one that this run is about; run.ts sets it for each. */
export const ourEngine = (): EngineName => (process.env.MASQUE_QUIC === 'quiche' ? 'quiche' : 'typescript')
export const otherEngine = (): EngineName => (ourEngine() === 'quiche' ? 'typescript' : 'quiche')

/** What only the engine in TypeScript can be told. */
export interface OurOptions {
  /** Keys are updated after so many packets. */
  updateAfter?: number
  suites?: readonly CipherSuite[]
}

/** The number of key updates is not to be seen from above. */
class WatchedEngine extends TypescriptEngine {
  readonly #made: TypescriptConnection[] = []

  get keyUpdates(): number {
    return Math.max(0, ...this.#made.map(({ keyUpdates }) => keyUpdates))
  }

  override connect(...options: Parameters<TypescriptEngine['connect']>): EngineConnection {
    return this.#watch(super.connect(...options))
  }

  override accept(...options: Parameters<TypescriptEngine['accept']>): EngineConnection | undefined {
    const connection = super.accept(...options)
    return connection === undefined ? undefined : this.#watch(connection)
  }

  #watch(connection: EngineConnection): EngineConnection {
    if (connection instanceof TypescriptConnection) this.#made.push(connection)
    return connection
  }
}

async function makeEngine(name: EngineName, options: EngineOptions, { updateAfter, suites }: OurOptions) {
  if (name === 'quiche') return (await chooseEngine('quiche')).make(options)
  return new WatchedEngine(options, undefined, updateAfter === undefined ? {} : { updateAfter }, suites)
}

/** Undefined: the engine does not tell. */
const keyUpdatesOf = (engine: QuicEngine): number | undefined =>
  engine instanceof WatchedEngine ? engine.keyUpdates : undefined

const SETTINGS = { ...DEFAULT_QUIC_SETTINGS, alpn: ['echo'] }

/** Counts what comes; a server's sends it back. */
export class Echo extends Recorder {
  connection: QuicConnection | undefined
  isServer = false
  received = 0
  opened = 0
  ended = 0
  /** When the first and the latest data came, in ms. */
  firstAt = 0
  lastAt = 0
  readonly got = new Map<number, Uint8Array[]>()

  override onStreamData(streamId: number, data: Uint8Array, fin: boolean): void {
    this.lastAt = performance.now()
    if (this.received === 0) this.firstAt = this.lastAt
    this.received += data.length
    if (fin) this.ended++
    if (this.isServer) this.connection?.streamSend(streamId, data, fin)
    else {
      const before = this.got.get(streamId) ?? []
      before.push(Uint8Array.from(data))
      this.got.set(streamId, before)
    }
    super.onStreamData(streamId, NOTHING, fin)
  }

  /** What has come, in Mbit/s. */
  get goodput(): number {
    return (this.received * 8) / 1000 / (this.lastAt - this.firstAt)
  }
}

const NOTHING = new Uint8Array(0)

export interface EchoServer {
  readonly address: SocketAddress
  readonly accepted: readonly Echo[]
  readonly errors: readonly unknown[]
  readonly keyUpdates: number | undefined
  close(): Promise<void>
}

/** Sends back what comes on a stream. */
export async function echoServer(
  name: EngineName,
  tls: TlsMaterial,
  options: OurOptions & { retry?: boolean } = {},
): Promise<EchoServer> {
  const accepted: Echo[] = []
  const errors: unknown[] = []
  const engine = await makeEngine(name, { role: 'server', settings: SETTINGS, tls, peerCertificate: 'none' }, options)
  const socket = await bindSocket({ host: '127.0.0.1', port: 0 })
  const driver = new QuicDriver({
    engine,
    settings: SETTINGS,
    io: NODE_IO,
    sockets: [socket],
    accept: {
      retry: options.retry === true ? 'always' : 'never',
      maxConnections: 100,
      maxConnectionsPerAddress: 100,
      onConnection: connection => {
        const echo = new Echo()
        echo.connection = connection
        echo.isServer = true
        accepted.push(echo)
        return echo
      },
    },
    onError: error => errors.push(error),
  })
  return {
    address: socket.local,
    accepted,
    errors,
    get keyUpdates() {
      return keyUpdatesOf(engine)
    },
    close: () => driver.close(),
  }
}

export interface EchoClient {
  readonly connection: QuicConnection
  readonly echo: Echo
  readonly keyUpdates: number | undefined
}

/** Resolves when hands are shaken. */
export async function echoClient(
  name: EngineName,
  remote: SocketAddress,
  ca: Uint8Array,
  options: OurOptions & { ticket?: Uint8Array | undefined } = {},
): Promise<EchoClient> {
  const { ticket } = options
  const parts = { role: 'client', settings: SETTINGS, tls: { ca }, peerCertificate: 'required' } as const
  const engine = await makeEngine(name, parts, options)
  const openSocket = (to: SocketAddress, local?: string) => connectSocket(to, local === undefined ? {} : { local })
  const driver = new QuicDriver({
    engine,
    settings: SETTINGS,
    io: NODE_IO,
    sockets: [await connectSocket(remote)],
    openSocket,
  })
  const connection = driver.connect({
    remote,
    serverName: 'localhost',
    ...(ticket !== undefined && { resumptionTicket: ticket }),
  })
  const echo = new Echo()
  connection.handler = echo
  await echo.until(() => echo.established || echo.closed)
  if (echo.closed !== undefined) throw new Error(`no handshake: ${JSON.stringify(echo.closed)}`)
  return {
    connection,
    echo,
    get keyUpdates() {
      return keyUpdatesOf(engine)
    },
  }
}
