/**
 * Measures the kernel backend where it can run: on this machine, or inside User Mode Linux.
 *
 * It makes the namespaces of netem/topology.sh, and removes them.
 */
import { type ChildProcess, fork, spawn } from 'node:child_process'
import type { Socket } from 'node:dgram'
import { once } from 'node:events'
import { release } from 'node:os'
import { fileURLToPath } from 'node:url'
import { enterWords, topology } from '../../src/link/kernel/kernel-link.ts'
import { KERNEL_SERVER } from '../../src/link/kernel/kernel-topology.ts'
import type { Direction } from '../../src/link/profile/profile.ts'
import { type Backend, type Measurement, measure, type Plan } from './measurement.ts'
import type { PlayerOrder } from './player.ts'

const PORT = 4433
// From the top of the repository, so that it is found from the bundle, too (see bundle.ts).
const SOCKET_SCRIPT = fileURLToPath(new URL('./socket-in-namespace.mjs', import.meta.url))

/** `player`: the command that starts player.ts. `progress` gets a line for each step. */
export async function measureKernel(
  plan: Plan,
  playerArguments: readonly string[],
  progress: (line: string) => void,
): Promise<Measurement> {
  topology('up')
  let player: Player | undefined
  try {
    const [client, server] = await Promise.all([
      socketIn('client', '0.0.0.0', 0),
      socketIn('server', KERNEL_SERVER.ipv4, PORT),
    ])
    player = new Player(playerArguments)
    const result = await measure(kernelBackend(client, server, player), plan, progress)
    client.close()
    server.close()
    return { backend: 'kernel', ...result, notes: [`kernel: Linux ${release()}`] }
  } finally {
    player?.close()
    topology('down')
  }
}

function kernelBackend(client: Socket, server: Socket, control: Player): Backend {
  const target = { host: KERNEL_SERVER.ipv4, port: PORT }
  const words = { up: enterWords('server'), down: enterWords('client') }
  return {
    sockets: { client, server, target: () => target, napMs: 0 },
    set: link => control.ask({ order: 'set', link }),
    play: profile => control.ask({ order: 'play', profile }),
    async corrupted() {
      const [up, down] = await Promise.all([checksumErrors(words.up), checksumErrors(words.down)])
      return { up, down } satisfies Partial<Record<Direction, number>>
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

/** Packets that were dropped there for a wrong checksum, of IP or of UDP. */
async function checksumErrors([command, ...rest]: string[]): Promise<number> {
  const child = spawn(command, [...rest, 'cat', '/proc/net/snmp'], { stdio: ['ignore', 'pipe', 'inherit'] })
  let text = ''
  child.stdout.setEncoding('utf8').on('data', chunk => (text += chunk))
  await once(child, 'close')
  return counter(text, 'Udp', 'InCsumErrors') + counter(text, 'Ip', 'InHdrErrors')
}

/** /proc/net/snmp has for each protocol a line of names and a line of numbers. */
function counter(snmp: string, protocol: string, name: string): number {
  const [names, values] = snmp
    .split('\n')
    .filter(line => line.startsWith(`${protocol}: `))
    .map(line => line.split(' '))
  return Number(values[names.indexOf(name)])
}

/** The process that sets and plays profiles, so that the probe's loop does not wait for `tc`. */
class Player {
  readonly #child: ChildProcess

  constructor(playerArguments: readonly string[]) {
    const [script, ...rest] = playerArguments
    this.#child = fork(script, rest, { serialization: 'advanced' })
  }

  async ask(order: PlayerOrder): Promise<void> {
    const answer = new Promise<void>((resolve, reject) => {
      const settle = (message: unknown) => {
        this.#child.off('exit', gone)
        if (message === 'done') resolve()
        else reject(new Error(String(message)))
      }
      const gone = (code: number | null) => {
        this.#child.off('message', settle)
        reject(new Error(`the player ended with status ${code}`))
      }
      this.#child.once('message', settle)
      this.#child.once('exit', gone)
    })
    this.#child.send(order)
    await answer
  }

  close(): void {
    this.#child.kill('SIGKILL')
  }
}
