/**
 * The same pings and the same flow over the same profile, once through CONNECT-IP and once through WireGuard, side by side in one chart.
 *
 *     labs/lab-04-impairment/netem/wireguard.sh [PROFILE] [--svg FILE]
 *
 * That script makes namespaces with a WireGuard tunnel in them, starts this, and removes everything afterwards. WireGuard's ends use the
 * kernel's sockets and CONNECT-IP's a userspace host, so compare what the link does to them, not microseconds.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { CdfFigure } from '../../src/experiment/charts/figure.ts'
import { svgFigure } from '../../src/experiment/charts/svg.ts'
import { terminalFigure } from '../../src/experiment/charts/terminal.ts'
import { loadProfile } from '../../src/link/profile/load-profile.ts'
import { wilson } from '../../src/stats/intervals.ts'
import { percentileOf } from '../../src/stats/statistics.ts'
import { themeFor } from '../kit/ui/theme.ts'
import { measureProfile, SECONDS } from './measure.ts'
import type { WireguardFigures } from './netem/wireguard-probe.ts'

const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url))
const SCRIPT = here('netem/wireguard.sh')
const PROBE = here('netem/wireguard-probe.ts')
const EMULATOR = here('../../bin/masque-lab.mjs')

interface Side {
  name: string
  /** ms, of the pings that were answered. */
  rttMs: number[]
  sent: number
  /** Packets of the flow. */
  flow: { sent: number; received: number }
}

const children: ChildProcess[] = []

/** Node in one of the namespaces. */
function inside(namespace: string, ...args: string[]): ChildProcess {
  const child = spawn('ip', ['netns', 'exec', `masque-wg-${namespace}`, process.execPath, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  children.push(child)
  return child
}

/** Resolves with the first output that matches. */
async function says(child: ChildProcess, what: RegExp): Promise<string> {
  let output = ''
  const matches = new Promise<string>(resolve => {
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      output += text
      if (what.test(output)) resolve(output)
    })
  })
  const ends = once(child, 'close').then(() => {
    if (what.test(output)) return output
    throw new Error(`it ended without ${what}: ${child.spawnargs.join(' ')}`)
  })
  return await Promise.race([matches, ends])
}

async function throughWireguard(profile: string, seed: string): Promise<Side> {
  execFileSync(SCRIPT, ['up'], { stdio: ['ignore', 'ignore', 'inherit'] })
  const link = inside(
    'link',
    EMULATOR,
    ...['netem', 'run', profile, '--json', '--seed', seed],
    ...['--listen', '198.18.40.2:51820', '--to', '198.18.41.1:51820'],
  )
  const echo = inside('server', '--import', 'tsx', PROBE, 'echo', '10.91.0.1')
  await Promise.all([says(link, /./), says(echo, /ready/)])
  const probe = inside('client', '--import', 'tsx', PROBE, 'probe', '10.91.0.1', String(SECONDS))
  const output = await says(probe, /\}\s*$/)
  const { pings, flow } = JSON.parse(output) as WireguardFigures
  return { name: 'WireGuard', rttMs: pings.flatMap(({ rttMs }) => rttMs ?? []), sent: pings.length, flow }
}

async function throughConnectIp(profile: string, seed: string): Promise<Side> {
  const { pings, goodput } = await measureProfile(loadProfile(profile), seed)
  const sent = 25 * SECONDS
  return {
    name: 'CONNECT-IP',
    rttMs: pings.flatMap(({ rttMs }) => rttMs ?? []),
    sent: pings.length,
    flow: { sent, received: Math.round((sent * goodput.receivedKbit) / goodput.offeredKbit) },
  }
}

function table(sides: readonly Side[]): string {
  const ms = (value: number) => `${value.toFixed(1)} ms`
  const share = (lost: number, of: number) => {
    const { low, high } = wilson(lost, of, 0.95)
    return `${((100 * lost) / of).toFixed(2)} % [${(low * 100).toFixed(2)}, ${(high * 100).toFixed(2)}]`
  }
  const rows: [string, (side: Side) => string][] = [
    ['', side => side.name],
    ['round trip, median', side => ms(percentileOf(side.rttMs, 0.5))],
    ['round trip, p95', side => ms(percentileOf(side.rttMs, 0.95))],
    ['pings lost', side => share(side.sent - side.rttMs.length, side.sent)],
    ['flow: packets lost', side => share(Math.max(0, side.flow.sent - side.flow.received), side.flow.sent)],
  ]
  return rows
    .map(([name, of]) => `  ${name.padEnd(20)}${sides.map(side => of(side).padEnd(26)).join('')}`.trimEnd())
    .join('\n')
}

async function main(args: readonly string[]): Promise<void> {
  const at = args.indexOf('--svg')
  const svg = at < 0 ? undefined : args[at + 1]
  const profile = args.find((arg, i) => !arg.startsWith('-') && (at < 0 || i !== at + 1)) ?? 'lte'
  loadProfile(profile)
  const seed = 'side by side'
  console.error(`${profile} through WireGuard, ${SECONDS} s ...`)
  const wireguard = await throughWireguard(profile, seed)
  console.error(`${profile} through CONNECT-IP, ${SECONDS} s ...`)
  const connectIp = await throughConnectIp(profile, seed)
  const sides = [connectIp, wireguard]
  const figure: CdfFigure = {
    kind: 'cdf',
    id: 'connect-ip-and-wireguard',
    title: `Round trips over ${profile}: CONNECT-IP and WireGuard`,
    note: `Share of the pings that were answered within so long; ${connectIp.sent} pings each`,
    xLabel: 'round trip, ms',
    yLabel: 'share',
    log: false,
    series: sides.map(({ name, rttMs }) => ({ name, values: rttMs })),
  }
  const unicode = themeFor().marks.range !== themeFor({ LANG: 'C' }).marks.range
  console.log(terminalFigure(figure, { width: Math.min(100, process.stdout.columns || 80), unicode }))
  console.log(table(sides))
  if (svg !== undefined) writeFileSync(svg, svgFigure(figure))
}

let status = 0
try {
  await main(process.argv.slice(2))
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error))
  status = 1
} finally {
  for (const child of children) child.kill()
}
process.exit(status)
