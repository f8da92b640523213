/**
 * `bench moving`: what the inside of a tunnel sees when the outside changes. Pings every 10 ms go through it meanwhile, over emulated paths of 20 ms.
 *
 *   move       the path is cut, and the client moves to another one at that moment: the longest time between two replies
 *   rebind     a NAT on the way forgets: how many pings get no reply
 *   restart    the proxy is closed and starts anew: from there until the client has a tunnel again, and whether it has the same addresses
 */

import type { TestCertificates } from '../src/cert/make-certificates.ts'
import type { MasqueClient } from '../src/client/client.ts'
import { IpAddress } from '../src/ip/address.ts'
import { pingTrain } from '../src/probes/ping-train.ts'
import type { MasqueServer } from '../src/server/server.ts'
import { newTestClient, startTestProxy } from '../src/testbed/proxy-and-client.ts'
import { TwoPaths } from '../src/testbed/two-paths.ts'

export const RTT_MS = 20
export const INTERVAL_MS = 10
const TARGET = IpAddress.parse('10.90.0.1')

export interface MovingResult {
  /** ms, one a run. */
  readonly move: number[]
  /** Pings without a reply, one a run. */
  readonly rebind: number[]
  /** ms, one a run. */
  readonly restart: number[]
  /** After how many of the restarts the client had the addresses that it had before. */
  readonly sameAddresses: number
}

export async function benchMoving(options: {
  certificates: TestCertificates
  runs: number
  onProgress?: (text: string) => unknown
}): Promise<MovingResult> {
  const { certificates, runs, onProgress = () => {} } = options
  let proxy: MasqueServer = await startTestProxy(certificates)
  const paths = await TwoPaths.open(proxy.address, RTT_MS)
  const client = newTestClient(certificates, paths.first, {
    reconnect: { enabled: true, knockMs: 25, initialDelayMs: 100, maxDelayMs: 100 },
  })
  const result = { move: [] as number[], rebind: [] as number[], restart: [] as number[], sameAddresses: 0 }
  try {
    await client.connect()
    for (let run = 0; run < runs; run++) {
      onProgress(`move ${run + 1} of ${runs}`)
      const [from, to] = run % 2 === 0 ? (['first', 'second'] as const) : (['second', 'first'] as const)
      const replies = await pingsAround(client, async () => {
        paths.cut(from)
        await client.migrate({ remote: paths[to] })
      })
      paths.heal(from)
      result.move.push(Math.max(...replies.at.slice(1).map((at, i) => at - replies.at[i])))
    }
    for (let run = 0; run < runs; run++) {
      // Each rebinding is a new address, of which a connection has room for eight.
      if (run % 4 === 0) await again(client)
      onProgress(`rebind ${run + 1} of ${runs}`)
      result.rebind.push((await pingsAround(client, async () => paths.rebind())).lost)
    }
    for (let run = 0; run < runs; run++) {
      onProgress(`restart ${run + 1} of ${runs}`)
      const before = addresses(client)
      // A tunnel that lives for less than a second is not knocked for.
      await new Promise(resolve => setTimeout(resolve, 1100))
      const listen = proxy.address
      await proxy.close()
      // At another moment of the knocking each time.
      await new Promise(resolve => setTimeout(resolve, 200 + 25 * Math.random()))
      proxy = await startTestProxy(certificates, { listen: { ...proxy.config.listen, port: listen.port } })
      const startedAt = performance.now()
      if (!client.connected) await new Promise(resolve => client.once('up', resolve))
      result.restart.push(performance.now() - startedAt)
      if (addresses(client) === before) result.sameAddresses++
    }
  } finally {
    await client.close()
    await paths.close()
    await proxy.close()
  }
  return result
}

/** A new connection, whose addresses are none yet. */
async function again(client: MasqueClient): Promise<void> {
  const up = new Promise(resolve => client.once('up', resolve))
  client.tunnel?.quic?.close(0x100, '')
  await up
}

async function pingsAround(
  client: MasqueClient,
  event: () => Promise<unknown>,
): Promise<{ at: number[]; lost: number }> {
  let ended = 0
  let begin = (): void => {}
  const begun = new Promise<void>(resolve => {
    begin = resolve
  })
  const train = pingTrain(client.host, TARGET, {
    count: 80,
    intervalMs: INTERVAL_MS,
    timeoutMs: 2000,
    onProgress: () => ++ended === 20 && begin(),
  })
  await begun
  await event()
  const { records } = await train
  const at = records.flatMap(({ sentMs, rttMs }) => (rttMs === undefined ? [] : [sentMs + rttMs]))
  return { at: at.sort((a, b) => a - b), lost: records.length - at.length }
}

function addresses({ info }: MasqueClient): string {
  return info.assigned.map(String).join(', ')
}
