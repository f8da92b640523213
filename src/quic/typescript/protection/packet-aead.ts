/**
 * Packet protection, RFC 9001 §5.3: the payload is encrypted, and it and the header are authenticated.
 *
 *      header, with its packet number   payload
 *               │                          │
 *               │ associated data          ↓
 *               └───────────────────────> AEAD <── nonce = IV xor packet number
 *                                          ↓
 *      header                           ciphertext            tag, 16 bytes
 */
import { createCipheriv, createDecipheriv } from 'node:crypto'
import { VERSION_1, type Version } from '../version.ts'
import { type CipherSuite, SUITES } from './cipher-suites.ts'
import { deriveIv, deriveKey, IV_LENGTH } from './derive.ts'

/** How many bytes the AEAD of every suite adds. */
export const TAG_LENGTH = 16

/** Of the packet at hand; for all keys, as each is done with it before another begins. */
const nonce = new Uint8Array(IV_LENGTH)

/** The key of one direction and key phase. */
export class PacketAead {
  // All suites of TLS 1.3 are called alike; node's types know them by literal names.
  readonly #algorithm: 'aes-128-gcm'
  readonly #key: Uint8Array
  readonly #iv: Uint8Array

  constructor(suite: CipherSuite, secret: Uint8Array, version: Version = VERSION_1) {
    this.#algorithm = SUITES[suite].aead as 'aes-128-gcm'
    this.#key = deriveKey(suite, secret, version)
    this.#iv = deriveIv(suite, secret, version)
  }

  /** Encrypts the `payloadLength` bytes behind the header in place, and writes the tag behind them. The packet begins at packet[0]. */
  seal(packet: Uint8Array, headerLength: number, payloadLength: number, packetNumber: number): void {
    const payloadEnd = headerLength + payloadLength
    const cipher = createCipheriv(this.#algorithm, this.#key, this.#nonceOf(packetNumber))
    cipher.setAAD(packet.subarray(0, headerLength))
    packet.set(cipher.update(packet.subarray(headerLength, payloadEnd)), headerLength)
    cipher.final()
    packet.set(cipher.getAuthTag(), payloadEnd)
  }

  /** The payload of packet[start … end), which begins at `payloadOffset`, in a buffer of its own. undefined: it is forged. */
  open(
    packet: Uint8Array,
    start: number,
    payloadOffset: number,
    end: number,
    packetNumber: number,
  ): Uint8Array | undefined {
    const tagOffset = end - TAG_LENGTH
    if (tagOffset < payloadOffset) return undefined
    const decipher = createDecipheriv(this.#algorithm, this.#key, this.#nonceOf(packetNumber))
    decipher.setAAD(packet.subarray(start, payloadOffset))
    decipher.setAuthTag(packet.subarray(tagOffset, end))
    const payload = decipher.update(packet.subarray(payloadOffset, tagOffset))
    try {
      decipher.final()
    } catch {
      return undefined
    }
    return payload
  }

  /** Valid until the next call. */
  #nonceOf(packetNumber: number): Uint8Array {
    const iv = this.#iv
    const high = Math.floor(packetNumber / 2 ** 32)
    // Packet numbers are below 2^53 here: of the eight bytes that they have in the nonce, the first is 0.
    for (let i = 0; i < 5; i++) nonce[i] = iv[i]
    nonce[5] = iv[5] ^ (high >>> 16)
    nonce[6] = iv[6] ^ (high >>> 8)
    nonce[7] = iv[7] ^ high
    nonce[8] = iv[8] ^ (packetNumber >>> 24)
    nonce[9] = iv[9] ^ (packetNumber >>> 16)
    nonce[10] = iv[10] ^ (packetNumber >>> 8)
    nonce[11] = iv[11] ^ packetNumber
    return nonce
  }
}
