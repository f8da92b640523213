/**
 * pcapng, the capture format that Wireshark reads and writes (draft-ietf-opsawg-pcapng): a row of blocks, each of them
 *
 *    0                   1                   2                   3
 *    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *   +---------------------------------------------------------------+
 *   |                          Block Type                           |
 *   +---------------------------------------------------------------+
 *   |                      Block Total Length                       |
 *   +---------------------------------------------------------------+
 *   /                          Block Body                           /
 *   /              variable length, padded to 32 bits               /
 *   +---------------------------------------------------------------+
 *   |                      Block Total Length                       |
 *   +---------------------------------------------------------------+
 *
 * with, at the end of most bodies, options, of which a last one with code 0 and length 0 ends the list:
 *
 *   +-------------------------------+-------------------------------+
 *   |         Option Code           |         Option Length         |
 *   +-------------------------------+-------------------------------+
 *   /                 Option Value, padded to 32 bits               /
 *   +---------------------------------------------------------------+
 *
 * A reader needs no end of the file: whatever has been written up to the last whole block can be read. Numbers are little-endian here; the
 * byte-order magic of the first block says so.
 */

export const BlockType = {
  SECTION_HEADER: 0x0a0d0d0a,
  INTERFACE_DESCRIPTION: 0x00000001,
  SIMPLE_PACKET: 0x00000003,
  INTERFACE_STATISTICS: 0x00000005,
  ENHANCED_PACKET: 0x00000006,
  DECRYPTION_SECRETS: 0x0000000a,
} as const

/** Packets begin with an IPv4 or IPv6 header; which one, the version field says. */
export const LINKTYPE_RAW = 101

export const BYTE_ORDER_MAGIC = 0x1a2b3c4d
/** "TLSK": lines in the format of SSLKEYLOGFILE. */
export const SECRETS_TLS_KEY_LOG = 0x544c534b
/** Times are counted in units of 10^-6 s. */
const MICROSECONDS = 6

export const Option = {
  END: 0,
  COMMENT: 1,
  SHB_USERAPPL: 4,
  IF_NAME: 2,
  IF_DESCRIPTION: 3,
  IF_TSRESOL: 9,
  IF_TSOFFSET: 14,
  EPB_FLAGS: 2,
  EPB_DROPCOUNT: 4,
  ISB_STARTTIME: 2,
  ISB_ENDTIME: 3,
  ISB_IFRECV: 4,
  ISB_IFDROP: 5,
} as const

/** Bits 0 and 1 of epb_flags. */
export const Direction = { INBOUND: 1, OUTBOUND: 2 } as const
export type Direction = (typeof Direction)[keyof typeof Direction]

/** The longest text of an option, in bytes: its length field has 16 bits. */
const MAX_OPTION_LENGTH = 0xffff

/** The file's first block. `application`: what has written it. */
export function sectionHeader({ application, comment }: { application: string; comment?: string }): Uint8Array {
  return block(BlockType.SECTION_HEADER, 16, [text(Option.SHB_USERAPPL, application), ...comments(comment)], body => {
    body.setUint32(0, BYTE_ORDER_MAGIC, true)
    // Version 1.0, of a section whose length is not known beforehand: -1.
    body.setUint16(4, 1, true)
    body.setUint16(6, 0, true)
    body.setBigInt64(8, -1n, true)
  })
}

/** Interfaces are numbered from 0, in the order of these blocks. */
export function interfaceDescription({
  name,
  description,
}: {
  readonly name: string
  readonly description?: string | undefined
}): Uint8Array {
  const options = [
    text(Option.IF_NAME, name),
    ...(description === undefined ? [] : [text(Option.IF_DESCRIPTION, description)]),
    { code: Option.IF_TSRESOL, value: Uint8Array.of(MICROSECONDS) },
  ]
  return block(BlockType.INTERFACE_DESCRIPTION, 8, options, body => {
    body.setUint16(0, LINKTYPE_RAW, true)
    // A snapshot length of 0 says that no packet is cut.
    body.setUint32(4, 0, true)
  })
}

export interface CapturedPacket {
  /** The number of the interface. */
  readonly interfaceId: number
  /** µs since 1970. */
  readonly timeUs: number
  readonly direction: Direction
  /** An IP packet. */
  readonly bytes: Uint8Array
  /** Packets of this interface that were left out since the one before. */
  readonly dropped?: number
  readonly comment?: string
}

export function enhancedPacket(packet: CapturedPacket): Uint8Array {
  const { interfaceId, timeUs, direction, bytes, dropped = 0, comment } = packet
  const options = [
    u32(Option.EPB_FLAGS, direction),
    ...(dropped === 0 ? [] : [u64(Option.EPB_DROPCOUNT, dropped)]),
    ...comments(comment),
  ]
  return block(BlockType.ENHANCED_PACKET, 20 + padded(bytes.length), options, (body, whole) => {
    body.setUint32(0, interfaceId, true)
    setTime(body, 4, timeUs)
    body.setUint32(12, bytes.length, true)
    body.setUint32(16, bytes.length, true)
    whole.set(bytes, BODY_OFFSET + 20)
  })
}

