/**
 * Task 9: a test of the search that the proxy runs. Each function is about one promise.
 */
import assert from 'node:assert/strict'
import { BASE_UDP_PAYLOAD, PathMtuSearch } from './subject.ts'

const MAX = 1452
const TEN_MINUTES = 600_000

export function test(): void {
  findsEverySize()
  givesUpAfterThreeLossesInARow()
  waitsUntilAProbeIsDue()
  waitsLongerAndLonger()
  looksAgainWhenThePathMayBeWider()
  leavesABlackHole()
  beginsAnewAfterAStall()
}

/** Probes until the search is complete, on a path that carries `limit` bytes and loses nothing. */
function run(search: PathMtuSearch, limit: number, now = 0): number {
  for (let probes = 0; probes < 100; probes++) {
    const size = search.nextProbe(now)
    if (size === undefined || search.settled) return search.size
    if (size <= limit) search.onProbeAcked(now)
    else search.onProbeLost(now)
  }
  return assert.fail('the search does not end')
}

function findsEverySize(): void {
  for (let limit = BASE_UDP_PAYLOAD; limit <= MAX; limit++)
    assert.equal(run(new PathMtuSearch({ max: MAX, now: 0 }), limit), limit)
}

function givesUpAfterThreeLossesInARow(): void {
  const search = new PathMtuSearch({ max: MAX, now: 0 })
  const first = search.nextProbe(0)
  search.onProbeLost(0)
  search.onProbeLost(0)
  assert.equal(search.nextProbe(0), first)
  search.onProbeLost(0)
  const second = search.nextProbe(0)!
  assert.ok(second < first!)
  search.onProbeLost(0)
  search.onProbeLost(0)
  search.onProbeAcked(0)
  const third = search.nextProbe(0)
  search.onProbeLost(0)
  assert.equal(search.nextProbe(0), third)
}

function waitsUntilAProbeIsDue(): void {
  const search = new PathMtuSearch({ max: MAX, now: 1000 })
  assert.equal(search.nextProbe(999), undefined)
  assert.notEqual(search.nextProbe(1000), undefined)
}

function waitsLongerAndLonger(): void {
  const search = new PathMtuSearch({ max: MAX, now: 0 })
  search.onProbeVoid(0)
  const pause = search.dueAt!
  search.onProbeVoid(pause)
  assert.ok(search.dueAt! - pause > pause)
}

function looksAgainWhenThePathMayBeWider(): void {
  const search = new PathMtuSearch({ max: MAX, now: 0 })
  run(search, 1300)
  assert.equal(search.nextProbe(TEN_MINUTES), MAX)
}

function leavesABlackHole(): void {
  const search = new PathMtuSearch({ max: MAX, now: 0 })
  run(search, MAX)
  search.suspect(10)
  for (let i = 0; i < 3; i++) search.onProbeLost(10)
  assert.equal(search.size, BASE_UDP_PAYLOAD)
}

function beginsAnewAfterAStall(): void {
  const search = new PathMtuSearch({ max: MAX, now: 0 })
  run(search, 1300)
  search.onStall(10)
  assert.equal(search.size, BASE_UDP_PAYLOAD)
  assert.equal(search.nextProbe(10), MAX)
}
