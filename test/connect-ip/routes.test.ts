import { expect } from 'chai'
import fc from 'fast-check'
import { RangeSet } from '../../src/connect-ip/range-set.ts'
import { describeRoute, type IpAddressRange, routeListProblem } from '../../src/connect-ip/route-advertisement.ts'
import { RouteSet } from '../../src/connect-ip/route-set.ts'
import { normaliseRoutes, scopeRoutes } from '../../src/connect-ip/routes.ts'
import { parseScope } from '../../src/connect-ip/scope.ts'
import { IpAddress } from '../../src/ip/address.ts'
import { IpPrefix } from '../../src/ip/prefix.ts'
import { addressOf, closeAddressOf, prefix, rangeOf, unorderedRoutes, version } from './arbitraries.ts'

function routesOf(...texts: [prefix: string, protocol?: number][]): IpAddressRange[] {
  return texts.map(([prefix, protocol = 0]) => ({ range: IpPrefix.parse(prefix).toRange(), protocol }))
}

/** May a packet of this protocol go to this address, by this list? */
function allows(routes: readonly IpAddressRange[], address: IpAddress, protocol: number): boolean {
  return routes.some(r => r.range.contains(address) && (r.protocol === 0 || r.protocol === protocol))
}

const anyAddress = version.chain(v => closeAddressOf(v))

