import { expect } from 'chai'
import { runAll } from '../../src/net/run-all.ts'

describe('steps that are all due', () => {
  it('are taken in order, the ones behind a failure too, and the first failure is told', () => {
    const taken: number[] = []
    const step = (n: number, fails: boolean) => () => {
      taken.push(n)
      if (fails) throw new Error(`step ${n}`)
    }
    expect(() => runAll([step(1, false), step(2, true), step(3, true), step(4, false)])).to.throw('step 2')
    expect(taken).to.deep.equal([1, 2, 3, 4])
    expect(() => runAll([step(5, false)])).not.to.throw()
  })
})
