import { spawnSync } from 'node:child_process'
import { TunError } from './errors.ts'

const PATIENCE_MS = 20_000

/** Runs a program of the system, without a shell; what it has to say comes in English. Returns what it prints. Throws TunError with what it complains of. */
export function runTool(command: string, args: readonly string[], input = ''): string {
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    input,
    encoding: 'utf8',
    timeout: PATIENCE_MS,
    env: { ...process.env, LC_ALL: 'C' },
  })
  // One that ends without having read its input (EPIPE) says itself how it went.
  if (error !== undefined && status === null)
    throw new TunError('system', `${command} cannot be started: ${error.message}`)
  if (status !== 0) {
    // Some say it on standard output.
    const complaint = (stderr.trim() || stdout.trim()).split('\n')[0]
    throw new TunError('system', `${command} has refused: ${complaint} (does this user have the rights of root?)`)
  }
  return stdout
}
