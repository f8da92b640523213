/**
 * `bench tun`: TCP and UDP of iperf3, and ping, between two namespaces, through a tunnel of each contender in turn. One veth pair is the
 * network between them; its own figures are the ceiling. Everything is made without root and gone with this process.
 */

import type { ChildProcess } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { Unavailable } from '../interop/harness/skip.ts'
import type { TestCertificates } from '../src/cert/make-certificates.ts'
import { ascending, median, percentile } from '../src/stats/statistics.ts'
import { type Namespaces, openNamespaces } from '../src/testbed/namespaces.ts'
import { CONTENDERS, type ContenderName, INNER, OUTER, onPath } from './tun-contenders.ts'

const PAIR = `
  ip link add v0 netns client type veth peer name v0 netns proxy
  ip -n client addr add ${OUTER.client}/24 dev v0; ip -n client link set v0 up
  ip -n proxy addr add ${OUTER.proxy}/24 dev v0; ip -n proxy link set v0 up`

/** Whoever can be measured: `veth` is the network without a tunnel. */
export const PARTICIPANTS = ['veth', ...CONTENDERS.map(({ name }) => name)] as const

const PINGS = 200
const PING_INTERVAL_S = 0.01
/** Clock ticks a second that /proc counts in, on every Linux of today. */
const TICKS = 100
const UDP_PAYLOAD = 1200

export interface TunFigures {
  /** Mbit/s of goodput, as iperf3 says: from the client up, and down to it; with one flow and with four. */
  up: number
  down: number
  up4: number
  down4: number
  /** Mbit/s of UDP payload that arrives, of datagrams of 1200 bytes sent as fast as they go. */
  udp: number
  /** ms, in a tunnel that has carried packets. */
  pingP50: number
  pingP99: number
  /** ms, of the first pings of a tunnel: V8 has not compiled yet what carries them. */
  firstPingP50: number
  /** CPU seconds of both ends for each gigabyte of `up`; of the tunnel only, not of iperf3 and the kernel's part for it. */
  cpuPerGb: number
  /** Resident memory of both ends after all of that, bytes. */
  rssBytes: number
}

export interface TunBenchResult {
  /** Medians over the rounds, of what could be run; `veth` is the network without a tunnel. */
  results: Partial<Record<ContenderName | 'veth', TunFigures>>
  /** Median over the rounds of our `up` to that of the other. */
  ratios: Partial<Record<Exclude<ContenderName, 'masqueLab'>, number>>
  /** Median over the rounds of our median ping to today's wireguard-go's. */
  pingRatio: number
  /** Why a contender is missing. */
  skipped: string[]
}

export interface TunBenchOptions {
  certificates: TestCertificates
  scratch: string
  seconds: number
  rounds: number
  /** Names of those who take part; default: all. */
  only: readonly string[] | undefined
  onProgress?: (text: string) => void
}

export async function benchTun(options: TunBenchOptions): Promise<TunBenchResult> {
  const { rounds, only, onProgress } = options
  const takesPart = (name: string): boolean => only === undefined || only.includes(name)
  const skipped: string[] = []
  const runs: TunRuns = {}
  const able: (ContenderName | 'veth')[] = takesPart('veth') ? ['veth'] : []
  if (!onPath('iperf3')) throw new Unavailable('iperf3 is not installed (Debian package iperf3)')
  for (const { name, title, prepare } of CONTENDERS) {
    if (!takesPart(name)) continue
    onProgress?.(`preparing ${title}`)
    try {
      await prepare()
      able.push(name)
    } catch (error) {
      if (!(error instanceof Unavailable)) throw error
      skipped.push(`${title}: ${error.message}`)
    }
  }
  for (let round = 0; round < rounds; round++) {
    // Whoever goes first changes, so that a machine that warms up or slows down favours nobody.
    for (const name of [...able.slice(round % able.length), ...able.slice(0, round % able.length)]) {
      const figures = await measureContender(name, options)
      runs[name] = [...(runs[name] ?? []), figures]
      onProgress?.(`round ${round + 1}: ${name} ${figures.up.toFixed(0)} Mbit/s, ping ${figures.pingP50.toFixed(2)} ms`)
    }
  }
  return { ...compareRuns(runs), skipped }
}

/** What was measured, round by round. */
type TunRuns = { [Name in ContenderName | 'veth']?: TunFigures[] }

