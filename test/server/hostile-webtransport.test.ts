import { expect } from 'chai'
import { WAITING_STREAM_LIMITS } from '../../src/carriers/h3/webtransport/session-streams.ts'
import { decodeAddressAssign } from '../../src/connect-ip/address-assign.ts'
import { encodeAddressRequest } from '../../src/connect-ip/address-request.ts'
import { CapsuleParser, CapsuleType, encodeCapsule } from '../../src/connect-ip/capsule.ts'
import { encodeDatagramCapsule } from '../../src/connect-ip/datagram-capsule.ts'
import type { Header } from '../../src/http/header.ts'
import { applicationErrorCode, encodeSessionStreamHeader } from '../../src/http3/webtransport.ts'
import { IpPrefix } from '../../src/ip/prefix.ts'
import type { ServerConfigOverrides } from '../../src/server/config.ts'
import type { MasqueServer } from '../../src/server/server.ts'
import { ping as echoRequest } from '../connect-ip/packets.ts'
import { bytes, CONNECT_IP, controlStream, GET, headersFrame, hex, varint } from '../http3/conversation.ts'
import { keepBystander } from '../support/bystander.ts'
import { closeHostilePeers, HostileClient, type HostileClientOptions } from '../support/hostile-peer.ts'
import { addressOf, connectClient, startServer, until } from '../support/loopback.ts'
import { openRelay } from '../support/udp-relay.ts'

const ORIGIN = 'https://lab.example'

const request = (changes: Record<string, string> = {}): Header[] =>
  Object.entries({
    ':method': 'CONNECT',
    ':protocol': 'webtransport',
    ':scheme': 'https',
    ':authority': 'proxy.example:4433',
    ':path': '/webtransport',
    origin: ORIGIN,
    ...changes,
  })

const CLOSE_SESSION = 0x2843n

const anyIpv4 = { requestId: 1n, prefix: IpPrefix.parse('0.0.0.0/32') }

