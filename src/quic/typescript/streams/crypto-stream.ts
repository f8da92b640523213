/**
 * The CRYPTO frames of one packet number space (RFC 9000 §19.6), both ways: what TLS says, in order and complete. Like a stream, but without flow
 * control: what has come out of order is bounded here (§7.5), and TLS reads what is in order at once.
 */
import { appendCrypto, cryptoDataThatFits } from '../frames/crypto-frame.ts'
import type { SentContent } from '../recovery/sent-packet.ts'
import { CRYPTO_BUFFER_EXCEEDED, TransportError } from '../transport-error.ts'
import type { WireWriter } from '../wire-writer.ts'
import { OutgoingBytes } from './outgoing-bytes.ts'
import { Reassembly } from './reassembly.ts'

/** How far ahead of what TLS has read the peer may send, in bytes. §7.5 asks for 4096; a long certificate chain comes out of order, too. */
export const MAX_CRYPTO_AHEAD = 64 << 10

/** At the end of a packet a few bytes more are not worth a frame. */
const LEAST_DATA = 16

export class CryptoStream {
  readonly #out = new OutgoingBytes()
  readonly #in = new Reassembly()

  /** What TLS wants to be sent. Copied. */
  write(data: Uint8Array): void {
    this.#out.append(data)
  }

  get wantsToSend(): boolean {
    return this.#out.wantsToSend
  }

  /** Appends CRYPTO frames as there is room, and adds to `content` what belongs to the packet. False: nothing was written. */
  writeFrames(out: WireWriter, content: SentContent[]): boolean {
    const before = out.offset
    const bytes = this.#out
    while (bytes.wantsToSend) {
      const start = bytes.nextStart
      const wanted = bytes.nextEnd - start
      const fits = cryptoDataThatFits(out.remaining, start)
      if (fits < Math.min(wanted, LEAST_DATA)) break
      const end = start + Math.min(wanted, fits)
      appendCrypto(out, start, bytes.slice(start, end))
      bytes.onSent(start, end)
      content.push(new SentCrypto(bytes, start, end))
    }
    return out.offset > before
  }

  /** A CRYPTO frame. */
  receive(offset: number, data: Uint8Array): void {
    if (offset + data.length > this.#in.read + MAX_CRYPTO_AHEAD) {
      throw new TransportError(
        CRYPTO_BUFFER_EXCEEDED,
        `more than ${MAX_CRYPTO_AHEAD} bytes of CRYPTO that cannot be read`,
      )
    }
    this.#in.insert(offset, data)
  }

  /** The next bytes in order, valid until the next call of `receive` or `read`; undefined: there are none. */
  read(): Uint8Array | undefined {
    return this.#in.take()
  }

  /** The keys of the space are gone: nothing of it is sent or read any more. */
  clear(): void {
    this.#out.clear()
    this.#in.clear()
  }

  /** Bytes were received that cannot be read yet. */
  get hasGap(): boolean {
    return this.#in.hasGap
  }
}

/** A CRYPTO frame on its way. */
class SentCrypto implements SentContent {
  readonly #bytes: OutgoingBytes
  readonly #start: number
  readonly #end: number

  constructor(bytes: OutgoingBytes, start: number, end: number) {
    this.#bytes = bytes
    this.#start = start
    this.#end = end
  }

  onAcked(): void {
    this.#bytes.onAcked(this.#start, this.#end)
  }

  onLost(): void {
    this.#bytes.onLost(this.#start, this.#end)
  }
}
