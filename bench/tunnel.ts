/**
 * `bench tunnel`: how many IP packets a second one tunnel carries, and how close that is to what the machine can do.
 *
 * Two processes, 1200-byte IP packets from a userspace host at the client to one behind the proxy. Beside it, in turns,
 * the ceiling: the same datagrams through quiche and UDP with nothing of ours in between. Only the ratio of the two says
 * something about this program; the absolute numbers say more about the machine.
 */

import { setTimeout as sleep } from 'node:timers/promises'
import type { TestCertificates } from '../src/cert/make-certificates.ts'
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
}

export interface TunnelBenchOptions extends FlowOptions {
  /** How often tunnel and ceiling take turns. */
  rounds: number
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
  ceiling: FlowResult
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
  const { flows, ratios, ratio, cpuRatio } = await takeTurns('tunnel', 'ceiling', options)
  return { tunnel: flows.tunnel, ceiling: flows.ceiling, ratio, ratios, cpuRatio }
}

/** Two kinds of flow, one after the other, `rounds` times: the median of each, and `ours / theirs` of each round. */
export async function takeTurns<Ours extends PeerOrder['kind'], Theirs extends PeerOrder['kind']>(
  ours: Ours,
  theirs: Theirs,
  options: TunnelBenchOptions,
): Promise<{ flows: Record<Ours | Theirs, FlowResult>; ratios: number[]; ratio: number; cpuRatio: number }> {
  const results: { ours: FlowResult[]; theirs: FlowResult[] } = { ours: [], theirs: [] }
  for (let round = 1; round <= options.rounds; round++) {
    // Whoever goes first alternates, so that a machine that warms up or slows down favours neither.
    for (const whose of round % 2 === 1 ? (['theirs', 'ours'] as const) : (['ours', 'theirs'] as const)) {
      const kind = whose === 'ours' ? ours : theirs
      const result = await measureFlow(kind, options)
      results[whose].push(result)
      options.onRound?.(kind, round, result)
    }
  }
  const compared = (value: (flow: FlowResult) => number): number[] =>
    results.ours.map((flow, i) => value(flow) / value(results.theirs[i]))
  const ratios = compared(flow => flow.pps)
  const flows = { [ours]: medianOf(results.ours), [theirs]: medianOf(results.theirs) }
  return {
    flows: flows as Record<Ours | Theirs, FlowResult>,
    ratios,
    ratio: median(ratios),
    cpuRatio: median(compared(perCpuSecond)),
  }
}

/** One measurement: starts both processes, lets them warm up, and compares their counters at its beginning and its end. */
export async function measureFlow(kind: PeerOrder['kind'], options: FlowOptions): Promise<FlowResult> {
  const packetLength = kind === 'ceiling' ? DATAGRAM_LENGTH : PACKET_LENGTH
  const { certificates, congestionControl, encapsulation } = options
  const order = { ...proxyOrder(certificates), kind, datagramLength: packetLength, congestionControl, encapsulation }
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
function medianOf(results: FlowResult[]): FlowResult {
  return results.toSorted((a, b) => a.pps - b.pps)[results.length >> 1]
}
