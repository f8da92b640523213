/**
 * Task 12: a test of the bucket that limits ICMP errors. Each function is about one promise.
 */
import assert from 'node:assert/strict'
import { TokenBucket } from './subject.ts'

const BURST = 5
/** At ten a second, time for one token. */
const ONE_MS = 100

export function test(): void {
  letsABurstThroughAtOnce()
  countsPartsOfAToken()
  savesUpNoMoreThanABurst()
  takesNothingFromWhoOnlyAsks()
  isFullAgainAfterAWhile()
  outlivesAClockThatJumpsBack()
}

function newBucket(): { clock: { ms: number }; bucket: TokenBucket } {
  const clock = { ms: 10_000 }
  return { clock, bucket: new TokenBucket({ perSecond: 10, burst: BURST, now: () => clock.ms }) }
}

/** How many are let through now. */
function drain(bucket: TokenBucket): number {
  let taken = 0
  while (taken < 100 && bucket.take()) taken++
  return taken
}

function letsABurstThroughAtOnce(): void {
  const { bucket } = newBucket()
  assert.equal(drain(bucket), BURST)
}

function countsPartsOfAToken(): void {
  const { clock, bucket } = newBucket()
  drain(bucket)
  clock.ms += ONE_MS / 2
  assert.equal(bucket.take(), false)
  clock.ms += ONE_MS / 2
  assert.equal(bucket.take(), true)
}

function savesUpNoMoreThanABurst(): void {
  const { clock, bucket } = newBucket()
  clock.ms += 100 * ONE_MS
  assert.ok(drain(bucket) <= BURST)
}

function takesNothingFromWhoOnlyAsks(): void {
  const { clock, bucket } = newBucket()
  drain(bucket)
  clock.ms += 3 * ONE_MS
  for (let i = 0; i < 10; i++) assert.ok(bucket.isAvailable)
}

function isFullAgainAfterAWhile(): void {
  const { clock, bucket } = newBucket()
  drain(bucket)
  assert.equal(bucket.isFull, false)
  clock.ms += BURST * ONE_MS
  assert.equal(bucket.isFull, true)
}

function outlivesAClockThatJumpsBack(): void {
  const { clock, bucket } = newBucket()
  clock.ms -= 5000
  assert.ok(bucket.isAvailable)
  drain(bucket)
  clock.ms += 2 * ONE_MS
  assert.ok(bucket.isAvailable)
}
