/**
 * `bench scrape`: what it costs the proxy that somebody reads /metrics while many clients are there, and what one tunnel notices of a scrape a second.
 *
 * Four processes on loopback: the proxy; clients that are idle; one client that sends as fast as it can; and this one, which scrapes. The cost is CPU time
 * of the proxy, which a machine that is busy with something else does not distort as it does the time on the clock.
 */

import { setTimeout as sleep } from 'node:timers/promises'
import type { TestCertificates } from '../src/cert/make-certificates.ts'
import { Random } from '../src/link/model/random.ts'
import { Child } from '../src/process/child.ts'
import { bootstrap, type Estimate } from '../src/stats/bootstrap.ts'
import { ascending, median, percentile } from '../src/stats/statistics.ts'
import { newFleet, newPeer, proxyOrder } from './child.ts'
import type { ScrapeProxyOrders, ScrapeProxyReport } from './scrape-proxy.ts'

/** V8 compiles what a scrape runs. */
const WARM_UP_SCRAPES = 30
const SCRAPES = 50
const IDLE_MS = 2_000
const WARM_UP_MS = 3_000
/** As often as somebody who is in a hurry scrapes. */
const BLOCK_MS = 1_000
const CONFIDENCE = 0.95

export interface ScrapeBenchOptions {
  certificates: TestCertificates
  clients: number
  /** Of a second with a scrape and one without. */
  pairs: number
  onProgress?: (text: string) => void
}

export interface ScrapeBenchResult {
  clients: number
  /** Of the proxy for one scrape, in ms of CPU time, beyond what it needs anyway. */
  cpuMs: number
  /** From the request to the whole answer, in ms. */
  wallMs: { p50: number; p99: number }
  bytes: number
  lines: number
  /** Packets that arrive in a second with a scrape, against one without: the median of the pairs. */
  throughput: Estimate
  /** The same for packets in a CPU second of the proxy. */
  perCpuSecond: Estimate
  /** Packets a second without. */
  pps: number
}

export async function benchScrape(options: ScrapeBenchOptions): Promise<ScrapeBenchResult> {
  const { certificates, clients, pairs, onProgress = () => {} } = options
  const proxy = new Child<ScrapeProxyOrders>(new URL('./scrape-proxy.ts', import.meta.url), { name: 'the proxy' })
  const fleet = newFleet()
  const sender = newPeer({ kind: 'tunnel', role: 'sender' })
  try {
    const { port, api } = await proxy.ask('start', certificates)
    await fleet.ask('connect', { certificates, port, count: clients - 1 })
    onProgress(`${clients - 1} clients are there`)
    const alone = await measureScrapes(proxy, `${api}/metrics`)
    onProgress(`a scrape takes ${alone.cpuMs.toFixed(1)} ms of CPU time`)

    await sender.start({ ...proxyOrder(certificates), role: 'sender', port })
    await sleep(WARM_UP_MS)
    const blocks: { with: Block; without: Block }[] = []
    for (let pair = 0; pair < pairs; pair++) {
      // Who goes first alternates, so that a machine that warms up or slows down favours none.
      const first = await measureBlock(proxy, pair % 2 === 0 ? `${api}/metrics` : undefined)
      const second = await measureBlock(proxy, pair % 2 === 0 ? undefined : `${api}/metrics`)
      blocks.push(pair % 2 === 0 ? { with: first, without: second } : { with: second, without: first })
      onProgress(`pair ${pair + 1} of ${pairs}: ${Math.round(second.pps)} packets/s`)
    }
    return { clients, ...alone, ...compareBlocks(blocks) }
  } finally {
    await sender.close()
    await fleet.ask('leave').catch(() => {})
    await fleet.close()
    await proxy.close()
  }
}

async function measureScrapes(proxy: Child<ScrapeProxyOrders>, url: string) {
  for (let n = 0; n < WARM_UP_SCRAPES; n++) await scrape(url)
  const idle = await spent(proxy, () => sleep(IDLE_MS))
  const times: number[] = []
  let text = ''
  const busy = await spent(proxy, async () => {
    for (let n = 0; n < SCRAPES; n++) {
      const began = performance.now()
      text = await scrape(url)
      times.push(performance.now() - began)
    }
  })
  const sorted = ascending(times)
  // What idle clients cost meanwhile is not the scrapes' doing.
  const anyway = (idle.cpuMs / idle.ms) * busy.ms
  return {
    cpuMs: (busy.cpuMs - anyway) / SCRAPES,
    wallMs: { p50: percentile(sorted, 0.5), p99: percentile(sorted, 0.99) },
    bytes: text.length,
    lines: text.split('\n').filter(line => line !== '' && !line.startsWith('#')).length,
  }
}

async function spent(proxy: Child<ScrapeProxyOrders>, step: () => Promise<unknown>) {
  const from = await proxy.ask('counters')
  await step()
  const to = await proxy.ask('counters')
  return { cpuMs: (to.cpuUs - from.cpuUs) / 1000, ms: to.atMs - from.atMs }
}

async function scrape(url: string): Promise<string> {
  const answer = await fetch(url)
  if (!answer.ok) throw new Error(`${url}: ${answer.status}; expected the metrics`)
  return answer.text()
}

export interface Block {
  pps: number
  /** Packets in a CPU second of the proxy. */
  perCpuSecond: number
}

async function measureBlock(proxy: Child<ScrapeProxyOrders>, url: string | undefined): Promise<Block> {
  const from = await proxy.ask('counters')
  const [bytes] = await Promise.all([url === undefined ? '' : scrape(url), sleep(BLOCK_MS)])
  if (url !== undefined && bytes.length === 0) throw new Error(`${url}: nothing; expected the metrics`)
  return blockOf(from, await proxy.ask('counters'))
}

export function blockOf(from: ScrapeProxyReport, to: ScrapeProxyReport): Block {
  const packets = to.received - from.received
  return { pps: packets / ((to.atMs - from.atMs) / 1000), perCpuSecond: packets / ((to.cpuUs - from.cpuUs) / 1e6) }
}

export function compareBlocks(
  blocks: readonly { with: Block; without: Block }[],
): Pick<ScrapeBenchResult, 'throughput' | 'perCpuSecond' | 'pps'> {
  const ratioOf = (value: (block: Block) => number): Estimate =>
    bootstrap(
      blocks.map(pair => value(pair.with) / value(pair.without)),
      sample => median([...sample]),
      CONFIDENCE,
      new Random('scrape'),
    )
  return {
    throughput: ratioOf(({ pps }) => pps),
    perCpuSecond: ratioOf(({ perCpuSecond }) => perCpuSecond),
    pps: median(blocks.map(({ without }) => without.pps)),
  }
}
