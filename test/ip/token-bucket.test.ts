import { expect } from 'chai'
import { TokenBucket } from '../../src/ip/token-bucket.ts'

describe('ip/token-bucket', () => {
  let time = 0
  const bucketOf = (perSecond: number, burst: number) => new TokenBucket({ perSecond, burst, now: () => time })
  const takeAll = (bucket: TokenBucket) => {
    let taken = 0
    while (bucket.take()) taken++
    return taken
  }

  it('CIP-35 lets a burst through, and then as many as the rate allows', () => {
    const bucket = bucketOf(10, 5)
    expect(takeAll(bucket)).to.equal(5)
    time += 99
    expect(bucket.take()).to.equal(false)
    time += 1
    expect(takeAll(bucket)).to.equal(1)
    time += 300
    expect(takeAll(bucket)).to.equal(3)
  })

  it('CIP-35 saves up no more than one burst', () => {
    const bucket = bucketOf(10, 5)
    time += 3_600_000
    expect(takeAll(bucket)).to.equal(5)
  })

  it('survives a clock that goes back', () => {
    const bucket = bucketOf(10, 1)
    takeAll(bucket)
    time -= 10_000
    expect(bucket.take()).to.equal(false)
    time += 100
    expect(bucket.take()).to.equal(true)
  })
})
