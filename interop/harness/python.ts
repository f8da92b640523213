import { createHash } from 'node:crypto'
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { CaseProgram } from './case-program.ts'
import { lastWord, Unavailable } from './skip.ts'
import { cacheFolder, runTool } from './tool.ts'

const PYTHON = process.platform === 'win32' ? 'python' : 'python3'
const INSTALL_TIMEOUT_MS = 180_000

/** aioquic 1.7 wants it. */
const OLDEST_PYTHON = [3, 10]

/** The folder of a peer's Python program. */
function folder(peer: string): string {
  return fileURLToPath(new URL(`../${peer}/`, import.meta.url))
}

function interpreter(peer: string): string {
  const venv = join(cacheFolder(peer), 'venv')
  return process.platform === 'win32' ? join(venv, 'Scripts', 'python.exe') : join(venv, 'bin', 'python')
}

/**
 * Makes a virtual environment with what the peer's `requirements.txt` names, unless it is there from an earlier run.
 * Rejects with `Unavailable`, which says in one line what is missing.
 */
export async function preparePython(peer: string): Promise<void> {
  const version = (await runTool(PYTHON, ['--version'], { timeoutMs: 20_000 })).output
  const [, major, minor] = /Python (\d+)\.(\d+)/.exec(version) ?? []
  if (Number(major) !== OLDEST_PYTHON[0] || Number(minor) < OLDEST_PYTHON[1]) {
    throw new Unavailable(`Python ${OLDEST_PYTHON.join('.')} or newer is needed, and this is ${lastWord(version)}`)
  }
  const requirements = join(folder(peer), 'requirements.txt')
  const done = join(cacheFolder(peer), 'installed')
  const wanted = createHash('sha256').update(readFileSync(requirements)).update(version).digest('hex')
  if (existsSync(done) && readFileSync(done, 'utf8') === wanted) return

  const venv = join(cacheFolder(peer), 'venv')
  rmSync(venv, { recursive: true, force: true })
  const made = await runTool(PYTHON, ['-m', 'venv', venv], { timeoutMs: 60_000 })
  if (made.status !== 0) {
    throw new Unavailable(`python3 cannot make a virtual environment (Debian: python3-venv): ${lastWord(made.output)}`)
  }
  const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--requirement', requirements]
  const installed = await runTool(interpreter(peer), pip, { timeoutMs: INSTALL_TIMEOUT_MS })
  if (installed.status !== 0) throw new Unavailable(`pip cannot install it: ${lastWord(installed.output)}`)
  writeFileSync(done, wanted)
}

/** The peer's program, `main.py`, in its virtual environment. */
export function pythonProgram(peer: string): CaseProgram {
  return new CaseProgram({
    name: peer,
    command: interpreter(peer),
    args: ['-B', 'main.py'],
    cwd: folder(peer),
    // What all Python peers share.
    env: { PYTHONPATH: folder('python') },
  })
}
