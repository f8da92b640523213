import { expect } from 'chai'
import { PathResponses, PathValidation } from '../../../src/quic/typescript/path-validation.ts'

/** Different bytes each time. */
function counter(): (length: number) => Uint8Array {
  let next = 1
  return length => new Uint8Array(length).fill(next++)
}

describe('PathValidation', () => {
  it('ends with the answer to its challenge', () => {
    const validation = new PathValidation(0, 700, counter())
    expect(validation.wantsChallenge(0)).to.equal(true)
    const data = validation.challenge(0)
    expect(data.length).to.equal(8)
    expect(validation.wantsChallenge(0)).to.equal(false)
    expect(validation.onResponse(new Uint8Array(8))).to.equal(false)
    expect(validation.state).to.equal('running')
    expect(validation.onResponse(data.slice())).to.equal(true)
    expect(validation.state).to.equal('validated')
    expect(validation.deadline()).to.equal(undefined)
    expect(validation.onResponse(data), 'once more').to.equal(false)
  })

  it('sends three challenges with other bytes each, and takes the answer to any', () => {
    const validation = new PathValidation(1000, 700, counter())
    const sent: [number, Uint8Array][] = []
    let now = 1000
    for (; validation.state === 'running'; now = validation.deadline() ?? now) {
      validation.onDeadline(now)
      if (validation.wantsChallenge(now)) sent.push([now, validation.challenge(now)])
      else if (validation.state === 'running') expect(validation.deadline()).to.be.greaterThan(now)
    }
    expect(sent.map(([at]) => at)).to.deep.equal([1000, 1100, 1300])
    expect(new Set(sent.map(([, data]) => data.join())).size).to.equal(3)
    expect([validation.state, now]).to.deep.equal(['failed', 1700])
    expect(validation.onResponse(sent[0][1]), 'too late').to.equal(false)

    const other = new PathValidation(0, 700, counter())
    const first = other.challenge(0)
    other.onDeadline(100)
    other.challenge(100)
    expect(other.onResponse(first)).to.equal(true)
  })

  it('asks for no turn while a challenge is due that cannot be sent', () => {
    const validation = new PathValidation(0, 700, counter())
    expect(validation.deadline()).to.equal(700)
    validation.challenge(0)
    expect(validation.deadline()).to.equal(100)
    validation.onDeadline(99)
    expect(validation.wantsChallenge(99)).to.equal(false)
    validation.onDeadline(100)
    expect(validation.wantsChallenge(100)).to.equal(true)
    expect(validation.deadline()).to.equal(700)
  })
})

describe('PathResponses', () => {
  it('keeps the newest eight of a flood, copied', () => {
    const responses = new PathResponses()
    const data = new Uint8Array(8)
    for (let i = 0; i < 1000; i++) {
      data.fill(i)
      responses.push(data)
    }
    expect(responses.length).to.equal(8)
    const kept: number[] = []
    for (let next = responses.shift(); next !== undefined; next = responses.shift()) kept.push(next[0])
    expect(kept).to.deep.equal([992, 993, 994, 995, 996, 997, 998, 999].map(i => i & 0xff))
  })
})
