/** Tests that let a broken search pass, or fail a sound one. */
import { mutants } from '../../kit/grading/mutants.ts'

export default mutants('break-search.ts', {
  'no-edges': {
    misconception: 'one size in ten is enough',
    says: 'never finds the last byte',
    edits: [['limit <= MAX; limit++', 'limit <= MAX; limit += MAX']],
  },
  'no-losses': {
    misconception: 'loss is not worth a test',
    says: 'gives a size up after one lost probe',
    edits: [['givesUpAfterThreeLossesInARow() waitsUntilAProbeIsDue()', 'waitsUntilAProbeIsDue()']],
  },
  'losses-of-one-size': {
    misconception: 'what is counted is never begun again',
    says: 'still count after it',
    edits: [['search.onProbeLost(0) assert.equal(search.nextProbe(0), third)', '']],
  },
  'no-ten-minutes': {
    misconception: 'what is complete is over',
    says: 'has become wider',
    edits: [['assert.equal(search.nextProbe(TEN_MINUTES), MAX)', '']],
  },
  'no-pause': {
    misconception: 'one pause is like another',
    says: 'does not grow',
    edits: [['assert.ok(search.dueAt! - pause > pause)', 'assert.ok(search.dueAt! > pause)']],
  },
  'no-black-hole': {
    misconception: 'a path never gets worse',
    says: 'keeps the size that was proven',
    edits: [['for (let i = 0; i < 3; i++) search.onProbeLost(10)', 'if (search.size > 0) return']],
  },
  'no-stall': {
    misconception: 'after a stall the size is looked at, and not what comes then',
    says: 'never tries again',
    edits: [['assert.equal(search.nextProbe(10), MAX)', '']],
  },
  'expects-the-first-size': {
    misconception: 'expects what is left open: that halves are rounded up',
    says: 'tests something else',
    edits: [['assert.ok(second < first!)', 'assert.equal(second, 1325)']],
  },
  'fails-everything': {
    misconception: 'a test that always throws finds out every broken one',
    says: 'tests something else',
    edits: [['beginsAnewAfterAStall() }', "assert.fail('no')\n}"]],
  },
})
