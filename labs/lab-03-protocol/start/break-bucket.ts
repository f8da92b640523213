/**
 * Task 12: break it. Here you do not write what is tested: you write the test.
 *
 * `TokenBucket` keeps a flood of bad packets from becoming a flood of ICMP errors; read `src/ip/token-bucket.ts`, where the comments say
 * what it promises. The check has the sound one, and some in which one thing is wrong. Your test has to return for whatever keeps the
 * promises, and to throw (as `assert` does) for whatever breaks one.
 *
 *   let ms = 0
 *   const bucket = new TokenBucket({ perSecond: 10, burst: 5, now: () => ms })
 *   assert.equal(bucket.take(), true)
 *   ms += 100                                  the clock is yours: time passes when you say so
 */
import assert from 'node:assert/strict'
import { TokenBucket } from './subject.ts'

export function test(): void {
  const bucket = new TokenBucket({ perSecond: 10, burst: 5, now: () => 0 })
  assert.equal(bucket.take(), true)
  throw new Error('TODO: test')
}
