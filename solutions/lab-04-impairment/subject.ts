/** What your test of task 10 is about. The check puts a sound window here, and then one broken window after the other. */
export { SequenceWindow } from '../../src/stats/sequence-window.ts'