describe('connect-ip/routes', () => {
  it('CIP-14 makes a list that may be sent out of any list', () => {
    fc.assert(
      fc.property(unorderedRoutes, routes => {
        expect(routeListProblem(normaliseRoutes(routes))).to.equal(undefined)
      }),
      { numRuns: 300 },
    )
  })

  it('CIP-14 changes nothing about what may go where', () => {
    fc.assert(
      fc.property(unorderedRoutes, anyAddress, fc.constantFrom(6, 17, 132), (routes, address, protocol) => {
        expect(allows(normaliseRoutes(routes), address, protocol)).to.equal(allows(routes, address, protocol))
      }),
      { numRuns: 500 },
    )
  })

  it('CIP-14 merges ranges that touch and cuts out what a route for any protocol covers', () => {
    const routes = routesOf(['2001:db8::/64'], ['10.0.1.0/24'], ['10.0.0.0/24'], ['10.0.0.0/22', 17], ['10.0.0.9', 6])
    expect(normaliseRoutes(routes).map(describeRoute)).to.deep.equal([
      '10.0.0.0-10.0.1.255',
      '10.0.2.0-10.0.3.255 (protocol 17)',
      '2001:db8::-2001:db8::ffff:ffff:ffff:ffff',
    ])
  })

  it('CIP-14 manages the ends of the address space', () => {
    expect(
      normaliseRoutes(routesOf(['0.0.0.0/0'], ['255.255.255.255', 17], ['::/0', 6], ['::/0'])).map(describeRoute),
    ).to.deep.equal(['0.0.0.0-255.255.255.255', '::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff'])
  })

  it('CIP-27 advertises only what is inside the target prefix', () => {
    const policy = routesOf(['10.0.0.0/8'], ['192.168.0.0/16'], ['2001:db8::/32'])
    const routes = scopeRoutes(parseScope({ target: '10.1.0.0/16' }), [], policy)
    expect(routes.map(describeRoute)).to.deep.equal(['10.1.0.0-10.1.255.255'])
    expect(scopeRoutes(parseScope({ target: '172.16.0.1' }), [], policy)).to.deep.equal([])
  })

  it('CIP-27 advertises the resolved addresses of a DNS name, as far as the policy reaches', () => {
    const resolved = ['198.51.100.2', '203.0.113.1', '2001:db8:3456::b'].map(text => IpAddress.parse(text))
    const policy = routesOf(['198.51.100.0/24'], ['2001:db8::/32'])
    const scope = parseScope({ target: 'target.example.com', ipproto: '17' })
    expect(scopeRoutes(scope, resolved, policy).map(describeRoute)).to.deep.equal([
      '198.51.100.2 (protocol 17)',
      '2001:db8:3456::b (protocol 17)',
    ])
  })

  it('CIP-27 advertises only the protocol of the scope', () => {
    const policy = routesOf(['10.0.0.0/24'], ['10.0.1.0/24', 17], ['10.0.2.0/24', 6])
    expect(scopeRoutes(parseScope({ ipproto: '17' }), [], policy).map(describeRoute)).to.deep.equal([
      '10.0.0.0-10.0.1.255 (protocol 17)',
    ])
    expect(scopeRoutes(parseScope({}), [], policy)).to.have.length(3)
  })

  it('CIP-27 advertises the intersection of policy and scope, for any of both', () => {
    fc.assert(
      fc.property(
        unorderedRoutes,
        anyAddress,
        anyAddress,
        fc.constantFrom(undefined, 6, 17),
        fc.constantFrom(6, 17, 132),
        (policy, target, address, scopeProtocol, protocol) => {
          const scope = {
            target: { kind: 'prefix', prefix: IpPrefix.single(target) },
            protocol: scopeProtocol,
          } as const
          const expected =
            allows(policy, address, protocol) &&
            address.equals(target) &&
            (scopeProtocol === undefined || scopeProtocol === protocol)
          const routes = scopeRoutes(scope, [], policy)
          expect(allows(routes, address, protocol)).to.equal(expected)
          expect(routeListProblem(routes)).to.equal(undefined)
        },
      ),
      { numRuns: 500 },
    )
  })

  it('finds an address in a set of ranges exactly when it is in one of them', () => {
    const input = version.chain(v =>
      fc.tuple(
        fc.constant(v),
        fc.array(fc.oneof(rangeOf(v), rangeOf(v, addressOf)), { maxLength: 10 }),
        fc.oneof(closeAddressOf(v), addressOf(v)),
      ),
    )
    fc.assert(
      fc.property(input, fc.integer({ min: 0, max: 9 }), ([v, ranges, address], offset) => {
        const packet = new Uint8Array(30)
        packet.set(address.bytes, offset)
        const expected = ranges.some(range => range.contains(address))
        expect(new RangeSet(v, ranges).containsBytes(packet, offset)).to.equal(expected)
      }),
      { numRuns: 500 },
    )
  })

  it('CIP-27 matches destination and protocol as the list of routes says, with ICMP wherever there is a route', () => {
    fc.assert(
      fc.property(unorderedRoutes, anyAddress, fc.constantFrom(1, 6, 17, 58, 132), (routes, address, protocol) => {
        const reachable = routes.some(r => r.range.contains(address))
        const isIcmp = protocol === (address.version === 4 ? 1 : 58)
        const allowed = allows(routes, address, protocol) || (isIcmp && reachable)
        const expected = allowed ? 'yes' : reachable ? 'other-protocol' : 'no'
        const set = new RouteSet(address.version, routes)
        expect(set.match(address.bytes, 0, protocol)).to.equal(expected)
        expect(set.covers(address.bytes, 0)).to.equal(reachable)
      }),
      { numRuns: 500 },
    )
  })

  it('CIP-14 AT-29 looks at each route of a list once, however many protocols there are', () => {
    let looks = 0
    const routes = routesOf(...Array.from({ length: 1024 }, (_, i): [string, number] => ['192.0.2.0/24', i % 256]))
    const watched = routes.map(({ range, protocol }) => ({
      range,
      get protocol() {
        looks++
        return protocol
      },
    }))
    const set = new RouteSet(4, watched)
    expect(looks).to.be.at.most(2 * routes.length)
    expect(set.match(IpAddress.parse('192.0.2.1').bytes, 0, 255)).to.equal('yes')
  })

  it('CIP-27 a scope makes no more routes than the policy has, except that of a name', () => {
    const scopes = fc.record({
      target: fc.oneof(fc.constant(undefined), prefix),
      protocol: fc.constantFrom('*', '6', '17', '58'),
    })
    fc.assert(
      fc.property(unorderedRoutes, scopes, (routes, { target, protocol }) => {
        const policy = normaliseRoutes(routes)
        const scope = parseScope({ target: target === undefined ? '*' : String(target), ipproto: protocol })
        expect(scopeRoutes(scope, [], policy).length).to.be.at.most(policy.length)
      }),
      { numRuns: 200 },
    )
  })
})
