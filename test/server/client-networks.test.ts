import { expect } from 'chai'
import { IpAddress } from '../../src/ip/address.ts'
import { IpPrefix } from '../../src/ip/prefix.ts'
import { AddressRange } from '../../src/ip/range.ts'
import { ClientNetworks } from '../../src/server/client-networks.ts'

const networks = (...prefixes: string[]) => prefixes.map(text => IpPrefix.parse(text).toRange())

/** `count` ranges that no two prefixes are, from a place of their own. */
function oddRanges(place: number, count: number): AddressRange[] {
  const base = (0xfd00n << 112n) | (BigInt(place) << 64n)
  const at = (offset: bigint) => IpAddress.fromBigInt(6, base + offset)
  return Array.from(
    { length: count },
    (_, i) => new AddressRange(at(BigInt(i) * 1000n + 1n), at(BigInt(i) * 1000n + 998n)),
  )
}

const holder = (table: ClientNetworks<string>, address: string) => {
  const { version, bytes } = IpAddress.parse(address)
  return table.lookupBytes(version, bytes, 0)
}

describe('networks behind clients', () => {
  it('AT-06 belong to who offered them first; the next one gets them when that one goes', () => {
    const table = new ClientNetworks<string>()
    for (const name of ['a', 'b', 'c']) table.offer(name, undefined, networks('192.168.7.0/24'))
    expect(holder(table, '192.168.7.1')).to.equal('a')
    table.withdraw('a')
    expect(holder(table, '192.168.7.1')).to.equal('b')
    table.offer('b', undefined, networks('192.168.8.0/24'))
    expect(holder(table, '192.168.7.1')).to.equal('c')
    table.withdraw('c')
    expect(holder(table, '192.168.7.1')).to.equal(undefined)
    expect(holder(table, '192.168.8.1')).to.equal('b')
  })

  it('AT-06 a longer prefix inside another’s network draws nothing out of it', () => {
    const table = new ClientNetworks<string>()
    table.offer('a', undefined, networks('192.168.0.0/16'))
    table.offer('b', undefined, networks('192.168.7.0/24', '192.168.7.7', '172.16.0.0/12'))
    expect(holder(table, '192.168.7.7')).to.equal('a')
    expect(holder(table, '172.16.0.1')).to.equal('b')
    // The other way round: who is there first with the smaller one keeps that.
    table.offer('c', undefined, networks('172.0.0.0/8'))
    expect([holder(table, '172.16.0.1'), holder(table, '172.1.0.1')]).to.deep.equal(['b', 'c'])
  })

  it('AT-06 stay with who changes its offer, as far as the new one still covers them', () => {
    const table = new ClientNetworks<string>()
    table.offer('a', undefined, networks('192.168.7.0/24'))
    table.offer('b', undefined, networks('192.168.0.0/16'))
    table.offer('a', undefined, networks('192.168.6.0/23'))
    expect([holder(table, '192.168.7.1'), holder(table, '192.168.6.1')]).to.deep.equal(['a', 'b'])
    table.offer('a', undefined, networks('192.168.7.128/25'))
    expect([holder(table, '192.168.7.1'), holder(table, '192.168.7.129')]).to.deep.equal(['b', 'a'])
    table.offer('a', undefined, [])
    expect(holder(table, '192.168.7.129')).to.equal('b')
    expect(table.has('a')).to.equal(false)
  })

  it('AT-04 the table keeps to the budget of a tunnel, of an identity and of all', () => {
    const [perTunnel, perIdentity, inAll] = [16, 64, 512]
    const table = new ClientNetworks<string>({ perTunnel, perIdentity, inAll })
    table.offer('eve/0', 'eve', oddRanges(0, 20))
    expect(table.size).to.equal(perTunnel)
    for (let i = 1; i < 16; i++) table.offer(`eve/${i}`, 'eve', oddRanges(i, 20))
    expect(table.size).to.equal(perIdentity)
    for (let i = 16; i < 50; i++) table.offer(`${i}`, undefined, oddRanges(i, 20))
    expect(table.size).to.equal(inAll)
    // Who changes its offer has no more than before, and who leaves makes room.
    table.offer('eve/3', 'eve', oddRanges(3, 10))
    table.offer('eve/9', 'eve', oddRanges(9, 20))
    expect(table.size).to.equal(inAll)
    for (let i = 0; i < 16; i++) table.withdraw(`eve/${i}`)
    expect(table.size).to.be.at.most(inAll - 50)
    for (let i = 16; i < 50; i++) table.withdraw(`${i}`)
    expect(table.size).to.equal(0)
  })

  it('AT-04 what goes beyond the budget of all is not remembered either', () => {
    const table = new ClientNetworks<string>({ perTunnel: 8, perIdentity: 8, inAll: 8 })
    for (const name of ['a', 'b']) table.offer(name, undefined, oddRanges(0, 8))
    table.withdraw('a')
    expect(table.size).to.equal(0)
  })

  it('AT-04 a wide network between the many of others has no more pieces than there is room for', () => {
    const single = (tunnel: number) => networks(...Array.from({ length: 8 }, (_, i) => `10.0.${tunnel}.${2 * i}`))
    for (const [perIdentity, inAll] of [
      [8, 1000],
      [1000, 88],
    ]) {
      const table = new ClientNetworks<string>({ perTunnel: 8, perIdentity, inAll })
      for (let i = 0; i < 10; i++) table.offer(`${i}`, undefined, single(i))
      table.offer('wide', undefined, networks('10.0.0.0/16'))
      expect(table.heldBy('wide')).to.have.length(8)
    }
  })

  it('AT-04 two that cut each other’s networks to pieces, again and again, get no more entries than their budgets', () => {
    const table = new ClientNetworks<string>({ perTunnel: 8, perIdentity: 20, inAll: 1000 })
    const all = networks('10.0.0.0/16')
    let seed = 1
    const random = (below: number) => {
      seed = (seed * 1103515245 + 12345) & 0x7fffffff
      return (seed >> 8) % below
    }
    const some = () => networks(...Array.from({ length: 8 }, () => `10.0.${random(256)}.${random(256)}`))
    for (let i = 0; i < 200; i++) {
      table.offer('a', undefined, i % 2 === 0 ? some() : all)
      table.offer('b', undefined, i % 3 === 0 ? some() : all)
      expect(table.heldBy('a').length).to.be.at.most(20)
      expect(table.heldBy('b').length).to.be.at.most(20)
      expect(table.size).to.equal(table.heldBy('a').length + table.heldBy('b').length)
    }
  })

  it('AT-04 that hundreds have offered, too, are passed on in milliseconds when their holder goes', () => {
    const table = new ClientNetworks<number>()
    const ranges = oddRanges(0, 256)
    const all = new AddressRange(ranges[0].start, ranges[255].end)
    table.offer(0, 'first', ranges)
    for (let i = 1; i < 300; i++) table.offer(i, `owner ${i % 60}`, [all])
    const before = process.cpuUsage()
    table.withdraw(0)
    const { user, system } = process.cpuUsage(before)
    expect(table.heldBy(1)).to.have.length(1)
    // In microseconds of computing, whoever else is busy. Each part for each tunnel for each tunnel would take seconds.
    expect(user + system).to.be.lessThan(300_000)
  })
})
