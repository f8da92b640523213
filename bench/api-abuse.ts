/**
 * `bench api-abuse`: does a tunnel notice that the REST API is abused? One client sends as fast as it can; times with and without abuse (api-abuser.ts) take turns, and
 * each pair makes one ratio.
 *
 * Who abuses runs on this machine, too, and takes CPU time from both ends. So there are two ratios: of packets in a second, and of packets in a CPU second of the proxy,
 * which has in it what the API costs the proxy, and not what the abuse costs whoever does it.
 */

import { setTimeout as sleep } from 'node:timers/promises'
import type { TestCertificates } from '../src/cert/make-certificates.ts'
import { Child } from '../src/process/child.ts'
import { type AbuseCounts, ApiAbuser } from './api-abuser.ts'
import { newPeer, proxyOrder } from './child.ts'
import { type Block, blockOf, compareBlocks, type Ratios } from './scrape.ts'
import type { ScrapeProxyOrders } from './scrape-proxy.ts'

const WARM_UP_MS = 3_000
const BLOCK_MS = 2_000
/** Abuse is counted from when the API has begun to answer it; where it does not answer at all, from here. */
const FIRST_ANSWER_MS = 5_000
/** Until the proxy is done with what was sent last. */
const SETTLE_MS = 300

export interface ApiAbuseOptions {
  certificates: TestCertificates
  /** Of a time with abuse and one without. */
  pairs: number
  onProgress?: (text: string) => void
}

export type ApiAbuseResult = Ratios & {
  pairs: number
  /** In all times with abuse together. */
  abuse: AbuseCounts
}

export async function benchApiAbuse(options: ApiAbuseOptions): Promise<ApiAbuseResult> {
  const { certificates, pairs, onProgress = () => {} } = options
  const proxy = new Child<ScrapeProxyOrders>(new URL('./scrape-proxy.ts', import.meta.url), { name: 'the proxy' })
  const sender = newPeer({ kind: 'tunnel', role: 'sender' })
  const abuse: AbuseCounts = { connections: 0, answered: 0 }
  try {
    const { port, api } = await proxy.ask('start', certificates)
    const apiPort = Number(new URL(api).port)
    const measure = async (abused: boolean): Promise<Block> => {
      const abuser = abused ? new ApiAbuser(apiPort) : undefined
      try {
        await abuser?.answered(FIRST_ANSWER_MS)
        const from = await proxy.ask('counters')
        await sleep(BLOCK_MS)
        return blockOf(from, await proxy.ask('counters'))
      } finally {
        const { connections, answered } = (await abuser?.stop()) ?? { connections: 0, answered: 0 }
        abuse.connections += connections
        abuse.answered += answered
        await sleep(SETTLE_MS)
      }
    }
    await sender.start({ ...proxyOrder(certificates), role: 'sender', port })
    await sleep(WARM_UP_MS)
    const blocks: { with: Block; without: Block }[] = []
    for (let pair = 0; pair < pairs; pair++) {
      // Who goes first alternates, so that a machine that warms up or slows down favours none.
      const first = await measure(pair % 2 === 0)
      const second = await measure(pair % 2 !== 0)
      blocks.push(pair % 2 === 0 ? { with: first, without: second } : { with: second, without: first })
      onProgress(`pair ${pair + 1} of ${pairs}: ${Math.round(second.pps)} packets/s`)
    }
    return { pairs, ...compareBlocks(blocks), abuse }
  } finally {
    await sender.close()
    await proxy.close()
  }
}
