/** What the client keeps to, and says, when the proxy does not. */

import { expect } from 'chai'
import { ClientError } from '../../src/client/errors.ts'
import { encodeAddressAssign } from '../../src/connect-ip/address-assign.ts'
import { decodeAddressRequest } from '../../src/connect-ip/address-request.ts'
import { CapsuleParser, CapsuleType } from '../../src/connect-ip/capsule.ts'
import { describeDns, encodeDnsAssign } from '../../src/connect-ip/dns/dns-assign.ts'
import { encodePref64 } from '../../src/connect-ip/dns/pref64.ts'
import { NO_PARAMETERS } from '../../src/connect-ip/dns/service-parameters.ts'
import { encodeRouteAdvertisement } from '../../src/connect-ip/route-advertisement.ts'
import { PingError } from '../../src/hosts/userspace/pinger.ts'
import { encodeVarintFrame, FrameType } from '../../src/http3/frames.ts'
import { icmpEchoReplyTo } from '../../src/ip/icmp.ts'
import { icmpv6EchoReplyTo } from '../../src/ip/icmpv6.ts'
import { describePacket, validatePacket } from '../../src/ip/packet.ts'
import { IpPrefix } from '../../src/ip/prefix.ts'
import { createLogger } from '../../src/log/logger.ts'
import { ping as echoRequest, packet, TCP, UDP } from '../connect-ip/packets.ts'
import { bytes, hex, OK, varint } from '../http3/conversation.ts'
import { closeHostilePeers, type HostilePeer, startHostileProxy } from '../support/hostile-peer.ts'
import { closeLoopback, connectClient, failure, newClient, ping, pingFailure, until } from '../support/loopback.ts'

const ASSIGNED = encodeAddressAssign([
  { requestId: 1n, prefix: IpPrefix.parse('10.0.0.2') },
  { requestId: 2n, prefix: IpPrefix.parse('fd00::2') },
])
const EVERYWHERE = encodeRouteAdvertisement(
  ['0.0.0.0/0', '::/0'].map(text => ({ range: IpPrefix.parse(text).toRange(), protocol: 0 })),
)

/** A proxy that grants every request with routes to everywhere, and answers all pings. */
async function proxy() {
  const started = await startHostileProxy({
    onConnection: peer => {
      peer.h3.start()
      peer.recorder.onDatagramArrived = datagram => {
        const request = datagram.subarray(2)
        if (!/echo request/.test(describePacket(request))) return
        send(
          peer,
          request[0] >> 4 === 4
            ? icmpEchoReplyTo(request)
            : icmpv6EchoReplyTo(request, IpPrefix.parse('fe80::1').address),
        )
      }
    },
    onRequest: (peer, streamId) => {
      peer.h3.respond(streamId, OK)
      peer.h3.sendData(streamId, bytes(ASSIGNED, EVERYWHERE))
      peer.flush()
    },
  })
  return started
}

/** A packet in context 0 of the tunnel on stream 0. */
function send(peer: HostilePeer, ip: Uint8Array): void {
  peer.quic.sendDatagram(Uint8Array.of(0, 0, ...ip))
}

/** The IP packets that have come out of the tunnel, but for the client's link probe. */
function received(peer: HostilePeer): string[] {
  return peer.recorder.datagrams
    .map(datagram => datagram.subarray(2))
    .filter(ip => validatePacket(ip) === undefined)
    .map(describePacket)
    .filter(text => !text.includes('ff02::1'))
}

