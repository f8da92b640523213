/**
 * The process that runs `go build` (go-program.ts starts it). Between the two, because the compiler has processes of its own and takes a
 * minute: whichever way the parent ends, this one hears of it and ends them all.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { setPriority } from 'node:os'
import type { Call } from './child.ts'
import { serveParent } from './serve-parent.ts'

/** How much of what it said last is kept. */
const OUTPUT_LENGTH = 8000

export interface GoBuild {
  /** The folder of `go.mod`. */
  module: string
  /** Such as `./cmd/proxy`. */
  package: string
  /** The file that it is to be written to. */
  to: string
}

/** `missing`: there is no `go`. `status`: 0 when it was compiled; null when it was ended. */
export type GoBuildResult = { missing: true } | { missing: false; status: number | null; output: string }

let running: ChildProcess | undefined

/** With what it has started, where the system knows groups of processes. */
function endAll(): void {
  const { pid } = running ?? {}
  if (pid === undefined) return
  try {
    process.kill(process.platform === 'win32' ? pid : -pid, 'SIGKILL')
  } catch {
    // It has ended already.
  }
}

const orders = {
  async build(given: GoBuild, { signal }: Call<never>): Promise<GoBuildResult> {
    const args = ['build', '-buildvcs=false', '-o', given.to, given.package]
    const child = spawn('go', args, {
      cwd: given.module,
      detached: process.platform !== 'win32',
      stdio: ['ignore', 'pipe', 'pipe'],
      windowsHide: true,
    })
    running = child
    let output = ''
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', text => {
        output = (output + text).slice(-OUTPUT_LENGTH)
      })
    }
    return await new Promise(resolve => {
      child.once('error', () => resolve({ missing: true }))
      child.once('close', status => {
        running = undefined
        resolve({ missing: false, status, output })
      })
      try {
        // Somebody works at this machine meanwhile, and something is being measured.
        if (child.pid !== undefined) setPriority(child.pid, 10)
      } catch {
        // Then it is as fast as everything else.
      }
      signal.addEventListener('abort', endAll, { once: true })
      if (signal.aborted) endAll()
    })
  },
}
export type GoBuildOrders = typeof orders

serveParent(orders, endAll)