/** The proxy serves pages of ORIGIN; ids of streams are those of a client whose first request is on stream 0. */
describe('a proxy with a hostile WebTransport client', () => {
  let server: MasqueServer
  let bystander: string

  const start = (overrides: ServerConfigOverrides = {}) =>
    startServer({
      webTransport: { origins: [ORIGIN] },
      // These clients answer no pings.
      tunnel: { linkProbe: 'off' },
      limits: { retry: 'never' },
      ...overrides,
    })

  const { stillPings } = keepBystander(async () => {
    server = await start()
    const { client, info } = await connectClient(server)
    bystander = String(addressOf(info, 4))
    return { server, client }
  }, closeHostilePeers)

  const connect = (options?: HostileClientOptions) => HostileClient.connect(server, options)

  /** A session on stream 0 and its stream for capsules, 4. */
  async function openSession(to?: { address: { host: string; port: number } }) {
    const peer = await HostileClient.connect(to ?? server)
    const { streamId: sessionId, status } = await peer.request(request())
    expect(status).to.equal('200')
    const streamId = peer.h3.openSessionStream(sessionId)
    peer.flush()
    return { peer, sessionId, streamId }
  }

  /** The values of all capsules of this type that have come on a stream, once there are so many. */
  async function capsules(peer: HostileClient, streamId: number, type: bigint, count: number): Promise<Uint8Array[]> {
    const values = (): Uint8Array[] => {
      const parser = new CapsuleParser({}, [CLOSE_SESSION])
      const data = peer.events.flatMap(event =>
        event.type === 'data' && event.streamId === streamId ? [event.data] : [],
      )
      return [...parser.push(Buffer.concat(data))].filter(capsule => capsule.type === type).map(({ value }) => value)
    }
    await peer.recorder.until(() => values().length >= count || peer.recorder.closed)
    return values()
  }

  /** What the capsule says with which the proxy closes the session. */
  async function closeReason(peer: HostileClient, sessionId: number): Promise<string> {
    const [value] = await capsules(peer, sessionId, CLOSE_SESSION, 1)
    return Buffer.from(value.subarray(4)).toString()
  }

  async function answersAddressRequest(peer: HostileClient, streamId: number): Promise<void> {
    const before = (await capsules(peer, streamId, CapsuleType.ADDRESS_ASSIGN, 1)).length
    peer.sendData(streamId, encodeAddressRequest([{ ...anyIpv4, requestId: 77n }]))
    const lists = await capsules(peer, streamId, CapsuleType.ADDRESS_ASSIGN, before + 1)
    expect(decodeAddressAssign(lists[lists.length - 1]).map(({ requestId }) => requestId)).to.include(77n)
  }

  describe('closes the connection, H3_ID_ERROR, when a stream names', () => {
    const cases: [what: string, session: number | bigint][] = [
      ['a stream of the proxy as its session', 1],
      ['a unidirectional stream as its session', 2],
      ['a session beyond the limit of streams', 4 * 500],
      ['the largest number that there is', 2n ** 62n - 1n],
    ]
    for (const [what, session] of cases) {
      it(what, async () => {
        const { peer } = await openSession()
        peer.send(8, bytes(varint(0x41), varint(session)))
        expect(await peer.connectionError()).to.equal('H3_ID_ERROR')
      })
    }
  })

  it('closes the connection, H3_FRAME_ERROR, when a request turns into a stream of a session', async () => {
    const peer = await connect()
    peer.send(0, bytes(headersFrame(GET), varint(0x41), varint(0)))
    expect(await peer.connectionError()).to.equal('H3_FRAME_ERROR')
  })

  describe('resets a stream, WEBTRANSPORT_SESSION_GONE, when its session', () => {
    it('is over', async () => {
      const { peer, sessionId } = await openSession()
      peer.sendData(sessionId, hex('68430400000000'))
      await until(() => server.clients().length === 1)
      const late = peer.h3.openSessionStream(sessionId)
      peer.flush()
      expect(await peer.streamError(late)).to.equal('WEBTRANSPORT_SESSION_GONE')
      expect(peer.recorder.closed).to.equal(undefined)
    })

    it('is a CONNECT-IP tunnel, a plain request, or the stream itself', async () => {
      const peer = await connect()
      await peer.openTunnel(CONNECT_IP)
      const answered = await peer.request(GET, true)
      for (const [streamId, session] of [
        [8, 0],
        [12, answered.streamId],
        [16, 16],
      ]) {
        peer.send(streamId, encodeSessionStreamHeader(session))
        expect(await peer.streamError(streamId)).to.equal('WEBTRANSPORT_SESSION_GONE')
      }
    })

    it('was refused while the stream waited for it', async () => {
      const peer = await connect()
      peer.send(4, encodeSessionStreamHeader(0))
      await peer.request(request({ ':path': '/elsewhere' }))
      expect(await peer.streamError(4)).to.equal('WEBTRANSPORT_SESSION_GONE')
    })
  })

  it('holds a few streams whose session is still to come, and serves the first when it is there', async () => {
    const peer = await connect()
    peer.send(4, bytes(encodeSessionStreamHeader(0), encodeAddressRequest([anyIpv4])))
    peer.send(8, encodeSessionStreamHeader(0))
    await peer.request(request())
    expect(await peer.streamError(8)).to.equal(`0x${applicationErrorCode(1).toString(16)}`)
    // What it had said before is answered, too.
    const answered = (): bigint[] =>
      [...new CapsuleParser().push(peer.recorder.streams.get(4)?.bytes ?? new Uint8Array(0))]
        .filter(({ type }) => type === CapsuleType.ADDRESS_ASSIGN)
        .flatMap(({ value }) => decodeAddressAssign(value).map(({ requestId }) => requestId))
    await peer.recorder.until(() => answered().includes(anyIpv4.requestId))
  })

  it('resets more of them, and those that say too much, with WEBTRANSPORT_BUFFERED_STREAM_REJECTED', async () => {
    const peer = await connect()
    const { streams, bytesEach } = WAITING_STREAM_LIMITS
    const ids = Array.from({ length: streams + 1 }, (_, i) => 4 * (i + 1))
    for (const id of ids) peer.send(id, encodeSessionStreamHeader(0))
    expect(await peer.streamError(ids[streams])).to.equal('WEBTRANSPORT_BUFFERED_STREAM_REJECTED')
    peer.send(ids[0], new Uint8Array(bytesEach + 1))
    expect(await peer.streamError(ids[0])).to.equal('WEBTRANSPORT_BUFFERED_STREAM_REJECTED')
    expect([...peer.recorder.resets.keys()]).to.deep.equal([ids[streams], ids[0]])
  })

  describe('closes the session, and no other, when the capsules of the tunnel', () => {
    const cases: [what: string, reason: string, sent: Uint8Array, fin?: boolean][] = [
      ['are malformed', 'H3_MESSAGE_ERROR', encodeCapsule(CapsuleType.ADDRESS_REQUEST, new Uint8Array(0))],
      ['are longer than we hold', 'H3_EXCESSIVE_LOAD', bytes([0x02], varint(2 ** 20))],
      ['end in the middle', 'H3_MESSAGE_ERROR', hex('0210'), true],
    ]
    for (const [what, reason, sent, fin] of cases) {
      it(what, async () => {
        const { peer, sessionId, streamId } = await openSession()
        const other = await peer.request(request())
        const otherStream = peer.h3.openSessionStream(other.streamId)
        peer.sendData(streamId, sent, fin)
        expect(await closeReason(peer, sessionId)).to.equal(reason)
        expect(await peer.streamError(streamId)).to.equal('WEBTRANSPORT_SESSION_GONE')
        await answersAddressRequest(peer, otherStream)
      })
    }
  })

  describe('closes the session when what is said about its end', () => {
    const cases: [what: string, reason: string, sent: string][] = [
      ['has no whole error code', 'H3_MESSAGE_ERROR', '684303000000'],
      ['has a message that is too long', 'H3_EXCESSIVE_LOAD', '684344050000000000'],
    ]
    for (const [what, reason, sent] of cases) {
      it(what, async () => {
        const { peer, sessionId } = await openSession()
        peer.sendData(sessionId, hex(sent))
        expect(await closeReason(peer, sessionId)).to.equal(reason)
      })
    }
  })

  it('ends the tunnel when its stream is given up', async () => {
    const { peer, sessionId, streamId } = await openSession()
    await capsules(peer, streamId, CapsuleType.ADDRESS_ASSIGN, 1)
    peer.quic.streamReset(streamId, applicationErrorCode(5))
    expect(await closeReason(peer, sessionId)).to.equal('H3_REQUEST_CANCELLED')
    await until(() => server.clients().length === 1)
  })

  it('takes one stream of a session, and refuses 10 000 more one by one', async function () {
    this.timeout(180_000)
    const { peer, sessionId, streamId } = await openSession()
    const header = encodeSessionStreamHeader(sessionId)
    let next = streamId + 4
    for (let opened = 0; opened < 10_000; ) {
      while (opened < 10_000 && peer.quic.canOpenStream('bidi')) {
        peer.send(next, header)
        next += 4
        opened++
      }
      await until(() => peer.quic.canOpenStream('bidi') || peer.recorder.closed)
      expect(peer.recorder.closed?.reason).to.equal(undefined)
    }
    await peer.recorder.until(() => peer.recorder.resets.size === 10_000)
    expect(new Set(peer.recorder.resets.values())).to.deep.equal(new Set([applicationErrorCode(1)]))
    await answersAddressRequest(peer, streamId)
  })

  it('drops datagrams for sessions that are none, and packets from addresses of others', async () => {
    const { peer, streamId } = await openSession()
    const [list] = await capsules(peer, streamId, CapsuleType.ADDRESS_ASSIGN, 1)
    const own = String(decodeAddressAssign(list)[0].prefix.address)
    const dropped = (): number => server.clients().find(({ addresses }) => addresses.includes(own))!.packets.dropped
    for (const quarterStreamId of [1, 2, 50])
      peer.quic.sendDatagram(bytes([quarterStreamId, 0], echoRequest(own, '10.90.0.1')))
    peer.quic.sendDatagram(bytes([0, 0], echoRequest(bystander, '10.90.0.1')))
    peer.sendData(streamId, encodeDatagramCapsule(echoRequest(bystander, '10.90.0.1')))
    await until(() => dropped() === 2)
    // Behind quarter stream id and context id: ICMP for IPv4. (IPv6 is the ping with which the proxy tries the link.)
    const types = (): number[][] =>
      peer.recorder.datagrams.flatMap(datagram => (datagram[2] >> 4 === 4 ? [[...datagram.subarray(22, 24)]] : []))
    await peer.recorder.until(() => types().length >= 2)
    // No echo reply, but what routers say: destination unreachable, administratively prohibited.
    expect(types()).to.deep.equal([
      [3, 13],
      [3, 13],
    ])
  })

  it('leaves the address of another client where it is, whoever asks for it', async () => {
    const { peer, streamId } = await openSession()
    await capsules(peer, streamId, CapsuleType.ADDRESS_ASSIGN, 1)
    peer.sendData(streamId, encodeAddressRequest([{ requestId: 9n, prefix: IpPrefix.parse(`${bystander}/32`) }]))
    const lists = await capsules(peer, streamId, CapsuleType.ADDRESS_ASSIGN, 2)
    expect(decodeAddressAssign(lists[1]).map(({ prefix }) => String(prefix.address))).not.to.include(bystander)
  })

  it('waits for SETTINGS before it answers', async () => {
    const peer = await connect({ start: false })
    peer.send(0, headersFrame(request()))
    peer.send(4, encodeSessionStreamHeader(0))
    await stillPings()
    expect(peer.recorder.streams.has(0)).to.equal(false)
    peer.send(2, controlStream([0x33, 1]))
    await peer.recorder.until(() => peer.recorder.streams.has(4))
    expect(server.clients()).to.have.length(2)
  })

  describe('refuses, with', () => {
    const cases: [status: string, what: string, headers: Header[], options?: HostileClientOptions][] = [
      ['404', 'another path', request({ ':path': '/webtransport/' })],
      ['403', 'a page of another origin', request({ origin: 'https://evil.example' })],
      ['403', 'whoever is no page', request().filter(([name]) => name !== 'origin')],
      ['421', 'another authority', request({ ':authority': 'other.example' })],
      ['400', 'a client without datagrams', request(), { h3: { settings: { h3Datagram: false } } }],
    ]
    for (const [status, what, headers, options] of cases) {
      it(`${status}: ${what}`, async () => {
        const peer = await connect(options)
        expect((await peer.request(headers, true)).status).to.equal(status)
      })
    }

    it('401: who has no token, or a wrong one; and takes who has', async () => {
      const sha256 = '3c469e9d6c5875d37a43f353d4f88e61fcf812c66eee3457465a40b0da4153e0' // of "token"
      const guarded = await start({ auth: { mode: 'token', tokens: [{ identity: 'ada', sha256, maxTunnels: 1 }] } })
      const peer = await HostileClient.connect(guarded)
      const statusOf = async (path: string) => (await peer.request(request({ ':path': path }))).status
      expect(await statusOf('/webtransport')).to.equal('401')
      expect(await statusOf('/webtransport?token=wrong')).to.equal('401')
      expect(await statusOf('/webtransport?token=token')).to.equal('200')
      expect(await statusOf('/webtransport?token=token')).to.equal('429')
      expect(
        guarded
          .connectionLog()
          .map(({ detail }) => detail)
          .join(),
      ).not.to.include('wrong')
    })

    it('501: everybody, where WebTransport is not configured', async () => {
      const without = await start({ webTransport: undefined })
      const peer = await HostileClient.connect(without)
      expect(peer.h3.peerSettings?.extensions.size).to.equal(0)
      expect((await peer.request(request(), true)).status).to.equal('501')
    })
  })

  it('forgets one that vanishes after the idle timeout, and gives its addresses back', async () => {
    const quick = await start({ quic: { idleTimeoutMs: 400 } })
    const relay = await openRelay(quick.address)
    await openSession({ address: relay.local })
    await until(() => quick.clients().length === 1)
    relay.cut()
    await until(() => quick.status().connections === 0)
    expect(quick.status().pools.map(pool => pool.used)).to.deep.equal([0, 0])
  })
})
