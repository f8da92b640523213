/** A `StudentError` in words for the student, in the form of a check's feedback. */
import { stripVTControlCharacters } from 'node:util'
import type { Otherwise } from '../lab/types.ts'
import type { StudentError } from '../student-code/types.ts'

const CALLERS =
  'What a function is given belongs to its caller, who may go on using it. Change a copy: `bytes.slice()`, `[...list]`, `{ ...object }`.'

/** What an async function returns is used as if it were the value. */
export const NO_AWAIT =
  'A Promise was used in place of its value: an async function returns one. Either await it, or drop the async.'

/** The beginning of the output that is repeated in feedback: characters, and lines. */
const SHOWN_OUTPUT = 600
const SHOWN_LINES = 10

/** What was thrown, where, and what was printed before: as many lines. */
export function thrownAt(error: StudentError): string {
  const thrown = error.errorName ? `${error.errorName}: ${error.message}` : error.message
  const source = error.source?.trim() ? `\n    ${error.source.trim()}` : ''
  const output = error.kind === 'memory' ? '' : printedText(error.output)
  // Who calls it is known, but not where it is.
  const where =
    error.kind === 'timeout' && error.where !== '' ? `${error.where}, or a file that it imports` : error.where
  return `${where === '' ? '' : `${where}: `}${thrown}${source}${output}`
}

/** A line that begins with "It printed:", and those after it; nothing when nothing was printed. */
export function printedText(output = ''): string {
  const whole = stripVTControlCharacters(output).trimEnd()
  if (whole === '') return ''
  const lines = whole.split('\n')
  const shown = lines.slice(0, SHOWN_LINES).join('\n').slice(0, SHOWN_OUTPUT)
  return `\nIt printed: ${lines.length > 1 ? '\n' : ''}${shown}${shown === whole ? '' : ' …'}`
}

export function feedbackOf(error: StudentError): Otherwise {
  const file = error.file ?? 'the file'
  const during = error.during ?? 'the call'
  const found = thrownAt(error)
  switch (error.kind) {
    case 'missing-file':
      return { expected: `your code in ${file}, in the exercise folder`, found: error.message }
    case 'compile':
      return { expected: `${file} to be TypeScript that compiles`, found }
    case 'import':
      return {
        expected: `${file} to load; it may declare things and compute constants while it is loaded, nothing more`,
        found,
      }
    case 'missing-export':
      return {
        expected: `${file} to export what the task names`,
        found,
        misconception: 'Only what is marked with `export`, under exactly this name, can be called from outside.',
      }
    case 'changed-input':
      return {
        expected: `${during} to leave its arguments as they are`,
        found,
        misconception: CALLERS,
      }
    case 'changed-output':
      return {
        expected: `${during} to return something new each time`,
        found,
        misconception:
          'Is one array or object kept outside of the function, and returned by every call? Who asks twice then finds the second result in place of the first.',
      }
    case 'threw':
      if (/read only property|object is not extensible|Cannot delete property/.test(error.message))
        return { expected: `${during} to leave its arguments as they are`, found, misconception: CALLERS }
      if (error.message.includes('[object Promise]'))
        return { expected: `${during} to return a result`, found, misconception: NO_AWAIT }
      return { expected: `${during} to return a result`, found }
    case 'timeout':
      return {
        expected: `${during} to end`,
        found,
        misconception:
          'Is there a loop whose condition never becomes false, or an await for something that never comes?',
      }
    case 'memory':
      return {
        expected: `${during} to manage with the memory there is`,
        found,
        misconception: 'Is something collected that is never let go, or an array made as long as the input says it is?',
      }
    case 'exited':
      return {
        expected: `${during} to return a result`,
        found,
        misconception:
          'An exercise returns its result, or throws. It does not end the process: then nothing has been shown.',
      }
    case 'output':
      return {
        expected: `${during} to print next to nothing; what counts is what it returns`,
        found,
        misconception: 'Is there a console.log in a loop?',
      }
    case 'not-cloneable':
      return { expected: `${during} to return plain data: numbers, strings, bytes, arrays and objects of them`, found }
  }
}
