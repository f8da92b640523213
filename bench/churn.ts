/**
 * `bench churn`: a soak. Clients come and go all the time, some of them without a word, so that few addresses are used again and again. What
 * the proxy holds may grow while it warms up, in the first half; then no more, and at the end, when all are gone, nothing of them is left.
 */

import { setTimeout as sleep } from 'node:timers/promises'
import { linearRegression } from 'simple-statistics'
import type { TestCertificates } from '../src/cert/make-certificates.ts'
import { Child } from '../src/process/child.ts'
import type { ChurnClientsOrders } from './churn-clients.ts'
import type { ChurnProxyOrders, Held } from './churn-proxy.ts'

/** Clients at a time: of those that leave, and of those that vanish. With the vanished that the proxy still waits for, fewer than there are addresses. */
const LEAVING = 8
const VANISHING = 6
const IDLE_TIMEOUT_MS = 4_000
const SAMPLES = 60

export interface ChurnResult {
  seconds: number
  /** Tunnels that there have been, in all. */
  tunnels: number
  vanished: number
  lostPings: number
  /** What the proxy held before the first client, in the middle, at the end with clients, and when all were gone. */
  before: Held
  middle: Held
  end: Held
  after: Held
  /** In the second half, by the line that fits best: bytes a minute. */
  growth: { heapBytes: number; rssBytes: number }
}

export interface ChurnOptions {
  certificates: TestCertificates
  seconds: number
  onSample?: (held: Held, atSeconds: number) => void
}

export async function benchChurn({ certificates, seconds, onSample }: ChurnOptions): Promise<ChurnResult> {
  const proxy = new Child<ChurnProxyOrders>(new URL('./churn-proxy.ts', import.meta.url), { name: 'the proxy' })
  const leaving = newClients('the clients that leave')
  try {
    const port = await proxy.ask('start', { certificates, idleTimeoutMs: IDLE_TIMEOUT_MS })
    // The clock begins when there can be clients: their process has loaded its code by then.
    await leaving.ask('comeAndGo', { certificates, port, clients: LEAVING, forMs: 0 })
    const before = await proxy.ask('held')
    const began = performance.now()
    const atSeconds = (): number => (performance.now() - began) / 1000
    const leavers = leaving.ask('comeAndGo', { certificates, port, clients: LEAVING, forMs: seconds * 1000 })
    // Whoever fails is heard at the end, when it is waited for.
    leavers.catch(() => {})
    const samples: { at: number; held: Held }[] = []
    let vanished = 0
    const vanishing = (async () => {
      for (; atSeconds() < seconds; vanished += VANISHING) await vanishOnce(certificates, port)
    })()
    vanishing.catch(() => {})
    while (atSeconds() < seconds) {
      await sleep((seconds * 1000) / SAMPLES)
      const held = await proxy.ask('held')
      samples.push({ at: atSeconds(), held })
      onSample?.(held, atSeconds())
    }
    const lostPings = await leavers
    await vanishing
    return {
      seconds,
      vanished,
      lostPings,
      before,
      middle: samples[Math.floor(samples.length / 2)].held,
      end: samples[samples.length - 1].held,
      after: await whenAllAreGone(proxy),
      tunnels: samples[samples.length - 1].held.tunnelsTotal,
      growth: growthOf(samples.slice(Math.floor(samples.length / 2))),
    }
  } finally {
    await leaving.close()
    await proxy.close()
  }
}

function newClients(name: string): Child<ChurnClientsOrders> {
  return new Child<ChurnClientsOrders>(new URL('./churn-clients.ts', import.meta.url), { name })
}

async function vanishOnce(certificates: TestCertificates, port: number): Promise<void> {
  const clients = newClients('the clients that vanish')
  // It kills itself, so there is no answer. One that cannot connect tells so, and lives.
  const failed = await clients.ask('vanish', { certificates, port, clients: VANISHING }).then(
    () => undefined,
    (error: Error) => error,
  )
  await clients.close()
  if (failed !== undefined && !failed.message.includes('SIGKILL')) throw failed
}

/** The vanished are waited for as long as they might come back. */
async function whenAllAreGone(proxy: Child<ChurnProxyOrders>): Promise<Held> {
  for (let wait = 0; ; wait += 250) {
    const held = await proxy.ask('held')
    if (held.connections === 0 || wait > 4 * IDLE_TIMEOUT_MS) return held
    await sleep(250)
  }
}

export function growthOf(samples: readonly { at: number; held: Held }[]): ChurnResult['growth'] {
  const slope = (value: (held: Held) => number): number =>
    linearRegression(samples.map(({ at, held }) => [at / 60, value(held)])).m
  return { heapBytes: slope(({ heapBytes }) => heapBytes), rssBytes: slope(({ rssBytes }) => rssBytes) }
}
