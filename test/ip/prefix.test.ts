import { expect } from 'chai'
import fc from 'fast-check'
import { DecodeError } from '../../src/bytes/errors.ts'
import { IpAddress } from '../../src/ip/address.ts'
import { IpPrefix } from '../../src/ip/prefix.ts'
import { addressOf, anyPrefix, anyVersion, mayOnlyThrowDecodeError, prefixOf } from './arbitraries.ts'

/** A prefix and an address that is inside about half of the time. */
const prefixAndAddress = anyVersion.chain(version =>
  fc
    .tuple(prefixOf(version), addressOf(version), fc.boolean())
    .map(([prefix, address, inside]): [IpPrefix, IpAddress] => {
      if (!inside) return [prefix, address]
      const { start, end } = prefix.toRange()
      const size = end.toBigInt() - start.toBigInt() + 1n
      return [prefix, IpAddress.fromBigInt(version, start.toBigInt() + (address.toBigInt() % size))]
    }),
)

/** The definition: the first `length` bits are the same. */
function containsByDefinition(prefix: IpPrefix, address: IpAddress): boolean {
  const hostBits = BigInt(address.bytes.length * 8 - prefix.length)
  return address.toBigInt() >> hostBits === prefix.address.toBigInt() >> hostBits
}

describe('IpPrefix', () => {
  it('brings every prefix back from its text', () => {
    fc.assert(
      fc.property(anyPrefix, prefix => {
        expect(IpPrefix.parse(prefix.toString()).equals(prefix)).to.equal(true)
      }),
    )
  })

  it('reads an address without a length as that address alone', () => {
    expect(IpPrefix.parse('10.0.0.1').toString()).to.equal('10.0.0.1/32')
    expect(IpPrefix.parse('2001:db8::1').toString()).to.equal('2001:db8::1/128')
    expect(IpPrefix.parse('2001:db8::1').isSingle).to.equal(true)
    expect(IpPrefix.parse('10.0.0.0/31').isSingle).to.equal(false)
  })

  it('CIP-15 refuses bits beyond the prefix, and says what could be meant', () => {
    expect(() => IpPrefix.parse('10.89.0.7/24')).to.throw(DecodeError, '10.89.0.0/24 or 10.89.0.7/32')
    expect(() => IpPrefix.parse('2001:db8::1/127')).to.throw(DecodeError)
    expect(() => IpPrefix.parse('0.0.0.1/0')).to.throw(DecodeError)
    fc.assert(
      fc.property(prefixAndAddress, ([prefix, address]) => {
        const build = () => new IpPrefix(address, prefix.length)
        if (IpPrefix.containing(address, prefix.length).address.equals(address)) build()
        else expect(build).to.throw(DecodeError)
      }),
    )
  })

  it('CIP-15 refuses lengths beyond 32 or 128', () => {
    expect(() => new IpPrefix(IpAddress.parse('0.0.0.0'), 33)).to.throw(DecodeError)
    expect(() => new IpPrefix(IpAddress.parse('::'), 129)).to.throw(DecodeError)
    for (const length of [-1, 1.5, Number.NaN]) {
      expect(() => new IpPrefix(IpAddress.parse('::'), length)).to.throw(DecodeError)
    }
  })

  for (const text of [
    '10.0.0.0/',
    '10.0.0.0/08',
    '10.0.0.0/+8',
    '10.0.0.0/8/8',
    '10.0.0.0/255.0.0.0',
    '/8',
    '::/ 8',
    '',
  ]) {
    it(`refuses ${JSON.stringify(text)}`, () => {
      expect(() => IpPrefix.parse(text)).to.throw(DecodeError)
    })
  }

  it('throws nothing but DecodeError on any text', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'0129af:./-'), maxLength: 30 }), text => {
        mayOnlyThrowDecodeError(() => IpPrefix.parse(text))
      }),
      { numRuns: 500 },
    )
  })

  it('contains the addresses that share its bits, and no others', () => {
    fc.assert(
      fc.property(prefixAndAddress, ([prefix, address]) => {
        const expected = containsByDefinition(prefix, address)
        expect(prefix.contains(address)).to.equal(expected)
        expect(prefix.toRange().contains(address)).to.equal(expected)
        const packet = new Uint8Array(40).fill(0x5a)
        packet.set(address.bytes, 7)
        expect(prefix.containsBytes(packet, 7)).to.equal(expected)
      }),
      { numRuns: 500 },
    )
  })

  it('never contains addresses of the other version', () => {
    expect(IpPrefix.all(4).contains(IpAddress.parse('::1'))).to.equal(false)
    expect(IpPrefix.all(6).contains(IpAddress.parse('10.0.0.1'))).to.equal(false)
    expect(IpPrefix.all(4).containsPrefix(IpPrefix.all(6))).to.equal(false)
  })

  it('contains another prefix when it contains its first and its last address', () => {
    const two = anyVersion.chain(version =>
      fc.tuple(prefixOf(version), prefixOf(version), fc.nat(128)).map(([a, b, length]): [IpPrefix, IpPrefix] => {
        // Often b is made from a, so that they are nested.
        if (length > a.address.bytes.length * 8) return [a, b]
        return [a, IpPrefix.containing(a.address, length)]
      }),
    )
    fc.assert(
      fc.property(two, ([a, b]) => {
        const { start, end } = b.toRange()
        expect(a.containsPrefix(b)).to.equal(a.contains(start) && a.contains(end))
      }),
    )
  })

  it('contains everything when it is 0 bits long', () => {
    fc.assert(
      fc.property(prefixAndAddress, ([, address]) => {
        expect(IpPrefix.all(address.version).contains(address)).to.equal(true)
      }),
    )
  })
})
