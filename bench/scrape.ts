/**
 * `bench scrape`: what it costs the proxy that somebody reads /metrics, without clients and with many, and what a scrape a second takes from a tunnel beside them. Windows
 * with scrapes, twenty a second, and without take turns; what is missing in one, against the one beside it, is divided by their rate.
 *
 * Four processes on loopback: the proxy; clients that are idle; one client that sends as fast as it can; and this one, which scrapes. The cost is CPU time
 * of the proxy, which a machine that is busy with something else does not distort as it does the time on the clock.
 */

import { setTimeout as sleep } from 'node:timers/promises'
import { mean } from 'simple-statistics'
import type { TestCertificates } from '../src/cert/make-certificates.ts'
import { Random } from '../src/link/model/random.ts'
import { Child } from '../src/process/child.ts'
import { bootstrap, type Estimate } from '../src/stats/bootstrap.ts'
import { ascending, median, percentile } from '../src/stats/statistics.ts'
import { newFleet, newPeer, proxyOrder } from './child.ts'
import type { ScrapeProxyOrders, ScrapeProxyReport } from './scrape-proxy.ts'

/** V8 compiles what a scrape runs. */
const WARM_UP_SCRAPES = 30
const SCRAPES = 100
const IDLE_MS = 2_000
const WARM_UP_MS = 3_000
const BATCH = 5
const BLOCK_MS = 2_000
/** As often as nobody scrapes: what one a second takes from a tunnel is less than seconds differ by among themselves, and twenty times as much is not. */
const A_SECOND = 20
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
  /** Without clients, and with so many. */
  alone: ScrapeCost
  cost: ScrapeCost
  /** What one scrape a second takes of the packets that arrive: the median of the pairs, each divided by the scrapes a second that there were. */
  share: Estimate
  /**
   * CPU time that one takes from a tunnel at work, in ms: the share that is missing of the packets in a CPU second of the proxy, times the CPU seconds that it had
   * in a second. Where the proxy has a core of its own, one a second takes a tenth of that in per cent, however little this machine leaves it.
   */
  besideTunnelMs: Estimate
  /** Scrapes a second that there were; cores that the proxy had meanwhile. */
  rate: number
  cores: number
  /** Packets a second without. */
  pps: number
}

export interface ScrapeCost {
  /** Of the proxy for one scrape, in ms of CPU time, beyond what it needs anyway: the mean over batches. One a second takes a tenth of that, in per cent, of a core. */
  cpuMs: Estimate
  /** From the request to the whole answer, in ms. */
  wallMs: { p50: number; p99: number }
  bytes: number
  lines: number
}

export async function benchScrape(options: ScrapeBenchOptions): Promise<ScrapeBenchResult> {
  const { certificates, clients, pairs, onProgress = () => {} } = options
  const proxy = new Child<ScrapeProxyOrders>(new URL('./scrape-proxy.ts', import.meta.url), { name: 'the proxy' })
  const fleet = newFleet()
  const sender = newPeer({ kind: 'tunnel', role: 'sender' })
  try {
    const { port, api } = await proxy.ask('start', certificates)
    const alone = await measureScrapes(proxy, `${api}/metrics`)
    await fleet.ask('connect', { certificates, port, count: clients - 1 })
    onProgress(`${clients - 1} clients are there`)
    const cost = await measureScrapes(proxy, `${api}/metrics`)
    onProgress(`a scrape takes ${cost.cpuMs.estimate.toFixed(1)} ms of CPU time`)

    await sender.start({ ...proxyOrder(certificates), role: 'sender', port })
    await sleep(WARM_UP_MS)
    const blocks: { with: ScrapedBlock; without: Block }[] = []
    for (let pair = 0; pair < pairs; pair++) {
      // Who goes first alternates, so that a machine that warms up or slows down favours none.
      const first = await measureBlock(proxy, pair % 2 === 0 ? `${api}/metrics` : undefined)
      const second = await measureBlock(proxy, pair % 2 === 0 ? undefined : `${api}/metrics`)
      blocks.push(pair % 2 === 0 ? { with: first, without: second } : { with: second, without: first })
      onProgress(`pair ${pair + 1} of ${pairs}: ${Math.round(second.pps)} packets/s`)
    }
    return { clients, alone, cost, ...sharesOf(blocks) }
  } finally {
    await sender.close()
    await fleet.ask('leave').catch(() => {})
    await fleet.close()
    await proxy.close()
  }
}

