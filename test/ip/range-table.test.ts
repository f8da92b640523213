import { expect } from 'chai'
import fc from 'fast-check'
import { IpAddress } from '../../src/ip/address.ts'
import { IpPrefix } from '../../src/ip/prefix.ts'
import { AddressRange, mergeRanges } from '../../src/ip/range.ts'
import { RangeTable } from '../../src/ip/range-table.ts'

const range = (start: string, end: string) => new AddressRange(IpAddress.parse(start), IpAddress.parse(end))
const prefix = (text: string) => IpPrefix.parse(text).toRange()

function holderOf<T>(table: RangeTable<T>, address: IpAddress): T | undefined {
  const packet = new Uint8Array(60).fill(0xee)
  packet.set(address.bytes, 24)
  return table.lookupBytes(address.version, packet, 24)
}

/** Few addresses, so that ranges often touch, nest and coincide. */
const BASE = { 4: 0x0a000000n, 6: 0x20010db8n << 96n }
const WIDTH = 24
const at = (version: 4 | 6, offset: number) => IpAddress.fromBigInt(version, BASE[version] + BigInt(offset))
const smallRange = fc
  .tuple(fc.constantFrom(4 as const, 6 as const), fc.nat(WIDTH - 1), fc.nat(WIDTH - 1))
  .map(([version, a, b]) => new AddressRange(at(version, Math.min(a, b)), at(version, Math.max(a, b))))

describe('RangeTable', () => {
  it('does what one address after the other would do, whoever claims and releases', () => {
    const step = fc.record({
      holder: fc.constantFrom('a', 'b', 'c'),
      claim: fc.option(smallRange, { nil: undefined }),
      keep: fc.array(smallRange, { maxLength: 3 }),
    })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 12 }), steps => {
        const table = new RangeTable<string>()
        const simple = new Map<string, string>()
        const everyAddress = ([4, 6] as const).flatMap(v => Array.from({ length: WIDTH }, (_, i) => at(v, i)))
        for (const { holder, claim, keep } of steps) {
          const before = new Map(simple)
          if (claim !== undefined) table.claim(claim, holder)
          const released = claim === undefined ? table.release(holder, keep) : []
          for (const address of everyAddress) {
            const key = String(address)
            if (claim?.contains(address) && !simple.has(key)) simple.set(key, holder)
            const kept = claim !== undefined || keep.some(other => other.contains(address))
            if (!kept && simple.get(key) === holder) simple.delete(key)
            if (holderOf(table, address) !== simple.get(key)) expect.fail(`${address} is ${holderOf(table, address)}’s`)
          }
          if (claim === undefined) expect(released.length > 0).to.equal(before.size !== simple.size)
        }
        for (const holder of ['a', 'b', 'c']) {
          const ranges = table.rangesOf(holder)
          expect(mergeRanges(ranges)).to.deep.equal(ranges)
          expect(table.countOf(holder)).to.equal(ranges.length)
        }
        expect(table.size).to.equal(['a', 'b', 'c'].reduce((sum, holder) => sum + table.countOf(holder), 0))
      }),
      { numRuns: 60 },
    )
  })

  it('manages the ends of the address space', () => {
    const table = new RangeTable<string>()
    for (const everything of ['0.0.0.0/0', '::/0']) table.claim(prefix(everything), 'a')
    for (const address of ['0.0.0.0', '255.255.255.255', '::', 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff']) {
      expect(holderOf(table, IpAddress.parse(address))).to.equal('a')
    }
    expect(table.size).to.equal(2)
  })

  it('AT-04 an odd range is one entry, however many prefixes it would be', () => {
    // It would be 254.
    const odd = range('::1', 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe')
    const table = new RangeTable<string>()
    table.claim(odd, 'a')
    expect(table.size).to.equal(1)
    table.release('a')
    expect(table.size).to.equal(0)
  })

  it('AT-04 makes no more entries than there is room for', () => {
    const table = new RangeTable<string>()
    for (let i = 0; i < 10; i++) table.claim(prefix(`10.0.0.${2 * i}`), 'a')
    table.claim(prefix('10.0.0.0/24'), 'b', 3)
    expect(table.countOf('b')).to.equal(3)
    expect(table.rangesOf('b').map(String)).to.deep.equal(['10.0.0.1', '10.0.0.3', '10.0.0.5'])
  })
})

describe('mergeRanges', () => {
  it('joins what overlaps or touches, and nothing else', () => {
    const ranges = [
      prefix('::/127'),
      range('10.0.0.4', '10.0.0.9'),
      prefix('10.0.0.0/30'),
      range('10.0.0.6', '10.0.0.7'),
    ]
    expect(mergeRanges([...ranges, prefix('10.0.0.11'), prefix('::3')]).map(String)).to.deep.equal([
      '10.0.0.0-10.0.0.9',
      '10.0.0.11',
      '::-::1',
      '::3',
    ])
  })
})
