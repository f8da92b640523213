import { expect } from 'chai'
import fc from 'fast-check'
import { IpAddress } from '../../src/ip/address.ts'
import { AddressPool } from '../../src/ip/address-pool.ts'
import { IpPrefix } from '../../src/ip/prefix.ts'

function pool(prefix: string, options: { reserved?: string[]; leaseLength?: number } = {}): AddressPool {
  const { reserved = [], leaseLength } = options
  return new AddressPool(IpPrefix.parse(prefix), { reserved: reserved.map(IpAddress.parse), leaseLength })
}

function leaseAll(pool: AddressPool): string[] {
  const leases: string[] = []
  for (let lease = pool.lease(); lease !== undefined; lease = pool.lease()) leases.push(lease.toString())
  return leases
}

describe('AddressPool', () => {
  it('leases every address of an IPv4 pool but network, gateway and broadcast', () => {
    const small = pool('10.89.0.0/29')
    expect(small.gateway.toString()).to.equal('10.89.0.1')
    expect(small.total).to.equal(5n)
    expect(leaseAll(small)).to.deep.equal(['10.89.0.2', '10.89.0.3', '10.89.0.4', '10.89.0.5', '10.89.0.6'])
    expect(small.used).to.equal(5)
  })

  it('leases every address of an IPv6 pool but the subnet-router anycast address and the gateway', () => {
    const small = pool('fd00::/125')
    expect(small.gateway.toString()).to.equal('fd00::1')
    expect(leaseAll(small)).to.deep.equal(['fd00::2', 'fd00::3', 'fd00::4', 'fd00::5', 'fd00::6', 'fd00::7'])
  })

  it('never leases what is reserved besides', () => {
    const small = pool('10.89.0.0/29', { reserved: ['10.89.0.3', '10.89.0.1', '192.0.2.1', 'fd00::2'] })
    expect(small.total).to.equal(4n)
    expect(leaseAll(small)).to.deep.equal(['10.89.0.2', '10.89.0.4', '10.89.0.5', '10.89.0.6'])
    expect(small.lease(IpAddress.parse('10.89.0.3'))).to.equal(undefined)
  })

  it('has one address to lease on a point-to-point link, and none when there is only the gateway', () => {
    expect(pool('10.0.0.0/31').gateway.toString()).to.equal('10.0.0.0')
    expect(leaseAll(pool('10.0.0.0/31'))).to.deep.equal(['10.0.0.1'])
    expect(leaseAll(pool('fd00::/127'))).to.deep.equal(['fd00::1'])
    expect(pool('10.0.0.7/32').total).to.equal(0n)
    expect(leaseAll(pool('10.0.0.7/32'))).to.deep.equal([])
    expect(leaseAll(pool('fd00::7/128'))).to.deep.equal([])
  })

  it('CIP-13 says when it is exhausted, so that the request can be refused', () => {
    const small = pool('10.0.0.0/30')
    expect(small.lease()?.toString()).to.equal('10.0.0.2')
    expect(small.lease()).to.equal(undefined)
    expect(small.lease(IpAddress.parse('10.0.0.2'))).to.equal(undefined)
    expect(small.release(IpAddress.parse('10.0.0.2'))).to.equal(true)
    expect(small.lease()?.toString()).to.equal('10.0.0.2')
  })

  it('CIP-13 leases the preferred address when it is free, and another one when it is not', () => {
    const some = pool('10.0.0.0/24')
    const preferred = IpAddress.parse('10.0.0.99')
    expect(some.lease(preferred)?.toString()).to.equal('10.0.0.99')
    expect(some.lease(preferred)?.toString()).to.equal('10.0.0.2')
    expect(some.lease(IpAddress.parse('192.168.0.1'))?.toString(), 'not of this pool').to.equal('10.0.0.3')
    expect(some.lease(IpAddress.parse('fd00::2'))?.toString(), 'of the other version').to.equal('10.0.0.4')
    expect(some.lease(IpAddress.parse('10.0.0.255'))?.toString(), 'reserved').to.equal('10.0.0.5')
  })

  it('CIP-13 leases the preferred address or none when it must be exact', () => {
    const some = pool('10.0.0.0/24')
    const exact = { exact: true }
    expect(some.lease(IpAddress.parse('10.0.0.99'), exact)?.toString()).to.equal('10.0.0.99')
    for (const text of ['10.0.0.99', '10.0.0.1', '192.168.0.1', 'fd00::2']) {
      expect(some.lease(IpAddress.parse(text), exact), text).to.equal(undefined)
    }
    expect(some.used).to.equal(1)
  })

  it('CIP-13 takes the all-zero address for no preference', () => {
    expect(pool('10.0.0.0/24').lease(IpAddress.unspecified(4), { exact: true })?.toString()).to.equal('10.0.0.2')
    expect(pool('0.0.0.0/8').lease(IpAddress.unspecified(4))?.toString()).to.equal('0.0.0.2')
    expect(pool('fd00::/64').lease(IpAddress.unspecified(6))?.toString()).to.equal('fd00::2')
  })

  it('leases an address that was given back last of all', () => {
    const small = pool('10.0.0.0/29')
    const first = small.lease() as IpAddress
    small.release(first)
    expect(leaseAll(small)).to.deep.equal(['10.0.0.3', '10.0.0.4', '10.0.0.5', '10.0.0.6', '10.0.0.2'])
    const preferred = pool('10.0.0.0/29')
    preferred.lease()
    preferred.lease(IpAddress.parse('10.0.0.3'))
    preferred.release(IpAddress.parse('10.0.0.3'))
    expect(leaseAll(preferred)).to.deep.equal(['10.0.0.4', '10.0.0.5', '10.0.0.6', '10.0.0.3'])
  })

  it('takes back nothing that was not leased', () => {
    const small = pool('10.0.0.0/29')
    for (const text of ['10.0.0.2', '10.0.0.1', '192.0.2.1', 'fd00::2']) {
      expect(small.release(IpAddress.parse(text)), text).to.equal(false)
    }
    const lease = small.lease() as IpAddress
    expect([small.isLeased(lease), small.release(lease), small.release(lease)]).to.deep.equal([true, true, false])
    expect(small.isLeased(lease)).to.equal(false)
  })

  it('costs nothing for its size: a /64 is leased from like any other', () => {
    const large = pool('2001:db8::/64')
    expect(large.total).to.equal(2n ** 64n - 2n)
    for (let i = 2; i < 1000; i++) expect(large.lease()?.toString()).to.equal(`2001:db8::${i.toString(16)}`)
    expect(large.lease(IpAddress.parse('2001:db8::ffff:ffff:ffff:ffff'))?.toString()).to.equal(
      '2001:db8::ffff:ffff:ffff:ffff',
    )
    expect(large.used).to.equal(999)
  })

  it('leases whole prefixes when told to, without those that the gateway and the broadcast address are in', () => {
    const blocks = pool('10.0.0.0/24', { leaseLength: 26 })
    expect(blocks.total).to.equal(2n)
    expect(blocks.lease(IpAddress.parse('10.0.0.140'))?.toString(), 'an address inside').to.equal('10.0.0.128')
    expect(leaseAll(blocks)).to.deep.equal(['10.0.0.64'])
    expect(blocks.release(IpAddress.parse('10.0.0.128'))).to.equal(true)
    const sites = pool('2001:db8::/48', { leaseLength: 64 })
    expect(sites.total).to.equal(65535n)
    expect(sites.lease()?.toString()).to.equal('2001:db8:0:1::')
  })

  it('cannot lease prefixes that are longer than addresses or shorter than its own', () => {
    for (const leaseLength of [23, 33, 24.5]) {
      expect(() => pool('10.0.0.0/24', { leaseLength })).to.throw(RangeError, 'expected /24 to /32')
    }
  })

  it('CIP-13 never leases an address twice at once, nor a reserved one, and refuses only when none is free', () => {
    const last = fc.nat(40)
    const step = fc.oneof(
      fc.record({ do: fc.constant('lease' as const) }),
      fc.record({ do: fc.constant('prefer' as const), last, exact: fc.boolean() }),
      fc.record({ do: fc.constant('release' as const), last }),
    )
    const setup = fc.record({ length: fc.integer({ min: 27, max: 32 }), reserved: fc.array(last, { maxLength: 5 }) })
    fc.assert(
      fc.property(setup, fc.array(step, { maxLength: 100 }), ({ length, reserved }, steps) => {
        const at = (last: number) => IpAddress.parse(`10.0.0.${last}`)
        const size = 2 ** (32 - length)
        const free = new Set(Array.from({ length: size }, (_, i) => i))
        for (const one of [...(size > 2 ? [0, 1, size - 1] : [0]), ...reserved]) free.delete(one)
        const tested = new AddressPool(new IpPrefix(at(0), length), { reserved: reserved.map(at) })
        const leased = new Set<number>()
        expect(tested.total).to.equal(BigInt(free.size))

        for (const step of steps) {
          if (step.do === 'release') {
            expect(tested.release(at(step.last))).to.equal(leased.delete(step.last))
          } else {
            const preferred = step.do === 'prefer' ? step : undefined
            const lease = tested.lease(preferred && at(preferred.last), { exact: preferred?.exact })
            const available = [...free].filter(one => !leased.has(one))
            if (preferred !== undefined && available.includes(preferred.last)) {
              expect(lease?.bytes[3]).to.equal(preferred.last)
            } else if (preferred?.exact || available.length === 0) {
              expect(lease).to.equal(undefined)
            } else {
              expect(lease?.bytes[3]).to.be.oneOf(available)
            }
            if (lease !== undefined) leased.add(lease.bytes[3])
          }
          expect(tested.used).to.equal(leased.size)
        }
        for (let i = 0; i < size; i++) expect(tested.isLeased(at(i))).to.equal(leased.has(i))
      }),
      { numRuns: 300 },
    )
  })
})
