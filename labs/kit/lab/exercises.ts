/**
 * A student's working copies. `labs/<lab>/start/` holds the files as a lab hands them out; `labs/<lab>/exercises/` is
 * where the student edits. Git ignores the latter, so `git pull` never meets a student's work.
 */
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { explain } from '../../../src/cli/run-command.ts'
import { withOwnPorts } from './own-ports.ts'
import type { Lab } from './types.ts'

/** The exercises cannot be written: one sentence says where and what to do. */
export class ExercisesError extends Error {
  override name = 'ExercisesError'
}

/** Where a lab's exercise files are under `root`. */
export function exerciseFolder(root: string, lab: Pick<Lab, 'id'>): string {
  return join(root, 'labs', lab.id, 'exercises')
}

/** Where they are as they are handed out. */
export function startFolder(root: string, lab: Pick<Lab, 'id'>): string {
  return join(root, 'labs', lab.id, 'start')
}

/** The starting files, as paths below `start/`, in alphabetical order. */
export function startingFiles(root: string, lab: Pick<Lab, 'id'>): string[] {
  const folder = startFolder(root, lab)
  if (!existsSync(folder)) return []
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile())
    .map(entry => relative(folder, join(entry.parentPath, entry.name)).replaceAll('\\', '/'))
    .sort()
}

/** Copies every starting file that the student does not have. Never writes over one; returns what was copied. */
export function ensureExercises(root: string, lab: Pick<Lab, 'id'>): string[] {
  const missing = startingFiles(root, lab).filter(file => !existsSync(join(exerciseFolder(root, lab), file)))
  for (const file of missing) copyStartingFile(root, lab, file)
  return missing
}

/** Tries that, and says in one sentence why it cannot be done: a lab can be looked at without them. */
export function exercisesProblem(root: string, lab: Pick<Lab, 'id'>): string | undefined {
  try {
    ensureExercises(root, lab)
    return undefined
  } catch (error) {
    if (error instanceof ExercisesError) return error.message
    throw error
  }
}

/**
 * Puts starting files back. What the student had is kept beside each as `<file>.bak-<time>`; a file that is as it was
 * handed out is left alone.
 */
export function resetExercises(
  root: string,
  lab: Pick<Lab, 'id'>,
  files: readonly string[],
  now: Date = new Date(),
): { file: string; backup: string | undefined }[] {
  const stamp = now.toISOString().replace(/[:.]/g, '-')
  const reset: { file: string; backup: string | undefined }[] = []
  for (const file of files) {
    const path = join(exerciseFolder(root, lab), file)
    if (existsSync(path)) {
      if (readFileSync(path).equals(handedOut(root, lab, file))) continue
      copyFileSync(path, `${path}.bak-${stamp}`)
    }
    reset.push({ file, backup: existsSync(path) ? `${file}.bak-${stamp}` : undefined })
    copyStartingFile(root, lab, file)
  }
  return reset
}

/** As this student gets it. */
function handedOut(root: string, lab: Pick<Lab, 'id'>, file: string): Buffer {
  return withOwnPorts(file, readFileSync(join(startFolder(root, lab), file)))
}

function copyStartingFile(root: string, lab: Pick<Lab, 'id'>, file: string): void {
  const target = join(exerciseFolder(root, lab), file)
  try {
    mkdirSync(dirname(target), { recursive: true })
    writeFileSync(target, handedOut(root, lab, file))
  } catch (cause) {
    const why = isForbidden(cause)
      ? `${target} cannot be written (${cause.code}), and your work would be there; clone the repository into a folder of your own, and open the lab in that clone`
      : explain(cause)
    throw new ExercisesError(why, { cause })
  }
}

/** The folder, or the file, is somebody else's. */
export function isForbidden(error: unknown): error is NodeJS.ErrnoException {
  return ['EACCES', 'EPERM', 'EROFS'].includes((error as NodeJS.ErrnoException).code ?? '')
}
