/**
 * UDP in batches on a link that takes less than the path did, or no batches. The client is in a namespace of its own, the proxy here:
 *
 *     pings ── client ── c0 ── c1 ── proxy ── echo, a host in userspace
 */
import { spawnSync } from 'node:child_process'
import { expect } from 'chai'
import { IpAddress } from '../../../src/ip/address.ts'
import { IpPrefix } from '../../../src/ip/prefix.ts'
import type { MasqueServer } from '../../../src/server/server.ts'
import {
  endPrograms,
  makeClientNamespace,
  ours,
  type Program,
  removeClientNamespace,
  sh,
  startScript,
} from '../../hosts/tun/network.ts'
import { testCertificates } from '../../support/certificates.ts'
import { closeLoopback, startServer, until } from '../../support/loopback.ts'

interface ClientState {
  readonly answered: number
  readonly mtu: number
}

describe('UDP in batches', function () {
  this.timeout(160_000)
  let server: MasqueServer
  let client: Program

  beforeEach(makeClientNamespace)
  afterEach(async () => {
    await endPrograms()
    await closeLoopback()
    removeClientNamespace()
  })

  /** Pings as large as the tunnel takes, twenty at a time, which leave in batches on both sides. */
  async function open(): Promise<void> {
    // IPv4 alone: a tunnel that is narrower than 1280 bytes may not carry IPv6.
    const pool = { ipv4: IpPrefix.parse('10.89.0.0/24') }
    server = await startServer({
      listen: { host: '192.0.2.1' },
      pool,
      hosts: [{ name: 'echo', ipv4: IpAddress.parse('10.90.0.1') }],
    })
    const certificates = await testCertificates()
    client = startScript(
      `import { MasqueClient } from '${ours('src/client/client.ts')}'
       import { defaultClientConfig } from '${ours('src/client/config.ts')}'
       const client = new MasqueClient(defaultClientConfig({
         proxy: { address: { host: '192.0.2.1', port: ${server.address.port} } },
         tls: { ca: ${JSON.stringify(certificates.ca)} },
         tunnel: { requestAddresses: ['ipv4'] },
         reconnect: { enabled: false },
         log: { level: 'silent' },
       }))
       await client.connect()
       for (let answered = 0; ; ) {
         const size = client.info.mtu - 28
         const pings = Array.from({ length: 20 }, () => client.ping('10.90.0.1', { size, timeoutMs: 1000 }))
         for (const { status } of await Promise.allSettled(pings)) if (status === 'fulfilled') answered++
         console.log(JSON.stringify({ answered, mtu: client.info.mtu }))
       }`,
      ['ip', 'netns', 'exec', 'client'],
    )
  }
  const state = (): ClientState => {
    const [line] = client.output.trim().split('\n').slice(-1)
    if (client.process.exitCode !== null) throw new Error(client.output.slice(-2000))
    return line === '' ? { answered: 0, mtu: 0 } : JSON.parse(line)
  }
  async function answers(): Promise<void> {
    const before = state().answered
    await until(() => state().answered >= before + 100)
  }
  const tooLarge = (): number => server.status().unsent.udp['too-large'] ?? 0

  it('find the new size when the link becomes narrower under way, and the tunnel stays', async () => {
    await open()
    await answers()
    expect(state().mtu).to.be.above(1300)
    sh('ip link set c1 mtu 1300')
    sh('ip -n client link set c0 mtu 1300')
    // 28 bytes of IP and UDP, and what QUIC needs.
    await until(() => state().mtu < 1300 - 28 - 20 && server.clients()[0].mtu < 1300 - 28 - 20)
    await answers()
    expect(tooLarge()).to.be.above(0)
    // Those that leave now fit.
    const before = tooLarge()
    await answers()
    expect(tooLarge()).to.be.at.most(before + 3)
    expect(server.status().tunnels).to.equal(1)
  })

  for (const [what, command] of [
    ['takes no batches itself', 'ip DEVICE gso_max_segs 1'],
    ['cuts no batches, nor completes checksums', 'ethtool DEVICE tx off gso off'],
  ])
    it(`pass a link whose device ${what}`, async function () {
      if (command.startsWith('ethtool') && spawnSync('ethtool', ['--version']).error !== undefined) {
        console.log('skipped: the command ethtool is missing (Debian package ethtool)')
        this.skip()
      }
      const isIp = command.startsWith('ip')
      sh(command.replace('DEVICE', isIp ? 'link set c1' : '-K c1'))
      sh(`ip netns exec client ${command.replace('DEVICE', isIp ? 'link set c0' : '-K c0')}`)
      await open()
      await answers()
      expect(state().mtu).to.be.above(1300)
      expect(server.status().unsent.udp).to.deep.equal({})
      expect(server.status().tunnels).to.equal(1)
    })
})
