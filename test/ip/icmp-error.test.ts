import { expect } from 'chai'
import fc from 'fast-check'
import { IpAddress, type IpVersion } from '../../src/ip/address.ts'
import {
  decodeIcmp,
  icmpDestinationUnreachable,
  icmpEchoReply,
  icmpEchoRequest,
  icmpTimeExceeded,
} from '../../src/ip/icmp.ts'
import { type IcmpErrorKind, icmpError } from '../../src/ip/icmp-error.ts'
import {
  decodeIcmpv6,
  icmpv6DestinationUnreachable,
  icmpv6EchoReply,
  icmpv6EchoRequest,
  icmpv6PacketTooBig,
  icmpv6ParameterProblem,
  icmpv6TimeExceeded,
} from '../../src/ip/icmpv6.ts'
import { encodeIpv4 } from '../../src/ip/ipv4.ts'
import { encodeIpv6 } from '../../src/ip/ipv6.ts'
import { destinationOf, sourceOf, validatePacket } from '../../src/ip/packet.ts'
import { encodeUdpPacket } from '../../src/ip/udp.ts'
import { almostPacket, anyPacket, expectBytes, hostAddressOf } from './arbitraries.ts'

const kinds: IcmpErrorKind[] = ['source-policy', 'no-route', 'prohibited', 'hop-limit', 'too-big']
const client = { 4: IpAddress.parse('10.0.0.2'), 6: IpAddress.parse('2001:db8::2') }
const server = { 4: IpAddress.parse('192.0.2.1'), 6: IpAddress.parse('2001:db8:1::1') }
const router = { 4: IpAddress.parse('10.0.0.1'), 6: IpAddress.parse('2001:db8::1') }
const versions: IpVersion[] = [4, 6]

function udpBetween(source: IpAddress, destination: IpAddress): Uint8Array {
  return encodeUdpPacket({ source, sourcePort: 1000, destination, destinationPort: 7 }, new Uint8Array(20))
}

function report(packet: Uint8Array): Uint8Array | undefined {
  return icmpError('no-route', packet, router[packet[0] >> 4 === 4 ? 4 : 6])
}

/** A valid IPv4 packet with fragment offset 8. */
function laterFragment(): Uint8Array {
  const fields = { source: client[4], destination: server[4], protocol: 17, ttl: 64, dontFragment: false }
  const packet = encodeIpv4(fields, new Uint8Array(16))
  packet[7] = 1
  // One more in a word is one less in the checksum.
  packet[11] -= 1
  expect(validatePacket(packet)).to.equal(undefined)
  return packet
}

