import { expect } from 'chai'
import fc from 'fast-check'
import { Writer } from '../../src/bytes/writer.ts'
import { ConnectIpError } from '../../src/connect-ip/errors.ts'
import {
  decodeRouteAdvertisement,
  describeRoute,
  encodeRouteAdvertisement,
  type IpAddressRange,
  routeListProblem,
} from '../../src/connect-ip/route-advertisement.ts'
import { normaliseRoutes } from '../../src/connect-ip/routes.ts'
import { IpAddress } from '../../src/ip/address.ts'
import { AddressRange } from '../../src/ip/range.ts'
import { bytes, unorderedRoutes } from './arbitraries.ts'
import { capsuleValue } from './capsule-value.ts'

function route(start: string, end: string, protocol = 0): IpAddressRange {
  return { range: new AddressRange(IpAddress.parse(start), IpAddress.parse(end)), protocol }
}

/** Encodes without the checks of encodeRouteAdvertisement. */
function rawValue(routes: readonly IpAddressRange[]): Uint8Array {
  const writer = new Writer()
  for (const { range, protocol } of routes) {
    writer.u8(range.version).bytes(range.start.bytes).bytes(range.end.bytes).u8(protocol)
  }
  return writer.finish()
}

function expectAbort(routes: readonly IpAddressRange[], message: RegExp): void {
  expect(() => decodeRouteAdvertisement(rawValue(routes)))
    .to.throw(ConnectIpError, message)
    .with.property('abortReason', 'malformed')
  expect(() => encodeRouteAdvertisement(routes), 'and never sends it').to.throw(RangeError, message)
}

describe('connect-ip/route-advertisement', () => {
  it('CIP-14 encodes the full-tunnel route of RFC 9484 §8.1', () => {
    const capsule = encodeRouteAdvertisement([route('0.0.0.0', '255.255.255.255')])
    expect([...capsule]).to.deep.equal([0x03, 10, 4, 0, 0, 0, 0, 255, 255, 255, 255, 0])
  })

  it('CIP-14 reads an empty list, which withdraws all routes', () => {
    expect(decodeRouteAdvertisement(new Uint8Array(0))).to.deep.equal([])
  })

  it('CIP-14 gives back any list in order', () => {
    fc.assert(
      fc.property(unorderedRoutes, unordered => {
        const routes = normaliseRoutes(unordered)
        const decoded = decodeRouteAdvertisement(capsuleValue(encodeRouteAdvertisement(routes)))
        expect(decoded.map(describeRoute)).to.deep.equal(routes.map(describeRoute))
      }),
      { numRuns: 300 },
    )
  })

  it('CIP-14 aborts when the start of a range is above its end', () => {
    const value = Uint8Array.of(4, 10, 0, 0, 2, 10, 0, 0, 1, 0)
    expect(() => decodeRouteAdvertisement(value)).to.throw(ConnectIpError, 'above the end')
  })

  it('CIP-14 aborts when IPv6 comes before IPv4', () => {
    expectAbort([route('2001:db8::', '2001:db8::1'), route('10.0.0.0', '10.0.0.1')], /order/)
  })

  it('CIP-14 aborts when protocols are not in ascending order', () => {
    expectAbort([route('10.0.0.0', '10.0.0.1', 17), route('10.0.0.5', '10.0.0.6', 6)], /order/)
  })

  it('CIP-14 aborts when ranges are not in ascending order', () => {
    expectAbort([route('10.0.0.5', '10.0.0.6'), route('10.0.0.0', '10.0.0.1')], /order/)
  })

  it('CIP-14 aborts when ranges overlap', () => {
    expectAbort([route('10.0.0.0', '10.0.0.5'), route('10.0.0.5', '10.0.0.6')], /disjoint/)
    expectAbort([route('10.0.0.0', '10.0.0.9'), route('10.0.0.2', '10.0.0.3')], /disjoint/)
    expectAbort([route('10.0.0.0', '10.0.0.9'), route('10.0.0.0', '10.0.0.9')], /disjoint/)
  })

  it('CIP-14 aborts when a route for one protocol overlaps one for all', () => {
    expectAbort([route('10.0.0.0', '10.0.0.9'), route('10.0.0.9', '10.0.0.20', 17)], /any protocol/)
    expectAbort(
      [route('10.0.0.0', '10.0.0.9'), route('10.0.1.0', '10.0.1.9'), route('10.0.0.3', '10.0.0.4', 17)],
      /any protocol/,
    )
  })

  it('CIP-14 accepts the same range for two protocols, and ranges that touch', () => {
    const routes = [
      route('10.0.0.0', '10.0.0.4'),
      route('10.0.0.5', '10.0.0.9'),
      route('10.1.0.0', '10.1.0.9', 6),
      route('10.1.0.0', '10.1.0.9', 17),
      route('2001:db8::', '2001:db8::9'),
    ]
    expect(decodeRouteAdvertisement(rawValue(routes))).to.have.length(5)
  })

  it('CIP-14 judges any list as the rules do, pair by pair', () => {
    fc.assert(
      fc.property(unorderedRoutes, fc.boolean(), (list, ordered) => {
        const routes = ordered
          ? list.sort(
              (a, b) =>
                a.range.version - b.range.version || a.protocol - b.protocol || a.range.start.compare(b.range.start),
            )
          : list
        let isFine = true
        for (const [i, a] of routes.entries()) {
          for (const b of routes.slice(i + 1)) {
            const sameVersion = a.range.version === b.range.version
            if (a.range.version > b.range.version) isFine = false
            if (sameVersion && a.protocol > b.protocol) isFine = false
            if (sameVersion && a.protocol === b.protocol && a.range.end.compare(b.range.start) >= 0) isFine = false
            if ((a.protocol === 0) !== (b.protocol === 0) && a.range.overlaps(b.range)) isFine = false
          }
        }
        expect(routeListProblem(routes) === undefined).to.equal(isFine)
      }),
      { numRuns: 500 },
    )
  })

  it('CIP-15 turns any bytes into a list or a ConnectIpError', () => {
    fc.assert(
      fc.property(bytes, value => {
        try {
          expect(decodeRouteAdvertisement(value)).to.be.an('array')
        } catch (error) {
          expect(error).to.be.instanceOf(ConnectIpError)
        }
      }),
      { numRuns: 500 },
    )
  })

  it('CIP-15 refuses a list that is cut off at any byte inside an entry', () => {
    const one = rawValue([route('2001:db8::', '2001:db8::9')])
    for (let length = 1; length < one.length; length++) {
      expect(() => decodeRouteAdvertisement(one.subarray(0, length))).to.throw(ConnectIpError)
    }
  })

  it('CIP-15 refuses IP versions other than 4 and 6, and bytes after the last entry', () => {
    expect(() => decodeRouteAdvertisement(Uint8Array.of(5, 0, 0, 0, 0, 0, 0, 0, 1, 0))).to.throw(ConnectIpError)
    expect(() => decodeRouteAdvertisement(Uint8Array.of(4, 0, 0, 0, 0, 0, 0, 0, 1, 0, 4))).to.throw(ConnectIpError)
  })

  it('CIP-18 refuses more ranges than the limit', () => {
    const routes = Array.from({ length: 5 }, (_, i) => route(`10.0.${i}.0`, `10.0.${i}.9`))
    expect(() => decodeRouteAdvertisement(rawValue(routes), 4))
      .to.throw(ConnectIpError)
      .with.property('abortReason', 'excessive-load')
  })
})
