/**
 * TLS 1.3 over TCP around what is under test: the records (RFC 8446 §5) that QUIC has not. For tests with another implementation, which
 * speaks TLS, but no QUIC.
 */
import { createCipheriv, createDecipheriv } from 'node:crypto'
import type { Socket } from 'node:net'
import { hashOf } from '../../src/tls/cipher-suite.ts'
import { hkdfExpandLabel } from '../../src/tls/hkdf.ts'
import type { CipherSuite, EncryptionLevel, TlsHandshake } from '../../src/tls/tls.ts'
import { RecordingSink } from './in-memory.ts'

const Content = { change_cipher_spec: 20, alert: 21, handshake: 22, application_data: 23 } as const
const TAG_LENGTH = 16
const NAMES = { 4865: 'aes-128-gcm', 4866: 'aes-256-gcm', 4867: 'chacha20-poly1305' } as const

/** One direction of one level. */
class Keys {
  readonly #suite: CipherSuite
  readonly #key: Uint8Array
  readonly #iv: Uint8Array
  #sequence = 0

  constructor(suite: CipherSuite, secret: Uint8Array) {
    const hash = hashOf(suite)
    this.#suite = suite
    this.#key = hkdfExpandLabel(hash, secret, 'key', new Uint8Array(0), suite === 0x1301 ? 16 : 32)
    this.#iv = hkdfExpandLabel(hash, secret, 'iv', new Uint8Array(0), 12)
  }

  seal(type: number, data: Uint8Array): Uint8Array {
    const header = Uint8Array.of(Content.application_data, 3, 3, (data.length + 17) >> 8, (data.length + 17) & 255)
    const cipher = createCipheriv(NAMES[this.#suite] as 'aes-128-gcm', this.#key, this.#nonce(), {
      authTagLength: TAG_LENGTH,
    })
    cipher.setAAD(header)
    return Buffer.concat([
      header,
      cipher.update(data),
      cipher.update(Uint8Array.of(type)),
      cipher.final(),
      cipher.getAuthTag(),
    ])
  }

  open(header: Uint8Array, sealed: Uint8Array): { type: number; data: Uint8Array } {
    const decipher = createDecipheriv(NAMES[this.#suite] as 'aes-128-gcm', this.#key, this.#nonce(), {
      authTagLength: TAG_LENGTH,
    })
    decipher.setAAD(header)
    decipher.setAuthTag(sealed.subarray(-TAG_LENGTH))
    const inner = Buffer.concat([decipher.update(sealed.subarray(0, -TAG_LENGTH)), decipher.final()])
    let end = inner.length
    while (inner[end - 1] === 0) end--
    return { type: inner[end - 1], data: inner.subarray(0, end - 1) }
  }

  #nonce(): Uint8Array {
    const nonce = Uint8Array.from(this.#iv)
    nonce[11] ^= this.#sequence++
    return nonce
  }
}

export class RecordLayer extends RecordingSink {
  tls!: TlsHandshake
  readonly #socket: Socket
  readonly #write = new Map<EncryptionLevel, Keys>()
  #read: Keys | undefined
  #readLevel: EncryptionLevel = 0
  #input: Uint8Array = new Uint8Array(0)
  /** Whatever ends the connection goes here. */
  onError: (error: Error) => void = () => {}
  onData: (text: string) => void = () => {}

  constructor(socket: Socket) {
    super()
    this.#socket = socket
    socket.on('error', error => this.onError(error))
    socket.on('data', data => {
      try {
        this.#receive(data)
      } catch (error) {
        this.onError(error as Error)
      }
    })
  }

  send(text: string): void {
    this.#socket.write(this.#write.get(2)!.seal(Content.application_data, Buffer.from(text)))
  }

  override onCrypto(level: EncryptionLevel, data: Uint8Array): void {
    const keys = this.#write.get(level)
    const header = Uint8Array.of(Content.handshake, 3, 3, data.length >> 8, data.length & 255)
    this.#socket.write(keys === undefined ? Buffer.concat([header, data]) : keys.seal(Content.handshake, data))
  }

  override onSecret(level: 1 | 2, direction: 'read' | 'write', suite: CipherSuite, secret: Uint8Array): void {
    super.onSecret(level, direction, suite, secret)
    const keys = new Keys(suite, secret)
    if (direction === 'write') this.#write.set(level, keys)
    else {
      this.#read = keys
      this.#readLevel = level
    }
  }

  #receive(data: Uint8Array): void {
    this.#input = Buffer.concat([this.#input, data])
    for (;;) {
      const input = this.#input
      const end = 5 + ((input[3] << 8) | input[4])
      if (input.length < 5 || input.length < end) return
      this.#input = input.subarray(end)
      const isSealed = input[0] === Content.application_data
      const record = isSealed
        ? this.#read!.open(input.subarray(0, 5), input.subarray(5, end))
        : { type: input[0], data: input.subarray(5, end) }
      if (record.type === Content.handshake) this.tls.receive(this.#readLevel, record.data)
      else if (record.type === Content.application_data) this.onData(Buffer.from(record.data).toString())
      else if (record.type === Content.alert && record.data[1] !== 0)
        throw new Error(`alert ${record.data[1]} from the peer`)
    }
  }
}
