/**
 * Measures the kernel backend where it can run: on this machine, or inside User Mode Linux.
 *
 * It makes the namespaces of netem/topology.sh, and removes them.
 */
import { spawn } from 'node:child_process'
import type { Socket } from 'node:dgram'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { release } from 'node:os'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { enterWords, topology } from '../../src/link/kernel/kernel-link.ts'
import { KERNEL_SERVER } from '../../src/link/kernel/kernel-topology.ts'
import type { Direction } from '../../src/link/profile/profile.ts'
import { Child } from '../../src/process/child.ts'
import { type Backend, type Measurement, measure, type Plan } from './measurement.ts'
import type { PlayerOrders } from './player.ts'

const PORT = 4433
const SOCKET_SCRIPT = fileURLToPath(new URL('./socket-in-namespace.mjs', import.meta.url))

/** `player`: the command that starts player.ts. `progress` gets a line for each step. */
export async function measureKernel(
  plan: Plan,
  playerArguments: readonly string[],
  progress: (line: string) => void,
): Promise<Measurement> {
  topology('up')
  let player: Child<PlayerOrders> | undefined
  try {
    const [client, server] = await Promise.all([
      socketIn('client', '0.0.0.0', 0),
      socketIn('server', KERNEL_SERVER.ipv4, PORT),
    ])
    // A process of its own, so that the probe's loop does not wait for `tc`.
    const [script, ...rest] = playerArguments
    player = new Child<PlayerOrders>(pathToFileURL(script), { name: 'the player', arguments: rest })
    const result = await measure(kernelBackend(client, server, player), plan, progress)
    client.close()
    server.close()
    return { backend: 'kernel', ...result, notes: [`kernel: Linux ${release()}`] }
  } finally {
    await player?.close()
    topology('down')
  }
}

function kernelBackend(client: Socket, server: Socket, control: Child<PlayerOrders>): Backend {
  const target = { host: KERNEL_SERVER.ipv4, port: PORT }
  const words = { up: enterWords('server'), down: enterWords('client') }
  return {
    sockets: { client, server, target: () => target, napMs: 0 },
    oneProcessor: readFileSync('/proc/cpuinfo', 'latin1').includes('User Mode Linux'),
    set: link => control.ask('set', link),
    play: profile => control.ask('play', profile),
    async counters() {
      const [up, down] = await Promise.all([countersOf(words.up), countersOf(words.down)])
      return {
        corrupted: { up: up.checksumErrors, down: down.checksumErrors } satisfies Partial<Record<Direction, number>>,
        machineLosses: up.full + down.full + backlogDrops(),
        // It has no process of its own.
        timing: { lateMs: 0, lateShare: 0, stalledMs: 0 },
      }
    },
  }
}

/** A UDP socket in the namespace of one end. */
async function socketIn(who: 'client' | 'server', address: string, port: number): Promise<Socket> {
  const [command, ...rest] = enterWords(who)
  const child = spawn(command, [...rest, process.execPath, SOCKET_SCRIPT, address, String(port)], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  const failed = once(child, 'exit').then(([code]) => {
    throw new Error(`no socket in the namespace of the ${who}: status ${code}`)
  })
  const received = new Promise<Socket>(resolve => child.once('message', (_, socket) => resolve(socket as Socket)))
  failed.catch(() => {})
  return await Promise.race([received, failed])
}

/** Packets that were dropped there for a wrong checksum, of IP or of UDP, and those for which a socket's buffer was full. */
async function countersOf([command, ...rest]: string[]): Promise<{ checksumErrors: number; full: number }> {
  const child = spawn(command, [...rest, 'cat', '/proc/net/snmp'], { stdio: ['ignore', 'pipe', 'inherit'] })
  let text = ''
  child.stdout.setEncoding('utf8').on('data', chunk => (text += chunk))
  await once(child, 'close')
  return {
    checksumErrors: counter(text, 'Udp', 'InCsumErrors') + counter(text, 'Ip', 'InHdrErrors'),
    full: counter(text, 'Udp', 'RcvbufErrors') + counter(text, 'Udp', 'SndbufErrors'),
  }
}

/** Packets for which the queue between a device and the protocols was full: by processor, in the second column (hexadecimal). */
function backlogDrops(): number {
  const lines = readFileSync('/proc/net/softnet_stat', 'latin1').trim().split('\n')
  return lines.reduce((sum, line) => sum + Number.parseInt(line.split(' ')[1], 16), 0)
}

/** /proc/net/snmp has for each protocol a line of names and a line of numbers. */
function counter(snmp: string, protocol: string, name: string): number {
  const [names, values] = snmp
    .split('\n')
    .filter(line => line.startsWith(`${protocol}: `))
    .map(line => line.split(' '))
  return Number(values[names.indexOf(name)])
}
