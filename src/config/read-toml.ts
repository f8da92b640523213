/** From a TOML text to checked values, with errors that a reader can act on. */
import { parse, TomlError } from 'smol-toml'
import { z } from 'zod'
import { ConfigError, failOnProblems, type KeyProblem } from './config-error.ts'
import { readRegularFile, UnsuitableFileError } from './read-file.ts'

/** Values of these keys must not end up on a screen or in a log, not even when they are wrong. */
const SECRET_KEYS = new Set(['token', 'sha256', 'token_sha256'])
const LONGEST_FOUND = 60

/** The text of a configuration file. Throws ConfigError with one clear sentence when it cannot be read. */
export function readConfigFile(file: string): string {
  try {
    return readRegularFile(file).toString('utf8')
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException
    let sentence = `${file}: the configuration file cannot be read: ${message}`
    if (code === 'ENOENT') sentence = `${file}: there is no such configuration file; give its path with -c`
    if (cause instanceof UnsuitableFileError) sentence = `${file}: ${message}; a configuration file is expected`
    if (code === 'EACCES') sentence = `${file}: no permission to read the configuration file`
    throw new ConfigError(file, [sentence], { cause })
  }
}

/**
 * Parses TOML and checks it against the schema.
 *
 * Throws ConfigError: `FILE:LINE:COLUMN: …` for what is not TOML, `FILE: KEY: found …, expected …` for wrong values.
 */
export function parseToml<S extends z.ZodType>(schema: S, text: string, file: string): z.output<S> {
  let value: unknown
  try {
    value = parse(text)
  } catch (cause) {
    if (!(cause instanceof TomlError)) throw cause
    const what = cause.message.split('\n', 1)[0].replace(/^Invalid TOML document: /, '')
    throw new ConfigError(file, [`${file}:${cause.line}:${cause.column}: not valid TOML: ${what}`], { cause })
  }
  return checkValue(schema, value, file)
}

/** Checks a value against the schema; `file` is where it comes from. Throws ConfigError, as above. */
export function checkValue<S extends z.ZodType>(schema: S, value: unknown, file: string): z.output<S> {
  const result = schema.safeParse(value)
  if (result.success) return result.data
  failOnProblems(
    file,
    result.error.issues.flatMap(issue => describeIssue(issue, schema, value)),
  )
  throw result.error
}

function describeIssue(issue: z.core.$ZodIssue, schema: z.ZodType, root: unknown): KeyProblem[] {
  if (issue.code === 'unrecognized_keys') {
    const allowed = keysAt(schema, issue.path)
    return issue.keys.map(key => ({
      key: keyText([...issue.path, key]),
      message: `unknown key${didYouMean(key, allowed)}; allowed here: ${allowed.join(', ')}`,
    }))
  }
  const key = keyText(issue.path)
  const keys = issue.code === 'invalid_type' ? keysAt(schema, issue.path) : []
  const expected = keys.length > 0 ? `a table [${key}] with the keys ${keys.join(', ')}` : issue.message
  const found = valueAt(root, issue.path)
  return [
    {
      key,
      message:
        found === undefined
          ? `missing, expected ${expected}`
          : `found ${show(found, issue.path)}, expected ${expected}`,
    },
  ]
}

/** `auth.tokens[0].sha256`, as a reader of the file would name the key. */
function keyText(path: readonly PropertyKey[]): string {
  return path.reduce<string>((text, part) => {
    if (typeof part === 'number') return `${text}[${part}]`
    return text === '' ? String(part) : `${text}.${String(part)}`
  }, '')
}

function valueAt(root: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>((value, part) => (value as Record<PropertyKey, unknown> | undefined)?.[part], root)
}

function show(value: unknown, path: readonly PropertyKey[]): string {
  const name = path.findLast(part => typeof part === 'string')
  if (typeof value === 'string' && SECRET_KEYS.has(String(name)))
    return `a text of ${value.length} characters (not shown)`
  if (typeof value === 'number') return String(value) // JSON has no inf and nan, TOML has
  const text = JSON.stringify(value)
  return text.length > LONGEST_FOUND ? `${text.slice(0, LONGEST_FOUND)}…` : text
}

/** The keys of the table at `path` of a schema. */
function keysAt(schema: z.ZodType, path: readonly PropertyKey[]): string[] {
  let at = unwrap(schema)
  for (const part of path) {
    if (at instanceof z.ZodObject) at = unwrap(at.shape[part as string] as z.ZodType)
    else if (at instanceof z.ZodArray) at = unwrap(at.element as z.ZodType)
  }
  return at instanceof z.ZodObject ? Object.keys(at.shape) : []
}

/** The schema inside defaults and optionals. */
export function unwrap(schema: z.ZodType): z.ZodType {
  let at = schema
  while (at instanceof z.ZodDefault || at instanceof z.ZodPrefault || at instanceof z.ZodOptional) {
    at = at.def.innerType as z.ZodType
  }
  return at
}

/** "; did you mean X?" for the allowed word that takes the fewest edits, if it is near enough to be a slip. */
function didYouMean(word: string, allowed: readonly string[]): string {
  let best: string | undefined
  let bestDistance = Number.POSITIVE_INFINITY
  for (const candidate of allowed) {
    const distance = editDistance(word.slice(0, LONGEST_FOUND).toLowerCase(), candidate)
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance]
  }
  return best !== undefined && bestDistance <= Math.max(2, best.length / 3) ? `, did you mean ${best}?` : ''
}

/** Levenshtein's distance: how many letters must be inserted, removed or replaced. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      next[j] = Math.min(row[j] + 1, next[j - 1] + 1, row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1))
    }
    row = next
  }
  return row[b.length]
}
