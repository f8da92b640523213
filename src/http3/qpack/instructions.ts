/**
 * The peer's QPACK encoder and decoder streams, RFC 9204 §4.3 and §4.4.
 *
 * A peer may open both whatever we announce, so both must be read; but with a dynamic table of capacity 0 in both
 * directions hardly anything may be said on them. We open neither: RFC 9204 §4.2 allows that.
 */
import { H3ErrorCode } from '../error-codes.ts'
import { H3Error } from '../errors.ts'

/**
 * Encoder instructions (§4.3), from the peer's encoder to our decoder.
 *
 *   0 0 1  Capacity (5+)     Set Dynamic Table Capacity
 *   1 T    Name Index (6+)   Insert with Name Reference
 *   0 1 H  Name Length (5+)  Insert with Literal Name
 *   0 0 0  Index (5+)        Duplicate
 *
 * With a maximum capacity of 0, only "set the capacity to 0" is harmless: one byte, 0x20. Every insertion is larger
 * than the table, and there is nothing to duplicate. Throws H3Error QPACK_ENCODER_STREAM_ERROR.
 */
export function checkEncoderInstructions(bytes: Uint8Array): void {
  for (let i = 0; i < bytes.length; i++) {
    if (bytes[i] === 0x20) continue
    const what = bytes[i] >= 0x20 && bytes[i] < 0x40 ? 'sets a capacity above 0' : 'uses the dynamic table'
    throw new H3Error(
      H3ErrorCode.QPACK_ENCODER_STREAM_ERROR,
      `the QPACK encoder stream ${what}, but SETTINGS_QPACK_MAX_TABLE_CAPACITY is 0`,
    )
  }
}

/**
 * Decoder instructions (§4.4), from the peer's decoder to our encoder.
 *
 *   1    Stream ID (7+)   Section Acknowledgment
 *   0 1  Stream ID (6+)   Stream Cancellation
 *   0 0  Increment (6+)   Insert Count Increment
 *
 * Our encoder inserts nothing, so there is nothing to acknowledge or count. A cancellation is allowed: a decoder that
 * has a dynamic table may send one for every stream it abandons.
 */
export class DecoderInstructionReader {
  /** Bytes of the cancelled stream's id that were read after its first; -1 between instructions. */
  #continuation = -1

  /** Throws H3Error QPACK_DECODER_STREAM_ERROR. */
  push(bytes: Uint8Array): void {
    for (let i = 0; i < bytes.length; i++) {
      if (this.#continuation < 0) this.#start(bytes[i])
      else this.#continue(bytes[i])
    }
  }

  #start(first: number): void {
    if (first >= 0x80) throw decoderStreamError('acknowledges a field section that used no dynamic table')
    if (first < 0x40) throw decoderStreamError('counts insertions, but none were made')
    if ((first & 0x3f) === 0x3f) this.#continuation = 0
  }

  #continue(byte: number): void {
    // A stream id has 62 bits: nine bytes of seven bits each after the prefix.
    if (++this.#continuation > 9) throw decoderStreamError('cancels a stream whose id has more than 62 bits')
    if (byte < 0x80) this.#continuation = -1
  }
}

function decoderStreamError(what: string): H3Error {
  return new H3Error(H3ErrorCode.QPACK_DECODER_STREAM_ERROR, `the QPACK decoder stream ${what}`)
}