describe('a client with a hostile proxy', () => {
  afterEach(async () => {
    await closeLoopback()
    await closeHostilePeers()
  })

  describe('CIP-12 CIP-13 CIP-14 CIP-15 CIP-18 whose capsules break a rule resets the stream, says why, and tries no more:', () => {
    for (const [title, code, says, capsules] of [
      ['CIP-12 no room for an address', 'H3_MESSAGE_ERROR', /./, hex('01 03 00 04 0a')],
      ['CIP-13 no address is requested', 'H3_MESSAGE_ERROR', /./, hex('02 00')],
      ['CIP-13 a Request ID of 0', 'H3_MESSAGE_ERROR', /./, hex('02 07 00 04 00000000 20')],
      ['CIP-13 a Request ID twice', 'H3_MESSAGE_ERROR', /7/, hex('02 07 07 04 00000000 20 02 07 07 04 00000000 20')],
      [
        'CIP-14 ranges that overlap',
        'H3_MESSAGE_ERROR',
        /./,
        hex('03 14 04 0a000000 0a000010 00 04 0a000010 0a0000ff 00'),
      ],
      ['CIP-14 a range that ends before it starts', 'H3_MESSAGE_ERROR', /./, hex('03 0a 04 0a000002 0a000001 00')],
      [
        'CIP-14 ranges out of order',
        'H3_MESSAGE_ERROR',
        /./,
        hex('03 14 04 0a000100 0a0001ff 00 04 0a000000 0a0000ff 00'),
      ],
      [
        'CIP-14 versions out of order',
        'H3_MESSAGE_ERROR',
        /./,
        bytes(hex('03 2c 06'), new Uint8Array(16), new Uint8Array(16).fill(255), hex('00 04 0a000000 0a0000ff 00')),
      ],
      ['CIP-15 IP version 5', 'H3_MESSAGE_ERROR', /5/, hex('01 07 00 05 0a000002 20')],
      ['CIP-15 a prefix of 33 bits', 'H3_MESSAGE_ERROR', /33/, hex('01 07 00 04 0a000002 21')],
      ['CIP-15 bits beyond the prefix', 'H3_MESSAGE_ERROR', /./, hex('01 07 00 04 0a000002 08')],
      ['CIP-15 a byte too many', 'H3_MESSAGE_ERROR', /./, hex('01 08 00 04 0a000002 20 00')],
      ['CIP-18 a capsule of a terabyte', 'H3_EXCESSIVE_LOAD', /./, bytes([1], varint(1n << 40n))],
    ] as const) {
      it(`${title}: ${code}`, async () => {
        const { address, peers } = await proxy()
        const { client } = await connectClient({ address }, { reconnect: { enabled: true } })
        const down = new Promise<ClientError>(resolve => client.once('down', resolve))
        const gaveUp = new Promise<ClientError>(resolve => client.once('gaveUp', resolve))
        peers[0].h3.sendData(0, capsules)
        peers[0].flush()
        const error = await down
        expect(error).to.include({ kind: 'protocol', retryable: false })
        expect(error.message).to.match(
          new RegExp(`^the tunnel has ended: we reset the request stream: ${code} \\(.+\\)$`),
        )
        expect(error.message).to.match(says)
        expect(await gaveUp).to.equal(error)
        expect(await peers[0].streamError(0)).to.equal(code)
      })
    }
  })

  it('CIP-19 asks for an address of each family behind its request, with ids that it uses once', async () => {
    const { address, peers } = await proxy()
    const parser = new CapsuleParser()
    await connectClient({ address })
    const [peer] = peers
    const requests = peer.events
      .flatMap(event => (event.type === 'data' ? [...parser.push(event.data)] : []))
      .filter(({ type }) => type === CapsuleType.ADDRESS_REQUEST)
      .flatMap(({ value }) => decodeAddressRequest(value))
    expect(requests.map(({ prefix }) => String(prefix))).to.deep.equal(['0.0.0.0/32', '::/128'])
    const ids = requests.map(({ requestId }) => requestId)
    expect(ids).to.not.include(0n)
    expect(new Set(ids).size).to.equal(2)
  })

  it('CIP-05 CIP-08 says that the target cannot be resolved, in the words of Proxy-Status', async () => {
    const { address } = await startHostileProxy({
      onRequest: (peer, streamId) => {
        peer.h3.respond(
          streamId,
          [
            [':status', '502'],
            ['proxy-status', 'proxy.example; error=dns_error; rcode="NXDOMAIN"'],
          ],
          true,
        )
        peer.flush()
      },
    })
    const client = await newClient({ address }, { proxy: { target: 'nowhere.example' } })
    const error = await failure(client.connect(), ClientError)
    expect(error).to.include({ kind: 'http', status: 502, retryable: true })
    expect(error.message).to.match(/the target cannot be resolved or reached \(.*dns_error.*NXDOMAIN.*\)/)
  })

  it('CIP-27 sends nothing outside of its scope, and takes nothing from there, whatever is advertised', async () => {
    const { address, peers } = await proxy()
    const { client } = await connectClient(
      { address },
      { proxy: { target: '192.0.2.0/24', ipproto: '17' }, tunnel: { linkProbe: 'off' } },
    )
    await ping(client, '192.0.2.1')
    const outside = await pingFailure(client, '198.51.100.1')
    expect(outside.message).to.match(/administratively prohibited/)
    client.sendPacket(packet('10.0.0.2', '192.0.2.1', { protocol: TCP }))
    client.sendPacket(packet('10.0.0.2', '192.0.2.1', { protocol: UDP }))
    await peers[0].recorder.until(() => received(peers[0]).some(text => text.includes('UDP')))
    expect(received(peers[0]).filter(text => /198\.51\.100|TCP/.test(text))).to.deep.equal([])

    const next = client.readPacket()
    send(peers[0], packet('198.51.100.1', '10.0.0.2'))
    send(peers[0], packet('192.0.2.1', '10.0.0.2', { protocol: TCP }))
    send(peers[0], packet('192.0.2.1', '10.0.0.2'))
    expect(describePacket(await next)).to.match(/^IPv4 192\.0\.2\.1 → 10\.0\.0\.2 UDP/)
    expect(client.tunnel?.tunnel?.counters.dropped).to.deep.include({ prohibited: 4 })
  })

  it('CIP-32 tells its host how large a packet may be, with the tunnel’s own MTU', async () => {
    const { address, peers } = await proxy()
    const { client } = await connectClient({ address }, { tunnel: { linkProbe: 'off' } })
    for (const [target, headers] of [
      ['192.0.2.1', 28],
      ['2001:db8::1', 48],
    ] as const) {
      // It grows while the connection learns about its path, but not before this is sent.
      const { mtu } = client.info
      const tooBig = failure(client.ping(target, { size: mtu - headers + 1 }), PingError)
      client.ping(target, { size: mtu - headers, timeoutMs: 1 }).catch(() => {})
      expect((await tooBig).icmp).to.include({ kind: 'packet-too-big', mtu })
      await peers[0].recorder.until(() =>
        received(peers[0]).some(text => text.includes(`${target} `) && text.includes(`${mtu} bytes`)),
      )
    }
  })

  it('CIP-34 CIP-22 goes on whatever comes in datagrams', async () => {
    const { address, peers } = await proxy()
    const { client } = await connectClient({ address })
    const [peer] = peers
    const valid = packet('192.0.2.1', '10.0.0.2')
    for (const ip of [
      new Uint8Array(0),
      hex('45'),
      valid.with(10, valid[10] ^ 1),
      valid.subarray(0, 30),
      valid.with(0, 0x75),
      new Uint8Array(1000).fill(0x60),
      packet('192.0.2.1', '10.0.0.3'),
      packet('192.0.2.1', '224.0.0.1'),
      packet('127.0.0.1', '10.0.0.2'),
      packet('2001:db8::1', 'fd00::2', { protocol: 0 }),
      echoRequest('fe80::1', 'ff02::1'),
    ]) {
      send(peer, ip)
    }
    // Contexts that nobody has registered, and one that is cut off.
    for (const context of [hex('00 02 45'), hex('00 4041'), hex('00 c0')]) peer.quic.sendDatagram(context)
    await ping(client, '192.0.2.1')
    const { dropped } = client.tunnel?.tunnel?.counters ?? { dropped: {} }
    expect(dropped).to.deep.include({ malformed: 7, 'no-route': 1, 'unknown-context': 3 })
    expect(client.connected).to.equal(true)
  })

  it('shows what a proxy says when it closes the connection, and lets it command no terminal', async () => {
    const { address } = await startHostileProxy({
      onConnection: peer => peer.quic.close(0x107, 'go\x1b[2J away\x9b5m \u202e'),
    })
    const error = await failure((await newClient({ address })).connect(), ClientError)
    expect(error.message).to.match(/go\?\[2J away\?5m \?/)
    expect(error.message).to.match(/^\P{C}*$/u)
  })

  it('says once that the proxy is shutting down, however often it hears that', async () => {
    const { address, peers } = await proxy()
    const lines: string[] = []
    const logger = createLogger({ level: 'info', to: { write: line => void lines.push(line) } })
    const { client } = await connectClient({ address }, {}, { logger })
    const goaways = Array.from({ length: 500 }, () => encodeVarintFrame(FrameType.GOAWAY, 4))
    peers[0].send(3, bytes(...goaways))
    await ping(client, '10.0.0.1')
    expect(lines.filter(line => line.includes('GOAWAY'))).to.have.length(1)
  })

  it('CIP-40 whose DNS configuration and NAT64 prefixes change: each list takes the place of the one before', async () => {
    const { address, peers } = await proxy()
    const { client } = await connectClient({ address })
    /** Up to a list of routes, by whose length the client is known to have heard it all. */
    const tell = async (nameserver: string, prefix: string, routes: number) => {
      const addresses = [IpPrefix.parse(nameserver).address]
      const server = { priority: 1, addresses, authenticationName: '', parameters: NO_PARAMETERS }
      const dns = encodeDnsAssign([{ nameservers: [server], internalDomains: ['corp.example'], searchDomains: [] }])
      const list = Array.from({ length: routes }, (_, i) => IpPrefix.parse(`10.${2 * i}.0.0/16`).toRange())
      const end = encodeRouteAdvertisement(list.map(range => ({ range, protocol: 0 })))
      peers[0].h3.sendData(0, bytes(dns, encodePref64([IpPrefix.parse(prefix)]), end))
      peers[0].flush()
      await until(() => client.info.routes.length === routes)
      return [...client.info.dns.map(describeDns), ...client.info.nat64Prefixes.map(String)]
    }
    expect(await tell('10.0.0.53', '64:ff9b::/96', 3)).to.deep.equal(['10.0.0.53 for corp.example', '64:ff9b::/96'])
    expect(await tell('10.0.0.54', '2001:db8::/64', 4)).to.deep.equal(['10.0.0.54 for corp.example', '2001:db8::/64'])
  })
})
