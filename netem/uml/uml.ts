/**
 * User Mode Linux: a Linux kernel that runs as an ordinary process, here with the queueing disciplines that the machine's own
 * kernel may lack. No rights are needed, and the host's files are its root file system. README.md in this folder has more.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { accessSync, constants, existsSync, readdirSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const KERNEL = 'linux.uml'
const MODULES = '/usr/lib/uml/modules'
const INIT = fileURLToPath(new URL('init.sh', import.meta.url))
/** How much of what the console said last is kept for an error message. */
const CONSOLE_LENGTH = 4_000

/** What stands in the way of running User Mode Linux, in one line; undefined: nothing. */
export function whatUmlLacks(): string | undefined {
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    return `User Mode Linux runs on Linux on x86-64, and this is ${process.platform} on ${process.arch}`
  }
  if (commandFile(KERNEL) === undefined || !existsSync(MODULES) || readdirSync(MODULES).length === 0) {
    return 'User Mode Linux is missing (Debian: apt install user-mode-linux)'
  }
  if (commandFile('perl') === undefined) return 'perl is missing, which loads the modules inside User Mode Linux'
  // Its kernel has no nftables for IPv4, and the topology's routers translate addresses.
  if (commandFile('iptables-legacy') === undefined) return 'iptables is missing (Debian: apt install iptables)'
  return undefined
}

const BOOT_MS = 60_000

/**
 * The same, and whether it can run a program at all on this processor, which takes a second or two. Any other failure of a boot is
 * left to whoever boots it: that is an error and no reason to skip anything.
 */
export async function umlProblem(): Promise<string | undefined> {
  const lacking = whatUmlLacks()
  if (lacking !== undefined) return lacking
  try {
    await runInUml({ script: ':', folder: '/', timeoutMs: BOOT_MS })
    return undefined
  } catch (error) {
    return unfitProcessor(error instanceof Error ? error.message : String(error))
  }
}

/**
 * Linux 6.1 as a program cannot set the registers of processors that have more of them than it knows, such as AMX's: its first process
 * gets a signal instead. `said`: its last words. Undefined: it is something else.
 */
export function unfitProcessor(said: string): string | undefined {
  const [line] = /ptrace set fp regs failed.*/.exec(said) ?? []
  return line && `User Mode Linux cannot run programs on this processor (${line.trim()})`
}

export interface UmlJob {
  /** A bash script. It runs as root inside. */
  script: string
  /** Where it runs. */
  folder: string
  /** After this the machine is stopped. */
  timeoutMs: number
  memoryMegabytes?: number
  signal?: AbortSignal
  /** What the script writes to its standard error, line by line, as it happens. */
  onLine?: (line: string) => void
}

export class UmlError extends Error {
  override name = 'UmlError'
}

/**
 * Runs a script inside a User Mode Linux of its own, and resolves with what it wrote to its standard output. Rejects with
 * UmlError when the script fails, the kernel does not start, or the time is over. Nothing of it is left in any case.
 */
export async function runInUml(job: UmlJob): Promise<string> {
  const lacking = whatUmlLacks()
  if (lacking !== undefined) throw new UmlError(lacking)
  const directory = await mkdtemp(join(tmpdir(), 'masque-uml-'))
  try {
    await writeFile(join(directory, 'command'), job.script)
    await writeFile(join(directory, 'folder'), job.folder)
    const said = await boot(job, directory)
    const status = await readFile(join(directory, 'status'), 'utf8').catch(() => undefined)
    if (status === undefined)
      throw new UmlError(`User Mode Linux ended before its script did; its last words:\n${said}`)
    if (Number(status) !== 0)
      throw new UmlError(`the script in User Mode Linux ended with status ${status.trim()}; it said:\n${said}`)
    return await readFile(join(directory, 'output'), 'utf8')
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

/** Resolves with the console's last lines when the machine has halted. */
function boot(job: UmlJob, directory: string): Promise<string> {
  const { timeoutMs, memoryMegabytes = 1024, signal, onLine } = job
  return new Promise((resolve, reject) => {
    const kernel = spawn(
      KERNEL,
      [
        `mem=${memoryMegabytes}M`,
        'root=/dev/root',
        'rootfstype=hostfs',
        'rootflags=/',
        'rw',
        'init=/bin/bash',
        `MASQUE_JOB=${directory}`,
        `MASQUE_SECONDS=${Math.ceil(timeoutMs / 1000) + 5}`,
        // Its process id file and control socket, which it would put into the home folder.
        `uml_dir=${directory}/`,
        'con=null',
        'con0=null,fd:2',
        'con1=null',
        'quiet',
        '--',
        INIT,
      ],
      // A process group of its own, so that the processes that stand for the ones inside can be ended with it.
      { stdio: ['ignore', 'ignore', 'pipe'], detached: true },
    )
    const kill = () => killGroup(kernel)
    process.once('exit', kill)
    let failure: Error | undefined
    const stop = (why: string) => {
      failure ??= new UmlError(why)
      kill()
    }
    const timer = setTimeout(
      () => stop(`User Mode Linux was stopped: not finished after ${timeoutMs / 1000} s`),
      timeoutMs,
    )
    const aborted = () => stop('User Mode Linux was interrupted')
    if (signal?.aborted) aborted()
    signal?.addEventListener('abort', aborted)

    let said = ''
    let rest = ''
    kernel.stderr?.setEncoding('utf8').on('data', (text: string) => {
      said = (said + text).slice(-CONSOLE_LENGTH)
      const lines = (rest + text).split(/\r?\n/)
      rest = lines.pop() as string
      for (const line of lines) onLine?.(line)
    })
    kernel.once('error', error => {
      failure ??= new UmlError(`${KERNEL} cannot be started: ${error.message}`)
    })
    kernel.once('close', () => {
      kill()
      process.off('exit', kill)
      clearTimeout(timer)
      signal?.removeEventListener('abort', aborted)
      if (failure) reject(failure)
      else resolve(said)
    })
  })
}

function killGroup(child: ChildProcess): void {
  if (child.pid === undefined) return
  try {
    process.kill(-child.pid, 'SIGKILL')
  } catch {
    // All of it has ended.
  }
}

function commandFile(name: string): string | undefined {
  const folders = (process.env.PATH ?? '').split(delimiter)
  return folders
    .map(folder => join(folder, name))
    .find(file => {
      try {
        accessSync(file, constants.X_OK)
        return true
      } catch {
        return false
      }
    })
}
