/**
 * config/examples/ as they stand, with programs of the system:
 *
 *     laptop ---+                                  +--- office   10.10.0.2, fd00:10::2
 *     gw-a -----+--- 192.0.2.0/24 --- proxy -------+
 *     gw-b -----+    2001:db8::/64                 +--- web      198.51.100.2, 2001:db8:100::2
 *      |
 *     lan-a 10.20.0.2, fd00:20::2; lan-b 10.30.0.2, fd00:30::2
 */
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { makeTestCertificates } from '../../../src/cert/make-certificates.ts'
import { until } from '../../support/loopback.ts'
import { endPrograms, isMissing, type Program, sh, start, startCommand, succeeds } from './network.ts'

/** Two ends: namespace, device, addresses. */
const LINKS = [
  ['internet/laptop', 'laptop/eth0 192.0.2.10/24 2001:db8::10/64'],
  ['internet/gw-a', 'gw-a/eth0 192.0.2.20/24 2001:db8::20/64'],
  ['internet/gw-b', 'gw-b/eth0 192.0.2.30/24 2001:db8::30/64'],
  ['internet/proxy', 'proxy/eth0 192.0.2.1/24 2001:db8::1/64'],
  ['proxy/lan0 10.10.0.1/16 fd00:10::1/48', 'office/eth0 10.10.0.2/16 fd00:10::2/48'],
  ['proxy/web0 198.51.100.1/24 2001:db8:100::1/64', 'web/eth0 198.51.100.2/24 2001:db8:100::2/64'],
  ['gw-a/lan0 10.20.0.1/16 fd00:20::1/48', 'lan-a/eth0 10.20.0.2/16 fd00:20::2/48'],
  ['gw-b/lan0 10.30.0.1/16 fd00:30::1/48', 'lan-b/eth0 10.30.0.2/16 fd00:30::2/48'],
]
const NAMESPACES = [...new Set(LINKS.flat().map(end => end.split('/')[0]))]
const OFFICE = ['10.10.0.2', 'fd00:10::2']
const WEB = ['198.51.100.2', '2001:db8:100::2']
const LAN_A = ['10.20.0.2', 'fd00:20::2']
const LAN_B = ['10.30.0.2', 'fd00:30::2']

