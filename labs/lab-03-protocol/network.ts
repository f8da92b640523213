/**
 * What tasks 10 and 11 run on: a real proxy on loopback, and a QUIC connection of which only the bytes are looked at.
 *
 *     check ===== QUIC ===== proxy -------- library
 *             10.x.y.z                      10.x.200.7
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { makeTestCertificates, type TestCertificates } from '../../src/cert/make-certificates.ts'
import { errorName } from '../../src/http3/error-codes.ts'
import { IpAddress } from '../../src/ip/address.ts'
import { IpPrefix } from '../../src/ip/prefix.ts'
import { QuicEndpoint } from '../../src/quic/endpoint.ts'
import {
  DEFAULT_QUIC_SETTINGS,
  type QuicCloseReason,
  type QuicConnection,
  type QuicHandler,
} from '../../src/quic/quic.ts'
import { startTestProxy } from '../../src/testbed/proxy-and-client.ts'
import type { Seeded } from '../kit/check/seeded.ts'
import type { CheckContext } from '../kit/lab/types.ts'

/** The name in the certificate; the authority of the request. */
export const AUTHORITY = 'localhost'
export const PATH = '/.well-known/masque/ip/*/*/'

export interface Network {
  host: string
  port: number
  certificates: TestCertificates
  pool: IpPrefix
  library: IpAddress
}

/** Starts a proxy with a pool of its own, and a host behind it. Both are closed when the check ends. */
export async function startNetwork(context: Pick<CheckContext, 'scratch' | 'defer'>, random: Seeded): Promise<Network> {
  const net = random.int(1, 250)
  const pool = IpPrefix.parse(`10.${net}.${random.int(0, 199)}.0/24`)
  const library = IpAddress.parse(`10.${net}.200.${random.int(1, 254)}`)
  const certificates = await makeTestCertificates(join(await context.scratch(), 'cert'), { clientNames: [] })
  const server = await startTestProxy(certificates, {
    pool: { ipv4: pool },
    hosts: [{ name: 'library', ipv4: library }],
    tunnel: { clientToClient: true },
  })
  context.defer(() => server.close())
  return { ...server.address, certificates, pool, library }
}

export type WireEvent =
  | { type: 'stream'; streamId: number; data: Uint8Array; fin: boolean }
  | { type: 'datagram'; data: Uint8Array }
  /** The peer has given up on the stream, or on the whole connection. */
  | { type: 'ended'; what: string; code: number }

/** A QUIC connection whose events wait until they are asked for. */
export class Wire implements QuicHandler {
  readonly #arrived: WireEvent[] = []
  #wake: () => void = () => {}
  #quic!: QuicConnection
  #established = false
  #closed = false

  /** Resolves when the handshake is over. */
  static async connect(
    network: Pick<Network, 'host' | 'port' | 'certificates'>,
    options: { keyLog?: string; signal: AbortSignal; timeoutMs?: number },
  ): Promise<Wire> {
    const wire = new Wire()
    const { host, port, certificates } = network
    wire.#quic = await QuicEndpoint.connect({
      remote: { host, port },
      serverName: AUTHORITY,
      tls: { ca: readFileSync(certificates.ca) },
      settings: { ...DEFAULT_QUIC_SETTINGS, ...(options.keyLog ? { keyLog: options.keyLog } : {}) },
    })
    wire.#quic.handler = wire
    options.signal.addEventListener('abort', () => wire.close(0x100), { once: true })
    const deadline = performance.now() + (options.timeoutMs ?? 10_000)
    while (!wire.#established) {
      if (wire.#closed) throw new Error('the proxy refused the QUIC connection')
      await wire.#sleep(deadline)
    }
    return wire
  }

  /** The next event; undefined when there is none until the time is up. */
  async next(timeoutMs: number): Promise<WireEvent | undefined> {
    const deadline = performance.now() + timeoutMs
    while (this.#arrived.length === 0 && performance.now() < deadline) await this.#sleep(deadline)
    return this.#arrived.shift()
  }

  sendStream(streamId: number, data: Uint8Array, fin = false): void {
    this.#quic.streamSend(streamId, data, fin)
  }

  sendDatagram(data: Uint8Array): void {
    this.#quic.sendDatagram(data)
  }

  /** With an application error code. Resolves when the connection is gone. */
  close(code: number): void {
    if (!this.#closed) this.#quic.close(code, '')
  }

  async closed(timeoutMs = 2000): Promise<void> {
    const deadline = performance.now() + timeoutMs
    while (!this.#closed && performance.now() < deadline) await this.#sleep(deadline)
  }

  onEstablished(): void {
    this.#established = true
    this.#wake()
  }

  onStreamData(streamId: number, data: Uint8Array, fin: boolean): void {
    this.#push({ type: 'stream', streamId, data: data.slice(), fin })
  }

  onMaxDatagramLength(): void {}

  onDatagram(data: Uint8Array): void {
    this.#push({ type: 'datagram', data: data.slice() })
  }

  onStreamReset(streamId: number, code: number): void {
    this.#push({ type: 'ended', what: `reset stream ${streamId} with ${errorName(code)}`, code })
  }

  onStopSending(streamId: number, code: number): void {
    this.#push({ type: 'ended', what: `refused to read stream ${streamId}, with ${errorName(code)}`, code })
  }

  onStreamDrained(): void {}

  onClosed(reason: QuicCloseReason): void {
    this.#closed = true
    const text = reason.reason === '' ? '' : ` ("${reason.reason}")`
    const name = reason.application ? errorName(reason.code) : `QUIC error 0x${reason.code.toString(16)}`
    this.#push({ type: 'ended', what: `closed the connection with ${name}${text}`, code: reason.code })
  }

  #push(event: WireEvent): void {
    this.#arrived.push(event)
    this.#wake()
  }

  async #sleep(deadline: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined
    await new Promise<void>(resolve => {
      this.#wake = resolve
      timer = setTimeout(resolve, Math.max(1, deadline - performance.now()))
    })
    clearTimeout(timer)
  }
}
