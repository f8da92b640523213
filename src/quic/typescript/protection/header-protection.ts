/**
 * Header protection, RFC 9001 §5.4: five bytes that depend on the ciphertext hide some bits of the first byte, and the packet number.
 *
 *      first byte   …   packet number   ciphertext
 *      ▒▒▒▒████     …   ████ ████       ░░░░░░░░░░░░░░░░░░░░░░
 *       │               │               │<─ sample, 16 bytes: begins 4 bytes behind the begin of the packet number, however long that is
 *       mask[0]         mask[1 … 4]     ↓
 *         ↑───────────────↑──────────── mask = cipher(hp key, sample)
 *
 * 4 bits of the first byte of a long header (Reserved, Packet Number Length), 5 bits of a short one (and the Key Phase).
 */
import { VERSION_1, type Version } from '../version.ts'
import type { CipherSuite } from './cipher-suites.ts'
import { chosenCiphers, type HeaderCipher } from './ciphers.ts'
import { deriveHeaderKey } from './derive.ts'
import { SAMPLE_LENGTH } from './lengths.ts'

/** From the packet number to the sample: the longest packet number. */
const SAMPLE_DISTANCE = 4

const LONG_HEADER = 0x80

export class HeaderProtection {
  readonly #cipher: HeaderCipher

  constructor(suite: CipherSuite, secret: Uint8Array, version: Version = VERSION_1) {
    this.#cipher = chosenCiphers().ciphers.headerCipher(suite, deriveHeaderKey(suite, secret, version))
  }

  /** Hides the header of the packet that begins at packet[0] and was sealed. */
  protect(packet: Uint8Array, packetNumberOffset: number, packetNumberLength: number): void {
    const mask = this.#mask(packet, packetNumberOffset)
    packet[0] ^= mask[0] & hiddenBits(packet[0])
    for (let i = 0; i < packetNumberLength; i++) packet[packetNumberOffset + i] ^= mask[1 + i]
  }

  /** Shows the header of packet[start … end). Returns how long its packet number is; 0: it is too short to have a sample. */
  remove(packet: Uint8Array, start: number, packetNumberOffset: number, end: number): number {
    if (packetNumberOffset + SAMPLE_DISTANCE + SAMPLE_LENGTH > end) return 0
    const mask = this.#mask(packet, packetNumberOffset)
    packet[start] ^= mask[0] & hiddenBits(packet[start])
    const packetNumberLength = (packet[start] & 0x03) + 1
    for (let i = 0; i < packetNumberLength; i++) packet[packetNumberOffset + i] ^= mask[1 + i]
    return packetNumberLength
  }

  #mask(packet: Uint8Array, packetNumberOffset: number): Uint8Array {
    return this.#cipher.mask(packet, packetNumberOffset + SAMPLE_DISTANCE)
  }
}

function hiddenBits(firstByte: number): number {
  return firstByte & LONG_HEADER ? 0x0f : 0x1f
}
