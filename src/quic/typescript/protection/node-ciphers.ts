/** Packet protection by node:crypto. */
import { createCipheriv, createDecipheriv } from 'node:crypto'
import { type CipherSuite, SUITES, TLS_CHACHA20_POLY1305_SHA256 } from './cipher-suites.ts'
import type { HeaderCipher, PacketCipher, PacketCiphers } from './ciphers.ts'
import { SAMPLE_LENGTH, TAG_LENGTH } from './lengths.ts'

const FIVE_ZEROS = Buffer.alloc(5)

function packetCipher(suite: CipherSuite, key: Uint8Array): PacketCipher {
  // All suites of TLS 1.3 are called alike; node's types know them by literal names.
  const algorithm = SUITES[suite].aead as 'aes-128-gcm'
  return {
    seal(nonce, packet, payloadOffset, tagOffset) {
      const cipher = createCipheriv(algorithm, key, nonce)
      cipher.setAAD(packet.subarray(0, payloadOffset))
      packet.set(cipher.update(packet.subarray(payloadOffset, tagOffset)), payloadOffset)
      cipher.final()
      packet.set(cipher.getAuthTag(), tagOffset)
    },
    open(nonce, packet, payloadOffset, tagOffset) {
      const decipher = createDecipheriv(algorithm, key, nonce)
      decipher.setAAD(packet.subarray(0, payloadOffset))
      decipher.setAuthTag(packet.subarray(tagOffset, tagOffset + TAG_LENGTH))
      const payload = decipher.update(packet.subarray(payloadOffset, tagOffset))
      try {
        decipher.final()
      } catch {
        return undefined
      }
      return payload
    },
  }
}

function headerCipher(suite: CipherSuite, key: Uint8Array): HeaderCipher {
  if (suite === TLS_CHACHA20_POLY1305_SHA256) {
    // The sample is the counter, 4 bytes, and the nonce: what OpenSSL takes as the IV of ChaCha20 (RFC 9001 §5.4.4).
    return {
      mask: (packet, at) => createCipheriv('chacha20', key, packet.subarray(at, at + SAMPLE_LENGTH)).update(FIVE_ZEROS),
    }
  }
  // One object serves for all packets, as each block of ECB is for itself.
  const ecb = createCipheriv(SUITES[suite].headerCipher, key, null)
  ecb.setAutoPadding(false)
  return { mask: (packet, at) => ecb.update(packet.subarray(at, at + SAMPLE_LENGTH)) }
}

export const NODE_CIPHERS: PacketCiphers = { packetCipher, headerCipher }
