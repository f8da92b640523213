/**
 * Versions, RFC 9000 §15 and §6: a server that does not speak the version of a client's first packet says which it speaks; a client
 * that speaks none of these gives up.
 */
import { sameBytes } from './same-bytes.ts'

export const QUIC_V1 = 0x00000001

export const SUPPORTED_VERSIONS: readonly number[] = [QUIC_V1]

/** Of the form 0x?a?a?a?a: no version will ever be (§15). Naming one keeps the other side able to pass over what it does not know. */
export function isReservedVersion(version: number): boolean {
  return (version & 0x0f0f0f0f) === 0x0a0a0a0a
}

/** `random`: four bytes. */
export function reservedVersion(random: Uint8Array): number {
  return random.reduce((version, byte) => version * 256 + ((byte & 0xf0) | 0x0a), 0)
}

/** What of a Version Negotiation packet decides. */
interface VersionOffer {
  readonly dcid: Uint8Array
  readonly scid: Uint8Array
  readonly versions: readonly number[]
}

/**
 * Whether the client has to give up because of `offer`, the first packet that has come back (§6.2). Not when it does not answer the
 * client's own packet, whose connection ids these are, or names the version that the client has chosen: it is forged then, or late.
 */
export function endsAttempt(offer: VersionOffer, chosen: number, dcid: Uint8Array, scid: Uint8Array): boolean {
  const answersOurs = sameBytes(offer.dcid, scid) && sameBytes(offer.scid, dcid)
  return answersOurs && !offer.versions.includes(chosen)
}
