/**
 * How checks of coding tasks read: groups of calls with what they have to return. The calls of a group go to the student's
 * process in one round trip. The first one whose outcome is not the expected one ends the check.
 *
 * What is expected and what was found is always said. Why it is wrong is said only where that is known: the result is exactly that of
 * a known mistake, or the same call is right when it is made alone, or on bytes that fill their buffer.
 */

import type { CheckContext, Otherwise, Reading } from '../lab/types.ts'
import type { Outcome } from '../student-code/types.ts'
import { CheckFailure } from './check-failure.ts'
import { feedbackOf, NO_AWAIT, printedText, thrownAt } from './feedback.ts'
import { format, ROUNDING, same } from './format.ts'
import { Seeded } from './seeded.ts'

/** In the place of a value: the call has to throw MalformedError. */
export const REJECTED = Symbol('MalformedError')

export interface Call {
  /** What is special about this input, in words: "the rank is in the last bucket". */
  about: string
  args: readonly unknown[]
  /** The arguments in words, where they are long. */
  shown?: string
  /** A value, or REJECTED. */
  returns: unknown
  /** The rule that this call is about: said with what is expected. */
  because?: string
}

/** A known way to be wrong: what a function would return that has it. */
export interface Misconception {
  says: string
  /** The value (or REJECTED), or a function that recognises it. Throws when the idea does not apply to the input. */
  would: (...args: never[]) => unknown
}

export interface CallGroup {
  /** The step, in the student's words. */
  text: string
  file: string
  name: string
  calls: readonly Call[]
  misconceptions?: readonly Misconception[]
  /** Each misconception is modelled for every input: it is named only where it explains every call of the group. */
  exact?: boolean
  /** Of numbers, relative. Default: what rounding makes. */
  tolerance?: number
  /** Where not only one value is right. Default: the same content. */
  accepts?: (found: unknown, expected: unknown) => boolean
  read: readonly Reading[]
  /** Draws one call for the lab's panel: the one that is wrong, or the first. */
  show?: (context: CheckContext, group: CallGroup, call: Call, outcome: Outcome, isWrong: boolean) => void
}

/** Makes groups of calls into one file, which a student who fails one reads the same about. */
export function groupsOf(file: string, read: readonly Reading[]) {
  return (text: string, name: string, calls: readonly Call[], misconceptions: readonly Misconception[]): CallGroup => ({
    text,
    file,
    name,
    calls,
    misconceptions,
    read,
  })
}

/** Where inputs come from: first the same for everybody, so that no mistake gets through by the luck of a name, then the student's own. */
export function sources(context: CheckContext, task: string): [everybodys: Seeded, own: Seeded] {
  return [new Seeded('everybody', task), new Seeded(context.seed, task)]
}

/** Runs the groups that `cases` makes, each with the calls for everybody and behind them the student's own. */
export async function expectGroups(
  context: CheckContext,
  task: string,
  cases: (random: Seeded) => readonly CallGroup[],
): Promise<void> {
  const [everybodys, own] = sources(context, task).map(cases)
  for (const [i, group] of everybodys!.entries()) {
    await expectCalls(context, { ...group, calls: [...group.calls, ...own![i].calls] })
  }
}

/** Fails the check at the first call that does not return what it should. */
export async function expectCalls(context: CheckContext, given: CallGroup): Promise<void> {
  const { file, name, calls } = given
  const outcomes = await context.do(`call ${name} ${times(calls.length)}`, () =>
    context.student.batch(
      file,
      name,
      calls.map(call => [...call.args]),
    ),
  )
  const group = { ...given, misconceptions: mostLikely(given, outcomes) }
  const wrong = calls.findIndex((call, index) => !fits(group, call, outcomes[index]))
  const at = Math.max(0, wrong)
  if (calls.length > 0) group.show?.(context, group, calls[at], outcomes[at], wrong >= 0)
  const otherwise = wrong < 0 ? undefined : await wrongCall(context, group, calls[wrong], outcomes[wrong])
  context.expect(group.text, wrong < 0, () => otherwise!)
}

async function wrongCall(context: CheckContext, group: CallGroup, call: Call, outcome: Outcome): Promise<Otherwise> {
  const { file, name, read } = group
  const due = call.returns === REJECTED ? 'throw MalformedError' : `return ${format(call.returns)}`
  const misconception = isTodo(outcome) ? undefined : await why(context, group, call, outcome)
  const rule = call.because === undefined ? '' : `. ${call.because}`
  return {
    expected: `${name}(${call.shown ?? call.args.map(format).join(', ')}) to ${due}: ${call.about}${rule}`,
    found: describeOutcome(outcome),
    misconception,
    failing: { file, name, calls: [{ method: name, args: call.args }] },
    read,
  }
}

function fits({ tolerance = ROUNDING, accepts }: CallGroup, { returns }: Call, outcome: Outcome): boolean {
  if (returns === REJECTED) return isMalformed(outcome)
  return outcome.ok && (accepts?.(outcome.value, returns) ?? same(outcome.value, returns, tolerance))
}

