/**
 * Programs of the system through client and proxy, as they are started from the command line:
 *
 *     client ── 192.0.2.0/24 ── proxy ── 198.51.100.0/24 ── server       in namespaces of these names; and fd10::/64, fd20::/64
 *
 * The server knows no route to the pools, so that only NAT brings its answers back.
 */
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { testCertificates } from '../../support/certificates.ts'
import { until } from '../../support/loopback.ts'
import {
  endPrograms,
  isMissing,
  networkState,
  ours,
  type Program,
  sh,
  start,
  startCommand,
  startScript,
  succeeds,
} from './network.ts'

const NAMESPACES = ['client', 'proxy', 'server']
const SERVER = { 4: '198.51.100.2', 6: 'fd20::2' }
const BYTES = 8 << 20

describe('programs of the system through a tunnel', function () {
  this.timeout(120_000)
  let folder: string

  before(function () {
    isMissing('curl', this)
    folder = mkdtempSync(join(tmpdir(), 'traffic-'))
  })
  after(() => {
    rmSync(folder, { recursive: true, force: true })
  })

  beforeEach(() => {
    for (const name of NAMESPACES) {
      sh(`ip netns add ${name}`)
      sh(`ip -n ${name} link set lo up`)
    }
    sh('ip link add c0 netns client type veth peer name c1 netns proxy')
    sh('ip link add s0 netns server type veth peer name s1 netns proxy')
    for (const [name, device, v4, v6] of [
      ['client', 'c0', '192.0.2.2', 'fd10::2'],
      ['proxy', 'c1', '192.0.2.1', 'fd10::1'],
      ['proxy', 's1', '198.51.100.1', 'fd20::1'],
      ['server', 's0', SERVER[4], SERVER[6]],
    ]) {
      sh(`ip -n ${name} addr add ${v4}/24 dev ${device}`)
      sh(`ip -n ${name} addr add ${v6}/64 dev ${device} nodad`)
      sh(`ip -n ${name} link set ${device} up`)
    }
  })

  afterEach(async () => {
    await endPrograms()
    for (const name of NAMESPACES) sh(`ip netns del ${name}`)
  })

  /** Starts the proxy and waits until it listens. */
  async function proxy(
    more = '[tun]\nname = "tun0"\nnat = true',
    path = process.env.PATH,
    api = 'enabled = false',
  ): Promise<Program> {
    const certificates = await testCertificates()
    const file = join(folder, 'server.toml')
    const routes = ['198.51.100.0/24', 'fd20::/64', '10.89.0.0/24', 'fd00:89::/64']
    writeFileSync(
      file,
      `listen = { host = "192.0.2.1", port = 4433 }
       tls = { certificate = "${certificates.server}", key = "${certificates.serverKey}" }
       pool = { ipv4 = "10.89.0.0/24", ipv6 = "fd00:89::/64" }
       api = { ${api} }
       ${more.includes('[[routes]]') ? '' : routes.map(prefix => `[[routes]]\nprefix = "${prefix}"`).join('\n')}
       ${more}`,
    )
    const program = start(
      'env',
      [`PATH=${path}`, process.execPath, 'bin/masque-lab.mjs', 'server', '-c', file],
      'proxy',
    )
    await until(() => program.output.includes('Ctrl-C') || program.process.exitCode !== null)
    return program
  }

  /** Starts the client and waits until its tunnel is up. */
  async function client(options: readonly string[] = [], scope = ''): Promise<Program> {
    const certificates = await testCertificates()
    const file = join(folder, 'client.toml')
    writeFileSync(
      file,
      `[proxy]
       template = "https://localhost:4433/.well-known/masque/ip/{target}/{ipproto}/"
       address = "192.0.2.1:4433"
       ${scope}
       [tls]
       ca = "${certificates.ca}"
       [reconnect]
       initial_delay_ms = 50
       max_delay_ms = 200`,
    )
    const program = startCommand(['client', '-c', file, '--tun', 'tun0', ...options], 'client')
    await until(() => program.output.includes('Ctrl-C') || program.process.exitCode !== null)
    expect(program.output).to.include('TUN         tun0').and.not.include('problem')
    return program
  }

  async function interrupt(program: Program): Promise<void> {
    program.process.kill('SIGINT')
    expect(await program.ended, program.output).to.equal(0)
  }

  const inside = (namespace: string, line: string): string => sh(`ip netns exec ${namespace} ${line}`)
  const ping = (to: string, options = '-c 2 -i 0.1'): boolean =>
    succeeds(`ip netns exec client ping ${options} -W 10 ${to}`)
  const setting = (key: string): string => inside('proxy', `cat /proc/sys/${key}`).trim()

  async function web(): Promise<void> {
    const code = `
      require('node:http').createServer((request, response) => {
        let bytes = 0
        request.on('data', data => { bytes += data.length }).on('end', () => {
          if (request.method === 'POST') return response.end(String(bytes) + ' from ' + request.socket.remoteAddress)
          response.end(Buffer.alloc(${BYTES}, 'x'))
        })
      }).listen(80, '::', () => console.log('listening'))`
    const program = start(process.execPath, ['-e', code], 'server')
    await until(() => program.output.includes('listening'))
  }

  for (const offload of [false, true])
    it(`ping, download and upload in both IP versions, behind NAT${offload ? ', with offload' : ''}`, async () => {
      await Promise.all([web(), proxy(`[tun]\nname = "tun0"\nnat = true\noffload = ${offload}`)])
      await client(offload ? ['--tun-offload'] : [])
      for (const to of ['10.89.0.1', 'fd00:89::1', SERVER[4], SERVER[6]]) expect(ping(to), to).to.equal(true)
      for (const host of [SERVER[4], `[${SERVER[6]}]`]) {
        const got = inside('client', `curl -sS -m 60 -o /dev/null -w %{size_download} http://${host}/`)
        expect(got).to.equal(String(BYTES))
        writeFileSync(join(folder, 'upload'), Buffer.alloc(BYTES, 'y'))
        const put = inside('client', `curl -sS -m 60 --data-binary @${join(folder, 'upload')} http://${host}/`)
        expect(put).to.match(host === SERVER[4] ? /^8388608 from ::ffff:198\.51\.100\.1$/ : /^8388608 from fd20::1$/)
      }
    })

  it('hear how large a packet may be', async () => {
    await proxy()
    await client()
    const mtu = Number(/mtu (\d+)/.exec(inside('client', 'ip -o link show tun0'))?.[1])
    expect(mtu).to.be.within(1280, 1400)
    expect(ping(SERVER[4], `-c 1 -M do -s ${mtu - 28}`)).to.equal(true)
    expect(ping(SERVER[6], `-c 1 -M do -s ${mtu - 48}`)).to.equal(true)
    expect(ping(SERVER[4], `-c 1 -M do -s ${mtu - 27}`)).to.equal(false)
    // From the other side, where the device is wider than the tunnel: the proxy's ICMP error says it to the kernel, which fragments then.
    const own = /10\.89\.0\.\d+/.exec(inside('client', 'ip -o -4 addr show tun0'))?.[0]
    expect(succeeds(`ip netns exec proxy ping -c 1 -W 2 -M do -s 1372 ${own}`)).to.equal(false)
    expect(inside('proxy', `ip route get ${own}`)).to.include(`mtu ${mtu}`)
  })

  it('agree on segments that fit both the device and the way behind the proxy', async () => {
    // Narrower than the tunnel; and what the server offers would not fit the device, whose MTU is 1400 bytes.
    sh('ip -n proxy link set s1 mtu 1340')
    const limits = { server: { ip: 1340 - 40, ip6: 1340 - 60 }, client: { ip: 1400 - 40, ip6: 1400 - 60 } }
    for (const [namespace, limit] of Object.entries(limits)) {
      const rules = Object.entries(limit).flatMap(([family, most]) =>
        ['>', '<='].map(
          is =>
            `meta nfproto ${family === 'ip' ? 'ipv4' : 'ipv6'} tcp flags & syn == syn tcp option maxseg size ${is} ${most} counter`,
        ),
      )
      const chain = `type filter hook prerouting priority 0;\n${rules.join('\n')}`
      sh(`ip netns exec ${namespace} nft -f -`, `table inet seen {\nchain seen {\n${chain}\n}\n}\n`)
    }
    await Promise.all([web(), proxy()])
    await client()
    for (const host of [SERVER[4], `[${SERVER[6]}]`]) inside('client', `curl -sS -m 60 -o /dev/null http://${host}/`)
    for (const namespace of ['server', 'client']) {
      const counted = inside(namespace, 'nft list table inet seen').matchAll(/counter packets (\d+)/g)
      // None too large, some that fit: of IPv4, and of IPv6.
      const isSome = [...counted].map(([, packets]) => packets !== '0')
      expect(isSome, namespace).to.deep.equal([false, true, false, true])
    }
  })

  it('see addresses of the tunnels as they are, where NAT hides them outside', async () => {
    await proxy()
    await client()
    const own = /10\.89\.0\.\d+/.exec(inside('client', 'ip -o -4 addr show tun0'))?.[0]
    sh('ip -n proxy addr add 10.89.0.200/32 dev lo')
    const rules = ['10.89.0.200', '10.89.0.1'].map(from => `ip saddr ${from} icmp type echo-request counter`)
    const chain = `type filter hook prerouting priority 0;\n${rules.join('\n')}`
    sh('ip netns exec client nft -f -', `table inet seen {\nchain seen {\n${chain}\n}\n}\n`)
    succeeds(`ip netns exec proxy ping -c 2 -i 0.1 -W 1 -I 10.89.0.200 ${own}`)
    const counted = inside('client', 'nft list table inet seen').matchAll(/counter packets (\d+)/g)
    expect([...counted].map(([, packets]) => packets)).to.deep.equal(['2', '0'])
  })

  it('leave everything as it was when client and proxy end, in both namespaces', async () => {
    const before = { client: networkState('client'), proxy: networkState('proxy') }
    const theProxy = await proxy()
    expect(setting('net/ipv4/ip_forward')).to.equal('1')
    const theClient = await client()
    expect(networkState('client')).not.to.equal(before.client)
    await interrupt(theClient)
    expect(networkState('client')).to.equal(before.client)
    await interrupt(theProxy)
    expect(networkState('proxy')).to.equal(before.proxy)
  })

  it('leave nothing of a client that was killed, and of a proxy what doctor finds and undoes', async () => {
    const before = { client: networkState('client'), proxy: networkState('proxy') }
    const theProxy = await proxy()
    const theClient = await client()
    // `ip netns exec` becomes the program: there is nothing in between.
    theClient.process.kill('SIGKILL')
    theProxy.process.kill('SIGKILL')
    await Promise.all([theClient.ended, theProxy.ended])
    await until(() => networkState('client') === before.client)
    expect(setting('net/ipv4/ip_forward')).to.equal('1')
    expect(networkState('proxy')).not.to.equal(before.proxy)

    const doctor = async (status: number, ...args: string[]): Promise<string> => {
      const program = startCommand(['doctor', ...args], 'proxy')
      expect(await program.ended, program.output).to.equal(status)
      return program.output
    }
    // A record of another namespace is a thing for somebody in there.
    const here = startCommand(['doctor'])
    expect(await here.ended).to.equal(1)
    expect(here.output).to.include('is about another namespace').and.not.include('Nothing')
    expect(await doctor(1, '--dry-run'))
      .to.include('net.ipv4.ip_forward 0 -> 1')
      .and.not.include('undone')
    expect(setting('net/ipv4/ip_forward')).to.equal('1')
    expect(await doctor(0))
      .to.include(`Process ${theProxy.process.pid}`)
      .and.include('undone')
    expect(networkState('proxy')).to.equal(before.proxy)
    expect(await doctor(0)).to.include('Nothing was left behind.')
  })

  it('hear that somebody has removed the device: the client ends, and the proxy is not well', async () => {
    const [theProxy, theClient] = [await proxy(undefined, undefined, 'port = 8080'), await client()]
    sh('ip -n client link del tun0')
    expect(await theClient.ended).to.equal(1)
    expect(theClient.output).to.include('tun0 is gone: somebody has removed it; the tunnel has ended')
    expect(inside('proxy', 'curl -s http://127.0.0.1:8080/health')).to.include('"ok"')
    sh('ip -n proxy link del tun0')
    await until(() => inside('proxy', 'curl -s http://127.0.0.1:8080/health').includes('"tun-gone"'))
    await until(() => /"level":"error".*tun0 is gone/.test(theProxy.output))
  })

  it('are refused by a proxy whose own address another interface has', async () => {
    sh('ip -n proxy addr add 10.89.0.1/32 dev lo')
    const program = await proxy()
    expect(await program.ended).to.equal(1)
    expect(program.output).to.match(/10\.89\.0\.1, .* is an address of lo: choose another pool/)
    expect(program.output.trim().split('\n')).to.have.length(1)
  })

  it('use a tunnel for everything, but not for the proxy itself and its network', async () => {
    sh('ip -n client route add default via 192.0.2.1')
    sh('ip -n client -6 route add default via fd10::1')
    await proxy('[tun]\nname = "tun0"\nnat = true\n[[routes]]\nprefix = "0.0.0.0/0"\n[[routes]]\nprefix = "::/0"')
    await client()
    expect(inside('client', `ip route get ${SERVER[4]}`)).to.include('dev tun0')
    expect(inside('client', `ip route get ${SERVER[6]}`)).to.include('dev tun0')
    expect(inside('client', 'ip route get 192.0.2.1')).to.include('dev c0')
    expect(inside('client', 'ip route get 192.0.2.99')).to.include('dev c0')
    for (const to of [SERVER[4], SERVER[6]]) expect(ping(to), to).to.equal(true)
  })

  it('reach one host with one protocol, where the tunnel is for that flow alone (RFC 9484 §8.3)', async () => {
    await Promise.all([web(), proxy()])
    await client([], `target = "${SERVER[4]}"\nipproto = "6"`)
    expect(inside('client', 'ip route show dev tun0 proto 77').trim().split('\n')).to.have.length(1)
    expect(inside('client', `ip route get ${SERVER[4]}`)).to.include('dev tun0')
    expect(inside('client', `curl -sS -m 60 -o /dev/null -w %{size_download} http://${SERVER[4]}/`)).to.equal(
      String(BYTES),
    )
    expect(succeeds('ip netns exec client ip route get 198.51.100.3')).to.equal(false)
  })

  it('join two sites: a network behind the client and one behind the proxy, without NAT (RFC 9484 §8.2)', async () => {
    const LAN = { 4: '10.55.0.2', 6: 'fd55::2' }
    sh('ip netns add lan')
    try {
      sh('ip link add l0 netns lan type veth peer name l1 netns client')
      for (const [name, device, v4, v6] of [
        ['lan', 'l0', LAN[4], LAN[6]],
        ['client', 'l1', '10.55.0.1', 'fd55::1'],
      ]) {
        sh(`ip -n ${name} addr add ${v4}/24 dev ${device}`)
        sh(`ip -n ${name} addr add ${v6}/64 dev ${device} nodad`)
        sh(`ip -n ${name} link set ${device} up`)
      }
      // Both sites know the way to each other; the rest is for client and proxy.
      for (const [name, v4, v6] of [
        ['lan', '10.55.0.1', 'fd55::1'],
        ['server', '198.51.100.1', 'fd20::1'],
      ]) {
        sh(`ip -n ${name} route add default via ${v4}`)
        sh(`ip -n ${name} -6 route add default via ${v6}`)
      }
      for (const key of ['net/ipv4/ip_forward', 'net/ipv6/conf/all/forwarding']) {
        sh(`ip netns exec client tee /proc/sys/${key}`, '1')
      }
      await proxy('[tunnel]\nclient_routes = ["10.55.0.0/24", "fd55::/64"]\n[tun]\nname = "tun0"')
      const certificates = await testCertificates()
      const site = startScript(
        `import { MasqueClient } from '${ours('src/client/client.ts')}'
         import { defaultClientConfig } from '${ours('src/client/config.ts')}'
         import { openTun } from '${ours('src/hosts/tun/open-tun.ts')}'
         import { TunHost } from '${ours('src/hosts/tun/tun-host.ts')}'
         import { IpPrefix } from '${ours('src/ip/prefix.ts')}'
         const host = new TunHost(openTun({ name: 'tun0' }), { onProblem: console.error })
         const client = new MasqueClient(defaultClientConfig({
           proxy: { address: { host: '192.0.2.1', port: 4433 } },
           tls: { ca: ${JSON.stringify(certificates.ca)} },
           log: { level: 'silent' },
         }), { host })
         await client.connect()
         client.advertiseRoutes(['10.55.0.0/24', 'fd55::/64'].map(text => ({ range: IpPrefix.parse(text).toRange(), protocol: 0 })))
         console.log('up')`,
        ['ip', 'netns', 'exec', 'client'],
      )
      await until(() => site.output.includes('up') || site.process.exitCode !== null)
      for (const [from, to] of [
        ['lan', SERVER[4]],
        ['lan', SERVER[6]],
        ['server', LAN[4]],
        ['server', LAN[6]],
      ]) {
        await until(() => succeeds(`ip netns exec ${from} ping -c 1 -W 2 ${to}`))
      }
      // Client, proxy process and the proxy's kernel are the routers on this way: each takes one hop.
      expect(/ttl=(\d+)/.exec(inside('lan', `ping -c 1 -W 10 ${SERVER[4]}`))?.[1]).to.equal('61')
    } finally {
      await endPrograms()
      sh('ip netns del lan')
    }
  })

  it('go on when the proxy comes back, with the same device', async () => {
    const first = await proxy()
    const theClient = await client()
    const before = inside('client', 'ip -o link show tun0').split(':')[0]
    await interrupt(first)
    await until(() => theClient.output.includes('down'))
    await until(() => inside('client', 'ip -o -4 addr show tun0') === '')
    await proxy()
    await until(() => ping(SERVER[4], '-c 1'))
    expect(inside('client', 'ip -o link show tun0').split(':')[0]).to.equal(before)
  })

  it('are behind NAT by iptables where nft is missing', async function () {
    isMissing('iptables', this)
    const bin = join(folder, 'bin')
    mkdirSync(bin)
    for (const name of ['iptables', 'ip6tables']) symlinkSync(sh(`which ${name}`).trim(), join(bin, name))
    const theProxy = await proxy(undefined, bin)
    await client()
    for (const to of [SERVER[4], SERVER[6]]) expect(ping(to), to).to.equal(true)
    expect(inside('proxy', 'iptables -t nat -S')).to.include('MASQUERADE')
    await interrupt(theProxy)
    expect(inside('proxy', 'iptables -t nat -S')).not.to.include('MASQUERADE')
    expect(inside('proxy', 'iptables -t mangle -S')).not.to.include('TCPMSS')
    expect(setting('net/ipv4/ip_forward')).to.equal('0')
  })

  it('say in one sentence why there is no TUN device', async () => {
    sh('ip -n proxy link add tun0 type veth peer name tun9')
    const program = await proxy()
    expect(await program.ended).to.equal(1)
    expect(program.output).to.equal('an interface tun0 exists and is no TUN device: choose another name\n')
    expect(setting('net/ipv4/ip_forward')).to.equal('0')
  })
})
