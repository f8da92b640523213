import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants, type Settings } from 'node:http2'
import { connect as connectTcp } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { expect } from 'chai'
import { REQUESTS } from '../../../src/carriers/request-rate.ts'
import { MAX_CAPSULES_WAITING } from '../../../src/carriers/tunnel.ts'
import { encodeAddressRequest } from '../../../src/connect-ip/address-request.ts'
import { encodeCapsule } from '../../../src/connect-ip/capsule.ts'
import { IpPrefix } from '../../../src/ip/prefix.ts'
import type { SocketAddress } from '../../../src/net/udp.ts'
import { GATEWAY, type MasqueServer } from '../../../src/server/server.ts'
import { ping as echoRequest } from '../../connect-ip/packets.ts'
import { keepBystander } from '../../support/bystander.ts'
import { connectH2Peer, FLAG, FRAME, fieldBlock, h2Frame, uint32 } from '../../support/h2-peer.ts'
import { closeLoopback, connectClient, until } from '../../support/loopback.ts'
import { askForSession, connectHttp2, startPackageServer } from '../../support/package-tunnel.ts'
import { closeTlsPeers } from '../../support/tls-peer.ts'

/** Capsules of draft-ietf-webtrans-http2 §6, inside the session. */
const WT_RESET_STREAM = 0x190b4d39n
const WT_STREAM = 0x190b4d3bn
const WT_CLOSE_SESSION = 0x2843n

const MALFORMED = /^we reset the request stream: session closed with 2, malformed/

const sessions: ClientHttp2Session[] = []

async function closePeers(): Promise<void> {
  for (const session of sessions.splice(0)) session.destroy()
  await closeTlsPeers()
}