describe('ICMP errors about dropped packets', () => {
  const codes: Record<IcmpErrorKind, { 4: [number, number]; 6: [number, number]; id: string }> = {
    'source-policy': { 4: [3, 13], 6: [1, 5], id: 'CIP-26' },
    'no-route': { 4: [3, 0], 6: [1, 0], id: 'CIP-26' },
    prohibited: { 4: [3, 13], 6: [1, 1], id: 'CIP-26' },
    'hop-limit': { 4: [11, 0], 6: [3, 0], id: 'CIP-29' },
    'too-big': { 4: [3, 4], 6: [2, 0], id: 'CIP-32' },
  }
  for (const kind of kinds) {
    for (const version of versions) {
      const [type, code] = codes[kind][version]
      it(`${codes[kind].id} report '${kind}' over IPv${version} as type ${type} code ${code}, to the sender`, () => {
        const offending = udpBetween(client[version], server[version])
        const packet = icmpError(kind, offending, router[version], 1400) ?? new Uint8Array(0)
        expect(validatePacket(packet)).to.equal(undefined)
        expect(sourceOf(packet).toString()).to.equal(router[version].toString())
        expect(destinationOf(packet).toString()).to.equal(client[version].toString())
        const message = version === 4 ? decodeIcmp(packet) : decodeIcmpv6(packet)
        expect([message.type, message.code]).to.deep.equal([type, code])
        expect(message.mtu).to.equal(kind === 'too-big' ? 1400 : undefined)
        expectBytes(message.quoted, offending)
      })
    }
  }

  it('CIP-32 cannot be made for a packet that is too big without saying what is not', () => {
    expect(() => icmpError('too-big', udpBetween(client[4], server[4]), router[4])).to.throw(RangeError, 'MTU')
  })

  const about4 = udpBetween(client[4], server[4])
  const about6 = udpBetween(client[6], server[6])
  const errors: [string, Uint8Array][] = [
    ['an ICMP destination unreachable', icmpDestinationUnreachable(about4, 1, server[4])],
    ['an ICMP time exceeded', icmpTimeExceeded(about4, 0, server[4])],
    ['an ICMPv6 destination unreachable', icmpv6DestinationUnreachable(about6, 0, server[6])],
    ['an ICMPv6 packet too big', icmpv6PacketTooBig(about6, 1280, server[6])],
    ['an ICMPv6 time exceeded', icmpv6TimeExceeded(about6, 0, server[6])],
    ['an ICMPv6 parameter problem', icmpv6ParameterProblem(about6, 1, 6, server[6])],
    [
      'an ICMPv6 error behind extension headers',
      encodeIpv6(
        { source: server[6], destination: client[6], nextHeader: 60, hopLimit: 64 },
        Uint8Array.of(58, 0, 1, 4, 0, 0, 0, 0, ...icmpv6TimeExceeded(about6, 0, server[6]).subarray(40)),
      ),
    ],
    [
      'an ICMPv6 redirect',
      encodeIpv6(
        { source: server[6], destination: client[6], nextHeader: 58, hopLimit: 64 },
        Uint8Array.of(137, 0, 0, 0, 0, 0, 0, 0),
      ),
    ],
    [
      'an ICMP message too short to have a type',
      encodeIpv4({ source: client[4], destination: server[4], protocol: 1, ttl: 64 }, new Uint8Array(0)),
    ],
    [
      'an ICMPv6 message too short to have a type',
      encodeIpv6({ source: client[6], destination: server[6], nextHeader: 58, hopLimit: 64 }, new Uint8Array(0)),
    ],
  ]
  for (const [what, packet] of errors) {
    it(`CIP-35 are not sent about ${what}`, () => {
      expect(validatePacket(packet)).to.equal(undefined)
      for (const kind of kinds) {
        expect(icmpError(kind, packet, router[packet[0] >> 4 === 4 ? 4 : 6], 1280)).to.equal(undefined)
      }
    })
  }

  it('CIP-35 are sent about echo requests and replies', () => {
    for (const version of versions) {
      const fields = { source: client[version], destination: server[version], id: 1, seq: 1 }
      const [request, reply] = version === 4 ? [icmpEchoRequest, icmpEchoReply] : [icmpv6EchoRequest, icmpv6EchoReply]
      expect(report(request(fields, new Uint8Array(0)))).to.be.instanceOf(Uint8Array)
      expect(report(reply(fields, new Uint8Array(0)))).to.be.instanceOf(Uint8Array)
    }
  })

  for (const destination of ['224.0.0.1', '239.255.255.250', '255.255.255.255', 'ff02::1', 'ff0e::101']) {
    it(`CIP-35 are not sent about packets to ${destination}`, () => {
      const address = IpAddress.parse(destination)
      for (const kind of kinds) {
        const packet = udpBetween(client[address.version], address)
        expect(icmpError(kind, packet, router[address.version], 1280)).to.equal(undefined)
      }
    })
  }

  const noHost = [
    '0.0.0.0',
    '0.1.2.3',
    '127.0.0.1',
    '224.0.0.1',
    '240.0.0.1',
    '255.255.255.255',
    '::',
    '::1',
    'ff02::1',
  ]
  for (const source of noHost) {
    it(`CIP-35 are not sent to ${source}, which is not one host`, () => {
      const address = IpAddress.parse(source)
      expect(report(udpBetween(address, server[address.version]))).to.equal(undefined)
    })
  }

  it('CIP-35 are not sent about fragments other than the first', () => {
    expect(report(laterFragment())).to.equal(undefined)
    const header = (offset: number) => Uint8Array.of(17, 0, offset >> 8, offset | 1, 0, 0, 0, 1, ...new Uint8Array(16))
    const fields = { source: client[6], destination: server[6], nextHeader: 44, hopLimit: 64 }
    expect(report(encodeIpv6(fields, header(0x100)))).to.equal(undefined)
    expect(report(encodeIpv6(fields, header(0))), 'the first fragment').to.be.instanceOf(Uint8Array)
  })

  it('CIP-35 are not sent about malformed packets', () => {
    const badChecksum = udpBetween(client[4], server[4])
    badChecksum[10] ^= 0xff
    expect(report(badChecksum)).to.equal(undefined)
    const badChain = encodeIpv6(
      { source: client[6], destination: server[6], nextHeader: 60, hopLimit: 64 },
      Uint8Array.of(58, 200, 0, 0, 0, 0, 0, 0),
    )
    expect(report(badChain)).to.equal(undefined)
  })

  it('CIP-35 are never sent about another such error, whatever the packet was', () => {
    const packets = fc
      .constantFrom<IpVersion[]>(4, 6)
      .chain(version => fc.tuple(hostAddressOf(version), hostAddressOf(version)).map(([a, b]) => udpBetween(a, b)))
    fc.assert(
      fc.property(packets, fc.constantFrom(...kinds), (packet, kind) => {
        const source = router[packet[0] >> 4 === 4 ? 4 : 6]
        const first = icmpError(kind, packet, source, 1280)
        expect(first).to.be.instanceOf(Uint8Array)
        if (first !== undefined) expect(icmpError(kind, first, source, 1280)).to.equal(undefined)
      }),
    )
  })

  it('are a valid packet or nothing, for any bytes', () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.uint8Array({ maxLength: 100 }), almostPacket, anyPacket),
        fc.constantFrom(...kinds),
        (bytes, kind) => {
          const packet = icmpError(kind, bytes, router[bytes[0] >> 4 === 4 ? 4 : 6], 1280)
          if (packet === undefined) return
          expect(validatePacket(packet)).to.equal(undefined)
          expect(packet.length).to.be.at.most(bytes[0] >> 4 === 4 ? 576 : 1280)
        },
      ),
      { numRuns: 500 },
    )
  })
})
