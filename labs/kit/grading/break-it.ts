/**
 * A task of the kind "break it" (check/break-it.ts) whose subjects are edits of one file, as mutants of solutions are.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expectBroken, type Trial } from '../check/break-it.ts'
import { ROOT } from '../lab/registry.ts'
import type { CheckContext, Feedback } from '../lab/types.ts'
import { type Mutant, mutated } from './mutants.ts'

/** The subjects as edits of the sound one, which imports nothing. */
interface BreakIt extends Pick<Trial, 'file' | 'subject' | 'read' | 'show'> {
  /** What the subject is called in a sentence, such as `bucket`. */
  name: string
  /** After these it still does the same. */
  same: readonly Mutant[]
  /** These break it. Their misconception is the fault. */
  broken: readonly Mutant[]
}

/** The whole check of such a task. */
export async function checkBreakIt(context: CheckContext, task: BreakIt): Promise<Feedback> {
  const { subject, name, same, broken } = task
  const text = readFileSync(join(ROOT, subject), 'utf8')
  await expectBroken(context, {
    ...task,
    sound: [text, ...same.map(one => mutated(one, text))],
    broken: broken.map(one => ({ fault: one.misconception, text: mutated(one, text) })),
  })
  return {
    passed: true,
    expected: `a test that takes the sound ${name} for sound, and no broken one`,
    found: `${broken.length} of ${broken.length} broken ones are found out`,
    read: task.read,
  }
}
