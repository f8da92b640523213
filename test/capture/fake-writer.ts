import type { FileWriter } from '../../src/capture/batched-file.ts'

/** A disk in memory, which answers when it is told to. */
export class FakeWriter implements FileWriter {
  content = Buffer.alloc(0)
  isClosed = false
  writes = 0
  /** Bytes that there is room for. */
  room = Number.POSITIVE_INFINITY
  /** At most so many bytes are taken at a time. */
  atOnce = Number.POSITIVE_INFINITY
  /** Nothing is answered until this is false. */
  isSlow = false
  #late: (() => void)[] = []

  write(bytes: Uint8Array, done: (error: Error | null, written: number) => void): void {
    this.writes++
    this.#answer(() => {
      const taken = Math.min(bytes.length, this.room, this.atOnce)
      if (taken === 0) return done(Object.assign(new Error('no space left on device'), { code: 'ENOSPC' }), 0)
      this.content = Buffer.concat([this.content, bytes.subarray(0, taken)])
      this.room -= taken
      done(null, taken)
    })
  }

  truncate(length: number, done: () => void): void {
    this.content = this.content.subarray(0, length)
    this.#answer(done)
  }

  close(done: () => void): void {
    this.isClosed = true
    this.#answer(done)
  }

  /** What was kept back is answered. */
  goOn(): void {
    this.isSlow = false
    for (const late of this.#late.splice(0)) late()
  }

  #answer(step: () => void): void {
    if (this.isSlow) this.#late.push(step)
    else setImmediate(step)
  }
}
