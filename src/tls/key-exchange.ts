/**
 * (EC)DHE: both ends make a key for this handshake alone and send its public half; together they give a secret. RFC 8446 §4.2.7, §7.4.2.
 */
import {
  createECDH,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
} from 'node:crypto'
import { TlsAlert } from './alert.ts'

/** NamedGroup, RFC 8446 §4.2.7. */
export const NamedGroup = { x25519: 0x001d, secp256r1: 0x0017 } as const

/** In order of preference. */
export const NAMED_GROUPS: readonly number[] = [NamedGroup.x25519, NamedGroup.secp256r1]

export interface KeyPair {
  readonly group: number
  /** As a key share carries it (§4.2.8.2): an X coordinate, or an uncompressed point. */
  readonly publicKey: Uint8Array
  /** The shared secret. Throws TlsAlert when there is none with such a key. */
  agree(peerPublicKey: Uint8Array): Uint8Array
}

export type Random = (length: number) => Uint8Array

export function newKeyPair(group: number, random: Random = randomBytes): KeyPair {
  if (group !== NamedGroup.x25519) return p256KeyPair(random)
  // Randomness of the system OpenSSL takes by itself, ten times as fast as Node 20 reads a key.
  return x25519KeyPair(random === randomBytes ? generateKeyPairSync('x25519').privateKey : x25519Key(random(32)))
}

/** RFC 8410 §7, in DER: what stands before the 32 bytes of a private key. As a JSON Web Key Node takes one only with its public half (since 24.22). */
const X25519_PKCS8 = Buffer.from('302e020100300506032b656e04220420', 'hex')

function x25519Key(scalar: Uint8Array): KeyObject {
  return createPrivateKey({ key: Buffer.concat([X25519_PKCS8, scalar]), format: 'der', type: 'pkcs8' })
}

/**
 * RFC 7748 §5, §6.1. Public halves as JSON Web Keys (RFC 8037 §2), of which Node takes the bytes as they are: it reads DER with OpenSSL's decoders, which try
 * each kind of key there is, and take ten times as long as the arithmetic.
 */
function x25519KeyPair(privateKey: KeyObject): KeyPair {
  const { x = '' } = privateKey.export({ format: 'jwk' })
  return {
    group: NamedGroup.x25519,
    publicKey: Buffer.from(x, 'base64url'),
    agree(peer) {
      if (peer.length !== 32) throw new TlsAlert('illegal_parameter', `an X25519 key of ${peer.length} bytes`)
      const publicKey = createPublicKey({ format: 'jwk', key: { ...X25519_JWK, x: base64url(peer) } })
      // §7.4.2: points of small order give zeros, which OpenSSL refuses.
      return attempt(() => diffieHellman({ privateKey, publicKey }))
    },
  }
}

const X25519_JWK = { kty: 'OKP', crv: 'X25519' }

function base64url(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('base64url')
}

/** FIPS 186, curve P-256. */
function p256KeyPair(random: Random): KeyPair {
  const ecdh = createECDH('prime256v1')
  for (;;) {
    try {
      ecdh.setPrivateKey(Buffer.from(random(32)))
      break
    } catch {
      // One number in 2^32 is above the order of the curve.
    }
  }
  return {
    group: NamedGroup.secp256r1,
    publicKey: ecdh.getPublicKey(),
    agree(peer) {
      // §4.2.8.2: uncompressed, and on the curve, which OpenSSL looks at.
      if (peer.length !== 65 || peer[0] !== 4)
        throw new TlsAlert('illegal_parameter', 'not an uncompressed point of P-256')
      return attempt(() => ecdh.computeSecret(peer))
    },
  }
}

function attempt(agree: () => Uint8Array): Uint8Array {
  try {
    return agree()
  } catch {
    throw new TlsAlert('illegal_parameter', 'the key share is no valid public key')
  }
}
