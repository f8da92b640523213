import { constants, openSync, writeSync } from 'node:fs'
import { isatty } from 'node:tty'
import { hasColours, isPretty } from './log-format.ts'
import { prettyLines } from './pretty-lines.ts'

/**
 * Writes lines to a file descriptor, and never waits, fails or keeps what it cannot write.
 *
 * A log that cannot be written must not disturb what it is about. A disk that is full, a reader that has gone or has stopped reading:
 * the line is lost, and counted. The first line that gets through again says how many were.
 */
export class LineWriter {
  readonly #descriptor: number
  readonly #write: (descriptor: number, bytes: Uint8Array) => number
  readonly #format: (line: string) => string
  /** What is missing of a line of which a part has been written: it goes first, so that the reader sees whole lines. */
  #rest: Uint8Array = new Uint8Array()
  #lost = 0
  #unreported = 0
  #why = ''

  /** `format`: the form in which a line of JSON is written; it may make several lines of it. */
  constructor(
    descriptor: number,
    write: (descriptor: number, bytes: Uint8Array) => number = writeSync,
    format: (line: string) => string = line => line,
  ) {
    this.#descriptor = descriptor
    this.#write = write
    this.#format = format
  }

  /** Lines that nobody will ever read. */
  get lost(): number {
    return this.#lost
  }

  /** Writes one line, which ends with a line feed. */
  write(line: string): void {
    if (this.#put(this.#rest) && this.#report() && this.#put(Buffer.from(this.#format(line)))) return
    this.#lost++
    this.#unreported++
  }

  #report(): boolean {
    if (this.#unreported === 0) return true
    const lines = this.#unreported === 1 ? '1 log line was lost' : `${this.#unreported} log lines were lost`
    const note = {
      level: 'warn',
      time: new Date().toISOString(),
      lost: this.#unreported,
      msg: `${lines}: ${this.#why}`,
    }
    if (!this.#put(Buffer.from(this.#format(`${JSON.stringify(note)}\n`)))) return false
    this.#unreported = 0
    return true
  }

  /**
   * True when the bytes are on their way: written, or begun, so that the rest will follow. False when nothing of them was written,
   * or when others are not finished yet.
   */
  #put(bytes: Uint8Array): boolean {
    const isRest = bytes === this.#rest
    if (!isRest && this.#rest.length > 0) return false
    let done = 0
    try {
      while (done < bytes.length) done += this.#write(this.#descriptor, bytes.subarray(done))
    } catch (error) {
      this.#why = reasonOf(error)
    }
    if (isRest || done > 0) this.#rest = bytes.subarray(done)
    return isRest ? this.#rest.length === 0 : done > 0
  }
}

function reasonOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException
  switch (code) {
    case 'EAGAIN':
      return 'whoever reads the log was not reading'
    case 'EPIPE':
      return 'nobody reads the log'
    case 'ENOSPC':
    case 'EDQUOT':
      return 'the disk was full'
    default:
      return message
  }
}

let standardError: LineWriter | undefined

/** The one writer of this process's standard error: for people where that is a terminal, and unless MASQUE_LOG_FORMAT wants it otherwise. */
export function standardErrorLines(): LineWriter {
  if (standardError === undefined) {
    const isTerminal = isatty(2)
    const format = isPretty(isTerminal) ? prettyLines({ colours: hasColours(isTerminal) }) : undefined
    standardError = new LineWriter(withoutWaiting(2), writeSync, format)
  }
  return standardError
}

/** The descriptor in a form that answers EAGAIN, where the ordinary one would wait for a reader. */
function withoutWaiting(descriptor: 2): number {
  // Node puts pipes and sockets into this mode when it makes a stream of them.
  void process.stderr
  if (!isatty(descriptor)) return descriptor
  try {
    // A terminal that was stopped with Ctrl-S. Opened anew, so that the mode is ours alone: the shell has the same terminal.
    const { O_WRONLY, O_NONBLOCK, O_NOCTTY } = constants
    return openSync(`/proc/self/fd/${descriptor}`, O_WRONLY | O_NONBLOCK | O_NOCTTY)
  } catch {
    // Not Linux: there, a stopped terminal stops the program.
    return descriptor
  }
}
