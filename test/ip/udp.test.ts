import { expect } from 'chai'
import fc from 'fast-check'
import { DecodeError } from '../../src/bytes/errors.ts'
import { IpAddress } from '../../src/ip/address.ts'
import { encodeIpv4 } from '../../src/ip/ipv4.ts'
import { encodeIpv6 } from '../../src/ip/ipv6.ts'
import { payloadOffset, validatePacket } from '../../src/ip/packet.ts'
import { IpProtocol } from '../../src/ip/protocol.ts'
import { decodeUdp, encodeUdp, encodeUdpPacket, verifyUdpChecksum } from '../../src/ip/udp.ts'
import {
  addressOf,
  almostPacket,
  anyVersion,
  expectBytes,
  hex,
  mayOnlyThrowDecodeError,
  payload,
} from './arbitraries.ts'

const fields = anyVersion.chain(version =>
  fc.record({
    source: addressOf(version),
    sourcePort: fc.nat(0xffff),
    destination: addressOf(version),
    destinationPort: fc.nat(0xffff),
  }),
)

const example = {
  source: IpAddress.parse('2001:db8::1'),
  sourcePort: 4000,
  destination: IpAddress.parse('2001:db8::2'),
  destinationPort: 7,
}

describe('UDP', () => {
  it('brings ports and payload back, with a checksum that is right', () => {
    fc.assert(
      fc.property(fields, payload, (fields, payload) => {
        const packet = encodeUdpPacket(fields, payload)
        expect(validatePacket(packet)).to.equal(undefined)
        const offset = payloadOffset(packet)
        expect(verifyUdpChecksum(packet, offset)).to.equal(true)
        const decoded = decodeUdp(packet, offset)
        expect(decoded.sourcePort).to.equal(fields.sourcePort)
        expect(decoded.destinationPort).to.equal(fields.destinationPort)
        expectBytes(decoded.payload, payload)
      }),
    )
  })

  it('is the same datagram with an IP header and without', () => {
    fc.assert(
      fc.property(fields, payload, (fields, payload) => {
        const datagram = encodeUdp(fields, payload)
        const { source, destination } = fields
        const packet =
          source.version === 4
            ? encodeIpv4({ source, destination, protocol: IpProtocol.UDP, ttl: 64 }, datagram)
            : encodeIpv6({ source, destination, nextHeader: IpProtocol.UDP, hopLimit: 64 }, datagram)
        expectBytes(packet, encodeUdpPacket(fields, payload))
      }),
    )
  })

  it('does not verify when any one bit of ports, checksum, payload or addresses is flipped', () => {
    fc.assert(
      fc.property(fields, payload, fc.nat(), (fields, payload, position) => {
        const packet = encodeUdpPacket(fields, payload)
        const offset = payloadOffset(packet)
        const addresses = fields.source.version === 4 ? 12 : 8
        const bit = addresses * 8 + (position % ((packet.length - addresses) * 8))
        // Another length leaves out other bytes, which may happen to have the right sum.
        fc.pre(bit >> 3 !== offset + 4 && bit >> 3 !== offset + 5)
        packet[bit >> 3] ^= 1 << (bit & 7)
        // The one change that is meant to pass: a checksum that becomes 0 over IPv4.
        fc.pre(packet[offset + 6] !== 0 || packet[offset + 7] !== 0)
        expect(verifyUdpChecksum(packet, offset)).to.equal(false)
      }),
      { numRuns: 300 },
    )
  })

  it('takes a checksum of 0 for "none" over IPv4, and for wrong over IPv6', () => {
    const over4 = { ...example, source: IpAddress.parse('10.0.0.1'), destination: IpAddress.parse('10.0.0.2') }
    for (const [fields, expected] of [
      [over4, true],
      [example, false],
    ] as const) {
      const packet = encodeUdpPacket(fields, new Uint8Array(5))
      const offset = payloadOffset(packet)
      packet.fill(0, offset + 6, offset + 8)
      expect(verifyUdpChecksum(packet, offset)).to.equal(expected)
    }
  })

  it('sends a checksum that comes out as 0 as 0xffff', () => {
    const datagram = encodeUdp(example, new Uint8Array(2))
    const checksum = (datagram[6] << 8) | datagram[7]
    // Putting the checksum itself into the data makes the sum 0xffff, the checksum 0.
    const balanced = encodeUdp(example, Uint8Array.of(checksum >> 8, checksum))
    expectBytes(balanced.subarray(6, 8), hex('ffff'))
    const packet = encodeIpv6({ ...example, nextHeader: IpProtocol.UDP, hopLimit: 64 }, balanced)
    expect(verifyUdpChecksum(packet, 40)).to.equal(true)
  })

  it('refuses datagrams cut short at every byte', () => {
    const datagram = encodeUdp(example, new Uint8Array(10))
    for (let length = 0; length < datagram.length; length++) {
      expect(() => decodeUdp(datagram.subarray(0, length)), `${length} bytes`).to.throw(DecodeError)
    }
  })

  it('refuses a length field that does not even count the header', () => {
    for (let length = 0; length < 8; length++) {
      expect(() => decodeUdp(Uint8Array.of(0, 1, 0, 2, 0, length, 0, 0, 0, 0))).to.throw(DecodeError, 'length field')
    }
  })

  it('leaves out what follows the length that the header states', () => {
    expectBytes(decodeUdp(hex('0001 0002 0009 0000 aa bb cc')).payload, hex('aa'))
  })

  it('gives a datagram or a DecodeError for any bytes', () => {
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 40 }), almostPacket), fc.nat(50), (bytes, offset) => {
        mayOnlyThrowDecodeError(() => decodeUdp(bytes, offset))
        verifyUdpChecksum(bytes, offset)
      }),
      { numRuns: 500 },
    )
  })

  it('cannot be made too large, nor between two IP versions', () => {
    expect(() => encodeUdp(example, new Uint8Array(65528))).to.throw(RangeError)
    expect(() => encodeUdp({ ...example, source: IpAddress.parse('10.0.0.1') }, new Uint8Array(0))).to.throw(RangeError)
    expect(() => encodeUdpPacket({ ...example, source: IpAddress.parse('10.0.0.1') }, new Uint8Array(0))).to.throw(
      RangeError,
    )
  })
})
