/**
 * How checks of coding tasks read: a group of calls with what they have to return. The calls of a group go to the student's
 * process in one round trip. The first one whose outcome is not the expected one ends the check.
 */

import type { CheckContext, Reading } from '../lab/types.ts'
import { CheckFailure } from '../run/engine.ts'
import type { Outcome } from '../student-code/types.ts'
import { format, ROUNDING, same } from './format.ts'

export interface Call {
  /** What is special about this input, in words: "the rank is in the last bucket". */
  about: string
  args: readonly unknown[]
  /** The arguments in words, where they are long. */
  shown?: string
  returns: unknown
  /** Why, for a student who got it wrong: a rule that this call is about. */
  because?: string
}

/** A known way to be wrong: what a function would return that has it. */
export interface Misconception {
  says: string
  /** The value. Throws when the idea does not apply to the input. */
  would: (...args: never[]) => unknown
}

export interface CallGroup {
  /** The step, in the student's words. */
  text: string
  file: string
  name: string
  calls: readonly Call[]
  misconceptions?: readonly Misconception[]
  /** Of numbers, relative. Default: what rounding makes. */
  tolerance?: number
  read: readonly Reading[]
}

/** Fails the check at the first call that does not return what it should. */
export async function expectCalls(context: CheckContext, group: CallGroup): Promise<void> {
  const { file, name, calls, tolerance = ROUNDING } = group
  const outcomes = await context.do(`call ${name} ${times(calls.length)}`, () =>
    context.student.batch(
      file,
      name,
      calls.map(call => [...call.args]),
    ),
  )
  const wrong = calls.findIndex(({ returns }, index) => {
    const outcome = outcomes[index]
    return !(outcome?.ok && same(outcome.value, returns, tolerance))
  })
  context.expect(group.text, wrong < 0, () => {
    const call = calls[wrong]!
    const outcome = outcomes[wrong]!
    return {
      expected: `${name}(${call.shown ?? call.args.map(format).join(', ')}) to return ${format(call.returns)}: ${call.about}`,
      found: describeOutcome(outcome),
      ...explain(group, call, outcome),
      read: group.read,
    }
  })
}

/** Calls whose values are looked at by the caller. What is not written yet ends the check here. */
export async function valuesOf<T>(
  context: CheckContext,
  file: string,
  name: string,
  argLists: readonly (readonly unknown[])[],
  read: readonly Reading[],
): Promise<T[]> {
  const outcomes = await context.do(`call ${name} ${times(argLists.length)}`, () =>
    context.student.batch<T>(file, name, argLists),
  )
  return outcomes.map(outcome => resultOf(outcome, `${name}() to return a result`, read))
}

/** What became of one call, in a few words. */
export function describeOutcome(outcome: Outcome): string {
  if (outcome.ok) return format(outcome.value)
  const { error } = outcome
  return isTodo(outcome) ? `not written yet (${error.message})` : `${error.errorName ?? error.kind}: ${error.message}`
}

/** The value of a call that has to return something; else the check ends. */
export function resultOf<T>(outcome: Outcome<T>, expected: string, read: readonly Reading[]): T {
  if (outcome.ok) return outcome.value
  throw new CheckFailure({ expected, found: describeOutcome(outcome), read })
}

/** Ends a check with feedback, from anywhere in it. */
export function fail(feedback: ConstructorParameters<typeof CheckFailure>[0]): never {
  throw new CheckFailure(feedback)
}

function isTodo(outcome: Outcome): boolean {
  return !outcome.ok && outcome.error.kind === 'threw' && /\bTODO\b/.test(outcome.error.message)
}

/** The first misconception whose result is the one that was found. */
export function recognise(
  misconceptions: readonly Misconception[],
  args: readonly unknown[],
  found: unknown,
  tolerance = ROUNDING,
): string | undefined {
  for (const { says, would } of misconceptions) {
    try {
      if (same(found, (would as (...args: unknown[]) => unknown)(...args), tolerance)) return says
    } catch {
      // The idea does not apply to this input.
    }
  }
  return undefined
}

function explain(group: CallGroup, call: Call, outcome: Outcome): { misconception?: string } {
  if (isTodo(outcome)) return {}
  const recognised = outcome.ok
    ? recognise(group.misconceptions ?? [], call.args, outcome.value, group.tolerance)
    : undefined
  const misconception = recognised ?? call.because
  return misconception === undefined ? {} : { misconception }
}

function times(count: number): string {
  return count === 1 ? 'once' : `${count} times`
}
