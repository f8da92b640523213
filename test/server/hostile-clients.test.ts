import { expect } from 'chai'
import { ENCAPSULATION_HEADER } from '../../src/carriers/carrier.ts'
import { decodeAddressAssign, encodeAddressAssign } from '../../src/connect-ip/address-assign.ts'
import { encodeAddressRequest } from '../../src/connect-ip/address-request.ts'
import { CapsuleType, encodeCapsule } from '../../src/connect-ip/capsule.ts'
import type { Header } from '../../src/http/header.ts'
import { FrameType } from '../../src/http3/frames.ts'
import { IpAddress } from '../../src/ip/address.ts'
import { decodeIcmp, IcmpType } from '../../src/ip/icmp.ts'
import { IpPrefix } from '../../src/ip/prefix.ts'
import type { MasqueServer } from '../../src/server/server.ts'
import { ping as echoRequest, packet } from '../connect-ip/packets.ts'
import { bytes, CONNECT_IP, controlStream, frame, GET, headersFrame, hex, varint } from '../http3/conversation.ts'
import { keepBystander } from '../support/bystander.ts'
import {
  closeHostilePeers,
  HostileClient,
  type HostileClientOptions,
  type HostileTunnel,
} from '../support/hostile-peer.ts'
import { connectClient, startServer, until } from '../support/loopback.ts'

/** Header lists are checked where they are sent, too: these are written without looking. */
const connectIp = (changes: Record<string, string | undefined>, extra: Header[] = []): Header[] => [
  ...CONNECT_IP.flatMap(([name, value]): Header[] => {
    if (!(name in changes)) return [[name, value]]
    const changed = changes[name]
    return changed === undefined ? [] : [[name, changed]]
  }),
  ...extra,
]

const path = (target: string, ipproto: string): Record<string, string> => ({
  ':path': `/.well-known/masque/ip/${target}/${ipproto}/`,
})

const isEchoReply = (inner: Uint8Array): boolean =>
  inner[0] === 0x45 && inner[9] === 1 && decodeIcmp(inner).type === IcmpType.ECHO_REPLY

