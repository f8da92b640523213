/**
 * How a server resumes sessions, RFC 8446 §2.2: it takes a ticket that the client offers (§4.2.11), and gives new ones (§4.6.1).
 * What is in them: server-ticket.ts.
 */
import { timingSafeEqual } from 'node:crypto'
import { TlsAlert } from './alert.ts'
import { hashOf } from './cipher-suite.ts'
import { type Extensions, ExtensionType, required } from './extensions/extensions.ts'
import { decodeOfferedPsks, PSK_DHE_KE } from './extensions/pre-shared-key.ts'
import { binderOf, resumptionPsk } from './key-schedule.ts'
import { encodeNewSessionTicket } from './messages/new-session-ticket.ts'
import type { TlsServerContext } from './server-context.ts'
import type { Session } from './server-ticket.ts'
import type { CipherSuite } from './tls.ts'
import type { Transcript } from './transcript.ts'
import { onlyVector } from './vectors.ts'
import { parseCertificate } from './x509/certificate.ts'

/** How many of a client's tickets are looked at. */
export const MAX_TICKETS_TRIED = 4

export interface Resumption {
  /** Which of the client's tickets. */
  index: number
  session: Session
}

/** Whether the client can resume with a new key exchange: `PskKeyExchangeMode ke_modes<1..255>`, RFC 8446 §4.2.9. */
export function speaksPskDheKe(extensions: Extensions): boolean {
  const modes = extensions.get(ExtensionType.psk_key_exchange_modes)
  return modes !== undefined && onlyVector(modes, 1, 1).includes(PSK_DHE_KE)
}

/**
 * The first ticket of a ClientHello that is ours, still good, and for the hash of `suite`; undefined: there is none. `message`: all of
 * ClientHello; `transcript`: of what was before it. Throws TlsAlert when the client does not know the key of its ticket.
 */
export function chooseTicket(
  context: TlsServerContext,
  suite: CipherSuite,
  extensions: Extensions,
  message: Uint8Array,
  transcript: Transcript,
  purpose: string | undefined,
): Resumption | undefined {
  const data = extensions.get(ExtensionType.pre_shared_key)
  if (data === undefined) return undefined
  const { identities, binders, bindersLength } = decodeOfferedPsks(data)
  // §4.2.9.
  required(extensions, ExtensionType.psk_key_exchange_modes, 'psk_key_exchange_modes')
  if (!speaksPskDheKe(extensions)) return undefined
  for (const [index, { identity }] of identities.slice(0, MAX_TICKETS_TRIED).entries()) {
    const session = context.tickets.open(identity, purpose)
    // Its age, which is hidden in the identity, matters for early data only (§4.2.10).
    if (session === undefined || hashOf(session.suite) !== hashOf(suite)) continue
    if (context.unixMs() >= session.expires * 1000) continue
    const covered = message.subarray(0, message.length - bindersLength)
    checkBinder(binders[index], binderOf(hashOf(suite), session.psk, transcript.digestWith(covered)))
    return { index, session }
  }
  return undefined
}

function checkBinder(binder: Uint8Array, expected: Uint8Array): void {
  if (binder.length !== expected.length || !timingSafeEqual(binder, expected)) {
    throw new TlsAlert('decrypt_error', 'the binder of a ticket does not verify')
  }
}

/** A NewSessionTicket for this session; undefined: it would be over already, or too large. */
export function newTicket(
  context: TlsServerContext,
  suite: CipherSuite,
  resumptionSecret: Uint8Array,
  clientCertificate: Uint8Array | undefined,
  purpose: string | undefined,
): Uint8Array | undefined {
  const now = Math.floor(context.unixMs() / 1000)
  // A client is not believed longer than its certificate.
  const untilExpiry = clientCertificate && Math.floor(parseCertificate(clientCertificate).notAfterMs / 1000) - now
  const lifetimeSeconds = Math.min(context.ticketLifetimeSeconds, untilExpiry ?? Number.POSITIVE_INFINITY)
  if (lifetimeSeconds <= 0) return undefined
  // One a session, so that its nonce need not differ from others.
  const nonce = Uint8Array.of(0)
  const psk = resumptionPsk(hashOf(suite), resumptionSecret, nonce)
  const ticket = context.tickets.seal({ suite, psk, expires: now + lifetimeSeconds, clientCertificate }, purpose)
  if (ticket === undefined) return undefined
  const ageAdd = context.random(4).reduce((number, byte) => number * 256 + byte, 0)
  return encodeNewSessionTicket({ lifetimeSeconds, ageAdd, nonce, ticket })
}
