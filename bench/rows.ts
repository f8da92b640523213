/** What the benchmarks print for people. */

import { cpus, loadavg } from 'node:os'
import type { Estimate } from '../src/stats/bootstrap.ts'
import { ascending, percentile } from '../src/stats/statistics.ts'
import type { ApiAbuseResult } from './api-abuse.ts'
import type { ChurnResult } from './churn.ts'
import type { Held } from './churn-proxy.ts'
import type { ClientsBenchResult } from './clients.ts'
import type { EmulatorBenchRow } from './emulator.ts'
import type { FloodResult } from './flood.ts'
import { CONTENDERS, type GoodputResult } from './goodput.ts'
import type { HandshakeBenchResult, Percentiles } from './handshake.ts'
import type { LoadResult } from './load.ts'
import type { MovingResult, RestartSteps } from './moving.ts'
import type { PeersBenchResult } from './peers.ts'
import type { Ratios, ScrapeBenchResult, ScrapeCost } from './scrape.ts'
import type { StagesResult } from './stages.ts'
import type { TunBenchResult } from './tun.ts'
import type { FlowResult, TunnelBenchResult } from './tunnel.ts'

export function handshakeRows({ runs, quic, session, cold }: HandshakeBenchResult): string {
  const row = (name: string, { p50, p95, p99 }: Percentiles): string[] => [
    name,
    ...[p50, p95, p99].map(ms => ms.toFixed(2)),
  ]
  return [
    `${machine()}, ${runs} runs, ms`,
    '',
    table([['', 'p50', 'p95', 'p99'], row('QUIC handshake', quic), row('CONNECT-IP session', session)]),
    '',
    `the very first connection of both processes: ${cold.quic.toFixed(2)} and ${cold.session.toFixed(2)}`,
  ].join('\n')
}

export function tunnelRows(result: TunnelBenchResult): string {
  const { tunnel, ceiling, ratio, ratios, cpuRatio } = result
  const { batchedCeiling, batchedRatio, batchedRatios = [], batchedCpuRatio = 0 } = result
  const { quiche, engineRatio = 0, engineRatios = [], engineCpuRatio = 0 } = result
  return [
    flowRows({
      tunnel,
      ...(quiche !== undefined && { quiche }),
      ceiling,
      ...(batchedCeiling !== undefined && { batched: batchedCeiling }),
    }),
    '',
    ...(quiche === undefined ? [] : [ratioRow('tunnel on quiche', engineRatio, engineRatios, engineCpuRatio)]),
    ratioRow('ceiling', ratio, ratios, cpuRatio),
    batchedRatio === undefined
      ? 'batched ceiling: this machine has no UDP in batches'
      : ratioRow('batched ceiling', batchedRatio, batchedRatios, batchedCpuRatio),
  ].join('\n')
}

export function peersRows({ tunnel, connectIpGo, ratio, ratios, cpuRatio }: PeersBenchResult): string {
  const flows = flowRows({ 'masque-lab': tunnel, 'connect-ip-go': connectIpGo })
  return `${flows}\n\n${ratioRow('packets of connect-ip-go', ratio, ratios, cpuRatio)}`
}

export function clientsRows({ runs, bytesPerTunnel, heldPerTunnel, ratio }: ClientsBenchResult): string {
  return [
    loadRows(runs),
    '',
    `memory of a tunnel beyond the first: ${(bytesPerTunnel / 1000).toFixed(0)} KB resident; on the heap and in buffers ${(heldPerTunnel / 1000).toFixed(0)} KB`,
    `packets/s of the most clients against the fewest: ${ratio.toFixed(3)}`,
  ].join('\n')
}

export function emulatorRows(rows: readonly EmulatorBenchRow[]): string {
  const header = [
    '',
    'offered/s',
    'arrived/s',
    'self p50',
    'self p99',
    'out. p50',
    'out. p99',
    'direct p50',
    'direct p99',
    'per CPU s',
  ]
  const ms = ({ p50, p99 }: { p50: number; p99: number }): string[] => [p50.toFixed(3), p99.toFixed(3)]
  const lines = rows.map(({ name, offeredPerSecond, probe, counters, perCpuSecond }) => [
    name,
    ...[offeredPerSecond, probe.receivedPerSecond].map(value => value.toFixed(0)),
    ...ms(counters.timing),
    ...(name.includes('+-') ? ['-', '-'] : ms(probe.through)),
    ...ms(probe.direct),
    perCpuSecond?.toFixed(0) ?? '-',
  ])
  return `${machine()}; lateness in ms, one direction, 1200 bytes\n\n${table([header, ...lines])}`
}

