/**
 * Requests and responses over UDP. The client asks for the segments of a response that it does not have; the responder
 * sends them and remembers nothing. So all of the reliability is the client's: what is lost is asked for again.
 *
 *   request                                    segment of a response
 *  +-------------------------------+          +-------------------------------+
 *  |     Magic (32): "mlrq"        |          |     Magic (32): "mlrs"        |
 *  +-------------------------------+          +-------------------------------+
 *  |     Request ID (32)           |          |     Request ID (32)           |
 *  +-------------------------------+          +-------------------------------+
 *  |     Token (32)                |          |     Token (32)                |
 *  +-------------------------------+          +-------------------------------+
 *  |     Response Length (32)      |          |     Segment (32): its index   |
 *  +-------------------------------+          +-------------------------------+
 *  |     Segment Length (32)       |          |     Data: all as long as asked|
 *  +-------------------------------+          |     for but the last          |
 *  |     First Segment (32)        |          +-------------------------------+
 *  +-------------------------------+
 *  |     Wanted (64): bit i, from  |
 *  |     the least significant of  |
 *  |     the first word: is First  |
 *  |     + i wanted?               |
 *  +-------------------------------+
 */

import { DecodeError, TruncatedError } from '../bytes/errors.ts'

const REQUEST_LENGTH = 32
export const SEGMENT_HEADER_LENGTH = 16
export const SEGMENTS_A_REQUEST = 64
export const LONGEST_RESPONSE = 16 * 1024 * 1024
export const SHORTEST_SEGMENT = 16
export const LONGEST_SEGMENT = 65_000

const REQUEST_MAGIC = 0x6d6c7271
const SEGMENT_MAGIC = 0x6d6c7273

export interface DataRequest {
  id: number
  token: number
  /** Bytes of data in the whole response, 0 … LONGEST_RESPONSE. */
  responseLength: number
  /** Bytes of data in a segment, SHORTEST_SEGMENT … LONGEST_SEGMENT. */
  segmentLength: number
  first: number
  wanted: readonly [number, number]
}

export interface DataSegment {
  id: number
  token: number
  index: number
  /** A view of the input. */
  data: Uint8Array
}

/** A response without data is one empty segment, so that it can be seen to arrive. */
export function segmentCount(responseLength: number, segmentLength: number): number {
  return Math.max(1, Math.ceil(responseLength / segmentLength))
}

export function encodeRequest(request: DataRequest): Uint8Array {
  const payload = new Uint8Array(REQUEST_LENGTH)
  const { id, token, responseLength, segmentLength, first, wanted } = request
  const words = [REQUEST_MAGIC, id, token, responseLength, segmentLength, first, ...wanted]
  const view = viewOf(payload)
  for (const [i, word] of words.entries()) view.setUint32(i * 4, word)
  return payload
}

/** Throws DecodeError for what is no request, or one that asks for what cannot be. */
export function decodeRequest(payload: Uint8Array): DataRequest {
  if (payload.length < REQUEST_LENGTH) {
    throw new TruncatedError(`request of ${payload.length} bytes; expected ${REQUEST_LENGTH}`)
  }
  const view = viewOf(payload)
  if (view.getUint32(0) !== REQUEST_MAGIC) throw new DecodeError('no request: the first four bytes are others')
  const request: DataRequest = {
    id: view.getUint32(4),
    token: view.getUint32(8),
    responseLength: view.getUint32(12),
    segmentLength: view.getUint32(16),
    first: view.getUint32(20),
    wanted: [view.getUint32(24), view.getUint32(28)],
  }
  const { responseLength, segmentLength, first } = request
  if (responseLength > LONGEST_RESPONSE) {
    throw new DecodeError(`request for ${responseLength} bytes; expected at most ${LONGEST_RESPONSE}`)
  }
  if (segmentLength < SHORTEST_SEGMENT || segmentLength > LONGEST_SEGMENT) {
    const range = `${SHORTEST_SEGMENT} to ${LONGEST_SEGMENT}`
    throw new DecodeError(`request for segments of ${segmentLength} bytes; expected ${range}`)
  }
  if (first >= segmentCount(responseLength, segmentLength)) {
    throw new DecodeError(`request for segment ${first}, which a response of ${responseLength} bytes does not have`)
  }
  return request
}

/** Bytes of data in a segment: all but the last are full. */
export function segmentDataLength(responseLength: number, segmentLength: number, index: number): number {
  return Math.min(segmentLength, responseLength - index * segmentLength)
}

/** Segment `index` of the response; its data are zeros. */
export function encodeSegment(request: DataRequest, index: number): Uint8Array {
  const { id, token, responseLength, segmentLength } = request
  const length = segmentDataLength(responseLength, segmentLength, index)
  const payload = new Uint8Array(SEGMENT_HEADER_LENGTH + length)
  const view = viewOf(payload)
  for (const [i, word] of [SEGMENT_MAGIC, id, token, index].entries()) view.setUint32(i * 4, word)
  return payload
}

/** Throws DecodeError for what is no segment. Whether it belongs to anything is for the caller to see. */
export function decodeSegment(payload: Uint8Array): DataSegment {
  if (payload.length < SEGMENT_HEADER_LENGTH) {
    throw new TruncatedError(`segment of ${payload.length} bytes; expected at least ${SEGMENT_HEADER_LENGTH}`)
  }
  const view = viewOf(payload)
  if (view.getUint32(0) !== SEGMENT_MAGIC) throw new DecodeError('no segment: the first four bytes are others')
  return {
    id: view.getUint32(4),
    token: view.getUint32(8),
    index: view.getUint32(12),
    data: payload.subarray(SEGMENT_HEADER_LENGTH),
  }
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
}
