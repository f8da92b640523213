import { expect } from 'chai'
import fc from 'fast-check'
import { DecodeError } from '../../src/bytes/errors.ts'
import { IpAddress, type IpVersion } from '../../src/ip/address.ts'
import {
  decodeIcmp,
  type EchoFields,
  type IcmpMessage,
  IcmpType,
  icmpDestinationUnreachable,
  icmpEchoReply,
  icmpEchoReplyTo,
  icmpEchoRequest,
  icmpFragmentationNeeded,
  icmpTimeExceeded,
} from '../../src/ip/icmp.ts'
import {
  decodeIcmpv6,
  Icmpv6Type,
  icmpv6DestinationUnreachable,
  icmpv6EchoReply,
  icmpv6EchoReplyTo,
  icmpv6EchoRequest,
  icmpv6PacketTooBig,
  icmpv6ParameterProblem,
  icmpv6TimeExceeded,
} from '../../src/ip/icmpv6.ts'
import { encodeIpv4 } from '../../src/ip/ipv4.ts'
import { encodeIpv6 } from '../../src/ip/ipv6.ts'
import { destinationOf, hopCountOf, sourceOf, validatePacket } from '../../src/ip/packet.ts'
import { addressOf, almostPacket, expectBytes, hex, mayOnlyThrowDecodeError, payload } from './arbitraries.ts'

interface Family {
  name: string
  version: IpVersion
  headerLength: number
  errorLimit: number
  type: { ECHO_REQUEST: number; ECHO_REPLY: number; DESTINATION_UNREACHABLE: number; TIME_EXCEEDED: number }
  request(fields: EchoFields, data: Uint8Array): Uint8Array
  reply(fields: EchoFields, data: Uint8Array): Uint8Array
  replyTo(request: Uint8Array, source?: IpAddress): Uint8Array
  unreachable(offending: Uint8Array, code: number, source: IpAddress): Uint8Array
  timeExceeded(offending: Uint8Array, code: number, source: IpAddress): Uint8Array
  tooBig(offending: Uint8Array, mtu: number, source: IpAddress): Uint8Array
  decode(packet: Uint8Array): IcmpMessage
}

const families: Family[] = [
  {
    name: 'ICMP',
    version: 4,
    headerLength: 20,
    errorLimit: 576,
    type: IcmpType,
    request: icmpEchoRequest,
    reply: icmpEchoReply,
    replyTo: icmpEchoReplyTo,
    unreachable: icmpDestinationUnreachable,
    timeExceeded: icmpTimeExceeded,
    tooBig: icmpFragmentationNeeded,
    decode: decodeIcmp,
  },
  {
    name: 'ICMPv6',
    version: 6,
    headerLength: 40,
    errorLimit: 1280,
    type: Icmpv6Type,
    request: icmpv6EchoRequest,
    reply: icmpv6EchoReply,
    replyTo: icmpv6EchoReplyTo,
    unreachable: icmpv6DestinationUnreachable,
    timeExceeded: icmpv6TimeExceeded,
    tooBig: icmpv6PacketTooBig,
    decode: decodeIcmpv6,
  },
]

