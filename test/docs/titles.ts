/** What the titles of the tests name: requirements of docs/conformance.md, and attacks (`AT-07`). */
import type { HttpVersion } from '../../src/carriers/http-connection.ts'
import { filesBelow, read } from './repository.ts'

/** An id of docs/conformance.md. */
export const REQUIREMENT = /\b(?:CIP|H3|Q)-\d+\b/g
/** An id of an attack that was made on the proxy. */
export const ATTACK = /\bAT-\d+\b/g

/**
 * The ids in the titles of tests and suites that run: `it.skip` shows nothing. By file, as a path from the root. The programs
 * of foreign peers have their cases as data: any text that begins with an id is the name of one.
 *
 * `functions`: by which of these the tests are declared.
 */
export function idsInTitles(id: RegExp, functions = 'it|itOverEach|itOverAll|describe'): Map<string, Set<string>> {
  const title = new RegExp(String.raw`\b(?:${functions})\(\s*(['"\x60])((?:\\.|(?!\1)[^\\])*)\1`, 'g')
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

/** The carriers over which a test of a file that names the id in its title runs. None: it needs no connection. */
export function carriersOf(file: string, id: string): HttpVersion[] {
  if (OVER_ALL.get(file)?.has(id)) return ['h3', 'h2', 'h1', 'webtransport']
  if (OVER_EACH.get(file)?.has(id)) return ['h3', 'h2', 'h1']
  if (file.startsWith('test/carriers/webtransport/')) return ['webtransport']
  if (file.startsWith('test/carriers/h2/')) return ['h2']
  if (/^(?:test\/carriers\/h1|interop\/h11)\//.test(file)) return ['h1']
  return /^(?:test\/(?:server|client|carriers\/h3|http3|quic)|interop)\//.test(file) ? ['h3'] : []
}

const OVER_EACH = idsInTitles(REQUIREMENT, 'itOverEach')
const OVER_ALL = idsInTitles(REQUIREMENT, 'itOverAll')