describe('a proxy with a hostile client', () => {
  let server: MasqueServer

  keepBystander(async () => {
    server = await startServer({ limits: { retry: 'never' } })
    return { server, client: (await connectClient(server)).client }
  }, closeHostilePeers)

  const connect = (options?: HostileClientOptions) => HostileClient.connect(server, options)
  /** A client whose control stream (2) the test writes. */
  const connectRaw = (options?: HostileClientOptions) => connect({ ...options, start: false })

  const settings = controlStream([0x33, 1])

  describe('that breaks a rule of HTTP/3 for the whole connection is closed with', () => {
    const cases: [code: string, title: string, hurt: (peer: HostileClient) => void][] = [
      [
        'H3_MISSING_SETTINGS',
        'H3-01 another frame than SETTINGS first',
        peer => peer.send(2, bytes([0x00], frame(FrameType.GOAWAY, [0]))),
      ],
      [
        'H3_MISSING_SETTINGS',
        'H3-01 an unknown frame before SETTINGS',
        peer => peer.send(2, bytes([0x00], frame(0x21, [1, 2, 3]))),
      ],
      [
        'H3_STREAM_CREATION_ERROR',
        'H3-01 a second control stream',
        peer => {
          peer.send(2, settings)
          peer.send(6, settings)
        },
      ],
      [
        'H3_FRAME_UNEXPECTED',
        'H3-01 SETTINGS a second time',
        peer => peer.send(2, bytes(settings, frame(FrameType.SETTINGS))),
      ],
      ['H3_CLOSED_CRITICAL_STREAM', 'H3-01 the end of the control stream', peer => peer.send(2, settings, true)],
      [
        'H3_CLOSED_CRITICAL_STREAM',
        'H3-01 the end of the QPACK encoder stream',
        peer => {
          peer.send(2, settings)
          peer.send(6, hex('02'), true)
        },
      ],
      ['H3_STREAM_CREATION_ERROR', 'H3-01 a push stream from a client', peer => peer.send(6, hex('01 00'))],
      ['H3_SETTINGS_ERROR', 'H3-02 a setting of HTTP/2', peer => peer.send(2, controlStream([0x04, 1]))],
      ['H3_SETTINGS_ERROR', 'H3-02 a setting twice', peer => peer.send(2, controlStream([0x06, 1], [0x06, 1]))],
      ['H3_SETTINGS_ERROR', 'H3-02 H3_DATAGRAM = 2', peer => peer.send(2, controlStream([0x33, 2]))],
      [
        'H3_FRAME_UNEXPECTED',
        'H3-02 a PING frame of HTTP/2 on the control stream',
        peer => peer.send(2, bytes(settings, frame(0x06, [0]))),
      ],
      [
        'H3_FRAME_UNEXPECTED',
        'H3-02 a PRIORITY frame of HTTP/2 on a request stream',
        peer => peer.send(0, frame(0x02)),
      ],
      ['H3_FRAME_UNEXPECTED', 'H3-03 DATA before HEADERS', peer => peer.send(0, frame(FrameType.DATA, [1]))],
      ['H3_FRAME_UNEXPECTED', 'H3-03 SETTINGS on a request stream', peer => peer.send(0, frame(FrameType.SETTINGS))],
      ['H3_FRAME_UNEXPECTED', 'H3-03 DATA on the control stream', peer => peer.send(2, bytes(settings, frame(0, [1])))],
      [
        'H3_FRAME_UNEXPECTED',
        'H3-03 a second HEADERS after CONNECT',
        peer => peer.send(0, bytes(headersFrame(CONNECT_IP), headersFrame([['a', 'b']]))),
      ],
      ['H3_FRAME_ERROR', 'H3-03 a stream that ends inside a frame', peer => peer.send(0, hex('01 20 00'), true)],
      [
        'H3_FRAME_ERROR',
        'H3-03 a MAX_PUSH_ID that is too long',
        peer => peer.send(2, bytes(settings, frame(FrameType.MAX_PUSH_ID, new Uint8Array(9)))),
      ],
      ['H3_FRAME_ERROR', 'H3-03 SETTINGS cut short', peer => peer.send(2, hex('00 04 01 40'))],
      [
        'QPACK_DECOMPRESSION_FAILED',
        'H3-04 a reference to the dynamic table',
        peer => peer.send(0, frame(FrameType.HEADERS, hex('00 00 80'))),
      ],
      [
        'QPACK_DECOMPRESSION_FAILED',
        'H3-04 a required insert count above 0',
        peer => peer.send(0, frame(FrameType.HEADERS, hex('02 00 c0'))),
      ],
      [
        'QPACK_DECOMPRESSION_FAILED',
        'H3-04 bad Huffman code',
        peer => peer.send(0, frame(FrameType.HEADERS, hex('00 00 2f 00 84 ff ff ff ff'))),
      ],
      [
        'QPACK_ENCODER_STREAM_ERROR',
        'H3-04 a dynamic table that was not allowed',
        peer => {
          peer.send(2, settings)
          peer.send(6, hex('02 3f e1 1f'))
        },
      ],
      [
        'H3_ID_ERROR',
        'H3-06 a GOAWAY that raises its id',
        peer => peer.send(2, bytes(settings, frame(FrameType.GOAWAY, [0]), frame(FrameType.GOAWAY, [4]))),
      ],
      ['H3_ID_ERROR', 'H3-06 CANCEL_PUSH without a push', peer => peer.send(2, bytes(settings, frame(0x03, [0])))],
      ['H3_DATAGRAM_ERROR', 'CIP-24 a datagram without a quarter stream id', peer => peer.quic.sendDatagram(hex('40'))],
      [
        'H3_DATAGRAM_ERROR',
        'CIP-24 a quarter stream id above 2^60-1',
        peer => peer.quic.sendDatagram(varint((1n << 60n) + 1n)),
      ],
      [
        'H3_ID_ERROR',
        'CIP-24 a datagram for the first stream beyond the limit',
        peer => peer.quic.sendDatagram(varint(100)),
      ],
    ]
    for (const [code, title, hurt] of cases) {
      it(`${title}: ${code}`, async () => {
        const peer = await connectRaw()
        hurt(peer)
        expect(await peer.connectionError()).to.equal(code)
      })
    }

    it('H3-07 H3_DATAGRAM = 1 without max_datagram_frame_size: H3_SETTINGS_ERROR', async () => {
      const peer = await connectRaw({ withoutDatagrams: true })
      peer.send(2, settings)
      expect(await peer.connectionError()).to.equal('H3_SETTINGS_ERROR')
    })
  })

  describe('whose request breaks a rule loses the request, not the connection:', () => {
    const cases: [code: string, title: string, request: Uint8Array, fin?: boolean][] = [
      ['H3_MESSAGE_ERROR', 'H3-05 a field name in upper case', headersFrame(connectIp({}, [['Accept', 'x']]))],
      [
        'H3_MESSAGE_ERROR',
        'H3-05 a pseudo-header after a field',
        headersFrame([['accept', 'x'], ...(CONNECT_IP as Header[])]),
      ],
      ['H3_MESSAGE_ERROR', 'H3-05 an unknown pseudo-header', headersFrame([[':proto', 'x'], ...CONNECT_IP])],
      ['H3_MESSAGE_ERROR', 'H3-05 a pseudo-header twice', headersFrame([[':method', 'CONNECT'], ...CONNECT_IP])],
      ['H3_MESSAGE_ERROR', 'H3-05 a field about the connection', headersFrame(connectIp({}, [['upgrade', 'x']]))],
      ['H3_MESSAGE_ERROR', 'H3-05 a line feed in a value', headersFrame(connectIp({}, [['accept', 'a\nb']]))],
      ['H3_EXCESSIVE_LOAD', 'H3-04 too many fields', headersFrame(connectIp({}, [['a', 'x'.repeat(20_000)]]))],
      ['H3_REQUEST_INCOMPLETE', 'H3-03 an end without a request', new Uint8Array(0), true],
      ['H3_MESSAGE_ERROR', 'CIP-06 no :scheme', headersFrame(connectIp({ ':scheme': undefined }))],
      ['H3_MESSAGE_ERROR', 'CIP-06 an empty :scheme', headersFrame(connectIp({ ':scheme': '' }))],
      ['H3_MESSAGE_ERROR', 'CIP-06 the scheme http', headersFrame(connectIp({ ':scheme': 'http' }))],
      ['H3_MESSAGE_ERROR', 'CIP-06 no :path', headersFrame(connectIp({ ':path': undefined }))],
      ['H3_MESSAGE_ERROR', 'CIP-06 an empty :path', headersFrame(connectIp({ ':path': '' }))],
      ['H3_MESSAGE_ERROR', 'CIP-06 no :authority', headersFrame(connectIp({ ':authority': undefined }))],
      ['H3_MESSAGE_ERROR', 'CIP-06 :protocol with GET', headersFrame(connectIp({ ':method': 'GET' }))],
      [
        'H3_MESSAGE_ERROR',
        'CIP-06 CONNECT without :protocol and with :path',
        headersFrame(connectIp({ ':protocol': undefined, ':scheme': undefined })),
      ],
      ['H3_MESSAGE_ERROR', 'CIP-06 CONNECT without :protocol and :authority', headersFrame([[':method', 'CONNECT']])],
      ['H3_MESSAGE_ERROR', 'CIP-09 content-length', headersFrame(connectIp({}, [['content-length', '0']]))],
      ['H3_MESSAGE_ERROR', 'CIP-04 a target that is none', headersFrame(connectIp(path('10.0.0.1%2F33', '*')))],
      ['H3_MESSAGE_ERROR', 'CIP-03 host bits in the target', headersFrame(connectIp(path('10.0.0.1%2F24', '*')))],
      ['H3_MESSAGE_ERROR', 'CIP-03 a zone id in the target', headersFrame(connectIp(path('fe80%3A%3A1%25eth0', '*')))],
      ['H3_MESSAGE_ERROR', 'CIP-03 an empty target', headersFrame(connectIp(path('', '*')))],
      ['H3_MESSAGE_ERROR', 'CIP-04 an ipproto above 255', headersFrame(connectIp(path('*', '256')))],
      ['H3_MESSAGE_ERROR', 'CIP-04 an ipproto that is no number', headersFrame(connectIp(path('*', 'udp')))],
    ]
    for (const [code, title, request, fin] of cases) {
      it(`${title}: ${code}`, async () => {
        const peer = await connectRaw()
        peer.send(2, settings)
        peer.send(0, request, fin ?? false)
        expect(await peer.streamError(0)).to.equal(code)
        // The connection lives: a tunnel can still be had on it.
        peer.send(4, headersFrame(GET), true)
        await peer.recorder.until(() => peer.recorder.streams.get(4)?.fin)
      })
    }

    it('CIP-06 CONNECT-UDP is not malformed but not implemented: 501, and its datagrams harm nobody', async () => {
      const peer = await connect()
      const target = connectIp({ ':protocol': 'connect-udp', ':path': '/masque?h=192.0.2.1&p=443' })
      // The datagrams come before the request, with it, and after the answer.
      peer.quic.sendDatagram(hex('00 00 61'))
      const asked = peer.request(target)
      peer.quic.sendDatagram(hex('00 00 62'))
      const { status, streamId, fin } = await asked
      expect([status, streamId, fin]).to.deep.equal(['501', 0, true])
      peer.quic.sendDatagram(hex('00 00 63'))
      expect((await peer.openTunnel()).status).to.equal('200')
      expect([...peer.recorder.resets.keys()]).to.deep.equal([])
    })

    it('CIP-06 an ordinary CONNECT, for a TCP tunnel, is well-formed: 501, whatever it names', async () => {
      const peer = await connect()
      const { status, fin } = await peer.request([
        [':method', 'CONNECT'],
        [':authority', 'elsewhere.example:443'],
      ])
      expect([status, fin]).to.deep.equal(['501', true])
    })

    it('H3-08 methods that are known but of no use here get 405 and what to use instead, others 501', async () => {
      const peer = await connect()
      const ask = async (method: string) => {
        const { status, headers } = await peer.request([[':method', method], ...GET.slice(1)], true)
        return [status, headers.find(([name]) => name === 'allow')?.[1]]
      }
      expect(await ask('POST')).to.deep.equal(['405', 'GET, HEAD'])
      expect(await ask('BREW')).to.deep.equal(['501', undefined])
    })

    it('answers 404 for a path that is not the template’s', async () => {
      const peer = await connect()
      expect((await peer.request(connectIp({ ':path': '/elsewhere' }))).status).to.equal('404')
    })
  })

  describe('that takes no header section of the size of the answer', () => {
    for (const limit of [0, 1, 41]) {
      it(`H3-10 SETTINGS_MAX_FIELD_SECTION_SIZE ${limit}: every answer is a reset of its stream, and nothing else`, async () => {
        const peer = await connectRaw()
        peer.send(2, controlStream([0x06, limit], [0x33, 1]))
        const requests: [what: string, headers: Header[]][] = [
          ['a tunnel', CONNECT_IP],
          ['a path that is not served', connectIp({ ':path': '/elsewhere' })],
          ['a protocol that is not served', connectIp({ ':protocol': 'connect-udp' })],
          ['a name that cannot be resolved', connectIp(path('host.invalid', '*'))],
          ['a page', GET],
          ['a page that is not there', [...GET.slice(0, 3), [':path', '/elsewhere']]],
        ]
        for (const [at, [what, headers]] of requests.entries()) {
          peer.send(4 * at, headersFrame(headers), headers[0][1] === 'GET')
          expect(await peer.streamError(4 * at), what).to.equal('H3_REQUEST_CANCELLED')
        }
        expect(peer.recorder.closed).to.equal(undefined)
        expect(server.status().tunnels).to.equal(1)
      })
    }

    it('H3-10 an answer that fits is sent where a longer one would be a reset', async () => {
      const peer = await connect({ h3: { maxFieldSectionSize: 120 } })
      // Its ":status" and "date" count 107 bytes; those of a tunnel, with its two other fields, 220.
      expect((await peer.request(connectIp({ ':path': '/elsewhere' }))).status).to.equal('404')
      const refused = peer.h3.request(CONNECT_IP)
      peer.flush()
      expect(await peer.streamError(refused)).to.equal('H3_REQUEST_CANCELLED')
      expect(server.status().tunnels).to.equal(1)
    })
  })

  it('H3-02 sends a setting, a frame and a stream that every client must ignore', async () => {
    const peer = await connect()
    await peer.recorder.until(() => peer.recorder.streams.get(7)?.fin)
    expect(peer.h3.counters.framesSkipped).to.equal(1)
    // The stream for path MTU probes is one more of a reserved type.
    expect(peer.h3.counters.streamsRefused).to.be.at.least(1)
    expect((await peer.openTunnel()).status).to.equal('200')
  })

  it('H3-02 ignores frames, settings and streams of unknown types', async () => {
    const peer = await connectRaw()
    peer.send(2, bytes(controlStream([0x21, 9], [0x33, 1]), frame(0x40, [1, 2])))
    peer.send(6, bytes(varint(0x21), [1, 2, 3]))
    peer.send(10, varint(0x5f))
    peer.send(0, bytes(frame(0x21, new Uint8Array(3000)), headersFrame(GET), frame(0x40)), true)
    await peer.recorder.until(() => peer.recorder.streams.get(0)?.fin)
    expect(peer.recorder.closed).to.equal(undefined)
  })

  describe('CIP-13 CIP-14 CIP-15 whose capsules break a rule loses the tunnel, not the connection:', () => {
    const request = (...entries: [id: number, prefix: string][]): Uint8Array =>
      encodeCapsule(
        CapsuleType.ADDRESS_REQUEST,
        encodeAddressRequest(
          entries.map(([id, prefix]) => ({ requestId: BigInt(id), prefix: IpPrefix.parse(prefix) })),
        ),
      )
    const capsule = (type: number, value: string): Uint8Array => encodeCapsule(type, hex(value))
    const v4 = '04 00000000 20'
    const cases: [code: string, title: string, capsules: Uint8Array, fin?: boolean][] = [
      ['H3_MESSAGE_ERROR', 'CIP-13 a request for no address', capsule(2, '')],
      ['H3_MESSAGE_ERROR', 'CIP-13 the request id 0', capsule(2, `00 ${v4}`)],
      ['H3_MESSAGE_ERROR', 'CIP-13 a request id twice in one capsule', capsule(2, `01 ${v4} 01 ${v4}`)],
      [
        'H3_MESSAGE_ERROR',
        'CIP-13 a request id used before',
        bytes(request([7, '0.0.0.0/32']), request([8, '0.0.0.0/32']), request([7, '::/128'])),
      ],
      ['H3_MESSAGE_ERROR', 'CIP-14 a range that ends before it starts', capsule(3, '04 0a000002 0a000001 00')],
      [
        'H3_MESSAGE_ERROR',
        'CIP-14 ranges out of order',
        capsule(3, '04 0a000100 0a0001ff 00  04 0a000000 0a0000ff 00'),
      ],
      [
        'H3_MESSAGE_ERROR',
        'CIP-14 ranges that overlap',
        capsule(3, '04 0a000000 0a000010 00  04 0a000010 0a0000ff 00'),
      ],
      [
        'H3_MESSAGE_ERROR',
        'CIP-14 protocols out of order',
        capsule(3, '04 0a000000 0a000000 11  04 0b000000 0b000000 06'),
      ],
      [
        'H3_MESSAGE_ERROR',
        'CIP-14 IPv6 before IPv4',
        bytes(capsule(3, `06 ${'00'.repeat(16)} ${'00'.repeat(16)} 00  04 0a000000 0a000000 00`)),
      ],
      ['H3_MESSAGE_ERROR', 'CIP-15 IP version 5', capsule(2, '01 05 00000000 20')],
      ['H3_MESSAGE_ERROR', 'CIP-15 a prefix length of 33', capsule(2, '01 04 00000000 21')],
      ['H3_MESSAGE_ERROR', 'CIP-15 an IPv6 prefix length of 129', capsule(2, `01 06 ${'00'.repeat(16)} 81`)],
      ['H3_MESSAGE_ERROR', 'CIP-15 bits beyond the prefix', capsule(2, '01 04 0a000001 18')],
      ['H3_MESSAGE_ERROR', 'CIP-15 an entry cut short', capsule(2, '01 04 000000')],
      ['H3_MESSAGE_ERROR', 'CIP-15 a byte too many', capsule(2, `01 ${v4} 00`)],
      ['H3_MESSAGE_ERROR', 'CIP-12 CIP-15 an ADDRESS_ASSIGN cut short', capsule(1, '00 04 0a')],
      ['H3_MESSAGE_ERROR', 'CIP-15 a route cut short', capsule(3, '04 0a000001 0a000001')],
      ['H3_MESSAGE_ERROR', 'CIP-17 an end inside a capsule header', hex('02'), true],
      ['H3_MESSAGE_ERROR', 'CIP-17 an end inside a capsule value', hex('02 07 01'), true],
      ['H3_MESSAGE_ERROR', 'CIP-17 an end inside an unknown capsule', hex('39 07 01'), true],
      ['H3_EXCESSIVE_LOAD', 'CIP-18 an ADDRESS_ASSIGN of 2^40 bytes', bytes([1], varint(1n << 40n), [0])],
      ['H3_EXCESSIVE_LOAD', 'CIP-18 a ROUTE_ADVERTISEMENT of 70000 bytes', bytes([3], varint(70_000))],
      [
        'H3_EXCESSIVE_LOAD',
        'CIP-18 more entries than anybody needs',
        encodeAddressAssign(
          Array.from({ length: 1025 }, (_, i) => ({
            requestId: 0n,
            prefix: IpPrefix.single(IpAddress.fromBigInt(4, 0x0a000000n + BigInt(i))),
          })),
        ),
      ],
    ]
    for (const [code, title, capsules, fin] of cases) {
      it(`${title}: ${code}`, async () => {
        const peer = await connect()
        const tunnel = await peer.openTunnel()
        peer.sendData(tunnel.streamId, capsules, fin)
        // A side that was closed before needs no STOP_SENDING.
        await peer.recorder.until(() => peer.recorder.resets.has(tunnel.streamId) || peer.recorder.closed)
        if (fin) expect(peer.recorder.resets.get(tunnel.streamId)).to.equal(0x10e)
        else expect(await peer.streamError(tunnel.streamId)).to.equal(code)
        const another = await peer.openTunnel()
        expect(another.status).to.equal('200')
      })
    }
  })

  describe('whose tunnel stays open:', () => {
    let peer: HostileClient
    let tunnel: HostileTunnel
    let own: string

    beforeEach(async () => {
      peer = await connect()
      tunnel = await peer.openTunnel()
      const assigned = decodeAddressAssign(await tunnel.capsule(CapsuleType.ADDRESS_ASSIGN))
      own = String(assigned[0].prefix.address)
    })

    const datagram = (...payload: (number[] | Uint8Array)[]): Uint8Array =>
      bytes(varint(tunnel.streamId / 4), ...payload)

    /** An echo request gets its reply: the tunnel works. */
    const works = async (send = (echo: Uint8Array): unknown => peer.quic.sendDatagram(datagram([0], echo))) => {
      const { datagrams } = peer.recorder
      const count = () => datagrams.filter(received => isEchoReply(received.subarray(2))).length
      const before = count()
      send(echoRequest(own, '10.90.0.1'))
      await peer.recorder.until(() => count() > before || peer.recorder.resets.size > 0 || peer.recorder.closed)
      expect(count()).to.equal(before + 1)
    }

    it('CIP-16 unknown capsules are skipped, however large and however split', async () => {
      const unknown = encodeCapsule(0x1234567n, new Uint8Array(100_000))
      const stream = bytes(unknown, encodeCapsule(0x29, new Uint8Array(0)))
      for (let at = 0; at < stream.length; at += 4999) peer.sendData(tunnel.streamId, stream.subarray(at, at + 4999))
      const request = encodeAddressRequest([{ requestId: 3n, prefix: IpPrefix.parse('0.0.0.0/32') }])
      for (const byte of request) peer.sendData(tunnel.streamId, Uint8Array.of(byte))
      const answer = decodeAddressAssign(await tunnel.capsule(CapsuleType.ADDRESS_ASSIGN, 1))
      expect(answer.map(entry => entry.requestId)).to.deep.equal([3n, 0n])
      await works()
    })

    it('CIP-16 CIP-18 thousands of unknown capsules, and one that would be 2^61 bytes long', async () => {
      const small = encodeCapsule(0x40, new Uint8Array(10))
      const many = bytes(...Array.from({ length: 5000 }, () => small))
      peer.sendData(tunnel.streamId, many)
      peer.sendData(tunnel.streamId, bytes(varint(0x40), varint(1n << 61n), new Uint8Array(50_000)))
      await works()
    })

    it('CIP-18 CIP-23 a DATAGRAM capsule too long for an IP packet is skipped', async () => {
      peer.sendData(tunnel.streamId, bytes([0], varint(100_000), new Uint8Array(100_000)))
      await works(echo => peer.sendData(tunnel.streamId, encodeCapsule(0, bytes([0], echo))))
    })

    it('CIP-12 addresses that the client assigns to the proxy are taken note of, and not used', async () => {
      const assign = encodeAddressAssign([{ requestId: 99n, prefix: IpPrefix.parse('10.90.0.1') }])
      peer.sendData(tunnel.streamId, assign)
      await works()
    })

    it('CIP-14 CIP-20 routes that the client advertises against the policy draw nothing', async () => {
      const everything = hex('04 00000000 ffffffff 00')
      peer.sendData(tunnel.streamId, encodeCapsule(CapsuleType.ROUTE_ADVERTISEMENT, everything))
      await works()
      // Not even as a source.
      peer.quic.sendDatagram(datagram([0], packet('192.0.2.1', '10.90.0.1')))
      await works()
      expect(server.clients().at(-1)?.packets.dropped).to.be.greaterThan(0)
    })

    it('CIP-26 packets that no client of ours would send are answered with ICMP errors of the proxy', async () => {
      const icmp = () =>
        peer.recorder.datagrams
          .map(received => received.subarray(2))
          .filter(inner => inner[0] === 0x45 && inner[9] === 1)
          .map(inner => decodeIcmp(inner))
          .map(({ type, code }) => `${type}/${code}`)
      for (const [from, to, expected] of [
        ['10.89.0.250', '10.90.0.1', '3/13'],
        [own, '192.0.2.1', '3/0'],
      ]) {
        const before = icmp().length
        peer.quic.sendDatagram(datagram([0], packet(from, to)))
        await peer.recorder.until(() => icmp().length > before || peer.recorder.closed)
        expect(icmp().at(-1)).to.equal(expected)
      }
      await works()
    })

    it('CIP-21 context id 0 in a longer form is context 0', async () => {
      await works(echo => peer.quic.sendDatagram(datagram([0x40, 0x00], echo)))
      await works(echo => peer.quic.sendDatagram(bytes([0x80, 0, 0, tunnel.streamId / 4], [0], echo)))
    })

    it('CIP-22 datagrams of unknown contexts, and without a context, are dropped', async () => {
      for (const context of [1n, 2n, 3n, 0x4000n, (1n << 62n) - 1n]) {
        peer.quic.sendDatagram(datagram(varint(context), echoRequest(own, '10.90.0.1')))
      }
      peer.quic.sendDatagram(datagram())
      peer.quic.sendDatagram(datagram([0x40]))
      peer.sendData(tunnel.streamId, encodeCapsule(0, Uint8Array.of(0x07, 1, 2, 3)))
      await works()
      const dropped = server.status().packets.dropped['unknown-context']
      expect(dropped).to.be.greaterThanOrEqual(8)
    })

    it('CIP-23 packets in DATAGRAM capsules are taken beside those in datagrams', async () => {
      await works(echo => peer.sendData(tunnel.streamId, encodeCapsule(0, bytes([0], echo))))
      await works()
    })

    it('CIP-34 CIP-30 garbage instead of packets is dropped', async () => {
      const good = echoRequest(own, '10.90.0.1')
      const badChecksum = good.slice()
      badChecksum[10] ^= 0xff
      const longer = good.slice()
      longer[3] += 1
      let seed = 1
      const random = () => (seed = (seed * 1103515245 + 12345) & 0x7fffffff) >> 16
      const noise = Array.from({ length: 200 }, (_, i) =>
        Uint8Array.from({ length: random() % 300 }, (_, at) => (at === 0 ? (i % 2 === 0 ? 0x45 : 0x60) : random())),
      )
      for (const garbage of [new Uint8Array(0), badChecksum, longer, good.subarray(0, 19), ...noise]) {
        peer.quic.sendDatagram(datagram([0], garbage))
      }
      await works()
      expect(server.status().packets.dropped.malformed).to.be.greaterThan(0)
    })

    it('CIP-24 datagrams for streams that were never opened, or are closed', async () => {
      for (let i = 0; i < 500; i++) {
        peer.quic.sendDatagram(bytes(varint(1 + (i % 99)), [0], new Uint8Array(100)))
      }
      const { streamId } = await peer.request(GET, true)
      peer.quic.sendDatagram(bytes(varint(streamId / 4), [0, 1, 2, 3]))
      await works()
    })

    it('CIP-24 datagrams for the last stream that QUIC allows, while streams come and go', async () => {
      for (let i = 0; i < 150; i++) {
        const { streamId } = await peer.request(GET, true)
        const last = streamId / 4 + peer.quic.bidiStreamsLeft
        peer.quic.sendDatagram(bytes(varint(last), [0, 1]))
      }
      await works()
    })

    it('H3-03 a request per free stream that never becomes complete', async () => {
      const ids = Array.from({ length: 40 }, (_, i) => 4 + 4 * i)
      for (const id of ids) peer.send(id, hex('01 44 00 00 00'))
      await works()
    })

    it('H3-02 streams of the private type for packets, on which nobody has agreed', async () => {
      for (let i = 0; i < 50; i++) peer.send(6 + 4 * i, bytes(varint(0x4d51), [0xc0]), true)
      for (let i = 50; i < 100; i++) peer.send(6 + 4 * i, bytes(varint(0x4d51), varint(tunnel.streamId / 4), [0, 1]))
      await works()
    })

    it('CIP-25 many requests: each is answered, and the limit of tunnels on a connection holds', async () => {
      const tunnels = await Promise.all(Array.from({ length: 30 }, () => peer.openTunnel()))
      expect(tunnels.filter(({ status }) => status === '200').length).to.equal(7)
      expect(tunnels.filter(({ status }) => status === '429').length).to.equal(23)
      expect(server.status().tunnels).to.equal(9)
      await works()
    })
  })

  it('CIP-24 CIP-25 a packet that overtakes its request is held until the request is there', async () => {
    // A datagram that the machine loses is not sent again, so there is more than one try: each at a proxy whose first client it is, as it has to know its address.
    const isAnswered = async (): Promise<boolean> => {
      const fresh = await startServer()
      const peer = await HostileClient.connect(fresh)
      peer.quic.sendDatagram(bytes([0], [0], echoRequest('10.89.0.2', '10.90.0.1')))
      await until(() => peer.quic.stats().datagramsSent === 1)
      await peer.openTunnel()
      const answer = () => peer.recorder.datagrams.some(received => isEchoReply(received.subarray(2)))
      for (let i = 0; i < 100 && !answer(); i++) await new Promise(resolve => setTimeout(resolve, 20))
      await peer.close()
      await until(() => fresh.status().tunnels === 0)
      return answer()
    }
    expect((await isAnswered()) || (await isAnswered()) || (await isAnswered())).to.equal(true)
  })

  it('CIP-11 a request stream that ends at once is a tunnel that ends at once', async () => {
    const peer = await connect()
    const { status, streamId } = await peer.request(CONNECT_IP, true)
    expect(status).to.equal('200')
    await peer.recorder.until(() => peer.recorder.streams.get(streamId)?.fin)
    expect(server.status().tunnels).to.equal(1)
  })

  for (const [what, end] of [
    ['resets its request stream', (peer: HostileClient, id: number) => peer.quic.streamReset(id, 0x10c)],
    [
      'reads no more of its request stream',
      (peer: HostileClient, id: number) => peer.quic.streamStopSending(id, 0x10c),
    ],
    ['ends its request stream', (peer: HostileClient, id: number) => peer.send(id, new Uint8Array(0), true)],
  ] as const) {
    it(`CIP-11 a client that ${what} has no tunnel any more`, async () => {
      const peer = await connect()
      const { streamId } = await peer.openTunnel()
      expect(server.status().tunnels).to.equal(2)
      end(peer, streamId)
      await until(() => server.status().tunnels === 1)
      expect(server.status().pools.map(pool => pool.used)).to.deep.equal([1, 1])
    })
  }

  it('that asks for hundreds of tunnels and takes each request back at once leaves nothing behind', async () => {
    const peer = await connect()
    for (let i = 0; i < 400; i++) {
      await until(() => peer.quic.bidiStreamsLeft > 0)
      const streamId = peer.h3.request(CONNECT_IP)
      peer.flush()
      // Some before, some after the proxy has seen the request.
      if (i % 3 === 0) await new Promise(setImmediate)
      peer.quic.streamReset(streamId, 0x10c)
      peer.quic.streamStopSending(streamId, 0x10c)
    }
    await until(() => server.status().tunnels === 1)
    const { status } = await peer.openTunnel()
    expect(status).to.equal('200')
  })

  describe('that has agreed on a stream for each packet keeps its tunnel in spite of', () => {
    const streamPerPacket = connectIp({}, [[ENCAPSULATION_HEADER, 'datagram, stream-per-packet']])
    const cases: [title: string, hurt: (peer: HostileClient) => void][] = [
      [
        'packet streams that never end',
        peer => {
          for (let i = 0; i < 200; i++) peer.send(6 + 4 * i, bytes(varint(0x4d51), [0, 0, 1, 2]))
        },
      ],
      ['a packet stream longer than any packet', peer => peer.send(6, bytes(varint(0x4d51), new Uint8Array(200_000)))],
      [
        'H3-02 packet streams that are too short, or name no tunnel',
        peer => {
          for (const [i, content] of [hex(''), hex('40'), hex('7fff'), hex('ffffffffffffffff')].entries()) {
            peer.send(6 + 4 * i, bytes(varint(0x4d51), content), true)
          }
        },
      ],
    ]
    for (const [title, hurt] of cases) {
      it(title, async () => {
        const peer = await connect()
        const tunnel = await peer.openTunnel(streamPerPacket)
        expect(tunnel.headers).to.deep.include([ENCAPSULATION_HEADER, 'datagram, stream-per-packet'])
        const [assigned] = decodeAddressAssign(await tunnel.capsule(CapsuleType.ADDRESS_ASSIGN))
        hurt(peer)
        const echo = echoRequest(String(assigned.prefix.address), '10.90.0.1')
        peer.send(6 + 4 * 220, bytes(varint(0x4d51), [0, 0], echo), true)
        const replied = () => peer.recorder.datagrams.map(received => received.subarray(2)).some(isEchoReply)
        await peer.recorder.until(() => replied() || peer.recorder.closed)
        expect(replied()).to.equal(true)
      })
    }
  })

  it('H3-08 a flood of plain requests is answered one by one', async () => {
    const peer = await connect()
    const answers = await Promise.all(Array.from({ length: 100 }, () => peer.request(GET, true)))
    expect(new Set(answers.map(({ status }) => status))).to.deep.equal(new Set(['200']))
  })
})