describe('config/examples/, as they stand', function () {
  this.timeout(180_000)
  let folder: string

  before(async function () {
    isMissing('curl', this)
    folder = mkdtempSync(join(tmpdir(), 'examples-'))
    cpSync('config/examples', join(folder, 'config/examples'), { recursive: true })
    mkdirSync(join(folder, 'cert/out'), { recursive: true })
    const names = { clientNames: ['laptop', 'site-a', 'site-b'], serverNames: ['proxy.example'] }
    await makeTestCertificates(join(folder, 'cert/out'), names)
  })
  after(() => {
    rmSync(folder, { recursive: true, force: true })
  })

  beforeEach(() => {
    for (const name of NAMESPACES) {
      sh(`ip netns add ${name}`)
      sh(`ip -n ${name} link set lo up`)
    }
    sh('ip -n internet link add bridge type bridge')
    sh('ip -n internet link set bridge up')
    for (const [i, ends] of LINKS.entries()) {
      const [one, other] = ends.map(end => end.split('/')[0])
      sh(`ip link add v${i} netns ${one} type veth peer name v${i}p netns ${other}`)
      for (const [end, made] of [
        [ends[0], `v${i}`],
        [ends[1], `v${i}p`],
      ]) {
        const [place, ...addresses] = end.split(' ')
        const [namespace, device] = place.split('/')
        sh(`ip -n ${namespace} link set ${made} name ${device}`)
        for (const address of addresses) {
          sh(`ip -n ${namespace} addr add ${address} dev ${device}${address.includes(':') ? ' nodad' : ''}`)
        }
        if (namespace === 'internet') sh(`ip -n internet link set ${device} master bridge`)
        sh(`ip -n ${namespace} link set ${device} up`)
      }
    }
    // In each of the networks, its router is the way to all else.
    for (const [host, router4, router6] of [
      ['office', '10.10.0.1', 'fd00:10::1'],
      ['lan-a', '10.20.0.1', 'fd00:20::1'],
      ['lan-b', '10.30.0.1', 'fd00:30::1'],
    ]) {
      sh(`ip -n ${host} route add default via ${router4}`)
      sh(`ip -n ${host} -6 route add default via ${router6}`)
    }
  })

  afterEach(async () => {
    await endPrograms()
    for (const name of NAMESPACES) sh(`ip netns del ${name}`)
  })

  const inside = (namespace: string, line: string): string => sh(`ip netns exec ${namespace} ${line}`)
  const pings = (from: string, to: string): boolean => succeeds(`ip netns exec ${from} ping -c 1 -W 5 ${to}`)
  const get = (from: string, address: string): string => {
    const host = address.includes(':') ? `[${address}]` : address
    return inside(from, `curl -sS -m 30 http://${host}/`)
  }

  /** A server that says who asks. */
  async function web(namespace: string): Promise<void> {
    const code = `require('node:http').createServer((request, response) => response.end(request.socket.remoteAddress))
      .listen(80, '::', () => console.log('listening'))`
    const program = start(process.execPath, ['-e', code], namespace)
    await until(() => program.output.includes('listening'))
  }

  /** What the system says about a UDP datagram to there; nothing for 5 s: `sent`. */
  function sendUdp(from: string, to: string): string {
    const script = join(folder, 'udp.cjs')
    writeFileSync(
      script,
      `const socket = require('node:dgram').createSocket(process.argv[2].includes(':') ? 'udp6' : 'udp4')
       const say = text => { console.log(text); process.exit() }
       setTimeout(say, 5000, 'sent')
       socket.on('error', error => say(error.code))
       socket.connect(9, process.argv[2], error => error === undefined ? socket.send('x') : say(error.code))`,
    )
    return inside(from, `${process.execPath} ${script} ${to}`)
  }

  async function ready(program: Program): Promise<void> {
    await until(() => program.output.includes('Ctrl-C') || program.process.exitCode !== null)
    expect(program.output).to.include('Ctrl-C').and.not.include('problem')
  }

  /** The proxy looks a name up in its machine's /etc/hosts. */
  async function proxy(file: string): Promise<void> {
    const hosts = join(folder, 'hosts')
    writeFileSync(hosts, WEB.map(address => `${address} target.example\n`).join(''))
    const command = `mount --bind ${hosts} /etc/hosts && exec ${process.execPath} bin/masque-lab.mjs server -c ${join(folder, file)}`
    await ready(start('unshare', ['--mount', 'sh', '-c', command], 'proxy'))
  }

  async function client(namespace: string, file: string): Promise<Program> {
    const program = startCommand(['client', '-c', join(folder, file), '--tun'], namespace)
    await ready(program)
    return program
  }

  it('remote access: a laptop reaches everything, with the proxy’s address', async () => {
    await Promise.all([web('web'), proxy('config/examples/remote-access/server.toml')])
    expect(succeeds(`ip netns exec laptop ip route get ${WEB[0]}`)).to.equal(false)
    await client('laptop', 'config/examples/remote-access/client.toml')
    for (const to of WEB) expect(pings('laptop', to), to).to.equal(true)
    expect(WEB.map(to => get('laptop', to))).to.deep.equal(['::ffff:198.51.100.1', '2001:db8:100::1'])
    // The network that it is in is reached as before.
    expect(inside('laptop', 'ip route get 192.0.2.20')).to.include('dev eth0')
  })

  it('site to site: hosts of three networks reach each other with their own addresses, and nobody else', async () => {
    for (const gateway of ['gw-a', 'gw-b']) {
      for (const key of ['net/ipv4/ip_forward', 'net/ipv6/conf/all/forwarding']) {
        sh(`ip netns exec ${gateway} tee /proc/sys/${key}`, '1')
      }
    }
    await Promise.all([web('office'), web('lan-b'), proxy('config/examples/site-to-site/proxy.toml')])
    const a = await client('gw-a', 'config/examples/site-to-site/site-a.toml')
    expect(a.output).to.match(/^advertised {2}10\.20\.0\.0-10\.20\.255\.255\n {12}fd00:20::-fd00:20:0:ffff/m)
    await client('gw-b', 'config/examples/site-to-site/site-b.toml')
    for (const [from, targets] of [
      ['lan-a', OFFICE],
      ['lan-a', LAN_B],
      ['office', LAN_A],
      ['lan-b', LAN_A],
    ] as const) {
      for (const to of targets) {
        // What a client tells of has its own time to arrive.
        await until(() => pings(from, to))
      }
    }
    expect([...OFFICE, ...LAN_B].map(to => get('lan-a', to))).to.deep.equal([
      '::ffff:10.20.0.2',
      'fd00:20::2',
      '::ffff:10.20.0.2',
      'fd00:20::2',
    ])
    // The proxy is connected to this network, too; but it is not for these clients.
    for (const to of WEB) expect(pings('lan-a', to), to).to.equal(false)
    for (const to of [...LAN_A, ...OFFICE]) expect(pings('laptop', to), to).to.equal(false)
  })

  it('site to site: the client says which machine does not forward', async () => {
    await proxy('config/examples/site-to-site/proxy.toml')
    const program = startCommand(
      ['client', '-c', join(folder, 'config/examples/site-to-site/site-a.toml'), '--tun'],
      'gw-a',
    )
    await until(() => program.output.includes('Ctrl-C'))
    expect(program.output)
      .to.include(
        'problem     this machine does not forward to 10.20.0.0/16, which is advertised: sysctl -w net.ipv4.ip_forward=1',
      )
      .and.include('net.ipv6.conf.all.forwarding=1')
  })

  it('flow forwarding: one host, which is a name to the client, with TCP alone', async () => {
    await Promise.all([web('web'), web('office'), proxy('config/examples/flow-forwarding/server.toml')])
    await client('laptop', 'config/examples/flow-forwarding/client.toml')
    expect(WEB.map(to => get('laptop', to))).to.deep.equal(['::ffff:198.51.100.1', '2001:db8:100::1'])
    for (const to of WEB) expect(pings('laptop', to), to).to.equal(true)
    // No route leads to the neighbour, and UDP is refused: by ICMP, so at once.
    expect(succeeds('ip netns exec laptop ip route get 198.51.100.1')).to.equal(false)
    for (const to of [...WEB, '198.51.100.1']) expect(sendUdp('laptop', to), to).to.match(/^E[A-Z]+$/m)
  })
})
