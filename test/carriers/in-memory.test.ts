/** The seam between HTTP and all above it: a version of HTTP made up here, in memory, carries a tunnel from end to end. */

import { expect } from 'chai'
import { MasqueClient } from '../../src/client/client.ts'
import { defaultClientConfig } from '../../src/client/config.ts'
import type { ClientError } from '../../src/client/errors.ts'
import type { Host } from '../../src/hosts/host.ts'
import type { UserspaceHost } from '../../src/hosts/userspace/userspace-host.ts'
import { describePacket } from '../../src/ip/packet.ts'
import { MasqueHandler } from '../../src/server/masque-handler.ts'
import { ping as echoRequest } from '../connect-ip/packets.ts'
import { read } from '../docs/repository.ts'
import { hex } from '../http3/conversation.ts'
import { newHandlerContext } from '../support/handler-context.ts'
import { until } from '../support/loopback.ts'
import { connectionPair, type MemoryClient } from '../support/memory-http.ts'

/** A client whose connections all lead to one proxy. */
function clientAndProxy<H extends Host = UserspaceHost>(
  changes: Parameters<typeof newHandlerContext>[0] = {},
  host?: H,
) {
  const proxy = newHandlerContext(changes)
  const connections: MemoryClient[] = []
  const client = new MasqueClient<H>(
    defaultClientConfig({
      proxy: { template: 'https://proxy.example/.well-known/masque/ip/{target}/{ipproto}/' },
      tunnel: { requestAddresses: ['ipv4'] },
      reconnect: { enabled: false },
      log: { level: 'silent' },
    }),
    {
      ...(host !== undefined && { host }),
      resolve: async () => ['192.0.2.1'],
      connect: async () => {
        const pair = connectionPair()
        connections.push(pair.client)
        new MasqueHandler(pair.server, proxy.context)
        return pair.client
      },
    },
  )
  return { ...proxy, client, connections }
}

const failureOf = (attempt: Promise<unknown>) =>
  attempt.then(
    () => undefined,
    error => error as ClientError,
  )

describe('a version of HTTP that is neither on QUIC nor on TCP', () => {
  it('carries a tunnel between proxy and client, in DATAGRAM capsules', async () => {
    const { client, tunnels, pools } = clientAndProxy()
    const info = await client.connect()
    expect(info).to.include({ encapsulation: 'single-stream', mtu: 1500 })
    expect([tunnels.size, pools[4].used]).to.deep.equal([1, 1])
    expect(info.assigned.map(String)).to.deep.equal(
      [...tunnels.values()].flatMap(t => t.proxyTunnel.addresses.map(a => `${a}/32`)),
    )
    await client.ping('10.89.0.1')
    const [{ proxyTunnel }] = tunnels.values()
    expect(proxyTunnel.tunnel.counters).to.include({ packetsReceived: 1, packetsSent: 1 })
    await client.close()
    expect([tunnels.size, pools[4].used]).to.deep.equal([0, 0])
  })

  it('answers with a status and with the fields that explain it', async () => {
    const { client } = clientAndProxy({
      authorise: () => ({ allowed: false, status: 403, reason: 'not you' }),
    })
    const error = await failureOf(client.connect())
    expect(error).to.include({ kind: 'http', status: 403 })
    expect(error?.message).to.contain('error=http_request_denied')
    await client.close()
  })

  it('ends a tunnel for the reason that a rule names, whichever end has broken it', async () => {
    const { client, tunnels, connections } = clientAndProxy()
    const down = new Promise<ClientError>(resolve => client.once('down', resolve))
    await client.connect()
    // ADDRESS_REQUEST with no address in it.
    client.tunnel?.tunnel?.carrier.sendCapsules(hex('02 00'))
    expect((await down).message).to.contain('the peer reset the request stream: malformed')
    expect([connections[0].peer.aborts, tunnels.size]).to.deep.equal([['malformed'], 0])
    await client.close()
  })

  it('tells both ends when its connection ends', async () => {
    const { client, tunnels, connections } = clientAndProxy()
    const down = new Promise<ClientError>(resolve => client.once('down', resolve))
    await client.connect()
    connections[0].peer.close('no longer')
    expect((await down).message).to.contain('the connection was closed by the peer: no longer')
    expect(tunnels.size).to.equal(0)
    await client.close()
  })

  it('gives any kind of host the packets, addresses, routes and MTU of the tunnel, and takes them away with it', async () => {
    const heard: string[] = []
    const host: Host = {
      addresses: [],
      receive: packet => heard.push(describePacket(packet)),
      send: () => {},
      configure: ({ addresses, routes, mtu }) => heard.push(`addresses ${addresses}, routes ${routes}, MTU ${mtu}`),
      close: () => heard.push('closed'),
    }
    const { client, connections } = clientAndProxy({}, host)
    const down = new Promise(resolve => client.once('down', resolve))
    await client.connect()
    expect(heard.splice(0)).to.deep.equal(['addresses 10.89.0.2, routes 0.0.0.0-255.255.255.255, MTU 1500'])
    host.send(echoRequest('10.89.0.2', '10.89.0.1'))
    await until(() => heard.length > 0)
    expect(heard.splice(0).join()).to.match(/10\.89\.0\.1 → 10\.89\.0\.2/)
    connections[0].peer.close('no longer')
    await down
    await client.close()
    expect(heard).to.deep.equal(['addresses , routes , MTU 0', 'closed'])
  })

  it('is all that proxy and client know of HTTP: they name no version of it', () => {
    const files = ['server/masque-handler', 'server/proxy-tunnel', 'server/plain-response', 'client/client-tunnel']
    const floors = ['client/dial', 'client/errors', 'carriers/carrier', 'carriers/tunnel', 'carriers/end-reason']
    for (const file of [...files, ...floors, 'carriers/http-connection', 'connect-ip/request', 'connect-ip/errors']) {
      expect(read(`src/${file}.ts`), file).to.not.match(/from '.*\/(http3|h3)\//)
    }
  })
})
