import { expect } from 'chai'
import fc from 'fast-check'
import { DecodeError } from '../../src/bytes/errors.ts'
import { IpAddress, type IpVersion } from '../../src/ip/address.ts'
import { AddressRange } from '../../src/ip/range.ts'
import { addressOf, anyVersion, rangeOf } from './arbitraries.ts'

function range(start: string, end: string): AddressRange {
  return new AddressRange(IpAddress.parse(start), IpAddress.parse(end))
}

/** Few addresses, so that ranges often touch, nest and coincide. */
const smallRange = (version: IpVersion) =>
  fc.tuple(fc.nat(30), fc.nat(30)).map(([a, b]) => {
    const at = (offset: number) => IpAddress.fromBigInt(version, (1n << 31n) - 15n + BigInt(offset))
    return new AddressRange(at(Math.min(a, b)), at(Math.max(a, b)))
  })

describe('AddressRange', () => {
  it('CIP-14 refuses a start above the end, and ends of two versions', () => {
    expect(() => range('10.0.0.2', '10.0.0.1')).to.throw(DecodeError, 'not to be above')
    expect(() => range('10.0.0.1', '::1')).to.throw(DecodeError, 'same IP version')
    expect(range('::1', '::1').toString()).to.equal('::1')
    expect(range('10.0.0.1', '10.0.0.9').toString()).to.equal('10.0.0.1-10.0.0.9')
  })

  it('contains what lies between its ends, both included', () => {
    const cases = anyVersion.chain(version => fc.tuple(rangeOf(version), addressOf(version)))
    fc.assert(
      fc.property(cases, ([range, address]) => {
        const value = address.toBigInt()
        const expected = range.start.toBigInt() <= value && value <= range.end.toBigInt()
        expect(range.contains(address)).to.equal(expected)
        const packet = new Uint8Array(40).fill(0xff)
        packet.set(address.bytes, 24)
        expect(range.containsBytes(packet, 24)).to.equal(expected)
        expect(range.contains(range.start) && range.contains(range.end)).to.equal(true)
      }),
    )
    expect(range('0.0.0.0', '255.255.255.255').contains(IpAddress.parse('::1'))).to.equal(false)
  })

  it('overlaps another exactly when they share an address, and intersects in those', () => {
    const two = fc.tuple(anyVersion, anyVersion).chain(([v, w]) => fc.tuple(smallRange(v), smallRange(w)))
    fc.assert(
      fc.property(two, ([a, b]) => {
        const shared: string[] = []
        for (let value = a.start.toBigInt(); value <= a.end.toBigInt(); value++) {
          const address = IpAddress.fromBigInt(a.version, value)
          if (b.contains(address)) shared.push(address.toString())
        }
        expect(a.overlaps(b)).to.equal(shared.length > 0)
        expect(b.overlaps(a)).to.equal(shared.length > 0)
        const both = a.intersect(b)
        expect(both && [both.start.toString(), both.end.toString()]).to.deep.equal(
          shared.length === 0 ? undefined : [shared[0], shared.at(-1)],
        )
      }),
      { numRuns: 300 },
    )
  })
})
