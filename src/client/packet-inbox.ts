/** Packets for whoever reads them one by one with `await`, as a test does. The packet path itself awaits nothing. */

const MAX_KEPT = 256

export class PacketInbox {
  #reading = false
  readonly #kept: Uint8Array[] = []
  readonly #waiting: { resolve: (packet: Uint8Array) => void; reject: (error: Error) => void }[] = []

  /** A packet has come; it is copied if anybody reads. The oldest goes when too many are kept. */
  receive(packet: Uint8Array): void {
    if (!this.#reading) return
    const copy = Uint8Array.from(packet)
    const reader = this.#waiting.shift()
    if (reader !== undefined) return reader.resolve(copy)
    this.#kept.push(copy)
    if (this.#kept.length > MAX_KEPT) this.#kept.shift()
  }

  next(): Promise<Uint8Array> {
    this.#reading = true
    const packet = this.#kept.shift()
    if (packet !== undefined) return Promise.resolve(packet)
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }))
  }

  /** Fails all who wait, and forgets what was kept. */
  fail(error: Error): void {
    this.#kept.length = 0
    for (const reader of this.#waiting.splice(0)) reader.reject(error)
  }
}
