import { expect } from 'chai'
import fc from 'fast-check'
import { IpAddress } from '../../src/ip/address.ts'
import { internetChecksum } from '../../src/ip/checksum.ts'
import {
  encodeIpv4,
  ipv4Checksum,
  ipv4DontFragment,
  ipv4FragmentOffset,
  ipv4HeaderLength,
  ipv4IsFragment,
  ipv4MoreFragments,
  ipv4Protocol,
  ipv4TotalLength,
  validateIpv4,
} from '../../src/ip/ipv4.ts'
import { destinationOf, sourceOf } from '../../src/ip/packet.ts'
import { addressOf, almostPacket, expectBytes, hex, payload } from './arbitraries.ts'

const fields = fc.record({
  source: addressOf(4),
  destination: addressOf(4),
  protocol: fc.nat(255),
  ttl: fc.nat(255),
  identification: fc.nat(0xffff),
  dontFragment: fc.boolean(),
  dscp: fc.nat(63),
})

const example = {
  source: IpAddress.parse('10.0.0.1'),
  destination: IpAddress.parse('10.0.0.2'),
  protocol: 17,
  ttl: 64,
}

describe('IPv4 header', () => {
  it('encodes a known header to the byte', () => {
    // The worked example of many textbooks: the checksum comes out as b861.
    const packet = encodeIpv4(
      { source: IpAddress.parse('192.168.0.1'), destination: IpAddress.parse('192.168.0.199'), protocol: 17, ttl: 64 },
      new Uint8Array(0x73 - 20),
    )
    expectBytes(packet.subarray(0, 20), hex('4500 0073 0000 4000 4011 b861 c0a8 0001 c0a8 00c7'))
  })

  it('brings every field back', () => {
    fc.assert(
      fc.property(fields, payload, (fields, payload) => {
        const packet = encodeIpv4(fields, payload)
        expect(validateIpv4(packet)).to.equal(undefined)
        expect({
          source: sourceOf(packet).toString(),
          destination: destinationOf(packet).toString(),
          protocol: ipv4Protocol(packet),
          ttl: packet[8],
          identification: (packet[4] << 8) | packet[5],
          dontFragment: ipv4DontFragment(packet),
          dscp: packet[1] >> 2,
        }).to.deep.equal({ ...fields, source: String(fields.source), destination: String(fields.destination) })
        expect(ipv4TotalLength(packet)).to.equal(packet.length)
        expect(ipv4IsFragment(packet)).to.equal(false)
        expectBytes(packet.subarray(ipv4HeaderLength(packet)), payload)
      }),
    )
  })

  it('refuses packets cut short at every byte, and packets with something after their end', () => {
    const packet = encodeIpv4(example, new Uint8Array(13))
    for (let length = 0; length < packet.length; length++) {
      expect(validateIpv4(packet.subarray(0, length)), `${length} bytes`).to.be.a('string')
    }
    expect(validateIpv4(Uint8Array.of(...packet, 0))).to.equal(
      'IPv4 total length differs from the length of the packet',
    )
  })

  it('CIP-30 refuses a header with any one bit flipped', () => {
    fc.assert(
      fc.property(fields, fc.nat(159), (fields, bit) => {
        const packet = encodeIpv4(fields, new Uint8Array(4))
        packet[bit >> 3] ^= 1 << (bit & 7)
        expect(validateIpv4(packet)).to.be.a('string')
      }),
    )
  })

  it('CIP-30 names a wrong header checksum', () => {
    const packet = encodeIpv4(example, new Uint8Array(4))
    packet[8]--
    expect(validateIpv4(packet)).to.equal('IPv4 header checksum wrong')
  })

  it('CIP-30 refuses other versions and impossible header lengths', () => {
    const packet = encodeIpv4(example, new Uint8Array(4))
    packet[0] = 0x65
    expect(validateIpv4(packet)).to.equal('IPv4 version field is not 4')
    packet[0] = 0x44
    expect(validateIpv4(packet)).to.equal('IPv4 header length below 20 bytes')
    packet[0] = 0x4f
    expect(validateIpv4(packet)).to.equal('IPv4 packet shorter than its header')
  })

  it('accepts options, and counts them as header', () => {
    // Four "no operation" options.
    const packet = hex('46000018 00000000 40fd0000 0a000001 0a000002 01010101')
    const checksum = internetChecksum(packet, 0, 24)
    packet.set([checksum >> 8, checksum & 0xff], 10)
    expect(validateIpv4(packet)).to.equal(undefined)
    expect(ipv4HeaderLength(packet)).to.equal(24)
    expect(ipv4Checksum(packet)).to.equal(checksum)
    packet[23]++
    expect(validateIpv4(packet), 'the options are under the checksum').to.equal('IPv4 header checksum wrong')
  })

  it('knows fragments by their offset, in bytes, and by the flag', () => {
    const packet = encodeIpv4({ ...example, dontFragment: false }, new Uint8Array(8))
    packet[6] = 0x20
    expect([ipv4MoreFragments(packet), ipv4FragmentOffset(packet), ipv4IsFragment(packet)]).to.deep.equal([
      true,
      0,
      true,
    ])
    packet[6] = 0
    packet[7] = 185
    expect([ipv4MoreFragments(packet), ipv4FragmentOffset(packet), ipv4IsFragment(packet)]).to.deep.equal([
      false,
      1480,
      true,
    ])
  })

  it('says something about any bytes, and throws nothing', () => {
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 70 }), almostPacket), bytes => {
        expect(validateIpv4(bytes)).to.satisfy((it: unknown) => it === undefined || typeof it === 'string')
      }),
      { numRuns: 500 },
    )
  })

  it('cannot be made larger than its length field can say, nor with IPv6 addresses', () => {
    expect(encodeIpv4(example, new Uint8Array(65515)).length).to.equal(65535)
    expect(() => encodeIpv4(example, new Uint8Array(65516))).to.throw(RangeError)
    expect(() => encodeIpv4({ ...example, source: IpAddress.parse('::1') }, new Uint8Array(0))).to.throw(RangeError)
  })
})
