/**
 * Puts the bytes of a stream in order (RFC 9000 §2.2).
 *
 *          read         ready                    highest
 *     ───────┼────────────┼────────┬─────┬────┬─────┤
 *     taken  │ in order   │ missing│ here│miss│here │
 *
 * They are kept in blocks, and a bit for each byte says whether it is here. So it does not matter how finely the peer cuts its data, nor in what
 * order it comes: a byte costs a byte and a bit, and what is kept is at most what flow control allows, rounded up to blocks. Where bytes come twice
 * the first count: what was read cannot be changed.
 */

const BLOCK = 4096

/** Blocks that are kept for the next stream: their room is needed again soon. */
const MOST_SPARE_BLOCKS = 64

interface Block {
  readonly bytes: Uint8Array
  /** One bit for each byte beyond `ready`; undefined: none of them is here. */
  present: Uint8Array | undefined
}

const spareBlocks: Block[] = []

export class Reassembly {
  /** By where each begins. undefined: everything was read, as on most streams most of the time. */
  #blocks: Map<number, Block> | undefined
  #read = 0
  #ready = 0
  #highest = 0

  /** How many bytes were taken. */
  get read(): number {
    return this.#read
  }

  /** All before have come. */
  get ready(): number {
    return this.#ready
  }

  /** Bytes have come that cannot be read yet. */
  get hasGap(): boolean {
    return this.#highest > this.#ready
  }

  /** Copies the bytes. Who calls it has bounded `offset`. */
  insert(offset: number, data: Uint8Array): void {
    const end = offset + data.length
    const start = Math.max(offset, this.#ready)
    if (start >= end) return
    const isInOrder = start === this.#ready
    for (let at = start; at < end; ) {
      const blockStart = at - (at % BLOCK)
      const to = Math.min(end, blockStart + BLOCK)
      const block = this.#blockAt(blockStart)
      const part = data.subarray(at - offset, to - offset)
      if (isInOrder && block.present === undefined) block.bytes.set(part, at - blockStart)
      else fill(block, at - blockStart, part)
      at = to
    }
    this.#highest = Math.max(this.#highest, end)
    if (!isInOrder) return
    this.#ready = end
    if (this.#highest > end) this.#advance()
  }

  /** The next bytes in order, valid until the next call of this or of `insert`; undefined: there are none. */
  take(): Uint8Array | undefined {
    this.#release()
    if (this.#read === this.#ready) return undefined
    const blockStart = this.#read - (this.#read % BLOCK)
    const from = this.#read - blockStart
    const to = Math.min(this.#ready - blockStart, BLOCK)
    this.#read = blockStart + to
    return this.#blocks?.get(blockStart)?.bytes.subarray(from, to)
  }

  /** Nobody wants them. */
  clear(): void {
    for (const block of this.#blocks?.values() ?? []) spare(block)
    this.#blocks = undefined
    this.#read = this.#ready
    this.#highest = this.#ready
  }

  /** What `take` has given away is used no more: the block of which it was the end. */
  #release(): void {
    if (this.#read === 0) return
    const last = this.#read - 1
    const isNeeded = this.#read % BLOCK !== 0 && this.#read < this.#highest
    if (isNeeded) return
    const blockStart = last - (last % BLOCK)
    const block = this.#blocks?.get(blockStart)
    if (block === undefined) return
    this.#blocks?.delete(blockStart)
    if (this.#blocks?.size === 0) this.#blocks = undefined
    spare(block)
  }

  #blockAt(blockStart: number): Block {
    this.#blocks ??= new Map()
    let block = this.#blocks.get(blockStart)
    if (block === undefined) {
      block = spareBlocks.pop() ?? { bytes: new Uint8Array(BLOCK), present: undefined }
      this.#blocks.set(blockStart, block)
    }
    return block
  }

  /** A gap is filled: behind it bytes may be here already. */
  #advance(): void {
    while (this.#ready < this.#highest) {
      const inBlock = this.#ready % BLOCK
      const present = this.#blocks?.get(this.#ready - inBlock)?.present
      if (present === undefined) return
      if (inBlock % 8 === 0 && present[inBlock >> 3] === 0xff) this.#ready += 8
      else if ((present[inBlock >> 3] & (1 << (inBlock & 7))) !== 0) this.#ready++
      else return
    }
  }
}

/** Byte by byte, where there is none yet. */
function fill(block: Block, at: number, part: Uint8Array): void {
  block.present ??= new Uint8Array(BLOCK / 8)
  const { bytes, present } = block
  for (let i = 0; i < part.length; i++) {
    const bit = 1 << ((at + i) & 7)
    const word = (at + i) >> 3
    if ((present[word] & bit) !== 0) continue
    present[word] |= bit
    bytes[at + i] = part[i]
  }
}

function spare(block: Block): void {
  block.present = undefined
  if (spareBlocks.length < MOST_SPARE_BLOCKS) spareBlocks.push(block)
}
