/**
 * Two clients of one proxy, whose packets go the way of three parts:
 *
 *   busy client   ──── a narrow path that loses nothing ────┐
 *                                                           proxy: queues, pump, sender, search ─ library
 *   quiet client  ──── a wide path that loses on the way down ┘
 *
 * First both ping, so that what is late at the one and not at the other is due to the loss, and not to the machine. Then the library floods
 * the busy client, and the quiet one goes on. At last it is seen how large a packet the busy client's path carries.
 */
import { join } from 'node:path'
import { makeTestCertificates } from '../../../src/cert/make-certificates.ts'
import type { MasqueClient } from '../../../src/client/client.ts'
import { IpAddress } from '../../../src/ip/address.ts'
import type { SocketAddress } from '../../../src/net/udp.ts'
import { type PingRecord, pingTrain } from '../../../src/probes/ping-train.ts'
import { Child } from '../../../src/process/child.ts'
import { median } from '../../../src/stats/statistics.ts'
import { newTestClient } from '../../../src/testbed/proxy-and-client.ts'
import { UdpRelay } from '../../../src/testbed/udp-relay.ts'
import type { CheckContext } from '../../kit/lab/types.ts'
import { type LinkOptions, linkProfile, startLink } from '../link.ts'
import { type Failure, PACKETS_PER_SECOND } from './parts.ts'
import type { PartFolders, ProxyOrders } from './proxy-child.ts'

export const RTT_MS = 160
export const LOSS = 0.08
/** Late: so much later than the busy client's answer that was asked for at the same time. */
const LATE_MS = 0.6 * RTT_MS
const PINGS = { count: 480, intervalMs: 25, timeoutMs: 3000 }
export const QUIET_PER_SECOND = 40
const BUSY_MS = 6000
const FLOOD = { packetsPerSecond: 2 * PACKETS_PER_SECOND, packetLength: 200 }
/** The largest UDP payload that the clients and the proxy try. */
export const MAX_UDP_PAYLOAD = 1452
/** IPv4 and ICMP headers. */
const AROUND_PING = 28
const SETTLE_MS = 25_000
const TRIES = 8

export interface Measured {
  /** Both clients' answers to pings that were sent at the same time: how many, and how many of them the quiet one's came late. */
  pairs: number
  late: number
  /** Of the quiet client's pings, how many were sent and how many were answered, without and with the flood. */
  calm: { sent: number; answered: number }
  flooded: { sent: number; answered: number }
  /** How much later each answer came with the flood than the median without, in ms. */
  waitsMs: number[]
  /** What the pump passed in the flood, by client, in packets per second. */
  busyPerSecond: number
  quietPerSecond: number
  packetsInATurn: number
  longestTurn: number
  busy: TunnelEnd
  quiet: TunnelEnd
  failure: Failure | undefined
}

/** What has become of a tunnel at the end. */
export interface TunnelEnd {
  /** In bytes; whether the search has come to an end; whether a packet of that size arrives. */
  mtu: number
  settled: boolean
  arrives: boolean
  /** Packets that fit, and were refused by the sender, which took another MTU for the tunnel's. */
  tooBig: number
  namedMtu: number
}

export async function measure(
  context: CheckContext,
  options: { title: string; folders: PartFolders; pathPayload: number; seed: string },
): Promise<Measured> {
  const { title, folders, pathPayload, seed } = options
  const certificates = await makeTestCertificates(join(await context.scratch(), `cert-${title}`), { clientNames: [] })
  const proxy = new Child<ProxyOrders>(new URL('./proxy-child.ts', import.meta.url), {
    name: 'the process of the proxy',
  })
  context.defer(() => proxy.close())
  const address = await proxy.ask('start', { certificates, folders })
  if (address === undefined) return unmeasured((await proxy.ask('why'))!)
  const stop = new AbortController()
  context.signal.addEventListener('abort', () => stop.abort(), { once: true })
  void proxy.ask('partEnded').then(
    () => stop.abort(),
    () => {},
  )
  const { busy, quiet } = await connect(context, { address, certificates, pathPayload, seed })
  const library = IpAddress.parse(LIBRARY)
  const clients = [busy, quiet]
  let done = 0
  const total = 2 * PINGS.count + (BUSY_MS / 1000) * QUIET_PER_SECOND
  const onProgress = () => context.progress(++done, total, `pings ${title}`)
  const calm = await Promise.all(
    clients.map(({ host }) => pingTrain(host, library, { ...PINGS, signal: stop.signal, onProgress })),
  )
  const [destination, other] = clients.map(addressOf)
  await proxy.ask('figures')
  const count = (BUSY_MS / 1000) * QUIET_PER_SECOND
  const flood = proxy.ask('flow', { ...FLOOD, destination, durationMs: BUSY_MS })
  const train = pingTrain(quiet.host, library, {
    count,
    intervalMs: 1000 / QUIET_PER_SECOND,
    timeoutMs: PINGS.timeoutMs,
    signal: stop.signal,
    onProgress,
  })
  const floodStart = performance.now()
  await flood
  const seconds = (performance.now() - floodStart) / 1000
  const figures = await proxy.ask('figures')
  const flooded = await train
  await settled(context, proxy, [destination, other], stop.signal)
  // The last thing that a sender is told is that of the narrow path: what is told to one is nothing to the other, whose packet is larger.
  await proxy.ask('tellAgain', destination)
  const busyEnd = await tunnelEnd(busy, library, proxy, stop.signal)
  const quietEnd = await tunnelEnd(quiet, library, proxy, stop.signal)
  await Promise.all(clients.map(client => client.close()))
  const failure = await proxy.ask('why')
  await proxy.close()
  context.signal.throwIfAborted()

  const passed = (address: string) => figures.passed[figures.tunnels[address]?.queue ?? -1] ?? 0
  const base = rtts(calm[1].records)
  const pairs = calm[0].records.flatMap(({ rttMs, suspect }, i) => {
    const quietMs = calm[1].records[i]?.rttMs
    return rttMs === undefined || quietMs === undefined || suspect ? [] : [quietMs - rttMs]
  })
  return {
    pairs: pairs.length,
    late: pairs.filter(ms => ms > LATE_MS).length,
    calm: { sent: calm[1].records.length, answered: base.length },
    flooded: { sent: flooded.records.length, answered: rtts(flooded.records).length },
    waitsMs: base.length === 0 ? [] : rtts(flooded.records).map(ms => ms - median(base)),
    busyPerSecond: passed(destination) / seconds,
    quietPerSecond: passed(other) / seconds,
    packetsInATurn: figures.passed.reduce((sum, one) => sum + one, 0) / Math.max(1, figures.turns),
    longestTurn: figures.longestTurn,
    busy: busyEnd,
    quiet: quietEnd,
    failure,
  }
}

