/**
 * A client that changes its network while a program has a TCP connection through the tunnel, with real interfaces:
 *
 *     client  a0 192.0.2.2 ───────────────────────────────── 192.0.2.1   a1  proxy, 198.18.0.1
 *             b0 192.168.7.2 ── 192.168.7.1  nat  203.0.113.2 ── 203.0.113.1 b1
 *
 * The client knows the proxy by one address, and its routes say by which interface. At the proxy a program sends back what comes.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { testCertificates } from '../../support/certificates.ts'
import { until } from '../../support/loopback.ts'
import { endPrograms, isMissing, type Program, sh, start, startCommand } from './network.ts'

const NAMESPACES = ['client', 'nat', 'proxy']
const PROXY = '198.18.0.1'
/** The proxy's own address in the tunnels. */
const INNER = '10.89.0.1'
const PORT = 7007
/** So much comes back between two moments of a test at least: the tunnel works. */
const SOME_BYTES = 40_000

/** Sends back what comes, on the system's sockets. */
const ECHO = `
  require('node:net').createServer(socket => socket.on('error', () => {}).pipe(socket))
    .listen(${PORT}, '0.0.0.0', () => console.log('listening'))`

/** A byte says where in the stream it stands. Whatever ends the connection, or comes in another order, is said and is the end. */
const TALKER = `
  const byteAt = at => (at * 31 + (at >> 8)) & 255
  const socket = require('node:net').connect(${PORT}, '${INNER}')
  let sent = 0
  let came = 0
  const end = why => { console.log('broken: ' + why); process.exit(1) }
  socket.on('connect', () => {
    console.log('from ' + socket.localAddress + ':' + socket.localPort)
    setInterval(() => {
      // As a person's program would: it waits for what is on its way, and does not fill memory meanwhile.
      if (sent - came > 20000) return
      socket.write(Buffer.from(Array.from({ length: 1000 }, () => byteAt(sent++))))
    }, 10)
  })
  socket.on('data', data => {
    for (const byte of data) if (byte !== byteAt(came++)) end('byte ' + (came - 1))
    console.log('came ' + came)
  })
  socket.on('error', error => end(error.code)).on('close', () => end('closed'))`

