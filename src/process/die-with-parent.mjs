// Loaded by a child (`--import`) whose code may keep its thread busy for ever, so that it would never hear of the end of its parent: a thread of
// its own looks after that, and kills the process. For a child that listens there is end-with-parent.mjs.
//
//     spawn(process.execPath, ['--import', `…/die-with-parent.mjs?parent=${process.pid}`, file])
import { isMainThread, Worker, workerData } from 'node:worker_threads'

const EVERY_MS = 200

if (isMainThread) {
  // Without the options of this process: among them is the one that loads this file, and perhaps a debugger's.
  const parent = Number(new URL(import.meta.url).searchParams.get('parent'))
  new Worker(new URL(import.meta.url), { execArgv: [], workerData: parent }).unref()
} else {
  setInterval(() => {
    if (!isThere(workerData)) process.kill(process.pid, 'SIGKILL')
  }, EVERY_MS)
}

// A process whose parent has ended belongs to another one, but on Windows, where it keeps the number.
function isThere(parent) {
  if (process.platform !== 'win32') return process.ppid === parent
  try {
    process.kill(parent, 0)
    return true
  } catch {
    return false
  }
}