/** The proxy speaks WebTransport by the npm package; the bystander's tunnel is over HTTP/3. */
describe('a proxy with a hostile client of the npm package for WebTransport', function () {
  this.slow(10_000)
  let server: MasqueServer

  keepBystander(async () => {
    server = await startPackageServer()
    return { server, client: (await connectClient(server)).client }
  }, closePeers)

  function newConnection(settings: Settings = {}): ClientHttp2Session {
    const { port } = server.packageAddress as { port: number }
    const session = connectHttp2(port, settings)
    sessions.push(session)
    return session
  }

  async function statusOf(stream: ClientHttp2Stream): Promise<number | undefined> {
    let status: number | undefined
    stream.once('response', headers => {
      status = headers[':status']
    })
    await until(() => status !== undefined || stream.destroyed)
    return status
  }

  /** `tunnels`: so many there are then. */
  async function openSession(tunnels = 2, settings: Settings = {}): Promise<ClientHttp2Stream> {
    const session = newConnection(settings)
    await until(() => session.remoteSettings?.enableConnectProtocol)
    const stream = askForSession(session)
    expect(await statusOf(stream)).to.equal(200)
    expect(server.status().tunnels).to.equal(tunnels)
    return stream
  }

  /** Why the hostile client's tunnel has ended, once it has. */
  async function endOfTunnel(): Promise<string> {
    await until(() => server.status().tunnels === 1)
    return server.connectionLog().find(({ event }) => event === 'tunnel-closed')?.detail ?? ''
  }

  const onStream = (id: number, bytes: Uint8Array): Uint8Array =>
    encodeCapsule(WT_STREAM, Uint8Array.from([id, ...bytes]))

  it('whose tunnel breaks a rule of capsules loses it', async () => {
    const stream = await openSession()
    // ADDRESS_ASSIGN with an IP version that there is not.
    stream.write(onStream(1, encodeCapsule(1n, Uint8Array.of(0, 9, 1, 2, 3))))
    expect(await endOfTunnel()).to.match(MALFORMED)
  })

  it('that sends capsules which nobody knows is understood behind them', async () => {
    const stream = await openSession()
    stream.write(encodeCapsule(0x3fff_1234n, new Uint8Array(500)))
    stream.write(onStream(1, encodeCapsule(0x3fff_1235n, new Uint8Array(40))))
    // Behind them, what is understood.
    stream.write(onStream(1, encodeCapsule(1n, Uint8Array.of(0, 9, 1, 2, 3))))
    expect(await endOfTunnel()).to.match(MALFORMED)
  })

  it('that opens a second stream loses its session', async () => {
    const stream = await openSession()
    for (let i = 0; i < 3; i++) stream.write(onStream(1 + 4 * i, new Uint8Array(0)))
    expect(await endOfTunnel()).to.include('session closed with')
  })

  it('that opens 10 000 streams loses its session', async () => {
    const stream = await openSession()
    for (let id = 1; id < 40_000; id += 4) {
      const number = Uint8Array.of(0x80 | (id >>> 24), id >>> 16, id >>> 8, id)
      stream.write(encodeCapsule(WT_STREAM, number))
    }
    await until(() => server.status().tunnels === 1)
  })

  describe('is told of in the log by what it did', () => {
    const closeWith = (code: number, why: string) =>
      encodeCapsule(WT_CLOSE_SESSION, Uint8Array.from([0, 0, 0, code, ...Buffer.from(why)]))
    const cases: [title: string, act: (stream: ClientHttp2Stream) => void, detail: string][] = [
      [
        'when it closes its session with a code',
        stream => stream.write(closeWith(7, 'had enough')),
        'the peer reset the request stream: session closed with 7, had enough',
      ],
      [
        'when it resets its stream',
        // `close` would end it first.
        stream => stream.destroy(new Error('had enough')),
        'the peer reset the request stream: INTERNAL_ERROR',
      ],
      ['when it ends its stream', stream => stream.end(), 'the peer reset the request stream: session closed with 0'],
      [
        'when it opens a second stream',
        stream => [1, 5].map(id => stream.write(onStream(id, new Uint8Array(0)))),
        'we reset the request stream: session closed with 1 (a tunnel has one stream, and the client opens it)',
      ],
      [
        'when its capsules cannot be cut',
        stream => stream.write(Uint8Array.of(...encodeCapsule(WT_CLOSE_SESSION, Uint8Array.of(0)), 1, 2, 3, 4)),
        'we reset the request stream: session closed with 1 (a capsule is malformed)',
      ],
      [
        'when it cuts its connection',
        stream => stream.session?.destroy(),
        'the connection was closed by the peer: NO_ERROR',
      ],
    ]
    for (const [title, act, detail] of cases) {
      it(title, async () => {
        const stream = await openSession()
        act(stream)
        expect(await endOfTunnel()).to.equal(detail)
      })
    }
  })

  it('that reads nothing makes the proxy keep no more than a bound, and drop the rest', async () => {
    const stream = await thatReadsNothing()
    const { backlog, packets } = server.clients()[1]
    expect(backlog?.bytes).to.be.within(256 * 1024, 258 * 1024)
    expect(backlog?.dropped).to.equal(packets.dropped)
    // Room again, and it goes on.
    stream.session?.settings({ initialWindowSize: 1 << 20 })
    await until(() => server.clients()[1].backlog?.bytes === 0)
    expect(server.clients()[1].backlog?.blockedMs).to.be.greaterThan(0)
  })

  it('AT-29 that asks for addresses again and again, and reads no answer, loses its tunnel', async () => {
    const stream = await thatReadsNothing()
    let most = 0
    for (let i = 1; i <= 5000 && server.status().tunnels === 2; i++) {
      most = Math.max(most, server.clients()[1]?.backlog?.bytes ?? 0)
      const request = encodeAddressRequest([{ requestId: BigInt(i), prefix: IpPrefix.parse('0.0.0.0/32') }])
      const hasRoom = stream.write(onStream(1, request))
      if (!hasRoom || i % 50 === 0) await new Promise(resolve => setTimeout(resolve, 1))
    }
    expect(await endOfTunnel()).to.match(/it does not read what it has asked for|requested more than 4096 addresses/)
    expect(most).to.be.at.most(MAX_CAPSULES_WAITING + 64 * 1024)
  })

  /** With so many packets for it that no more of them are kept. */
  async function thatReadsNothing(): Promise<ClientHttp2Stream> {
    const stream = await openSession(2, { initialWindowSize: 0 })
    stream.write(onStream(1, new Uint8Array(0)))
    const [, { addresses }] = server.clients()
    const echo = echoRequest(String(server.gateway.v4), addresses[0], 1000)
    await until(() => {
      for (let i = 0; i < 1000; i++) server.host(GATEWAY)?.send(Uint8Array.from(echo))
      return (server.clients()[1].backlog?.dropped ?? 0) > 0
    })
    return stream
  }

  it('that sends garbage in place of capsules has no more than its own session to lose', async () => {
    const stream = await openSession()
    for (let i = 0; i < 200; i++) stream.write(Uint8Array.from({ length: 1000 }, (_, j) => (i * 131 + j * 71) % 256))
    stream.write(encodeCapsule(WT_RESET_STREAM, Uint8Array.of(1, 0)))
    stream.end()
    await closePeers()
    await until(() => server.status().tunnels === 1)
  })

  describe('has no more than its own session to lose', () => {
    const TOO_SHORT = Uint8Array.of(...encodeCapsule(WT_CLOSE_SESSION, Uint8Array.of(0)), 1, 2, 3, 4)
    const UNFINISHED = encodeCapsule(0x3fff_1234n, new Uint8Array(4 << 20)).subarray(0, 200_000)
    for (const [title, bytes] of [
      ['that ends its session with a capsule that is too short', TOO_SHORT],
      ['that begins a capsule of 4 MiB', UNFINISHED],
    ] as const) {
      it(title, async () => {
        const other = await openSession()
        const hostile = await openSession(3)
        hostile.write(bytes)
        await until(() => hostile.destroyed && server.status().tunnels === 2)
        // In the same thread, which is alive.
        await openSession(3)
        expect(other.destroyed).to.equal(false)
      })
    }
  })

  describe('AT-24 that asks for more sessions than anybody needs is told to calm down, and other clients stay', () => {
    const asking = (changes: Record<string, string | undefined> = {}): Uint8Array => {
      const head = {
        ':method': 'CONNECT',
        ':scheme': 'https',
        ':authority': '127.0.0.1',
        ':path': '/webtransport',
        ':protocol': 'webtransport',
        origin: '127.0.0.1',
        ...changes,
      }
      return fieldBlock(Object.entries(head).filter((field): field is [string, string] => field[1] !== undefined))
    }
    const cases: [title: string, head: Uint8Array][] = [
      ['at the path of tunnels', asking()],
      ['at a path that is refused', asking({ ':path': '/elsewhere' })],
      ['by a method that the package refuses', asking({ ':method': 'GET', ':protocol': undefined })],
    ]
    for (const [title, head] of cases) {
      it(title, async () => {
        const other = await openSession()
        const peer = await connectH2Peer({ address: server.packageAddress as SocketAddress })
        const startedAt = performance.now()
        const cancel = uint32(constants.NGHTTP2_CANCEL)
        // Reset at once: node:http2 itself ends a connection with more than 100 requests that are open, and says nothing of it.
        function* requests(): Generator<Uint8Array> {
          for (let id = 1; id < 20_000; id += 2) {
            yield Buffer.concat([
              h2Frame(FRAME.HEADERS, FLAG.END_HEADERS, id, head),
              h2Frame(FRAME.RST_STREAM, 0, id, cancel),
            ])
          }
        }
        await peer.flood(requests(), 1)
        expect(await peer.goAway()).to.deep.equal([constants.NGHTTP2_ENHANCE_YOUR_CALM, 'too many requests'])
        await until(() => peer.closed)
        const seconds = (performance.now() - startedAt) / 1000
        const answers = peer.frames.filter(({ type }) => type === FRAME.HEADERS).length
        expect(answers).to.be.at.most(REQUESTS.burst + REQUESTS.perSecond * seconds)
        await until(() => server.status().tunnels === 2 && server.status().connections === 2)
        expect(other.destroyed).to.equal(false)
        const ended = server.connectionLog().find(({ event }) => event === 'closed')
        expect(ended?.detail).to.equal('by us: ENHANCE_YOUR_CALM (too many requests)')
      })
    }
  })

  it('that vanishes gives its addresses back', async () => {
    const stream = await openSession()
    stream.session?.destroy()
    await until(() => server.status().tunnels === 1)
  })

  it('that asks for what is no session of ours is refused', async () => {
    const session = newConnection()
    await until(() => session.remoteSettings?.enableConnectProtocol)
    expect(await statusOf(askForSession(session, { ':path': '/elsewhere' }))).to.equal(404)
    expect(await statusOf(askForSession(session, { origin: 'https://evil.example' }))).to.equal(403)
    expect(await statusOf(askForSession(session, { origin: 'null' }))).to.equal(403)
    expect(await statusOf(askForSession(session, { ':authority': 'other.example' }))).to.equal(421)
  })
})

