import type { SentContent } from '../recovery/sent-packet.ts'
import type { WireWriter } from '../wire-writer.ts'

/** The CRYPTO frames of one packet number space (RFC 9000 §19.6), both ways. Signatures; the code follows. */
export declare class CryptoStream {
  /** What TLS wants to be sent. Copied. */
  write(data: Uint8Array): void
  readonly wantsToSend: boolean
  /** Appends CRYPTO frames as there is room, and adds to `content` what belongs to the sent packet. False: nothing was written. */
  writeFrames(out: WireWriter, content: SentContent[]): boolean
  /** A CRYPTO frame arrived. Throws TransportError CRYPTO_BUFFER_EXCEEDED. */
  receive(offset: number, data: Uint8Array): void
  /** The next bytes in order, valid until the next call of `receive` or `read`; undefined: there are none. */
  read(): Uint8Array | undefined
  /** Bytes were received that cannot be read yet. */
  readonly hasGap: boolean
}
