/**
 * How checks of coding tasks read: a group of calls with what they have to return. The calls of a group go to the student's
 * process in one round trip. The first one whose outcome is not the expected one ends the check.
 */
import { CheckFailure } from './engine.ts'
import { format, ROUNDING, same } from './format.ts'
import type { Outcome } from './student-code/types.ts'
import type { CheckContext, Reading } from './types.ts'

export interface Call {
  /** What is special about this input, in words: "the rank is in the last bucket". */
  about: string
  args: readonly unknown[]
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
      expected: `${name}(${call.args.map(format).join(', ')}) to return ${format(call.returns)}: ${call.about}`,
      found: describeOutcome(outcome),
      ...explain(group, call, outcome),
      read: group.read,
    }
  })
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

function explain(group: CallGroup, call: Call, outcome: Outcome): { misconception?: string } {
  if (isTodo(outcome)) return {}
  for (const { says, would } of outcome.ok ? (group.misconceptions ?? []) : []) {
    try {
      const wrong = (would as (...args: unknown[]) => unknown)(...call.args)
      if (same((outcome as { value: unknown }).value, wrong, group.tolerance ?? ROUNDING))
        return { misconception: says }
    } catch {
      // The idea does not apply to this input.
    }
  }
  return call.because === undefined ? {} : { misconception: call.because }
}

function times(count: number): string {
  return count === 1 ? 'once' : `${count} times`
}
