/**
 * `bench handshake`: time until QUIC is up, and from there until the tunnel has its addresses and routes.
 *
 * A proxy in a process of its own on loopback; one client after the other, each a full handshake without resumption.
 */

import type { TestCertificates } from '../src/cert/make-certificates.ts'
import { MasqueClient } from '../src/client/client.ts'
import { defaultClientConfig } from '../src/client/config.ts'
import { defaultTemplate } from '../src/connect-ip/uri-template.ts'
import { createLogger } from '../src/log/logger.ts'
import { percentile } from '../src/stats/statistics.ts'
import { type PeerOrder, startPeer } from './child.ts'

/** The first handshakes of a process measure V8's compiler: they are made, and reported as `cold`, but not counted. */
const WARM_UP = 500

export interface Percentiles {
  p50: number
  p95: number
  p99: number
}

export interface HandshakeBenchResult {
  runs: number
  /** ms. */
  quic: Percentiles
  /** ms, in addition to `quic`. */
  session: Percentiles
  /** The very first connection of both processes, ms. */
  cold: { quic: number; session: number }
}

export async function benchHandshake(options: {
  certificates: TestCertificates
  runs: number
  onProgress?: (done: number) => unknown
}): Promise<HandshakeBenchResult> {
  const order: PeerOrder = {
    kind: 'tunnel',
    role: 'receiver',
    certificates: options.certificates,
    datagramLength: 1200,
    maxUdpPayload: 1400,
    datagramQueue: 512,
    congestionControl: 'cubic',
    encapsulation: 'datagram',
    reportMs: 60_000,
  }
  const quic: number[] = []
  const session: number[] = []
  let cold: HandshakeBenchResult['cold'] | undefined
  const logger = createLogger({ level: 'error' })
  let child: ReturnType<typeof startPeer> | undefined
  try {
    const port = await new Promise<number>((resolve, reject) => {
      child = startPeer(order, message => {
        if (message.type === 'listening') resolve(message.port)
      })
      child.once('exit', code => reject(new Error(`the proxy ended early with status ${code}`)))
    })
    for (let run = -WARM_UP; run < options.runs; run++) {
      const client = new MasqueClient(
        defaultClientConfig({
          proxy: { template: defaultTemplate('localhost', port) },
          tls: { ca: options.certificates.ca },
          reconnect: { enabled: false },
        }),
        { logger },
      )
      const info = await client.connect()
      cold ??= { quic: info.handshakeMs, session: info.sessionMs }
      if (run >= 0) {
        quic.push(info.handshakeMs)
        session.push(info.sessionMs)
        options.onProgress?.(run + 1)
      }
      await client.close()
    }
  } finally {
    child?.removeAllListeners('exit')
    child?.kill()
  }
  return {
    runs: options.runs,
    quic: percentiles(quic),
    session: percentiles(session),
    cold: cold ?? { quic: Number.NaN, session: Number.NaN },
  }
}

function percentiles(values: number[]): Percentiles {
  const sorted = values.toSorted((a, b) => a - b)
  return { p50: percentile(sorted, 0.5), p95: percentile(sorted, 0.95), p99: percentile(sorted, 0.99) }
}
