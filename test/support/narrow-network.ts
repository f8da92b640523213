/**
 * Network namespaces with a link of a small MTU between a client and a server, made without root and gone with the process
 * that holds them. What runs in them are processes of their own.
 *
 *   router     client ── 1500 ── r ── MTU ── q ── 1500 ── server     r and q say by ICMP what does not fit
 *   bridge     client ── 1500 ── MTU ─ b ─ MTU ── 1500 ── server     b drops it without a word: a black hole
 */

import { spawn, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { buildSync } from 'esbuild'
import { testCertificates } from './certificates.ts'

export const SERVER_ADDRESS = '10.199.2.1'

const CHILD = fileURLToPath(new URL('./narrow-network-child.ts', import.meta.url))
/** Inside of the repository, so that a script there finds the packages. */
const CACHE = fileURLToPath(new URL('../../node_modules/.cache/', import.meta.url))

let bundle: string | undefined

/** The children as few scripts: each of them starts in a fraction of the time that its sources, file by file, would take. */
function bundledChild(): string {
  if (bundle !== undefined) return bundle
  mkdirSync(CACHE, { recursive: true })
  const folder = mkdtempSync(`${CACHE}narrow-network-`)
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
  // What is imported only when it is wanted, such as quiche, is a file of its own.
  const output = { outdir: folder, entryNames: 'child', outExtension: { '.js': '.mjs' }, splitting: true } as const
  buildSync({ entryPoints: [CHILD], ...output, bundle: true, format: 'esm', platform: 'node', packages: 'external' })
  bundle = `${folder}/child.mjs`
  return bundle
}

/** Prefix of a command whose namespaces are its own. */
const UNSHARE = ['unshare', '-U', '-r', '-n', '-m', '-p', '-f', '--kill-child']

const ROUTERS = `
  for n in client r q server; do ip netns add $n; done
  ip link add c0 mtu 1500 netns client type veth peer name c1 mtu 1500 netns r
  ip link add n0 mtu $MTU netns r type veth peer name n1 mtu $MTU netns q
  ip link add s0 mtu 1500 netns server type veth peer name s1 mtu 1500 netns q
  up client c0 10.199.1.1/24; up r c1 10.199.1.254/24; up r n0 10.199.0.1/24
  up server s0 10.199.2.1/24; up q s1 10.199.2.254/24; up q n1 10.199.0.2/24
  ip -n client route add default via 10.199.1.254; ip -n server route add default via 10.199.2.254
  ip -n r route add default via 10.199.0.2; ip -n q route add default via 10.199.0.1
  for n in r q; do ip netns exec $n sh -c 'echo 1 > /proc/sys/net/ipv4/ip_forward'; done`

const BRIDGE = `
  for n in client b server; do ip netns add $n; done
  ip link add c0 mtu 1500 netns client type veth peer name c1 mtu $MTU netns b
  ip link add s0 mtu 1500 netns server type veth peer name s1 mtu $MTU netns b
  ip -n b link add br0 type bridge
  for port in c1 s1; do ip -n b link set $port master br0 up; done; ip -n b link set br0 up
  up client c0 10.199.2.2/24; up server s0 10.199.2.1/24`

const PRELUDE = `set -e
  mount -t tmpfs tmpfs /run
  up() { ip -n $1 addr add $3 dev $2; ip -n $1 link set $2 up; ip -n $1 link set lo up; }`

/** Why such a network cannot be had on this machine; undefined: it can. */
export function whyNoNamespaces(): string | undefined {
  if (process.platform !== 'linux') return `namespaces need Linux, and this is ${process.platform}`
  const script = `${PRELUDE}\nMTU=1340${BRIDGE}`
  const { status, error, stderr } = spawnSync(UNSHARE[0], [...UNSHARE.slice(1), 'bash', '-c', script], {
    encoding: 'utf8',
  })
  if (status === 0) return undefined
  return `no network namespaces here: ${error?.message ?? stderr.trim().split('\n')[0]}`
}

export interface NarrowNetworkReport {
  /** The tunnel's MTU as the client reports it. */
  mtu: number
  /** What became of a ping that makes an IPv4 packet of so many bytes: `reply`, or the error. */
  pings: Record<number, string>
  /** The MTUs that ICMP named. */
  named: number[]
  /** Why the tunnel went down, if it did. */
  down: string | null
  /** IPv4 packets that client, server and routers cut into fragments. */
  fragments: number
}

/** Opens a tunnel across a link with this MTU and pings through it with packets of these sizes. */
export async function runInNarrowNetwork(options: {
  kind: 'router' | 'bridge'
  mtu: number
  families: ('ipv4' | 'ipv6')[]
  packets: number[]
}): Promise<NarrowNetworkReport> {
  const node = `${process.execPath} ${bundledChild()}`
  const script = `${PRELUDE}
    MTU=${options.mtu}${options.kind === 'router' ? ROUTERS : BRIDGE}
    exec 3> >(exec ip netns exec server ${node} server ${options.families.join(',')})
    ip netns exec client ${node} client ${options.families.join(',')} ${options.packets.join(',')}
    exec 3>&-
    for n in $(ip netns list | cut -d' ' -f1); do
      ip netns exec $n awk '/^Ip: [0-9]/ { print "fragments", $20 }' /proc/net/snmp
    done`
  const child = spawn(UNSHARE[0], [...UNSHARE.slice(1), 'bash', '-c', script], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, NARROW_CERTIFICATES: JSON.stringify(await testCertificates()) },
  })
  let out = ''
  let err = ''
  child.stdout.on('data', chunk => {
    out += chunk
  })
  child.stderr.on('data', chunk => {
    err += chunk
  })
  const status = await new Promise(resolve => child.once('close', resolve))
  const report = /^\{.*$/m.exec(out)?.[0]
  if (status !== 0 || report === undefined) throw new Error(`the network failed (${status}): ${err}${out}`)
  const fragments = [...out.matchAll(/^fragments (\d+)$/gm)].reduce((sum, match) => sum + Number(match[1]), 0)
  return { ...JSON.parse(report), fragments }
}
