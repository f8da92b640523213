/**
 * `bench tunnel`: how many IP packets a second one tunnel carries, and how close that is to what the machine can do.
 *
 * Two processes, 1200-byte IP packets from a userspace host at the client to one behind the proxy. Beside it, in turns,
 * two ceilings: the same datagrams through quiche and UDP with nothing of ours in between, by node:dgram and in batches. Only the ratios
 * say something about this program; the absolute numbers say more about the machine.
 */

import { setTimeout as sleep } from 'node:timers/promises'
import type { TestCertificates } from '../src/cert/make-certificates.ts'
import { loadUdpCalls } from '../src/quic/udp/linux-calls.ts'
import { median } from '../src/stats/statistics.ts'
import { newPeer, type PeerOrder, proxyOrder } from './child.ts'
import type { PeerReport } from './peer.ts'

const PACKET_LENGTH = 1200
/** Quarter stream id and context id, a byte each, go before the packet. */
const DATAGRAM_LENGTH = PACKET_LENGTH + 2
/** From the first packet on. */
const WARM_UP_MS = 2_000
const POLL_MS = 100

export interface FlowOptions {
  certificates: TestCertificates
  /** Length of one measurement. */
  seconds: number
  encapsulation: PeerOrder['encapsulation']
  congestionControl: PeerOrder['congestionControl']
  /** Default: HTTP/3. */
  carrier?: PeerOrder['carrier']
}

export interface TunnelBenchOptions extends FlowOptions {
  /** How often tunnel and ceilings take turns. */
  rounds: number
  /** The tunnel has the QUIC engine in TypeScript, and one with quiche takes its turns, too. */
  typescript?: boolean
  onRound?: (kind: PeerOrder['kind'], round: number, result: FlowResult) => void
}

export interface FlowResult {
  /** IP packets (ceiling: datagrams) that arrived, a second. */
  pps: number
  /** Goodput in Mbit/s of IP (ceiling: of datagram payload). */
  mbps: number
  /** Sent but not arrived, as a share of what was sent. */
  loss: number
  /** CPU seconds a second, of the sending and of the receiving process. */
  cpu: { sender: number; receiver: number }
  /** Resident memory at the end of the measurement, in MB, and its growth since the warm-up. */
  rssMb: { sender: number; receiver: number; growth: number }
}

export interface TunnelBenchResult {
  tunnel: FlowResult
  /** With `typescript`: the tunnel with quiche, and the share that the other one reaches of its packets a second and of its packets per CPU second. */
  quiche?: FlowResult
  engineRatio?: number
  engineRatios?: number[]
  engineCpuRatio?: number
  ceiling: FlowResult
  /** Undefined where this machine has no UDP in batches, here and below. */
  batchedCeiling?: FlowResult
  batchedRatio?: number
  batchedRatios?: number[]
  batchedCpuRatio?: number
  /** Median over the rounds of tunnel pps / ceiling pps, each pair measured back to back. */
  ratio: number
  ratios: number[]
  /**
   * The same for packets per second of CPU time, both processes together: the cost of a packet here and there. Says the
   * same as `ratio` on an idle machine, and is the one to trust on a busy one.
   */
  cpuRatio: number
}

export async function benchTunnel(options: TunnelBenchOptions): Promise<TunnelBenchResult> {
  const hasBatches = typeof loadUdpCalls() !== 'string'
  const { ours, theirs } = await takeTurns(
    options.typescript ? 'typescript-tunnel' : 'tunnel',
    [
      'ceiling',
      ...(hasBatches ? (['batched-ceiling'] as const) : []),
      ...(options.typescript ? (['quiche-tunnel'] as const) : []),
    ],
    options,
  )
  const { flow, ...ratios } = theirs.ceiling
  const result = {
    tunnel: ours,
    ceiling: flow,
    ...ratios,
    ...(options.typescript && againstQuiche(theirs['quiche-tunnel'])),
  }
  if (!hasBatches) return result
  const batched = theirs['batched-ceiling']
  return {
    ...result,
    batchedCeiling: batched.flow,
    batchedRatio: batched.ratio,
    batchedRatios: batched.ratios,
    batchedCpuRatio: batched.cpuRatio,
  }
}

function againstQuiche({ flow, ratio, ratios, cpuRatio }: Comparison): Partial<TunnelBenchResult> {
  return { quiche: flow, engineRatio: ratio, engineRatios: ratios, engineCpuRatio: cpuRatio }
}

