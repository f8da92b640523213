import { spawn } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Unavailable } from './skip.ts'

/** What peers need is kept here between runs: `npm ci` empties it, and git ignores it. */
const CACHE = fileURLToPath(new URL('../../node_modules/.cache/masque-lab-interop', import.meta.url))

/** A folder of a peer's own in the cache, made when it is missing. */
export function cacheFolder(peer: string): string {
  const folder = join(CACHE, peer)
  mkdirSync(folder, { recursive: true })
  return folder
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
