import { expect } from 'chai'
import { Seeded } from '../../../../labs/kit/check/seeded.ts'

describe('labs/kit/check/seeded', () => {
  it('gives the same inputs for the same seed, and others for another seed or purpose', () => {
    const bytes = (seed: string, purpose: string) => [...new Seeded(seed, purpose).bytes(16)]
    expect(bytes('ada', 'varint')).to.deep.equal(bytes('ada', 'varint'))
    expect(bytes('ada', 'varint')).to.not.deep.equal(bytes('adb', 'varint'))
    expect(bytes('ada', 'varint')).to.not.deep.equal(bytes('ada', 'routes'))
    expect(bytes('', '')).to.have.length(16)
  })

  it('stays within the bounds that are asked for, and reaches both', () => {
    const random = new Seeded('bounds')
    const drawn = new Set(random.list(300, () => random.int(-2, 3)))
    expect([...drawn].sort((a, b) => a - b)).to.deep.equal([-2, -1, 0, 1, 2, 3])
    const large = random.list(300, () => random.bigintBetween(5n, 8n))
    expect(new Set(large).size).to.equal(4)
    for (const value of large) expect(value >= 5n && value <= 8n).to.equal(true)
    expect(random.bigint(62) < 1n << 62n).to.equal(true)
    expect(() => random.int(2, 1)).to.throw(RangeError)
    expect(() => random.pick([])).to.throw(RangeError)
  })

  it('makes prefixes without bits beyond their length', () => {
    const random = new Seeded('prefixes')
    for (let i = 0; i < 200; i++) {
      const { address, length } = random.prefix(random.pick([4, 6]))
      const bits = [...address].map(byte => byte.toString(2).padStart(8, '0')).join('')
      expect(bits.slice(length)).to.match(/^0*$/)
    }
  })

  it('cuts bytes into pieces that are together what was cut', () => {
    const random = new Seeded('split')
    const bytes = random.bytes(100)
    const pieces = random.split(bytes, 7)
    expect(pieces.flatMap(piece => [...piece])).to.deep.equal([...bytes])
    expect(Math.max(...pieces.map(piece => piece.length))).to.be.at.most(7)
    expect([...random.shuffle([1, 2, 3])].sort()).to.deep.equal([1, 2, 3])
  })
})
