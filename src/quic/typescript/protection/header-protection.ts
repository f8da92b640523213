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
import { type Cipher, createCipheriv } from 'node:crypto'
import { VERSION_1, type Version } from '../version.ts'
import { type CipherSuite, SUITES, TLS_CHACHA20_POLY1305_SHA256 } from './cipher-suites.ts'
import { deriveHeaderKey } from './derive.ts'

export const SAMPLE_LENGTH = 16
/** From the packet number to the sample: the longest packet number. */
const SAMPLE_DISTANCE = 4

const LONG_HEADER = 0x80
const FIVE_ZEROS = Buffer.alloc(5)

export class HeaderProtection {
  readonly #key: Uint8Array
  /** Of AES: one object serves for all packets, as each block of ECB is for itself. */
  readonly #ecb: Cipher | undefined

  constructor(suite: CipherSuite, secret: Uint8Array, version: Version = VERSION_1) {
    this.#key = deriveHeaderKey(suite, secret, version)
    if (suite === TLS_CHACHA20_POLY1305_SHA256) return
    this.#ecb = createCipheriv(SUITES[suite].headerCipher, this.#key, null)
    this.#ecb.setAutoPadding(false)
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
    const at = packetNumberOffset + SAMPLE_DISTANCE
    const sample = packet.subarray(at, at + SAMPLE_LENGTH)
    if (this.#ecb !== undefined) return this.#ecb.update(sample)
    // The sample is the counter, 4 bytes, and the nonce: what OpenSSL takes as the IV of ChaCha20 (§5.4.4).
    return createCipheriv('chacha20', this.#key, sample).update(FIVE_ZEROS)
  }
}

function hiddenBits(firstByte: number): number {
  return firstByte & LONG_HEADER ? 0x0f : 0x1f
}
