import { expect } from 'chai'
import type { ClientError } from '../../src/client/errors.ts'
import { closeLoopback, newClient, ping, startServer, until } from '../support/loopback.ts'
import { openRelay } from '../support/udp-relay.ts'

describe('a path on which large packets are lost', () => {
  afterEach(closeLoopback)

  // The probe's patience is seven seconds and more, so all of this happens at the same time.
  it('CIP-33 ends the tunnel, whichever end looks, and is tolerated where neither does', async function () {
    this.timeout(40_000)
    const run = async (ofServer: 'require' | 'auto' | 'off', ofClient: 'require' | 'auto' | 'off') => {
      const server = await startServer({ tunnel: { linkProbe: ofServer } })
      const relay = await openRelay(server.address, 1300)
      const client = await newClient(server, { proxy: { address: relay.local }, tunnel: { linkProbe: ofClient } })
      // The path's MTU is found at once, perhaps before the tunnel is up.
      const down = new Promise<ClientError>(resolve => {
        client.once('down', resolve)
        client.connect().catch(resolve)
      })
      return { server, client, down }
    }
    const [proxyLooks, clientLooks, nobodyLooks] = await Promise.all([
      run('require', 'off'),
      run('off', 'auto'),
      run('off', 'off'),
    ])
    expect((await proxyLooks.down).message).to.match(/the peer reset/)
    expect((await clientLooks.down).message).to.match(/does not carry 1280 bytes: its MTU is 1266/)
    await until(() => proxyLooks.server.status().tunnels === 0 && clientLooks.server.status().tunnels === 0)
    expect(
      proxyLooks.server
        .connectionLog()
        .map(entry => entry.detail)
        .join(),
    ).to.match(/does not carry 1280 bytes/)
    await nobodyLooks.client.connect()
    await ping(nobodyLooks.client, 'fd00:90::1')
  })
})
