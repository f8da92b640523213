/**
 * What resumes a session: tickets, and proofs that the client knows their keys. RFC 8446 §4.2.11:
 *
 *     struct {
 *         opaque identity<1..2^16-1>;
 *         uint32 obfuscated_ticket_age;
 *     } PskIdentity;
 *
 *     opaque PskBinderEntry<32..255>;
 *
 *     ClientHello:  PskIdentity identities<7..2^16-1>;
 *                   PskBinderEntry binders<33..2^16-1>;
 *     ServerHello:  uint16 selected_identity;
 *
 * A binder is a MAC of ClientHello up to the binders, so they are its last bytes.
 */
import { Reader } from '../../bytes/reader.ts'
import { Writer } from '../../bytes/writer.ts'
import { TlsAlert } from '../alert.ts'
import { expectEnd, takeVector, vector } from '../vectors.ts'

/** psk_dhe_ke, RFC 8446 §4.2.9: a new key exchange beside the pre-shared key. The other mode has no forward secrecy. */
export const PSK_DHE_KE = 1

export interface PskIdentity {
  identity: Uint8Array
  obfuscatedAge: number
}

export interface OfferedPsks {
  identities: PskIdentity[]
  binders: Uint8Array[]
  /** How many bytes at the end of ClientHello the binders do not cover. */
  bindersLength: number
}

/** Of one identity, whose binder is still to be written over the last `binderLength` bytes. */
export function encodeOfferedPsk(psk: PskIdentity, binderLength: number): Uint8Array {
  const identity = new Writer().bytes(vector(2, psk.identity)).u32(psk.obfuscatedAge).finish()
  const binder = vector(1, new Uint8Array(binderLength))
  return new Writer().bytes(vector(2, identity)).bytes(vector(2, binder)).finish()
}

/** The bytes of a list with one binder: two lengths and itself. */
export function bindersLengthOf(binderLength: number): number {
  return 2 + 1 + binderLength
}

export function decodeOfferedPsks(bytes: Uint8Array): OfferedPsks {
  const reader = new Reader(bytes)
  const identityList = new Reader(takeVector(reader, 2, 7))
  const bindersLength = reader.remaining
  const binderList = new Reader(takeVector(reader, 2, 33))
  expectEnd(reader)
  const identities: PskIdentity[] = []
  while (identityList.remaining > 0) {
    identities.push({ identity: takeVector(identityList, 2, 1), obfuscatedAge: identityList.u32() })
  }
  const binders: Uint8Array[] = []
  while (binderList.remaining > 0) binders.push(takeVector(binderList, 1, 32))
  if (binders.length !== identities.length) {
    throw new TlsAlert('illegal_parameter', `${identities.length} identities and ${binders.length} binders`)
  }
  return { identities, binders, bindersLength }
}

export function encodeSelectedIdentity(index: number): Uint8Array {
  return new Writer().u16(index).finish()
}

export function decodeSelectedIdentity(bytes: Uint8Array): number {
  const reader = new Reader(bytes)
  const index = reader.u16()
  expectEnd(reader)
  return index
}
