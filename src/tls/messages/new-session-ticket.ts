/**
 * NewSessionTicket, RFC 8446 §4.6.1: with which the client resumes this session later.
 *
 *     struct {
 *         uint32 ticket_lifetime;          // s, at most 7 days
 *         uint32 ticket_age_add;           // hides the age of a ticket from observers
 *         opaque ticket_nonce<0..255>;     // from which and the resumption secret its key comes
 *         opaque ticket<1..2^16-1>;
 *         Extension extensions<0..2^16-2>;
 *     } NewSessionTicket;
 */
import { Reader } from '../../bytes/reader.ts'
import { Writer } from '../../bytes/writer.ts'
import { protocolViolation, TlsAlert } from '../alert.ts'
import { ExtensionType, encodeExtensions, takeExtensions } from '../extensions/extensions.ts'
import { expectEnd, takeVector, vector } from '../vectors.ts'
import { HandshakeType, handshakeMessage } from './handshake-message.ts'

export interface NewSessionTicket {
  lifetimeSeconds: number
  ageAdd: number
  nonce: Uint8Array
  ticket: Uint8Array
}

const MAX_LIFETIME_SECONDS = 604_800
/** RFC 9001 §4.6.1: the only max_early_data_size in QUIC. */
const QUIC_EARLY_DATA = 0xffffffff

export function encodeNewSessionTicket(ticket: NewSessionTicket): Uint8Array {
  const body = new Writer(256)
    .u32(ticket.lifetimeSeconds)
    .u32(ticket.ageAdd)
    .bytes(vector(1, ticket.nonce))
    .bytes(vector(2, ticket.ticket))
    .bytes(encodeExtensions(new Map()))
  return handshakeMessage(HandshakeType.new_session_ticket, body.finish())
}

export function decodeNewSessionTicket(body: Uint8Array): NewSessionTicket {
  const reader = new Reader(body)
  const lifetimeSeconds = reader.u32()
  const ageAdd = reader.u32()
  const nonce = takeVector(reader, 1)
  const ticket = takeVector(reader, 2, 1)
  const earlyData = takeExtensions(reader).get(ExtensionType.early_data)
  expectEnd(reader)
  if (lifetimeSeconds > MAX_LIFETIME_SECONDS) {
    throw new TlsAlert('illegal_parameter', `a ticket of ${lifetimeSeconds} s; at most 7 days are allowed`)
  }
  if (earlyData !== undefined) {
    const size = new Reader(earlyData)
    if (size.u32() !== QUIC_EARLY_DATA) throw protocolViolation('illegal_parameter', 'max_early_data_size')
    expectEnd(size)
  }
  return { lifetimeSeconds, ageAdd, nonce, ticket }
}