for (const family of families) {
  const { version, type, headerLength } = family
  const echo = fc.record({
    source: addressOf(version),
    destination: addressOf(version),
    id: fc.nat(0xffff),
    seq: fc.nat(0xffff),
    hopCount: fc.nat(255),
  })
  const address = (last: number) => IpAddress.parse(version === 4 ? `10.0.0.${last}` : `2001:db8::${last}`)
  const ends = { source: address(1), destination: address(2) }
  const ipPacket = (length: number) => {
    const payload = new Uint8Array(length - headerLength).map((_, i) => i)
    return version === 4
      ? encodeIpv4({ ...ends, protocol: 6, ttl: 64 }, payload)
      : encodeIpv6({ ...ends, nextHeader: 6, hopLimit: 64 }, payload)
  }

  describe(family.name, () => {
    it('brings every echo request and reply back', () => {
      fc.assert(
        fc.property(echo, payload, fc.boolean(), (fields, data, isRequest) => {
          const packet = isRequest ? family.request(fields, data) : family.reply(fields, data)
          expect(validatePacket(packet)).to.equal(undefined)
          expect(sourceOf(packet).equals(fields.source)).to.equal(true)
          expect(destinationOf(packet).equals(fields.destination)).to.equal(true)
          expect(hopCountOf(packet)).to.equal(fields.hopCount)
          const { data: decoded = new Uint8Array(1), ...rest } = family.decode(packet)
          expectBytes(decoded, data)
          expect(rest).to.deep.equal({
            type: isRequest ? type.ECHO_REQUEST : type.ECHO_REPLY,
            code: 0,
            id: fields.id,
            seq: fields.seq,
          })
        }),
      )
    })

    it('answers an echo request with the addresses swapped and everything else brought back', () => {
      fc.assert(
        fc.property(echo, payload, (fields, data) => {
          const { source, destination } = fields
          const expected = family.reply({ ...fields, source: destination, destination: source, hopCount: 64 }, data)
          expectBytes(family.replyTo(family.request(fields, data)), expected)
        }),
      )
    })

    it('answers an echo request from another address when told to', () => {
      const request = family.request({ ...ends, id: 1, seq: 2 }, hex('0102'))
      expect(sourceOf(family.replyTo(request, address(9))).toString()).to.equal(address(9).toString())
    })

    it('answers nothing but echo requests', () => {
      const reply = family.reply({ ...ends, id: 1, seq: 2 }, hex('0102'))
      expect(() => family.replyTo(reply)).to.throw(DecodeError, 'expected an echo request')
    })

    it('brings errors back, with the offending packet quoted', () => {
      const kinds = fc.constantFrom('unreachable' as const, 'timeExceeded' as const)
      fc.assert(
        fc.property(kinds, fc.nat(15), fc.integer({ min: 60, max: 300 }), (kind, code, length) => {
          fc.pre(code !== 4)
          const offending = ipPacket(length)
          const packet = family[kind](offending, code, address(9))
          expect(validatePacket(packet)).to.equal(undefined)
          expect(sourceOf(packet).toString()).to.equal(address(9).toString())
          expect(destinationOf(packet).toString()).to.equal(ends.source.toString())
          const { quoted, ...rest } = family.decode(packet)
          expectBytes(quoted, offending)
          expect(rest).to.deep.equal({
            type: kind === 'unreachable' ? type.DESTINATION_UNREACHABLE : type.TIME_EXCEEDED,
            code,
          })
        }),
      )
    })

    it('CIP-32 brings the MTU back to the sender of a packet that is too big', () => {
      fc.assert(
        fc.property(fc.integer({ min: 68, max: 0xffff }), mtu => {
          const offending = ipPacket(1400)
          const message = family.decode(family.tooBig(offending, mtu, address(9)))
          expect(message.mtu).to.equal(mtu)
          expect(message.type).to.equal(version === 4 ? 3 : 2)
          expect(message.code).to.equal(version === 4 ? 4 : 0)
          expectBytes(message.quoted, offending.subarray(0, family.errorLimit - headerLength - 8))
        }),
      )
    })

    it(`quotes as much as fits ${family.errorLimit} bytes`, () => {
      const enough = family.errorLimit - headerLength - 8
      for (const length of [headerLength, enough - 1, enough, enough + 1, 1500, 65535]) {
        const packet = family.unreachable(ipPacket(length), 0, address(9))
        expect(packet.length).to.equal(Math.min(family.errorLimit, headerLength + 8 + length))
        expectBytes(family.decode(packet).quoted, ipPacket(length).subarray(0, enough))
      }
    })

    it('refuses a message with any one bit flipped', () => {
      fc.assert(
        fc.property(echo, payload, fc.nat(), (fields, data, position) => {
          const packet = family.request(fields, data)
          const bit = headerLength * 8 + (position % ((packet.length - headerLength) * 8))
          packet[bit >> 3] ^= 1 << (bit & 7)
          expect(() => family.decode(packet)).to.throw(DecodeError, 'checksum wrong')
        }),
      )
    })

    it('refuses packets cut short at every byte, also when the IP header agrees with the cut', () => {
      const whole = family.request({ ...ends, id: 1, seq: 2 }, new Uint8Array(9).fill(7))
      for (let length = 0; length < whole.length; length++) {
        expect(() => family.decode(whole.subarray(0, length)), `${length} bytes`).to.throw(DecodeError)
        if (length < headerLength) continue
        const message = whole.subarray(headerLength, length)
        const packet =
          version === 4
            ? encodeIpv4({ ...ends, protocol: 1, ttl: 64 }, message)
            : encodeIpv6({ ...ends, nextHeader: 58, hopLimit: 64 }, message)
        expect(() => family.decode(packet), `${length} bytes`).to.throw(DecodeError)
      }
    })

    it('refuses packets with another protocol', () => {
      expect(() => family.decode(ipPacket(100))).to.throw(DecodeError, 'the protocol is 6')
    })

    it('gives a message or a DecodeError for any bytes', () => {
      fc.assert(
        fc.property(fc.oneof(fc.uint8Array({ maxLength: 100 }), almostPacket), bytes => {
          mayOnlyThrowDecodeError(() => family.decode(bytes))
          mayOnlyThrowDecodeError(() => family.replyTo(bytes))
        }),
        { numRuns: 500 },
      )
    })

    it('gives a message or a DecodeError for any message in a valid IP packet', () => {
      fc.assert(
        fc.property(fc.uint8Array({ maxLength: 40 }), bytes => {
          const packet =
            version === 4
              ? encodeIpv4({ ...ends, protocol: 1, ttl: 64 }, bytes)
              : encodeIpv6({ ...ends, nextHeader: 58, hopLimit: 64 }, bytes)
          mayOnlyThrowDecodeError(() => family.decode(packet))
        }),
      )
    })
  })
}

