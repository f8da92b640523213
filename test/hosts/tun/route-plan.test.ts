import { expect } from 'chai'
import fc from 'fast-check'
import { MAX_ROUTES, type Outside, planRoutes } from '../../../src/hosts/tun/route-plan.ts'
import { IpAddress, type IpVersion } from '../../../src/ip/address.ts'
import { IpPrefix } from '../../../src/ip/prefix.ts'
import { AddressRange } from '../../../src/ip/range.ts'

const prefix = (text: string): IpPrefix => IpPrefix.parse(text)
const outside = (address: string, network?: string): Outside => ({
  address: IpAddress.parse(address),
  network: network === undefined ? undefined : prefix(network),
})
const plan = (ranges: string[], ...holes: Outside[]): string[] =>
  planRoutes(
    ranges.map(text => prefix(text).toRange()),
    holes,
  ).routes.map(String)
const covers = (routes: readonly string[], address: string): string | undefined =>
  routes.find(route => prefix(route).contains(IpAddress.parse(address)))

describe('the routes of a TUN device', () => {
  it('are what was advertised, in the fewest prefixes', () => {
    expect(plan(['10.90.0.0/24', '10.90.1.0/24', 'fd00:90::/64'])).to.deep.equal(['10.90.0.0/23', 'fd00:90::/64'])
  })

  it('are never a default route, which the one that the system has would win against', () => {
    expect(plan(['::/0'])).to.deep.equal(['::/1', '8000::/1'])
    expect(plan(['0.0.0.0/0']).some(route => route.endsWith('/0'))).to.equal(false)
  })

  it('never lead to the proxy, and lead everywhere else', () => {
    const routes = plan(['0.0.0.0/0'], outside('192.0.2.1'))
    expect(covers(routes, '192.0.2.1')).to.equal(undefined)
    for (const other of ['192.0.2.0', '192.0.2.2', '1.1.1.1', '255.0.0.1'])
      expect(covers(routes, other)).to.be.a('string')
  })

  it('leave the local network outside in which the proxy is', () => {
    const routes = plan(['0.0.0.0/0'], outside('192.168.1.1', '192.168.1.0/24'))
    expect(covers(routes, '192.168.1.77')).to.equal(undefined)
    expect(covers(routes, '192.168.2.1')).to.be.a('string')
  })

  it('do not lose a network that is only a part of the local one', () => {
    expect(plan(['10.90.0.0/24'], outside('10.0.0.5', '10.0.0.0/8'))).to.deep.equal(['10.90.0.0/24'])
    expect(covers(plan(['10.0.0.0/24'], outside('10.0.0.5', '10.0.0.0/8')), '10.0.0.6')).to.be.a('string')
  })

  it('never take multicast, loopback and link-local addresses', () => {
    const ranges = ['127.0.0.0/8', '169.254.0.0/16', '224.0.0.0/4', 'ff00::/8', 'fe80::/64', '::1/128']
    expect(plan(ranges)).to.deep.equal([])
    expect(covers(plan(['0.0.0.0/0']), '224.0.0.251')).to.equal(undefined)
  })

  it('are bounded, whatever the proxy advertises', () => {
    const single = (n: bigint) => {
      const address = IpAddress.fromBigInt(4, n)
      return new AddressRange(address, address)
    }
    const ranges = Array.from({ length: 5000 }, (_, i) => single(0x0a000000n + BigInt(2 * i)))
    const { routes, isCut } = planRoutes(ranges, [])
    expect(isCut).to.equal(true)
    expect(routes).to.have.length(MAX_ROUTES)
  })

  it('cover exactly what was advertised without what is outside, and a longer route of the system always wins', () => {
    const address = (version: IpVersion) =>
      fc.bigInt(0n, version === 4 ? 0xffff_ffffn : (1n << 128n) - 1n).map(n => IpAddress.fromBigInt(version, n))
    const scenario = fc.constantFrom<IpVersion>(4, 6).chain(version =>
      fc.record({
        ends: fc.tuple(address(version), address(version)),
        proxy: address(version),
        probe: address(version),
        length: fc.integer({ min: 1, max: version === 4 ? 32 : 128 }),
      }),
    )
    fc.assert(
      fc.property(scenario, ({ ends, proxy, probe, length }) => {
        const [start, end] = ends[0].compare(ends[1]) <= 0 ? ends : [ends[1], ends[0]]
        const range = new AddressRange(start, end)
        const { routes, isCut } = planRoutes([range], [{ address: proxy, network: undefined }])
        expect(isCut).to.equal(false)
        const has = (wanted: IpAddress): boolean => routes.some(route => route.contains(wanted))
        expect(has(proxy)).to.equal(false)
        const isOnLink = probe.isMulticast || probe.isLoopback || probe.isLinkLocal || probe.bytes[0] === 0
        if (!isOnLink && !probe.isBroadcast) expect(has(probe)).to.equal(range.contains(probe) && !probe.equals(proxy))
        // A local network inside of the range without the proxy: no route of ours is more specific than its own.
        const local = IpPrefix.containing(probe, length)
        const isInside = range.contains(local.toRange().start) && range.contains(local.toRange().end)
        // One so large that multicast is in it has a hole, too; there is none.
        if (!isInside || local.contains(proxy) || local.contains(IpAddress.parse('224.0.0.0'))) return
        for (const route of routes) if (local.containsPrefix(route)) expect(route.length).to.be.at.most(local.length)
      }),
      { numRuns: 500 },
    )
  })
})