const OUTLIVED =
  'Called alone, with no call before it, it does what it should. So something is kept outside of the function that makes the next call wrong.'
const BUFFER =
  'It is right when the bytes fill their buffer. But they may be a part of a larger one, as what comes from a socket is: `bytes.buffer` begins somewhere else. A view has to say where: `new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)`.'

async function why(context: CheckContext, group: CallGroup, call: Call, outcome: Outcome): Promise<string | undefined> {
  if (!outcome.ok) {
    const { misconception } = manners(outcome)
    if (outcome.error.kind !== 'threw' || misconception !== undefined) return misconception
  }
  const { file, name, misconceptions = [], tolerance = ROUNDING } = group
  const known = recognise(misconceptions, call.args, foundIn(outcome), tolerance)
  if (known !== undefined) return known
  for (const [whole, says] of [
    [false, OUTLIVED],
    [true, BUFFER],
  ] as const) {
    if (fits(group, call, await context.student.alone(file, name, call.args, whole))) return says
  }
  if (!outcome.ok) return explainError(call.returns)
  if (format(outcome.value).includes('[object Promise]')) return NO_AWAIT
  return numberInPlaceOfBigint(outcome.value, call.returns)
    ? 'The number is right, but it is a number; expected a bigint, as in 37n.'
    : undefined
}

function explainError(expected: unknown): string | undefined {
  if (expected === REJECTED) {
    return 'An error that JavaScript throws by itself is an accident, not a check: whoever calls this expects MalformedError.'
  }
  return expected === undefined ? 'Here undefined is due, and no error: nobody has done anything wrong.' : undefined
}

function numberInPlaceOfBigint(found: unknown, expected: unknown): boolean {
  if (typeof expected === 'bigint') return typeof found === 'number' && BigInt(Math.trunc(found)) === expected
  if (typeof expected !== 'object' || expected === null || typeof found !== 'object' || found === null) return false
  return Object.entries(expected).some(([key, value]) =>
    numberInPlaceOfBigint((found as Record<string, unknown>)[key], value),
  )
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

/** What became of one call: its value, or what was thrown and where; and what it has printed. */
export function describeOutcome(outcome: Outcome): string {
  if (outcome.ok) return format(outcome.value) + printedText(outcome.output)
  return isTodo(outcome) ? `not written yet (${outcome.error.message})` : thrownAt(outcome.error)
}

/** Has it thrown MalformedError, or a class of the student's below it? */
export function isMalformed(outcome: Outcome): boolean {
  if (outcome.ok || outcome.error.kind !== 'threw') return false
  return outcome.error.classes?.includes('MalformedError') === true
}

/** The value of a call that has to return something; else the check ends. */
export function resultOf<T>(outcome: Outcome<T>, expected: string, read: readonly Reading[]): T {
  if (outcome.ok) return outcome.value
  throw new CheckFailure({ expected, found: describeOutcome(outcome), ...manners(outcome), read })
}

/** Why a call has no result, where that is certain whatever it should have returned: an endless loop, say, or a changed argument. */
export function manners(outcome: Outcome | undefined): { misconception?: string } {
  const misconception = outcome?.ok === false ? feedbackOf(outcome.error).misconception : undefined
  return misconception === undefined ? {} : { misconception }
}

/** Ends a check with feedback, from anywhere in it. */
export function fail(feedback: ConstructorParameters<typeof CheckFailure>[0]): never {
  throw new CheckFailure(feedback)
}

export function isTodo(outcome: Outcome): boolean {
  return !outcome.ok && outcome.error.kind === 'threw' && /\bTODO\b/.test(outcome.error.message)
}

/**
 * In one call alone, one misconception looks like another. So those come first that give what was found in every call of the group;
 * where they are `exact`, there are no others.
 */
function mostLikely(
  { calls, misconceptions = [], exact, tolerance }: CallGroup,
  outcomes: readonly Outcome[],
): Misconception[] {
  const contradicts = (one: Misconception, { args }: Call, outcome: Outcome) => {
    try {
      const value = (one.would as (...args: unknown[]) => unknown)(...args)
      return recognise([{ ...one, would: () => value }], args, foundIn(outcome), tolerance) === undefined
    } catch {
      return false // The idea does not apply to this input.
    }
  }
  const explains = (one: Misconception) => !calls.some((call, index) => contradicts(one, call, outcomes[index]))
  const likely = misconceptions.filter(explains)
  return exact ? likely : [...likely, ...misconceptions]
}

/** A value, REJECTED, or what is equal to nothing. */
function foundIn(outcome: Outcome): unknown {
  return outcome.ok ? outcome.value : isMalformed(outcome) ? REJECTED : outcome
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
      const wrong = (would as (...args: unknown[]) => unknown)(...args)
      if (typeof wrong === 'function' ? wrong(found) : same(found, wrong, tolerance)) return says
    } catch {
      // The idea does not apply to this input.
    }
  }
  return undefined
}

function times(count: number): string {
  return count === 1 ? 'once' : `${count} times`
}
