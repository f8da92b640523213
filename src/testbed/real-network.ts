/**
 * A small Internet in network namespaces, with real interfaces and without root:
 *
 *     client                         proxy                          web
 *     192.0.2.2 ---- (profile) ---- 192.0.2.1   198.51.100.1 ---- 198.51.100.2
 *     masque0 == tunnel ============ masque0                       HTTP on port 80, iperf3 where it is installed
 *
 * The client reaches the web server through the tunnel only: it has no other route there. Everything is gone with this process.
 */

import { spawnSync } from 'node:child_process'
import { accessSync, constants, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { makeTestCertificates } from '../cert/make-certificates.ts'
import { loadProfile } from '../link/profile/load-profile.ts'
import { makeOwnFolder, removeLeftFolders } from '../process/own-folder.ts'
import { untilReady } from '../process/until-ready.ts'
import { type Namespaces, openNamespaces, whyNoNamespaces } from './namespaces.ts'
import { TestbedError } from './orders.ts'

export const NAMESPACES = ['client', 'proxy', 'web'] as const
export type NamespaceName = (typeof NAMESPACES)[number]

/** The web server, as the client reaches it. */
export const WEB = { ipv4: '198.51.100.2', ipv6: '2001:db8:100::2' }

const PROXY = '192.0.2.1'
const PORT = 4433
/** Of the emulated link, where there is one: the client then speaks with the proxy through it. */
const LINK_PORT = 4434

const SCRIPT = `
  ip link add c0 netns client type veth peer name p0 netns proxy
  ip link add p1 netns proxy type veth peer name w0 netns web
  up() { ip -n $1 addr add $3 dev $2; ip -n $1 addr add $4 dev $2 nodad; ip -n $1 link set $2 up; }
  up client c0 192.0.2.2/24 2001:db8:2::2/64
  up proxy p0 ${PROXY}/24 2001:db8:2::1/64
  up proxy p1 198.51.100.1/24 2001:db8:100::1/64
  up web w0 ${WEB.ipv4}/24 ${WEB.ipv6}/64
  ip -n web route add default via 198.51.100.1
  ip -n web route add default via 2001:db8:100::1`

const PROGRAM = fileURLToPath(new URL('../../bin/masque-lab.mjs', import.meta.url))
const WEB_SERVER = fileURLToPath(new URL('./web-server.mjs', import.meta.url))
const START_TIMEOUT_MS = 30_000
/** Of the folder with certificates, keys and configuration files. */
const FOLDER = 'testbed'

export interface RealNetworkOptions {
  /** An impairment profile for the link between client and proxy: a name, or a file. Default: the bare veth pair. */
  profile?: string
  /** Hears of each step that is done. */
  onStep?: (what: string) => void
  /** Ends everything inside when it is aborted. */
  signal?: AbortSignal
}

export interface RealNetwork extends Pick<Namespaces, 'run' | 'spawn'> {
  /** Ends everything inside. Idempotent. */
  close(): Promise<void>
}

/** Why there can be no such network here, in one sentence; undefined: there can. `programs`: what is to run in it. */
export function whyNoRealNetwork(programs: readonly string[] = [], tunDevice = '/dev/net/tun'): string | undefined {
  const why = whyNoNamespaces()
  if (why !== undefined) return why
  try {
    accessSync(tunDevice, constants.R_OK | constants.W_OK)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    const todo =
      code === 'ENOENT' ? 'load the module with modprobe tun' : `have somebody who may run: chmod 666 ${tunDevice}`
    return `no TUN devices here, ${tunDevice} cannot be opened (${code}): ${todo}`
  }
  const missing = programs.find(program => spawnSync(program, ['-V']).error !== undefined)
  return missing === undefined ? undefined : `the command ${missing} is missing here`
}

/** Rejects with what failed, and what it said; nothing is left then. */
export async function openRealNetwork({
  profile,
  onStep = () => {},
  signal,
}: RealNetworkOptions = {}): Promise<RealNetwork> {
  signal?.throwIfAborted()
  // Before anything is started: a name that is wrong should be said at once.
  if (profile !== undefined) loadProfile(profile)
  removeLeftFolders(FOLDER)
  const folder = makeOwnFolder(FOLDER)
  let network: Namespaces | undefined
  const close = async (): Promise<void> => {
    signal?.removeEventListener('abort', leave)
    await network?.close()
    rmSync(folder, { recursive: true, force: true })
  }
  // What is being waited for inside ends then, and says so.
  const leave = (): void => void network?.close()
  signal?.addEventListener('abort', leave, { once: true })
  try {
    const certificates = await makeTestCertificates(folder)
    signal?.throwIfAborted()
    network = await openNamespaces(NAMESPACES, SCRIPT)
    signal?.throwIfAborted()
    onStep('namespaces client, proxy and web, and the links between them')
    await started(network, 'web', [process.execPath, WEB_SERVER], /listening/)
    onStep(`web server at http://${WEB.ipv4}/ and http://[${WEB.ipv6}]/`)
    if (await has(network, 'iperf3')) {
      network.spawn('web', ['iperf3', '-s'], { stdio: 'ignore' })
      onStep(`iperf3 server at ${WEB.ipv4}`)
    }
    const server = join(folder, 'server.toml')
    writeFileSync(server, serverConfig(certificates))
    await started(network, 'proxy', [process.execPath, PROGRAM, 'server', '-c', server], /^Ctrl-C stops it/m)
    onStep(`proxy at ${PROXY}, UDP port ${PORT}, with a TUN device and NAT`)
    if (profile !== undefined) {
      const link = ['netem', 'run', profile, '--listen', `${PROXY}:${LINK_PORT}`, '--to', `${PROXY}:${PORT}`]
      await started(network, 'proxy', [process.execPath, PROGRAM, ...link], /^to change it/m)
      onStep(`link ${profile} between client and proxy`)
    }
    const client = join(folder, 'client.toml')
    writeFileSync(client, clientConfig(certificates, profile === undefined ? PORT : LINK_PORT))
    await started(network, 'client', [process.execPath, PROGRAM, 'client', '-c', client, '--tun'], /^TUN /m)
    onStep('tunnel, with a TUN device at the client')
    const { run, spawn } = network
    return { run, spawn, close }
  } catch (error) {
    await close()
    throw signal?.aborted ? signal.reason : error
  }
}

function serverConfig({ server, serverKey }: { server: string; serverKey: string }): string {
  return `
[listen]
host = "${PROXY}"
port = ${PORT}
names = ["localhost"]
[tls]
certificate = "${server}"
key = "${serverKey}"
[pool]
ipv4 = "10.89.0.0/24"
ipv6 = "fd00:89::/64"
[[routes]]
prefix = "198.51.100.0/24"
[[routes]]
prefix = "2001:db8:100::/64"
[tun]
nat = true
[api]
enabled = false
`
}

function clientConfig({ ca }: { ca: string }, port: number): string {
  return `
[proxy]
template = "https://localhost:${PORT}/.well-known/masque/ip/{target}/{ipproto}/"
address = "${PROXY}:${port}"
[tls]
ca = "${ca}"
`
}

async function has(network: Namespaces, program: string): Promise<boolean> {
  return network.run('client', ['sh', '-c', `command -v ${program}`]).then(
    () => true,
    () => false,
  )
}

/** Starts a program that goes on, and waits until it says that it is ready. */
function started(network: Namespaces, where: NamespaceName, command: string[], ready: RegExp): Promise<void> {
  return untilReady(network.spawn(where, command, { stdio: ['ignore', 'pipe', 'pipe'] }), {
    ready,
    timeoutMs: START_TIMEOUT_MS,
    failure: (how, said) =>
      new TestbedError(`${command.slice(1).join(' ')} ${how}: ${said.trim() || 'it said nothing'}`),
  })
}
