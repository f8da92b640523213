/** The parameters of a request's query, each checked; a wrong one is a problem that says what was found and what is expected. */
import type { Request } from 'express'
import { Problem } from './problem.ts'

export interface Parameter<T> {
  /** Continues "expected …". */
  readonly expected: string
  /** Undefined: it will not do. */
  parse(text: string): T | undefined
  /** What it is when it is left out. */
  readonly otherwise: T
}

type Values<P> = { [Name in keyof P]: P[Name] extends Parameter<infer T> ? T : never }

/** Throws a Problem (400) that lists everything that is wrong. A parameter that is not there is wrong, too: it may be a slip of the pen. */
export function readQuery<P extends Record<string, Parameter<unknown>>>({ query }: Request, parameters: P): Values<P> {
  const errors: { parameter: string; detail: string }[] = []
  const values: Record<string, unknown> = {}
  for (const name of Object.keys(query)) {
    if (Object.hasOwn(parameters, name)) continue
    const known = Object.keys(parameters)
    const expected = known.length === 0 ? 'none at all' : known.join(', ')
    errors.push({ parameter: shown(name), detail: `there is no such parameter; expected ${expected}` })
  }
  for (const [name, { expected, parse, otherwise }] of Object.entries(parameters)) {
    const text = query[name]
    const value = text === undefined ? otherwise : typeof text === 'string' ? parse(text) : undefined
    if (text !== undefined && value === undefined) {
      errors.push({ parameter: name, detail: `found ${shown(JSON.stringify(text))}, expected ${expected}` })
    }
    values[name] = value
  }
  if (errors.length > 0) {
    const detail = errors.map(({ parameter, detail }) => `${parameter}: ${detail}`).join('; ')
    throw new Problem(400, detail, { members: { errors } })
  }
  return values as Values<P>
}

export function wholeNumber<T extends number | undefined>(from: number, to: number, otherwise: T): Parameter<T> {
  return {
    expected: `a number from ${from} to ${to}`,
    parse: text => (/^(0|[1-9][0-9]{0,15})$/.test(text) && +text >= from && +text <= to ? (+text as T) : undefined),
    otherwise,
  }
}

/** As JSON writes numbers. */
export function number(from: number, to: number): Parameter<number | undefined> {
  return {
    expected: `a number from ${from} to ${to}`,
    parse: text =>
      text.length <= 32 && /^-?(0|[1-9][0-9]*)(\.[0-9]+)?(e[+-]?[0-9]+)?$/i.test(text) && +text >= from && +text <= to
        ? Math.abs(+text)
        : undefined,
    otherwise: undefined,
  }
}

/** What fits the pattern as a whole. */
export function matching(pattern: RegExp, expected: string): Parameter<string | undefined> {
  return { expected, parse: text => (pattern.test(text) ? text : undefined), otherwise: undefined }
}

export function oneOf<const W extends string, T extends W | undefined>(
  words: readonly W[],
  otherwise: T,
): Parameter<W | T> {
  return {
    expected: `one of ${words.join(', ')}`,
    parse: text => words.find(word => word === text),
    otherwise,
  }
}

/** Any text; there may be nothing that fits it. */
export function anyText(longest: number): Parameter<string | undefined> {
  return {
    expected: `at most ${longest} characters`,
    parse: text => (text.length <= longest ? text : undefined),
    otherwise: undefined,
  }
}

/** Words with commas between them, each at most once. */
export function listOfWords<const W extends string>(
  words: readonly W[],
  otherwise: readonly W[],
): Parameter<readonly W[]> {
  return {
    expected: `a list of ${words.join(', ')}, with commas, each at most once`,
    parse: text => {
      const found = text.split(',')
      const known = words.filter(word => found.includes(word))
      return known.length === found.length ? known : undefined
    },
    otherwise,
  }
}

/** No more of it than helps. */
function shown(text: string): string {
  return text.length <= 80 ? text : `${text.slice(0, 80)}…`
}