export function flowRows(flows: Record<string, FlowResult>): string {
  const header = ['', 'packets/s', 'Mbit/s', 'loss', 'CPU send', 'CPU recv', 'MB send', 'MB recv', 'MB growth']
  const rows = Object.entries(flows).map(([name, flow]) => [
    name,
    flow.pps.toFixed(0),
    flow.mbps.toFixed(0),
    `${(flow.loss * 100).toFixed(2)} %`,
    flow.cpu.sender.toFixed(2),
    flow.cpu.receiver.toFixed(2),
    flow.rssMb.sender.toFixed(0),
    flow.rssMb.receiver.toFixed(0),
    flow.rssMb.growth.toFixed(1),
  ])
  return `${machine()}\n\n${table([header, ...rows])}`
}

export function churnRows({
  seconds,
  tunnels,
  vanished,
  lostPings,
  before,
  middle,
  end,
  after,
  growth,
}: ChurnResult): string {
  const header = ['', 'connections', 'tunnels', 'leases', 'descriptors', 'heap MB', 'resident MB']
  const row = (name: string, held: Held): string[] => [
    name,
    ...[held.connections, held.tunnels, held.leases, held.descriptors ?? '-'].map(String),
    (held.heapBytes / 1e6).toFixed(1),
    (held.rssBytes / 1e6).toFixed(0),
  ]
  const rows = [row('before', before), row('half way', middle), row('at the end', end), row('all gone', after)]
  return [
    `${machine()}, ${seconds} s, ${tunnels} tunnels, of which ${vanished} vanished; ${lostPings} pings lost`,
    '',
    table([header, ...rows]),
    '',
    `growth in the second half: heap ${(growth.heapBytes / 1000).toFixed(0)}, resident ${(growth.rssBytes / 1000).toFixed(0)} KB a minute`,
  ].join('\n')
}

export function scrapeRows(result: ScrapeBenchResult): string {
  const { clients, alone, cost, share, besideTunnelMs, rate, cores, pps } = result
  const row = ({ cpuMs, wallMs, lines, bytes }: ScrapeCost): string =>
    `${cpuMs.estimate.toFixed(2)} ms of CPU time (95 %: ${cpuMs.low.toFixed(2)} to ${cpuMs.high.toFixed(2)}); answered in ${wallMs.p50.toFixed(1)} ms (p50), ${wallMs.p99.toFixed(1)} ms (p99); ${lines} time series, ${bytes} bytes`
  const percent = ({ estimate, low, high }: Estimate): string =>
    `${(100 * estimate).toFixed(2)} % (95 %: ${(100 * low).toFixed(2)} to ${(100 * high).toFixed(2)})`
  return [
    `${machine()}, ${clients} clients, load ${loadavg()[0].toFixed(1)}`,
    '',
    `a scrape without clients: ${row(alone)}`,
    `with ${clients}: ${row(cost)}`,
    `one a second takes ${percent(share)} of a tunnel's packets (${Math.round(pps)} a second), as ${rate.toFixed(1)} a second say`,
    `CPU time that one takes from it: ${besideTunnelMs.estimate.toFixed(2)} ms (95 %: ${besideTunnelMs.low.toFixed(2)} to ${besideTunnelMs.high.toFixed(2)}), a tenth of that in per cent of a core; the proxy had ${cores.toFixed(2)} of one`,
  ].join('\n')
}

export function apiAbuseRows({ pairs, throughput, perCpuSecond, pps, abuse }: ApiAbuseResult): string {
  return [
    `${machine()}, ${pairs} pairs, load ${loadavg()[0].toFixed(1)}`,
    '',
    `packets/s with abuse / without (${Math.round(pps)}): ${withInterval(throughput)}`,
    `the same per CPU second of the proxy: ${withInterval(perCpuSecond)}`,
    `the abuse, in all: ${abuse.connections} connections, of which ${abuse.answered} were answered`,
  ].join('\n')
}

