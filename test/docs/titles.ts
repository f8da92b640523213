/** What the titles of the tests name: requirements of docs/conformance.md, and attacks (`AT-07`). */
import { filesBelow, read } from './repository.ts'

/** An id of docs/conformance.md. */
export const REQUIREMENT = /\b(?:CIP|H3|Q)-\d+\b/g
/** An id of an attack that was made on the proxy. */
export const ATTACK = /\bAT-\d+\b/g

/**
 * The ids in the titles of tests and suites that run: `it.skip` shows nothing. By file, as a path from the root. The programs
 * of foreign peers have their cases as data: any text that begins with an id is the name of one.
 */
export function idsInTitles(id: RegExp): Map<string, Set<string>> {
  const title = /\b(?:it|describe)\(\s*(['"`])((?:\\.|(?!\1)[^\\])*)\1/g
  const caseName = /(['"])((?:(?:CIP|H3|Q)-\d+ )+)/g
  const suites = [...filesBelow('test', ['.test.ts', '.test.tsx']), ...filesBelow('interop', ['.interop.ts'])]
  const programs = filesBelow('interop', ['.py', '.java'])
  const idsOf = (file: string, pattern: RegExp) =>
    new Set([...read(file).matchAll(pattern)].flatMap(match => match[2].match(id) ?? []))
  return new Map([
    ...suites.map(file => [file, idsOf(file, title)] as const),
    ...programs.map(file => [file, idsOf(file, caseName)] as const),
  ])
}
