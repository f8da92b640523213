/**
 * Where the contenders run: network namespaces with real interfaces, without root, and the link emulator between them.
 *
 *     client                              link                                server
 *     wifi  192.0.2.2 ----------- 192.0.2.1    first  |
 *                                                     | emulator  198.51.100.1 ---- 198.51.100.2
 *     lte   203.0.113.2 --------- 203.0.113.1  second |
 *     10.66.0.2  =========================== the tunnel ============================= 10.66.0.1
 *
 * The client knows the proxy by one address, 198.51.100.2, on whichever path; a NAT rule of `link` leads what comes in by an interface to the emulator's socket for
 * it. TCP is led into the emulator packet by packet (tcp-wire-child.ts). At a handover the Wi-Fi carries nothing any more, the system's route leads over LTE, and a fifth of a second later the Wi-Fi's address is gone. What the
 * system sends leaves from another address from then on, and what a program makes of that is its own affair, as on a telephone.
 */

import { type ChildProcess, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { EmulatorHandle } from '../../src/link/emulator/emulator-process.ts'
import type { Profile } from '../../src/link/profile/profile.ts'
import type { SocketAddress } from '../../src/net/udp.ts'
import { Child } from '../../src/process/child.ts'
import { type Namespaces, openNamespaces } from '../../src/testbed/namespaces.ts'
import { whyNoRealNetwork } from '../../src/testbed/real-network.ts'
import type { ProbeOrders } from './probe-child.ts'
import type { TcpWireOrders } from './tcp-wire-child.ts'

/** Of the proxy, or whatever the other end is called. All contenders use this port. */
export const SERVER = { host: '198.51.100.2', port: 4433 }
/** The client's addresses, and where the emulator takes in what comes from each. */
const WAYS = {
  '192.0.2.2': { host: '192.0.2.1', port: SERVER.port },
  '203.0.113.2': { host: '203.0.113.1', port: SERVER.port },
}
/** Of tcp-wire-child.ts: its device, and the routing table that leads TCP into it. */
const WIRE = { device: 'wire', table: 100 }

/** What is done at either end of the Wi-Fi; each says when the system's route has changed. */
const WIFI_UP = {
  link: 'ip link set wifi up; echo done',
  client: `ip addr replace 192.0.2.2/24 dev wifi; ip link set wifi up; ip route replace ${SERVER.host} via 192.0.2.1 dev wifi metric 100; echo done`,
}
/** As when it is out of reach: nothing comes any more, what is on its way neither; the system gives up the route, and what is left a moment later. */
const WIFI_DOWN = {
  link: 'ip link set wifi down; echo done',
  client: `ip route del ${SERVER.host} dev wifi; echo done; sleep 0.2; ip addr flush dev wifi; ip link set wifi down`,
}

const SCRIPT = `
  ip link add wifi netns client type veth peer name wifi netns link
  ip link add lte netns client type veth peer name lte netns link
  ip link add wan netns link type veth peer name wan netns server
  up() { ip -n $1 addr add $3 dev $2; ip -n $1 link set $2 up; }
  up link wifi 192.0.2.1/24
  up link lte 203.0.113.1/24
  up link wan 198.51.100.1/24
  up server wan ${SERVER.host}/24
  up client lte 203.0.113.2/24
  ip -n client route add ${SERVER.host} via 203.0.113.1 dev lte metric 200
  ip netns exec client sh -c '${WIFI_UP.client}'
  for end in 192.0.2.0/24 203.0.113.0/24; do ip -n server route add $end via 198.51.100.1; done
  ip netns exec link sh -c 'cd /proc/sys/net/ipv4; echo 1 > ip_forward; for each in all default; do echo 0 > conf/$each/rp_filter; done'
  ip -n link route add unreachable default metric 1000 table ${WIRE.table}
  for from in wifi lte; do ip -n link rule add iif $from ipproto tcp dport ${SERVER.port} lookup ${WIRE.table}; done
  ip -n link rule add iif wan ipproto tcp sport ${SERVER.port} lookup ${WIRE.table}
  ip netns exec link nft -f - <<'END'
  table ip paths {
    chain in {
      type nat hook prerouting priority -100
      iifname "wifi" udp dport ${SERVER.port} dnat to 192.0.2.1:${SERVER.port}
      iifname "lte" udp dport ${SERVER.port} dnat to 203.0.113.1:${SERVER.port}
    }
  }
END`

/** Why there can be no such network here, in one sentence; undefined: there can. */
export function whyNoCompareNetwork(): string | undefined {
  const why = whyNoRealNetwork(['ip'])
  if (why !== undefined) return why
  return spawnSync('nft', ['-v']).error === undefined
    ? undefined
    : 'the command nft is missing (Debian package nftables)'
}

export class CompareNetwork {
  readonly #namespaces: Namespaces
  /** They wait for the handover: starting a program in a namespace takes longer than many a recovery. */
  readonly #shells: { link: ChildProcess; client: ChildProcess }
  readonly #programs: ChildProcess[] = []
  #wire: Child<TcpWireOrders> | undefined
  /** The ends of the inner traffic. */
  readonly probes: { client: Child<ProbeOrders>; server: Child<ProbeOrders> }

  static async open(): Promise<CompareNetwork> {
    const network = new CompareNetwork(await openNamespaces(['client', 'link', 'server'], SCRIPT))
    try {
      await network.probes.server.ask('serve')
      return network
    } catch (error) {
      await network.close()
      throw error
    }
  }

  private constructor(namespaces: Namespaces) {
    this.#namespaces = namespaces
    const probe = (where: 'client' | 'server'): Child<ProbeOrders> =>
      new Child(new URL('./probe-child.ts', import.meta.url), {
        name: `the ${where}'s end of the traffic`,
        within: namespaces.within(where),
      })
    this.probes = { client: probe('client'), server: probe('server') }
    this.#shells = { link: this.#shell('link'), client: this.#shell('client') }
  }

  #shell(where: 'link' | 'client'): ChildProcess {
    const shell = this.#namespaces.spawn(where, ['sh'], { stdio: ['pipe', 'pipe', 'ignore'] })
    shell.on('error', () => {})
    shell.stdin?.on('error', () => {})
    return shell
  }

  /** Runs a command at one end; rejects with what it said when it fails. */
  run(where: 'client' | 'server', command: readonly string[]): Promise<string> {
    return this.#namespaces.run(where, command)
  }

  /** Starts a program at one end. `endPrograms` ends it. */
  spawn(where: 'client' | 'server', command: readonly string[]): ChildProcess {
    const child = this.#namespaces.spawn(where, command, { stdio: ['pipe', 'pipe', 'pipe'] })
    this.#programs.push(child)
    return child
  }

  /** A fresh link, with the client on its first attachment, for contenders over UDP or over TCP. Whoever starts it closes it. */
  async startLink(profile: Profile, seed: string, carried: 'udp' | 'tcp' = 'udp'): Promise<EmulatorHandle> {
    await this.handOver('wifi')
    const link = new EmulatorHandle({ within: this.#namespaces.within('link') })
    try {
      await link.start({
        // What a network does to UDP alone is nothing to TCP.
        profile: carried === 'udp' ? profile : { ...profile, timeline: profile.timeline.filter(concernsTcp) },
        seed,
        listen: WAYS['192.0.2.2'],
        ...(profile.second !== undefined && { secondListen: WAYS['203.0.113.2'] }),
        to: carried === 'udp' ? SERVER : await this.#startWire(),
        startTimeline: false,
      })
      return link
    } catch (error) {
      await link.close()
      throw error
    }
  }

  /** Resolves with where the emulator is to send. `endPrograms` ends it. */
  async #startWire(): Promise<SocketAddress> {
    await this.#endWire()
    const { device, table } = WIRE
    this.#wire = new Child<TcpWireOrders>(new URL('./tcp-wire-child.ts', import.meta.url), {
      name: 'what carries TCP over the link',
      within: this.#namespaces.within('link'),
    })
    const far = await this.#wire.ask('start', { device, ways: WAYS })
    const script = `ip link set ${device} mtu 1500 up; ip route add default dev ${device} table ${table}`
    await this.#namespaces.run('link', ['sh', '-ec', script])
    return far
  }

  async #endWire(): Promise<void> {
    await this.#wire?.close()
    this.#wire = undefined
  }

  /** The client goes on over its other interface. Resolves when the system's route has changed: within some milliseconds. */
  async handOver(to: 'wifi' | 'lte'): Promise<void> {
    for (const where of ['link', 'client'] as const) {
      const shell = this.#shells[where]
      shell.stdin?.write(`${(to === 'lte' ? WIFI_DOWN : WIFI_UP)[where]}\n`)
      if (shell.stdout !== null) await once(shell.stdout, 'data')
    }
  }

  /** Tells a program something: `nsenter`, which started it, would keep it to itself. */
  signal(program: ChildProcess, signal: NodeJS.Signals): void {
    for (const pid of childrenOf(program.pid)) kill(pid, signal)
  }

  async endPrograms(): Promise<void> {
    const programs = this.#programs.splice(0)
    for (const pid of programs.flatMap(({ pid }) => allBelow(pid))) kill(pid, 'SIGKILL')
    await Promise.all(
      programs.map(
        program => program.exitCode ?? program.signalCode ?? new Promise(resolve => program.once('exit', resolve)),
      ),
    )
    await this.#endWire()
  }

  /** Ends everything inside. */
  async close(): Promise<void> {
    await this.#endWire()
    await Promise.all([this.probes.client.close(), this.probes.server.close()])
    await this.#namespaces.close()
  }
}

function concernsTcp(phase: Profile['timeline'][number]): boolean {
  return !(phase.kind === 'outage' && phase.only === 'udp')
}

function allBelow(pid: number | undefined): number[] {
  return childrenOf(pid).flatMap(child => [child, ...allBelow(child)])
}

function childrenOf(pid: number | undefined): number[] {
  if (pid === undefined) return []
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number)
  } catch {
    // It has ended.
    return []
  }
}

function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch {
    // It has ended by itself.
  }
}