function withInterval({ estimate, low, high }: Ratios['throughput']): string {
  return `${estimate.toFixed(4)} (95 %: ${low.toFixed(4)} to ${high.toFixed(4)})`
}

export function stageRows({ stages, total, packets }: StagesResult): string {
  const rows = [...Object.entries(stages), ['all of it', total] as const].map(([name, ns]) => {
    const share = `${((ns / total) * 100).toFixed(0)} %`
    return name.padEnd(72) + ns.toFixed(0).padStart(8) + share.padStart(8)
  })
  return [`${machine()}, ${packets} packets, ns each`, '', ...rows].join('\n')
}

export function tunRows({ results, ratios, pingRatio, skipped }: TunBenchResult): string {
  const header = ['Mbit/s', 'up', 'down', 'up x4', 'down x4', 'UDP', 'ping p50', 'ping p99', 'first', 'CPU s/GB', 'MB']
  const rows = Object.entries(results).map(([name, figures]) => [
    name,
    ...[figures.up, figures.down, figures.up4, figures.down4, figures.udp].map(mbps => mbps.toFixed(0)),
    figures.pingP50.toFixed(2),
    figures.pingP99.toFixed(2),
    figures.firstPingP50.toFixed(2),
    figures.cpuPerGb.toFixed(2),
    (figures.rssBytes / 1e6).toFixed(0),
  ])
  const compared = Object.entries(ratios).map(([name, ratio]) => `ours to ${name}: ${ratio?.toFixed(2) ?? '-'}`)
  return [
    machine(),
    '',
    table([header, ...rows]),
    '',
    ...compared,
    `ping, ours to wireguardGo: ${Number.isNaN(pingRatio) ? '-' : pingRatio.toFixed(2)}`,
    ...skipped,
  ].join('\n')
}

export function loadRows(runs: readonly LoadResult[]): string {
  const header = [
    'clients',
    'up after',
    'pings lost',
    'p50',
    'p99',
    'MB idle',
    'packets/s',
    'CPU',
    'ping p50',
    'ping p99',
    'lost',
  ]
  const rows = runs.map(({ clients, acceptMs, pings, idleRssBytes, pps, cpu, victim }) => [
    String(clients),
    `${(acceptMs / 1000).toFixed(2)} s`,
    `${pings.lost}/${pings.sent}`,
    pings.p50Ms.toFixed(2),
    pings.p99Ms.toFixed(2),
    (idleRssBytes / 1e6).toFixed(0),
    pps.toFixed(0),
    cpu.proxy.toFixed(2),
    victim.p50Ms.toFixed(2),
    victim.p99Ms.toFixed(2),
    `${victim.lost}/${victim.sent}`,
  ])
  return `${machine()}; times in ms, CPU of the proxy; from packets/s on: while all send\n\n${table([header, ...rows])}`
}

export function floodRows(result: FloodResult): string {
  const { engine, seconds, perSecond, accepted, retried } = result
  const row = (name: 'quiet' | 'flooded'): string[] => {
    const { sent, lost, p50Ms, p99Ms } = result[name]
    const ms = [p50Ms, p99Ms, result.longestMs[name]].map(each => each.toFixed(2))
    return [name, ...ms, `${lost}/${sent}`, result.cpu[name].toFixed(2)]
  }
  return [
    `${machine()}, ${seconds} s each, engine ${engine}, load ${loadavg()[0].toFixed(1)}; times in ms, CPU of the proxy`,
    '',
    table([['', 'ping p50', 'ping p99', 'longest (CPU)', 'lost', 'CPU'], row('quiet'), row('flooded')]),
    '',
    `${Math.round(perSecond)} Initials a second; handshakes begun: ${accepted}; asked to come again: ${retried}`,
  ].join('\n')
}

function ratioRow(name: string, ratio: number, ratios: number[], cpuRatio: number): string {
  const rounds = ratios.map(each => each.toFixed(3)).join(', ')
  return `${ratio.toFixed(3)} of the ${name} (rounds: ${rounds}); per CPU second ${cpuRatio.toFixed(3)}`
}

