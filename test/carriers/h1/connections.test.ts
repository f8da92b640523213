import { expect } from 'chai'
import type { ClientConfigOverrides } from '../../../src/client/config.ts'
import { closeLoopback, connectClient, ping, startServer, until } from '../../support/loopback.ts'

const OVER_HTTP1: ClientConfigOverrides = { tunnel: { carrier: 'h1' } }

describe('HTTP/1.1 between proxy and client', () => {
  afterEach(closeLoopback)

  it('CIP-10 CIP-23 carries a tunnel in DATAGRAM capsules, on TCP with the port number that UDP has', async () => {
    const server = await startServer()
    const { client, info } = await connectClient(server, OVER_HTTP1)
    expect(info).to.include({ carrier: 'h1', encapsulation: 'single-stream', mtu: 1500 })
    await ping(client, '10.90.0.1')
    await ping(client, 'fd00:90::1', { size: 1400 })
    const [{ carrier, quic, backlog }] = server.clients()
    expect({ carrier, quic, backlog }).to.deep.equal({
      carrier: 'h1',
      quic: undefined,
      backlog: { bytes: 0, blockedMs: 0, dropped: 0 },
    })
    await client.close()
    await until(() => server.status().tunnels === 0 && server.status().connections === 0)
  })
})
