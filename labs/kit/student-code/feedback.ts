/** A `StudentError` in words for the student, in the form of a check's feedback. */
import type { Otherwise } from '../lab/types.ts'
import type { StudentError } from './types.ts'

const CALLERS =
  'What a function is given belongs to its caller, who may go on using it. Change a copy: `bytes.slice()`, `[...list]`, `{ ...object }`.'

/** The beginning of the output that is repeated in feedback. */
const SHOWN_OUTPUT = 300

export function feedbackOf(error: StudentError): Otherwise {
  const file = error.file ?? 'the file'
  const during = error.during ?? 'the call'
  const thrown = error.errorName ? `${error.errorName}: ${error.message}` : error.message
  const source = error.source?.trim() ? `\n    ${error.source.trim()}` : ''
  const found = `${error.where === '' ? '' : `${error.where}: `}${thrown}${source}${outputOf(error)}`
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

function outputOf({ output, kind }: StudentError): string {
  if (output === undefined || output.trim() === '' || kind === 'memory') return ''
  const text = output.trimEnd().slice(0, SHOWN_OUTPUT)
  return `\nIt printed: ${text}${output.length > SHOWN_OUTPUT ? ' …' : ''}`
}
