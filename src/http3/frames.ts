/**
 * HTTP/3 frames, RFC 9114 §7.1.
 *
 *   HTTP/3 Frame Format {
 *     Type (i),
 *     Length (i),
 *     Frame Payload (..),
 *   }
 *
 * A frame may be spread over any number of QUIC packets, and one packet may hold many frames. FrameReader finds the
 * frames in a stream of bytes without ever holding more than one short frame: content (DATA) is passed on as it
 * comes, frames of unknown types are skipped, and only the frames that must be seen whole are collected.
 */
import { Reader } from '../bytes/reader.ts'
import { decodeSmallVarint, encodeVarint, varintLength, varintLengthFromFirstByte } from '../bytes/varint.ts'
import { Writer } from '../bytes/writer.ts'
import { H3ErrorCode } from './error-codes.ts'
import { H3Error } from './errors.ts'

/** Frame types, RFC 9114 §7.2. */
export const FrameType = {
  DATA: 0x00,
  HEADERS: 0x01,
  CANCEL_PUSH: 0x03,
  SETTINGS: 0x04,
  PUSH_PROMISE: 0x05,
  GOAWAY: 0x07,
  MAX_PUSH_ID: 0x0d,
} as const

/** The known frame types' names, for messages. */
const FRAME_NAMES = new Map<number, string>(Object.entries(FrameType).map(([name, type]) => [type, name]))

/** The name of a frame type, e.g. `DATA`, or `frame type 0x21`. */
export function frameName(type: number): string {
  return FRAME_NAMES.get(type) ?? `frame type 0x${type.toString(16)}`
}

/**
 * PRIORITY, PING, WINDOW_UPDATE and CONTINUATION exist in HTTP/2 only. A peer that sends one has confused the two
 * protocols: H3_FRAME_UNEXPECTED (RFC 9114 §7.2.8).
 */
export function isHttp2OnlyFrame(type: number): boolean {
  return type === 0x02 || type === 0x06 || type === 0x08 || type === 0x09
}

/** The type and length of a frame whose payload (`length` bytes) follows. */
export function encodeFrameHeader(type: number, length: number): Uint8Array {
  const out = new Uint8Array(varintLength(type) + varintLength(length))
  encodeVarint(length, out, encodeVarint(type, out, 0))
  return out
}

/** A whole frame. Copies the payload. */
export function encodeFrame(type: number, payload: Uint8Array): Uint8Array {
  const headerLength = varintLength(type) + varintLength(payload.length)
  const out = new Uint8Array(headerLength + payload.length)
  encodeVarint(payload.length, out, encodeVarint(type, out, 0))
  out.set(payload, headerLength)
  return out
}

/** A frame whose payload is one varint: GOAWAY, CANCEL_PUSH, MAX_PUSH_ID. */
export function encodeVarintFrame(type: number, value: number | bigint): Uint8Array {
  const payload = new Uint8Array(varintLength(value))
  encodeVarint(value, payload, 0)
  return encodeFrame(type, payload)
}

/**
 * The payload of a frame that is one varint and nothing else.
 * Throws H3Error H3_FRAME_ERROR when it is shorter or longer (RFC 9114 §7.1).
 */
export function decodeVarintPayload(type: number, payload: Uint8Array): bigint {
  const reader = new Reader(payload)
  if (payload.length === 0 || payload.length !== varintLengthFromFirstByte(payload[0])) {
    throw new H3Error(
      H3ErrorCode.H3_FRAME_ERROR,
      `a ${frameName(type)} frame holds ${payload.length} bytes; it must be exactly one variable-length integer`,
    )
  }
  return reader.varint()
}

/**
 * What to do with a frame's payload: hand it over whole, pass it on piece by piece, or skip it. `rest`: this is no frame, and
 * there are none on this stream: all that follows is passed on (see webtransport.ts).
 */
export type FrameTreatment = 'collect' | 'pass' | 'skip' | 'rest'

