import { expect } from 'chai'
import fc from 'fast-check'
import { IpAddress } from '../../src/ip/address.ts'
import { icmpDestinationUnreachable, icmpEchoRequest, icmpFragmentationNeeded } from '../../src/ip/icmp.ts'
import { icmpv6EchoReply, icmpv6PacketTooBig } from '../../src/ip/icmpv6.ts'
import { encodeIpv4, ipv4Checksum } from '../../src/ip/ipv4.ts'
import { encodeIpv6 } from '../../src/ip/ipv6.ts'
import {
  DESTINATION_OFFSET,
  decrementHopCount,
  describePacket,
  destinationOf,
  hopCountOf,
  isFragment,
  isLaterFragment,
  packetVersion,
  payloadOffset,
  protocolOf,
  SOURCE_OFFSET,
  sourceOf,
  validatePacket,
} from '../../src/ip/packet.ts'
import { encodeUdpPacket } from '../../src/ip/udp.ts'
import { almostPacket, anyPacket, expectBytes } from './arbitraries.ts'

const v4 = { source: IpAddress.parse('10.89.0.2'), destination: IpAddress.parse('10.89.0.1') }
const v6 = { source: IpAddress.parse('fd00::2'), destination: IpAddress.parse('fd00::1') }

describe('IP packet of either version', () => {
  it('is valid when it was encoded here, and its addresses are where the offsets say', () => {
    fc.assert(
      fc.property(anyPacket, packet => {
        expect(validatePacket(packet)).to.equal(undefined)
        const version = packetVersion(packet)
        expect(version).to.be.oneOf([4, 6])
        if (version === 0) return
        const length = version === 4 ? 4 : 16
        expectBytes(sourceOf(packet).bytes, packet.subarray(SOURCE_OFFSET[version], SOURCE_OFFSET[version] + length))
        const at = DESTINATION_OFFSET[version]
        expectBytes(destinationOf(packet).bytes, packet.subarray(at, at + length))
      }),
    )
  })

  it('has version 0 when it is empty or neither 4 nor 6, and is refused', () => {
    expect(packetVersion(new Uint8Array(0))).to.equal(0)
    expect(validatePacket(new Uint8Array(0))).to.equal('empty packet')
    for (const version of [0, 1, 5, 7, 15]) {
      const packet = new Uint8Array(60)
      packet[0] = version << 4
      expect(packetVersion(packet)).to.equal(0)
      expect(validatePacket(packet)).to.equal('IP version field is neither 4 nor 6')
    }
  })

  it('CIP-30 is refused when the IPv4 header checksum is wrong', () => {
    const packet = encodeIpv4({ ...v4, protocol: 17, ttl: 9 }, new Uint8Array(8))
    packet[10] ^= 1
    expect(validatePacket(packet)).to.equal('IPv4 header checksum wrong')
  })

  it('CIP-29 loses exactly one hop when decremented, and nothing else changes', () => {
    fc.assert(
      fc.property(anyPacket, packet => {
        const before = Uint8Array.from(packet)
        const hops = hopCountOf(packet)
        fc.pre(hops > 0)
        decrementHopCount(packet)
        expect(hopCountOf(packet)).to.equal(hops - 1)
        expect(validatePacket(packet)).to.equal(undefined)
        const isV4 = packetVersion(packet) === 4
        const mayChange = isV4 ? [8, 10, 11] : [7]
        packet.forEach((byte, i) => {
          if (!mayChange.includes(i)) expect(byte).to.equal(before[i])
        })
      }),
      { numRuns: 500 },
    )
  })

  it('CIP-29 keeps a hop count of 0 instead of wrapping to 255', () => {
    for (const packet of [
      encodeIpv4({ ...v4, protocol: 17, ttl: 0 }, new Uint8Array(8)),
      encodeIpv6({ ...v6, nextHeader: 17, hopLimit: 0 }, new Uint8Array(8)),
    ]) {
      const before = Uint8Array.from(packet)
      decrementHopCount(packet)
      expectBytes(packet, before)
    }
  })

  it('CIP-30 has the same checksum after all decrements from 255 to 0 as if it were computed anew each time', () => {
    const packet = encodeIpv4({ ...v4, protocol: 17, ttl: 255, identification: 0x1c46 }, new Uint8Array(4))
    for (let ttl = 254; ttl >= 0; ttl--) {
      decrementHopCount(packet)
      const anew = encodeIpv4({ ...v4, protocol: 17, ttl, identification: 0x1c46 }, new Uint8Array(4))
      expect(ipv4Checksum(packet)).to.equal(ipv4Checksum(anew))
    }
  })

  it('CIP-28 has the protocol behind the extension headers, where the payload begins', () => {
    const behindOptions = encodeIpv6(
      { ...v6, nextHeader: 0, hopLimit: 1 },
      Uint8Array.of(17, 0, 1, 4, 0, 0, 0, 0, 9, 9),
    )
    expect(protocolOf(behindOptions)).to.equal(17)
    expect(payloadOffset(behindOptions)).to.equal(48)
    const plain = encodeIpv4({ ...v4, protocol: 6, ttl: 1 }, new Uint8Array(2))
    expect(protocolOf(plain)).to.equal(6)
    expect(payloadOffset(plain)).to.equal(20)
    const cut = encodeIpv6({ ...v6, nextHeader: 0, hopLimit: 1 }, Uint8Array.of(17, 1, 1, 4, 0, 0, 0, 0))
    expect([protocolOf(cut), payloadOffset(cut)]).to.deep.equal([-1, -1])
  })

  it('CIP-28 does not take the protocol of an IPv4 packet for an extension header', () => {
    expect(protocolOf(encodeIpv4({ ...v4, protocol: 0, ttl: 1 }, new Uint8Array(8)))).to.equal(0)
    expect(protocolOf(encodeIpv4({ ...v4, protocol: 51, ttl: 1 }, new Uint8Array(8)))).to.equal(51)
  })

  it('is described in one line', () => {
    const unreachable = icmpDestinationUnreachable(
      icmpEchoRequest({ ...v4, id: 1, seq: 2 }, new Uint8Array(0)),
      13,
      v4.destination,
    )
    const lines: [Uint8Array, string][] = [
      [
        icmpEchoRequest({ ...v4, id: 1, seq: 2 }, new Uint8Array(36)),
        'IPv4 10.89.0.2 → 10.89.0.1 ICMP echo request id 1 seq 2, 64 bytes, TTL 64',
      ],
      [
        icmpv6EchoReply({ ...v6, id: 3, seq: 4, hopCount: 63 }, new Uint8Array(0)),
        'IPv6 fd00::2 → fd00::1 ICMPv6 echo reply id 3 seq 4, 48 bytes, hop limit 63',
      ],
      [
        encodeUdpPacket({ ...v4, sourcePort: 5000, destinationPort: 7 }, new Uint8Array(2)),
        'IPv4 10.89.0.2 → 10.89.0.1 UDP 5000 → 7, 30 bytes, TTL 64',
      ],
      [unreachable, 'IPv4 10.89.0.1 → 10.89.0.2 ICMP destination unreachable code 13, 56 bytes, TTL 64'],
      [
        icmpFragmentationNeeded(encodeIpv4({ ...v4, protocol: 6, ttl: 64 }, new Uint8Array(0)), 1280, v4.destination),
        'IPv4 10.89.0.1 → 10.89.0.2 ICMP fragmentation needed mtu 1280, 48 bytes, TTL 64',
      ],
      [
        icmpv6PacketTooBig(encodeIpv6({ ...v6, nextHeader: 6, hopLimit: 64 }, new Uint8Array(0)), 1400, v6.destination),
        'IPv6 fd00::1 → fd00::2 ICMPv6 packet too big mtu 1400, 88 bytes, hop limit 64',
      ],
      [
        encodeIpv6({ ...v6, nextHeader: 200, hopLimit: 1 }, new Uint8Array(0)),
        'IPv6 fd00::2 → fd00::1 protocol 200, 40 bytes, hop limit 1',
      ],
      [
        encodeIpv4({ ...v4, protocol: 17, ttl: 1 }, new Uint8Array(3)),
        'IPv4 10.89.0.2 → 10.89.0.1 UDP (malformed: 2 bytes expected at offset 22, 1 left), 23 bytes, TTL 1',
      ],
      [new Uint8Array(3), 'malformed packet (IP version field is neither 4 nor 6), 3 bytes'],
    ]
    for (const [packet, line] of lines) expect(describePacket(packet)).to.equal(line)
  })

  it('throws nothing, whatever the bytes are', () => {
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 120 }), almostPacket, anyPacket), packet => {
        expect(describePacket(packet)).to.be.a('string')
        if (validatePacket(packet) !== undefined) return
        expect(protocolOf(packet)).to.be.within(-1, 255)
        expect(payloadOffset(packet)).to.be.within(-1, packet.length)
        isFragment(packet)
        isLaterFragment(packet)
        decrementHopCount(packet)
        expect(validatePacket(packet)).to.equal(undefined)
      }),
      { numRuns: 500 },
    )
  })
})
