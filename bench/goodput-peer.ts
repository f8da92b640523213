/** One end of a bulk transfer of `bench goodput`: a server that sends without an end, and a client that counts what comes. QUIC alone, nothing above it. */

import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import type { TestCertificates } from '../src/cert/make-certificates.ts'
import { serveParent } from '../src/process/serve-parent.ts'
import { QuicEndpoint } from '../src/quic/endpoint.ts'
import type { QuicConnection, QuicHandler } from '../src/quic/quic.ts'
import { settingsFor } from './goodput-settings.ts'

const BLOCK = new Uint8Array(64 << 10)
const START = new Uint8Array(1)
const STREAM = 0

export interface GoodputServerOrder {
  engine: 'typescript' | 'quiche'
  certificates: TestCertificates
}

export interface GoodputCount {
  bytes: number
  ms: number
}

class Handler implements QuicHandler {
  onEstablished(): void {}
  onStreamData(_streamId: number, _data: Uint8Array, _fin: boolean): void {}
  onStreamReset(): void {}
  onStopSending(): void {}
  onStreamDrained(_streamId: number): void {}
  onDatagram(): void {}
  onMaxDatagramLength(): void {}
  onClosed(_reason: unknown): void {}
}

class Source extends Handler {
  readonly #connection: QuicConnection

  constructor(connection: QuicConnection) {
    super()
    this.#connection = connection
  }

  override onStreamData(streamId: number): void {
    this.onStreamDrained(streamId)
  }

  /** Until the engine takes no more: then it is called again. */
  override onStreamDrained(streamId: number): void {
    const connection = this.#connection
    while (!connection.closed && connection.streamBuffered(streamId) === 0)
      connection.streamSend(streamId, BLOCK, false)
  }
}

class Sink extends Handler {
  bytes = 0
  readonly established: Promise<void>
  #resolve!: () => void
  #reject!: (error: Error) => void

  constructor() {
    super()
    this.established = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
  }

  override onEstablished(): void {
    this.#resolve()
  }

  override onStreamData(_streamId: number, data: Uint8Array): void {
    this.bytes += data.length
  }

  override onClosed(reason: unknown): void {
    this.#reject(new Error(`the connection has ended: ${JSON.stringify(reason)}`))
  }
}

const orders = {
  /** The port on which it listens. */
  async serve({ engine, certificates }: GoodputServerOrder): Promise<number> {
    const endpoint = await QuicEndpoint.listen({
      host: '127.0.0.1',
      port: 0,
      settings: settingsFor(engine),
      tls: { certificateChain: readFileSync(certificates.server), key: readFileSync(certificates.serverKey) },
      clientCertificate: 'none',
      retry: 'never',
      maxConnections: 10,
      maxConnectionsPerAddress: 10,
      onConnection: connection => new Source(connection),
    })
    return endpoint.local.port
  },

  /** From a server at this port, by the engine in TypeScript. */
  async receive(order: { port: number; ca: string; warmUpMs: number; ms: number }): Promise<GoodputCount> {
    const connection = await QuicEndpoint.connect({
      remote: { host: '127.0.0.1', port: order.port },
      serverName: 'localhost',
      settings: settingsFor('typescript'),
      tls: { ca: readFileSync(order.ca) },
    })
    const sink = new Sink()
    connection.handler = sink
    await sink.established
    connection.streamSend(STREAM, START, false)
    await sleep(order.warmUpMs)
    const from = { bytes: sink.bytes, at: performance.now() }
    await sleep(order.ms)
    const count = { bytes: sink.bytes - from.bytes, ms: performance.now() - from.at }
    connection.close(0, '')
    return count
  },

  /** CPU time of this process since it began, in ms. */
  cpuMs(): number {
    const { user, system } = process.cpuUsage()
    return (user + system) / 1000
  },
}
export type GoodputOrders = typeof orders

serveParent(orders)
