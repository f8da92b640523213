/** For tests that `run.ts` starts: commands, namespaces and programs in them. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { fileURLToPath, pathToFileURL } from 'node:url'

const ROOT = fileURLToPath(new URL('../../../', import.meta.url))
const TSX = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href

/** Runs a command line of words without quotes; returns what it prints. Throws with what it says when it fails. */
export function sh(line: string, input?: string): string {
  const [file, ...args] = line.split(' ')
  const { status, stdout, stderr, error } = spawnSync(file, args, { encoding: 'utf8', input, timeout: 60_000 })
  if (error !== undefined || status !== 0) throw new Error(`${line}: ${error?.message ?? `${stdout}${stderr}`}`)
  return stdout
}

export function succeeds(line: string): boolean {
  const [file, ...args] = line.split(' ')
  return spawnSync(file, args, { timeout: 60_000 }).status === 0
}

export interface Program {
  readonly process: ChildProcess
  readonly output: string
  readonly ended: Promise<number | null>
}

const programs = new Set<Program>()

/** Starts a program that goes on; `namespace`: in which one. */
export function start(file: string, args: readonly string[], namespace?: string): Program {
  const prefix = namespace === undefined ? [] : ['ip', 'netns', 'exec', namespace]
  const [first, ...rest] = [...prefix, file, ...args]
  const child = spawn(first, rest, { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] })
  const program = {
    process: child,
    output: '',
    ended: once(child, 'close').then(([status]) => status as number | null),
  }
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', text => {
      program.output += text
    })
  }
  programs.add(program)
  return program
}

/** `npm run ARGUMENTS...` */
export function startCommand(args: readonly string[], namespace?: string): Program {
  return start(process.execPath, ['bin/masque-lab.mjs', ...args], namespace)
}

/** A module of TypeScript as text, with imports relative to the repository. */
export function startScript(code: string, prefix: readonly string[] = []): Program {
  const [file, ...args] = [...prefix, process.execPath, '--import', TSX, '--input-type=module', '-e', code]
  return start(file, args)
}

/** Ends what was started and is still there, and removes what a proxy that had no time to end has written down: /run is this run's own. For `afterEach`. */
export async function endPrograms(): Promise<void> {
  for (const { process } of programs) if (process.exitCode === null) process.kill('SIGKILL')
  await Promise.all([...programs].map(({ ended }) => ended))
  programs.clear()
  rmSync('/run/masque-lab', { recursive: true, force: true })
}

/** A namespace `client` (192.0.2.2 on c0) beside this run's own (192.0.2.1 on c1). */
export function makeClientNamespace(): void {
  sh('ip netns add client')
  sh('ip -n client link set lo up')
  sh('ip link add c1 type veth peer name c0 netns client')
  sh('ip addr add 192.0.2.1/24 dev c1')
  sh('ip link set c1 up')
  sh('ip -n client addr add 192.0.2.2/24 dev c0')
  sh('ip -n client link set c0 up')
}

export function removeClientNamespace(): void {
  sh('ip link del c1')
  sh('ip netns del client')
}

export function isMissing(command: string, suite: Mocha.Context, debianPackage = command): boolean {
  if (spawnSync(command, ['--version']).error === undefined) return false
  console.log(`skipped: the command ${command} is missing (Debian package ${debianPackage})`)
  suite.skip()
}

/** `line` in a namespace, or in this run's own. */
function within(namespace: string | undefined, line: string): string {
  return namespace === undefined ? line : `ip netns exec ${namespace} ${line}`
}

/** Addresses, routes, rules and settings: what must be as before when all is over. */
export function networkState(namespace?: string): string {
  const shown = [
    'ip -o addr',
    'ip route show table all',
    'ip -6 route show table all',
    'ip rule',
    'nft list ruleset',
    'grep -r . /proc/sys/net/ipv4 /proc/sys/net/ipv6 --include ip_forward --include forwarding --include accept_ra',
  ].map(line => {
    // Without nft there are no rules of it.
    const mayFail = line.startsWith('nft') && spawnSync('nft', ['--version']).error !== undefined
    return mayFail ? '' : sh(within(namespace, line))
  })
  // Link-local addresses come a moment after their link.
  const lines = shown.join('\n').split('\n')
  return lines.filter(line => !/fe80|ff00|anycast/.test(line)).join('\n')
}

/** Specifier of a module of ours for `startScript`. */
export function ours(path: string): string {
  return pathToFileURL(`${ROOT}${path}`).href
}
