/**
 * Network namespaces of this process's own, without root: what is made inside of them (links, TUN devices, routes, NAT, processes) is gone
 * with the process that opened them, however that ends. For Linux.
 *
 *     const network = await openNamespaces(['client', 'server'], `
 *       ip link add c netns client type veth peer name s netns server
 *       ip -n client addr add 10.0.0.1/24 dev c; ip -n client link set c up
 *       ip -n server addr add 10.0.0.2/24 dev s; ip -n server link set s up`)
 *     await network.run('client', ['ping', '-c', '1', '10.0.0.2'])
 *     await network.close()
 *
 * One user namespace holds all of them, and a process namespace, whose first process waits for the end of its input: when that ends,
 * the kernel kills every process inside.
 */

import { type ChildProcess, type SpawnOptions, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'

/** Root inside, with a file system of its own for /run, where `ip netns` keeps its names. */
const UNSHARE = ['unshare', '--user', '--map-root-user', '--net', '--mount', '--pid', '--fork', '--kill-child']

const PRELUDE = `set -e
  mount -t tmpfs tmpfs /run
  mount -t proc proc /proc`

const OPEN_TIMEOUT_MS = 20_000

export interface Namespaces {
  /** Runs a command in a namespace to its end and resolves with what it printed. Rejects with what it said when it fails. */
  run(namespace: string, command: readonly string[]): Promise<string>
  /** Starts one there. It ends with the namespaces at the latest. */
  spawn(namespace: string, command: readonly string[], options?: SpawnOptions): ChildProcess
  /** What stands in front of a command that is to run there, for those who start it themselves. */
  within(namespace: string): string[]
  /** Ends all processes inside, and with them everything. Idempotent. */
  close(): Promise<void>
}

/** Why there can be no namespaces here, in one sentence; undefined: there can. */
export function whyNoNamespaces(): string | undefined {
  if (process.platform !== 'linux') return `network namespaces are Linux's, and this is ${process.platform}`
  const { status, error, stderr } = spawnSync(
    UNSHARE[0],
    [...UNSHARE.slice(1), 'sh', '-c', `${PRELUDE}\nip netns add a`],
    {
      encoding: 'utf8',
    },
  )
  if (status === 0) return undefined
  return `no network namespaces here: ${error?.message ?? stderr.trim().split('\n')[0]}${HINT}`
}

const HINT = ' (on Ubuntu 24.04 or newer: sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0)'

/**
 * Makes the namespaces, each with loopback up, and runs a script of `sh` that connects them; in it, the first command that fails ends it
 * all. Rejects with what that said.
 */
export async function openNamespaces(names: readonly string[], script: string): Promise<Namespaces> {
  const make = names.map(name => `ip netns add ${name}; ip -n ${name} link set lo up`).join('\n')
  const holder = spawn(
    UNSHARE[0],
    [...UNSHARE.slice(1), 'sh', '-c', `${PRELUDE}\n${make}\n${script}\necho ready\ncat > /dev/null`],
    { stdio: ['pipe', 'pipe', 'pipe'] },
  )
  let said = ''
  holder.stderr.setEncoding('utf8').on('data', text => {
    said = (said + text).slice(-2000)
  })
  // It has ended: 'close' says so.
  holder.stdin.on('error', () => {})
  const ended = new Promise<void>(resolve => holder.once('close', () => resolve()))
  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(() => holder.kill('SIGKILL'), OPEN_TIMEOUT_MS)
    const settle = (act: () => void): void => {
      clearTimeout(timer)
      act()
    }
    holder.stdout.setEncoding('utf8').on('data', text => /^ready$/m.test(text) && settle(resolve))
    holder.once('error', error => settle(() => reject(error)))
    holder.once('close', () => settle(() => reject(new Error(`the namespaces cannot be made: ${said.trim()}`))))
  })
  const inside = firstChild(holder.pid as number)
  const within = (namespace: string): string[] => [
    ...['nsenter', '--target', inside, '--user', '--net', '--mount', '--pid', '--preserve-credentials'],
    `--wd=${process.cwd()}`,
    ...['ip', 'netns', 'exec', namespace],
  ]

  const start = (namespace: string, command: readonly string[], options: SpawnOptions = {}): ChildProcess => {
    const [program, ...args] = [...within(namespace), ...command]
    return spawn(program, args, options)
  }

  return {
    within,
    spawn: start,
    async run(namespace, command) {
      const child = start(namespace, command, { stdio: ['ignore', 'pipe', 'pipe'] })
      let output = ''
      let errors = ''
      child.stdout?.setEncoding('utf8').on('data', text => (output += text))
      child.stderr?.setEncoding('utf8').on('data', text => (errors += text))
      const [status] = await once(child, 'close')
      if (status === 0) return output
      throw new Error(
        `'${command.join(' ')}' in ${namespace} ended with status ${status}: ${(errors || output).trim()}`,
      )
    },
    async close() {
      holder.stdin.end()
      await ended
    },
  }
}

/** `unshare` forks: the process whose namespaces are meant is its child. */
function firstChild(pid: number): string {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ')[0]
}
