/**
 * Tokens that a client has from its servers, each for the next connection to the same one (NEW_TOKEN, RFC 9000 §8.1.3). Only the last of a server is kept, in memory, and
 * shown once: a second connection with it would say to whoever looks on that both are of the same client.
 */

import type { SocketAddress } from './quic.ts'

export const KEPT_TOKENS = { servers: 16, length: 256 }

export class KeptTokens {
  /** The one that was changed last is the last. */
  readonly #tokens = new Map<string, Uint8Array>()

  /** Copies it. One that is too long to be shown with a ClientHello in one packet is not kept. */
  keep(serverName: string, server: SocketAddress, token: Uint8Array): void {
    if (token.length > KEPT_TOKENS.length) return
    const name = nameOf(serverName, server)
    this.#tokens.delete(name)
    this.#tokens.set(name, Uint8Array.from(token))
    if (this.#tokens.size <= KEPT_TOKENS.servers) return
    for (const [oldest] of this.#tokens) {
      this.#tokens.delete(oldest)
      return
    }
  }

  /** It is kept no more. */
  take(serverName: string, server: SocketAddress): Uint8Array | undefined {
    const name = nameOf(serverName, server)
    const token = this.#tokens.get(name)
    this.#tokens.delete(name)
    return token
  }
}

/** Only a server of both the same name and the same address is the one that has given it: another one would learn where the client has been. */
function nameOf(serverName: string, { host, port }: SocketAddress): string {
  return `${serverName} ${host} ${port}`
}
