/**
 * What a student answers in words is one more exercise file, `answers.toml`: it can be edited by hand, and it is handed
 * in and graded with the others.
 *
 *     [ping]
 *     host = "63"
 */
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse, TomlError } from 'smol-toml'
import { readRegularFile } from '../../../src/config/read-file.ts'
import type { Otherwise } from '../lab/types.ts'

export const ANSWERS_FILE = 'answers.toml'

/** By task, then by question. */
export type Answers = Record<string, Record<string, string>>

/** The file is there and cannot be read as TOML. */
export class AnswerFileError extends Error {
  readonly feedback: Otherwise

  constructor(feedback: Otherwise) {
    super(`expected ${feedback.expected}; found ${feedback.found}`)
    this.feedback = feedback
  }
}

/** A missing file is no answers. Numbers and booleans count as the text that was typed. Throws `AnswerFileError`. */
export function readAnswers(exercises: string): Answers {
  const file = join(exercises, ANSWERS_FILE)
  if (!existsSync(file)) return {}
  let parsed: Record<string, unknown>
  try {
    parsed = parse(readRegularFile(file).toString('utf8'))
  } catch (error) {
    const where = error instanceof TomlError ? ` line ${error.line}, column ${error.column}` : ''
    const what = error instanceof Error ? error.message.split('\n')[0] : String(error)
    throw new AnswerFileError({
      expected: `${ANSWERS_FILE} to be TOML: a [section] for each task, and lines like name = "answer"`,
      found: `${file}${where}: ${what}`,
    })
  }
  const answers: Answers = {}
  for (const [task, section] of Object.entries(parsed)) {
    if (typeof section !== 'object' || section === null || Array.isArray(section)) continue
    answers[task] = {}
    for (const [question, value] of Object.entries(section)) {
      if (['string', 'number', 'bigint', 'boolean'].includes(typeof value))
        answers[task][question] = String(value).trim()
    }
  }
  return answers
}

/**
 * Writes one answer into its line and leaves every other line, also comments, as it is. A section or a line that is not
 * there is added.
 */
export function writeAnswer(exercises: string, task: string, question: string, answer: string): void {
  readAnswers(exercises) // a file with a mistake in it is for the student to mend, not for us to write into
  const file = join(exercises, ANSWERS_FILE)
  const lines = existsSync(file) ? readFileSync(file, 'utf8').replace(/\n$/, '').split('\n') : []
  // JSON's strings are TOML's, but for two kinds of characters that nobody means to type.
  const line = `${question} = ${JSON.stringify(answer.replace(/\u007f|\p{Cs}/gu, ''))}`
  const section = lines.findIndex(text => sectionName(text) === task)
  if (section < 0) {
    if (lines.length > 0) lines.push('')
    lines.push(`[${task}]`, line)
  } else {
    const next = lines.findIndex((text, index) => index > section && sectionName(text) !== undefined)
    const end = next < 0 ? lines.length : next
    const old = lines.findIndex(
      (text, index) => index > section && index < end && text.split('=')[0].trim() === question && text.includes('='),
    )
    if (old >= 0) lines[old] = line
    else {
      let at = end
      while (at > section + 1 && lines[at - 1].trim() === '') at--
      lines.splice(at, 0, line)
    }
  }
  const fresh = `${file}.new`
  writeFileSync(fresh, `${lines.join('\n')}\n`)
  renameSync(fresh, file)
}

function sectionName(line: string): string | undefined {
  return /^\s*\[([\w-]+)\]\s*(#.*)?$/.exec(line)?.[1]
}