interface Comparison {
  flow: FlowResult
  /** Ours to this one, packets a second: of each round, and their median. */
  ratios: number[]
  ratio: number
  /** The median for packets per CPU second. */
  cpuRatio: number
}

/** Several kinds of flow, one after the other, `rounds` times: the median of each, and `ours / theirs` of each round. */
export async function takeTurns<Theirs extends PeerOrder['kind']>(
  ours: PeerOrder['kind'],
  theirs: readonly Theirs[],
  options: TunnelBenchOptions,
): Promise<{ ours: FlowResult; theirs: Record<Theirs, Comparison> }> {
  const kinds = [theirs[0], ours, ...theirs.slice(1)]
  const results = new Map<PeerOrder['kind'], FlowResult[]>(kinds.map(kind => [kind, []]))
  const of = (kind: PeerOrder['kind']): FlowResult[] => results.get(kind) as FlowResult[]
  for (let round = 1; round <= options.rounds; round++) {
    // Whoever goes first alternates, so that a machine that warms up or slows down favours none.
    for (const kind of round % 2 === 1 ? kinds : kinds.toReversed()) {
      const result = await measureFlow(kind, options)
      of(kind).push(result)
      options.onRound?.(kind, round, result)
    }
  }
  const comparisons = theirs.map(kind => [kind, compareFlows(of(ours), of(kind))])
  return { ours: medianOf(of(ours)), theirs: Object.fromEntries(comparisons) as Record<Theirs, Comparison> }
}

/** Each with the other of the same round. */
export function compareFlows(ours: readonly FlowResult[], theirs: readonly FlowResult[]): Comparison {
  const compared = (value: (flow: FlowResult) => number): number[] =>
    ours.map((flow, i) => value(flow) / value(theirs[i]))
  const ratios = compared(flow => flow.pps)
  return { flow: medianOf(theirs), ratios, ratio: median(ratios), cpuRatio: median(compared(perCpuSecond)) }
}

/** One measurement: starts both processes, lets them warm up, and compares their counters at its beginning and its end. */
export async function measureFlow(kind: PeerOrder['kind'], options: FlowOptions): Promise<FlowResult> {
  const packetLength = kind.endsWith('ceiling') ? DATAGRAM_LENGTH : PACKET_LENGTH
  const { certificates, congestionControl, encapsulation, carrier = 'h3' } = options
  const order = {
    ...proxyOrder(certificates),
    kind,
    datagramLength: packetLength,
    congestionControl,
    encapsulation,
    carrier,
  }
  const receiver = newPeer({ kind, role: 'receiver' })
  const sender = newPeer({ kind, role: 'sender' })
  const counters = async () => ({ sender: await sender.counters(), receiver: await receiver.counters() })
  try {
    const port = await receiver.start(order)
    await sender.start({ ...order, role: 'sender', port })
    while ((await counters()).receiver.received === 0) await sleep(POLL_MS)
    await sleep(WARM_UP_MS)
    const from = await counters()
    await sleep(options.seconds * 1000)
    return compare(from, await counters(), packetLength)
  } finally {
    await Promise.all([sender.close(), receiver.close()])
  }
}

type Counters = Record<PeerOrder['role'], PeerReport>

function compare(from: Counters, to: Counters, packetLength: number): FlowResult {
  const elapsedMs = (role: PeerOrder['role']): number => to[role].atMs - from[role].atMs
  const pps = (to.receiver.received - from.receiver.received) / (elapsedMs('receiver') / 1000)
  const cpu = (role: PeerOrder['role']): number => (to[role].cpuUs - from[role].cpuUs) / 1000 / elapsedMs(role)
  const grown = (role: PeerOrder['role']): number => to[role].rssBytes - from[role].rssBytes
  return {
    pps,
    mbps: (pps * packetLength * 8) / 1e6,
    // All that was ever sent against all that ever arrived, less what may still wait in the queue.
    loss: Math.max(0, 1 - (to.receiver.received + 512) / Math.max(1, to.sender.sent)),
    cpu: { sender: cpu('sender'), receiver: cpu('receiver') },
    rssMb: {
      sender: to.sender.rssBytes / 1e6,
      receiver: to.receiver.rssBytes / 1e6,
      growth: (grown('sender') + grown('receiver')) / 1e6,
    },
  }
}

function perCpuSecond(result: FlowResult): number {
  return result.pps / (result.cpu.sender + result.cpu.receiver)
}

/** The result with the median rate, whole, rather than a mixture of several. */
function medianOf(results: readonly FlowResult[]): FlowResult {
  return results.toSorted((a, b) => a.pps - b.pps)[results.length >> 1]
}
