/**
 * Known-wrong solutions of a task, kept as edits of its reference solution: a reader sees the mistake and nothing else, and
 * when the solution changes under an edit, that is an error. A task has them in `labs/<lab>/mutants/<task>.ts`.
 */
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Lab } from '../lab/types.ts'

/** What stands in the reference solution, exactly once, and what the mutant has there. Any blanks are like any others. */
export type Edit = readonly [find: string, replace: string]

interface Entry {
  /** What the student believes or has forgotten. */
  misconception: string
  /** Words that the feedback has to contain. */
  says: string
  /** The file that is edited, where it is not that of the catalogue. */
  file?: string
  edits: readonly [Edit, ...Edit[]]
  /** Only software of others finds it out: the check runs with it, and where that is not installed, nothing is known of this mutant. */
  withOthers?: true
  /** Why it does not pass the type checker. */
  untyped?: string
}

export interface Mutant extends Entry {
  id: string
  file: string
}

/** The catalogue of a task, whose mutants are edits of `file`. By id, which never changes: hidden inputs depend on it. */
export function mutants(file: string, entries: Readonly<Record<string, Entry>>): readonly Mutant[] {
  return Object.entries(entries).map(([id, entry]) => ({ file, ...entry, id }))
}

/**
 * Mutations (mutations.ts) that change nothing which can be observed: by file and by the reason, the lines in which something
 * changes, before and after. A lab keeps them in `labs/<lab>/mutants/equivalent.ts`.
 */
export type Equivalents = Readonly<Record<string, Readonly<Record<string, readonly Edit[]>>>>

const EQUIVALENTS = 'equivalent.ts'

export async function loadEquivalents(root: string, lab: Pick<Lab, 'id'>): Promise<Equivalents> {
  const file = join(root, 'labs', lab.id, 'mutants', EQUIVALENTS)
  if (!existsSync(file)) return {}
  const { default: equivalents }: { default: Equivalents } = await import(pathToFileURL(file).href)
  return equivalents
}

/** The catalogues of a lab, by task. */
export async function loadMutants(root: string, lab: Pick<Lab, 'id'>): Promise<Map<string, readonly Mutant[]>> {
  const folder = join(root, 'labs', lab.id, 'mutants')
  const files = existsSync(folder)
    ? readdirSync(folder).filter(name => name.endsWith('.ts') && name !== EQUIVALENTS)
    : []
  const catalogues = new Map<string, readonly Mutant[]>()
  for (const file of files.sort()) {
    const { default: catalogue }: { default: readonly Mutant[] } = await import(pathToFileURL(join(folder, file)).href)
    catalogues.set(file.slice(0, -'.ts'.length), catalogue)
  }
  return catalogues
}

/** The mutant's file. Throws an Error that names the text which does not stand in the reference solution exactly once. */
export function mutated({ id, file, edits }: Mutant, reference: string): string {
  const places = edits.map(([find, replace]) => {
    const [place, ...more] = reference.matchAll(pattern(find))
    if (!place || more.length > 0) {
      const times = place ? `${more.length + 1} times` : 'nowhere'
      throw new Error(`${id}: expected once in the solution's ${file}, found ${times}: ${find}`)
    }
    return { from: place.index, to: place.index + place[0].length, replace: replace.trim() }
  })
  let text = ''
  let at = 0
  for (const { from, to, replace } of places.sort((a, b) => a.from - b.from)) {
    if (from < at) throw new Error(`${id}: two edits of ${file} overlap`)
    text += reference.slice(at, from) + replace
    at = to
  }
  return text + reference.slice(at)
}

function pattern(find: string): RegExp {
  const words = find.trim().split(/\s+/)
  return new RegExp(words.map(word => word.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&')).join('\\s+'), 'g')
}
