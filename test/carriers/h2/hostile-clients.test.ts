import { expect } from 'chai'
import { H2_STREAMS } from '../../../src/carriers/h2/server-connection.ts'
import { REQUESTS } from '../../../src/carriers/request-rate.ts'
import { encodeAddressRequest } from '../../../src/connect-ip/address-request.ts'
import type { Header } from '../../../src/http/header.ts'
import { IpPrefix } from '../../../src/ip/prefix.ts'
import { GATEWAY, type MasqueServer } from '../../../src/server/server.ts'
import { ping as echoRequest } from '../../connect-ip/packets.ts'
import { CONNECT_IP as H3_CONNECT_IP, hex } from '../../http3/conversation.ts'
import { keepBystander } from '../../support/bystander.ts'
import {
  connectH2Peer,
  connectTlsPeer,
  FLAG,
  FRAME,
  fieldBlock,
  type H2Peer,
  h2Frame,
  setting,
  uint32,
} from '../../support/h2-peer.ts'
import { closeLoopback, connectClient, startServer, until } from '../../support/loopback.ts'
import { closeTlsPeers } from '../../support/tls-peer.ts'

const CODE = {
  NO_ERROR: 0,
  PROTOCOL_ERROR: 1,
  INTERNAL_ERROR: 2,
  FRAME_SIZE_ERROR: 6,
  REFUSED_STREAM: 7,
  CANCEL: 8,
  COMPRESSION_ERROR: 9,
  ENHANCE_YOUR_CALM: 11,
}

const CONNECT_IP = fieldBlock(H3_CONNECT_IP)
const headers = (streamId: number, block = CONNECT_IP, flags: number = FLAG.END_HEADERS) =>
  h2Frame(FRAME.HEADERS, flags, streamId, block)
const reset = (streamId: number) => h2Frame(FRAME.RST_STREAM, 0, streamId, uint32(CODE.CANCEL))
const data = (streamId: number, payload: Uint8Array, flags = 0) => h2Frame(FRAME.DATA, flags, streamId, payload)

const connectIp = (changes: Record<string, string | undefined>, extra: Header[] = []): Uint8Array =>
  fieldBlock([
    ...H3_CONNECT_IP.flatMap(([name, value]): Header[] => {
      const changed = name in changes ? changes[name] : value
      return changed === undefined ? [] : [[name, changed]]
    }),
    ...extra,
  ])

function* times(count: number, part: (i: number) => Uint8Array): Generator<Uint8Array> {
  for (let i = 0; i < count; i++) yield part(i)
}
const ANY_IPV4 = IpPrefix.parse('0.0.0.0/32')
/** The nth stream of a client. */
const nth = (i: number): number => 1 + 2 * i

