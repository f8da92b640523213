import { expect } from 'chai'
import fc from 'fast-check'
import { IpAddress, type IpVersion } from '../../src/ip/address.ts'
import { IpPrefix } from '../../src/ip/prefix.ts'
import { RouteTable } from '../../src/ip/route-table.ts'

/** The definition, slowly: of all prefixes around the address the longest. */
class NaiveTable {
  readonly routes = new Map<string, [IpPrefix, number]>()

  lookup(address: IpAddress): number | undefined {
    let best: [IpPrefix, number] | undefined
    for (const route of this.routes.values()) {
      if (route[0].contains(address) && (best === undefined || route[0].length > best[0].length)) best = route
    }
    return best?.[1]
  }
}

/** Addresses that differ in few bits, at both ends, so that prefixes often nest and share paths. */
const address = fc.tuple(fc.constantFrom<IpVersion[]>(4, 6), fc.nat(15), fc.nat(15)).map(([version, high, low]) => {
  const bits = version === 4 ? 32n : 128n
  return IpAddress.fromBigInt(version, (BigInt(high) << (bits - 4n)) | BigInt(low))
})

const prefix = fc
  .tuple(address, fc.constantFrom(0, 1, 2, 3, 4, 8, 20, 28, 29, 30, 31, 32, 124, 126, 127, 128))
  .map(([address, length]) => IpPrefix.containing(address, Math.min(length, address.bytes.length * 8)))

const change = fc.oneof(
  fc.record({ do: fc.constant('add' as const), prefix, value: fc.nat(5) }),
  fc.record({ do: fc.constant('remove' as const), prefix, value: fc.option(fc.nat(5), { nil: undefined }) }),
)

function table(...routes: [string, string][]): RouteTable<string> {
  const table = new RouteTable<string>()
  for (const [prefix, value] of routes) table.add(IpPrefix.parse(prefix), value)
  return table
}

describe('RouteTable', () => {
  it('finds the value of the longest prefix around an address', () => {
    const routes = table(['0.0.0.0/0', 'default'], ['10.0.0.0/8', 'A'], ['10.1.0.0/24', 'B'], ['10.1.0.7', 'C'])
    const expected = { '192.0.2.1': 'default', '10.9.9.9': 'A', '10.1.1.0': 'A', '10.1.0.6': 'B', '10.1.0.7': 'C' }
    for (const [text, value] of Object.entries(expected)) {
      expect(routes.lookup(IpAddress.parse(text)), text).to.equal(value)
    }
  })

  it('finds nothing where there is no route, and keeps the versions apart', () => {
    const routes = table(['::/0', 'six'])
    expect(routes.lookup(IpAddress.parse('0.0.0.0'))).to.equal(undefined)
    expect(routes.lookup(IpAddress.parse('::'))).to.equal('six')
    expect(table(['10.0.0.0/8', 'A']).lookup(IpAddress.parse('11.0.0.1'))).to.equal(undefined)
    expect(table().lookup(IpAddress.parse('10.0.0.1'))).to.equal(undefined)
  })

  it('finds the value for an address inside a packet', () => {
    const routes = table(['10.0.0.0/8', 'A'], ['2001:db8::/32', 'B'])
    const bytes = new Uint8Array(50)
    bytes.set(IpAddress.parse('10.1.2.3').bytes, 16)
    expect(routes.lookupBytes(4, bytes, 16)).to.equal('A')
    bytes.set(IpAddress.parse('2001:db8::5').bytes, 24)
    expect(routes.lookupBytes(6, bytes, 24)).to.equal('B')
  })

  it('replaces the value of a prefix that is added again', () => {
    const routes = table(['10.0.0.0/8', 'A'], ['10.0.0.0/8', 'B'])
    expect(routes.size).to.equal(1)
    expect(routes.get(IpPrefix.parse('10.0.0.0/8'))).to.equal('B')
  })

  it('does not remove a route that leads to someone else by now', () => {
    const routes = table(['10.0.0.5', 'old client'], ['10.0.0.5', 'new client'])
    expect(routes.remove(IpPrefix.parse('10.0.0.5'), 'old client')).to.equal(false)
    expect(routes.lookup(IpAddress.parse('10.0.0.5'))).to.equal('new client')
    expect(routes.remove(IpPrefix.parse('10.0.0.5'), 'new client')).to.equal(true)
    expect(routes.lookup(IpAddress.parse('10.0.0.5'))).to.equal(undefined)
  })

  it('does not remove what only looks like a route: a fork of the trie, or a prefix around one', () => {
    const routes = table(['10.0.0.1', 'A'], ['10.0.0.2', 'B'])
    expect(routes.remove(IpPrefix.parse('10.0.0.0/30'))).to.equal(false)
    expect(routes.remove(IpPrefix.parse('10.0.0.0/8'))).to.equal(false)
    expect(routes.size).to.equal(2)
  })

  it('agrees with a naive table after any changes, for every address around', () => {
    fc.assert(
      fc.property(fc.array(change, { maxLength: 40 }), fc.array(address, { minLength: 20 }), (changes, addresses) => {
        const routes = new RouteTable<number>()
        const naive = new NaiveTable()
        for (const change of changes) {
          const key = change.prefix.toString()
          if (change.do === 'add') {
            routes.add(change.prefix, change.value)
            naive.routes.set(key, [change.prefix, change.value])
          } else {
            const present = naive.routes.get(key)
            const matches = present !== undefined && (change.value === undefined || present[1] === change.value)
            expect(routes.remove(change.prefix, change.value)).to.equal(matches)
            if (matches) naive.routes.delete(key)
          }
        }
        for (const address of addresses) expect(routes.lookup(address), `${address}`).to.equal(naive.lookup(address))
        expect(routes.size).to.equal(naive.routes.size)
        for (const [prefix, value] of naive.routes.values()) expect(routes.get(prefix)).to.equal(value)
      }),
      { numRuns: 500 },
    )
  })

  it('lists its routes in order: IPv4 first, ascending, wider before narrower', () => {
    fc.assert(
      fc.property(fc.array(prefix), prefixes => {
        const routes = new RouteTable<number>()
        for (const prefix of prefixes) routes.add(prefix, 1)
        const listed = Array.from(routes.entries(), ([prefix]) => prefix)
        const sorted = [...listed].sort((a, b) => a.address.compare(b.address) || a.length - b.length)
        expect(listed.map(String)).to.deep.equal(sorted.map(String))
        expect(new Set(listed.map(String))).to.deep.equal(new Set(prefixes.map(String)))
      }),
    )
  })

  it('is empty after everything that was added is removed', () => {
    fc.assert(
      fc.property(fc.array(prefix), prefixes => {
        const routes = new RouteTable<number>()
        for (const prefix of prefixes) routes.add(prefix, 1)
        for (const prefix of prefixes) routes.remove(prefix)
        expect([...routes.entries()]).to.deep.equal([])
        for (const prefix of prefixes) expect(routes.lookup(prefix.address)).to.equal(undefined)
      }),
    )
  })
})
