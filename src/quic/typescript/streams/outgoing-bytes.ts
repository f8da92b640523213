/**
 * The bytes of a stream from when they are written until they are acknowledged (RFC 9000 §2.2, §13.3).
 *
 *            start                        sent                 end
 *     ─────────┼───────────┬────────┬───────┼───────────────────┤
 *      acked,  │ on its way│ lost   │ acked │ not sent yet
 *      gone    │           │ goes first     │
 */
import { WireWriter } from '../wire-writer.ts'
import { RangeSet } from './range-set.ts'

/** Many small writes share one of these, in bytes; what is larger gets what it needs. */
const SMALL_BLOCK = 1024

interface Block {
  readonly offset: number
  readonly bytes: Uint8Array
  used: number
}

export class OutgoingBytes {
  readonly #blocks: Block[] = []
  readonly #lost = new RangeSet()
  /** Of what is not gone yet. */
  readonly #acked = new RangeSet()
  #start = 0
  #sent = 0
  #end = 0

  /** Everything before is acknowledged. */
  get start(): number {
    return this.#start
  }

  /** Everything before was sent at least once. */
  get sent(): number {
    return this.#sent
  }

  /** How many bytes were written. */
  get end(): number {
    return this.#end
  }

  get wantsToSend(): boolean {
    return this.#sent < this.#end || !this.#lost.isEmpty
  }

  get isAllAcked(): boolean {
    return this.#start === this.#end
  }

  /** What is to be sent next: from `nextStart` up to `nextEnd`. */
  get nextStart(): number {
    return this.#lost.isEmpty ? this.#sent : this.#lost.startAt(0)
  }

  get nextEnd(): number {
    return this.#lost.isEmpty ? this.#end : this.#lost.endAt(0)
  }

  /** Copies the bytes. */
  append(data: Uint8Array): void {
    const last = this.#blocks.at(-1)
    const fits = last === undefined ? 0 : Math.min(data.length, last.bytes.length - last.used)
    if (last !== undefined && fits > 0) {
      last.bytes.set(data.subarray(0, fits), last.used)
      last.used += fits
    }
    if (fits < data.length) {
      const rest = data.subarray(fits)
      const bytes = new Uint8Array(Math.max(rest.length, SMALL_BLOCK))
      bytes.set(rest)
      this.#blocks.push({ offset: this.#end + fits, bytes, used: rest.length })
    }
    this.#end += data.length
  }

  /** A copy of a range, as `copyTo`. */
  slice(start: number, end: number): Uint8Array {
    const out = new WireWriter(new Uint8Array(end - start))
    this.copyTo(out, start, end)
    return out.bytes
  }

  /** Writes the bytes of a range, all of which have been written and not acknowledged. */
  copyTo(out: WireWriter, start: number, end: number): void {
    for (let i = this.#blockOf(start), at = start; at < end; i++) {
      const { offset, bytes, used } = this.#blocks[i]
      const to = Math.min(end, offset + used)
      out.write(bytes.subarray(at - offset, to - offset))
      at = to
    }
  }

  onSent(start: number, end: number): void {
    this.#lost.remove(start, end)
    this.#sent = Math.max(this.#sent, end)
  }

  onLost(start: number, end: number): void {
    this.#lost.add(Math.max(start, this.#start), end)
    // It may have been sent twice, and have arrived once.
    const acked = this.#acked
    // There may be thousands of them, where every other packet was lost.
    for (let i = acked.firstBeyond(start); i < acked.size && acked.startAt(i) < end; i++) {
      this.#lost.remove(acked.startAt(i), acked.endAt(i))
    }
  }

  onAcked(start: number, end: number): void {
    this.#lost.remove(start, end)
    if (start > this.#start) {
      this.#acked.add(start, end)
      return
    }
    if (end <= this.#start) return
    this.#start = end
    const acked = this.#acked
    if (!acked.isEmpty) {
      acked.add(start, end)
      this.#start = acked.endAt(0)
      acked.remove(0, this.#start)
    }
    this.#free()
  }

  /** Nothing of it is sent any more. */
  clear(): void {
    this.#blocks.length = 0
    this.#lost.clear()
    this.#acked.clear()
    this.#start = this.#sent
    this.#end = this.#sent
  }

  #free(): void {
    const blocks = this.#blocks
    let gone = 0
    while (gone < blocks.length && blocks[gone].offset + blocks[gone].used <= this.#start) gone++
    if (gone > 0) blocks.splice(0, gone)
  }

  #blockOf(offset: number): number {
    let low = 0
    let high = this.#blocks.length - 1
    while (low < high) {
      const middle = (low + high + 1) >>> 1
      if (this.#blocks[middle].offset <= offset) low = middle
      else high = middle - 1
    }
    return low
  }
}
