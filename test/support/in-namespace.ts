/** Programs of tests that run in a network namespace of their own. */

import { spawnSync } from 'node:child_process'
import { createRequire } from 'node:module'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { PATIENCE_MS } from './patience.ts'

const TSX = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href

/**
 * Runs a program in a namespace in which `commands` were carried out, and returns what it has written to standard output, as JSON. The namespace ends with
 * its last process. Skips the tests, and says so, where this user may make none.
 */
export function runInNamespace<Result>(
  context: Mocha.Context,
  commands: readonly string[],
  program: URL,
  env: NodeJS.ProcessEnv = {},
): Result {
  const within = ['-Urn', 'sh', '-c', `${commands.join(' && ')} && exec "$@"`, 'sh']
  if (spawnSync('unshare', [...within, 'true']).status !== 0) {
    console.log('      skipped: this machine lets this user make no network namespace (unshare -Urn)')
    context.skip()
  }
  const { stdout, stderr } = spawnSync(
    'unshare',
    [...within, process.execPath, '--import', TSX, fileURLToPath(program)],
    { encoding: 'utf8', timeout: PATIENCE_MS, env: { ...process.env, ...env } },
  )
  if (stdout === '') throw new Error(`the program in the namespace has failed:\n${stderr}`)
  return JSON.parse(stdout)
}
