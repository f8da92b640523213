/** Judges what a student answers in words: right in whatever way it is written, and told so where it cannot be understood. */
import type { CheckContext, Reading } from '../lab/types.ts'

/** What to say about each wrong answer that somebody has an idea behind; by letter, or by number. */
export type WrongAnswers = Readonly<Record<string, string>>

interface Asked {
  /** The step, in the student's words. Default: the question's id. */
  text?: string
  /** What is asked for, without giving it away. */
  expected?: string
  wrong?: WrongAnswers
  read: readonly Reading[]
}

/** Fails the check unless this question is answered with the letter `right`. */
export function expectChoice(context: CheckContext, question: string, asked: Asked & { right: string }): void {
  const { right, wrong = {}, read, text = `you answer the question "${question}"` } = asked
  const letters = [right, ...Object.keys(wrong)].sort()
  const given = letterIn(context.answers[question])
  const misconception = wrong[given]
  context.expect(text, given === right, {
    expected: asked.expected ?? `one of the letters ${letters.join(', ')} for "${question}", and the right one`,
    found: quoted(context, question, letters.includes(given) ? '' : `; the answers are ${letters.join(', ')}`),
    ...(misconception === undefined ? {} : { misconception }),
    read,
  })
}

/** Fails the check unless this question is answered with a number, and with one that is `right`. Returns it. */
export function expectNumber(
  context: CheckContext,
  question: string,
  asked: Asked & { right: number | ((value: number) => boolean); units?: readonly string[] },
): number {
  const { right, wrong = {}, read, text = `you answer the question "${question}"`, units = [] } = asked
  const { value, problem } = numberIn(context.answers[question], units)
  const misconception = wrong[value]
  context.expect(text, problem === undefined && (typeof right === 'number' ? value === right : right(value)), {
    expected: asked.expected ?? `a number for "${question}", and the right one`,
    found: quoted(context, question, problem === undefined ? '' : `; ${problem}`),
    ...(misconception === undefined ? {} : { misconception }),
    read,
  })
  return value
}

/** `the answer "61 cats", …`; `more` is what is wrong with its form. */
function quoted(context: CheckContext, question: string, more: string): string {
  const given = context.answers[question] ?? ''
  return given === '' ? `no answer yet to "${question}"` : `the answer "${given}"${more}`
}

/** `b`, `B)`, `(b)`, `b: because …`; anything else is no letter, and is returned as it is. */
export function letterIn(answer = ''): string {
  const text = answer.trim().toLowerCase()
  return /^\(?([a-z])(?:$|[).:])/.exec(text)?.[1] ?? text
}

const WORDS = ['zero', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine', 'ten']

/** `61`, `61 addresses`, `61.0`, `1,500`, `0x3d`, `one`. `problem`: what is not understood. Units that are allowed change nothing. */
export function numberIn(answer = '', units: readonly string[] = []): { value: number; problem?: string } {
  const text = answer.trim().toLowerCase()
  const [, digits = '', unit = ''] = /^(0x[0-9a-f]+|[-+]?[\d.,]+|[a-z]+)\s*(.*)$/.exec(text) ?? []
  if (unit !== '' && !units.includes(unit)) return { value: Number.NaN, problem: `"${unit}" is no unit of this number` }
  const plain = /^[-+]?\d{1,3}(,\d{3})+(\.\d+)?$/.test(digits) ? digits.replaceAll(',', '') : digits
  const word = WORDS.indexOf(digits)
  const value = word >= 0 ? word : plain === '' ? Number.NaN : Number(plain)
  return Number.isNaN(value) ? { value, problem: 'a number is asked for' } : { value }
}
