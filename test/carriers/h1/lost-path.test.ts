import { expect } from 'chai'
import fc from 'fast-check'
import {
  grantedMs,
  lostAfter,
  SIGN_OF_LIFE_HEADER,
  signOfLifeMs,
  wishFor,
} from '../../../src/carriers/h1/sign-of-life.ts'
import type { ClientError } from '../../../src/client/errors.ts'
import { connectH1Peer, head, startH1Proxy, UPGRADE } from '../../support/h1-peer.ts'
import { closeLoopback, connectClient, newClient, ping, startServer, until } from '../../support/loopback.ts'
import { closeTcpPaths, openTcpPath } from '../../support/tcp-path.ts'
import { closeTlsPeers } from '../../support/tls-peer.ts'

const SWITCHING = [
  'HTTP/1.1 101 Switching Protocols',
  'Connection: Upgrade',
  'Upgrade: connect-ip',
  'Capsule-Protocol: ?1',
]
/** ADDRESS_ASSIGN unprompted, 10.89.0.9/32; ROUTE_ADVERTISEMENT without routes. */
const CAPSULES = Buffer.of(0x01, 7, 0, 4, 10, 89, 0, 9, 32, 0x03, 0)

describe('a path of TCP that is lost without a word, over HTTP/1.1', () => {
  afterEach(async () => {
    await closeLoopback()
    await closeTlsPeers()
    closeTcpPaths()
  })

  it('is noticed long before the idle timeout, and the client is back with the addresses that it had', async () => {
    const server = await startServer()
    const path = await openTcpPath(server.address)
    const { client } = await connectClient(
      { address: path.address },
      {
        tunnel: { carrier: 'h1', tcpLostAfterMs: 1000 },
        quic: { idleTimeoutMs: 3_600_000 },
        reconnect: { enabled: true, knockMs: 20, initialDelayMs: 20, maxDelayMs: 100 },
      },
    )
    const before = client.info.assigned.map(String)
    await ping(client, '10.90.0.1')
    const down = new Promise<ClientError>(resolve => client.once('down', resolve))
    const up = new Promise(resolve => client.once('up', resolve))
    path.lose()
    expect((await down).message).to.include('nothing was heard from the peer for 1 s')
    await up
    expect(client.info.assigned.map(String)).to.deep.equal(before)
    await ping(client, '10.90.0.1')
    expect(server.status()).to.include({ tunnels: 1, tunnelsTotal: 2 })
  })

  it('is none where the proxy gives signs of life, however quiet the tunnel is', async () => {
    const server = await startServer()
    const { client } = await connectClient(server, {
      tunnel: { carrier: 'h1', tcpLostAfterMs: 1000, linkProbe: 'off' },
      quic: { keepAliveMs: 0 },
    })
    await new Promise(resolve => setTimeout(resolve, 3000))
    expect(client.connected).to.equal(true)
    await ping(client, '10.90.0.1')
  })

  it('is not taken for one where the proxy has promised no sign of life', async () => {
    let asked = ''
    const proxy = await startH1Proxy(async peer => {
      asked = await peer.request()
      peer.send(head(SWITCHING), CAPSULES)
    })
    const client = await newClient(proxy, {
      tunnel: { carrier: 'h1', tcpLostAfterMs: 100, linkProbe: 'off', requestAddresses: [] },
    })
    await client.connect()
    expect(asked).to.match(/\r\nmasque-lab-sign-of-life: 25(\r\n|$)/i)
    await new Promise(resolve => setTimeout(resolve, 500))
    expect(client.connected).to.equal(true)
  })

  it('costs a proxy four short capsules a second at most, whatever is asked for, and nothing where nothing is', async () => {
    const server = await startServer({ tunnel: { linkProbe: 'off' } })
    const [eager, modest] = [await connectH1Peer(server), await connectH1Peer(server)]
    // Before the tunnel is there, whose signs are counted from its beginning.
    const startedAt = performance.now()
    eager.send(head([...UPGRADE, `${SIGN_OF_LIFE_HEADER}: 1`]))
    modest.send(head(UPGRADE))
    const promised = new RegExp(`\\r\\n${SIGN_OF_LIFE_HEADER}: 250(\\r\\n|$)`, 'i')
    await until(() => promised.test(eager.head))
    await until(() => modest.head.includes('101'))
    expect(modest.head.toLowerCase()).to.not.include(SIGN_OF_LIFE_HEADER)
    const signs = () => eager.rest.toString('hex').match(/1700/g)?.length ?? 0
    await until(() => signs() >= 3)
    expect(signs()).to.be.at.most((performance.now() - startedAt) / 250 + 1)
    expect(modest.rest.toString('hex')).to.not.include('1700')
  })

  it('is not looked for by a field that makes no sense, and never sooner than the promise allows', () => {
    for (const value of ['', '0', '-1', '01', '1.5', '12345678', '2500, 2500', '?1']) {
      expect(signOfLifeMs([[SIGN_OF_LIFE_HEADER, value]]), value).to.equal(undefined)
    }
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 3_600_000 }),
        fc.integer({ min: 1000, max: 3_600_000 }),
        (limitMs, keepAliveMs) => {
          const wish = signOfLifeMs([wishFor(limitMs)])
          const promised = grantedMs(wish ?? 0, keepAliveMs)
          expect(promised).to.be.at.least(Math.min(250, keepAliveMs))
          expect(promised).to.be.at.most(Math.max(250, keepAliveMs))
          expect(lostAfter(promised, limitMs))
            .to.be.at.least(4 * promised)
            .and.at.least(limitMs)
        },
      ),
    )
    fc.assert(
      fc.property(fc.string(), value => {
        const read = signOfLifeMs([[SIGN_OF_LIFE_HEADER, value]])
        if (read !== undefined) expect(read).to.be.within(1, 9_999_999)
      }),
    )
  })
})
