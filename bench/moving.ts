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
import type { ClientTunnel } from '../src/client/client-tunnel.ts'
import { IpAddress } from '../src/ip/address.ts'
import { startEmulatorProcess } from '../src/link/emulator/emulator-process.ts'
import { TcpBypass } from '../src/link/emulator/tcp-bypass.ts'
import { CLEAN } from '../src/link/profile/profile.ts'
import { pingTrain } from '../src/probes/ping-train.ts'
import { Child } from '../src/process/child.ts'
import type { MasqueServer } from '../src/server/server.ts'
import { newTestClient, startTestProxy } from '../src/testbed/proxy-and-client.ts'
import { TwoPaths } from '../src/testbed/two-paths.ts'
import { INTERVAL_MS, MEASURED, type Measured, RTT_MS } from './moving-settings.ts'
import { cpuMs, monotonicMs } from './process-times.ts'
import type { RestartProxyOrders } from './restart-proxy.ts'

/** For four seconds. */
const BLOCKED_PINGS = 400
const TARGET = IpAddress.parse('10.90.0.1')
const RECONNECT = { enabled: true, knockMs: 25, initialDelayMs: 100, maxDelayMs: 100 }
/** Each knock comes from an address of its own, for which the emulator keeps a socket; a tunnel says something more often than that. */
const CLIENT_IDLE_MS = 60_000

/** Where the time of a restart goes, one step behind the other, in ms. */
export interface RestartSteps {
  /** Until the knock is sent that is answered; below 0: it was sent before the start was over. */
  readonly knock: number
  readonly handshake: number
  readonly settings: number
  /** Request, answer, addresses. */
  readonly request: number
  /** What the search for the path's MTU is not over by then. */
  readonly mtu: number
  /** Beside them: CPU time of the client's process since the proxy was told to close, with all knocks; and of the proxy's since its start. With V8's other threads. */
  readonly cpu: number
  readonly proxyCpu: number
}

export interface MovingResult {
  /** ms, one a run. */
  readonly move: number[]
  /** Pings without a reply, one a run. */
  readonly rebind: number[]
  /** ms, one a run. */
  readonly restart: number[]
  readonly restartSteps: RestartSteps[]
  /** ms, one a run. */
  readonly blocked: number[]
  /** After how many of the restarts the client had the addresses that it had before. */
  readonly sameAddresses: number
}

/** `stopped`: what there is by then is the result. */
export async function benchMoving(options: {
  certificates: TestCertificates
  runs: number
  only?: readonly Measured[] | undefined
  stopped?: () => boolean
  onProgress?: (text: string) => unknown
}): Promise<MovingResult> {
  const { certificates, runs, only = MEASURED, stopped = () => false, onProgress = () => {} } = options
  const proxy = await startTestProxy(certificates)
  const paths = await TwoPaths.open(proxy.address, RTT_MS)
  const client = newTestClient(certificates, paths.first, { reconnect: RECONNECT })
  const result = {
    move: [] as number[],
    rebind: [] as number[],
    restart: [] as number[],
    restartSteps: [] as RestartSteps[],
    blocked: [] as number[],
    sameAddresses: 0,
  }
  const times = async (name: Measured, run: (i: number) => Promise<string>): Promise<void> => {
    for (let i = 0; only.includes(name) && i < runs && !stopped(); i++) {
      onProgress(`${name} ${i + 1} of ${runs}: ${await run(i)}`)
    }
  }
  try {
    await client.connect()
    await times('move', async run => {
      const [from, to] = run % 2 === 0 ? (['first', 'second'] as const) : (['second', 'first'] as const)
      const replies = await pingsAround(client, async () => {
        paths.cut(from)
        await client.migrate({ remote: paths[to] })
      })
      paths.heal(from)
      result.move.push(longestSilence(replies.at))
      return inMs(result.move)
    })
    await times('rebind', async run => {
      // Each rebinding is a new address, of which a connection has room for eight.
      if (run % 4 === 0) await again(client)
      const { lost } = await pingsAround(client, async () => paths.rebind())
      result.rebind.push(lost)
      return `${lost} lost`
    })
    if (only.includes('restart') && !stopped()) {
      await restartProxy(certificates, runs, stopped, (ms, steps, isSame) => {
        result.restart.push(ms)
        result.restartSteps.push(steps)
        if (isSame) result.sameAddresses++
        onProgress(`restart ${result.restart.length} of ${runs}: ${inMs(result.restart)}`)
      })
    }
    if (only.includes('blocked') && !stopped()) {
      const onSilence = (ms: number): void => {
        result.blocked.push(ms)
        onProgress(`UDP blocked ${result.blocked.length} of ${runs}: ${inMs(result.blocked)}`)
      }
      await blockUdp(certificates, proxy, runs, stopped, onSilence)
    }
  } finally {
    await client.close()
    await paths.close()
    await proxy.close()
  }
  return result
}