describe('ICMP (IPv4 only)', () => {
  const ends = { source: IpAddress.parse('10.0.0.1'), destination: IpAddress.parse('10.0.0.2') }

  it('encodes a known echo request to the byte', () => {
    const packet = icmpEchoRequest({ ...ends, id: 0x0001, seq: 0x0002 }, hex('6162 63'))
    expectBytes(packet.subarray(20), hex('08 00 339a 0001 0002 616263'))
  })

  it('sends errors with IP precedence 6 (RFC 1812 §4.3.2.5)', () => {
    const offending = encodeIpv4({ ...ends, protocol: 17, ttl: 1 }, new Uint8Array(8))
    expect(icmpTimeExceeded(offending, 0, ends.destination)[1] >> 5).to.equal(6)
  })

  it('refuses fragments, whose checksum cannot be verified', () => {
    const message = icmpEchoRequest({ ...ends, id: 1, seq: 2 }, new Uint8Array(0)).subarray(20)
    const packet = encodeIpv4({ ...ends, protocol: 1, ttl: 64, dontFragment: false }, message)
    packet[6] = 0x20
    packet[10] -= 0x20
    expect(() => decodeIcmp(packet)).to.throw(DecodeError, 'fragment')
  })
})

describe('ICMPv6 (IPv6 only)', () => {
  const ends = { source: IpAddress.parse('2001:db8::1'), destination: IpAddress.parse('2001:db8::2') }

  it('is refused when an address changes on the way: the pseudo header is under the checksum', () => {
    const packet = icmpv6EchoRequest({ ...ends, id: 1, seq: 2 }, new Uint8Array(4))
    packet[23] ^= 1
    expect(() => decodeIcmpv6(packet)).to.throw(DecodeError, 'ICMPv6 checksum wrong')
  })

  it('CIP-28 is found behind extension headers', () => {
    const plain = icmpv6EchoRequest({ ...ends, id: 5, seq: 6 }, new Uint8Array(4))
    const options = hex('3a00 0104 00000000')
    const packet = encodeIpv6(
      { ...ends, nextHeader: 60, hopLimit: 64 },
      Uint8Array.of(...options, ...plain.subarray(40)),
    )
    expect(decodeIcmpv6(packet)).to.include({ type: 128, id: 5, seq: 6 })
  })

  it('CIP-33 fills the minimum MTU with 1232 bytes of echo data', () => {
    expect(icmpv6EchoRequest({ ...ends, id: 1, seq: 1 }, new Uint8Array(1232)).length).to.equal(1280)
  })

  it('brings the pointer of a parameter problem back', () => {
    const offending = encodeIpv6({ ...ends, nextHeader: 200, hopLimit: 64 }, new Uint8Array(4))
    const message = decodeIcmpv6(icmpv6ParameterProblem(offending, 1, 6, ends.destination))
    expect(message).to.include({ type: 4, code: 1, pointer: 6 })
  })
})
