/**
 * One proxy with many clients, and one more client that does nothing but ping: the victim. Three processes on loopback: the proxy, so that
 * its memory can be told from the clients'; the clients; and this one, with the victim.
 */

import { setTimeout as sleep } from 'node:timers/promises'
import type { TestCertificates } from '../src/cert/make-certificates.ts'
import { ascending, percentile } from '../src/stats/statistics.ts'
import { newTestClient } from '../src/testbed/proxy-and-client.ts'
import { newFleet, newPeer, proxyOrder } from './child.ts'
import type { PeerReport } from './peer.ts'
import { SINK } from './tunnel-peer.ts'

/** From the first packets on: V8 compiles, congestion windows grow. */
const WARM_UP_MS = 2_000
/** Memory is looked at when the clients have been still for so long. */
const IDLE_MS = 1_500
const VICTIM_INTERVAL_MS = 20
const VICTIM_TIMEOUT_MS = 5_000

export interface LoadOptions {
  certificates: TestCertificates
  clients: number
  /** For how long they send as fast as they can, each. */
  seconds: number
  /** Pings of each client, before that. */
  pingsEach: number
  intervalMs: number
}

export interface Pings {
  sent: number
  lost: number
  /** ms; NaN when none was answered. */
  p50Ms: number
  p99Ms: number
}

export interface LoadResult {
  clients: number
  /** Of them at the end. */
  connected: number
  /** From the first to the last client's addresses, ms. */
  acceptMs: number
  /** The clients' own, one after the other, while nothing else happens. */
  pings: Pings
  /** Of the proxy: resident with all tunnels up and idle, and the most that was seen. */
  idleRssBytes: number
  /** … on the heap and in buffers then, without garbage. */
  idleHeldBytes: number
  peakRssBytes: number
  /** While all clients send: packets that reached the host behind the proxy, a second, in all. */
  pps: number
  /** CPU seconds a second meanwhile. */
  cpu: { proxy: number; clients: number }
  /** One ping every 20 ms of a client that sends nothing else, meanwhile. */
  victim: Pings
}

export async function measureLoad(options: LoadOptions): Promise<LoadResult> {
  const { certificates, seconds } = options
  const proxy = newPeer({ kind: 'tunnel', role: 'receiver' })
  const fleet = newFleet()
  let victim: ReturnType<typeof newTestClient> | undefined
  try {
    const port = await proxy.start(proxyOrder(certificates))
    const acceptMs = await fleet.ask('connect', { certificates, port, count: options.clients })
    victim = newTestClient(certificates, { host: '127.0.0.1', port })
    await victim.connect()
    await sleep(IDLE_MS)
    const { rssBytes: idleRssBytes } = await proxy.counters()
    const idleHeldBytes = await proxy.held()
    const { sent, rtts } = await fleet.ask('ping', { count: options.pingsEach, intervalMs: options.intervalMs })

    await fleet.ask('flood', true)
    await sleep(WARM_UP_MS)
    const from = { proxy: await proxy.counters(), clients: await fleet.ask('counters') }
    const victimPings = await pingFor(victim, seconds * 1000)
    const to = { proxy: await proxy.counters(), clients: await fleet.ask('counters') }
    await fleet.ask('flood', false)
    const elapsedUs = (to.proxy.atMs - from.proxy.atMs) * 1000
    return {
      clients: options.clients,
      connected: to.clients.connected,
      acceptMs,
      pings: summary(sent, rtts),
      idleRssBytes,
      idleHeldBytes,
      peakRssBytes: Math.max(idleRssBytes, from.proxy.rssBytes, to.proxy.rssBytes),
      pps: packetsPerSecond(from.proxy, to.proxy),
      cpu: {
        proxy: (to.proxy.cpuUs - from.proxy.cpuUs) / elapsedUs,
        clients: (to.clients.cpuUs - from.clients.cpuUs) / elapsedUs,
      },
      victim: victimPings,
    }
  } finally {
    await victim?.close()
    await fleet.ask('leave').catch(() => {})
    await fleet.close()
    await proxy.close()
  }
}

/** At a steady pace, whether or not the answers come: a slow answer must not make the victim ask less often. */
export async function pingFor(client: ReturnType<typeof newTestClient>, forMs: number): Promise<Pings> {
  const rtts: number[] = []
  const waiting: Promise<unknown>[] = []
  const beganMs = performance.now()
  while (waiting.length * VICTIM_INTERVAL_MS < forMs) {
    const ping = client.ping(String(SINK), { timeoutMs: VICTIM_TIMEOUT_MS }).then(reply => rtts.push(reply.rttMs))
    waiting.push(ping.catch(() => {}))
    await sleep(Math.max(0, beganMs + waiting.length * VICTIM_INTERVAL_MS - performance.now()))
  }
  await Promise.all(waiting)
  return summary(waiting.length, rtts)
}

export function summary(sent: number, rtts: number[]): Pings {
  const sorted = ascending(rtts)
  const at = (fraction: number) => (sorted.length === 0 ? Number.NaN : percentile(sorted, fraction))
  return { sent, lost: sent - rtts.length, p50Ms: at(0.5), p99Ms: at(0.99) }
}

function packetsPerSecond(from: PeerReport, to: PeerReport): number {
  return (to.received - from.received) / ((to.atMs - from.atMs) / 1000)
}
