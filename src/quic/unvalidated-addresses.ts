/**
 * Addresses that may be forged, and what may be sent to them (RFC 9000 §8.1).
 *
 * quiche has such a limit too, but its probes for a client that never answers exceed it: six times what came, in 21 s. What is too
 * much is not sent; to QUIC it is lost.
 */

import type { SocketAddress } from './quic.ts'

/** What may be sent to an address that has not been validated, as a multiple of what came from there. */
const AMPLIFICATION_LIMIT = 3

interface Account {
  /** The connection id that we chose, as a key of the routes: who uses it has read our answer. */
  readonly ownId: string
  readonly address: SocketAddress
  /** Bytes of UDP payload. */
  received: number
  sent: number
}

/** `T` stands for a connection. */
export class UnvalidatedAddresses<T> {
  readonly #accounts = new Map<T, Account>()

  /** A connection has begun with a packet of so many bytes. */
  add(connection: T, ownId: string, address: SocketAddress, received: number): void {
    this.#accounts.set(connection, { ownId, address, received, sent: 0 })
  }

  /**
   * Whoever uses a connection id of 64 random bits that we have chosen has read our answer, so the address is its own. Until
   * then all bytes count that come for this connection, whether or not they can be read.
   */
  heard(connection: T, id: string, length: number, host: string, port: number): void {
    const account = this.#accounts.get(connection)
    if (account === undefined) return
    account.received += length
    const { ownId, address } = account
    if (id === ownId && port === address.port && host === address.host) this.#accounts.delete(connection)
  }

  has(connection: T): boolean {
    return this.#accounts.has(connection)
  }

  /** Whether so many bytes may be sent; if so, they count. */
  maySend(connection: T, length: number): boolean {
    if (this.#accounts.size === 0) return true
    const account = this.#accounts.get(connection)
    if (account === undefined) return true
    if (account.sent + length > AMPLIFICATION_LIMIT * account.received) return false
    account.sent += length
    return true
  }

  forget(connection: T): void {
    this.#accounts.delete(connection)
  }
}
