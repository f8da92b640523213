import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { firstWritable, userCache } from '../../src/process/cache-folder.ts'
import { Unavailable } from './skip.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

/**
 * What peers need is kept here between runs. Beside the packages: `npm ci` empties it, and git ignores it. Where these belong to somebody else,
 * in the user's own cache, apart for each copy of the repository, since two may want other versions.
 */
const CACHES = [
  join(ROOT, 'node_modules', '.cache', 'masque-lab-interop'),
  join(userCache(), `interop-${createHash('sha256').update(ROOT).digest('hex').slice(0, 12)}`),
]

/** A folder of a peer's own in the first cache that can be written to, made when it is missing. Throws `Unavailable`. */
export function cacheFolder(peer: string, caches: readonly string[] = CACHES): string {
  try {
    return firstWritable(caches.map(cache => join(cache, peer)))
  } catch (error) {
    const advice = 'XDG_CACHE_HOME names a folder that you may write to'
    throw new Unavailable(`there is no place for what it needs: ${(error as Error).message}; ${advice}`)
  }
}

export interface ToolResult {
  status: number | null
  /** Standard output and error, as they came. */
  output: string
}

/** Runs a tool to its end, or for `timeoutMs` at most. Rejects with `Unavailable` when it is not installed. */
export function runTool(
  command: string,
  args: string[],
  { cwd, timeoutMs }: { cwd?: string; timeoutMs: number },
): Promise<ToolResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd, stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    // Not spawn's own `timeout`, which goes on running when there is no such command.
    const timer = setTimeout(() => {
      output += `\nstopped after ${timeoutMs / 1000} s`
      child.kill('SIGKILL')
    }, timeoutMs)
    child.stdout.on('data', chunk => (output += chunk))
    child.stderr.on('data', chunk => (output += chunk))
    child.on('error', () => {
      clearTimeout(timer)
      reject(new Unavailable(`${command} is not installed`))
    })
    child.on('close', status => {
      clearTimeout(timer)
      resolve({ status, output })
    })
  })
}
