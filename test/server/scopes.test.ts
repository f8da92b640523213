import { expect } from 'chai'
import { decodeAddressAssign } from '../../src/connect-ip/address-assign.ts'
import { encodeAddressRequest } from '../../src/connect-ip/address-request.ts'
import { CapsuleType } from '../../src/connect-ip/capsule.ts'
import type { Header } from '../../src/http/header.ts'
import { IpAddress } from '../../src/ip/address.ts'
import { IpPrefix } from '../../src/ip/prefix.ts'
import type { ServerConfigOverrides } from '../../src/server/config.ts'
import { CONNECT_IP } from '../http3/conversation.ts'
import { closeHostilePeers, HostileClient } from '../support/hostile-peer.ts'
import { closeLoopback, connectClient, ping, startServer, until } from '../support/loopback.ts'

const HOST = { 4: '10.90.0.1', 6: 'fd00:90::1' } as const
const NAMES: Record<string, string[]> = {
  'four.example': [HOST[4]],
  'six.example': [HOST[6]],
  'both.example': [HOST[4], HOST[6]],
}
const resolveName = async (name: string) => NAMES[name].map(text => IpAddress.parse(text))
const routesTo = (...prefixes: string[]): ServerConfigOverrides => ({
  routes: prefixes.map(prefix => ({ prefix: IpPrefix.parse(prefix), protocol: 0 })),
})

type Versions = readonly (4 | 6)[]
const SCOPES: [what: string, target: string, ipproto: string, versions: Versions, server?: ServerConfigOverrides][] = [
  ['of everything', '*', '*', [4, 6]],
  [
    'of everything, where no route leads to the proxy itself',
    '*',
    '*',
    [4, 6],
    routesTo('10.90.0.0/24', 'fd00:90::/64'),
  ],
  ['of an IPv4 prefix', '10.90.0.0/24', '*', [4]],
  ['of an IPv4 address', HOST[4], '*', [4]],
  ['of an IPv6 prefix', 'fd00:90::/64', '*', [6]],
  ['of an IPv6 prefix that the proxy is in', 'fd00:89::/64', '*', [6]],
  ['of a name with an IPv4 address', 'four.example', '*', [4]],
  ['of a name with an IPv6 address', 'six.example', '*', [6]],
  ['of a name with both', 'both.example', '*', [4, 6]],
  ['of UDP', '*', '17', [4, 6]],
  ['of UDP to an IPv6 prefix', 'fd00:90::/64', '17', [6]],
  ['of ICMP, which is IPv4’s', '*', '1', [4]],
  ['of ICMPv6', '*', '58', [6]],
  ['of ICMPv6 to a name with both', 'both.example', '58', [6]],
]

const request = (target: string, ipproto: string): Header[] => {
  const path = `/.well-known/masque/ip/${encodeURIComponent(target).replace('*', '%2A')}/${ipproto.replace('*', '%2A')}/`
  return CONNECT_IP.map(([name, value]) => [name, name === ':path' ? path : value])
}

describe('a scope', () => {
  afterEach(async () => {
    await closeHostilePeers()
    await closeLoopback()
  })

  for (const [what, target, ipproto, versions, overrides] of SCOPES) {
    it(`CIP-38 ${what} gets addresses of IPv${versions.join(' and IPv')}, unprompted and when it asks`, async () => {
      const peer = await HostileClient.connect(await startServer(overrides, { resolveName }))
      const tunnel = await peer.openTunnel(request(target, ipproto))
      const own: string[] = versions.map(version => (version === 4 ? '10.89.0.2/32' : 'fd00:89::2/128'))
      const more: string[] = versions.map(version => (version === 4 ? '10.89.0.3/32' : 'fd00:89::3/128'))
      const assigned = async (index: number) =>
        decodeAddressAssign(await tunnel.capsule(CapsuleType.ADDRESS_ASSIGN, index)).map(
          ({ requestId, prefix }) => `${requestId} ${prefix}`,
        )
      expect(await assigned(0)).to.deep.equal(own.map(address => `0 ${address}`))
      const wishes = ['0.0.0.0/32', '::/128', '10.89.0.3/32', 'fd00:89::3/128']
      peer.sendData(
        tunnel.streamId,
        encodeAddressRequest(wishes.map((wish, i) => ({ requestId: BigInt(i + 1), prefix: IpPrefix.parse(wish) }))),
      )
      const answers: Record<string, string> = Object.fromEntries((await assigned(1)).map(entry => entry.split(' ')))
      const expected = (version: 4 | 6, address: string, none: string) => (versions.includes(version) ? address : none)
      expect(answers).to.deep.equal({
        1: expected(4, own[0], '0.0.0.0/32'),
        2: expected(6, own.at(-1) as string, '::/128'),
        3: expected(4, more[0], '0.0.0.0/32'),
        4: expected(6, more.at(-1) as string, '::/128'),
      })
    })

    it(`CIP-39 ${what} outlives the link probes of both sides`, async () => {
      // With the time that a probe has outside of tests: a machine that is busy needs it.
      const server = await startServer(overrides, { resolveName })
      const { client, info } = await connectClient(server, {
        proxy: { target, ipproto },
        tunnel: { linkProbe: 'require' },
      })
      expect(info.assigned.map(prefix => prefix.version)).to.deep.equal(versions)
      if (!versions.includes(6)) {
        // Nothing to test: 1280 bytes are IPv6's demand.
        expect(server.clients()[0].linkProbe).to.equal(undefined)
      } else {
        // An answer ends the probe; without one it would be "silent", and the tunnel gone.
        await until(() => server.clients()[0].linkProbe !== undefined)
        expect(server.clients()[0].linkProbe).to.equal('ok')
        await until(() => client.tunnel?.linkProbe !== undefined)
        expect(client.tunnel?.linkProbe).to.equal('ok')
      }
      const version = versions.at(-1) as 4 | 6
      if (target !== 'fd00:89::/64') await ping(client, HOST[version])
    })
  }

  it('CIP-39 a narrow one ends when nothing at the other end answers, as any other', async () => {
    const server = await startServer({}, { linkProbeTiming: { attempts: 2, timeoutMs: 100 } })
    const peer = await HostileClient.connect(server)
    await peer.openTunnel(request('fd00:90::/64', '*'))
    // This client does not answer: what a proxy that asks for an answer has to do then is to end the tunnel.
    await until(() => server.status().tunnels === 0)
    expect(server.connectionLog().find(({ event }) => event === 'tunnel-closed')?.detail).to.match(
      /no ping .* answered/,
    )
  })
})
