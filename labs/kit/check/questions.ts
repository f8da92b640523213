/** Judges what a student answers in words: right in whatever way it is written, and told so where it cannot be understood. */
import type { CheckContext, Otherwise, Question, Reading, Task, Units } from '../lab/types.ts'
import { CheckFailure } from './check-failure.ts'

/** What to say about each wrong answer that somebody has an idea behind; by letter, or by number. */
export type WrongAnswers = Readonly<Record<string, string>>

/** For a time that is asked for in ms. */
export const MILLISECONDS = { ms: 1, milliseconds: 1, s: 1000, seconds: 1000, sec: 1000 } as const

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
    misconception,
    failing: 'none',
    read,
  })
}

/** A judgement for each of these questions, by its id. */
export function expectChoices(
  choices: Readonly<Record<string, { right: string; wrong: WrongAnswers }>>,
  read: readonly Reading[],
): ((context: CheckContext) => void)[] {
  return Object.entries(choices).map(([question, choice]) => context => {
    expectChoice(context, question, { ...choice, read })
  })
}

/** Makes all of these judgements, and says at once what each of them has found wrong. */
export function expectEach(context: CheckContext, judgements: readonly ((context: CheckContext) => void)[]): void {
  const failed: { text: string; feedback: Otherwise }[] = []
  // Its own `expect` notes the step, and throws for the judgement that it belongs to.
  const noting: CheckContext = Object.assign(Object.create(context), {
    expect(text: string, holds: unknown, otherwise: Otherwise | (() => Otherwise)) {
      try {
        context.expect(text, holds, otherwise)
      } catch (error) {
        failed.push({ text, feedback: typeof otherwise === 'function' ? otherwise() : otherwise })
        throw error
      }
    },
  })
  let last: unknown
  for (const judge of judgements) {
    const before = failed.length
    try {
      judge(noting)
    } catch (error) {
      if (failed.length === before) throw error
      last = error
    }
  }
  if (failed.length === 0) return
  if (failed.length === 1) throw last
  const lines = failed.map(({ text, feedback: { found, misconception = '' } }) =>
    `${text}: ${found}. ${misconception}`.trim(),
  )
  throw new CheckFailure({
    expected: [...new Set(failed.map(({ feedback }) => feedback.expected))].join('\n'),
    found: [`${failed.length} of ${judgements.length} are not right yet`, ...lines].join('\n'),
    ...(failed.every(({ feedback }) => feedback.failing === 'none') && { failing: 'none' as const }),
    read: [...new Set(failed.flatMap(({ feedback }) => feedback.read ?? []))].slice(0, 4),
  })
}

/** Fails the check unless this question is answered with a number, and with one that is `right`. Returns it. */
export function expectNumber(
  context: CheckContext,
  question: string,
  asked: Omit<Asked, 'wrong'> & {
    right: number | ((value: number) => boolean)
    wrong?: WrongAnswers | ((value: number) => string | undefined)
    units?: Units
  },
): number {
  const { right, wrong = {}, read, text = `you answer the question "${question}"`, units = [] } = asked
  const { value, problem } = numberIn(context.answers[question], units)
  const misconception = typeof wrong === 'function' ? (Number.isNaN(value) ? undefined : wrong(value)) : wrong[value]
  context.expect(text, problem === undefined && (typeof right === 'number' ? value === right : right(value)), {
    expected: asked.expected ?? `a number for "${question}", and the right one`,
    found: quoted(context, question, problem === undefined ? '' : `; ${problem}`),
    misconception,
    failing: 'none',
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

/** The letter of a choice that is given in words: "The proxy." for "the proxy"; anything else as it is. */
export function choiceIn({ choices = {} }: Question, answer: string): string {
  const bare = (text: string) => text.trim().toLowerCase().replace(/\.$/, '')
  return Object.keys(choices).find(letter => bare(choices[letter]) === bare(answer)) ?? answer
}

/**
 * What is given on the command line, by question: `host=63` for the one that is named, `63` for the next one where each of them
 * is given, or there is only one. Throws an Error that says what is wrong.
 */
export function givenAnswers(task: Pick<Task, 'id' | 'questions'>, given: readonly string[]): Map<string, string> {
  const ids = task.questions.map(({ id }) => id)
  const answers = new Map<string, string>()
  const unnamed: string[] = []
  for (const one of given) {
    const [, key = '', text = ''] = /^\s*([A-Za-z][\w-]*)\s*=(.*)$/s.exec(one) ?? []
    if (ids.includes(key)) answers.set(key, text.trim())
    else if (key !== '') throw new Error(`task '${task.id}' has no question '${key}'; it asks ${ids.join(', ')}`)
    else unnamed.push(one.trim())
  }
  const open = ids.filter(id => !answers.has(id))
  if (unnamed.length > open.length)
    throw new Error(
      `task '${task.id}' asks ${ids.length} question(s), and one more answer was given: ${unnamed.at(-1)}`,
    )
  if (unnamed.length > 0 && unnamed.length < open.length)
    throw new Error(
      `which question is "${unnamed[0]}" the answer to? ${open.map(id => `--answer ${id}=…`).join(' or ')}`,
    )
  for (const [at, text] of unnamed.entries()) answers.set(open[at], text)
  return answers
}

const WORDS = ['zero', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine', 'ten']

/**
 * `61`, `61 addresses`, `61.0`, `1,500`, `0x3d`, `one`. `problem`: what is not understood, such as the comma of `0,5`. A unit that is only allowed
 * changes nothing.
 */
export function numberIn(answer = '', units: Units = []): { value: number; problem?: string } {
  const text = answer.trim().toLowerCase()
  const [, digits = '', unit = ''] = /^(0x[0-9a-f]+|[-+]?[\d.,]+|[a-z]+)\s*(.*)$/.exec(text) ?? []
  const factor =
    unit === ''
      ? 1
      : Array.isArray(units)
        ? units.includes(unit)
          ? 1
          : undefined
        : (units as Readonly<Record<string, number>>)[unit]
  if (factor === undefined) return { value: Number.NaN, problem: `"${unit}" is no unit of this number` }
  const plain = /^[-+]?[1-9]\d{0,2}(,\d{3})+(\.\d+)?$/.test(digits) ? digits.replaceAll(',', '') : digits
  if (/^[-+]?\d+,\d+$/.test(plain)) {
    return { value: Number.NaN, problem: `with a decimal point, please: ${plain.replace(',', '.')}` }
  }
  const word = WORDS.indexOf(digits)
  const value = (word >= 0 ? word : plain === '' ? Number.NaN : Number(plain)) * factor
  return Number.isNaN(value) ? { value, problem: 'a number is asked for' } : { value }
}
