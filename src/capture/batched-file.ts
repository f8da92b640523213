/**
 * A file of records that is written behind the back of whoever makes them: in batches, so that a packet costs no system call, and never
 * awaited, so that a slow disk holds up nothing.
 *
 * A tool to look at tunnels must not end them. When the disk is full, or the file has reached its bound, it ends there, behind a whole
 * record, and says so once. When records come faster than the disk takes them, what there is no room for is left out, and counted.
 */

/** What of the system is needed: a test has another one. `done` is called later, never from within. */
export interface FileWriter {
  write(bytes: Uint8Array, done: (error: Error | null, written: number) => void): void
  truncate(length: number, done: () => void): void
  close(done: () => void): void
}

export interface BatchedFileOptions {
  readonly writer: FileWriter
  /** Bytes that the file has already. */
  readonly length?: number
  /** Bytes that it may have. */
  readonly maxLength: number
  /** How long a record may wait for others to be written with it, in ms. */
  readonly batchMs?: number
  /** Bytes that may wait for the disk. */
  readonly maxWaiting: number
  /** Called once: the file has ended before its time, and why. */
  onEnded(why: string): void
  /** Called with records that were taken, and then could not be written. */
  onLost?(records: readonly Uint8Array[]): void
}

/** By default; and how many bytes are a batch that need not wait. */
const BATCH_MS = 200
const BATCH_LENGTH = 256 << 10

export class BatchedFile {
  readonly #options: BatchedFileOptions
  /** Records that wait, in their order, and their bytes. */
  #waiting: Uint8Array[] = []
  #waitingLength = 0
  /** Whole records that are in the file. */
  #length: number
  /** Handed to the system, which has not answered yet. */
  #writing = 0
  #isWriting = false
  #timer: NodeJS.Timeout | undefined
  #ended = false
  #isClosing = false
  #closed: Promise<void> | undefined
  #resolveClosed: () => void = () => {}
  /** Records that were left out: there was no room, or the file has ended. */
  leftOut = 0

  constructor(options: BatchedFileOptions) {
    this.#options = options
    this.#length = options.length ?? 0
  }

  /** No further record is taken: the disk was full, or the bound was reached. */
  get ended(): boolean {
    return this.#ended
  }

  /** Takes one record. False: it is left out. `first`: in front of those that wait. */
  append(record: Uint8Array, { first = false } = {}): boolean {
    if (this.#isClosing || this.#ended || !this.#hasRoom(record.length)) {
      this.leftOut++
      return false
    }
    if (first) this.#waiting.unshift(record)
    else this.#waiting.push(record)
    this.#waitingLength += record.length
    if (this.#waitingLength >= BATCH_LENGTH) this.#write()
    // It does not keep a program alive that has nothing else to do.
    else this.#timer ??= setTimeout(() => this.#write(), this.#options.batchMs ?? BATCH_MS).unref()
    return true
  }

  #hasRoom(length: number): boolean {
    const { maxLength, maxWaiting } = this.#options
    if (this.#length + this.#writing + this.#waitingLength + length > maxLength) {
      this.#end(`it has reached ${maxLength >> 20} MiB`)
      return false
    }
    return this.#writing + this.#waitingLength + length <= maxWaiting
  }

  /** Writes what still waits, then closes the file. Idempotent; never rejects. */
  close(): Promise<void> {
    this.#closed ??= new Promise(resolve => {
      this.#resolveClosed = resolve
      this.#isClosing = true
      this.#write()
    })
    return this.#closed
  }

  #write(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    if (this.#isWriting) return
    if (this.#waiting.length === 0) {
      if (this.#isClosing) this.#options.writer.close(() => this.#resolveClosed())
      return
    }
    const records = this.#waiting
    this.#waiting = []
    this.#writing = this.#waitingLength
    this.#waitingLength = 0
    this.#isWriting = true
    this.#put(Buffer.concat(records, this.#writing), 0, records)
  }

  #put(batch: Uint8Array, from: number, records: readonly Uint8Array[]): void {
    this.#options.writer.write(batch.subarray(from), (error, written) => {
      if (error !== null) return this.#failed(error, from, records)
      if (from + written < batch.length) return this.#put(batch, from + written, records)
      this.#length += batch.length
      this.#written()
    })
  }

  /** A reader is to find whole records only. */
  #failed(error: Error, written: number, records: readonly Uint8Array[]): void {
    let whole = 0
    let count = 0
    while (whole + records[count].length <= written) whole += records[count++].length
    this.#length += whole
    this.#end(reasonOf(error))
    // Those that have come meanwhile have no place any more.
    const lost = [...records.slice(count), ...this.#waiting]
    this.leftOut += lost.length
    this.#options.onLost?.(lost)
    this.#waiting = []
    this.#waitingLength = 0
    this.#options.writer.truncate(this.#length, () => this.#written())
  }

  #written(): void {
    this.#writing = 0
    this.#isWriting = false
    if (this.#isClosing || this.#waitingLength >= BATCH_LENGTH) this.#write()
  }

  #end(why: string): void {
    if (this.#ended) return
    this.#ended = true
    this.#options.onEnded(why)
  }
}

function reasonOf(error: NodeJS.ErrnoException): string {
  switch (error.code) {
    case 'ENOSPC':
      return 'the disk is full'
    case 'EDQUOT':
      return 'the quota of the disk is used up'
    default:
      return `it cannot be written: ${error.message}`
  }
}