describe('a proxy with clients of the npm package for WebTransport that do not end their connection', function () {
  this.slow(10_000)
  afterEach(async () => {
    await closeTlsPeers()
    await closeLoopback()
  })

  const connectRaw = async (server: MasqueServer) => {
    const peer = await connectH2Peer({ address: server.packageAddress as SocketAddress })
    peer.socket.allowHalfOpen = true
    // It may be over again before anybody has looked.
    await until(() => server.connectionLog().some(({ event }) => event === 'connected'))
    return peer
  }
  const endOf = (server: MasqueServer) => server.connectionLog().find(({ event }) => event === 'closed')?.detail

  it('closes one that has gone silent, and says so', async () => {
    const server = await startPackageServer({ quic: { idleTimeoutMs: 400 } })
    await connectRaw(server)
    await until(() => server.status().connections === 0)
    expect(endOf(server)).to.equal('timeout: nothing was heard from the peer')
  })

  it('closes one with a tunnel that has gone silent, and has its addresses back', async () => {
    const server = await startPackageServer({ quic: { idleTimeoutMs: 400 } })
    const peer = await connectRaw(server)
    const request = fieldBlock([
      [':method', 'CONNECT'],
      [':protocol', 'webtransport'],
      [':scheme', 'https'],
      [':authority', `localhost:${server.packageAddress?.port}`],
      [':path', '/webtransport'],
      ['origin', 'localhost'],
    ])
    peer.send(h2Frame(FRAME.HEADERS, FLAG.END_HEADERS, 1, request))
    await until(() => server.connectionLog().some(({ event }) => event === 'tunnel-opened'))
    await until(() => server.status().connections === 0)
    expect(endOf(server)).to.equal('timeout: nothing was heard from the peer')
    const { detail } = server.connectionLog().find(({ event }) => event === 'tunnel-closed') ?? {}
    expect(detail).to.equal('the connection timed out: nothing was heard from the peer')
    expect(server.status()).to.include({ tunnels: 0 })
    expect(server.status().pools.map(({ used }) => used)).to.deep.equal([0, 0])
  })

  it('closes one that takes leave and stays, which would keep its place for ever', async () => {
    const server = await startPackageServer({ quic: { idleTimeoutMs: 400 } })
    const peer = await connectRaw(server)
    peer.send(h2Frame(FRAME.GOAWAY, 0, 0, [...uint32(0), ...uint32(0), ...Buffer.from('bye')]))
    await until(() => server.status().connections === 0)
    expect(endOf(server)).to.equal('by the peer: NO_ERROR (bye)')
  })

  it('says with which code one has ended its connection', async () => {
    const server = await startPackageServer()
    const peer = await connectRaw(server)
    peer.send(h2Frame(FRAME.GOAWAY, 0, 0, [...uint32(0), ...uint32(constants.NGHTTP2_INTERNAL_ERROR)]))
    await until(() => server.status().connections === 0)
    expect(endOf(server)).to.equal('by the peer: INTERNAL_ERROR')
  })

  it('says when one was cut by a reset', async () => {
    const server = await startPackageServer()
    const { port } = server.packageAddress as SocketAddress
    const tcp = connectTcp({ host: '127.0.0.1', port })
    const tls = connectTls({ socket: tcp, ALPNProtocols: ['h2'], rejectUnauthorized: false })
    const session = connect('https://localhost', { createConnection: () => tls })
    session.on('error', () => {})
    await until(() => server.status().connections === 1 && session.remoteSettings?.enableConnectProtocol)
    // Where a reset meets what the proxy writes, node:http2 ends the session without a word of it: so the proxy has said all it had to say.
    await new Promise(resolve => session.ping(resolve))
    await new Promise(resolve => session.ping(resolve))
    tcp.resetAndDestroy()
    await until(() => server.status().connections === 0)
    expect(endOf(server)).to.equal('by the peer: the TCP connection was reset')
  })
})
