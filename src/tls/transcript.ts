import { createHash, type Hash } from 'node:crypto'
import type { HashName } from './hkdf.ts'
import { HandshakeType, handshakeMessage } from './messages/handshake-message.ts'

/** The transcript hash, RFC 8446 §4.4.1: over all handshake messages so far, with their headers. */
export class Transcript {
  readonly #name: HashName
  #hash: Hash

  constructor(hash: HashName) {
    this.#name = hash
    this.#hash = createHash(hash)
  }

  add(message: Uint8Array): void {
    this.#hash.update(message)
  }

  digest(): Uint8Array {
    return this.#hash.copy().digest()
  }

  /** What it would be with this message, or a part of one, behind. */
  digestWith(message: Uint8Array): Uint8Array {
    return this.#hash.copy().update(message).digest()
  }

  /** When HelloRetryRequest answers ClientHello1, a message with its hash takes its place. */
  replaceByHash(): void {
    const message = handshakeMessage(HandshakeType.message_hash, this.digest())
    this.#hash = createHash(this.#name).update(message)
  }
}
