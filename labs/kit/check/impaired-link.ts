/**
 * A proxy behind an impaired link, for the scripts in a lab's `netem/` folder: the programs are the ones that a student starts
 * by hand (`npm run server`, `npm run client`), and the link is impaired by either backend.
 *
 *     emulator:  client ──UDP── link emulator ──UDP── proxy, all on loopback
 *     kernel:    client, routers with tc netem, proxy, each in a network namespace (netem/README.md)
 *
 * With either, the profile's timeline (or its trace) begins with the client's first datagram.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Encapsulation } from '../../../src/carriers/carrier.ts'
import { makeTestCertificates } from '../../../src/cert/make-certificates.ts'
import type { EmulatorCounters } from '../../../src/link/emulator/emulator.ts'
import { startEmulatorProcess } from '../../../src/link/emulator/emulator-process.ts'
import { type Backend, chooseBackend, enterWords, KernelLink, topology } from '../../../src/link/kernel/kernel-link.ts'
import { KERNEL_SERVER } from '../../../src/link/kernel/kernel-topology.ts'
import type { Profile } from '../../../src/link/profile/profile.ts'
import type { Cleanup } from './cleanup.ts'
import type { PingPlan, Pings } from './tunnel-pings.ts'

const RUN = fileURLToPath(new URL('../../../bin/masque-lab.mjs', import.meta.url))
const TUNNEL_PINGS = fileURLToPath(new URL('./tunnel-pings.ts', import.meta.url))
const START_TIMEOUT_MS = 60_000

/** A program ended as it should not have; the message has its last words. */
class ProgramError extends Error {
  override name = 'ProgramError'
}

export interface ImpairedLink {
  backend: Backend
  /** Why it is the emulator although the kernel would have been taken too. */
  reason: string | undefined
  /** For `npm run client -- -c FILE`. */
  clientConfig(encapsulation?: Encapsulation): string
  /** Runs Node at the client's end of the link; resolves with what it prints. Rejects with ProgramError. */
  runClient(args: readonly string[]): Promise<string>
  /** What the emulator did to the packets; undefined with the kernel, which does not say. */
  counters(): Promise<EmulatorCounters | undefined>
}

/** The arguments of `runClient` that start one of the project's commands. */
export function projectCommand(name: string, ...args: string[]): string[] {
  return [RUN, name, ...args]
}

/** Pings through a tunnel over the link, from the client's end of it. */
export async function pingsThrough(link: ImpairedLink, plan: PingPlan, encapsulation?: Encapsulation): Promise<Pings> {
  const args = ['--import', 'tsx', TUNNEL_PINGS, link.clientConfig(encapsulation), JSON.stringify(plan)]
  return JSON.parse((await link.runClient(args)).trim().split('\n').at(-1) ?? '') as Pings
}

/** What it opens is closed by `cleanup`. Rejects with KernelBackendError, EmulatorError or ProgramError. */
export async function openImpairedLink(
  options: { profile: Profile; backend: Backend | 'auto'; seed: string },
  cleanup: Cleanup,
): Promise<ImpairedLink> {
  const { profile, seed } = options
  const { backend, reason } = chooseBackend(options.backend)
  const folder = cleanup.scratch()
  const certificates = await makeTestCertificates(folder)
  const kernel = backend === 'kernel'
  let timelineFailed: Promise<never> | undefined
  if (kernel) {
    topology('up')
    cleanup.defer(() => topology('down'))
    timelineFailed = (await impairByKernel(profile, cleanup)).failed
  }
  const proxy = await startProxy(
    kernel ? enterWords('server') : [],
    kernel ? `host = "${KERNEL_SERVER.ipv4}"\nport = 4433` : 'host = "127.0.0.1"\nport = 0',
    certificates,
    cleanup,
  )
  let address = proxy
  let counters: ImpairedLink['counters'] = async () => undefined
  if (!kernel) {
    const emulator = await startEmulatorProcess({ profile, seed, to: proxy })
    cleanup.defer(() => emulator.close())
    address = emulator.address
    counters = () => emulator.counters()
  }
  const words = kernel ? enterWords('client') : []
  return {
    backend,
    reason,
    counters,
    clientConfig: (encapsulation = 'datagram') => {
      const file = join(folder, `client-${encapsulation}.toml`)
      writeFileSync(file, clientToml(address, certificates.ca, encapsulation))
      return file
    },
    runClient: args => {
      const output = finished(start(words, args, cleanup))
      return timelineFailed ? Promise.race([output, timelineFailed]) : output
    },
  }
}

/**
 * Waits in a namespace until a UDP datagram has been sent there (/proc/net/snmp, OutDatagrams). It starts no program while it
 * waits: `read` from a pipe into which nobody writes is its pause.
 */
