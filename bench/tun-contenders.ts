/**
 * What `bench tun` compares: programs that carry packets between a TUN device in one namespace and one in the other. Each makes
 * `t0` in both, with 10.66.0.2 at the client and 10.66.0.1 at the proxy.
 */

import { type ChildProcess, execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { buildGoPrograms, goProgram, prepareGo } from '../interop/harness/go-programs.ts'
import { lastWord, Unavailable } from '../interop/harness/skip.ts'
import { runTool } from '../interop/harness/tool.ts'
import type { TestCertificates } from '../src/cert/make-certificates.ts'
import type { Namespaces } from '../src/testbed/namespaces.ts'

export const INNER = { client: '10.66.0.2', proxy: '10.66.0.1' }
export const OUTER = { client: '192.0.2.2', proxy: '192.0.2.1' }
/** Not the same name: wireguard-go keeps a socket for each name, in a folder that both ends share. */
export const DEVICE = { client: 'tc', proxy: 'tp' }

export type ContenderName = 'masqueLab' | 'wireguardGo' | 'wireguardGoDebian' | 'connectIpGo'

export interface Setting {
  network: Namespaces
  certificates: TestCertificates
  /** For keys and sockets. */
  scratch: string
}

export interface Contender {
  name: ContenderName
  title: string
  /** Installs or builds what it needs. Rejects with `Unavailable`. */
  prepare(): Promise<void>
  /** Starts both ends; resolves when packets pass, with the processes whose work is counted. They end with the namespaces. */
  start(setting: Setting): Promise<ChildProcess[]>
}

const WIREGUARD_MODULE = fileURLToPath(new URL('../interop/wireguard-go', import.meta.url))
const WIREGUARD_PORT = 51820
const PROGRAM = fileURLToPath(new URL('../bin/masque-lab.mjs', import.meta.url))
const PORT = 4433
/** What a link of 1500 bytes carries, IPv4 and UDP header taken off; of all programs alike. */
const MAX_UDP_PAYLOAD = 1452
const BUILD_TIMEOUT_MS = 180_000

export const CONTENDERS: readonly Contender[] = [
  {
    name: 'masqueLab',
    title: 'masque-lab',
    async prepare() {},
    async start({ network, certificates, scratch }) {
      const [server, client] = ['server', 'client'].map(end => join(scratch, `${end}.toml`))
      writeFileSync(server, serverConfig(certificates))
      writeFileSync(client, clientConfig(certificates))
      const proxyProcess = await said(network, 'proxy', 'Ctrl-C', [process.execPath, PROGRAM, 'server', '-c', server])
      const command = [process.execPath, PROGRAM, 'client', '-c', client, '--tun', DEVICE.client, '--tun-offload']
      return [await said(network, 'client', 'TUN ', command), proxyProcess]
    },
  },
  wireguard('wireguardGo', "today's wireguard-go", join(WIREGUARD_MODULE, 'bin', 'wireguard-go'), async () => {
    await prepareGo()
    const args = ['build', '-buildvcs=false', '-o', 'bin/wireguard-go', 'golang.zx2c4.com/wireguard']
    const { status, output } = await runTool('go', args, { cwd: WIREGUARD_MODULE, timeoutMs: BUILD_TIMEOUT_MS })
    if (status !== 0) throw new Unavailable(`today's wireguard-go cannot be built: ${lastWord(output)}`)
  }),
  wireguard('wireguardGoDebian', 'wireguard-go of Debian', 'wireguard-go', async () => {
    if (!onPath('wireguard-go')) throw new Unavailable('wireguard-go is not installed (Debian package wireguard-go)')
  }),
  {
    name: 'connectIpGo',
    title: 'connect-ip-go',
    async prepare() {
      await prepareGo()
      await buildGoPrograms()
    },
    async start({ network, certificates }) {
      const program = [goProgram('tun'), '-proxy', `${OUTER.proxy}:${PORT}`, '-packet-size', String(MAX_UDP_PAYLOAD)]
      const certificate = ['-certificate', certificates.server, '-key', certificates.serverKey]
      const assigned = ['-assigned', `${INNER.client}/32`]
      const proxyCommand = [...program, '-device', DEVICE.proxy, ...assigned, ...certificate]
      const proxy = await said(network, 'proxy', '"event":"tunnel"', proxyCommand)
      const clientCommand = [...program, '-device', DEVICE.client, '-ca', certificates.ca]
      const client = await said(network, 'client', '"event":"tunnel"', clientCommand)
      // The largest packet that fits into a QUIC packet of 1452 bytes: short header, frame, stream and context id, tag.
      await configure(network, 1410)
      return [client, proxy]
    },
  },
]

function wireguard(name: ContenderName, title: string, program: string, build: () => Promise<void>): Contender {
  return {
    name,
    title,
    async prepare() {
      if (!onPath('wg')) throw new Unavailable('wg is not installed (Debian package wireguard-tools)')
      await build()
    },
    async start({ network, scratch }) {
      const keys = { client: keyPair(), proxy: keyPair() }
      const processes: ChildProcess[] = []
      for (const end of ['client', 'proxy'] as const) {
        // Its control socket has a fixed place, in the namespaces' own /run.
        const command = `mkdir -p /run/wireguard; exec "$0" --foreground ${DEVICE[end]}`
        const child = network.spawn(end, ['sh', '-c', command, program], { stdio: ['pipe', 'ignore', 'ignore'] })
        processes.push(child)
        const other = end === 'client' ? 'proxy' : 'client'
        const folder = join(scratch, `${name}-${end}`)
        mkdirSync(folder, { recursive: true })
        await network.run(end, ['sh', '-c', `printf %s "$1" > "$0/key"`, folder, keys[end].secret])
        await configureWireguard(network, end, [
          ...['listen-port', String(WIREGUARD_PORT), 'private-key', join(folder, 'key')],
          ...['peer', keys[other].public, 'endpoint', `${OUTER[other]}:${WIREGUARD_PORT}`],
          ...['allowed-ips', '0.0.0.0/0'],
        ])
      }
      // wireguard-go's own.
      await configure(network, 1420)
      return processes
    },
  }
}

/** The device has to be there first, which nobody tells: so it is tried again for a while. */
async function configureWireguard(network: Namespaces, end: 'client' | 'proxy', args: string[]): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    const error = await network.run(end, ['wg', 'set', DEVICE[end], ...args]).then(
      () => undefined,
      (failed: Error) => failed,
    )
    if (error === undefined) return
    if (attempt === 100) throw error
    await new Promise(resolve => setTimeout(resolve, 50))
  }
}

