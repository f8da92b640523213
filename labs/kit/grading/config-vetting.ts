/**
 * Looks at the configuration files of a submission before a check starts a server or a client from them. Those run in
 * the grading process, so what a configuration can name is kept inside the submission: a path that leads elsewhere
 * would be read, and a key log would be written.
 *
 * What else a configuration could do is bounded by the checks themselves (loopback, ports of their own, no log) and by
 * its schema.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join, relative, resolve, sep } from 'node:path'
import { parse } from 'smol-toml'
import { ANSWERS_FILE } from '../check/answers.ts'
import { exerciseFolder } from '../lab/exercises.ts'
import type { Feedback, Lab, Task } from '../lab/types.ts'

/** Keys whose values are paths of files that are read. */
const READ = new Set(['certificate', 'key', 'client_ca', 'ca', 'token_file', 'trace'])
/** Keys whose values are paths of files that are written. */
const WRITTEN = new Set(['key_log'])

/** Why a lab's checks must not be run with these configuration files, as feedback. */
export function vetConfigs(scratch: string, lab: Pick<Lab, 'id'>): Feedback | undefined {
  const folder = exerciseFolder(scratch, lab)
  if (!existsSync(folder)) return undefined
  const files = readdirSync(folder).filter(name => name.endsWith('.toml') && name !== ANSWERS_FILE)
  for (const file of files.sort()) {
    let content: unknown
    try {
      content = parse(readFileSync(join(folder, file), 'utf8'))
    } catch {
      continue // The check says what is wrong with it, and starts nothing.
    }
    const refused = findRefused(content, scratch, folder, [])
    if (refused) return { passed: false, read: [], ...refused, found: `${file}: ${refused.found}` }
  }
  return undefined
}

/** A check that reads configuration files; a coding task reads none. */
export function readsConfigs(task: Pick<Task, 'kind'>): boolean {
  return task.kind !== 'coding'
}

function findRefused(
  value: unknown,
  scratch: string,
  folder: string,
  keys: readonly string[],
): { expected: string; found: string } | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  for (const [key, item] of Object.entries(value)) {
    const path = [...keys, key]
    const found = `${path.join('.')} = ${JSON.stringify(item)}`.slice(0, 300)
    if (WRITTEN.has(key)) {
      return { expected: 'a configuration without a key log: nothing is written in grading', found }
    }
    if (READ.has(key) && typeof item === 'string') {
      const inside = relative(scratch, resolve(folder, item))
      if (inside === '..' || inside.startsWith(`..${sep}`) || resolve(inside) === inside) {
        return { expected: 'paths inside the repository, relative to the configuration file', found }
      }
    }
    const deeper = findRefused(item, scratch, folder, path)
    if (deeper) return deeper
  }
  return undefined
}
