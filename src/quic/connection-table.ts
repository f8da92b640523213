/** The connections of an endpoint, by the ids by which their peers call them (RFC 9000 §5.2), and how many an address has. */

export interface Listed {
  /** Where the peer was at first: this is where it counts, wherever it moves. */
  readonly firstRemote: { readonly host: string }
}

export class ConnectionTable<T extends Listed> {
  /** By connection id, as latin1 text, which is cheap to make and to compare. */
  readonly #routes = new Map<string, T>()
  readonly #ids = new Map<T, string[]>()
  readonly #perAddress = new Map<string, number>()

  get size(): number {
    return this.#ids.size
  }

  /** The oldest first. */
  get all(): Iterable<T> {
    return this.#ids.keys()
  }

  /** `key`: see `keyOf`. */
  find(key: string): T | undefined {
    return this.#routes.get(key)
  }

  countOf(host: string): number {
    return this.#perAddress.get(host) ?? 0
  }

  add(connection: T, ids: readonly Uint8Array[]): void {
    const { host } = connection.firstRemote
    this.#ids.set(connection, [])
    this.#perAddress.set(host, (this.#perAddress.get(host) ?? 0) + 1)
    for (const id of ids) this.addId(connection, id)
  }

  /** False: it was not there. */
  remove(connection: T): boolean {
    const keys = this.#ids.get(connection)
    if (keys === undefined) return false
    for (const key of keys) this.#routes.delete(key)
    this.#ids.delete(connection)
    const { host } = connection.firstRemote
    const others = (this.#perAddress.get(host) ?? 1) - 1
    if (others > 0) this.#perAddress.set(host, others)
    else this.#perAddress.delete(host)
    return true
  }

  addId(connection: T, id: Uint8Array): void {
    const keys = this.#ids.get(connection)
    if (keys === undefined) return
    keys.push(keyOf(id))
    this.#routes.set(keyOf(id), connection)
  }

  removeId(connection: T, id: Uint8Array): void {
    const keys = this.#ids.get(connection)
    const at = keys?.indexOf(keyOf(id)) ?? -1
    if (at >= 0) keys?.splice(at, 1)
    this.#routes.delete(keyOf(id))
  }

  clear(): void {
    this.#routes.clear()
    this.#ids.clear()
    this.#perAddress.clear()
  }
}

export function keyOf(connectionId: Uint8Array): string {
  return Buffer.from(connectionId.buffer, connectionId.byteOffset, connectionId.length).toString('latin1')
}
