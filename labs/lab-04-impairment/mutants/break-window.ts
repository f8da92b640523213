/** Tests that let a broken window pass, or fail a sound one. */
import { mutants } from '../../kit/grading/mutants.ts'

export default mutants('break-window.ts', {
  'no-edge': {
    misconception: 'what holds inside of the window holds at its edge',
    says: 'the oldest number of the window',
    edits: [["assert.equal(window.note(41 - SIZE), 'late')", "assert.equal(window.note(42 - SIZE), 'late')"]],
  },
  'no-second-copy': {
    misconception: 'a late number comes once',
    says: 'a late number is not noted',
    edits: [['assert.ok(window.has(3))', '']],
  },
  'no-doubles': {
    misconception: 'doubled packets are for another test',
    says: 'taken for a late one',
    edits: [["assert.equal(window.note(5), 'duplicate')", '']],
  },
  'jumps-only': {
    misconception: 'a window is cleared all at once',
    says: 'is not cleared for the one that takes it',
    edits: [["assert.equal(window.note(32), 'late')", '']],
  },
  'steps-only': {
    misconception: 'a window goes on in steps that are smaller than itself',
    says: 'after a jump beyond the window',
    edits: [["assert.equal(window.note(999), 'late')", '']],
  },
  'no-future': {
    misconception: 'nobody asks for what is still to come',
    says: 'still to come',
    edits: [['assert.equal(window.has(SIZE), false)', '']],
  },
  'no-sizes': {
    misconception: 'a size is what somebody gives',
    says: 'no power of two is taken',
    edits: [['assert.throws(() => new SequenceWindow(48), RangeError)', '']],
  },
  'expects-a-larger-window': {
    misconception: 'expects more than is promised: one number beyond the window',
    says: 'tests something else',
    edits: [["assert.equal(window.note(40 - SIZE), 'too-late')", "assert.equal(window.note(40 - SIZE), 'late')"]],
  },
  'fails-everything': {
    misconception: 'a test that always throws finds out every broken one',
    says: 'tests something else',
    edits: [['hasSeenNothingOfWhatIsToCome() }', "assert.fail('no')\n}"]],
  },
})
