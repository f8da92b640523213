import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { connectByHttp3 } from '../../src/carriers/h3/client-connection.ts'
import type { HttpClientConnection } from '../../src/carriers/http-connection.ts'
import { makeTestCertificates } from '../../src/cert/make-certificates.ts'
import type { MasqueClient } from '../../src/client/client.ts'
import type { TunnelInfo } from '../../src/client/client-tunnel.ts'
import { ClientError } from '../../src/client/errors.ts'
import { decodeAddressAssign, encodeAddressAssign } from '../../src/connect-ip/address-assign.ts'
import { encodeAddressRequest } from '../../src/connect-ip/address-request.ts'
import { CapsuleParser } from '../../src/connect-ip/capsule.ts'
import { encodeRouteAdvertisement } from '../../src/connect-ip/route-advertisement.ts'
import { PingError } from '../../src/hosts/userspace/pinger.ts'
import { errorName } from '../../src/http3/error-codes.ts'
import { FrameType } from '../../src/http3/frames.ts'
import { describePacket } from '../../src/ip/packet.ts'
import { IpPrefix } from '../../src/ip/prefix.ts'
import { createLogger } from '../../src/log/logger.ts'
import { bindUdp, LOOPBACK } from '../../src/net/udp.ts'
import { DEFAULT_QUIC_SETTINGS } from '../../src/quic/quic.ts'
import { freePort } from '../../src/testbed/free-port.ts'
import { mayBeFragmented, packet } from '../connect-ip/packets.ts'
import { bytes, controlStream, frame, headersFrame, hex, OK, varint } from '../http3/conversation.ts'
import { closeHostilePeers, type HostilePeer, type HostileProxy, startHostileProxy } from '../support/hostile-peer.ts'
import {
  closeLoopback,
  connectClient,
  failure,
  newClient,
  ping,
  pingFailure,
  startServer,
  until,
} from '../support/loopback.ts'

const ASSIGNED = encodeAddressAssign([
  { requestId: 1n, prefix: IpPrefix.parse('10.0.0.2') },
  { requestId: 2n, prefix: IpPrefix.parse('fd00::2') },
])
const ROUTES = encodeRouteAdvertisement([{ range: IpPrefix.parse('10.0.0.0/8').toRange(), protocol: 0 }])

/** A proxy that grants every request and then does what the test says. */
const granting = (then: (peer: HostilePeer, streamId: number) => void = () => {}) =>
  startHostileProxy({
    onRequest: (peer, streamId) => {
      peer.h3.respond(streamId, OK)
      peer.h3.sendData(streamId, bytes(ASSIGNED, ROUTES))
      peer.flush()
      then(peer, streamId)
    },
  })