const LIBRARY = '10.90.1.7'

const NO_TUNNEL: TunnelEnd = { mtu: 0, settled: false, arrives: false, tooBig: 0, namedMtu: 0 }

function unmeasured(failure: Failure): Measured {
  const none = { sent: 0, answered: 0 }
  return {
    pairs: 0,
    late: 0,
    calm: none,
    flooded: none,
    waitsMs: [],
    busyPerSecond: 0,
    quietPerSecond: 0,
    packetsInATurn: 0,
    longestTurn: 0,
    busy: NO_TUNNEL,
    quiet: NO_TUNNEL,
    failure,
  }
}

async function connect(
  context: CheckContext,
  options: { address: SocketAddress; certificates: { ca: string }; pathPayload: number; seed: string },
): Promise<{ busy: MasqueClient; quiet: MasqueClient }> {
  const { address, certificates, pathPayload, seed } = options
  const clean: LinkOptions = { rttMs: RTT_MS }
  const links = await Promise.all(
    ['busy', 'quiet'].map(name => startLink(context, { to: address, seed: `${seed} ${name}`, link: clean })),
  )
  const narrow = await UdpRelay.open(links[0].address, ({ length }, from) => from === 'client' || length <= pathPayload)
  context.defer(() => narrow.close())
  const [busy, quiet] = [narrow.address, links[1].address].map(at =>
    newTestClient(certificates, at, {
      // So that the client takes packets on streams, too. It takes datagrams in any case.
      tunnel: { requestAddresses: ['ipv4'], linkProbe: 'off', encapsulation: 'stream-per-packet' },
      quic: { maxUdpPayload: MAX_UDP_PAYLOAD },
    }),
  )
  for (const client of [busy, quiet]) {
    context.defer(() => client.close())
    await client.connect()
  }
  links[1].setProfile(linkProfile({ ...clean, lossDown: LOSS }))
  return { busy, quiet }
}

/** The client's address in its tunnel. */
function addressOf(client: MasqueClient): string {
  return String(client.info.assigned[0].address)
}

async function settled(
  context: CheckContext,
  proxy: Child<ProxyOrders>,
  addresses: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  const deadline = performance.now() + SETTLE_MS
  while (!signal.aborted && performance.now() < deadline) {
    const { tunnels } = await proxy.ask('figures')
    const ends = addresses.map(address => tunnels[address])
    if (ends.every(end => end?.settled)) return
    context.progress(0, 1, `the searches have come to ${ends.map(end => end?.mtu ?? 0).join(' and ')} bytes`)
    await new Promise(resolve => setTimeout(resolve, 100))
  }
}

async function tunnelEnd(
  client: MasqueClient,
  library: IpAddress,
  proxy: Child<ProxyOrders>,
  signal: AbortSignal,
): Promise<TunnelEnd> {
  const now = async () => (await proxy.ask('figures')).tunnels[addressOf(client)]
  const tunnel = client.connected ? await now() : undefined
  if (tunnel === undefined) return NO_TUNNEL
  const arrives = await isAnswered(client, library, tunnel.mtu - AROUND_PING, signal)
  return { ...tunnel, ...((await now()) ?? {}), mtu: tunnel.mtu, arrives }
}

/** One of several pings is answered: on a path that loses nothing, the first. */
async function isAnswered(
  client: MasqueClient,
  target: IpAddress,
  size: number,
  signal: AbortSignal,
): Promise<boolean> {
  for (let i = 0; i < TRIES && !signal.aborted; i++) {
    const answered = await client.ping(target, { size, timeoutMs: 1000 }).then(
      () => true,
      () => false,
    )
    if (answered) return true
  }
  return false
}

function rtts(records: readonly PingRecord[]): number[] {
  return records.flatMap(({ rttMs }) => rttMs ?? [])
}
