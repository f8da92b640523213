/**
 * How the checks of this lab read: a group of calls with what they have to return. The calls of a group go to the
 * student's process in one round trip. The first one whose outcome is not the expected one ends the check.
 */

import type { CheckContext, Reading } from '../../kit/lab/types.ts'
import { CheckFailure } from '../../kit/run/engine.ts'
import type { Outcome, StudentError } from '../../kit/student-code/student-code.ts'
import { type ReadField, showMessage } from '../byte-view.ts'
import { format, hex, same } from './format.ts'

/** In the place of a value: the call has to throw MalformedError. */
export const REJECTED = Symbol('MalformedError')

export interface Call {
  /** What is special about this input, in words that follow "decodeVarint, ": "the largest of two bytes". */
  about: string
  args: readonly unknown[]
  /** A value, or REJECTED. */
  returns: unknown
  /** Why, for a student who got it wrong: a rule that this call is about. */
  because?: string
}

/** A known way to be wrong: what a function would return that has it. */
export interface Misconception {
  says: string
  /** The value, or a function that recognises it. Throws when the idea does not apply to the input. */
  would: (...args: never[]) => unknown
}

export interface CallGroup {
  /** The step, in the student's words: "read the examples of RFC 9000". */
  text: string
  file: string
  name: string
  calls: readonly Call[]
  misconceptions?: readonly Misconception[]
  read: readonly Reading[]
  /** Bytes and fields for the panel. */
  view?: (call: Call) => { bytes: Uint8Array; fields: readonly ReadField[] } | undefined
}

export async function expectCalls(context: CheckContext, group: CallGroup): Promise<void> {
  const { file, name, calls } = group
  const outcomes = await context.do(`call ${name} ${times(calls.length)}`, () =>
    context.student.batch(
      file,
      name,
      calls.map(call => [...call.args]),
    ),
  )
  const wrong = calls.findIndex((call, index) => !holds(call, outcomes[index]))
  const shown = Math.max(0, wrong)
  showCall(context, group, calls[shown], outcomes[shown])
  context.expect(group.text, wrong < 0, () => {
    const call = calls[wrong]
    const outcome = outcomes[wrong]
    return {
      expected: `${name}(${call.args.map(format).join(', ')}) to ${call.returns === REJECTED ? 'throw MalformedError' : `return ${format(call.returns)}`}: ${call.about}`,
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
  return isTodo(error) ? `not written yet (${error.message})` : error.message
}

export function isMalformed(outcome: Outcome): boolean {
  return !outcome.ok && outcome.error.kind === 'threw' && outcome.error.errorName === 'MalformedError'
}

/** For the narrow column of the panel. */
export function briefly(error: StudentError): string {
  return isTodo(error) ? 'TODO' : error.kind === 'threw' ? (error.errorName ?? 'an error') : error.kind
}

function isTodo(error: StudentError): boolean {
  return error.kind === 'threw' && error.errorName === 'Error' && /\bTODO\b/.test(error.message)
}

function holds(call: Call, outcome: Outcome): boolean {
  return call.returns === REJECTED ? isMalformed(outcome) : outcome.ok && same(outcome.value, call.returns)
}

function explain(group: CallGroup, call: Call, outcome: Outcome): { misconception?: string } {
  if (outcome.ok) {
    for (const { says, would } of group.misconceptions ?? []) {
      try {
        const wrong = (would as (...args: unknown[]) => unknown)(...call.args)
        const fits = typeof wrong === 'function' ? wrong(outcome.value) : same(outcome.value, wrong)
        if (fits) return { misconception: says }
      } catch {
        // The idea does not apply to this input.
      }
    }
    const number = numberInPlaceOfBigint(call.returns, outcome.value)
    if (number) return { misconception: 'The number is right, but it is a number; expected a bigint, as in 37n.' }
  }
  return explainOutcome(call, outcome)
}

export function explainOutcome(call: Pick<Call, 'returns' | 'because'>, outcome: Outcome): { misconception?: string } {
  if (!outcome.ok && isTodo(outcome.error)) return {}
  if (!outcome.ok && outcome.error.kind !== 'threw') return {}
  if (!outcome.ok && call.returns === REJECTED) {
    return {
      misconception: `${call.because ? `${call.because} ` : ''}An error that JavaScript throws by itself is an accident, not a check: whoever calls this expects MalformedError.`,
    }
  }
  return call.because === undefined ? {} : { misconception: call.because }
}

function numberInPlaceOfBigint(expected: unknown, found: unknown): boolean {
  if (typeof expected === 'bigint') return typeof found === 'number' && BigInt(Math.trunc(found)) === expected
  if (typeof expected !== 'object' || expected === null || typeof found !== 'object' || found === null) return false
  return Object.entries(expected).some(([key, value]) =>
    numberInPlaceOfBigint(value, (found as Record<string, unknown>)[key]),
  )
}

function showCall(context: CheckContext, group: CallGroup, call: Call | undefined, outcome: Outcome | undefined): void {
  if (call === undefined || outcome === undefined) return
  const view = group.view?.(call)
  if (view === undefined) return
  let at = 0
  const fields = view.fields.map(field => {
    const { name, length, text } = field
    const bytes = view.bytes.subarray(at, (at += length))
    const student = field.path
      ? studentReading(field, outcome)
      : studentWriting(bytes, at - length, text, call, outcome)
    // A message that has to be refused: what is in its fields is not what was asked for.
    const refused = call.returns === REJECTED && isMalformed(outcome)
    if (refused) return { name, length, reference: text || 'MalformedError', student: text ? '' : student }
    return { name, length, reference: text, student }
  })
  showMessage(context, { title: `${group.name}: ${call.about}`, bytes: view.bytes, fields })
}

/** Of a function that writes bytes: what it wrote in this place. */
function studentWriting(bytes: Uint8Array, at: number, text: string, call: Call, outcome: Outcome): string {
  if (!(call.returns instanceof Uint8Array)) return ''
  if (!outcome.ok) return briefly(outcome.error)
  if (!(outcome.value instanceof Uint8Array)) return format(outcome.value)
  const written = outcome.value.subarray(at, at + bytes.length)
  return same(written, bytes) ? text : hex(written, 8)
}

/** The same field in what the student's function returned. */
function studentReading(field: ReadField, outcome: Outcome): string {
  if (field.path === undefined) return ''
  if (!outcome.ok) return briefly(outcome.error)
  let value: unknown = outcome.value
  for (const key of field.path) value = (value as Record<string | number, unknown> | undefined)?.[key]
  return value === undefined ? 'nothing' : (field.format ?? format)(value)
}

function times(count: number): string {
  return count === 1 ? 'once' : `${count} times`
}

/** Ends a check with feedback, from anywhere in it. */
export function fail(feedback: ConstructorParameters<typeof CheckFailure>[0]): never {
  throw new CheckFailure(feedback)
}