describe('the client', () => {
  afterEach(async () => {
    await closeLoopback()
    await closeHostilePeers()
  })

  it('H3-06 says GOAWAY before it ends its tunnel, naming no push', async () => {
    const proxy = await granting()
    const { client } = await connectClient(proxy)
    const [peer] = proxy.peers
    await client.close()
    await peer.recorder.until(() => peer.recorder.closed)
    const order = peer.events.filter(({ type }) => type === 'goaway' || type === 'finished' || type === 'data')
    expect(order.find(({ type }) => type === 'goaway')).to.deep.equal({ type: 'goaway', id: 0 })
    expect(peer.recorder.closed).to.include({ application: true, code: 0x100 })
  })

  for (const carrier of ['h3', 'h2', 'h1'] as const) {
    it(`does not say that the proxy is shutting down when it ends its own tunnel (${carrier})`, async () => {
      const said: unknown[] = []
      const logger = createLogger({ level: 'info', to: { write: line => void said.push(JSON.parse(line).msg) } })
      const { client } = await connectClient(await startServer(), { tunnel: { carrier } }, { logger })
      await client.close()
      expect(said).to.include('tunnel is up')
      expect(said.join()).to.not.include('shutting down')
    })
  }

  it('H3-02 sends a setting, a frame and a stream that every proxy must ignore', async () => {
    const proxy = await granting()
    await connectClient(proxy)
    const [{ h3, recorder }] = proxy.peers
    await recorder.until(() => recorder.streams.get(6)?.fin)
    expect(h3.counters.framesSkipped).to.equal(1)
    // The stream for path MTU probes is one more of a reserved type.
    expect(h3.counters.streamsRefused).to.be.at.least(1)
    expect(h3.closed).to.equal(false)
  })

  describe('with a proxy that refuses', () => {
    for (const status of ['300', '301', '307', '400', '401', '403', '404', '429', '500', '503']) {
      it(`CIP-08 takes status ${status} for a failure and aborts the request`, async () => {
        const proxy = await startHostileProxy({
          onRequest: (peer, streamId) => {
            peer.h3.respond(streamId, [
              [':status', status],
              ['location', 'https://elsewhere.example/'],
            ])
            peer.flush()
          },
        })
        const error = await failure((await newClient(proxy)).connect(), ClientError)
        expect(error).to.include({ kind: 'http', status: Number(status) })
        expect(error.message).to.match(new RegExp(`status ${status}`))
        const { recorder } = proxy.peers[0]
        await recorder.until(() => recorder.resets.has(0) || recorder.closed)
        expect(proxy.peers.length).to.equal(1)
      })
    }

    for (const limit of [0, 100]) {
      it(`H3-10 says so when the proxy takes header sections of ${limit} bytes at most, and sends none`, async () => {
        const proxy = await startHostileProxy({
          onConnection: peer => peer.send(3, controlStream([0x06, limit], [0x08, 1], [0x33, 1])),
        })
        const error = await failure((await newClient(proxy)).connect(), ClientError)
        expect(error.kind).to.equal('protocol')
        expect(error.message).to.match(new RegExp(`the peer takes at most ${limit} \\(SETTINGS_MAX_FIELD_SECTION_SIZE`))
        const { recorder } = proxy.peers[0]
        await recorder.until(() => recorder.closed)
        expect(recorder.streams.has(0)).to.equal(false)
        expect(recorder.closed).to.include({ application: true, code: 0x100 })
      })
    }

    it('CIP-08 waits through interim responses for the final one', async () => {
      const proxy = await startHostileProxy({
        onRequest: (peer, streamId) => {
          peer.h3.respond(streamId, [[':status', '103']])
          peer.h3.respond(streamId, OK)
          peer.h3.sendData(streamId, bytes(ASSIGNED, ROUTES))
          peer.flush()
        },
      })
      expect((await connectClient(proxy)).info.assigned.map(String)).to.deep.equal(['10.0.0.2/32', 'fd00::2/128'])
    })

    for (const status of ['204', '206']) {
      it(`CIP-08 takes status ${status}, which forbids content, for malformed`, async () => {
        const proxy = await startHostileProxy({
          onRequest: (peer, streamId) => peer.send(streamId, headersFrame([[':status', status]])),
        })
        const error = await failure((await newClient(proxy)).connect(), ClientError)
        expect(error.message).to.match(new RegExp(`status ${status}`))
        const { recorder } = proxy.peers[0]
        await recorder.until(() => recorder.resets.has(0) || recorder.closed)
      })
    }

    it('CIP-11 fails at once when a 200 is the end of the stream', async () => {
      const proxy = await startHostileProxy({
        onRequest: (peer, streamId) => {
          peer.h3.respond(streamId, OK, true)
          peer.flush()
        },
      })
      expect(await failure((await newClient(proxy)).connect(), ClientError)).to.include({ kind: 'tunnel' })
    })

    it('fails at once when its request is reset', async () => {
      const proxy = await startHostileProxy({
        onRequest: (peer, streamId) => peer.quic.streamReset(streamId, 0x10b),
      })
      const error = await failure((await newClient(proxy)).connect(), ClientError)
      expect(error.retryable).to.equal(true)
    })

    it('CIP-13 says so when the proxy has no address for it', async () => {
      const proxy = await startHostileProxy({
        onRequest: (peer, streamId) => {
          peer.h3.respond(streamId, OK)
          const refusals = encodeAddressAssign([
            { requestId: 1n, prefix: IpPrefix.parse('0.0.0.0/32') },
            { requestId: 2n, prefix: IpPrefix.parse('::/128') },
          ])
          peer.h3.sendData(streamId, bytes(refusals, encodeRouteAdvertisement([])))
          peer.flush()
        },
      })
      const error = await failure((await newClient(proxy)).connect(), ClientError)
      expect(error.message).to.match(/no address for us: its pool is exhausted/)
    })

    it('CIP-07 says so when the server does not take Extended CONNECT', async () => {
      const proxy = await startHostileProxy({ h3: { settings: { enableConnectProtocol: false } } })
      const error = await failure((await newClient(proxy)).connect(), ClientError)
      expect(error).to.include({ kind: 'protocol' })
      expect(error.message).to.match(/does not support Extended CONNECT/)
    })

    it('H3-06 says so when the server shuts down before the request', async () => {
      const proxy = await startHostileProxy({
        onConnection: peer => peer.send(3, bytes(controlStream([0x08, 1], [0x33, 1]), frame(FrameType.GOAWAY, [0]))),
      })
      const error = await failure((await newClient(proxy)).connect(), ClientError)
      expect(error).to.include({ kind: 'refused', retryable: true })
    })

    it('says so when the server takes no header section of the size that the request has', async () => {
      const proxy = await startHostileProxy({
        onConnection: peer => peer.send(3, controlStream([0x06, 50], [0x08, 1], [0x33, 1])),
      })
      const error = await failure((await newClient(proxy)).connect(), ClientError)
      expect(error).to.include({ kind: 'protocol' })
      expect(error.message).to.match(/at most 50/)
    })
  })

  describe('with a proxy that breaks a rule of HTTP/3 closes the connection with', () => {
    const settings = controlStream([0x08, 1], [0x33, 1])
    const begin = (peer: HostilePeer) => peer.send(3, settings)
    const cases: [code: string, title: string, hurt: (peer: HostilePeer) => void][] = [
      ['H3_MISSING_SETTINGS', 'H3-01 no SETTINGS', peer => peer.send(3, bytes([0], frame(FrameType.GOAWAY, [0])))],
      ['H3_STREAM_CREATION_ERROR', 'H3-01 a bidirectional stream', peer => peer.send(1, hex('00'))],
      ['H3_CLOSED_CRITICAL_STREAM', 'H3-01 the end of the control stream', peer => peer.send(3, settings, true)],
      ['H3_ID_ERROR', 'H3-01 a push that nobody allowed', peer => peer.send(7, hex('01 00'))],
      [
        'H3_FRAME_UNEXPECTED',
        'H3-03 MAX_PUSH_ID from a server',
        peer => peer.send(3, bytes(settings, frame(FrameType.MAX_PUSH_ID, [0]))),
      ],
      [
        'H3_ID_ERROR',
        'CIP-24 a datagram for a stream beyond its own limit',
        peer => {
          peer.send(3, settings)
          // The one for the next stream is dropped in silence.
          peer.quic.sendDatagram(bytes(varint(1), [0, 1]))
          peer.quic.sendDatagram(bytes(varint(100), [0, 1]))
        },
      ],
      ['H3_ID_ERROR', 'H3-06 a GOAWAY for no request stream', peer => peer.send(3, bytes(settings, frame(7, [3])))],
      ['H3_SETTINGS_ERROR', 'H3-02 a setting of HTTP/2', peer => peer.send(3, controlStream([0x02, 1]))],
    ]
    for (const [code, title, hurt] of cases) {
      it(`${title}: ${code}`, async () => {
        const proxy = await startHostileProxy({ onConnection: hurt })
        const error = await failure((await newClient(proxy)).connect(), ClientError)
        expect(error.message).to.match(new RegExp(code))
        expect(await proxy.peers[0].connectionError()).to.equal(code)
      })
    }

    for (const [code, title, answer] of [
      ['H3_FRAME_UNEXPECTED', 'H3-03 DATA before HEADERS', frame(FrameType.DATA, [0])],
      ['H3_ID_ERROR', 'H3-03 PUSH_PROMISE', frame(FrameType.PUSH_PROMISE, [0, 0, 0])],
      ['QPACK_DECOMPRESSION_FAILED', 'H3-04 a dynamic table', frame(FrameType.HEADERS, hex('00 00 80'))],
      ['H3_FRAME_UNEXPECTED', 'H3-03 trailers of a tunnel', bytes(headersFrame(OK), headersFrame([['a', 'b']]))],
    ] as const) {
      it(`${title}: ${code}`, async () => {
        const proxy = await startHostileProxy({
          onConnection: begin,
          onRequest: (peer, streamId) => peer.send(streamId, answer),
        })
        await failure((await newClient(proxy)).connect(), ClientError)
        expect(await proxy.peers[0].connectionError()).to.equal(code)
      })
    }
  })

  describe('CIP-13 CIP-14 CIP-15 with a proxy whose capsules break a rule', () => {
    for (const [code, title, capsules] of [
      ['H3_MESSAGE_ERROR', 'CIP-15 resets the stream', hex('01 03 00 04 0a')],
      [
        'H3_MESSAGE_ERROR',
        'CIP-14 resets the stream when ranges overlap',
        hex('03 14 04 0a000000 0a000010 00 04 0a000010 0a0000ff 00'),
      ],
      ['H3_MESSAGE_ERROR', 'CIP-13 resets the stream when no address is requested', hex('02 00')],
      ['H3_EXCESSIVE_LOAD', 'CIP-18 resets the stream when one is too long', bytes([1], varint(1n << 40n))],
    ] as const) {
      it(`${title}, and is down`, async () => {
        const proxy = await granting()
        const { client } = await connectClient(proxy)
        const down = new Promise<ClientError>(resolve => client.once('down', resolve))
        const [peer] = proxy.peers
        peer.h3.sendData(0, capsules)
        peer.flush()
        expect(await down).to.include({ kind: 'protocol' })
        await peer.recorder.until(() => peer.recorder.resets.has(0) || peer.recorder.closed)
        // The connection follows the tunnel: the reset may be overtaken.
        const code0 = peer.recorder.resets.get(0)
        if (code0 !== undefined) expect(errorName(code0)).to.equal(code)
        expect(client.connected).to.equal(false)
      })
    }
  })

  it('CIP-13 CIP-20 refuses to give the proxy an address, and keeps what it has assigned', async () => {
    const parser = new CapsuleParser()
    const proxy = await granting()
    const { client } = await connectClient(proxy)
    const [peer] = proxy.peers
    const assigned: string[][] = []
    peer.onEvent = event => {
      if (event.type !== 'data') return
      for (const capsule of parser.push(event.data)) {
        if (capsule.type !== 1n) continue
        assigned.push(decodeAddressAssign(capsule.value).map(entry => `${entry.requestId} ${entry.prefix}`))
      }
    }
    client.assignAddresses([IpPrefix.parse('192.168.7.1')])
    await peer.recorder.until(() => assigned.length === 1)
    const wishes = [
      { requestId: 5n, prefix: IpPrefix.parse('0.0.0.0/32') },
      { requestId: 6n, prefix: IpPrefix.parse('fd00::/64') },
    ]
    peer.h3.sendData(0, encodeAddressRequest(wishes))
    peer.flush()
    await peer.recorder.until(() => assigned.length === 2)
    expect(assigned).to.deep.equal([['0 192.168.7.1/32'], ['0 192.168.7.1/32', '5 0.0.0.0/32', '6 ::/128']])
  })

  it('CIP-12 follows the proxy when it assigns other addresses, or none', async () => {
    const proxy = await granting()
    const { client } = await connectClient(proxy)
    const [peer] = proxy.peers
    for (const list of [['10.0.0.7'], []]) {
      const changed = new Promise(resolve => client.once('changed', resolve))
      const prefixes = list.map(text => ({ requestId: 0n, prefix: IpPrefix.parse(text) }))
      peer.h3.sendData(0, encodeAddressAssign(prefixes))
      peer.flush()
      await changed
      expect(client.host.addresses.map(String)).to.deep.equal(list)
    }
  })

  it('CIP-12 follows the proxy when it assigns other addresses in the same breath', async () => {
    const other = encodeAddressAssign([{ requestId: 0n, prefix: IpPrefix.parse('10.0.0.9') }])
    const proxy = await granting((peer, streamId) => {
      peer.h3.sendData(streamId, other)
      peer.flush()
    })
    const { client } = await connectClient(proxy)
    expect(client.info.assigned.map(String)).to.deep.equal(['10.0.0.9/32'])
    expect(client.host.addresses.map(String)).to.deep.equal(['10.0.0.9'])
  })

  it('CIP-19 takes what the proxy assigns when it asks for nothing', async () => {
    const { client, info } = await connectClient(await startServer(), { tunnel: { requestAddresses: [] } })
    expect(info.assigned.length).to.equal(2)
    await ping(client, '10.90.0.1')
  })

  describe('CIP-19 with a proxy that says less than others', () => {
    const assigned = (...entries: [id: bigint, prefix: string][]) =>
      encodeAddressAssign(entries.map(([requestId, prefix]) => ({ requestId, prefix: IpPrefix.parse(prefix) })))
    const SHORT = { connectMs: 10_000, graceMs: 20 }
    /** Answers with these capsules; null: not at all. */
    const saying = (capsules: Uint8Array | null) =>
      startHostileProxy({
        onRequest: (peer, streamId) => {
          if (capsules === null) return
          peer.h3.respond(streamId, OK)
          peer.h3.sendData(streamId, capsules)
          peer.flush()
        },
      })

    it('uses what is assigned unprompted when its own request stays unanswered', async () => {
      const proxy = await saying(bytes(assigned([0n, '10.0.0.2']), ROUTES))
      const { client, info } = await connectClient(proxy, {}, { timeouts: SHORT })
      expect(info.assigned.map(String)).to.deep.equal(['10.0.0.2/32'])
      const [peer] = proxy.peers
      const changed = new Promise<TunnelInfo>(resolve => client.once('changed', resolve))
      peer.h3.sendData(0, assigned([1n, '10.0.0.2'], [2n, 'fd00::2']))
      peer.flush()
      expect((await changed).assigned.map(String)).to.deep.equal(['10.0.0.2/32', 'fd00::2/128'])
    })

    it('is up without routes, sends nothing but to the proxy itself, and takes routes that come later', async () => {
      const proxy = await saying(ASSIGNED)
      const { client, info } = await connectClient(proxy, {}, { timeouts: SHORT })
      expect(info.routes).to.deep.equal([])
      const refused = await failure(client.ping('10.0.0.1'), PingError)
      expect(refused.message).to.match(/network unreachable/)
      const [peer] = proxy.peers
      const changed = new Promise<TunnelInfo>(resolve => client.once('changed', resolve))
      peer.h3.sendData(0, ROUTES)
      peer.flush()
      expect((await changed).routes.length).to.equal(1)
      client.ping('10.0.0.1', { timeoutMs: 1 }).catch(() => {})
      const { datagrams } = peer.recorder
      await peer.recorder.until(() =>
        datagrams.some(datagram => describePacket(datagram.subarray(2)).includes('10.0.0.1')),
      )
    })

    it('waits for the answers of a proxy that takes its time', async () => {
      const proxy = await saying(assigned([0n, '10.0.0.7']))
      const connecting = connectClient(proxy, {}, { timeouts: { connectMs: 10_000, graceMs: 10_000 } })
      await until(() => proxy.peers[0]?.events.some(event => event.type === 'data'))
      const [peer] = proxy.peers
      peer.h3.sendData(0, bytes(ASSIGNED, ROUTES))
      peer.flush()
      expect((await connecting).info.assigned.map(String)).to.deep.equal(['10.0.0.2/32', 'fd00::2/128'])
    })

    it('says what it has waited for', async () => {
      // All at the same time, so that the time can be long enough for a busy machine.
      const timeouts = { connectMs: 1500, graceMs: 20 }
      const expected: [HostileProxy, RegExp][] = [
        [await startHostileProxy({ onConnection: () => {} }), /has sent no SETTINGS$/],
        [await saying(null), /has not answered the request$/],
        [
          await saying(new Uint8Array(0)),
          /has assigned no address \(ADDRESS_ASSIGN\), and has left 2 requests .* unanswered .*, and has advertised no routes/,
        ],
        [await saying(ROUTES), /has assigned no address .*, and has left 2 requests .*\(ADDRESS_REQUEST\)$/],
        [await saying(assigned([1n, '0.0.0.0/32'])), /no address .*, and has left 1 request for an address unanswered/],
      ]
      await Promise.all(
        expected.map(async ([proxy, missing]) => {
          const error = await failure((await newClient(proxy, {}, { timeouts })).connect(), ClientError)
          expect(error).to.include({ kind: 'timeout', retryable: true })
          expect(error.message)
            .to.match(/^no tunnel after 1\.5 s: the proxy at 127\.0\.0\.1:\d+ /)
            .and.match(missing)
        }),
      )
    })
  })

  it('CIP-23 sends packets in DATAGRAM capsules when the server takes no datagrams', async () => {
    const received: number[] = []
    const parser = new CapsuleParser()
    const proxy = await startHostileProxy({
      h3: { settings: { h3Datagram: false } },
      onRequest: (peer, streamId) => {
        peer.h3.respond(streamId, OK)
        peer.h3.sendData(streamId, bytes(ASSIGNED, ROUTES))
        peer.flush()
      },
    })
    const { client, info } = await connectClient(proxy)
    expect(info.encapsulation).to.equal('single-stream')
    const [peer] = proxy.peers
    peer.onEvent = event => {
      if (event.type === 'data')
        for (const { type, value } of parser.push(event.data)) if (type === 0n) received.push(value.length)
    }
    client.ping('10.0.0.1', { timeoutMs: 1 }).catch(() => {})
    await peer.recorder.until(() => received.length > 0)
    expect(received).to.deep.equal([1 + 20 + 8 + 56])
  })

  it('CIP-32 sends an IPv4 packet in pieces when it is too big for the tunnel and may be fragmented', async () => {
    const proxy = await granting()
    const { client, info } = await connectClient(proxy)
    const { recorder } = proxy.peers[0]
    const whole = mayBeFragmented(packet('10.0.0.2', '10.0.0.1', { size: 3000 }))
    client.sendPacket(whole)
    const pieces = () => recorder.datagrams.map(datagram => datagram.subarray(2)).filter(piece => piece[0] === 0x45)
    await recorder.until(() => pieces().length === 3)
    const data = Buffer.concat(pieces().map(piece => piece.subarray(20)))
    expect(new Uint8Array(data)).to.deep.equal(whole.subarray(20))
    for (const piece of pieces()) expect(piece.length).to.be.at.most(info.mtu)
    // The same with DF = 1 is answered, not sent.
    client.sendPacket(packet('10.0.0.2', '10.0.0.1', { size: 3000 }))
    expect(client.tunnel?.tunnel?.counters).to.deep.include({ dropped: { 'too-big': 1 } })
  })

  describe('cannot connect', () => {
    for (const [when, capsules] of [
      ['with the last capsule', bytes(ASSIGNED, ROUTES)],
      ['after a wait for routes', ASSIGNED],
    ] as const) {
      it(`when something of ours fails while the tunnel rises ${when}: internal, and nothing stays open`, async () => {
        const { address } = await startHostileProxy({
          onRequest: (peer, streamId) => {
            peer.h3.respond(streamId, OK)
            peer.h3.sendData(streamId, capsules)
            peer.flush()
          },
        })
        let connection: HttpClientConnection | undefined
        const client = await newClient(
          { address },
          {},
          {
            timeouts: { connectMs: 60_000, graceMs: 20 },
            connect: async options => {
              connection = await connectByHttp3(DEFAULT_QUIC_SETTINGS)(options)
              // What the tunnel says of itself cannot be put together.
              return Object.defineProperty(connection, 'resumed', {
                get() {
                  throw new Error('a bug')
                },
              })
            },
          },
        )
        const error = await failure(client.connect(), ClientError)
        expect(error.kind).to.equal('internal')
        expect(client.connected).to.equal(false)
        await until(() => connection?.closed)
      })
    }

    it('when nobody listens: network, at once', async () => {
      const address = { host: '127.0.0.1', port: await freePort() }
      const error = await failure((await newClient({ address })).connect(), ClientError)
      expect(error).to.include({ kind: 'network', retryable: true })
      expect(error.message).to.match(/nobody listens/)
    })

    it('when it does not trust the proxy: tls, with the alert unknown_ca', async () => {
      const directory = mkdtempSync(join(tmpdir(), 'masque-test-other-ca-'))
      try {
        const { ca } = await makeTestCertificates(directory)
        const error = await failure((await newClient(await startServer(), { tls: { ca } })).connect(), ClientError)
        expect(error).to.include({ kind: 'tls', retryable: false })
        expect(error.tlsAlert).to.deep.equal({ code: 48, name: 'unknown_ca' })
      } finally {
        rmSync(directory, { recursive: true, force: true })
      }
    })

    it('when the certificate names another host: tls', async () => {
      const client = await newClient(await startServer(), { tls: { serverName: 'proxy.example.org' } })
      const error = await failure(client.connect(), ClientError)
      expect(error).to.include({ kind: 'tls' })
      expect(error.message).to.match(
        /we do not trust the proxy: (its certificate names another host|the certificate does not name )/,
      )
    })

    it('when a name cannot be resolved: network', async () => {
      const client = await newClient(await startServer(), {
        proxy: { address: { host: 'no-such-host.invalid', port: 1 } },
      })
      expect(await failure(client.connect(), ClientError)).to.include({ kind: 'network' })
    })

    it('when nothing comes back: timeout', async () => {
      const hole = await bindUdp(LOOPBACK)
      try {
        const address = { host: '127.0.0.1', port: hole.address().port }
        const client = await newClient({ address }, { quic: { idleTimeoutMs: 100 } })
        expect(await failure(client.connect(), ClientError)).to.include({ kind: 'timeout', retryable: true })
      } finally {
        hole.close()
      }
    })

    it('after it was closed, or while it is closed', async () => {
      const server = await startServer()
      const client = await newClient(server)
      const early = failure(client.connect(), ClientError)
      await client.close()
      expect((await early).message).to.match(/closed while it was connecting/)
      await failure(client.connect(), ClientError)

      // Somebody who never answers, so that the client is still connecting, however busy the machine.
      const silent = await bindUdp(LOOPBACK)
      const heard = new Promise(resolve => silent.once('message', resolve))
      const other = await newClient({ address: { host: '127.0.0.1', port: silent.address().port } })
      const connecting = failure(other.connect(), ClientError)
      await heard
      await other.close()
      expect((await connecting).message).to.match(/closed while it was connecting/)
      silent.close()
    })
  })

  it('takes the next address of the proxy’s name when the first is dead', async function () {
    // On Linux all of 127.0.0.0/8 is this machine.
    if (process.platform !== 'linux') this.skip()
    const server = await startServer()
    const { port } = server.address
    const silent = await bindUdp({ host: '127.0.0.2', port })
    try {
      const client = await newClient(
        server,
        { proxy: { address: { host: 'proxy.example', port } } },
        { resolve: async () => ['127.0.0.2', '127.0.0.3', '127.0.0.1'] },
      )
      // 127.0.0.2 says nothing, at 127.0.0.3 nobody listens.
      expect((await client.connect()).remote).to.equal(`127.0.0.1:${port}`)
      await ping(client, '10.90.0.1')
      await client.close()
      await server.close()
      expect(server.status()).to.include({ tunnelsTotal: 1 })
    } finally {
      silent.close()
    }
  })

  it('names every address when none of them leads anywhere', async function () {
    if (process.platform !== 'linux') this.skip()
    const port = await freePort()
    const client = await newClient(
      { address: { host: '127.0.0.1', port } },
      { proxy: { address: { host: 'proxy.example', port } } },
      { resolve: async () => ['127.0.0.1', '127.0.0.3'] },
    )
    const error = await failure(client.connect(), ClientError)
    expect(error).to.include({ kind: 'network' })
    expect(error.message).to.equal(
      `nobody listens at 127.0.0.1:${port}: is the proxy running?; nobody listens at 127.0.0.3:${port}: is the proxy running?`,
    )
  })

  it('makes one tunnel however often it is asked to connect', async () => {
    const server = await startServer()
    const client = await newClient(server)
    const [a, b] = await Promise.all([client.connect(), client.connect()])
    expect(a).to.equal(b)
    expect((await client.connect()).assigned.map(String)).to.deep.equal(a.assigned.map(String))
    expect(server.status()).to.include({ connections: 1, tunnelsTotal: 1 })
  })

  it('neither writes nor reads after it was closed, and fails those who wait', async () => {
    const { client } = await connectClient(await startServer())
    const waiting = failure(client.readPacket(), ClientError)
    await client.close()
    await waiting
    await failure(client.readPacket(), ClientError)
    expect(() => client.sendPacket(new Uint8Array(20))).to.throw(ClientError)
    expect(() => client.forwardPacket(new Uint8Array(20))).to.throw(ClientError)
    expect(() => client.info).to.throw(ClientError)
    expect(client.writable).to.equal(false)
    await client.close()
  })

  it('says why an address cannot be reached through a tunnel, and sends nothing there', async () => {
    const { client } = await connectClient(await granting())
    const { sent } = client.host.counters
    for (const [target, why] of [
      ['fe80::1', /link-local.*RFC 9484 §7\.2/],
      ['169.254.0.1', /link-local/],
      ['ff02::5', /multicast/],
      ['224.0.0.1', /multicast/],
      ['::1', /loopback/],
      ['127.0.0.1', /loopback/],
      ['::', /unspecified/],
      ['0.0.0.0', /unspecified/],
      ['255.255.255.255', /stay on their link/],
    ] as const) {
      const error = await pingFailure(client, target)
      expect(error.kind, target).to.equal('unreachable')
      expect(error.message).to.match(why).and.include(`ping ${target}: it cannot be reached: `)
    }
    expect(client.host.counters.sent).to.equal(sent)
    // Outside of what is advertised: the client's own tunnel says so at once.
    expect((await pingFailure(client, '192.0.2.1')).message).to.match(/no route|unreachable/)
  })

  describe('whose connection is lost', () => {
    it('reconnects, with waits that double and are spread, and resumes its TLS session', async () => {
      const port = await freePort()
      const first = await startServer({ listen: { port } })
      const { client } = await connectClient(
        first,
        { reconnect: { enabled: true, initialDelayMs: 10, maxDelayMs: 40 } },
        { random: () => 0.5 },
      )
      const delays: number[] = []
      let restarted: Promise<unknown> | undefined
      client.on('reconnecting', delayMs => {
        delays.push(delayMs)
        if (delays.length === 5) restarted = startServer({ listen: { port } })
      })
      const down = new Promise<ClientError>(resolve => client.once('down', resolve))
      const up = new Promise(resolve => client.once('up', resolve))
      await first.close()
      expect((await down).kind).to.equal('tunnel')
      await up
      await restarted
      // Half of 10, 20, 40, 40 … and half of the other half, by the injected chance.
      expect(delays.slice(0, 5)).to.deep.equal([8, 15, 30, 30, 30])
      await ping(client, '10.90.0.1')
    })

    it('tells the new tunnel, too, of the networks behind it', async () => {
      const networks = ['192.168.7.0/24', '192.168.9.0/24'].map(text => IpPrefix.parse(text))
      const overrides = { tunnel: { clientRoutes: networks } }
      const port = await freePort()
      const first = await startServer({ ...overrides, listen: { port } })
      const { client, info } = await connectClient(first, {
        advertise: [{ prefix: networks[0], protocol: 0 }],
        reconnect: { enabled: true, initialDelayMs: 10, maxDelayMs: 40 },
      })
      expect(info.advertised).to.deep.equal([{ range: networks[0].toRange(), protocol: 0 }])
      await until(() => first.clients()[0].networks.length === 1)
      // What a program says later holds as well, instead of what the configuration says.
      client.advertiseRoutes([{ range: networks[1].toRange(), protocol: 0 }])
      const up = new Promise<TunnelInfo>(resolve => client.once('up', resolve))
      await first.close()
      const second = await startServer({ ...overrides, listen: { port } })
      expect((await up).advertised).to.deep.equal([{ range: networks[1].toRange(), protocol: 0 }])
      await until(() => second.clients()[0].networks.length === 1)
      expect(second.clients()[0].networks).to.deep.equal(['192.168.9.0-192.168.9.255'])
    })

    it('gives up when it is told that its token is wrong', async () => {
      const port = await freePort()
      const first = await startServer({ listen: { port } })
      const { client } = await connectClient(first, { reconnect: { enabled: true, initialDelayMs: 1, maxDelayMs: 1 } })
      const gaveUp = new Promise<ClientError>(resolve => client.once('gaveUp', resolve))
      const strict = startServerAfter(first, port)
      expect(await gaveUp).to.include({ kind: 'http', status: 401 })
      await strict
    })

    it('goes on when an attempt fails with something that nobody foresaw, or with a name that is not resolved', async () => {
      const port = await freePort()
      const first = await startServer({ listen: { port } })
      const failures = [
        Object.assign(new Error('getaddrinfo EAI_AGAIN'), { code: 'EAI_AGAIN', syscall: 'getaddrinfo' }),
        // No resolver does that: it stands for a bug.
        undefined,
      ]
      let online = true
      const { client } = await connectClient(
        first,
        {
          proxy: { address: { host: 'proxy.example', port } },
          reconnect: { enabled: true, initialDelayMs: 1, maxDelayMs: 1 },
        },
        { resolve: async () => (online ? ['127.0.0.1'] : Promise.reject(failures.shift())) },
      )
      const kinds: string[] = []
      online = false
      client.on('attemptFailed', error => kinds.push(error.kind))
      const up = new Promise(resolve => client.once('up', resolve))
      const back = new Promise<void>(resolve => {
        client.on('reconnecting', (_delay, attempt) => {
          if (attempt === 3) resolve()
        })
      })
      await first.close()
      await back
      await startServer({ listen: { port } })
      online = true
      await up
      expect(kinds.slice(0, 2)).to.deep.equal(['network', 'internal'])
      await ping(client, '10.90.0.1')
    })

    it('has no tunnel when its host cannot take the addresses, and one with the next attempt', async () => {
      const server = await startServer()
      const client = await newClient(server)
      const configure = client.host.configure
      const bug = new Error('a bug')
      client.host.configure = () => {
        throw bug
      }
      expect(await failure(client.connect(), Error)).to.equal(bug)
      expect(client.connected).to.equal(false)
      await until(() => server.status().tunnels === 0)
      client.host.configure = configure
      await client.connect()
      await ping(client, '10.90.0.1')
    })

    for (const [who, fail] of [
      [
        'its host cannot be set back',
        (client: MasqueClient, error: Error) => {
          const configure = client.host.configure.bind(client.host)
          client.host.configure = configuration => {
            if (configuration.addresses.length === 0) throw error
            configure(configuration)
          }
        },
      ],
      [
        'a listener of the program fails',
        (client: MasqueClient, error: Error) =>
          client.once('down', () => {
            throw error
          }),
      ],
    ] as const) {
      it(`comes back when ${who}, and logs why`, async () => {
        const server = await startServer()
        const logged: unknown[] = []
        const logger = createLogger({
          level: 'error',
          to: { write: line => void logged.push(JSON.parse(line).err.message) },
        })
        const { client } = await connectClient(
          server,
          { reconnect: { enabled: true, initialDelayMs: 1, maxDelayMs: 1 } },
          { logger },
        )
        const bug = new Error('a bug')
        fail(client, bug)
        const waiting = failure(client.readPacket(), ClientError)
        const up = new Promise(resolve => client.once('up', resolve))
        client.tunnel?.quic?.close(0x102, 'gone')
        await waiting
        await up
        expect(logged).to.deep.equal([bug.message])
        await ping(client, '10.90.0.1')
      })
    }

    it('waits longer each time when the proxy grants a tunnel and ends it at once', async () => {
      const { address, peers } = await granting()
      const client = await newClient(
        { address },
        { reconnect: { enabled: true, initialDelayMs: 4, maxDelayMs: 3_600_000, maxAttempts: 4 } },
        { random: () => 0.5 },
      )
      client.on('up', () => {
        peers.at(-1)?.h3.sendData(0, new Uint8Array(0), true)
        peers.at(-1)?.flush()
      })
      const delays: number[] = []
      client.on('reconnecting', delayMs => delays.push(delayMs))
      const gaveUp = new Promise<ClientError>(resolve => client.once('gaveUp', resolve))
      await client.connect()
      expect((await gaveUp).kind).to.equal('tunnel')
      expect(delays).to.deep.equal([3, 6, 12, 24])
    })

    it('starts with the shortest wait again after a tunnel that lived for as long as the longest', async () => {
      const { address, peers } = await granting()
      const client = await newClient({ address }, { reconnect: { enabled: true, initialDelayMs: 1, maxDelayMs: 2 } })
      client.on('up', () =>
        setTimeout(() => {
          peers.at(-1)?.h3.sendData(0, new Uint8Array(0), true)
          peers.at(-1)?.flush()
        }, 10),
      )
      const attempts: number[] = []
      client.on('reconnecting', (_delay, attempt) => attempts.push(attempt))
      await client.connect()
      await until(() => attempts.length === 3)
      expect(attempts).to.deep.equal([1, 1, 1])
    })

    it('gives up after the configured number of attempts', async () => {
      const server = await startServer({ listen: { port: await freePort() } })
      const { client } = await connectClient(server, {
        reconnect: { enabled: true, initialDelayMs: 1, maxDelayMs: 1, maxAttempts: 3 },
      })
      const attempts: number[] = []
      client.on('reconnecting', (_delay, attempt) => attempts.push(attempt))
      const gaveUp = new Promise<ClientError>(resolve => client.once('gaveUp', resolve))
      await server.close()
      expect((await gaveUp).kind).to.equal('network')
      expect(attempts).to.deep.equal([1, 2, 3])
    })
  })
})

/** Replaces a proxy by one that wants a token. */
async function startServerAfter(first: { close(): Promise<void> }, port: number): Promise<unknown> {
  await first.close()
  return startServer({
    listen: { port },
    auth: { mode: 'token', tokens: [{ identity: 'alice', sha256: '00'.repeat(32), maxTunnels: 1 }] },
  })
}