describe('a proxy with a hostile client over HTTP/2', () => {
  let server: MasqueServer

  keepBystander(async () => {
    server = await startServer({ limits: { maxTunnelsPerConnection: 2 * H2_STREAMS } })
    return { server, client: (await connectClient(server, { tunnel: { carrier: 'h2' } })).client }
  }, closeTlsPeers)

  const connect = (settings?: number[]) => connectH2Peer(server, settings)

  describe('that makes work without end', () => {
    it('AT-24 by opening streams and resetting them at once is told to calm down', async () => {
      const before = server.connectionLog().length
      const startedAt = performance.now()
      const peer = await connect()
      await peer.flood(times(5000, i => Buffer.concat([headers(nth(i)), reset(nth(i))])))
      expect(await peer.goAway()).to.deep.equal([CODE.ENHANCE_YOUR_CALM, 'too many requests'])
      await until(() => peer.closed)
      // Each of those that were let through may have had a tunnel for a moment.
      const opened = server.connectionLog().filter(({ event }) => event === 'tunnel-opened').length
      const seconds = (performance.now() - startedAt) / 1000
      expect(opened - before).to.be.at.most(REQUESTS.burst + REQUESTS.perSecond * (1 + seconds))
    })

    it('AT-24 by having the proxy reset its streams is told to calm down', async () => {
      const peer = await connect()
      await peer.flood(times(5000, i => headers(nth(i), connectIp({ ':path': undefined }))))
      await until(() => peer.closed)
      expect(peer.frames.filter(({ type }) => type === FRAME.RST_STREAM).length).to.be.at.most(REQUESTS.burst + 100)
    })

    it('AT-25 by a head that never ends loses its connection', async () => {
      for (const piece of [fieldBlock([['x-a', 'b'.repeat(100)]]), new Uint8Array(0)]) {
        const peer = await connect()
        peer.send(headers(1, CONNECT_IP, 0))
        await peer.flood(times(5000, () => h2Frame(FRAME.CONTINUATION, 0, 1, piece)))
        await until(() => peer.closed)
      }
    })

    it('AT-25 by a head that is larger than it may be loses the stream', async () => {
      const peer = await connect()
      // Few enough fields, in two frames that are small enough.
      const more = fieldBlock(Array.from({ length: 55 }, (_, i): Header => [`x-${i}`, 'b'.repeat(126)]))
      peer.send(headers(1, Buffer.concat([CONNECT_IP, more]), 0))
      peer.send(h2Frame(FRAME.CONTINUATION, FLAG.END_HEADERS, 1, more))
      expect(await peer.resetCode(1)).to.equal(CODE.ENHANCE_YOUR_CALM)
      await works(peer, 3)
    })

    it('AT-26 by more streams than it may have open is refused those', async () => {
      const peer = await connect()
      for (let i = 0; i <= H2_STREAMS; i++) peer.send(headers(nth(i)))
      expect(await peer.resetCode(nth(H2_STREAMS))).to.equal(CODE.REFUSED_STREAM)
      expect(peer.closed).to.equal(false)
      expect(server.status().tunnels).to.equal(1 + H2_STREAMS)
    })

    it('AT-26 by SETTINGS with many entries loses its connection', async () => {
      const peer = await connect()
      const entries = Array.from({ length: 1000 }, (_, i) => setting(99, i)).flat()
      peer.send(h2Frame(FRAME.SETTINGS, 0, 0, entries))
      expect((await peer.goAway())[0]).to.equal(CODE.ENHANCE_YOUR_CALM)
    })

    it('AT-26 by empty DATA frames loses its connection', async () => {
      const peer = await connect()
      peer.send(headers(1))
      await peer.flood(times(20_000, () => data(1, new Uint8Array(0))))
      await until(() => peer.closed)
    })
  })

  it('AT-29 that asks for addresses again and again, and reads no answer, loses its tunnel', async () => {
    const SETTINGS_INITIAL_WINDOW_SIZE = 4
    const peer = await connect(setting(SETTINGS_INITIAL_WINDOW_SIZE, 0))
    peer.send(headers(1))
    const isReset = () => peer.frames.some(({ type }) => type === FRAME.RST_STREAM)
    await peer.flood(
      (function* () {
        for (let i = 1; i <= 50_000 && !isReset(); i++) {
          yield data(1, encodeAddressRequest([{ requestId: BigInt(i), prefix: ANY_IPV4 }]))
        }
      })(),
    )
    expect(await peer.resetCode(1)).to.equal(CODE.ENHANCE_YOUR_CALM)
    // An answer is short: the number of addresses that may be asked for is what ends it before the room for answers is used up.
    const { detail } = server.connectionLog().find(({ event }) => event === 'tunnel-closed') ?? {}
    expect(detail).to.match(/it does not read what it has asked for|requested more than 4096 addresses/)
    peer.send(h2Frame(FRAME.SETTINGS, 0, 0, Uint8Array.from(setting(SETTINGS_INITIAL_WINDOW_SIZE, 65_535))))
    await works(peer, 3)
  })

  it('that speaks HTTP/1.1 where it has agreed on HTTP/2 loses its connection', async () => {
    const peer = await connectTlsPeer(server)
    peer.send(new TextEncoder().encode('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n'.repeat(50)))
    await peer.goAway()
  })

  it('that takes no data makes the proxy keep no more than a bound, and drop the rest', async () => {
    const SETTINGS_INITIAL_WINDOW_SIZE = 4
    const peer = await connect(setting(SETTINGS_INITIAL_WINDOW_SIZE, 0))
    peer.send(headers(1))
    await until(() => server.clients().length === 2)
    const [, { addresses }] = server.clients()
    const echo = echoRequest(String(server.gateway.v4), addresses[0], 1000)
    for (let i = 0; i < 1000; i++) server.host(GATEWAY)?.send(Uint8Array.from(echo))
    const { backlog, packets } = server.clients()[1]
    expect(backlog?.bytes).to.be.within(256 * 1024, 257 * 1024)
    expect(backlog?.dropped).to.equal(packets.dropped).and.to.be.greaterThan(700)
    // Room again, and it goes on.
    peer.send(h2Frame(FRAME.WINDOW_UPDATE, 0, 1, uint32(1 << 20)), h2Frame(FRAME.WINDOW_UPDATE, 0, 0, uint32(1 << 20)))
    await until(() => server.clients()[1].backlog?.bytes === 0)
    expect(server.clients()[1].backlog?.blockedMs).to.be.greaterThan(0)
  })

  describe('CIP-04 CIP-06 CIP-09 H3-05 whose request is malformed has its stream reset', () => {
    const cases: [title: string, block: Uint8Array][] = [
      ['without :path', connectIp({ ':path': undefined })],
      ['without :scheme', connectIp({ ':scheme': undefined })],
      ['without :authority', connectIp({ ':authority': undefined })],
      ['with :scheme http', connectIp({ ':scheme': 'http' })],
      ['with a target that has host bits', connectIp({ ':path': '/.well-known/masque/ip/10.0.0.1%2F8/*/' })],
      ['with an ipproto beyond 255', connectIp({ ':path': '/.well-known/masque/ip/*/256/' })],
      ['with content-length', connectIp({}, [['content-length', '0']])],
      ['with a field about the connection', connectIp({}, [['connection', 'close']])],
      ['with a name in upper case', connectIp({}, [['Upper', 'case']])],
      ['with a pseudo-header behind a field', connectIp({ ':path': undefined }, [[':path', '/']])],
      ['with :authority and host that differ', connectIp({}, [['host', 'other.example']])],
    ]
    for (const [title, block] of cases) {
      it(title, async () => {
        const peer = await connect()
        peer.send(headers(1, block))
        expect(await peer.resetCode(1)).to.equal(CODE.PROTOCOL_ERROR)
        await works(peer, 3)
      })
    }
  })

  describe('CIP-13 CIP-17 CIP-18 whose capsules are malformed has its stream reset', () => {
    const cases: [title: string, code: number, capsule: Uint8Array, ends: boolean][] = [
      ['an ADDRESS_REQUEST without an entry', CODE.PROTOCOL_ERROR, hex('02 00'), false],
      ['the end inside a capsule', CODE.PROTOCOL_ERROR, hex('01 05 00'), true],
      ['a capsule that is too long', CODE.ENHANCE_YOUR_CALM, hex('02 80 02 00 00'), false],
    ]
    for (const [title, code, capsule, ends] of cases) {
      it(title, async () => {
        const peer = await connect()
        peer.send(headers(1), data(1, capsule, ends ? FLAG.END_STREAM : 0))
        expect(await peer.resetCode(1)).to.equal(code)
        await works(peer, 3)
      })
    }
  })

  it('CIP-16 CIP-23 CIP-36 whose capsules come in single bytes is served like anybody', async () => {
    const peer = await connect()
    peer.send(headers(1))
    const request = encodeAddressRequest([{ requestId: 7n, prefix: ANY_IPV4 }])
    for (const byte of [...hex('40 77 03 01 02 03'), ...request]) peer.send(data(1, Uint8Array.of(byte)))
    const answered = () => Buffer.concat(peer.frames.filter(f => f.type === FRAME.DATA).map(f => f.payload))
    // An entry of ADDRESS_ASSIGN with Request ID 7 and an IPv4 address.
    await until(() => answered().includes(Buffer.of(7, 4, 10, 89)))
  })

  it('CIP-11 that vanishes without a word leaves nothing behind', async () => {
    const peer = await connect()
    peer.send(headers(1))
    await until(() => server.status().tunnels === 2)
    peer.socket.destroy()
    await until(() => server.status().tunnels === 1)
  })

  it('H3-08 that asks for a page and never ends its request has the answer, and its stream ended', async () => {
    const peer = await connect()
    const post = fieldBlock([
      [':method', 'POST'],
      [':scheme', 'https'],
      [':authority', 'localhost'],
      [':path', '/'],
    ])
    peer.send(headers(1, post), data(1, new Uint8Array(1000)))
    expect(await peer.resetCode(1)).to.equal(CODE.NO_ERROR)
    expect(peer.frames.filter(f => f.type === FRAME.HEADERS)).to.have.length(1)
  })

  /** The connection still is good for a tunnel. */
  async function works(peer: H2Peer, streamId: number): Promise<void> {
    peer.send(headers(streamId))
    await peer.frame(FRAME.DATA, frame => frame.streamId === streamId)
  }
})

