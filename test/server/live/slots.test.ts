import { expect } from 'chai'
import fc from 'fast-check'
import { module } from './modules.ts'

const { arc, Slots } = await module('slots.mjs')

describe('the places of clients in the live view', () => {
  it('stay theirs while others come and go', () => {
    const slots = new Slots()
    expect(slots.update(['a', 'b', 'c'])).to.deep.equal(['a', 'b', 'c'])
    expect(slots.update(['a', 'c'])).to.deep.equal(['a', undefined, 'c'])
    expect(slots.update(['a', 'c', 'd', 'e'])).to.deep.equal(['a', 'd', 'c', 'e'])
    expect(slots.update(['a', 'd', 'c'])).to.deep.equal(['a', 'd', 'c', undefined])
    expect(slots.update(['a', 'd'])).to.deep.equal(['a', 'd'])
    expect(slots.update([])).to.deep.equal([])
  })

  it('are one for each, whoever comes and goes', () => {
    const crowds = fc.array(fc.uniqueArray(fc.integer({ min: 0, max: 40 })), { maxLength: 20 })
    fc.assert(
      fc.property(crowds, steps => {
        const slots = new Slots()
        let before: (number | undefined)[] = []
        for (const ids of steps) {
          const places: (number | undefined)[] = slots.update(ids)
          expect(places.filter(id => id !== undefined).sort()).to.deep.equal([...ids].sort())
          for (const id of ids) if (before.includes(id)) expect(places.indexOf(id)).to.equal(before.indexOf(id))
          // As long as most are there the others do not move closer.
          if (places.length < before.length) expect(ids.length * 2).to.be.at.most(before.length)
          before = places
        }
      }),
    )
  })

  it('are apart from each other, and inside their area, for 1 to 100 of them', () => {
    for (let count = 1; count <= 100; count++) {
      const places: { x: number; y: number }[] = arc({ count, x: 400, y: 200, radius: 215, height: 390 })
      expect(places).to.have.length(count)
      for (const { x, y } of places) {
        expect(x).to.be.within(400 - 215, 400)
        expect(y).to.be.within(200 - 195.01, 200 + 195.01)
      }
      for (let i = 1; i < count; i++) {
        const [a, b] = [places[i - 1], places[i]]
        expect(Math.hypot(a.x - b.x, a.y - b.y), `${i} of ${count}`).to.be.greaterThan(13)
      }
    }
  })
})
