/**
 * How a client resumes a session, RFC 8446 §2.2: it offers its ticket, with a binder, which shows that it knows the ticket's key
 * (§4.2.11), and keeps what new ones come (§4.6.1). What it keeps: client-ticket.ts.
 */
import { TlsAlert } from './alert.ts'
import { hashOf } from './cipher-suite.ts'
import type { ClientSession } from './client-ticket.ts'
import { bindersLengthOf, decodeSelectedIdentity, encodeOfferedPsk } from './extensions/pre-shared-key.ts'
import { hashLength } from './hkdf.ts'
import { binderOf, resumptionPsk } from './key-schedule.ts'
import type { NewSessionTicket } from './messages/new-session-ticket.ts'
import type { CipherSuite } from './tls.ts'

/** Longer tickets are not kept: ClientHello has to carry them. */
export const MAX_TICKET_KEPT = 4096

/** The content of pre_shared_key, with zeros for the binder: see `writeBinder`. */
export function encodeOffer(session: ClientSession, unixMs: number): Uint8Array {
  const psk = { identity: session.ticket, obfuscatedAge: obfuscatedAge(session, unixMs) }
  return encodeOfferedPsk(psk, hashLength(hashOf(session.suite)))
}

/** `obfuscated_ticket_age`, RFC 8446 §4.2.11.1. */
export function obfuscatedAge(session: ClientSession, unixMs: number): number {
  return (unixMs - session.receivedMs + session.ageAdd) % 2 ** 32
}

/**
 * RFC 8446 §4.2.11.2: the binder is over all of ClientHello before it, and ends ClientHello. `transcriptHash`: with that at its end, and
 * after a HelloRetryRequest with that and the first ClientHello in front.
 */
export function writeBinder(
  hello: Uint8Array,
  { suite, psk }: ClientSession,
  transcriptHash: (covered: Uint8Array) => Uint8Array,
): void {
  const covered = hello.subarray(0, hello.length - bindersLengthOf(hashLength(hashOf(suite))))
  const binder = binderOf(hashOf(suite), psk, transcriptHash(covered))
  hello.set(binder, hello.length - binder.length)
}

/** RFC 8446 §4.2.11: what the server says to the one ticket that it was offered. Throws TlsAlert. */
export function checkAccepted(selected: Uint8Array, session: ClientSession, suite: CipherSuite): void {
  if (decodeSelectedIdentity(selected) !== 0 || hashOf(suite) !== hashOf(session.suite)) {
    throw new TlsAlert('illegal_parameter', 'a ticket that was not offered, or for another hash')
  }
}

/** What to keep of a ticket that has come; undefined: nothing, it ends at once, or is too long. */
export function sessionOf(
  { ticket, nonce, ageAdd, lifetimeSeconds }: NewSessionTicket,
  resumptionSecret: Uint8Array,
  known: Pick<ClientSession, 'suite' | 'receivedMs' | 'purpose' | 'serverCertificate'>,
): ClientSession | undefined {
  if (lifetimeSeconds === 0 || ticket.length > MAX_TICKET_KEPT) return undefined
  const psk = resumptionPsk(hashOf(known.suite), resumptionSecret, nonce)
  return { ...known, psk, ticket, ageAdd, lifetimeSeconds }
}