async function measureScrapes(proxy: Child<ScrapeProxyOrders>, url: string): Promise<ScrapeCost> {
  for (let n = 0; n < WARM_UP_SCRAPES; n++) await scrape(url)
  const idle = await spent(proxy, () => sleep(IDLE_MS))
  const times: number[] = []
  const costs: number[] = []
  let text = ''
  for (let n = 0; n < SCRAPES; n += BATCH) {
    const { cpuMs, ms } = await spent(proxy, async () => {
      for (let i = 0; i < BATCH; i++) {
        const began = performance.now()
        text = await scrape(url)
        times.push(performance.now() - began)
      }
    })
    // What idle clients cost meanwhile is not the scrapes' doing.
    costs.push((cpuMs - (idle.cpuMs / idle.ms) * ms) / BATCH)
  }
  const sorted = ascending(times)
  return {
    cpuMs: bootstrap(costs, sample => mean([...sample]), CONFIDENCE, new Random('scrape')),
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

export interface ScrapedBlock extends Block {
  /** In a second. */
  scrapes: number
  /** CPU seconds of the proxy in a second. */
  cores: number
}

async function measureBlock(proxy: Child<ScrapeProxyOrders>, url: string | undefined): Promise<ScrapedBlock> {
  const from = await proxy.ask('counters')
  let scrapes = 0
  const end = performance.now() + BLOCK_MS
  for (let next = performance.now(); next < end; next += 1000 / A_SECOND) {
    await sleep(Math.max(0, next - performance.now()))
    if (url === undefined || performance.now() >= end) continue
    await scrape(url)
    scrapes++
  }
  await sleep(Math.max(0, end - performance.now()))
  const to = await proxy.ask('counters')
  const ms = to.atMs - from.atMs
  return { ...blockOf(from, to), scrapes: scrapes / (ms / 1000), cores: (to.cpuUs - from.cpuUs) / 1000 / ms }
}

export function blockOf(from: ScrapeProxyReport, to: ScrapeProxyReport): Block {
  const packets = to.received - from.received
  return { pps: packets / ((to.atMs - from.atMs) / 1000), perCpuSecond: packets / ((to.cpuUs - from.cpuUs) / 1e6) }
}

/** What one scrape a second takes. */
export function sharesOf(
  blocks: readonly { with: ScrapedBlock; without: Block }[],
): Pick<ScrapeBenchResult, 'share' | 'besideTunnelMs' | 'rate' | 'cores' | 'pps'> {
  const share = (pair: (typeof blocks)[number], value: (block: Block) => number): number =>
    (1 - value(pair.with) / value(pair.without)) / pair.with.scrapes
  return {
    share: medianOf(blocks.map(pair => share(pair, ({ pps }) => pps))),
    besideTunnelMs: medianOf(
      blocks.map(pair => share(pair, ({ perCpuSecond }) => perCpuSecond) * pair.with.cores * 1000),
    ),
    rate: median(blocks.map(pair => pair.with.scrapes)),
    cores: median(blocks.map(pair => pair.with.cores)),
    pps: median(blocks.map(({ without }) => without.pps)),
  }
}

export interface Ratios {
  /** Packets that arrive in a second with something, against one without: the median of the pairs. */
  throughput: Estimate
  /** The same for packets in a CPU second of the proxy. */
  perCpuSecond: Estimate
  /** Packets a second without. */
  pps: number
}

export function compareBlocks(blocks: readonly { with: Block; without: Block }[]): Ratios {
  const ratioOf = (value: (block: Block) => number): Estimate =>
    medianOf(blocks.map(pair => value(pair.with) / value(pair.without)))
  return {
    throughput: ratioOf(({ pps }) => pps),
    perCpuSecond: ratioOf(({ perCpuSecond }) => perCpuSecond),
    pps: median(blocks.map(({ without }) => without.pps)),
  }
}

function medianOf(values: readonly number[]): Estimate {
  return bootstrap(values, sample => median([...sample]), CONFIDENCE, new Random('scrape'))
}
