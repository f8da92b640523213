/**
 * Stream data that flow control does not let through yet. It is kept here, in order, until the engine takes it. How much that may
 * become is up to whoever sends: see `buffered`.
 */

interface PendingStream {
  chunks: Uint8Array[]
  bytes: number
  fin: boolean
}

/** Gives data to the engine. Returns how many bytes it took; undefined: the stream takes no more, ever. */
export type StreamWrite = (streamId: number, data: Uint8Array, fin: boolean) => number | undefined

export class PendingStreams {
  readonly #streams = new Map<number, PendingStream>()

  get isEmpty(): boolean {
    return this.#streams.size === 0
  }

  /** In bytes. */
  buffered(streamId: number): number {
    return this.#streams.get(streamId)?.bytes ?? 0
  }

  send(streamId: number, data: Uint8Array, fin: boolean, write: StreamWrite): void {
    // Order within a stream: nothing overtakes what already waits.
    if (this.#streams.has(streamId)) return this.#keep(streamId, data, fin)
    const written = write(streamId, data, fin)
    if (written !== undefined && written < data.length) this.#keep(streamId, data.subarray(written), fin)
  }

  /** Sends what can be sent by now. `onDrained` is called for each stream of which nothing is left here. */
  flush(write: StreamWrite, onDrained: (streamId: number) => void): void {
    for (const [streamId, kept] of this.#streams) {
      const written = writeAll(kept, (chunk, fin) => write(streamId, chunk, fin))
      if (written === 'some') continue
      this.#streams.delete(streamId)
      if (written === 'all') onDrained(streamId)
    }
  }

  /** Nobody wants it any more. */
  drop(streamId: number): void {
    this.#streams.delete(streamId)
  }

  clear(): void {
    this.#streams.clear()
  }

  #keep(streamId: number, data: Uint8Array, fin: boolean): void {
    const kept = this.#streams.get(streamId) ?? { chunks: [], bytes: 0, fin: false }
    kept.chunks.push(Uint8Array.from(data))
    kept.bytes += data.length
    kept.fin ||= fin
    this.#streams.set(streamId, kept)
  }
}

function writeAll(
  kept: PendingStream,
  write: (chunk: Uint8Array, fin: boolean) => number | undefined,
): 'all' | 'some' | 'over' {
  while (kept.chunks.length > 0) {
    const chunk = kept.chunks[0]
    const written = write(chunk, kept.fin && kept.chunks.length === 1)
    if (written === undefined) return 'over'
    kept.bytes -= written
    if (written < chunk.length) {
      kept.chunks[0] = chunk.subarray(written)
      return 'some'
    }
    kept.chunks.shift()
  }
  return 'all'
}
