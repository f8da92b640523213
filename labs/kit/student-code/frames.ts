/**
 * Messages on the pipe between a check and the student's process: JSON, in UTF-8, behind its length in bytes.
 *
 *     +--------------------------+----------------------+
 *     | Length (32, big endian)  |  JSON (Length × 8) … |
 *     +--------------------------+----------------------+
 */

/** Either side refuses a longer message. */
export const MAX_FRAME_BYTES = 16 * 1024 * 1024

export function encodeFrame(message: unknown): Buffer {
  const json = Buffer.from(JSON.stringify(message))
  const length = Buffer.alloc(4)
  length.writeUInt32BE(json.length)
  return Buffer.concat([length, json])
}

/** Puts frames together from what arrives in pieces. */
export class FrameReader {
  #pieces: Buffer[] = []
  #length = 0

  /** Throws `RangeError` for a frame that is too long, `SyntaxError` for one that is not JSON. */
  push(piece: Buffer): unknown[] {
    this.#pieces.push(piece)
    this.#length += piece.length
    const messages: unknown[] = []
    while (this.#length >= 4) {
      const head = this.#pieces[0]
      const length = head.length >= 4 ? head.readUInt32BE(0) : this.#join().readUInt32BE(0)
      if (length > MAX_FRAME_BYTES) throw new RangeError(`a message of ${length} bytes`)
      if (this.#length < 4 + length) break
      const all = this.#join()
      messages.push(JSON.parse(all.toString('utf8', 4, 4 + length)))
      this.#pieces = [all.subarray(4 + length)]
      this.#length -= 4 + length
    }
    return messages
  }

  #join(): Buffer {
    const all = this.#pieces.length === 1 ? this.#pieces[0] : Buffer.concat(this.#pieces)
    this.#pieces = [all]
    return all
  }
}