/** Whoever reads the frames of one stream. All byte arrays are views, valid only during the call. */
export interface FrameHandler {
  /** A frame begins. Throws H3Error when it is not allowed here. `length` may be Infinity (above 2^53). */
  frameStarts(type: number, length: number): FrameTreatment
  /** The whole payload of a frame that is collected. */
  frameCollected(type: number, payload: Uint8Array): void
  /** The next bytes of a frame that is passed on; never empty. */
  framePassed(bytes: Uint8Array): void
}

/** Type and length take at most 8 bytes each. */
const MAX_FRAME_HEADER = 16

/** Finds the frames in the bytes of one stream and reports them to a FrameHandler. */
export class FrameReader {
  readonly #handler: FrameHandler
  /** The beginning of a frame header that was cut by the end of the input. */
  #partialHeader: Uint8Array | undefined
  #partialLength = 0
  #insidePayload = false
  #type = 0
  #treatment: FrameTreatment = 'skip'
  #remaining = 0
  #collected: Writer | undefined

  constructor(handler: FrameHandler) {
    this.#handler = handler
  }

  /** True when the bytes so far end inside a frame. A stream that ends here is broken: H3_FRAME_ERROR. */
  get insideFrame(): boolean {
    return (this.#insidePayload && this.#treatment !== 'rest') || this.#partialLength > 0
  }

  /** From now on there are no frames on this stream: its bytes are passed on. */
  passRest(): void {
    this.#treatment = 'rest'
    this.#remaining = Number.POSITIVE_INFINITY
    this.#insidePayload = true
  }

  /** Takes the next bytes of the stream. What the handler throws is passed through; the reader is then unusable. */
  push(bytes: Uint8Array): void {
    let at = 0
    while (at < bytes.length) {
      at = this.#insidePayload ? this.#readPayload(bytes, at) : this.#readHeader(bytes, at)
    }
  }

  #readHeader(bytes: Uint8Array, at: number): number {
    if (this.#partialLength === 0) {
      const end = this.#parseHeader(bytes, at)
      if (end > 0) return end
      this.#partialHeader ??= new Uint8Array(MAX_FRAME_HEADER)
    }
    // The header is cut in two: gather it byte by byte, it is at most 16 bytes.
    const header = this.#partialHeader!
    while (at < bytes.length) {
      header[this.#partialLength++] = bytes[at++]
      if (this.#parseHeader(header.subarray(0, this.#partialLength), 0) > 0) {
        this.#partialLength = 0
        break
      }
    }
    return at
  }

  /** Returns the offset after the header, or -1 when the input ends inside it. */
  #parseHeader(bytes: Uint8Array, at: number): number {
    const type = decodeSmallVarint(bytes, at)
    if (type < 0) return -1
    const lengthAt = at + varintLengthFromFirstByte(bytes[at])
    const length = decodeSmallVarint(bytes, lengthAt)
    if (length < 0) return -1
    this.#startFrame(type, length)
    return lengthAt + varintLengthFromFirstByte(bytes[lengthAt])
  }

  #startFrame(type: number, length: number): void {
    this.#type = type
    this.#treatment = this.#handler.frameStarts(type, length)
    if (this.#treatment === 'rest') return this.passRest()
    this.#remaining = length
    this.#insidePayload = length > 0
    if (length === 0 && this.#treatment === 'collect') this.#handler.frameCollected(type, new Uint8Array(0))
  }

  #readPayload(bytes: Uint8Array, at: number): number {
    const end = at + Math.min(this.#remaining, bytes.length - at)
    this.#remaining -= end - at
    if (this.#remaining === 0) this.#insidePayload = false
    if (this.#treatment === 'pass' || this.#treatment === 'rest') this.#handler.framePassed(bytes.subarray(at, end))
    else if (this.#treatment === 'collect') this.#collect(bytes.subarray(at, end))
    return end
  }

  #collect(piece: Uint8Array): void {
    // The common case, a frame that came in one piece, needs no copy.
    if (this.#remaining === 0 && this.#collected === undefined) {
      this.#handler.frameCollected(this.#type, piece)
      return
    }
    // The buffer grows with what has come, not with what the peer announced.
    this.#collected ??= new Writer(256)
    this.#collected.bytes(piece)
    if (this.#remaining > 0) return
    const whole = this.#collected.finish()
    this.#collected = undefined
    this.#handler.frameCollected(this.#type, whole)
  }
}
