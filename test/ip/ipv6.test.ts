import { expect } from 'chai'
import fc from 'fast-check'
import { IpAddress } from '../../src/ip/address.ts'
import {
  encodeIpv6,
  ipv6IsFragment,
  ipv6IsLaterFragment,
  ipv6NextHeader,
  ipv6PayloadLength,
  upperLayer,
  upperLayerOffset,
  upperLayerProtocol,
  validateIpv6,
} from '../../src/ip/ipv6.ts'
import { destinationOf, sourceOf } from '../../src/ip/packet.ts'
import { IpProtocol } from '../../src/ip/protocol.ts'
import { addressOf, almostPacket, expectBytes, payload } from './arbitraries.ts'

const { HOPOPT, IPV6_ROUTE, IPV6_FRAG, AH, ESP, IPV6_OPTS, IPV6_NONXT, UDP, TCP, ICMPV6, MOBILITY } = IpProtocol

const fields = fc.record({
  source: addressOf(6),
  destination: addressOf(6),
  nextHeader: fc.nat(255),
  hopLimit: fc.nat(255),
  flowLabel: fc.nat(0xfffff),
  trafficClass: fc.nat(255),
})

const ends = { source: IpAddress.parse('2001:db8::1'), destination: IpAddress.parse('2001:db8::2') }

interface Extension {
  type: number
  /** In bytes: a multiple of 8. */
  length: number
}

/** A packet with these extension headers, then `protocol` and its payload. */
function chain(extensions: Extension[], protocol: number, upper: Uint8Array = new Uint8Array(8)): Uint8Array {
  const bytes: number[] = []
  extensions.forEach(({ type, length }, i) => {
    const header = new Uint8Array(length)
    header[0] = extensions[i + 1]?.type ?? protocol
    if (type === AH) header[1] = length / 4 - 2
    else if (type !== IPV6_FRAG) header[1] = length / 8 - 1
    bytes.push(...header)
  })
  const nextHeader = extensions[0]?.type ?? protocol
  return encodeIpv6({ ...ends, nextHeader, hopLimit: 64 }, Uint8Array.of(...bytes, ...upper))
}

const extension: fc.Arbitrary<Extension> = fc
  .tuple(fc.constantFrom(IPV6_ROUTE, IPV6_FRAG, AH, IPV6_OPTS, MOBILITY), fc.integer({ min: 1, max: 5 }))
  .map(([type, units]) => ({ type, length: type === IPV6_FRAG ? 8 : units * 8 }))

const upperProtocol = fc.constantFrom<number[]>(TCP, UDP, ICMPV6, ESP, IPV6_NONXT, 253)

describe('IPv6 header', () => {
  it('brings every field back', () => {
    fc.assert(
      fc.property(fields, payload, (fields, payload) => {
        const packet = encodeIpv6(fields, payload)
        expect(validateIpv6(packet)).to.equal(undefined)
        expect({
          source: sourceOf(packet).toString(),
          destination: destinationOf(packet).toString(),
          nextHeader: ipv6NextHeader(packet),
          hopLimit: packet[7],
          flowLabel: ((packet[1] & 0x0f) << 16) | (packet[2] << 8) | packet[3],
          trafficClass: ((packet[0] & 0x0f) << 4) | (packet[1] >> 4),
        }).to.deep.equal({ ...fields, source: String(fields.source), destination: String(fields.destination) })
        expect(ipv6PayloadLength(packet)).to.equal(payload.length)
        expectBytes(packet.subarray(40), payload)
      }),
    )
  })

  it('refuses packets cut short at every byte, longer ones, and other versions', () => {
    const packet = encodeIpv6({ ...ends, nextHeader: UDP, hopLimit: 64 }, new Uint8Array(13))
    for (let length = 0; length < packet.length; length++) {
      expect(validateIpv6(packet.subarray(0, length)), `${length} bytes`).to.be.a('string')
    }
    expect(validateIpv6(Uint8Array.of(...packet, 0))).to.equal(
      'IPv6 payload length differs from the length of the packet',
    )
    packet[0] = 0x45
    expect(validateIpv6(packet)).to.equal('IPv6 version field is not 6')
  })

  it('cannot be made larger than its length field can say, nor with IPv4 addresses', () => {
    const fields = { ...ends, nextHeader: UDP, hopLimit: 64 }
    expect(encodeIpv6(fields, new Uint8Array(65535)).length).to.equal(65575)
    expect(() => encodeIpv6(fields, new Uint8Array(65536))).to.throw(RangeError)
    expect(() => encodeIpv6({ ...fields, source: IpAddress.parse('10.0.0.1') }, new Uint8Array(0))).to.throw(RangeError)
  })
})

