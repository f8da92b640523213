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
import { VERSION_1, type Version } from '../version.ts'
import type { CipherSuite } from './cipher-suites.ts'
import { chosenCiphers, type PacketCipher } from './ciphers.ts'
import { deriveIv, deriveKey } from './derive.ts'
import { NONCE_LENGTH, TAG_LENGTH } from './lengths.ts'

/** Of the packet at hand; for all keys, as each is done with it before another begins. */
const nonce = new Uint8Array(NONCE_LENGTH)

/** The key of one direction and key phase. */
export class PacketAead {
  readonly #cipher: PacketCipher
  readonly #iv: Uint8Array

  constructor(suite: CipherSuite, secret: Uint8Array, version: Version = VERSION_1) {
    this.#cipher = chosenCiphers().ciphers.packetCipher(suite, deriveKey(suite, secret, version))
    this.#iv = deriveIv(suite, secret, version)
  }

  /** Encrypts the `payloadLength` bytes behind the header in place, and writes the tag behind them. The packet begins at packet[0]. */
  seal(packet: Uint8Array, headerLength: number, payloadLength: number, packetNumber: number): void {
    this.#cipher.seal(this.#nonceOf(packetNumber), packet, headerLength, headerLength + payloadLength)
  }

  /**
   * The payload of packet[start … end), which begins at `payloadOffset`; perhaps decrypted in place, and so valid until the packet's buffer is used
   * again. undefined: it is forged, and not to be read any more.
   */
  open(
    packet: Uint8Array,
    start: number,
    payloadOffset: number,
    end: number,
    packetNumber: number,
  ): Uint8Array | undefined {
    const tagOffset = end - TAG_LENGTH
    if (tagOffset < payloadOffset) return undefined
    const whole = start === 0 ? packet : packet.subarray(start)
    return this.#cipher.open(this.#nonceOf(packetNumber), whole, payloadOffset - start, tagOffset - start)
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
