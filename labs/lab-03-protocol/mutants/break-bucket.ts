/** Tests that let a broken bucket pass, or fail a sound one. */
import { mutants } from '../../kit/grading/mutants.ts'

export default mutants('break-bucket.ts', {
  'no-parts': {
    misconception: 'tokens are whole, and so is time',
    says: 'parts of a token are lost',
    edits: [['clock.ms += ONE_MS / 2 assert.equal(bucket.take(), true)', '']],
  },
  'no-limit': {
    misconception: 'who has waited for long may send much',
    says: 'saves up more than the burst',
    edits: [['assert.ok(drain(bucket) <= BURST)', 'assert.ok(drain(bucket) >= BURST - 1)']],
  },
  'asks-once': {
    misconception: 'asking changes nothing, so it need not be tried twice',
    says: 'whoever only asks',
    edits: [['for (let i = 0; i < 10; i++) assert.ok(bucket.isAvailable)', 'assert.ok(bucket.isAvailable)']],
  },
  'full-at-first-only': {
    misconception: 'it is enough to look when it is empty',
    says: 'it is never full',
    edits: [['assert.equal(bucket.isFull, true)', '']],
  },
  'clock-forward-only': {
    misconception: 'a clock never jumps back',
    says: 'takes tokens away',
    edits: [['clock.ms -= 5000', '']],
  },
  'back-and-no-further': {
    misconception: 'after a jump back, what counts is that moment',
    says: 'before the old time has come again',
    edits: [['clock.ms += 2 * ONE_MS assert.ok(bucket.isAvailable)', '']],
  },
  'expects-one-more': {
    misconception: 'expects what is not promised: that it is full only when one more would not fit',
    says: 'tests something else',
    edits: [['clock.ms += BURST * ONE_MS', 'clock.ms += (BURST - 1) * ONE_MS']],
  },
  'fails-everything': {
    misconception: 'a test that always throws finds out every broken one',
    says: 'tests something else',
    edits: [['outlivesAClockThatJumpsBack() }', "assert.fail('no')\n}"]],
  },
})
