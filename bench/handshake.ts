/**
 * `bench handshake`: time until QUIC is up, and from there until the tunnel has its addresses and routes.
 *
 * A proxy in a process of its own on loopback; one client after the other, each a full handshake without resumption.
 */

import type { TestCertificates } from '../src/cert/make-certificates.ts'
import { ascending, percentile } from '../src/stats/statistics.ts'
import { newTestClient } from '../src/testbed/proxy-and-client.ts'
import { newPeer, proxyOrder } from './child.ts'

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
  const quic: number[] = []
  const session: number[] = []
  let cold: HandshakeBenchResult['cold'] | undefined
  const { certificates } = options
  const proxy = newPeer(proxyOrder(certificates))
  try {
    const port = await proxy.start(proxyOrder(certificates))
    for (let run = -WARM_UP; run < options.runs; run++) {
      const client = newTestClient(certificates, { host: '127.0.0.1', port })
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
    await proxy.close()
  }
  return {
    runs: options.runs,
    quic: percentiles(quic),
    session: percentiles(session),
    cold: cold ?? { quic: Number.NaN, session: Number.NaN },
  }
}

function percentiles(values: number[]): Percentiles {
  const sorted = ascending(values)
  return { p50: percentile(sorted, 0.5), p95: percentile(sorted, 0.95), p99: percentile(sorted, 0.99) }
}