/** Client, path and proxy are in processes of their own: none waits for another's work. */
async function restartProxy(
  certificates: TestCertificates,
  runs: number,
  stopped: () => boolean,
  onRestart: (ms: number, steps: RestartSteps, isSame: boolean) => void,
): Promise<void> {
  const proxy = new Child<RestartProxyOrders>(new URL('./restart-proxy.ts', import.meta.url), { name: 'the proxy' })
  const closing: (() => Promise<unknown>)[] = [() => proxy.close()]
  try {
    const to = await proxy.ask('start', certificates)
    const way = { ...CLEAN, delayMs: RTT_MS / 2, keepOrder: true }
    const profile = { name: 'restart', title: '', about: '', source: '', timeline: [], up: way, down: way }
    const link = await startEmulatorProcess({ profile, seed: '1', to, clientIdleMs: CLIENT_IDLE_MS })
    closing.unshift(() => link.close())
    const client = newTestClient(certificates, link.address, { reconnect: RECONNECT })
    closing.unshift(() => client.close())
    await client.connect()
    for (let run = 0; run < runs && !stopped(); run++) {
      const before = addresses(client)
      // A tunnel that lives for less than a second is not knocked for.
      await new Promise(resolve => setTimeout(resolve, 1100))
      const cpu = cpuMs()
      const up = new Promise<number>(resolve => client.once('up', () => resolve(monotonicMs())))
      // At another moment of the knocking each time.
      const { startedAt, cpuMs: proxyCpu } = await proxy.ask('restart', 200 + 25 * Math.random())
      const upAt = await up
      const cpus = { cpu: cpuMs() - cpu, proxyCpu: (await proxy.ask('cpuMs')) - proxyCpu }
      onRestart(upAt - startedAt, { ...stepsOf(client, startedAt, upAt), ...cpus }, addresses(client) === before)
    }
  } finally {
    for (const close of closing) await close()
  }
}

/** The last of them. */
function inMs(values: readonly number[]): string {
  return `${values[values.length - 1].toFixed(1)} ms`
}

/** Both times by `monotonicMs`. */
function stepsOf(
  { tunnel, info }: MasqueClient,
  startedAt: number,
  upAt: number,
): Omit<RestartSteps, 'cpu' | 'proxyCpu'> {
  const since = monotonicMs() - performance.now()
  const { ready, settings, answered } = (tunnel as ClientTunnel).times
  return {
    knock: ready + since - info.handshakeMs - startedAt,
    handshake: info.handshakeMs,
    settings: settings - ready,
    request: answered - settings,
    mtu: upAt - since - answered,
  }
}

async function blockUdp(
  certificates: TestCertificates,
  proxy: MasqueServer,
  runs: number,
  stopped: () => boolean,
  onSilence: (ms: number) => void,
): Promise<void> {
  const paths = await TwoPaths.open(proxy.address, RTT_MS)
  const bypass = await TcpBypass.open(paths.first, proxy.address)
  // It goes back when it is told to, and not by itself.
  const carrierTiming = { firstPause: 3_600_000, longestPause: 3_600_000, headStart: 5000 }
  const client = newTestClient(certificates, paths.first, { tunnel: { carrier: 'auto' } }, { carrierTiming })
  try {
    await client.connect()
    for (let run = 0; run < runs && !stopped(); run++) {
      const changed = new Promise(resolve => client.once('carrierChanged', resolve))
      const { at } = await pingsAround(client, async () => paths.cut('first'), BLOCKED_PINGS)
      await changed
      onSilence(longestSilence(at))
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