describe('a TCP connection of the system through a tunnel that moves', function () {
  this.timeout(300_000)
  let folder: string

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'moving-'))
    for (const name of NAMESPACES) {
      sh(`ip netns add ${name}`)
      sh(`ip -n ${name} link set lo up`)
    }
    sh('ip link add a0 netns client type veth peer name a1 netns proxy')
    sh('ip link add b0 netns client type veth peer name n0 netns nat')
    sh('ip link add n1 netns nat type veth peer name b1 netns proxy')
    for (const [name, device, address] of [
      ['client', 'a0', '192.0.2.2'],
      ['client', 'b0', '192.168.7.2'],
      ['nat', 'n0', '192.168.7.1'],
      ['nat', 'n1', '203.0.113.2'],
      ['proxy', 'a1', '192.0.2.1'],
      ['proxy', 'b1', '203.0.113.1'],
    ]) {
      sh(`ip -n ${name} addr add ${address}/24 dev ${device}`)
      sh(`ip -n ${name} link set ${device} up`)
    }
    sh(`ip -n proxy addr add ${PROXY}/32 dev lo`)
    sh(`ip -n nat route add ${PROXY} via 203.0.113.1`)
    sh('ip netns exec nat tee /proc/sys/net/ipv4/ip_forward', '1')
    // The lower metric is the one in use while its interface is up.
    sh(`ip -n client route add ${PROXY} via 192.0.2.1 dev a0 metric 100`)
    sh(`ip -n client route add ${PROXY} via 192.168.7.1 dev b0 metric 200`)
  })

  afterEach(async () => {
    await endPrograms()
    for (const name of NAMESPACES) sh(`ip netns del ${name}`)
    rmSync(folder, { recursive: true, force: true })
  })

  /** Without NAT the way back to the client's second address has to be known. */
  const withoutNat = (): string => sh('ip -n proxy route add 192.168.7.0/24 via 203.0.113.2')
  /** The first interface is out of reach: its route goes, as a system's network manager does it, and then the rest. */
  const leave = (): void => {
    sh(`ip -n client route del ${PROXY} dev a0`)
    sh('ip -n client link set a0 down')
    sh('ip -n client addr flush dev a0')
  }
  const innerAddress = (): string => sh('ip -n client -o -4 addr show tun0').match(/10\.89\.0\.\d+/)?.[0] ?? 'none'
  const came = (talker: Program): number => Number(talker.output.match(/came (\d+)\n(?!.*came)/s)?.[1] ?? 0)
  /** Waits until so many more bytes have come back. Every one is checked by the talker itself. */
  async function goesOn(talker: Program): Promise<void> {
    const before = came(talker)
    await until(() => came(talker) >= before + SOME_BYTES || talker.process.exitCode !== null)
    expect(talker.output).not.to.include('broken')
  }

  /** Proxy and client with TUN devices, and a connection between programs over them that works. */
  async function connection(more = ''): Promise<{ client: Program; proxy: Program; talker: Program }> {
    const certificates = await testCertificates()
    writeFileSync(
      join(folder, 'server.toml'),
      `listen = { host = "${PROXY}", port = 4433 }
       tls = { certificate = "${certificates.server}", key = "${certificates.serverKey}" }
       pool = { ipv4 = "10.89.0.0/24" }
       api = { enabled = false }
       [tun]
       name = "tun0"`,
    )
    writeFileSync(
      join(folder, 'client.toml'),
      `[proxy]
       template = "https://localhost:4433/.well-known/masque/ip/{target}/{ipproto}/"
       address = "${PROXY}:4433"
       [tls]
       ca = "${certificates.ca}"
       [tunnel]
       request_addresses = ["ipv4"]
       [reconnect]
       initial_delay_ms = 50
       max_delay_ms = 200
       ${more}`,
    )
    const proxy = startCommand(['server', '-c', join(folder, 'server.toml')], 'proxy')
    await until(() => proxy.output.includes('Ctrl-C') || proxy.process.exitCode !== null)
    expect(proxy.process.exitCode, proxy.output).to.equal(null)
    const client = startCommand(['client', '-c', join(folder, 'client.toml'), '--tun', 'tun0'], 'client')
    await until(() => client.output.includes('Ctrl-C') || client.process.exitCode !== null)
    expect(client.output).to.include('TUN         tun0').and.not.include('problem')
    const echo = start(process.execPath, ['-e', ECHO], 'proxy')
    await until(() => echo.output.includes('listening'))
    const talker = start(process.execPath, ['-e', TALKER], 'client')
    await goesOn(talker)
    expect(talker.output).to.include(`from ${innerAddress()}:`)
    return { client, proxy, talker }
  }

  it('Q-03 goes on, byte by byte, when the client goes on over its other interface, and the addresses inside stay', async () => {
    withoutNat()
    const { client, talker } = await connection()
    const before = innerAddress()
    leave()
    await until(() => client.output.includes('moved  ') || client.process.exitCode !== null)
    expect(client.output).to.match(/^moved +192\.0\.2\.2:\d+ -> 192\.168\.7\.2:\d+ in /m)
    await goesOn(talker)
    expect(innerAddress()).to.equal(before)
    // It is the same tunnel.
    expect(client.output).not.to.match(/^(down|reconnect) /m)
  })

  it('goes on, byte by byte, when the NAT before the client has forgotten it and has another address', async function () {
    isMissing('nft', this, 'nftables')
    const rule = 'type nat hook postrouting priority 100; oifname "n1" masquerade'
    sh('ip netns exec nat nft -f -', `table ip nat {\nchain out {\n${rule.replace('; ', ';\n')}\n}\n}\n`)
    // By the second interface from the first packet on.
    leave()
    const { client, talker } = await connection()
    const before = innerAddress()
    // What it has translated is forgotten with the address.
    sh('ip -n nat addr del 203.0.113.2/24 dev n1')
    sh('ip -n nat addr add 203.0.113.3/24 dev n1')
    sh(`ip -n nat route replace ${PROXY} via 203.0.113.1`)
    await goesOn(talker)
    expect(innerAddress()).to.equal(before)
    // The client has noticed nothing: its own address is what it was.
    expect(client.output).not.to.match(/^(moved|down|reconnect) /m)
  })

  it('goes on, byte by byte, where the client may not move and opens another tunnel, which gets the same addresses', async () => {
    withoutNat()
    const { client, talker } = await connection('[migration]\nenabled = false\n[quic]\nidle_timeout_ms = 2000')
    const before = innerAddress()
    leave()
    await until(() => /as before|others than before/.test(client.output) || client.process.exitCode !== null)
    expect(client.output)
      .to.match(/^down /m)
      .and.include('(as before)')
      .and.not.match(/^moved /m)
    await until(() => innerAddress() === before)
    await goesOn(talker)
  })
})