const FIRST_DATAGRAM = `
  exec 9<> <(:)
  while :; do
    while read -r name _ _ _ out _; do
      [[ $name == Udp: && $out == [1-9]* ]] && exit 0
    done </proc/net/snmp
    read -rt 0.1 -u 9
  done`

/**
 * Puts what the profile begins with on the link, and plays its timeline from the client's first datagram on. `failed`
 * rejects when the timeline cannot be played; there is none when nothing changes with time.
 */
async function impairByKernel(profile: Profile, cleanup: Cleanup): Promise<{ failed?: Promise<never> }> {
  const link = KernelLink.open()
  await link.apply({ ...profile, timeline: [] })
  const moves = [profile.up, profile.down].some(({ trace }) => trace !== undefined) || profile.timeline.length > 0
  if (!moves) return {}
  const [program, ...rest] = [...enterWords('client'), 'bash', '-c', FIRST_DATAGRAM]
  const waiting = spawn(program, rest, { stdio: 'ignore' })
  const stop = new AbortController()
  const failed = new Promise<never>((_, reject) => {
    waiting.once('error', reject)
    waiting.once('close', status => {
      if (status === 0 && !stop.signal.aborted) link.play(profile, { signal: stop.signal }).catch(reject)
    })
  })
  failed.catch(() => {}) // who runs a client hears of it
  cleanup.defer(() => {
    stop.abort()
    waiting.kill('SIGKILL')
  })
  return { failed }
}

function clientToml({ host, port }: { host: string; port: number }, ca: string, encapsulation: string): string {
  return `
    [proxy]
    template = "https://localhost:${port}/.well-known/masque/ip/{target}/{ipproto}/"
    address = "${host}:${port}"
    [tls]
    ca = ${JSON.stringify(ca)}
    [tunnel]
    encapsulation = "${encapsulation}"
    [reconnect]
    enabled = false
    [log]
    level = "error"
  `
}

async function startProxy(
  words: readonly string[],
  listen: string,
  certificates: { server: string; serverKey: string },
  cleanup: Cleanup,
): Promise<{ host: string; port: number }> {
  const file = join(cleanup.scratch(), 'server.toml')
  writeFileSync(
    file,
    `
    [listen]
    ${listen}
    [tls]
    certificate = ${JSON.stringify(certificates.server)}
    key = ${JSON.stringify(certificates.serverKey)}
    [pool]
    ipv4 = "10.89.0.0/24"
    ipv6 = "fd00:89::/64"
    [[hosts]]
    name = "echo"
    ipv4 = "10.90.0.1"
    ipv6 = "fd00:90::1"
    [auth]
    mode = "none"
    [limits]
    early_settings = false
    [api]
    enabled = false
    [log]
    level = "error"
  `,
  )
  const child = start(words, projectCommand('server', '-c', file), cleanup)
  return await new Promise((resolve, reject) => {
    let said = ''
    const timer = setTimeout(
      () => reject(new ProgramError(`the proxy did not start in ${START_TIMEOUT_MS / 1000} s`)),
      START_TIMEOUT_MS,
    )
    const hear = (text: string): void => {
      said = (said + text).slice(-2000)
      const match = /proxy +https:\/\/([^/]+):(\d+)\//.exec(said)
      if (match === null) return
      clearTimeout(timer)
      resolve({ host: match[1], port: Number(match[2]) })
    }
    child.stdout?.setEncoding('utf8').on('data', hear)
    child.stderr?.setEncoding('utf8').on('data', hear)
    child.once('close', status => {
      clearTimeout(timer)
      reject(new ProgramError(`the proxy ended with status ${status}: ${said.trim()}`))
    })
  })
}

/** `words`: what leads into a namespace. The process ends with this one, or when `cleanup` says so. */
function start(words: readonly string[], args: readonly string[], cleanup: Cleanup): ChildProcess {
  const [program, ...rest] = [...words, process.execPath, ...args]
  const child = spawn(program, rest, { stdio: ['ignore', 'pipe', 'pipe'] })
  const ended = new Promise<void>(resolve => {
    child.once('close', () => resolve())
    child.once('error', () => resolve())
  })
  cleanup.defer(async () => {
    child.kill('SIGTERM')
    await ended
  })
  return child
}

function finished(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let output = ''
    let errors = ''
    child.stdout?.setEncoding('utf8').on('data', text => {
      output += text
    })
    child.stderr?.setEncoding('utf8').on('data', text => {
      errors = (errors + text).slice(-2000)
    })
    child.once('error', error => reject(new ProgramError(error.message)))
    // A client that nothing answered ends with status 1, and has said so in its output.
    child.once('close', () => (output === '' ? reject(new ProgramError(errors.trim())) : resolve(output)))
  })
}
