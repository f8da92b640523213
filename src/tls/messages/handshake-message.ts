/**
 * The header of all handshake messages, RFC 8446 §4:
 *
 *     struct {
 *         HandshakeType msg_type;
 *         uint24 length;
 *         …
 *     } Handshake;
 */
import { protocolViolation, TlsAlert } from '../alert.ts'

export const HandshakeType = {
  client_hello: 1,
  server_hello: 2,
  new_session_ticket: 4,
  end_of_early_data: 5,
  encrypted_extensions: 8,
  certificate: 11,
  certificate_request: 13,
  certificate_verify: 15,
  finished: 20,
  key_update: 24,
  message_hash: 254,
} as const

export const HEADER_LENGTH = 4

/** The longest bodies that are taken, in bytes. RFC 8446 would allow 16 MB, which a peer could make us keep. */
export const MAX_MESSAGE_LENGTH: Readonly<Record<number, number>> = {
  [HandshakeType.client_hello]: 16 << 10,
  [HandshakeType.server_hello]: 4 << 10,
  [HandshakeType.encrypted_extensions]: 16 << 10,
  [HandshakeType.certificate_request]: 16 << 10,
  [HandshakeType.certificate]: 32 << 10,
  [HandshakeType.certificate_verify]: 4 << 10,
  [HandshakeType.finished]: 64,
  [HandshakeType.new_session_ticket]: 16 << 10,
}

export function handshakeMessage(type: number, body: Uint8Array): Uint8Array {
  const message = new Uint8Array(HEADER_LENGTH + body.length)
  message[0] = type
  message[1] = body.length >> 16
  message[2] = body.length >> 8
  message[3] = body.length
  message.set(body, HEADER_LENGTH)
  return message
}

/** Cuts a stream of bytes into messages. What it keeps is at most the beginning of one message that is expected. */
export class MessageBuffer {
  #bytes: Uint8Array = new Uint8Array(0)
  #start = 0
  #end = 0

  get isEmpty(): boolean {
    return this.#start === this.#end
  }

  push(data: Uint8Array): void {
    if (this.#end + data.length > this.#bytes.length) {
      const kept = this.#bytes.subarray(this.#start, this.#end)
      const larger = new Uint8Array(2 * (kept.length + data.length))
      larger.set(kept)
      this.#bytes = larger
      this.#start = 0
      this.#end = kept.length
    }
    this.#bytes.set(data, this.#end)
    this.#end += data.length
  }

  /**
   * The next whole message, header included; undefined when there is none yet. A message of a type that is not `expected` is
   * refused at its first byte, one that is too long at its header: neither is waited for. `violations`: types that have an error of QUIC's.
   */
  next(expected: readonly number[], violations: readonly number[] = []): Uint8Array | undefined {
    if (this.isEmpty) return undefined
    const type = this.#bytes[this.#start]
    if (!expected.includes(type)) {
      const what = `handshake message ${type}; expected: ${expected.join(', ') || 'none'}`
      throw violations.includes(type)
        ? protocolViolation('unexpected_message', what)
        : new TlsAlert('unexpected_message', what)
    }
    if (this.#end - this.#start < HEADER_LENGTH) return undefined
    const [, high, middle, low] = this.#bytes.subarray(this.#start, this.#start + HEADER_LENGTH)
    const length = (high << 16) | (middle << 8) | low
    const max = MAX_MESSAGE_LENGTH[type] ?? 0
    if (length > max) {
      throw new TlsAlert('illegal_parameter', `handshake message ${type} of ${length} bytes; at most ${max} are taken`)
    }
    if (this.#end - this.#start < HEADER_LENGTH + length) return undefined
    const message = this.#bytes.slice(this.#start, this.#start + HEADER_LENGTH + length)
    this.#start += message.length
    if (this.isEmpty) {
      this.#bytes = new Uint8Array(0)
      this.#start = this.#end = 0
    }
    return message
  }
}
