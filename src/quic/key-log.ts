import { appendFileSync, closeSync, constants, fstatSync, openSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { makeOwnFolder, removeLeftFolders } from '../process/own-folder.ts'

const KIND = 'keylog'

/** A key log that cannot be written. The message says what to do. */
export class KeyLogError extends Error {
  override name = 'KeyLogError'
}

/** Creates the file, readable by its owner only, if it is not there. Throws KeyLogError when nothing can be appended to it. */
export function checkKeyLog(file: string): void {
  let descriptor: number
  try {
    // Without O_NONBLOCK, a named pipe that nobody reads would keep us here.
    const { O_APPEND, O_CREAT, O_WRONLY, O_NONBLOCK } = constants
    descriptor = openSync(file, O_APPEND | O_CREAT | O_WRONLY | O_NONBLOCK, 0o600)
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException
    const why: Record<string, string> = {
      EISDIR: 'this is a folder; a file is expected',
      ENOENT: 'its folder does not exist; make it, or name another file',
      ENOTDIR: 'a file stands where a folder is expected; name another file',
      EACCES: 'no permission to write it; name a file that this user may write',
      EROFS: 'nothing can be written there; name another file',
      ENXIO: 'this is a named pipe or a socket; an ordinary file is expected',
    }
    throw new KeyLogError(`${file}: the key log cannot be written: ${why[code ?? ''] ?? message}`, { cause })
  }
  const stat = fstatSync(descriptor)
  closeSync(descriptor)
  // A device such as /dev/null may be meant.
  if (stat.isFile() || stat.isCharacterDevice()) return
  throw new KeyLogError(`${file}: the key log cannot be written: this is not an ordinary file, which is expected`)
}

/**
 * Collects the TLS secrets of many connections in one key log file (the format of SSLKEYLOGFILE).
 *
 * quiche writes each connection's secrets to a file of that connection's own, which it truncates first. So each
 * connection gets a private file, whose lines are moved to the common one when the handshake is over.
 *
 * A tool to look at tunnels must not end them: when something cannot be written (a full disk), the log is off from then on, and says
 * so once. Nothing here throws.
 */
export class KeyLog {
  readonly #target: string | undefined
  readonly #capture: ((lines: Uint8Array) => void) | undefined
  readonly #warn: (sentence: string) => void
  #directory: string | undefined
  #off = false

  /** `capture`: hears the lines, too. Without `target`, they are for a capture only. */
  constructor(target: string | undefined, warn: (sentence: string) => void, capture?: (lines: Uint8Array) => void) {
    this.#target = target
    this.#capture = capture
    this.#warn = warn
    removeLeftFolders(KIND)
  }

  /** Gives the private file of one connection to `use`, which may throw. */
  attach(connectionId: string, use: (file: string) => void): void {
    this.#attempt(() => {
      this.#directory ??= makeOwnFolder(KIND)
      use(join(this.#directory, connectionId))
    })
  }

  /** Appends what the connection has logged to the common file. Calling it again does nothing. */
  collect(connectionId: string): void {
    const directory = this.#directory
    if (directory === undefined) return
    const file = join(directory, connectionId)
    let lines: Buffer
    try {
      lines = readFileSync(file)
    } catch {
      return
    }
    this.append(lines)
    rmSync(file, { force: true })
  }

  /** Appends lines that somebody already has. */
  append(lines: Uint8Array): void {
    this.#capture?.(lines)
    const target = this.#target
    if (target !== undefined) this.#attempt(() => appendFileSync(target, lines, { mode: 0o600 }))
  }

  close(): void {
    if (this.#directory !== undefined) rmSync(this.#directory, { recursive: true, force: true })
    this.#directory = undefined
  }

  #attempt(step: () => void): void {
    if (this.#off) return
    try {
      step()
    } catch (error) {
      this.#off = true
      this.#warn(
        `the key log is off from now on, and the tunnels go on: ${this.#target ?? this.#directory ?? KIND} cannot be written: ${(error as Error).message}`,
      )
      this.close()
    }
  }
}
