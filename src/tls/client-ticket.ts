/**
 * What a client keeps of a session: the server's ticket, and what has to be known to use it (RFC 8446 §4.6.1). Whoever has it can
 * pass for the client: it is a secret.
 */
import { createHash } from 'node:crypto'
import { DecodeError } from '../bytes/errors.ts'
import { Reader } from '../bytes/reader.ts'
import { Writer } from '../bytes/writer.ts'
import { takeSuite } from './cipher-suite.ts'
import type { CipherSuite } from './tls.ts'
import { expectEnd, takeVector, vector } from './vectors.ts'
import { parseCertificate } from './x509/certificate.ts'

export interface ClientSession {
  suite: CipherSuite
  psk: Uint8Array
  ticket: Uint8Array
  ageAdd: number
  lifetimeSeconds: number
  /** In ms since 1970. */
  receivedMs: number
  /** From `purposeOf`. */
  purpose: Uint8Array
  /** DER. */
  serverCertificate: Uint8Array
}

/** Of ours; another one is not a ticket of this kind. */
const FORM = 1
const HASH_LENGTH = 32

/** Who was believed to be whom, and why: a resumed session has no certificates, so nothing of this may differ. */
export function purposeOf(...parts: (Uint8Array | string | undefined)[]): Uint8Array {
  const hash = createHash('sha256')
  for (const part of parts) {
    hash.update(part === undefined ? '-' : createHash('sha256').update(part).digest())
  }
  return hash.digest()
}

export function encodeClientSession(session: ClientSession): Uint8Array {
  return new Writer(1024)
    .u8(FORM)
    .bytes(session.purpose)
    .u16(session.suite)
    .bytes(vector(1, session.psk))
    .bytes(vector(2, session.ticket))
    .u32(session.ageAdd)
    .u32(session.lifetimeSeconds)
    .u16(Math.floor(session.receivedMs / 2 ** 32))
    .u32(session.receivedMs % 2 ** 32)
    .bytes(vector(2, session.serverCertificate))
    .finish()
}

/** undefined: it is none, or of no use now or for this `purpose`. */
export function usableSession(bytes: Uint8Array, purpose: Uint8Array, unixMs: number): ClientSession | undefined {
  try {
    const session = decode(bytes)
    if (Buffer.compare(session.purpose, purpose) !== 0) return undefined
    const age = unixMs - session.receivedMs
    if (age < 0 || age > session.lifetimeSeconds * 1000) return undefined
    if (unixMs > parseCertificate(session.serverCertificate).notAfterMs) return undefined
    return session
  } catch {
    return undefined
  }
}

function decode(bytes: Uint8Array): ClientSession {
  const reader = new Reader(bytes)
  if (reader.u8() !== FORM) throw new DecodeError('a ticket of another kind')
  const purpose = reader.take(HASH_LENGTH)
  const suite = takeSuite(reader)
  const psk = takeVector(reader, 1, 32)
  const ticket = takeVector(reader, 2, 1)
  const ageAdd = reader.u32()
  const lifetimeSeconds = reader.u32()
  const receivedMs = reader.u16() * 2 ** 32 + reader.u32()
  const serverCertificate = takeVector(reader, 2)
  expectEnd(reader)
  return { purpose, suite, psk, ticket, ageAdd, lifetimeSeconds, receivedMs, serverCertificate }
}
