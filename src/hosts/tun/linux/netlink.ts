/**
 * Netlink messages (RFC 3549, <linux/netlink.h>): how Linux is asked about its interfaces, addresses and routes, and told to change them.
 * Bytes in, values out; the socket is in `route-socket.ts`.
 *
 *    0                   1                   2                   3
 *    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *   +---------------------------------------------------------------+
 *   |                          Length                               |
 *   +---------------------------------------------------------------+
 *   |            Type              |           Flags                |
 *   +---------------------------------------------------------------+
 *   |                      Sequence Number                          |
 *   +---------------------------------------------------------------+
 *   |                         Port ID                               |
 *   +---------------------------------------------------------------+
 *
 * then the fixed part that the type has, then attributes: length (2 bytes, without padding), type (2 bytes), value, padding to
 * 4 bytes. Numbers are in the machine's own order, which is little-endian wherever this runs.
 */

import { DecodeError, TruncatedError } from '../../../bytes/errors.ts'

const HEADER = 16
const ATTRIBUTE_HEADER = 4
/** The upper two bits of an attribute's type are marks. */
const ATTRIBUTE_TYPE_MASK = 0x3fff

export const NetlinkType = { ERROR: 2, DONE: 3 } as const
export const NetlinkFlag = { REQUEST: 1, ACK: 4, DUMP: 0x300, EXCLUSIVE: 0x200, CREATE: 0x400 } as const

/** One message as it came. `body` is what follows the header. */
export interface NetlinkMessage {
  readonly type: number
  readonly flags: number
  readonly sequence: number
  readonly body: Uint8Array
}

/** The answer to a request that changes something: 0, or which error, with the kernel's own words where it has some. */
export interface NetlinkAnswer {
  /** As in errno(3). */
  readonly errno: number
  readonly text: string
}

const ANSWER_TEXT = 1
const CAPPED = 0x100
const HAS_ATTRIBUTES = 0x200

export function encodeMessage(type: number, flags: number, sequence: number, ...parts: Uint8Array[]): Uint8Array {
  const length = parts.reduce((sum, part) => sum + part.length, HEADER)
  const bytes = new Uint8Array(length)
  const view = new DataView(bytes.buffer)
  view.setUint32(0, length, true)
  view.setUint16(4, type, true)
  view.setUint16(6, flags, true)
  view.setUint32(8, sequence, true)
  setAll(bytes, HEADER, parts)
  return bytes
}

export function encodeAttribute(type: number, ...values: Uint8Array[]): Uint8Array {
  const length = values.reduce((sum, value) => sum + value.length, ATTRIBUTE_HEADER)
  const bytes = new Uint8Array(aligned(length))
  const view = new DataView(bytes.buffer)
  view.setUint16(0, length, true)
  view.setUint16(2, type, true)
  setAll(bytes, ATTRIBUTE_HEADER, values)
  return bytes
}

function setAll(bytes: Uint8Array, offset: number, parts: readonly Uint8Array[]): void {
  for (const part of parts) {
    bytes.set(part, offset)
    offset += part.length
  }
}

export function uint32(value: number): Uint8Array {
  const bytes = new Uint8Array(4)
  new DataView(bytes.buffer).setUint32(0, value, true)
  return bytes
}

export function readUint32(bytes: Uint8Array, offset = 0): number {
  if (offset + 4 > bytes.length) throw new TruncatedError('a number of 4 bytes')
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(offset, true)
}

/** The messages in what one `recv` has returned. Throws DecodeError. The bodies share the bytes. */
export function decodeMessages(bytes: Uint8Array): NetlinkMessage[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const messages: NetlinkMessage[] = []
  let offset = 0
  while (offset < bytes.length) {
    if (offset + HEADER > bytes.length) throw new TruncatedError('a netlink header')
    const length = view.getUint32(offset, true)
    if (length < HEADER) throw new DecodeError(`netlink message of ${length} bytes; expected at least ${HEADER}`)
    if (offset + length > bytes.length) throw new TruncatedError('a netlink message')
    messages.push({
      type: view.getUint16(offset + 4, true),
      flags: view.getUint16(offset + 6, true),
      sequence: view.getUint32(offset + 8, true),
      body: bytes.subarray(offset + HEADER, offset + length),
    })
    offset += aligned(length)
  }
  return messages
}

/** The attributes that follow a fixed part of `offset` bytes, by type; of several with one type the last. Throws DecodeError. */
export function decodeAttributes(body: Uint8Array, offset: number): Map<number, Uint8Array> {
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength)
  const attributes = new Map<number, Uint8Array>()
  while (offset < body.length) {
    if (offset + ATTRIBUTE_HEADER > body.length) throw new TruncatedError('a netlink attribute')
    const length = view.getUint16(offset, true)
    if (length < ATTRIBUTE_HEADER) throw new DecodeError(`netlink attribute of ${length} bytes; expected at least 4`)
    if (offset + length > body.length) throw new TruncatedError('a netlink attribute')
    const type = view.getUint16(offset + 2, true) & ATTRIBUTE_TYPE_MASK
    attributes.set(type, body.subarray(offset + ATTRIBUTE_HEADER, offset + length))
    offset += aligned(length)
  }
  return attributes
}

/** The body of a message of type ERROR, which is also what says that all went well. Throws DecodeError. */
export function decodeAnswer({ flags, body }: NetlinkMessage): NetlinkAnswer {
  const errno = 0 - (readUint32(body) | 0)
  if ((flags & HAS_ATTRIBUTES) === 0) return { errno, text: '' }
  // The request that this is about stands in between; whole, unless the flag says that only its header does.
  const quoted = flags & CAPPED ? HEADER : aligned(readUint32(body, 4))
  const text = decodeAttributes(body, 4 + quoted).get(ANSWER_TEXT)
  return { errno, text: text === undefined ? '' : new TextDecoder().decode(text).replace(/\0.*$/s, '') }
}

function aligned(length: number): number {
  return (length + 3) & ~3
}
