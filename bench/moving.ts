/**
 * `bench moving`: what the inside of a tunnel sees when the outside changes. Pings every 10 ms go through it meanwhile, over emulated paths of 20 ms.
 *
 *   move       the path is cut, and the client moves to another one at that moment: the longest time between two replies
 *   rebind     a NAT on the way forgets: how many pings get no reply
 *   restart    the proxy is closed and starts anew: from there until the client has a tunnel again, and whether it has the same addresses
 *   blocked    nothing of UDP passes any more, while TCP does, beside the emulated paths and without their delay; the client may take either
 *              (`tunnel.carrier = "auto"`): the longest time between two replies
 */

import type { TestCertificates } from '../src/cert/make-certificates.ts'
import type { MasqueClient } from '../src/client/client.ts'
import { IpAddress } from '../src/ip/address.ts'
import { TcpBypass } from '../src/link/emulator/tcp-bypass.ts'
import { pingTrain } from '../src/probes/ping-train.ts'
import type { MasqueServer } from '../src/server/server.ts'
import { newTestClient, startTestProxy } from '../src/testbed/proxy-and-client.ts'
import { TwoPaths } from '../src/testbed/two-paths.ts'

export const RTT_MS = 20
export const INTERVAL_MS = 10
/** For four seconds. */
const BLOCKED_PINGS = 400
const TARGET = IpAddress.parse('10.90.0.1')

export interface MovingResult {
  /** ms, one a run. */
  readonly move: number[]
  /** Pings without a reply, one a run. */
  readonly rebind: number[]
  /** ms, one a run. */
  readonly restart: number[]
  /** ms, one a run. */
  readonly blocked: number[]
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
  const result = {
    move: [] as number[],
    rebind: [] as number[],
    restart: [] as number[],
    blocked: [] as number[],
    sameAddresses: 0,
  }
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
      result.move.push(longestSilence(replies.at))
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
    result.blocked.push(
      ...(await blockUdp(certificates, proxy, runs, run => onProgress(`UDP blocked ${run} of ${runs}`))),
    )
  } finally {
    await client.close()
    await paths.close()
    await proxy.close()
  }
  return result
}

async function blockUdp(
  certificates: TestCertificates,
  proxy: MasqueServer,
  runs: number,
  onRun: (run: number) => unknown,
): Promise<number[]> {
  const paths = await TwoPaths.open(proxy.address, RTT_MS)
  const bypass = await TcpBypass.open(paths.first, proxy.address)
  // It goes back when it is told to, and not by itself.
  const carrierTiming = { firstPause: 3_600_000, longestPause: 3_600_000, headStart: 5000 }
  const client = newTestClient(certificates, paths.first, { tunnel: { carrier: 'auto' } }, { carrierTiming })
  const silences: number[] = []
  try {
    await client.connect()
    for (let run = 1; run <= runs; run++) {
      onRun(run)
      const changed = new Promise(resolve => client.once('carrierChanged', resolve))
      const { at } = await pingsAround(client, async () => paths.cut('first'), BLOCKED_PINGS)
      await changed
      silences.push(longestSilence(at))
      paths.heal('first')
      // What was left has ended by then, with all that waited in it.
      await new Promise(resolve => setTimeout(resolve, 500))
      if (!(await client.goOverTo('h3'))) throw new Error('the tunnel is not back over h3')
    }
  } finally {
    await client.close()
    await bypass.close()
    await paths.close()
  }
  return silences
}

function longestSilence(at: readonly number[]): number {
  return Math.max(...at.slice(1).map((reply, i) => reply - at[i]))
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
  count = 80,
): Promise<{ at: number[]; lost: number }> {
  let ended = 0
  let begin = (): void => {}
  const begun = new Promise<void>(resolve => {
    begin = resolve
  })
  const train = pingTrain(client.host, TARGET, {
    count,
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
