/**
 * A student's side of a relay measurement (`npm run lab -- --relay`): a real tunnel to the classroom's proxy for half a minute, with pings through it, of which the
 * projector shows the round trips and what flows.
 */
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { makeOwnFolder, removeLeftFolders } from '../../../src/process/own-folder.ts'
import { median } from '../../../src/stats/statistics.ts'
import { newTestClient } from '../../../src/testbed/proxy-and-client.ts'
import { RELAY_PLAN, type RelayOffer, type RelayReport, type RelayResult } from './relay-plan.ts'

const FOLDER = 'relay-client'
/** Of the host behind the proxy. */
const TARGET = '10.90.0.1'
const REPORT_MS = 1000

/** `report` is called once a second, and must not fail. */
export async function measureRelay(
  { port, ca, token }: RelayOffer,
  report: (report: RelayReport) => unknown,
  options: { signal?: AbortSignal; seconds?: number } = {},
): Promise<RelayResult> {
  const { signal, seconds = RELAY_PLAN.seconds } = options
  removeLeftFolders(FOLDER)
  const folder = makeOwnFolder(FOLDER)
  const file = join(folder, 'ca.pem')
  const rtts: number[] = []
  let sent = 0
  try {
    writeFileSync(file, ca, { mode: 0o600 })
    const client = newTestClient(
      { ca: file },
      { host: '127.0.0.1', port },
      { auth: { token }, tunnel: { requestAddresses: ['ipv4'] } },
    )
    try {
      await client.connect()
      const startedAt = performance.now()
      let second: number[] = []
      let secondAt = startedAt
      const pings = new Set<Promise<void>>()
      const tell = () => {
        const now = performance.now()
        const bytes = second.length * RELAY_PLAN.payloadBytes
        report({
          medianMs: second.length > 0 ? median(second) : null,
          slowestMs: second.length > 0 ? Math.max(...second) : null,
          bitsPerSecond: Math.round((bytes * 8 * 1000) / Math.max(REPORT_MS, now - secondAt)),
        })
        second = []
        secondAt = now
      }
      while (!signal?.aborted && performance.now() - startedAt < seconds * 1000) {
        sent++
        const ping = client
          .ping(TARGET, { size: RELAY_PLAN.payloadBytes, timeoutMs: RELAY_PLAN.timeoutMs })
          .then(
            ({ rttMs }) => {
              rtts.push(rttMs)
              second.push(rttMs)
            },
            // Lost, or the tunnel is: the round trips that there are say it.
            () => {},
          )
          .finally(() => pings.delete(ping))
        pings.add(ping)
        if (performance.now() - secondAt >= REPORT_MS) tell()
        await delay(1000 / RELAY_PLAN.pingsPerSecond, undefined, signal && { signal }).catch(() => {})
      }
      if (!signal?.aborted) await Promise.all(pings)
      tell()
    } finally {
      await client.close()
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
  return { rtts, sent }
}
