/**
 * A student's files, on their way into the scratch copy that is graded. What they are is not known: links, pipes, huge
 * or deep folders, names made to confuse. Only ordinary files that a lab has a use for are read, and copies are graded.
 */

import { createHash } from 'node:crypto'
import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { ANSWERS_FILE } from '../check/answers.ts'
import { MEASURED_FILE } from '../check/own-runs.ts'
import { exerciseFolder, startFolder, startingFiles } from '../lab/exercises.ts'
import type { Lab } from '../lab/types.ts'

const MAX_FILE_BYTES = 128 * 1024
const MAX_CONFIG_BYTES = 64 * 1024
const MAX_TOTAL_BYTES = 4 * 1024 * 1024
const MAX_DEPTH = 6
const MAX_ENTRIES = 2000
/** A name that means the same everywhere. */
const PLAIN_NAME = /^[A-Za-z0-9_][A-Za-z0-9_.-]*$/

export interface Files {
  /** By path below the exercise folder, with `/`. */
  files: Map<string, Buffer>
  notes: string[]
  /** When the newest of them was changed, in ms since 1970; of none, -Infinity. */
  newestMs: number
}

/** The files that belong to a lab: what its tasks name, and what it hands out. */
export function filesOf(root: string, lab: Lab): Set<string> {
  return new Set([...startingFiles(root, lab), ...lab.tasks.flatMap(task => task.files), ANSWERS_FILE])
}

/**
 * Reads a submission's files: those of the lab, and TypeScript that the student added beside them. A file with a second name may be
 * anybody's, of whom it is a copy: it is left out, unless the folder is `ours`.
 */
export function collect(folder: string, wanted: ReadonlySet<string>, ours = false): Files {
  const files = new Map<string, Buffer>()
  const notes: string[] = []
  let newestMs = Number.NEGATIVE_INFINITY
  let entries = 0
  let total = 0
  const visit = (below: string, depth: number): void => {
    const names = readdirSync(join(folder, below)).sort()
    for (const name of names) {
      if (++entries > MAX_ENTRIES) {
        if (entries === MAX_ENTRIES + 1)
          notes.push(`more than ${MAX_ENTRIES} files were handed in; the rest was left out`)
        return
      }
      if (!PLAIN_NAME.test(name) || name === 'node_modules') continue
      const path = below === '' ? name : `${below}/${name}`
      const info = lstatSync(join(folder, path), { throwIfNoEntry: false })
      if (info?.isDirectory()) {
        if (depth < MAX_DEPTH) visit(path, depth + 1)
        else notes.push(`folders below ${path.slice(0, 60)} were left out: too deep`)
        continue
      }
      if (!wanted.has(path) && !name.endsWith('.ts')) continue
      const leftOut =
        info === undefined
          ? 'gone'
          : info.isSymbolicLink()
            ? 'a symbolic link'
            : !info.isFile()
              ? 'not an ordinary file'
              : info.nlink > 1 && !ours
                ? 'the same file is somewhere else, too (a hard link)'
                : ''
      const limit = path.endsWith('.toml') ? MAX_CONFIG_BYTES : MAX_FILE_BYTES
      if (leftOut !== '') notes.push(`${path} was left out: ${leftOut}`)
      else if (info!.size > limit) notes.push(`${path} was left out: ${info!.size} bytes, at most ${limit} are read`)
      else if (total + info!.size > MAX_TOTAL_BYTES) notes.push(`${path} was left out: the submission is too large`)
      else {
        const content = readOrdinary(join(folder, path), ours)
        total += content.length
        files.set(path, content)
        newestMs = Math.max(newestMs, info!.mtimeMs)
      }
    }
  }
  visit('', 0)
  return { files, notes, newestMs }
}

/** Reads a file that has just been seen to be an ordinary one, and looks again at what was opened. */
function readOrdinary(path: string, ours: boolean): Buffer {
  const descriptor = openSync(path, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0))
  try {
    const info = fstatSync(descriptor)
    if (!info.isFile() || (info.nlink > 1 && !ours)) throw new Error(`${path} is not an ordinary file`)
    return readFileSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
}

/** Fills the exercise folder of a scratch copy: the starting files, and over them each of `layers`. */
export function overlay(root: string, scratch: string, lab: Lab, layers: readonly ReadonlyMap<string, Buffer>[]): void {
  const folder = exerciseFolder(scratch, lab)
  mkdirSync(folder, { recursive: true })
  const files = new Map<string, Buffer>()
  for (const file of startingFiles(root, lab)) files.set(file, readFileSync(join(startFolder(root, lab), file)))
  for (const layer of layers) for (const [file, content] of layer) files.set(file, content)
  for (const [file, content] of files) {
    const target = join(folder, file)
    mkdirSync(dirname(target), { recursive: true })
    writeFileSync(target, content)
  }
}

/**
 * What shows that two students have handed in the same: code as a whole, and each `[[run]]` that a lab's program has measured. Of other
 * files nothing, and nothing of the few figures that checks keep (`recordRun`): two honest students may well have the same ones.
 */
export function fingerprints(file: string, content: Buffer): [name: string, hash: string][] {
  if (file.endsWith('.ts')) return [[file, fingerprint(content)]]
  if (file !== MEASURED_FILE) return []
  const [, ...runs] = content.toString('utf8').split(/^\s*\[\[run\]\]/m)
  return runs.map(run => {
    const hash = fingerprint(Buffer.from(run))
    return [`${file}, run ${hash.slice(0, 6)}`, hash]
  })
}

/** Tells two texts apart that are not the same but for blanks and comments. */
function fingerprint(content: Buffer): string {
  const bare = content
    .toString('utf8')
    .replace(/\/\*[\s\S]*?\*\/|\/\/.*|^\s*#.*/gm, '')
    .replace(/\s+/g, '')
  return createHash('sha256').update(bare).digest('hex').slice(0, 16)
}
