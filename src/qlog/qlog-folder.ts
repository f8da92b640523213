/** `--qlog DIR`: a file for each connection over QUIC, called as the connection is in the log. */

import { join } from 'node:path'
import { BatchedFile } from '../capture/batched-file.ts'
import { CaptureError, fileWriter, openNewFile } from '../capture/open-file.ts'
import { makeFolder } from '../config/write-file.ts'
import type { QuicConnection } from '../quic/quic.ts'
import { ConnectionLog, MAX_QLOG_LENGTH, type RecordSink } from './connection-log.ts'

/** Files that one run of a program writes, and bytes of each that wait for the disk. */
export const MAX_QLOG_FILES = 256
export const MAX_QLOG_WAITING = 1 << 20

export interface QlogFolderOptions {
  readonly folder: string
  /** What writes it: name and version. */
  readonly application: string
  /** For tests: a file in the place of one of the system's. */
  readonly openFile?: (file: string) => ReturnType<typeof fileWriter>
}

export class QlogFolder {
  readonly folder: string
  /** Hears a sentence when no more is written, or not all. */
  warn: (sentence: string) => void = () => {}
  readonly #application: string
  readonly #openFile: (file: string) => ReturnType<typeof fileWriter>
  readonly #open = new Set<BatchedFile>()
  readonly #prepared = new WeakMap<QuicConnection, ConnectionLog>()
  #files = 0
  /** Nothing can be written, or enough has been. */
  #isOff = false

  /** Makes the folder. Throws CaptureError when that cannot be. */
  constructor({ folder, application, openFile }: QlogFolderOptions) {
    this.folder = folder
    this.#application = application
    this.#openFile = openFile ?? (file => fileWriter(openNewFile(file)))
    try {
      makeFolder(folder)
    } catch (cause) {
      throw new CaptureError(`${folder}: qlog cannot be written there: ${(cause as Error).message}`, { cause })
    }
  }

  /** Files that were begun. */
  get files(): number {
    return this.#files
  }

  /** Before its first packet is read: what `watch` gives then begins here. */
  prepare(quic: QuicConnection): void {
    this.#prepared.set(quic, this.#newLog(quic))
  }

  /** The log of a new connection. */
  watch(quic: QuicConnection): ConnectionLog {
    const log = this.#prepared.get(quic) ?? this.#newLog(quic)
    this.#prepared.delete(quic)
    return log
  }

  #newLog(quic: QuicConnection): ConnectionLog {
    return new ConnectionLog({
      quic,
      application: this.#application,
      now: () => performance.now(),
      timeOrigin: performance.timeOrigin,
      open: () => this.#begin(quic.id),
    })
  }

  /** Ends the files of connections that still are; resolves when all is written. Never rejects. */
  async close(): Promise<void> {
    this.#isOff = true
    await Promise.all([...this.#open].map(file => file.close()))
  }

  #begin(id: string): RecordSink | undefined {
    if (this.#isOff) return undefined
    if (this.#files === MAX_QLOG_FILES) {
      this.#end(`it has ${MAX_QLOG_FILES} files of this run`)
      return undefined
    }
    const name = join(this.folder, `${id}.sqlog`)
    try {
      const file: BatchedFile = new BatchedFile({
        writer: this.#openFile(name),
        maxLength: MAX_QLOG_LENGTH,
        maxWaiting: MAX_QLOG_WAITING,
        onEnded: why => this.#end(why),
      })
      this.#files++
      this.#open.add(file)
      return {
        append: record => file.append(record),
        close: () => void file.close().then(() => this.#open.delete(file)),
      }
    } catch (error) {
      this.#end((error as Error).message)
      return undefined
    }
  }

  #end(why: string): void {
    if (this.#isOff) return
    this.#isOff = true
    this.warn(`no qlog of further connections in ${this.folder}, and the tunnels go on: ${why}`)
  }
}
