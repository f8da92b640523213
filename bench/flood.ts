/**
 * `bench flood`: what an open tunnel notices of Initials that flood its proxy, each valid, from many addresses and ports, none of them followed by anything. Three processes on
 * loopback: the proxy; who floods; and this one, whose client pings all the time: as long without the flood as with it.
 */

import type { TestCertificates } from '../src/cert/make-certificates.ts'
import { Child } from '../src/process/child.ts'
import type { QuicSettings } from '../src/quic/quic.ts'
import { newTestClient } from '../src/testbed/proxy-and-client.ts'
import type { FloodProxyOrders } from './flood-proxy.ts'
import type { FloodSenderOrders } from './flood-sender.ts'
import { type Pings, pingFor } from './load.ts'

/** V8 compiles what pings need. */
const WARM_UP_MS = 2_000

export interface FloodOptions {
  certificates: TestCertificates
  engine: QuicSettings['engine']
  seconds: number
  /** Initials. */
  perSecond: number
}

export interface FloodResult {
  engine: QuicSettings['engine']
  seconds: number
  /** One every 20 ms. */
  quiet: Pings
  flooded: Pings
  /** Initials a second that were really sent. */
  perSecond: number
  /** Of them: handshakes that were begun, and those that were asked to come again with a token (Retry). */
  accepted: number
  retried: number
  /** CPU seconds of the proxy a second. */
  cpu: { quiet: number; flooded: number }
  /** The longest time for which the proxy has done nothing but one thing after the other, in ms of its CPU time: on a machine with nothing else to do a ping waits so long at most. */
  longestMs: { quiet: number; flooded: number }
}

export async function benchFlood({ certificates, engine, seconds, perSecond }: FloodOptions): Promise<FloodResult> {
  const proxy = new Child<FloodProxyOrders>(new URL('./flood-proxy.ts', import.meta.url), { name: 'the proxy' })
  const sender = new Child<FloodSenderOrders>(new URL('./flood-sender.ts', import.meta.url), { name: 'who floods' })
  let client: ReturnType<typeof newTestClient> | undefined
  try {
    const port = await proxy.ask('start', { certificates, engine })
    await sender.ask('prepare', { packets: Math.round(seconds * perSecond) })
    client = newTestClient(certificates, { host: '127.0.0.1', port }, { quic: { engine } })
    await client.connect()
    await pingFor(client, WARM_UP_MS)
    const before = await proxy.ask('counters')
    const quiet = await pingFor(client, seconds * 1000)
    const between = await proxy.ask('counters')
    const flood = sender.ask('flood', { port, perSecond })
    // Whoever fails is heard when it is waited for.
    flood.catch(() => {})
    const flooded = await pingFor(client, seconds * 1000)
    const after = await proxy.ask('counters')
    const cpuOf = (from: typeof before, to: typeof before) => (to.cpuUs - from.cpuUs) / 1000 / (to.atMs - from.atMs)
    const sent = await flood
    return {
      engine,
      seconds,
      quiet,
      flooded,
      perSecond: sent,
      accepted: after.accepted - between.accepted,
      retried: after.retried - between.retried,
      cpu: { quiet: cpuOf(before, between), flooded: cpuOf(between, after) },
      longestMs: { quiet: between.longestMs, flooded: after.longestMs },
    }
  } finally {
    await client?.close()
    await sender.close()
    await proxy.close()
  }
}