describe('a proxy with clients on TCP that never come to the point', () => {
  afterEach(async () => {
    await closeTlsPeers()
    await closeLoopback()
  })

  it('AT-10 closes a connection that has no tunnel after limits.tunnel_timeout_ms, whatever it sends', async () => {
    const server = await startServer({ limits: { tunnelTimeoutMs: 300 } })
    const peer = await connectH2Peer(server)
    const pings = setInterval(() => peer.send(h2Frame(FRAME.PING, 0, 0, new Uint8Array(8))), 20)
    expect(await peer.goAway()).to.deep.equal([CODE.NO_ERROR, 'there was no tunnel for 0.3 s'])
    await until(() => peer.closed)
    clearInterval(pings)
  })

  it('AT-10 closes one that says nothing after TLS', async () => {
    const server = await startServer({ limits: { tunnelTimeoutMs: 300 } })
    const peer = await connectTlsPeer(server)
    await until(() => peer.closed && server.status().connections === 0)
  })

  for (const [what, type, payload] of [
    ['PING', FRAME.PING, new Uint8Array(8)],
    ['SETTINGS', FRAME.SETTINGS, new Uint8Array(0)],
  ] as const) {
    it(`AT-26 closes one that sends ${what} frames without end and reads no answers`, async () => {
      const server = await startServer({ limits: { tunnelTimeoutMs: 500 } })
      const peer = await connectH2Peer(server)
      peer.socket.pause()
      await peer.flood(times(200_000, () => h2Frame(type, 0, 0, payload)))
      peer.socket.resume()
      await until(() => peer.closed)
    })
  }

  it('closes one with a tunnel that has gone silent', async () => {
    const server = await startServer({ quic: { idleTimeoutMs: 300 } })
    const peer = await connectH2Peer(server)
    peer.send(headers(1))
    await until(() => server.status().tunnels === 1)
    await until(() => server.status().connections === 0)
    expect(server.connectionLog()[0].detail).to.equal('timeout: nothing was heard from the peer for 0.3 s')
    expect(server.status().tunnels).to.equal(0)
  })

  it('serves on what is served, and refuses what comes when a limit on connections is reached', async () => {
    const server = await startServer({ limits: { maxConnectionsPerAddress: 2 } })
    const { client } = await connectClient(server, { tunnel: { carrier: 'h2' } })
    const second = await connectH2Peer(server)
    const third = await connectTlsPeer(server)
    expect([third.socket.authorized, client.connected, second.closed]).to.deep.equal([false, true, false])
    await new Promise(resolve => setTimeout(resolve, 1100))
    // Once the second is old enough, and still has no tunnel, it makes room.
    const fourth = await connectH2Peer(server)
    await until(() => second.closed)
    expect([fourth.closed, client.connected]).to.deep.equal([false, true])
  })
})
