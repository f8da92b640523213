/**
 * "Break it": the student writes a test, which is tried on implementations that are sound and on others that are broken.
 *
 *     // break-search.ts, the student's                      // subject.ts, which the check puts beside it
 *     import { PathMtuSearch } from './subject.ts'            export class PathMtuSearch { …
 *     export function test(): void { … }
 *
 * The test returns when it finds nothing wrong, and throws when it does. So it has to return for the sound one, in whatever way that is
 * written, and to throw for each of the broken ones. Every subject is loaded in a process of its own.
 */
import { cpSync, lstatSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { CheckContext, Reading } from '../lab/types.ts'
import { openStudentCode } from '../student-code/student-code.ts'
import { StudentError } from '../student-code/types.ts'
import { describeOutcome, isTodo } from './calls.ts'

/** What the student's test imports: `./subject.ts`. */
const SUBJECT_FILE = 'subject.ts'

export interface Trial {
  /** The student's, which exports `test`. */
  file: string
  /** The file with the sound implementation, from the top of the repository. */
  subject: string
  /** TypeScript that imports nothing: that implementation, and others that do the same. */
  sound: readonly string[]
  /** `fault`: what is wrong with it, to be read after "one of which this is true". */
  broken: readonly { fault: string; text: string }[]
  read: readonly Reading[]
  /** Draws how far it has come. `caught`: what the test threw; undefined: it returned. */
  show?(results: readonly { fault: string; caught: string | undefined }[]): void
}

/** Fails the check when the test fails what is sound, or returns for one that is broken. */
export async function expectBroken(context: CheckContext, task: Trial): Promise<void> {
  const { file, subject, sound, broken, read } = task
  for (const [index, text] of sound.entries()) {
    const name = index === 0 ? 'the sound one' : 'another one that does the same'
    const error = await context.do(`try your test on ${name}`, () => thrownAtSubject(context, file, text))
    context.expect(`it takes ${name} for sound`, error === undefined, () => ({
      expected: `test() in ${file} to return: ${subject} does what it should`,
      found: describeOutcome({ ok: false, error: error! }),
      // Beside the student's files there is the sound one, too.
      ...(index === 0 ? { failing: { file, name: 'test', calls: [{ method: 'test', args: [] }] } } : {}),
      ...(isTodo({ ok: false, error: error! })
        ? {}
        : {
            misconception:
              'A test that fails what is right tests something else. Expect what is promised, and nothing that is left open.',
          }),
      read,
    }))
  }
  const results: { fault: string; caught: string | undefined }[] = []
  for (const { fault, text } of broken) {
    const error = await context.do(`try it on one of which this is true: ${fault}`, () =>
      thrownAtSubject(context, file, text),
    )
    results.push({ fault, caught: error?.message })
    task.show?.(results)
    context.progress(results.length, broken.length, 'broken ones tried')
  }
  const missed = results.filter(({ caught }) => caught === undefined).map(({ fault }) => fault)
  context.expect('it finds out each of the broken ones', missed.length === 0, () => ({
    expected: `test() in ${file} to throw for each of ${broken.length} broken ones`,
    found: [`it returns for ${missed.length} of them:`, ...missed.map(fault => `- ${fault}`)].join('\n'),
    read,
  }))
}

/** What the student's test throws at this subject. Other ends of it end the check. */
async function thrownAtSubject(
  context: CheckContext,
  file: string,
  subject: string,
): Promise<StudentError | undefined> {
  const folder = join(await context.scratch(), 'subject')
  cpSync(context.exercises, folder, { recursive: true, filter: path => !lstatSync(path).isSymbolicLink() })
  writeFileSync(join(folder, SUBJECT_FILE), subject)
  const code = openStudentCode({ exercises: folder })
  context.defer(() => code.close())
  try {
    await code.call(file, 'test')
    return undefined
  } catch (error) {
    if (error instanceof StudentError && error.kind === 'threw') return error
    throw error
  } finally {
    await code.close()
  }
}
