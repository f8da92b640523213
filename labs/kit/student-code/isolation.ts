/**
 * The wall that the operating system puts around the process of student code: Linux can give it a network of its own, in which there is
 * nothing, and a file system in which there is little more than Node. Nobody needs to be root for that, but not every system permits it:
 * containers forbid it, and so do some distributions. So it is tried out, once.
 */
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'

export interface Isolation {
  readonly name: 'namespaces' | 'network' | 'process'
  /** What student code cannot reach even with a socket in its hands, in words for whoever grades. */
  readonly holds: string
  /** The command that carries out `first`, lines for a shell, and becomes `node`: a program and its arguments. */
  command(node: readonly string[], first: string): string[]
}

/** By Node alone. */
export const PROCESS_ONLY: Isolation = {
  name: 'process',
  holds:
    process.allowedNodeEnvironmentFlags.has('--allow-net') || Number(process.versions.node.split('.')[0]) >= 25
      ? "a process under Node's permission model: no files, processes, threads or network"
      : "a process under Node's permission model: no files, processes or threads; only what Node hides keeps it from the network",
  command: (node, first) =>
    process.platform === 'win32' ? [...node] : ['/bin/sh', '-c', `${first}; exec "$@"`, 'sh', ...node],
}

/** An empty network. Unix sockets that have a path can still be reached. */
const NETWORK: Isolation = {
  name: 'network',
  holds: 'a network namespace of its own: no TCP, UDP or abstract Unix sockets of this machine or another',
  command: (node, first) => ['unshare', '-U', '-r', '-n', ...PROCESS_ONLY.command(node, first)],
}

/** Where a new root can be put together: somewhere that Node itself does not lie in. */
const PLACES = ['/mnt', '/media', '/srv', '/tmp']

/**
 * The new root holds the system's libraries and the file of Node, and nothing that listens. Its mounts end with the process. Node keeps
 * the process id of the command, since each program becomes the next one.
 */
const NAMESPACES: Isolation = {
  name: 'namespaces',
  holds: 'namespaces of its own: no network, no Unix sockets, no files but Node and the libraries of the system',
  command(node, first) {
    const [program, ...args] = node
    const root = PLACES.find(place => existsSync(place) && !program!.startsWith(`${place}/`)) ?? '/mnt'
    const script = [
      'set -e; program=$1; shift',
      `mount -t tmpfs -o size=256k,mode=755 tmpfs ${root}`,
      'for at in /usr /bin /lib /lib32 /lib64; do',
      `  if [ -L $at ]; then ln -s "$(readlink $at)" ${root}$at`,
      `  elif [ -d $at ]; then mkdir ${root}$at; mount -o rbind $at ${root}$at; fi`,
      'done',
      `if [ ! -e "${root}$program" ]; then`,
      `  mkdir -p "${root}\${program%/*}"; : > "${root}$program"; mount -o bind "$program" "${root}$program"`,
      'fi',
      first,
      `exec chroot ${root} "$program" "$@"`,
    ].join('\n')
    return ['unshare', '-U', '-r', '-n', '-m', '-i', '/bin/sh', '-c', script, 'sh', program!, ...args]
  },
}

const TRIAL_MS = 10_000

/** The first of `candidates` in which Node starts; else what Node does alone. */
export async function firstThatWorks(candidates: readonly Isolation[]): Promise<Isolation> {
  for (const candidate of candidates) if (await starts(candidate)) return candidate
  return PROCESS_ONLY
}

async function starts(isolation: Isolation): Promise<boolean> {
  const [program, ...args] = isolation.command([process.execPath, '--version'], 'true')
  return await new Promise(resolve => {
    const env = { PATH: SYSTEM_PATH }
    const child = spawn(program!, args, { env, cwd: '/', stdio: ['ignore', 'pipe', 'ignore'], timeout: TRIAL_MS })
    let said = ''
    child.stdout.on('data', piece => {
      said += piece
    })
    child.once('error', () => resolve(false))
    child.once('close', status => resolve(status === 0 && said.trim() === process.version))
  })
}

/** Where the programs are that build the wall. Student code sees no environment at all. */
export const SYSTEM_PATH = '/usr/sbin:/usr/bin:/sbin:/bin'

let found: Promise<Isolation> | undefined

/** The strongest that this system permits. */
export function isolation(): Promise<Isolation> {
  found ??= firstThatWorks(process.platform === 'linux' ? [NAMESPACES, NETWORK] : [])
  return found
}

/** All that there are, the strongest first. */
export const ISOLATIONS: readonly Isolation[] = [NAMESPACES, NETWORK, PROCESS_ONLY]
