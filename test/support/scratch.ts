/**
 * For programs that run other programs and work in temporary folders: however they end, by Ctrl-C and by the closing of their terminal
 * too, nothing of both stays behind.
 */
import type { ChildProcess } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { constants, tmpdir } from 'node:os'
import { join } from 'node:path'

/** How long programs have to clean up after themselves. */
const PATIENCE_MS = 3000

const folders = new Set<string>()
const children = new Set<ChildProcess>()
/** Of these, the ones that lead a process group. */
const leaders = new WeakSet<ChildProcess>()
let ending = false
let listening = false

/** A new temporary folder. It is removed when this process ends. */
export function scratchFolder(prefix: string): string {
  listen()
  const folder = mkdtempSync(join(tmpdir(), prefix))
  folders.add(folder)
  return folder
}

/**
 * How `child` ended. Does not come back when this process was told to end: nobody needs a verdict then. With `leads`, it was started
 * `detached`, and what it has started ends with it.
 */
export function ended(
  child: ChildProcess,
  { leads = false } = {},
): Promise<[status: number | null, signal: NodeJS.Signals | null]> {
  listen()
  children.add(child)
  if (leads && process.platform !== 'win32') {
    leaders.add(child)
    child.once('exit', () => send(child, 'SIGKILL'))
  }
  return new Promise(resolve => {
    child.once('close', (status, signal) => {
      children.delete(child)
      if (!ending) resolve([status, signal])
    })
  })
}

function listen(): void {
  if (listening) return
  listening = true
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => end(signal))
  process.on('exit', () => {
    for (const child of children) send(child, 'SIGKILL')
    for (const folder of folders) rmSync(folder, { recursive: true, force: true, maxRetries: 3 })
  })
}

function end(signal: 'SIGINT' | 'SIGTERM' | 'SIGHUP'): void {
  const exit = () => process.exit(128 + constants.signals[signal])
  if (ending) exit()
  ending = true
  let running = children.size
  if (running === 0) exit()
  setTimeout(exit, PATIENCE_MS)
  for (const child of children) {
    child.once('close', () => --running === 0 && exit())
    // As Ctrl-C in a terminal, which mocha takes for a wish to clean up.
    send(child, 'SIGINT')
  }
}

/** To all that a leader has started, too; there may be nobody left. */
function send(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return
  try {
    process.kill(leaders.has(child) ? -child.pid : child.pid, signal)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}
