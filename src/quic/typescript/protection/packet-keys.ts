/**
 * The keys of one encryption level and direction, which stay as they are: those of Initial and Handshake packets. Those of 1-RTT packets
 * change: one-rtt-keys.ts.
 */
import { VERSION_1, type Version } from '../version.ts'
import { type CipherSuite, SUITES } from './cipher-suites.ts'
import { HeaderProtection } from './header-protection.ts'
import { TAG_LENGTH } from './lengths.ts'
import { checkReservedBits, type OpenedPacket, readPacketNumber } from './open-packet.ts'
import { PacketAead } from './packet-aead.ts'
import { confidentialityLimitReached, ForgeryCount } from './usage-limits.ts'

export type { CipherSuite } from './cipher-suites.ts'
export type { OpenedPacket } from './open-packet.ts'

/** Of packet number and payload together (RFC 9001 §5.4.2): with them and the tag there is a sample, 4 bytes on. */
export const SHORTEST_CONTENT = 4

/** Protects what we send at one encryption level. */
export class SealingKeys {
  readonly #aead: PacketAead
  readonly #header: HeaderProtection
  readonly #most: number
  /** How many packets were, and the number of the first of them. */
  sealed = 0
  firstPacketNumber = 0

  /** `most`: how many packets may be sealed. */
  constructor(
    suite: CipherSuite,
    secret: Uint8Array,
    version: Version = VERSION_1,
    most: number = SUITES[suite].mostSealed,
    header: HeaderProtection = new HeaderProtection(suite, secret, version),
  ) {
    this.#aead = new PacketAead(suite, secret, version)
    this.#header = header
    this.#most = most
  }

  /**
   * Protects the packet that begins at packet[0], in place: header (with its packet number, of `packetNumberLength` bytes), payload,
   * and behind it room for a tag of 16 bytes. Returns its length. Packet number and payload have 4 bytes or more together: the
   * sample needs them. Throws TransportError AEAD_LIMIT_REACHED.
   */
  seal(
    packet: Uint8Array,
    headerLength: number,
    payloadLength: number,
    packetNumber: number,
    packetNumberLength: number,
  ): number {
    if (this.sealed >= this.#most) throw confidentialityLimitReached()
    if (this.sealed++ === 0) this.firstPacketNumber = packetNumber
    return sealPacket(this.#aead, this.#header, packet, headerLength, payloadLength, packetNumber, packetNumberLength)
  }
}

/** Removes the protection of what we receive at one encryption level. */
export class OpeningKeys {
  readonly #aead: PacketAead
  readonly #header: HeaderProtection
  readonly #forgeries: ForgeryCount

  constructor(
    suite: CipherSuite,
    secret: Uint8Array,
    version: Version = VERSION_1,
    forgeries: ForgeryCount = new ForgeryCount(suite),
  ) {
    this.#aead = new PacketAead(suite, secret, version)
    this.#header = new HeaderProtection(suite, secret, version)
    this.#forgeries = forgeries
  }

  /**
   * Opens packet[start … end), whose header protection is removed in place. undefined: it is not from the peer, or too short.
   * Throws TransportError: it is from the peer, and its reserved bits are set (PROTOCOL_VIOLATION); or too many were not
   * (AEAD_LIMIT_REACHED). `largest`: the largest packet number received in this space, -1 when there is none.
   */
  open(
    packet: Uint8Array,
    start: number,
    packetNumberOffset: number,
    end: number,
    largest: number,
  ): OpenedPacket | undefined {
    const packetNumberLength = this.#header.remove(packet, start, packetNumberOffset, end)
    if (packetNumberLength === 0) return undefined
    const packetNumber = readPacketNumber(packet, packetNumberOffset, packetNumberLength, largest)
    if (packetNumber < 0) return undefined
    const payload = this.#aead.open(packet, start, packetNumberOffset + packetNumberLength, end, packetNumber)
    if (payload === undefined) {
      this.#forgeries.add()
      return undefined
    }
    checkReservedBits(packet[start])
    return { packetNumber, payload, keyPhase: 0 }
  }
}

/** The steps in the order of RFC 9001 §5: the payload first, as the sample for the header is of the ciphertext. */
export function sealPacket(
  aead: PacketAead,
  header: HeaderProtection,
  packet: Uint8Array,
  headerLength: number,
  payloadLength: number,
  packetNumber: number,
  packetNumberLength: number,
): number {
  if (payloadLength + packetNumberLength < SHORTEST_CONTENT)
    throw new RangeError('the payload is too short for a sample')
  aead.seal(packet, headerLength, payloadLength, packetNumber)
  header.protect(packet, headerLength - packetNumberLength, packetNumberLength)
  return headerLength + payloadLength + TAG_LENGTH
}
