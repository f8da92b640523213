/**
 * Where the checks of all users of one machine meet: a folder in which anybody may put files and nobody may take away another's (mode
 * 1777, as /tmp itself). A place in the queue is an empty file, and all that it says is in its name, so that it can be read whatever
 * the umask is. Whose it is says the file system, and whether its process still lives the kernel.
 */
import {
  chmodSync,
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  mkdirSync,
  opendirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  utimesSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isMainThread } from 'node:worker_threads'
import { systemClock } from '../../../src/hosts/clock.ts'
import { subordinateIds } from './subordinate-ids.ts'

/** Whoever has this many files in it wants the others to stop; these then go on without a queue. */
export const MAX_ENTRIES = 4096
/** A live process touches its file every two seconds. One that was stopped (Ctrl-Z) does not, and must not hold up the others. */
export const STALE_MS = 60_000

/** `own`: behind another check of the same user. `choosing`: draws a number. `ticket`: has one. */
export type PlaceKind = 'own' | 'choosing' | 'ticket'

export interface Entry {
  readonly name: string
  readonly kind: PlaceKind
  /** Of a ticket: which one is served first. Behind one's own: when it came, in ms. */
  readonly number: number
  readonly pid: number
  readonly uid: number
}

/** What the queue needs of it. */
export interface Places {
  add(kind: PlaceKind, number: number): string
  turn(name: string, kind: PlaceKind, number: number): string
  remove(name: string): void
  touch(name: string): boolean
  list(): Entry[]
  close(): void
}

/** There is no queue here, for this reason. */
export class QueueError extends Error {
  override name = 'QueueError'
}

/** `$MASQUE_LAB_QUEUE`; else one for all users, which `$TMPDIR` may not be. */
export function queueFolder(
  env: Readonly<Record<string, string | undefined>> = process.env,
  platform: NodeJS.Platform = process.platform,
): string {
  if (env.MASQUE_LAB_QUEUE) return env.MASQUE_LAB_QUEUE
  return platform === 'win32' ? join(tmpdir(), 'masque-lab-queue') : '/tmp/masque-lab-queue'
}

const NAME = /^(own|choosing|ticket)-(\d{1,15})-(\d{1,10})-(\d{1,20})-(\d{1,9})$/

export class QueueFolder implements Places {
  readonly #path: string
  readonly #fd: number
  readonly #startedAt = startOf(process.pid) ?? '0'
  readonly #isSubordinate: (uid: number) => boolean
  #made = 0

  /** Makes it if there is none. Throws a QueueError where it cannot be had, or is not what it should be. */
  constructor(path: string = queueFolder(), isSubordinate: (uid: number) => boolean = subordinateIds()) {
    this.#isSubordinate = isSubordinate
    try {
      makeForAll(path)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw new QueueError((error as Error).message)
    }
    try {
      // Never through a link, and from here on by this descriptor: what is put in its place afterwards is not looked at.
      this.#fd = openSync(path, constants.O_RDONLY | (constants.O_DIRECTORY ?? 0) | (constants.O_NOFOLLOW ?? 0))
    } catch (error) {
      throw new QueueError(`${path}: ${(error as Error).message}`)
    }
    const { mode } = fstatSync(this.#fd)
    if (process.platform !== 'win32' && (mode & 0o1777) !== 0o1777) {
      closeSync(this.#fd)
      throw new QueueError(`${path} has mode ${(mode & 0o7777).toString(8)}, and not 1777 so that all can use it`)
    }
    this.#path = process.platform === 'linux' ? `/proc/self/fd/${this.#fd}` : path
  }

  close(): void {
    closeSync(this.#fd)
  }

  /** Puts a file of this process there. Returns its name. */
  add(kind: PlaceKind, number: number): string {
    const name = `${kind}-${number}-${process.pid}-${this.#startedAt}-${this.#made++}`
    const flags = constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY | (constants.O_NOFOLLOW ?? 0)
    try {
      closeSync(openSync(join(this.#path, name), flags, 0o600))
    } catch (error) {
      throw new QueueError((error as Error).message)
    }
    this.touch(name)
    return name
  }

  /** The same file, as something else: there is no moment at which there are two of it, or none. Returns its new name. */
  turn(name: string, kind: PlaceKind, number: number): string {
    const fresh = name.replace(/^\w+-\d+/, `${kind}-${number}`)
    try {
      renameSync(join(this.#path, name), join(this.#path, fresh))
    } catch (error) {
      throw new QueueError((error as Error).message)
    }
    return fresh
  }

  remove(name: string): void {
    try {
      rmSync(join(this.#path, name), { force: true })
    } catch {
      // The folder has gone, and its files with it.
    }
  }

  /** Says that its process still runs, on the machine's monotonic clock: when somebody sets the time of day, nobody has been away. Returns whether it is still there: the folder's owner can take it away. */
  touch(name: string, now: number = systemClock.now()): boolean {
    try {
      utimesSync(join(this.#path, name), now / 1000, now / 1000)
      return true
    } catch {
      return false
    }
  }

  /** The places whose processes live. What is left of others is taken away where that is allowed. */
  list(now: number = systemClock.now()): Entry[] {
    const entries: Entry[] = []
    const directory = opendirSync(this.#path)
    try {
      let read = 0
      for (let found = directory.readSync(); found; found = directory.readSync()) {
        if (++read > MAX_ENTRIES) throw new QueueError(`more than ${MAX_ENTRIES} files are in it`)
        const entry = this.#entryOf(found.name, now)
        if (entry) entries.push(entry)
      }
    } finally {
      directory.closeSync()
    }
    return entries
  }

  #entryOf(name: string, now: number): Entry | undefined {
    const match = NAME.exec(name)
    if (!match) return undefined
    const [, kind, number, pid, startedAt] = match
    const stat = lstatSync(join(this.#path, name), { throwIfNoEntry: false })
    if (!stat?.isFile()) return undefined
    if (stat.uid !== process.getuid?.() && this.#isSubordinate(stat.uid)) return undefined
    const entry = { name, kind: kind as PlaceKind, number: Number(number), pid: Number(pid), uid: stat.uid }
    if (!lives(entry, startedAt)) {
      this.remove(name)
      return undefined
    }
    return Math.abs(now - stat.mtimeMs) > STALE_MS ? undefined : entry
  }
}

/**
 * Open to all from its first moment on: who comes before its mode was set would take it for a folder that is not, and would not wait. So the umask may
 * not cut it; and some systems do not take the sticky bit from mkdir.
 */
function makeForAll(path: string): void {
  const before = isMainThread ? process.umask(0) : undefined
  try {
    mkdirSync(path, 0o1777)
  } finally {
    if (before !== undefined) process.umask(before)
  }
  chmodSync(path, 0o1777)
}

/** Whether that very process runs, and not another one that has got its number since; and is the user's whose file it is. */
function lives({ pid, uid }: Entry, startedAt: string): boolean {
  try {
    process.kill(pid, 0)
  } catch (error) {
    // EPERM: it lives, and is somebody else's.
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false
  }
  const start = startOf(pid)
  if (start === undefined || startedAt === '0') return true
  const owner = lstatSync(`/proc/${pid}`, { throwIfNoEntry: false })?.uid
  return start === startedAt && (owner === undefined || owner === uid)
}

/** When it was started, in the kernel's ticks since the machine was. Undefined where the system does not tell, or not about others. */
function startOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    // The second field is the program's name, in which there may be anything.
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]
  } catch {
    return undefined
  }
}
