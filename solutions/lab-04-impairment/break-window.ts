/**
 * Task 10: a test of the window that tells late packets from doubled ones. Each function is about one promise.
 */
import assert from 'node:assert/strict'
import { SequenceWindow } from './subject.ts'

const SIZE = 32

export function test(): void {
  takesPowersOfTwoOnly()
  expectsOneMoreThanTheHighest()
  notesWhatIsLate()
  knowsTheWholeWindow()
  clearsEachPlaceThatItPasses()
  clearsAllWhenItJumps()
  hasSeenNothingOfWhatIsToCome()
}

function takesPowersOfTwoOnly(): void {
  assert.throws(() => new SequenceWindow(48), RangeError)
}

function expectsOneMoreThanTheHighest(): void {
  const window = new SequenceWindow(SIZE)
  assert.equal(window.note(5), 'in-order')
  assert.equal(window.nextExpected, 6)
}

function notesWhatIsLate(): void {
  const window = new SequenceWindow(SIZE)
  window.note(5)
  assert.notEqual(window.note(3), 'duplicate')
  assert.ok(window.has(3))
  assert.equal(window.note(5), 'duplicate')
}

function knowsTheWholeWindow(): void {
  const window = new SequenceWindow(SIZE)
  window.note(40)
  assert.equal(window.note(41 - SIZE), 'late')
  assert.equal(window.note(40 - SIZE), 'too-late')
}

/** 32 takes the place of 0, and was not seen. */
function clearsEachPlaceThatItPasses(): void {
  const window = new SequenceWindow(SIZE)
  window.note(0)
  window.note(1)
  window.note(33)
  assert.equal(window.note(32), 'late')
}

function clearsAllWhenItJumps(): void {
  const window = new SequenceWindow(SIZE)
  for (let sequence = 0; sequence < SIZE; sequence++) window.note(sequence)
  window.note(1000)
  assert.equal(window.note(999), 'late')
}

function hasSeenNothingOfWhatIsToCome(): void {
  const window = new SequenceWindow(SIZE)
  window.note(0)
  assert.equal(window.has(SIZE), false)
}
