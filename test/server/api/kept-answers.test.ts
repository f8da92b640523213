import { expect } from 'chai'
import { KeptAnswers } from '../../../src/server/api/kept-answers.ts'

describe('KeptAnswers', () => {
  it('make an answer anew when ten times as long has passed as it took to make', () => {
    let now = 0
    let made = 0
    const kept = new KeptAnswers(() => now)
    const make = (): string => {
      now += 10
      return String(++made)
    }
    expect(kept.get('a', make)).to.equal('1')
    now += 99
    expect(kept.get('a', make)).to.equal('1')
    expect(kept.get('b', make)).to.equal('2')
    now += 1
    expect(kept.get('a', make)).to.equal('3')
  })

  it('make it anew when something has changed', () => {
    let made = 0
    const kept = new KeptAnswers(() => made)
    const make = (): string => String(++made)
    kept.get('a', make)
    kept.forget()
    expect(kept.get('a', make)).to.equal('2')
  })

  it('give an answer that is still being made to everybody who asks meanwhile, and a failure to nobody who comes later', async () => {
    const kept = new KeptAnswers(() => 0)
    let fail!: (error: Error) => void
    const answers = [1, 2].map(() => kept.get('a', () => new Promise<string>((_, reject) => (fail = reject))))
    fail(new Error('oops'))
    const found = await Promise.allSettled(answers)
    expect(found.map(({ status }) => status)).to.deep.equal(['rejected', 'rejected'])
    expect(await kept.get('a', () => Promise.resolve('well'))).to.equal('well')
  })
})
