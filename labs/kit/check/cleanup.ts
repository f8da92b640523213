/**
 * What has been opened and must be closed again, however a check or a demonstration ends: finished, failed, out of
 * time, or Ctrl-C.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startedByNohup } from '../../../src/cli/hangup.ts'

/** One closing step may take this long, then the next one is tried. */
const STEP_TIMEOUT_MS = 6000

const open = new Set<Cleanup>()

export class Cleanup {
  #undo: (() => unknown)[] = []
  #scratch: string | undefined

  constructor() {
    open.add(this)
  }

  /** Registers something to be undone by `run`; last in, first out. */
  defer(undo: () => unknown): void {
    this.#undo.push(undo)
  }

  /** A temporary directory of this cleanup's own. */
  scratch(): string {
    // A worker puts its directories into one of its parent's, which is removed even if the worker is killed.
    this.#scratch ??= mkdtempSync(join(process.env.MASQUE_LAB_SCRATCH ?? tmpdir(), 'masque-lab-'))
    return this.#scratch
  }

  /** Undoes everything. Never throws: what cannot be closed must not keep the rest open. */
  async run(): Promise<void> {
    for (let undo = this.#undo.pop(); undo; undo = this.#undo.pop()) {
      let timer: NodeJS.Timeout | undefined
      const late = new Promise<void>(resolve => {
        timer = setTimeout(resolve, STEP_TIMEOUT_MS)
      })
      try {
        await Promise.race([undo(), late])
      } catch {
        // It was being thrown away in any case.
      }
      clearTimeout(timer)
    }
    this.removeScratch()
    open.delete(this)
  }

  removeScratch(): void {
    if (this.#scratch === undefined) return
    rmSync(this.#scratch, { recursive: true, force: true })
    this.#scratch = undefined
  }
}

/** Closes everything that is open anywhere: for Ctrl-C and other ends of the process. */
export async function cleanUpEverything(): Promise<void> {
  await Promise.all([...open].map(cleanup => cleanup.run()))
}

/** The last resort, where nothing can be awaited any more: at least no directory stays behind. */
process.on('exit', () => {
  for (const cleanup of open) cleanup.removeScratch()
})

/** Whatever ends the process, nothing stays behind. The second Ctrl-C does not wait. */
export function endCleanly(stop: AbortController): void {
  let ending = false
  const end = (status: number) => {
    if (ending) process.exit(status)
    ending = true
    stop.abort(new Error('stopped'))
    void cleanUpEverything().then(() => process.exit(status))
  }
  process.on('SIGINT', () => end(130))
  process.on('SIGTERM', () => end(143))
  process.on('SIGHUP', startedByNohup() ? () => {} : () => end(129))
  // The reader of our output has gone away, as `| head` does; anything else, such as a full disk, is a failure.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => end(error.code === 'EPIPE' ? 0 : 1))
}
