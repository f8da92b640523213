import { expect } from 'chai'
import fc from 'fast-check'
import { SlowLink } from '../../interop/harness/bad-path.ts'

describe('the slow link of the interoperability tests', () => {
  it('lets bytes through one after the other, at its rate', () => {
    const link = new SlowLink(100, 10_000)
    expect([link.pass(1000, 0), link.pass(1000, 0), link.pass(500, 15)]).to.deep.equal([10, 20, 10])
    expect(link.pass(1000, 500)).to.equal(10)
  })

  it('drops what finds its queue full, and is no faster than its rate whatever comes', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.integer({ min: 1, max: 1500 }), fc.nat(20)), { maxLength: 100 }), packets => {
        const link = new SlowLink(10, 3000)
        let now = 0
        let passed = 0
        for (const [bytes, after] of packets) {
          now += after
          const late = link.pass(bytes, now)
          if (late === undefined) continue
          passed += bytes
          expect(late).to.be.at.most((3000 + bytes) / 10 + 1e-6)
          expect(now + late).to.be.at.least(passed / 10 - 1e-6)
        }
      }),
    )
    const link = new SlowLink(10, 3000)
    expect([3000, 1000, 1].map(bytes => link.pass(bytes, 0))).to.deep.equal([300, 400, undefined])
  })
})