async function configure(network: Namespaces, mtu: number): Promise<void> {
  for (const [end, other] of [['client', 'proxy'] as const, ['proxy', 'client'] as const]) {
    await network.run(end, ['ip', 'addr', 'add', `${INNER[end]}/32`, 'dev', DEVICE[end]])
    await network.run(end, ['ip', 'link', 'set', DEVICE[end], 'mtu', String(mtu), 'up'])
    await network.run(end, ['ip', 'route', 'add', `${INNER[other]}/32`, 'dev', DEVICE[end]])
  }
}

/** Starts a program and waits for what it says when it is ready. */
function said(network: Namespaces, end: string, ready: string, command: readonly string[]): Promise<ChildProcess> {
  const child = network.spawn(end, command, { stdio: ['pipe', 'pipe', 'pipe'] })
  return new Promise((resolve, reject) => {
    let output = ''
    const look = (text: string): void => {
      // Once it is ready, nobody wants to know; but it is read on, or a full pipe would stop the program.
      if (output.length < 20_000) output += text
      if (output.includes(ready)) resolve(child)
    }
    child.stdout?.setEncoding('utf8').on('data', look)
    child.stderr?.setEncoding('utf8').on('data', look)
    child.once('error', reject)
    child.once('close', status => reject(new Error(`${command[0]} ended with status ${status}: ${output.trim()}`)))
  })
}

/** The pool begins with the proxy's own address; the first client has the next one. */
function serverConfig({ server, serverKey }: TestCertificates): string {
  return `
[listen]
host = "${OUTER.proxy}"
port = ${PORT}
names = ["localhost"]
[tls]
certificate = "${server}"
key = "${serverKey}"
[pool]
ipv4 = "10.66.0.0/24"
[tun]
name = "${DEVICE.proxy}"
offload = true
[api]
enabled = false
[log]
level = "warn"
[quic]
max_udp_payload = ${MAX_UDP_PAYLOAD}
`
}

function clientConfig({ ca }: TestCertificates): string {
  return `
[proxy]
template = "https://localhost:${PORT}/.well-known/masque/ip/{target}/{ipproto}/"
address = "${OUTER.proxy}:${PORT}"
[tls]
ca = "${ca}"
[tunnel]
request_addresses = ["ipv4"]
[log]
level = "warn"
[quic]
max_udp_payload = ${MAX_UDP_PAYLOAD}
`
}

export function keyPair(): { secret: string; public: string } {
  const secret = execFileSync('wg', ['genkey'], { encoding: 'utf8' }).trim()
  return { secret, public: execFileSync('wg', ['pubkey'], { input: secret, encoding: 'utf8' }).trim() }
}

export function onPath(program: string): boolean {
  return (process.env.PATH ?? '').split(':').some(folder => existsSync(join(folder, program)))
}
