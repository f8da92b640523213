import { expect } from 'chai'
import { ClientError } from '../../src/client/errors.ts'
import { type Header, headerValue } from '../../src/http/header.ts'
import { MasqueServer } from '../../src/server/server.ts'
import { freePort } from '../../src/testbed/free-port.ts'
import { GET, headersFrame } from '../http3/conversation.ts'
import { closeHostilePeers, HostileClient } from '../support/hostile-peer.ts'
import {
  closeLoopback,
  connectClient,
  failure,
  itOverAll,
  keepPinging,
  newClient,
  ping,
  startServer,
  until,
} from '../support/loopback.ts'
import { openRelay } from '../support/udp-relay.ts'

/** The form of RFC 9110 §5.6.7. */
const DATE = /^\w{3}, \d\d \w{3} \d{4} [\d:]{8} GMT$/

describe('the life of a proxy', () => {
  afterEach(async () => {
    await closeHostilePeers()
    await closeLoopback()
  })

  it('H3-06 ends with GOAWAY, the orderly end of every tunnel, and a close without error', async () => {
    const server = await startServer()
    const peer = await HostileClient.connect(server)
    const tunnel = await peer.openTunnel()
    const closing = server.close()
    expect(server.status().draining).to.equal(true)
    expect(server.health()).to.equal('draining')
    await peer.event('goaway')
    await peer.recorder.until(() => peer.recorder.streams.get(tunnel.streamId)?.fin)
    peer.sendData(tunnel.streamId, new Uint8Array(0), true)
    await closing
    expect(await peer.connectionError()).to.equal('H3_NO_ERROR')
    expect(server.status()).to.include({ tunnels: 0 })
  })

  it('H3-06 rejects requests that come after its GOAWAY with H3_REQUEST_REJECTED', async () => {
    const server = await startServer()
    const peer = await HostileClient.connect(server)
    const tunnel = await peer.openTunnel()
    const closing = server.close()
    await peer.event('goaway')
    // Without leave of our own HTTP/3, which has heard the GOAWAY as well.
    peer.send(4, headersFrame(GET), true)
    expect(await peer.streamError(4)).to.equal('H3_REQUEST_REJECTED')
    peer.sendData(tunnel.streamId, new Uint8Array(0), true)
    await closing
  })

  itOverAll('H3-06 tells its clients, whose tunnels are down and counted as ended in good order', async () => {
    const server = await startServer()
    const clients = await Promise.all([1, 2, 3].map(() => connectClient(server)))
    const downs = clients.map(({ client }) => new Promise<ClientError>(resolve => client.once('down', resolve)))
    await server.close()
    for (const error of await Promise.all(downs)) {
      expect(error).to.include({ kind: 'tunnel', retryable: true })
      expect(error.message).to.match(/the proxy closed the tunnel/)
    }
    const closed = server.connectionLog().filter(entry => entry.event === 'tunnel-closed')
    expect(closed.map(entry => entry.detail)).to.deep.equal(
      Array(3).fill('we closed the tunnel: the proxy is shutting down'),
    )
    expect(server.status().pools.map(pool => pool.used)).to.deep.equal([0, 0])
  })

  it('is over when it was closed, however often, also in the middle of a handshake', async () => {
    const server = await startServer()
    const connecting = (await newClient(server)).connect().catch(error => error)
    await Promise.all([server.close(), server.close()])
    const result = await connecting
    if (result instanceof Error) expect(result).to.be.instanceOf(ClientError)
  })

  it('leaves the port free for the next', async () => {
    const port = await freePort()
    const first = await startServer({ listen: { port } })
    const error = await failure(
      MasqueServer.start({ ...first.config, listen: { ...first.config.listen, host: '127.0.0.1', port } }),
      Error,
    )
    expect(error.message).to.match(/already in use: stop the other server, or choose another listen.port/)
    await first.close()
    const second = await startServer({ listen: { port } })
    await ping((await connectClient(second)).client, '10.90.0.1')
  })

  it('CIP-11 gives the addresses of a client that vanished back after the idle timeout, and forgets it', async () => {
    // Not shorter: of the tunnel that stays it is the limit, too, also while the machine is busy with other things.
    const server = await startServer({ quic: { idleTimeoutMs: 2000 } })
    const relay = await openRelay(server.address)
    const { client } = await connectClient(
      { address: relay.local },
      // The proxy's silence is not the client's matter here.
      { quic: { idleTimeoutMs: 60_000 }, proxy: { address: relay.local } },
    )
    await ping(client, '10.90.0.1')
    await relay.cut()
    const other = await connectClient(server)
    const train = keepPinging(other.client, '10.90.0.1')
    await until(() => server.status().connections === 1)
    expect(await train.stop()).to.be.greaterThan(0)
    expect(server.status()).to.include({ tunnels: 1 })
    expect(server.status().pools.map(pool => pool.used)).to.deep.equal([1, 1])
    expect(server.connectionLog()[0]).to.include({ event: 'closed' })
    expect(server.connectionLog()[0].detail).to.match(/^timeout/)
  })

  describe('H3-08 a plain request', () => {
    const plain = (method: string, path: string, extra: Header[] = []): Header[] => [
      [':method', method],
      [':scheme', 'https'],
      [':authority', 'localhost'],
      [':path', path],
      ...extra,
    ]
    for (const [method, path, status, hasBody] of [
      ['GET', '/', '200', true],
      ['GET', '/elsewhere', '404', true],
      ['HEAD', '/', '200', false],
      ['HEAD', '/elsewhere', '404', false],
      ['POST', '/', '405', true],
      ['OPTIONS', '/', '405', true],
    ] as const) {
      it(`${method} ${path} is answered with ${status}`, async () => {
        const peer = await HostileClient.connect(await startServer())
        const response = await peer.request(plain(method, path), true)
        expect(response.status).to.equal(status)
        await peer.recorder.until(() => peer.recorder.streams.get(response.streamId)?.fin)
        const content = peer.events
          .flatMap(event => (event.type === 'data' ? [Buffer.from(event.data).toString()] : []))
          .join('')
        const length = Number(response.headers.find(([name]) => name === 'content-length')?.[1])
        expect(length).to.be.greaterThan(0)
        expect(content.length).to.equal(hasBody ? length : 0)
        if (status === '405') expect(response.headers).to.deep.include(['allow', 'GET, HEAD'])
        // RFC 9110 §6.6.1: every answer of 2xx, 3xx and 4xx says when it was made.
        expect(headerValue(response.headers, 'date')).to.match(DATE)
      })
    }

    it('has a date in its answer, and so has the request for a tunnel', async () => {
      const peer = await HostileClient.connect(await startServer())
      const { status, headers } = await peer.openTunnel()
      expect([status, headerValue(headers, 'date')?.replace(DATE, 'a date')]).to.deep.equal(['200', 'a date'])
    })

    it('with a body is answered although the body is not read', async () => {
      const peer = await HostileClient.connect(await startServer())
      const { status, streamId } = await peer.request(plain('POST', '/', [['content-length', '100000']]))
      expect(status).to.equal('405')
      peer.sendData(streamId, new Uint8Array(100_000), true)
      expect((await peer.request(plain('GET', '/'), true)).status).to.equal('200')
    })
  })

  it('AT-21 counts its uptime by a clock that nobody sets', async () => {
    let now = 5_000
    const server = await startServer({}, { now: () => now })
    const { now: dateNow } = Date
    try {
      Date.now = () => dateNow() - 3_600_000
      now += 7_400
      expect(server.status().uptimeSeconds).to.equal(7.4)
    } finally {
      Date.now = dateNow
    }
  })
})
