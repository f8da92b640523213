/**
 * Who is behind which upstream socket: the table that a NAT keeps (RFC 4787), with endpoint-independent mapping of one
 * destination. Sans-IO: time comes in, sockets are whatever the caller stores.
 */

/** RFC 4787 §4.3 (REQ-5): a mapping must live at least two minutes without traffic; five are recommended. */
export const NAT_IDLE_MS = 300_000

/** More client addresses than this at once are turned away. Each holds a socket and its buffers. */
export const NAT_MAX_MAPPINGS = 1024

export interface Mapping<T> {
  /** Never used twice, so that a packet which is still on the link cannot end up at somebody else. */
  readonly id: number
  readonly attachment: number
  readonly host: string
  readonly port: number
  lastSeenMs: number
  value: T
}

export class NatTable<T> {
  readonly #byId = new Map<number, Mapping<T>>()
  readonly #byAddress = new Map<string, Mapping<T>>()
  readonly #maximum: number
  readonly #idleMs: number
  #nextId = 1
  /** Packets come in trains: the last mapping is usually the next one. */
  #last: Mapping<T> | undefined

  constructor(options: { maximum?: number; idleMs?: number } = {}) {
    this.#maximum = options.maximum ?? NAT_MAX_MAPPINGS
    this.#idleMs = options.idleMs ?? NAT_IDLE_MS
  }

  get size(): number {
    return this.#byId.size
  }

  /** Of an address on an attachment; marks it as seen. */
  find(attachment: number, host: string, port: number, nowMs: number): Mapping<T> | undefined {
    let mapping = this.#last
    if (mapping?.port !== port || mapping.attachment !== attachment || mapping.host !== host) {
      mapping = this.#byAddress.get(key(attachment, host, port))
      if (mapping === undefined) return undefined
      this.#last = mapping
    }
    mapping.lastSeenMs = nowMs
    return mapping
  }

  get(id: number): Mapping<T> | undefined {
    return this.#byId.get(id)
  }

  /** undefined when the table is full. `expire` first. */
  add(attachment: number, host: string, port: number, nowMs: number, value: T): Mapping<T> | undefined {
    if (this.#byId.size >= this.#maximum) return undefined
    const mapping = { id: this.#nextId++, attachment, host, port, lastSeenMs: nowMs, value }
    this.#byId.set(mapping.id, mapping)
    this.#byAddress.set(key(attachment, host, port), mapping)
    return mapping
  }

  /** Removes mappings without traffic for too long, and returns them. */
  expire(nowMs: number): Mapping<T>[] {
    const gone = [...this.#byId.values()].filter(mapping => nowMs - mapping.lastSeenMs >= this.#idleMs)
    for (const mapping of gone) this.remove(mapping)
    return gone
  }

  remove(mapping: Mapping<T>): void {
    this.#byId.delete(mapping.id)
    this.#byAddress.delete(key(mapping.attachment, mapping.host, mapping.port))
    if (this.#last === mapping) this.#last = undefined
  }

  values(): Iterable<Mapping<T>> {
    return this.#byId.values()
  }
}

function key(attachment: number, host: string, port: number): string {
  return `${attachment} ${host} ${port}`
}