describe('IPv6 extension headers', () => {
  it('CIP-28 are walked to the outermost upper-layer protocol', () => {
    fc.assert(
      fc.property(fc.array(extension, { maxLength: 15 }), fc.boolean(), upperProtocol, (list, hopByHop, protocol) => {
        const extensions = hopByHop ? [{ type: HOPOPT, length: 16 }, ...list] : list
        const packet = chain(extensions, protocol)
        const offset = 40 + extensions.reduce((sum, { length }) => sum + length, 0)
        expect(validateIpv6(packet)).to.equal(undefined)
        expect(upperLayerProtocol(packet)).to.equal(protocol)
        expect(upperLayerOffset(packet)).to.equal(offset)
        expect(upperLayer(packet)).to.deep.equal({ protocol, offset })
      }),
    )
  })

  it('CIP-28 stop at ESP, behind which everything is encrypted', () => {
    const packet = chain([{ type: IPV6_OPTS, length: 8 }], ESP)
    expect(upperLayer(packet)).to.deep.equal({ protocol: ESP, offset: 48 })
  })

  it('CIP-28 stop at the outermost of two nested packets', () => {
    const inner = chain([], UDP)
    expect(upperLayerProtocol(chain([{ type: IPV6_ROUTE, length: 24 }], IpProtocol.IPV6, inner))).to.equal(
      IpProtocol.IPV6,
    )
  })

  it('CIP-28 are malformed when the packet ends inside one of them, at every byte', () => {
    const extensions = [
      { type: HOPOPT, length: 16 },
      { type: AH, length: 24 },
      { type: IPV6_OPTS, length: 8 },
    ]
    const packet = chain(extensions, UDP)
    for (let length = 40; length < 40 + 48; length++) {
      const cut = encodeIpv6({ ...ends, nextHeader: HOPOPT, hopLimit: 64 }, packet.subarray(40, length))
      expect(upperLayerProtocol(cut), `${length} bytes`).to.equal(-1)
      expect(upperLayer(cut)).to.equal(undefined)
    }
    expect(upperLayerProtocol(packet.subarray(0, 40 + 48)), 'the chain is whole, the upper layer empty').to.equal(UDP)
    expect(upperLayerProtocol(packet.subarray(0, 39))).to.equal(-1)
  })

  it('CIP-28 are malformed when hop-by-hop options are not the first', () => {
    const packet = chain(
      [
        { type: IPV6_OPTS, length: 8 },
        { type: HOPOPT, length: 8 },
      ],
      UDP,
    )
    expect(upperLayerProtocol(packet)).to.equal(-1)
  })

  it('CIP-28 are malformed when there are more of them than the limit', () => {
    const many = (count: number) => chain(Array(count).fill({ type: IPV6_OPTS, length: 8 }), UDP)
    expect(upperLayerProtocol(many(16))).to.equal(UDP)
    expect(upperLayerProtocol(many(17))).to.equal(-1)
    expect(upperLayerProtocol(many(8000))).to.equal(-1)
  })

  it('CIP-28 of a later fragment end at the fragment header: what follows is not a header', () => {
    const packet = chain([{ type: IPV6_FRAG, length: 8 }], UDP, new Uint8Array(16).fill(0xff))
    expect([ipv6IsLaterFragment(packet), ipv6IsFragment(packet)], 'an atomic fragment').to.deep.equal([false, false])
    packet[43] = 1
    expect([ipv6IsLaterFragment(packet), ipv6IsFragment(packet)], 'the first of several').to.deep.equal([false, true])
    packet[42] = 0x01
    expect([ipv6IsLaterFragment(packet), ipv6IsFragment(packet)], 'a later one').to.deep.equal([true, true])
    expect(upperLayer(packet)).to.deep.equal({ protocol: UDP, offset: 48 })

    const withHiddenChain = chain([{ type: IPV6_FRAG, length: 8 }], IPV6_OPTS, new Uint8Array(16).fill(0xff))
    expect(upperLayerProtocol(withHiddenChain), 'a first fragment with a header cut short').to.equal(-1)
    withHiddenChain[42] = 0x01
    expect(upperLayerProtocol(withHiddenChain), 'a later fragment').to.equal(IPV6_OPTS)
  })

  it('CIP-28 of any bytes give a protocol or -1, and an offset inside the packet', () => {
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 120 }), almostPacket), fc.nat(255), (bytes, type) => {
        if (bytes.length > 6) bytes[6] = [HOPOPT, IPV6_ROUTE, IPV6_FRAG, AH, IPV6_OPTS][type] ?? type
        const protocol = upperLayerProtocol(bytes)
        const upper = upperLayer(bytes)
        ipv6IsFragment(bytes)
        expect(protocol).to.be.within(-1, 255)
        if (protocol === -1) expect(upper).to.equal(undefined)
        else expect(upper?.offset).to.be.within(40, bytes.length)
      }),
      { numRuns: 500 },
    )
  })
})
