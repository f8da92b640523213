import { expect } from 'chai'
import fc from 'fast-check'
import { IpAddress } from '../../src/ip/address.ts'
import { fragmentIpv4, mayFragment } from '../../src/ip/fragment.ts'
import {
  encodeIpv4,
  ipv4DontFragment,
  ipv4FragmentOffset,
  ipv4HeaderLength,
  ipv4MoreFragments,
  validateIpv4,
} from '../../src/ip/ipv4.ts'
import { packet, withOptions } from '../connect-ip/packets.ts'

/** What a receiver puts together: the header of the first piece, and all data in its place (RFC 791 §3.2). */
function reassemble(pieces: readonly Uint8Array[]): { header: Uint8Array; data: Uint8Array } {
  const first = pieces.find(piece => ipv4FragmentOffset(piece) === 0) as Uint8Array
  const last = pieces.find(piece => !ipv4MoreFragments(piece)) as Uint8Array
  const data = new Uint8Array(ipv4FragmentOffset(last) + last.length - ipv4HeaderLength(last))
  for (const piece of pieces) data.set(piece.subarray(ipv4HeaderLength(piece)), ipv4FragmentOffset(piece))
  return { header: first.subarray(0, ipv4HeaderLength(first)), data }
}

const [source, destination] = [IpAddress.parse('192.0.2.1'), IpAddress.parse('192.0.2.2')]

/** No option, an option that is copied (security, 130), one that is not (record route, 7), and both. */
const OPTIONS = [
  [],
  [130, 3, 9, 0],
  [7, 7, 4, 0, 0, 0, 0, 0],
  [1, 7, 3, 4, 130, 4, 8, 9],
  [7, 3, 4, 1, 136, 4, 1, 2, 148, 4, 0, 0],
]

const unfragmented = fc.record({
  data: fc.uint8Array({ minLength: 1, maxLength: 3000 }),
  options: fc.constantFrom(...OPTIONS),
  identification: fc.nat(0xffff),
  ttl: fc.integer({ min: 1, max: 255 }),
})

function make({ data, options, identification, ttl }: typeof unfragmented extends fc.Arbitrary<infer T> ? T : never) {
  const fields = { source, destination, protocol: 17, ttl, identification, dontFragment: false }
  return withOptions(encodeIpv4(fields, data), options)
}

describe('fragmentation', () => {
  it('CIP-32 makes valid pieces that fit, and that put together are the packet', () => {
    fc.assert(
      fc.property(unfragmented, fc.integer({ min: 68, max: 1500 }), (fields, mtu) => {
        const whole = make(fields)
        const pieces = fragmentIpv4(whole, mtu)
        for (const piece of pieces) {
          expect(validateIpv4(piece)).to.equal(undefined)
          expect(piece.length).to.be.at.most(mtu)
          expect((piece[4] << 8) | piece[5]).to.equal(fields.identification)
          expect(piece[8]).to.equal(fields.ttl)
          expect(ipv4DontFragment(piece)).to.equal(false)
          if (ipv4MoreFragments(piece)) expect((piece.length - ipv4HeaderLength(piece)) % 8).to.equal(0)
        }
        expect(pieces.map(ipv4MoreFragments)).to.deep.equal(pieces.map((_, i) => i < pieces.length - 1))
        const { header, data } = reassemble(pieces)
        expect(data).to.deep.equal(fields.data)
        expect(header.subarray(20)).to.deep.equal(whole.subarray(20, ipv4HeaderLength(whole)))
      }),
    )
  })

  it('CIP-32 makes pieces of pieces, on one narrow link after the other', () => {
    fc.assert(
      fc.property(unfragmented, fc.array(fc.integer({ min: 68, max: 600 }), { maxLength: 3 }), (fields, links) => {
        let pieces = fragmentIpv4(make(fields), 1500)
        for (const mtu of links)
          pieces = pieces.flatMap(piece => (piece.length > mtu ? fragmentIpv4(piece, mtu) : [piece]))
        expect(reassemble(pieces).data).to.deep.equal(fields.data)
        expect(pieces.filter(piece => !ipv4MoreFragments(piece)).length).to.equal(1)
      }),
    )
  })

  it('CIP-32 copies the options whose type asks for it into every piece, and the others into the first only', () => {
    const whole = make({ data: new Uint8Array(100), options: [1, 7, 3, 4, 130, 4, 8, 9], identification: 1, ttl: 9 })
    const [first, ...later] = fragmentIpv4(whole, 68)
    expect([...first.subarray(20, ipv4HeaderLength(first))]).to.deep.equal([1, 7, 3, 4, 130, 4, 8, 9])
    expect(later.length).to.equal(2)
    for (const piece of later) expect([...piece.subarray(20, ipv4HeaderLength(piece))]).to.deep.equal([130, 4, 8, 9])
  })

  it('CIP-32 is for IPv4 packets whose sender allows it, on links as wide as a link must be', () => {
    const allowed = make({ data: new Uint8Array(100), options: [], identification: 1, ttl: 9 })
    expect(mayFragment(allowed)).to.equal(true)
    expect(mayFragment(packet('192.0.2.1', '192.0.2.2'))).to.equal(false)
    expect(mayFragment(packet('2001:db8::1', '2001:db8::2'))).to.equal(false)
    expect(fragmentIpv4(allowed, 68).length).to.equal(3)
    expect(fragmentIpv4(allowed, 67)).to.deep.equal([])
  })
})