/** TLS secrets, as lines of a key log: they decrypt packets that stand behind this block. */
export function decryptionSecrets(keyLog: Uint8Array): Uint8Array {
  return block(BlockType.DECRYPTION_SECRETS, 8 + padded(keyLog.length), [], (body, whole) => {
    body.setUint32(0, SECRETS_TLS_KEY_LOG, true)
    body.setUint32(4, keyLog.length, true)
    whole.set(keyLog, BODY_OFFSET + 8)
  })
}

export interface InterfaceStatistics {
  readonly interfaceId: number
  /** µs since 1970: of the first packet that could have been captured, and of these figures. */
  readonly startUs: number
  readonly endUs: number
  /** Packets that have passed, and those of them that are not in the file. */
  readonly received: number
  readonly dropped: number
}

export function interfaceStatistics(statistics: InterfaceStatistics): Uint8Array {
  const { interfaceId, startUs, endUs, received, dropped } = statistics
  const options = [
    time(Option.ISB_STARTTIME, startUs),
    time(Option.ISB_ENDTIME, endUs),
    u64(Option.ISB_IFRECV, received),
    u64(Option.ISB_IFDROP, dropped),
  ]
  return block(BlockType.INTERFACE_STATISTICS, 12, options, body => {
    body.setUint32(0, interfaceId, true)
    setTime(body, 4, endUs)
  })
}

// -- blocks and options ------------------------------------------------------------------------------------------------

interface BlockOption {
  readonly code: number
  readonly value: Uint8Array
}

/** Behind type and length. */
const BODY_OFFSET = 8
/** Type, and the length twice. */
const FRAME_LENGTH = 12
const OPTION_HEADER_LENGTH = 4

/** `fixedLength`: of what stands in the body before the options, in bytes. */
function block(
  type: number,
  fixedLength: number,
  options: readonly BlockOption[],
  fill: (body: DataView, whole: Uint8Array) => void,
): Uint8Array {
  let optionsLength = 0
  for (const { value } of options) optionsLength += OPTION_HEADER_LENGTH + padded(value.length)
  if (options.length > 0) optionsLength += OPTION_HEADER_LENGTH
  const whole = new Uint8Array(FRAME_LENGTH + fixedLength + optionsLength)
  const view = new DataView(whole.buffer)
  view.setUint32(0, type, true)
  view.setUint32(4, whole.length, true)
  fill(new DataView(whole.buffer, BODY_OFFSET, fixedLength), whole)
  let at = BODY_OFFSET + fixedLength
  for (const { code, value } of options) {
    view.setUint16(at, code, true)
    view.setUint16(at + 2, value.length, true)
    whole.set(value, at + OPTION_HEADER_LENGTH)
    at += OPTION_HEADER_LENGTH + padded(value.length)
  }
  // The option that ends the list is all zeros, as the room for it is.
  view.setUint32(whole.length - 4, whole.length, true)
  return whole
}

function padded(length: number): number {
  return Math.ceil(length / 4) * 4
}

const encoder = new TextEncoder()

function text(code: number, value: string): BlockOption {
  const bytes = encoder.encode(value)
  if (bytes.length <= MAX_OPTION_LENGTH) return { code, value: bytes }
  // Never in the middle of a character.
  const cut = new Uint8Array(MAX_OPTION_LENGTH)
  return { code, value: cut.subarray(0, encoder.encodeInto(value, cut).written) }
}

function comments(comment: string | undefined): BlockOption[] {
  return comment === undefined ? [] : [text(Option.COMMENT, comment)]
}

function u32(code: number, value: number): BlockOption {
  const bytes = new Uint8Array(4)
  new DataView(bytes.buffer).setUint32(0, value, true)
  return { code, value: bytes }
}

function u64(code: number, value: number): BlockOption {
  const bytes = new Uint8Array(8)
  new DataView(bytes.buffer).setBigUint64(0, BigInt(value), true)
  return { code, value: bytes }
}

function time(code: number, timeUs: number): BlockOption {
  const bytes = new Uint8Array(8)
  setTime(new DataView(bytes.buffer), 0, timeUs)
  return { code, value: bytes }
}

/** 64 bits, the upper half first whatever the byte order. */
function setTime(view: DataView, offset: number, timeUs: number): void {
  view.setUint32(offset, Math.floor(timeUs / 0x1_0000_0000), true)
  view.setUint32(offset + 4, timeUs % 0x1_0000_0000, true)
}
