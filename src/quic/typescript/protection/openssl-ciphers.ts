/**
 * Packet protection by the functions of OpenSSL that Node has in itself, and shows to addons: no object is made for a packet, and payloads are
 * encrypted and decrypted where they are.
 *
 * There is one context for each algorithm and direction, for all keys: it gets the key anew with each packet, which takes 0.3 µs of the two. So there is nothing that a
 * connection would have to give back, an idle one keeps nothing, and a packet takes as long whatever key it is for (RFC 9001 §9.5).
 */
import { loadLibrary, type NativeFunction } from '../../../net/libc.ts'
import { type CipherSuite, SUITES, TLS_CHACHA20_POLY1305_SHA256 } from './cipher-suites.ts'
import type { HeaderCipher, PacketCipher, PacketCiphers } from './ciphers.ts'
import { NONCE_LENGTH, SAMPLE_LENGTH, TAG_LENGTH } from './lengths.ts'
import { NODE_CIPHERS } from './node-ciphers.ts'

/** <openssl/evp.h>, of all AEADs. */
const EVP_CTRL_AEAD_GET_TAG = 0x10
const EVP_CTRL_AEAD_SET_TAG = 0x11

const ALL_SUITES = Object.keys(SUITES).map(Number) as CipherSuite[]

const FIVE_ZEROS = new Uint8Array(5)

/** EVP_…, see the manual pages of OpenSSL. Those that say 1 have worked. */
interface Evp {
  byName: NativeFunction
  newContext: NativeFunction
  encryptInit: NativeFunction
  encryptUpdate: NativeFunction
  encryptFinal: NativeFunction
  decryptInit: NativeFunction
  decryptUpdate: NativeFunction
  decryptFinal: NativeFunction
  control: NativeFunction
  clearErrors: NativeFunction
}

/** How long what a call has written is: never anything else than what it was given, here. */
const written = new Int32Array(1)

let loaded: PacketCiphers | string | undefined

/** The ciphers, or why they cannot be had here. */
export function loadOpensslCiphers(): PacketCiphers | string {
  loaded ??= load()
  return loaded
}

function load(): PacketCiphers | string {
  const library = loadLibrary(null)
  if (typeof library === 'string') return library
  try {
    const init = 'void *context, void *cipher, void *engine, const uint8_t *key, const uint8_t *iv'
    const update = 'void *context, uint8_t *out, int *written, const uint8_t *in, int length'
    const final = 'void *context, uint8_t *out, int *written'
    const evp: Evp = {
      byName: library.func('void *EVP_get_cipherbyname(const char *name)'),
      newContext: library.func('void *EVP_CIPHER_CTX_new()'),
      encryptInit: library.func(`int EVP_EncryptInit_ex(${init})`),
      encryptUpdate: library.func(`int EVP_EncryptUpdate(${update})`),
      encryptFinal: library.func(`int EVP_EncryptFinal_ex(${final})`),
      decryptInit: library.func(`int EVP_DecryptInit_ex(${init})`),
      decryptUpdate: library.func(`int EVP_DecryptUpdate(${update})`),
      decryptFinal: library.func(`int EVP_DecryptFinal_ex(${final})`),
      control: library.func('int EVP_CIPHER_CTX_ctrl(void *context, int type, int number, void *bytes)'),
      clearErrors: library.func('void ERR_clear_error()'),
    }
    const ciphers = new OpensslCiphers(evp)
    for (const suite of ALL_SUITES) checkAgainstNode(ciphers, suite)
    return ciphers
  } catch (error) {
    return `the OpenSSL of this Node cannot be called: ${(error as Error).message.split('\n')[0]}`
  }
}

class OpensslCiphers implements PacketCiphers {
  readonly #evp: Evp
  readonly #sealing: Record<CipherSuite, unknown>
  readonly #opening: Record<CipherSuite, unknown>
  readonly #header: Record<CipherSuite, unknown>

  constructor(evp: Evp) {
    this.#evp = evp
    this.#sealing = forEachSuite(suite => newContext(evp, SUITES[suite].aead, evp.encryptInit))
    this.#opening = forEachSuite(suite => newContext(evp, SUITES[suite].aead, evp.decryptInit))
    this.#header = forEachSuite(suite => newContext(evp, SUITES[suite].headerCipher, evp.encryptInit))
  }

