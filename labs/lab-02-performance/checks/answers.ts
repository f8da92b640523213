/** Questions with choices: the right letter, and the idea behind each wrong one. */
import type { CheckContext, Reading } from '../../kit/lab/types.ts'

/** Fails the check unless this question is answered with `right`. `wrong`: what to say about each other letter. */
export function expectChoice(
  context: CheckContext,
  question: string,
  right: string,
  wrong: Readonly<Record<string, string>>,
  read: readonly Reading[],
): void {
  const given = (context.answers[question] ?? '').trim().toLowerCase()
  const misconception = wrong[given]
  context.expect(`you answer the question "${question}"`, given === right, {
    expected: `one of the letters ${[right, ...Object.keys(wrong)].sort().join(', ')} for "${question}", and the right one`,
    found: given === '' ? 'no answer yet' : `the answer "${given}"`,
    ...(misconception === undefined ? {} : { misconception }),
    read,
  })
}
