/**
 * Task 9: break it. Here you do not write what is tested: you write the test.
 *
 * `PathMtuSearch` is the search for the path MTU that the proxy itself runs; read `src/quic/path-mtu.ts`, where the comments say what each
 * method promises. The check has the sound one, and some in which one thing is wrong. Your test has to return for whatever keeps the
 * promises, and to throw (as `assert` does) for whatever breaks one.
 *
 *   const search = new PathMtuSearch({ max: 1452, now: 0 })
 *   assert.equal(search.nextProbe(0), 1452)              the maximum first: nearly every path carries it
 *   for (let i = 0; i < 3; i++) search.onProbeLost(0)    and here it does not
 *   assert.equal(search.nextProbe(0), 1326)              so halve what is left: 1200 is proven, 1451 is not ruled out
 *
 * Time is a number that you hand over: let ten minutes pass by adding 600_000.
 */
import assert from 'node:assert/strict'
import { PathMtuSearch } from './subject.ts'

export function test(): void {
  const search = new PathMtuSearch({ max: 1452, now: 0 })
  assert.equal(search.size, 1200)
  throw new Error('TODO: test')
}