export function movingRows(result: MovingResult, rttMs: number, intervalMs: number): string {
  const { move, rebind, restart, restartSteps, blocked, sameAddresses } = result
  const all: { title: string; values: readonly number[]; digits: number }[] = [
    { title: 'move: longest time between two replies, ms', values: move, digits: 1 },
    { title: 'NAT rebinding: pings without a reply', values: rebind, digits: 0 },
    { title: 'restart: from its end to the tunnel, ms', values: restart, digits: 1 },
    { title: 'UDP blocked, carrier auto: longest time between two replies, ms', values: blocked, digits: 0 },
  ]
  const measured = all.filter(({ values }) => values.length > 0)
  const column = (name: string, fraction: number): string[] => [
    name,
    ...measured.map(({ values, digits }) => percentile(ascending(values), fraction).toFixed(digits)),
  ]
  const runs = measured.map(({ values }) => values.length)
  return [
    `${machine()}, ${[...new Set(runs)].join(', ')} runs, paths of ${rttMs} ms, a ping each ${intervalMs} ms, load ${loadavg()[0].toFixed(1)}`,
    '',
    table([['', ...measured.map(({ title }) => title)], column('p50', 0.5), column('p95', 0.95), column('max', 1)]),
    ...(restart.length === 0
      ? []
      : [
          '',
          restartTable(restart, restartSteps),
          '',
          `the same addresses after ${sameAddresses} of ${restart.length} restarts`,
        ]),
  ].join('\n')
}

/** How many of the slowest are shown, each as it was. */
const SLOWEST = 3

function restartTable(restart: readonly number[], steps: readonly RestartSteps[]): string {
  const names = ['knock', 'handshake', 'settings', 'request', 'mtu', 'cpu', 'proxyCpu'] as const
  const column = (name: string, fraction: number): string[] => {
    const at = (values: readonly number[]): string => percentile(ascending(values), fraction).toFixed(1)
    return [name, ...names.map(step => at(steps.map(each => each[step])))]
  }
  const slowest = [...restart.keys()].sort((a, b) => restart[b] - restart[a]).slice(0, SLOWEST)
  return table([
    ['restart, ms', 'knock', 'handshake', 'SETTINGS', 'request', 'MTU', 'CPU of the client', '… of the proxy'],
    column('p50', 0.5),
    column('p95', 0.95),
    column('max', 1),
    ...slowest.map(run => [restart[run].toFixed(1), ...names.map(step => steps[run][step].toFixed(1))]),
  ])
}

export function goodputRows({ receiver, mbit, seconds, load, rows, skipped }: GoodputResult): string {
  const interval = ({ estimate, low, high }: Estimate): string =>
    `${estimate.toFixed(2)} (${low.toFixed(2)} to ${high.toFixed(2)})`
  const there = CONTENDERS.filter(name => rows.some(({ mean }) => mean[name] !== undefined))
  const header = ['', 'rounds', ...there, ...there.filter(name => name !== 'typescript').map(name => `ours to ${name}`)]
  const columns = rows.map(({ loss, rttMs, rounds, mean, ratio }) => [
    `${loss * 100} %, ${rttMs} ms`,
    String(rounds),
    ...there.map(name => mean[name]?.estimate.toFixed(2) ?? '-'),
    ...there.flatMap(name => {
      if (name === 'typescript') return []
      const found = ratio[name]
      return [found === undefined ? '-' : interval(found)]
    }),
  ])
  return [
    `${machine()}; load from ${load.least.toFixed(1)} to ${load.most.toFixed(1)}`,
    `Mbit/s of ${mbit}, ${receiver === 'virtual' ? 'in virtual time' : `to a receiver of ${receiver}`}, ${seconds} s each; ratios of the same round with intervals of 95 %`,
    '',
    table([header, ...columns.slice(0, 3)]),
    '',
    table([header, ...columns.slice(3)]),
    ...skipped,
  ].join('\n')
}

function machine(): string {
  return `${cpus()[0]?.model.trim() ?? 'unknown CPU'}, ${cpus().length} cores, Node ${process.versions.node}`
}

/**
 * `runs` are a header and a list of cells for each run, which stand side by side: there are more figures than runs, and a terminal of 80 columns
 * has room for five runs.
 */
function table(runs: readonly (readonly string[])[]): string {
  const widths = runs.map(cells => Math.max(...cells.map(({ length }) => length)))
  return runs[0]
    .map((_, row) =>
      runs.map((cells, i) => (i === 0 ? cells[row].padEnd(widths[i]) : cells[row].padStart(widths[i] + 3))).join(''),
    )
    .join('\n')
}
