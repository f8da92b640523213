import { expect } from 'chai'
import { ThinnedSamples } from '../../src/probes/thinned-samples.ts'

describe('ThinnedSamples', () => {
  it('keeps everything while there is room', () => {
    const samples = new ThinnedSamples(10)
    for (let i = 0; i < 10; i++) samples.add(i)
    expect(samples.values).to.deep.equal([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
  })

  it('keeps an even choice, however many come', () => {
    const samples = new ThinnedSamples(10)
    for (let i = 0; i < 1000; i++) samples.add(i)
    expect(samples.count).to.equal(1000)
    expect(samples.values).to.have.length.within(5, 10)
    const steps = new Set(samples.values.slice(1).map((value, i) => value - samples.values[i]))
    expect([...steps]).to.deep.equal([128])
  })
})
