/**
 * The code of a class outlives its classroom: one that was killed and is started again in the same lesson has the same, and who had
 * joined need not do so again. In the instructor's folder, for nobody else to read.
 */
import { randomBytes } from 'node:crypto'
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { makeJoinCode, parseJoinCode } from '../run/join-code.ts'
import { progressDirectory } from '../run/progress.ts'

/** For a day of lessons, and not for the next class. */
const KEPT_MS = 12 * 3_600_000

export interface KeptCodeOptions {
  /** A new one in any case. */
  fresh?: boolean
  directory?: string
  now?: number
}

/** Where it cannot be kept it holds for this run. */
export function keptCode(port: number, options: KeptCodeOptions = {}): string {
  const { fresh = false, directory = progressDirectory(), now = Date.now() } = options
  const file = join(directory, `classroom-code-${port}.json`)
  const kept = fresh ? undefined : read(file, port, now)
  if (kept !== undefined) return kept
  const code = makeJoinCode(port, randomBytes(3))
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 })
    const made = `${file}.${process.pid}.new`
    writeFileSync(made, `${JSON.stringify({ code, madeAt: now })}\n`, { mode: 0o600 })
    renameSync(made, file)
  } catch {
    // The class works without it, too.
  }
  return code
}

function read(file: string, port: number, now: number): string | undefined {
  try {
    const { code, madeAt } = JSON.parse(readFileSync(file, 'utf8')) as { code: unknown; madeAt: unknown }
    if (typeof code !== 'string' || typeof madeAt !== 'number') return undefined
    const age = now - madeAt
    const known = parseJoinCode(code)
    return known?.port === port && age >= 0 && age < KEPT_MS ? known.text : undefined
  } catch {
    return undefined
  }
}
