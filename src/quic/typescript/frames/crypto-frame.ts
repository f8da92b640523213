/**
 * CRYPTO, RFC 9000 §19.6: a piece of the TLS handshake, of the stream that each packet number space has for it.
 *
 *   CRYPTO Frame {
 *     Type (i) = 0x06,
 *     Offset (i),
 *     Length (i),
 *     Crypto Data (..),
 *   }
 */

import { LARGEST_VARINT, varintNumberLength } from '../varint-number.ts'
import type { WireReader } from '../wire-reader.ts'
import type { WireWriter } from '../wire-writer.ts'
import { dataThatFits } from './data-length.ts'
import { CRYPTO } from './frame-types.ts'
import type { FrameVisitor } from './frame-visitor.ts'

export function readCrypto(from: WireReader, visitor: FrameVisitor): void {
  const offset = from.varint()
  const data = from.take(from.varint())
  if (offset + data.length > LARGEST_VARINT) throw from.error('CRYPTO data goes beyond offset 2^62-1')
  visitor.onCrypto(offset, data)
}

export function appendCrypto(to: WireWriter, offset: number, data: Uint8Array): void {
  to.u8(CRYPTO)
  to.varint(offset)
  to.varint(data.length)
  to.write(data)
}

/** How many bytes of data such a frame can have in so much room; 0 or less: none. */
export function cryptoDataThatFits(room: number, offset: number): number {
  return dataThatFits(room - 1 - varintNumberLength(offset))
}
