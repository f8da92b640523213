/**
 * `bench tunnel`: how many IP packets a second one tunnel carries, and how close that is to what the machine can do.
 *
 * Two processes, 1200-byte IP packets from a userspace host at the client to one behind the proxy. Beside it, in turns,
 * the ceiling: the same datagrams through quiche and UDP with nothing of ours in between. Only the ratio of the two says
 * something about this program; the absolute numbers say more about the machine.
 */

import type { ChildProcess } from 'node:child_process'
import type { TestCertificates } from '../src/cert/make-certificates.ts'
import { type PeerOrder, type PeerReport, startPeer } from './child.ts'

const PACKET_LENGTH = 1200
/** Quarter stream id and context id, a byte each, go before the packet. */
const DATAGRAM_LENGTH = PACKET_LENGTH + 2
const WARM_UP_MS = 2_000

export interface TunnelBenchOptions {
  certificates: TestCertificates
  /** Length of one measurement. */
  seconds: number
  /** How often tunnel and ceiling take turns. */
  rounds: number
  encapsulation: PeerOrder['encapsulation']
  congestionControl: PeerOrder['congestionControl']
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
  const results: Record<PeerOrder['kind'], FlowResult[]> = { ceiling: [], tunnel: [] }
  for (let round = 1; round <= options.rounds; round++) {
    // Whoever goes first alternates, so that a machine that warms up or slows down favours neither.
    const order = round % 2 === 1 ? (['ceiling', 'tunnel'] as const) : (['tunnel', 'ceiling'] as const)
    for (const kind of order) {
      const result = await measureFlow(kind, options)
      results[kind].push(result)
      options.onRound?.(kind, round, result)
    }
  }
  const ratios = results.tunnel.map((tunnel, i) => tunnel.pps / results.ceiling[i].pps)
  return {
    tunnel: medianOf(results.tunnel),
    ceiling: medianOf(results.ceiling),
    ratio: median(ratios),
    ratios,
    cpuRatio: median(results.tunnel.map((tunnel, i) => perCpuSecond(tunnel) / perCpuSecond(results.ceiling[i]))),
  }
}

/** One measurement: starts both processes, lets them warm up, and compares two of their reports. */
export async function measureFlow(kind: PeerOrder['kind'], options: TunnelBenchOptions): Promise<FlowResult> {
  const base: Omit<PeerOrder, 'role'> = {
    kind,
    certificates: options.certificates,
    datagramLength: kind === 'ceiling' ? DATAGRAM_LENGTH : PACKET_LENGTH,
    maxUdpPayload: 1400,
    datagramQueue: 512,
    congestionControl: options.congestionControl,
    encapsulation: options.encapsulation,
    reportMs: 100,
  }
  const children: ChildProcess[] = []
  try {
    const reports: Record<PeerOrder['role'], PeerReport[]> = { sender: [], receiver: [] }
    await new Promise<void>((resolve, reject) => {
      const begin = (role: PeerOrder['role'], port?: number): void => {
        const child = startPeer({ ...base, role, port }, message => {
          if (message.type === 'report') reports[role].push(message)
          else begin('sender', message.port)
          if (role === 'receiver' && enough(reports.receiver, options.seconds)) resolve()
        })
        child.once('exit', code => reject(new Error(`the ${kind} ${role} ended early with status ${code}`)))
        children.push(child)
      }
      begin('receiver')
    })
    return compare(reports.sender, reports.receiver, kind === 'ceiling' ? DATAGRAM_LENGTH : PACKET_LENGTH)
  } finally {
    await Promise.all(children.map(stop))
  }
}

/** From the first packet on: warm-up, then the measurement. */
function enough(reports: PeerReport[], seconds: number): boolean {
  const first = reports.find(report => report.received > 0)
  const last = reports[reports.length - 1]
  return first !== undefined && last.atMs - first.atMs >= WARM_UP_MS + seconds * 1000
}

function compare(sender: PeerReport[], receiver: PeerReport[], packetLength: number): FlowResult {
  const started = (receiver.find(report => report.received > 0) as PeerReport).atMs
  const from = receiver.find(report => report.atMs >= started + WARM_UP_MS) as PeerReport
  const to = receiver[receiver.length - 1]
  // Clocks of two processes: reports are matched by how long ago they came, which is good to one report interval.
  const senderTo = sender[sender.length - 1]
  const senderFrom = sender.reduce((best, report) =>
    Math.abs(senderTo.atMs - report.atMs - (to.atMs - from.atMs)) <
    Math.abs(senderTo.atMs - best.atMs - (to.atMs - from.atMs))
      ? report
      : best,
  )
  const seconds = (to.atMs - from.atMs) / 1000
  const pps = (to.received - from.received) / seconds
  const cpu = (a: PeerReport, b: PeerReport): number => (b.cpuUs - a.cpuUs) / 1000 / (b.atMs - a.atMs)
  return {
    pps,
    mbps: (pps * packetLength * 8) / 1e6,
    // All that was ever sent against all that ever arrived, less what may still wait in the queue.
    loss: Math.max(0, 1 - (to.received + 512) / Math.max(1, senderTo.sent)),
    cpu: { sender: cpu(senderFrom, senderTo), receiver: cpu(from, to) },
    rssMb: {
      sender: senderTo.rssBytes / 1e6,
      receiver: to.rssBytes / 1e6,
      growth: (senderTo.rssBytes - senderFrom.rssBytes + to.rssBytes - from.rssBytes) / 1e6,
    },
  }
}

function perCpuSecond(result: FlowResult): number {
  return result.pps / (result.cpu.sender + result.cpu.receiver)
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  child.removeAllListeners('exit')
  const ended = new Promise(resolve => child.once('exit', resolve))
  if (child.connected) child.send('stop')
  const timer = setTimeout(() => child.kill('SIGKILL'), 3_000)
  await ended
  clearTimeout(timer)
}

function median(values: number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

/** The result with the median rate, whole, rather than a mixture of several. */
function medianOf(results: FlowResult[]): FlowResult {
  return results.toSorted((a, b) => a.pps - b.pps)[results.length >> 1]
}
