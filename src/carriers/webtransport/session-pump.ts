/** One session inside the thread: moves bytes between the package's streams and messages, no faster than the other end takes them. */

import { type FromThread, MAX_DATAGRAMS_AHEAD, READ_WINDOW, type SessionEnd } from './messages.ts'
import type { ByteStream, Session } from './package.ts'

/** What a peer reads that opens streams, or sends what is none of a tunnel's. */
const NOT_A_TUNNEL = 1

export class SessionPump {
  readonly #id: number
  readonly #session: Session
  readonly #post: (message: FromThread, transfer?: ArrayBuffer[]) => void
  readonly #toWrite: Uint8Array[] = []
  /** Our half ends behind what is there to write. */
  #isEnding = false
  #isWriting = false
  #writer: WritableStreamDefaultWriter<Uint8Array> | undefined
  #datagrams: WritableStreamDefaultWriter<Uint8Array> | undefined
  /** Bytes that were read and not taken yet, and who waits for that. */
  #ahead = 0
  #onTaken = (): void => {}
  #datagramsAhead = 0
  #halves = 2
  #over = false
  /** Why it ends, as soon as that is known. */
  #end: SessionEnd | undefined

  constructor(id: number, session: Session, post: (message: FromThread, transfer?: ArrayBuffer[]) => void) {
    this.#id = id
    this.#session = session
    this.#post = post
    session.closed.then(
      ({ closeCode = 0, reason = '' }) => this.#gone(Number(closeCode), reason),
      error => this.#gone(NOT_A_TUNNEL, String(error?.message ?? error)),
    )
  }

  /**
   * Runs until the session is over. The client opens the stream for the capsules: its first one has the id 1 in this package (1.6.8), and the server's
   * the id 0, on which what does not come in one piece is lost.
   */
  run(isServer: boolean): void {
    this.#run(isServer).catch(error => this.close(NOT_A_TUNNEL, String(error?.message ?? error)))
  }

  async #run(isServer: boolean): Promise<void> {
    await this.#session.ready
    this.#datagrams = this.#session.datagrams.createWritable().getWriter()
    this.#datagrams.closed.catch(() => {})
    this.#readDatagrams().catch(() => {})
    const incoming = this.#session.incomingBidirectionalStreams.getReader()
    const stream = isServer ? (await incoming.read()).value : await this.#session.createBidirectionalStream()
    if (stream === undefined) return
    this.#closeAtFirst(incoming)
    this.#closeAtFirst(this.#session.incomingUnidirectionalStreams.getReader())
    this.#writer = stream.writable.getWriter()
    this.#writer.closed.catch(() => {})
    this.#write()
    await this.#read(stream)
  }

  /** A tunnel has one stream. */
  #closeAtFirst(streams: ReadableStreamDefaultReader<unknown>): void {
    streams.read().then(
      ({ done }) => !done && this.close(NOT_A_TUNNEL, 'a tunnel has one stream, and the client opens it'),
      () => {},
    )
  }

  async #read(stream: ByteStream): Promise<void> {
    const reader = stream.readable.getReader()
    for (;;) {
      while (this.#ahead >= READ_WINDOW) {
        await new Promise<void>(resolve => {
          this.#onTaken = resolve
        })
      }
      const { value, done } = await reader.read()
      if (done || value === undefined) break
      this.#ahead += value.length
      this.#post({ type: 'read', session: this.#id, bytes: value }, [value.buffer as ArrayBuffer])
    }
    this.#post({ type: 'ended', session: this.#id })
    this.#halfDone()
  }

  async #readDatagrams(): Promise<void> {
    const reader = this.#session.datagrams.readable.getReader()
    for (;;) {
      const { value, done } = await reader.read()
      if (done || value === undefined) return
      if (this.#datagramsAhead >= MAX_DATAGRAMS_AHEAD) continue
      this.#datagramsAhead++
      this.#post({ type: 'datagram', session: this.#id, bytes: value }, [value.buffer as ArrayBuffer])
    }
  }

  /** The first reason counts. */
  noteEnd(end: SessionEnd): void {
    this.#end ??= end
  }

  // -- what the program asks for ---------------------------------------------------------------------------------

  write(bytes: Uint8Array): void {
    this.#toWrite.push(bytes)
    this.#write()
  }

  sendDatagram(bytes: Uint8Array): void {
    const { length } = bytes
    const written = (): void => this.#post({ type: 'datagram-written', session: this.#id, bytes: length })
    // Before the session is ready, and behind its end, there is nowhere to send it.
    if (this.#datagrams === undefined) written()
    else this.#datagrams.write(bytes).then(written, written)
  }

  datagramTaken(): void {
    this.#datagramsAhead--
  }

  taken(bytes: number): void {
    this.#ahead -= bytes
    this.#onTaken()
  }

  end(): void {
    this.#isEnding = true
    this.#write()
  }

  close(code: number, reason: string): void {
    if (this.#over) return
    this.noteEnd({ by: 'us', code, reason })
    this.#session.close({ closeCode: code, reason })
  }

  // --------------------------------------------------------------------------------------------------------------

  #write(): void {
    if (this.#isWriting || this.#writer === undefined) return
    this.#isWriting = true
    this.#writeAll(this.#writer)
      // The stream is over, and the session with it or soon.
      .catch(() => this.#toWrite.splice(0))
      .finally(() => {
        this.#isWriting = false
      })
  }

  async #writeAll(writer: WritableStreamDefaultWriter<Uint8Array>): Promise<void> {
    for (;;) {
      const bytes = this.#toWrite.shift()
      if (bytes === undefined) break
      const { length } = bytes
      await writer.ready
      await writer.write(bytes)
      this.#post({ type: 'written', session: this.#id, bytes: length })
    }
    if (!this.#isEnding || this.#halves === 0) return
    this.#isEnding = false
    writer.close().catch(() => {})
    this.#halfDone()
  }

  /** Both halves of the stream have ended, and so the session. */
  #halfDone(): void {
    this.#halves--
    if (this.#halves === 0) setImmediate(() => this.close(0, ''))
  }

  #gone(code: number, reason: string): void {
    if (this.#over) return
    this.#over = true
    this.#onTaken()
    this.#post({ type: 'gone', session: this.#id, ...(this.#end ?? { by: 'peer', code, reason }) })
  }
}