  packetCipher(suite: CipherSuite, key: Uint8Array): PacketCipher {
    checkKey(suite, key)
    return new OpensslPacketCipher(this.#evp, this.#sealing[suite], this.#opening[suite], key)
  }

  headerCipher(suite: CipherSuite, key: Uint8Array): HeaderCipher {
    checkKey(suite, key)
    return new OpensslHeaderCipher(this.#evp, this.#header[suite], suite, key)
  }
}

/** Of one key. In both directions each packet begins anew: the key, the nonce, then what is authenticated and what is encrypted. */
class OpensslPacketCipher implements PacketCipher {
  readonly #evp: Evp
  readonly #sealing: unknown
  readonly #opening: unknown
  readonly #key: Uint8Array

  constructor(evp: Evp, sealing: unknown, opening: unknown, key: Uint8Array) {
    this.#evp = evp
    this.#sealing = sealing
    this.#opening = opening
    this.#key = key
  }

  seal(nonce: Uint8Array, packet: Uint8Array, payloadOffset: number, tagOffset: number): void {
    checkBounds(nonce, packet, payloadOffset, tagOffset)
    const evp = this.#evp
    const context = this.#sealing
    const payload = packet.subarray(payloadOffset, tagOffset)
    const worked =
      evp.encryptInit(context, null, null, this.#key, nonce) === 1 &&
      evp.encryptUpdate(context, null, written, packet, payloadOffset) === 1 &&
      evp.encryptUpdate(context, payload, written, payload, payload.length) === 1 &&
      evp.encryptFinal(context, payload, written) === 1 &&
      evp.control(context, EVP_CTRL_AEAD_GET_TAG, TAG_LENGTH, packet.subarray(tagOffset, tagOffset + TAG_LENGTH)) === 1
    if (!worked) throw failed(evp)
  }

  open(nonce: Uint8Array, packet: Uint8Array, payloadOffset: number, tagOffset: number): Uint8Array | undefined {
    checkBounds(nonce, packet, payloadOffset, tagOffset)
    const evp = this.#evp
    const context = this.#opening
    const payload = packet.subarray(payloadOffset, tagOffset)
    const tag = packet.subarray(tagOffset, tagOffset + TAG_LENGTH)
    const worked =
      evp.decryptInit(context, null, null, this.#key, nonce) === 1 &&
      evp.control(context, EVP_CTRL_AEAD_SET_TAG, TAG_LENGTH, tag) === 1 &&
      evp.decryptUpdate(context, null, written, packet, payloadOffset) === 1 &&
      evp.decryptUpdate(context, payload, written, payload, payload.length) === 1
    if (!worked) throw failed(evp)
    return evp.decryptFinal(context, payload, written) === 1 ? payload : undefined
  }
}

class OpensslHeaderCipher implements HeaderCipher {
  readonly #evp: Evp
  readonly #context: unknown
  readonly #isStream: boolean
  readonly #key: Uint8Array
  /** ECB may write a block more than it was given. */
  readonly #mask = new Uint8Array(2 * SAMPLE_LENGTH)

  constructor(evp: Evp, context: unknown, suite: CipherSuite, key: Uint8Array) {
    this.#evp = evp
    this.#context = context
    this.#isStream = suite === TLS_CHACHA20_POLY1305_SHA256
    this.#key = key
  }

  mask(packet: Uint8Array, at: number): Uint8Array {
    const evp = this.#evp
    const sample = packet.subarray(at, at + SAMPLE_LENGTH)
    if (sample.length !== SAMPLE_LENGTH) throw new RangeError('the packet is too short for a sample')
    // Of ChaCha20 the sample is the counter, 4 bytes, and the nonce: what OpenSSL takes as its IV (RFC 9001 §5.4.4).
    const iv = this.#isStream ? sample : null
    const text = this.#isStream ? FIVE_ZEROS : sample
    const worked =
      evp.encryptInit(this.#context, null, null, this.#key, iv) === 1 &&
      evp.encryptUpdate(this.#context, this.#mask, written, text, text.length) === 1
    if (!worked) throw failed(evp)
    return this.#mask
  }
}

function forEachSuite<T>(make: (suite: CipherSuite) => T): Record<CipherSuite, T> {
  return Object.fromEntries(ALL_SUITES.map(suite => [suite, make(suite)])) as Record<CipherSuite, T>
}

/** For as long as the process lives. */
function newContext(evp: Evp, algorithm: string, init: NativeFunction): unknown {
  const cipher = evp.byName(algorithm)
  const context = evp.newContext()
  if (!cipher || !context || init(context, cipher, null, null, null) !== 1) {
    evp.clearErrors()
    throw new Error(`there is no ${algorithm}`)
  }
  return context
}

/** OpenSSL reads and writes as far as it is told: here it is made sure that all of that is ours. */
function checkBounds(nonce: Uint8Array, packet: Uint8Array, payloadOffset: number, tagOffset: number): void {
  const isInside = 0 <= payloadOffset && payloadOffset <= tagOffset
  if (!isInside || tagOffset + TAG_LENGTH > packet.length || nonce.length !== NONCE_LENGTH) {
    throw new RangeError(`a packet of ${packet.length} bytes does not reach to its tag at ${tagOffset}`)
  }
}

function checkKey(suite: CipherSuite, key: Uint8Array): void {
  const { keyLength } = SUITES[suite]
  if (key.length !== keyLength) throw new RangeError(`a key of ${key.length} bytes; expected ${keyLength}`)
}

function failed(evp: Evp): Error {
  // What is left there another user of OpenSSL on this thread, as TLS over TCP, would take for a fault of its own.
  evp.clearErrors()
  return new Error('OpenSSL has refused to protect a packet')
}

/** What was found under these names is what node:crypto has: a packet and a mask come out the same, and the packet opens. Throws. */
function checkAgainstNode(ciphers: PacketCiphers, suite: CipherSuite): void {
  const key = new Uint8Array(SUITES[suite].keyLength).fill(1)
  const nonce = new Uint8Array(NONCE_LENGTH).fill(2)
  const [theirs, ours] = [NODE_CIPHERS, ciphers].map(each => {
    const packet = new Uint8Array(64).fill(3)
    each.packetCipher(suite, key).seal(nonce, packet, 8, packet.length - TAG_LENGTH)
    return Buffer.concat([packet, each.headerCipher(suite, key).mask(packet, 8).subarray(0, 5)])
  })
  const opened = ciphers.packetCipher(suite, key).open(nonce, Uint8Array.from(ours), 8, 64 - TAG_LENGTH)
  if (!theirs.equals(ours) || opened?.every(byte => byte === 3) !== true) {
    throw new Error(`its ${SUITES[suite].aead} is another one than that of node:crypto`)
  }
}