export function compareRuns(runs: TunRuns): Omit<TunBenchResult, 'skipped'> {
  const compared = (other: ContenderName, value: (figures: TunFigures) => number): number | undefined => {
    const [ours, theirs] = [runs.masqueLab, runs[other]]
    return ours && theirs && median(ours.map((figures, i) => value(figures) / value(theirs[i])))
  }
  return {
    results: Object.fromEntries(Object.entries(runs).map(([name, figures]) => [name, medians(figures)])),
    ratios: {
      wireguardGoDebian: compared('wireguardGoDebian', ({ up }) => up),
      wireguardGo: compared('wireguardGo', ({ up }) => up),
      connectIpGo: compared('connectIpGo', ({ up }) => up),
    },
    pingRatio: compared('wireguardGo', ({ pingP50 }) => pingP50) ?? Number.NaN,
  }
}

async function measureContender(name: ContenderName | 'veth', options: TunBenchOptions): Promise<TunFigures> {
  const network = await openNamespaces(['client', 'proxy'], PAIR)
  try {
    const contender = CONTENDERS.find(each => each.name === name)
    const processes = (await contender?.start({ network, ...options })) ?? []
    return await measure(network, contender === undefined ? OUTER.proxy : INNER.proxy, processes, options.seconds)
  } finally {
    await network.close()
  }
}

async function measure(
  network: Namespaces,
  target: string,
  processes: readonly ChildProcess[],
  seconds: number,
): Promise<TunFigures> {
  await network.run('client', ['ping', '-q', '-c', '3', '-i', '0.2', '-W', '5', target])
  const first = await ping(network, target)
  network.spawn('proxy', ['iperf3', '-s'], { stdio: 'ignore' })
  const iperf = async (...args: string[]): Promise<number> => {
    const output = await network.run('client', [
      'iperf3',
      '-c',
      target,
      '-t',
      String(seconds),
      '-O',
      '1',
      '-J',
      ...args,
    ])
    const { end } = JSON.parse(output)
    return (end.sum_received ?? end.sum).bits_per_second / 1e6
  }
  const pids = processes.flatMap(child => workers(child.pid as number))
  await listening(network, target)
  const before = cpuSeconds(pids)
  const up = await iperf()
  const used = cpuSeconds(pids) - before
  const down = await iperf('-R')
  const up4 = await iperf('-P', '4')
  const down4 = await iperf('-P', '4', '-R')
  const udp = await iperf('-u', '-b', '0', '-l', String(UDP_PAYLOAD))
  const rtts = await ping(network, target)
  return {
    up,
    down,
    up4,
    down4,
    udp,
    pingP50: percentile(rtts, 0.5),
    pingP99: percentile(rtts, 0.99),
    firstPingP50: percentile(first, 0.5),
    cpuPerGb: cpuPerGb(used, up, seconds),
    rssBytes: pids.reduce((sum, pid) => sum + residentBytes(pid), 0),
  }
}

/** `up` in Mbit/s, over `seconds`. iperf3 leaves its first second out of it, and the processes have worked in that too. */
export function cpuPerGb(cpuSeconds: number, up: number, seconds: number): number {
  return cpuSeconds / ((up * (seconds + 1)) / 8000)
}

/** Round trip times in ms, ascending. */
async function ping(network: Namespaces, target: string): Promise<Float64Array> {
  const output = await network.run('client', ['ping', '-c', String(PINGS), '-i', String(PING_INTERVAL_S), target])
  return ascending([...output.matchAll(/ time=([\d.]+) ms/g)].map(([, ms]) => Number(ms)))
}

async function listening(network: Namespaces, target: string): Promise<void> {
  const script = 'for i in $(seq 100); do ss -Hltn sport = :5201 | grep -q . && exit 0; sleep 0.05; done; exit 1'
  await network.run('proxy', ['sh', '-c', script, target])
}

/** A process and all below it: `nsenter` and `sh` start what does the work. */
function workers(pid: number): number[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
    .trim()
    .split(' ')
    .filter(Boolean)
    .map(Number)
  return [pid, ...children.flatMap(workers)]
}

function cpuSeconds(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => {
    // Behind the name, which is in brackets and may hold anything: state is field 3, utime 14, stime 15.
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ') ?? []
    return sum + (Number(fields[11]) + Number(fields[12])) / TICKS
  }, 0)
}

function residentBytes(pid: number): number {
  return 1024 * Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0)
}

function medians(runs: readonly TunFigures[]): TunFigures {
  const keys = Object.keys(runs[0]) as (keyof TunFigures)[]
  return Object.fromEntries(keys.map(key => [key, median(runs.map(run => run[key]))])) as unknown as TunFigures
}
