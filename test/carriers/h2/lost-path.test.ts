import { expect } from 'chai'
import type { MasqueClient } from '../../../src/client/client.ts'
import type { ClientError } from '../../../src/client/errors.ts'
import { closeLoopback, connectClient, ping, startServer, until } from '../../support/loopback.ts'
import { closeTcpPaths, openTcpPath } from '../../support/tcp-path.ts'

const addresses = ({ info }: Pick<MasqueClient, 'info'>) => info.assigned.map(String)

describe('a path of TCP that is lost without a word', () => {
  afterEach(async () => {
    await closeLoopback()
    closeTcpPaths()
  })

  it('is noticed over HTTP/2 long before the idle timeout, and the client is back with the addresses that it had', async () => {
    const server = await startServer()
    const path = await openTcpPath(server.address)
    const { client } = await connectClient(
      { address: path.address },
      {
        tunnel: { carrier: 'h2', tcpLostAfterMs: 400 },
        quic: { idleTimeoutMs: 3_600_000 },
        reconnect: { enabled: true, knockMs: 20, initialDelayMs: 20, maxDelayMs: 100 },
      },
    )
    const before = addresses(client)
    await ping(client, '10.90.0.1')
    const down = new Promise<ClientError>(resolve => client.once('down', resolve))
    const up = new Promise(resolve => client.once('up', resolve))
    path.lose()
    // On its way when the path is gone: for TCP, a reason to try again for a long time.
    const onItsWay = ping(client, '10.90.0.1', { timeoutMs: 300 }).catch(() => {})
    expect((await down).message).to.include('nothing was heard from the peer for 0.4 s')
    await up
    expect(addresses(client)).to.deep.equal(before)
    await ping(client, '10.90.0.1')
    expect(server.status()).to.include({ tunnels: 1, tunnelsTotal: 2 })
    await onItsWay
  })

  it('is none where the proxy answers PING, however quiet the tunnel is', async () => {
    const server = await startServer()
    const { client } = await connectClient(server, {
      tunnel: { carrier: 'h2', tcpLostAfterMs: 200, linkProbe: 'off' },
      quic: { keepAliveMs: 0 },
    })
    await new Promise(resolve => setTimeout(resolve, 600))
    expect(client.connected).to.equal(true)
    await ping(client, '10.90.0.1')
  })

  it('is none where client and proxy were busy for longer than that', async () => {
    const server = await startServer()
    const { client } = await connectClient(server, { tunnel: { carrier: 'h2', tcpLostAfterMs: 100 } })
    for (let i = 0; i < 2; i++) {
      const end = performance.now() + 300
      while (performance.now() < end);
      await new Promise(setImmediate)
    }
    await ping(client, '10.90.0.1')
    expect(client.connected).to.equal(true)
    await until(() => server.status().tunnels === 1)
  })
})
