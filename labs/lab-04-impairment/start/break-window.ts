/**
 * Task 10: break it. Here you do not write what is tested: you write the test.
 *
 * `SequenceWindow` tells late packets from doubled ones in the measurements of this lab, and remembers a window of numbers only; read
 * `src/stats/sequence-window.ts`, where the comments say what it promises. The check has the sound one, and some in which one thing is
 * wrong. Your test has to return for whatever keeps the promises, and to throw (as `assert` does) for whatever breaks one.
 *
 *   const window = new SequenceWindow(32)
 *   assert.equal(window.note(5), 'in-order')
 *   assert.equal(window.note(3), 'late')
 */
import assert from 'node:assert/strict'
import { SequenceWindow } from './subject.ts'

export function test(): void {
  const window = new SequenceWindow(32)
  assert.equal(window.note(5), 'in-order')
  throw new Error('TODO: test')
}
