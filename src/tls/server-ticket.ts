/**
 * Tickets as the server makes them, RFC 8446 §4.6.1, RFC 5077 §4: it keeps nothing about its sessions, the client does, sealed with
 * a key that only the server has.
 *
 *     nonce (12) | AES-256-GCM (suite (2) | expiry (4) | PSK <0..2^8-1> | client's certificate <0..2^16-1>) | tag (16)
 *
 * A ticket is good until its expiry, for any number of sessions. That is as safe as it is without early data: whoever has copied
 * one does not know its PSK.
 */
import { createCipheriv, createDecipheriv } from 'node:crypto'
import { Reader } from '../bytes/reader.ts'
import { Writer } from '../bytes/writer.ts'
import { takeSuite } from './cipher-suite.ts'
import type { Random } from './key-exchange.ts'
import type { CipherSuite } from './tls.ts'
import { expectEnd, takeVector, vector } from './vectors.ts'

export interface Session {
  suite: CipherSuite
  psk: Uint8Array
  /** In seconds since 1970. */
  expires: number
  /** DER. */
  clientCertificate: Uint8Array | undefined
}

const KEY_LENGTH = 32
const NONCE_LENGTH = 12
const TAG_LENGTH = 16
/** The client sends it in its first flight. */
const MAX_CERTIFICATE = 2048

export class TicketSealer {
  readonly #key: Uint8Array
  readonly #random: Random

  constructor(random: Random) {
    this.#key = random(KEY_LENGTH)
    this.#random = random
  }

  /** undefined: the session is too large for one. `purpose`: for nothing else can it be opened. */
  seal(session: Session, purpose = ''): Uint8Array | undefined {
    const certificate = session.clientCertificate ?? new Uint8Array(0)
    if (certificate.length > MAX_CERTIFICATE) return undefined
    const content = new Writer(128)
      .u16(session.suite)
      .u32(session.expires)
      .bytes(vector(1, session.psk))
      .bytes(vector(2, certificate))
      .finish()
    const nonce = this.#random(NONCE_LENGTH)
    const cipher = createCipheriv('aes-256-gcm', this.#key, nonce).setAAD(Buffer.from(purpose))
    return Buffer.concat([nonce, cipher.update(content), cipher.final(), cipher.getAuthTag()])
  }

  /** undefined: it is none of ours, or for something else, or has been changed. */
  open(ticket: Uint8Array, purpose = ''): Session | undefined {
    if (ticket.length < NONCE_LENGTH + TAG_LENGTH) return undefined
    const end = ticket.length - TAG_LENGTH
    const decipher = createDecipheriv('aes-256-gcm', this.#key, ticket.subarray(0, NONCE_LENGTH))
    decipher.setAAD(Buffer.from(purpose)).setAuthTag(ticket.subarray(end))
    const content = decipher.update(ticket.subarray(NONCE_LENGTH, end))
    try {
      decipher.final()
    } catch {
      return undefined
    }
    return decode(content)
  }
}

function decode(content: Uint8Array): Session {
  const reader = new Reader(content)
  const suite = takeSuite(reader)
  const expires = reader.u32()
  const psk = takeVector(reader, 1, 32)
  const certificate = takeVector(reader, 2)
  expectEnd(reader)
  return { suite, expires, psk, clientCertificate: certificate.length === 0 ? undefined : certificate }
}
