/**
 * Versions, RFC 9000 §15 and §6: a server that does not speak the version of a client's first packet says which it speaks; a client
 * that speaks none of these gives up.
 *
 * What differs between version 1 and version 2 (RFC 9369 §3) stands here, and is nothing that a connection does otherwise: version 2 is there so that what is
 * between the two ends does not come to rely on the looks of version 1.
 */
import { sameBytes } from './same-bytes.ts'

export interface Version {
  readonly number: number
  /** By the Long Packet Type of the first byte (RFC 9000 table 5, RFC 9369 §3.2). */
  readonly longPacketTypes: readonly LongPacketType[]
  /** Of Initial keys (RFC 9001 §5.2). */
  readonly initialSalt: Uint8Array
  /** How the labels begin by which keys are derived (RFC 9001 §5.1). */
  readonly label: string
  /** Of Retry's integrity tag (RFC 9001 §5.8). */
  readonly retryKey: Uint8Array
  readonly retryNonce: Uint8Array
}

export type LongPacketType = 'initial' | '0-rtt' | 'handshake' | 'retry'

export const QUIC_V1 = 0x00000001

export const VERSION_1: Version = {
  number: QUIC_V1,
  longPacketTypes: ['initial', '0-rtt', 'handshake', 'retry'],
  initialSalt: Buffer.from('38762cf7f55934b34d179ae6a4c80cadccbb7f0a', 'hex'),
  label: 'quic',
  retryKey: Buffer.from('be0c690b9f66575a1d766b54e368c84e', 'hex'),
  retryNonce: Buffer.from('461599d35d632bf2239825bb', 'hex'),
}

export const VERSION_2: Version = {
  number: 0x6b3343cf,
  longPacketTypes: ['retry', 'initial', '0-rtt', 'handshake'],
  initialSalt: Buffer.from('0dede3def700a6db819381be6e269dcbf9bd2ed9', 'hex'),
  label: 'quicv2',
  retryKey: Buffer.from('8fb4b01b56ac48e260fbcbcead7ccc92', 'hex'),
  retryNonce: Buffer.from('d86969bc2d7c6d9990efb04a', 'hex'),
}

const VERSIONS: readonly Version[] = [VERSION_1, VERSION_2]

export const SUPPORTED_VERSIONS: readonly number[] = VERSIONS.map(({ number }) => number)

/** undefined: it is not spoken here. */
export function versionOf(number: number): Version | undefined {
  return VERSIONS.find(version => version.number === number)
}

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
