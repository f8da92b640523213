import { appendFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/**
 * Collects the TLS secrets of many connections in one key log file (the format of SSLKEYLOGFILE).
 *
 * quiche writes each connection's secrets to a file of that connection's own, which it truncates first. So each
 * connection gets a private file, whose lines are moved to the common one when the handshake is over.
 */
export class KeyLog {
  readonly #target: string
  readonly #directory: string

  constructor(target: string) {
    this.#target = target
    // Fails now, with the file's name, rather than in the middle of the first handshake.
    appendFileSync(target, '', { mode: 0o600 })
    this.#directory = mkdtempSync(join(tmpdir(), 'masque-keylog-'))
  }

  /** The private file of one connection. */
  fileFor(connectionId: string): string {
    return join(this.#directory, connectionId)
  }

  /** Appends what the connection has logged to the common file. Calling it again does nothing. */
  collect(connectionId: string): void {
    const file = this.fileFor(connectionId)
    let lines: Buffer
    try {
      lines = readFileSync(file)
    } catch {
      return
    }
    appendFileSync(this.#target, lines)
    rmSync(file, { force: true })
  }

  close(): void {
    rmSync(this.#directory, { recursive: true, force: true })
  }
}
