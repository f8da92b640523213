import { type ConnectOptions, type ListenOptions, QuicEndpoint } from '../../src/quic/endpoint.ts'
import {
  DEFAULT_QUIC_SETTINGS,
  type QuicCloseReason,
  type QuicConnection,
  type QuicHandler,
  type QuicSettings,
} from '../../src/quic/quic.ts'
import { clientTls, serverTls } from './certificates.ts'

/** A handler that writes down all that happens, and lets a test wait for it. */
export class Recorder implements QuicHandler {
  readonly streams = new Map<number, { bytes: Uint8Array; fin: boolean }>()
  readonly resets = new Map<number, number>()
  readonly stopped = new Map<number, number>()
  readonly datagrams: Uint8Array[] = []
  readonly drained: number[] = []
  established = false
  closed: QuicCloseReason | undefined
  onDatagramArrived: ((data: Uint8Array) => void) | undefined
  /** Makes the connection search for the path's MTU, on streams that the other end has to ignore. */
  openProbeStream: (() => number) | undefined
  /** As that, on a stream that is open already. */
  ignoredBytes: QuicHandler['ignoredBytes']
  onData: ((streamId: number, data: Uint8Array, fin: boolean) => void) | undefined
  #waiting: { condition: () => unknown; resolve: () => void }[] = []

  onEstablished(): void {
    this.established = true
    this.#check()
  }
  onStreamData(streamId: number, data: Uint8Array, fin: boolean): void {
    const before = this.streams.get(streamId)?.bytes ?? new Uint8Array(0)
    this.streams.set(streamId, { bytes: Buffer.concat([before, data]), fin })
    this.onData?.(streamId, data, fin)
    this.#check()
  }
  onStreamReset(streamId: number, code: number): void {
    this.resets.set(streamId, code)
    this.#check()
  }
  onStopSending(streamId: number, code: number): void {
    this.stopped.set(streamId, code)
    this.#check()
  }
  onStreamDrained(streamId: number): void {
    this.drained.push(streamId)
    this.#check()
  }
  onDatagram(data: Uint8Array): void {
    const copy = Uint8Array.from(data)
    this.datagrams.push(copy)
    this.onDatagramArrived?.(copy)
    this.#check()
  }
  onMaxDatagramLength(): void {
    this.#check()
  }
  onClosed(reason: QuicCloseReason): void {
    this.closed = reason
    this.#check()
  }

  /** Resolves when the condition holds after some event. The test's own time limit is the only one. */
  until(condition: () => unknown): Promise<void> {
    if (condition()) return Promise.resolve()
    return new Promise(resolve => this.#waiting.push({ condition, resolve }))
  }

  #check(): void {
    this.#waiting = this.#waiting.filter(({ condition, resolve }) => {
      if (!condition()) return true
      resolve()
      return false
    })
  }
}

const opened: QuicEndpoint[] = []

/** Closes all endpoints that `listen` opened. Call it in `afterEach`. */
export async function closeAll(): Promise<void> {
  await Promise.all(opened.splice(0).map(endpoint => endpoint.close()))
}

export interface Listening {
  endpoint: QuicEndpoint
  /** One entry a connection, in the order in which they came. */
  accepted: { connection: QuicConnection; recorder: Recorder }[]
  errors: unknown[]
}

export async function listen(
  options: Partial<Omit<ListenOptions, 'settings'>> & { settings?: Partial<QuicSettings> } = {},
): Promise<Listening> {
  const accepted: Listening['accepted'] = []
  const errors: unknown[] = []
  const endpoint = await QuicEndpoint.listen({
    host: '127.0.0.1',
    port: 0,
    tls: await serverTls(),
    clientCertificate: 'none',
    retry: 'never',
    maxConnections: 100,
    maxConnectionsPerAddress: 100,
    onConnection: connection => {
      const recorder = new Recorder()
      accepted.push({ connection, recorder })
      return recorder
    },
    onError: error => errors.push(error),
    ...options,
    settings: { ...DEFAULT_QUIC_SETTINGS, ...options.settings },
  })
  opened.push(endpoint)
  return { endpoint, accepted, errors }
}

export async function connect(
  to: Listening,
  options: Partial<Omit<ConnectOptions, 'settings'>> & { settings?: Partial<QuicSettings> } = {},
): Promise<{ connection: QuicConnection; recorder: Recorder }> {
  const recorder = new Recorder()
  const connection = await QuicEndpoint.connect({
    remote: to.endpoint.local,
    serverName: 'localhost',
    tls: await clientTls(),
    ...options,
    settings: { ...DEFAULT_QUIC_SETTINGS, ...options.settings },
  })
  connection.handler = recorder
  return { connection, recorder }
}

interface Peer {
  connection: QuicConnection
  recorder: Recorder
}

/** A datagram there, and one back. They are sent again while they do not arrive, as datagrams may be lost. */
export async function exchange(one: Peer, other: Peer): Promise<void> {
  await carry(one, other)
  await carry(other, one)
}

async function carry(from: Peer, to: Peer): Promise<void> {
  const before = to.recorder.datagrams.length
  await insist(
    () => from.connection.sendDatagram(Uint8Array.of(1)),
    to.recorder.until(() => to.recorder.datagrams.length > before),
  )
}

/** Sends datagrams, again and again until they have arrived: on a machine that is busy they may be lost, and nobody else sends them again. */
export async function insist(send: () => unknown, arrived: Promise<unknown>): Promise<void> {
  send()
  const again = setInterval(send, 200)
  await arrived.finally(() => clearInterval(again))
}
