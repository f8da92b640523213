/**
 * SETTINGS, RFC 9114 §7.2.4: what each end is willing to receive.
 *
 *   Setting {
 *     Identifier (i),
 *     Value (i),
 *   }
 *
 *   SETTINGS Frame {
 *     Type (i) = 0x04,
 *     Length (i),
 *     Setting (..) ...,
 *   }
 */
import { TruncatedError } from '../bytes/errors.ts'
import { Reader } from '../bytes/reader.ts'
import { Writer } from '../bytes/writer.ts'
import { H3ErrorCode } from './error-codes.ts'
import { H3Error } from './errors.ts'
import { isReservedId } from './grease.ts'

export const SettingId = {
  /** RFC 9204 §5: how much dynamic table the peer's encoder may use, in bytes. */
  QPACK_MAX_TABLE_CAPACITY: 0x01,
  /** RFC 9114 §7.2.4.1: the largest field section we take, in bytes (RFC 9114 §4.2.2 says how they are counted). */
  MAX_FIELD_SECTION_SIZE: 0x06,
  /** RFC 9204 §5: how many streams may wait for the dynamic table. */
  QPACK_BLOCKED_STREAMS: 0x07,
  /** RFC 9220 §3: a server takes Extended CONNECT. */
  ENABLE_CONNECT_PROTOCOL: 0x08,
  /** RFC 9297 §2.1.1: HTTP Datagrams in QUIC DATAGRAM frames. */
  H3_DATAGRAM: 0x33,
} as const

export interface H3Settings {
  /** Bytes; 0 = no dynamic table. */
  qpackMaxTableCapacity: number
  qpackBlockedStreams: number
  /** Bytes; Infinity = no limit was announced. */
  maxFieldSectionSize: number
  enableConnectProtocol: boolean
  h3Datagram: boolean
  /** Settings of extensions that this file does not know, by identifier. Reserved ("grease") ones are left out. */
  extensions: ReadonlyMap<bigint, bigint>
}

/** The values before a SETTINGS frame has come (RFC 9114 §7.2.4.2). */
export const INITIAL_SETTINGS: Readonly<H3Settings> = {
  qpackMaxTableCapacity: 0,
  qpackBlockedStreams: 0,
  maxFieldSectionSize: Number.POSITIVE_INFINITY,
  enableConnectProtocol: false,
  h3Datagram: false,
  extensions: new Map(),
}

/** A SETTINGS payload beyond this is not taken: it would be hundreds of settings (H3_EXCESSIVE_LOAD). */
export const MAX_SETTINGS_LENGTH = 4096

/**
 * The payload of a SETTINGS frame. Settings that have their initial value are left out. `grease`: a reserved identifier and
 * any value, to be sent with them (see grease.ts).
 */
export function encodeSettings(settings: H3Settings, grease?: { id: number; value: number }): Uint8Array {
  const writer = new Writer()
  const put = (id: number | bigint, value: number | bigint) => writer.varint(id).varint(value)
  // A capacity of 0 is the initial value, but said aloud: "no dynamic table" is a decision here, not an omission.
  put(SettingId.QPACK_MAX_TABLE_CAPACITY, settings.qpackMaxTableCapacity)
  if (settings.qpackBlockedStreams > 0) put(SettingId.QPACK_BLOCKED_STREAMS, settings.qpackBlockedStreams)
  if (Number.isFinite(settings.maxFieldSectionSize)) {
    put(SettingId.MAX_FIELD_SECTION_SIZE, settings.maxFieldSectionSize)
  }
  if (settings.enableConnectProtocol) put(SettingId.ENABLE_CONNECT_PROTOCOL, 1)
  if (settings.h3Datagram) put(SettingId.H3_DATAGRAM, 1)
  for (const [id, value] of settings.extensions) put(id, value)
  if (grease !== undefined) put(grease.id, grease.value)
  return writer.finish()
}

/**
 * Decodes the payload of a SETTINGS frame.
 *
 * Throws H3Error: H3_FRAME_ERROR when the payload ends inside a setting; H3_SETTINGS_ERROR for a setting that occurs
 * twice, that HTTP/2 defined and HTTP/3 forbids, or whose value must be 0 or 1 and is neither.
 */
export function decodeSettings(payload: Uint8Array): H3Settings {
  const found = new Map<bigint, bigint>()
  const reader = new Reader(payload)
  try {
    while (reader.remaining > 0) {
      const id = reader.varint()
      const value = reader.varint()
      if (found.has(id)) throw settingsError(`setting ${hex(id)} occurs twice`)
      found.set(id, value)
    }
  } catch (error) {
    if (!(error instanceof TruncatedError)) throw error
    throw new H3Error(H3ErrorCode.H3_FRAME_ERROR, `the SETTINGS frame ends inside a setting: ${error.message}`)
  }

  const settings: H3Settings = { ...INITIAL_SETTINGS }
  const extensions = new Map<bigint, bigint>()
  for (const [id, value] of found) {
    switch (Number(id)) {
      case 0x00:
      case 0x02:
      case 0x03:
      case 0x04:
      case 0x05:
        throw settingsError(`setting ${hex(id)} belongs to HTTP/2 and is forbidden in HTTP/3`)
      case SettingId.QPACK_MAX_TABLE_CAPACITY:
        settings.qpackMaxTableCapacity = toNumber(value)
        break
      case SettingId.QPACK_BLOCKED_STREAMS:
        settings.qpackBlockedStreams = toNumber(value)
        break
      case SettingId.MAX_FIELD_SECTION_SIZE:
        settings.maxFieldSectionSize = toNumber(value)
        break
      case SettingId.ENABLE_CONNECT_PROTOCOL:
        settings.enableConnectProtocol = toBoolean('ENABLE_CONNECT_PROTOCOL', value)
        break
      case SettingId.H3_DATAGRAM:
        settings.h3Datagram = toBoolean('H3_DATAGRAM', value)
        break
      default:
        if (!isReservedId(id)) extensions.set(id, value)
    }
  }
  settings.extensions = extensions
  return settings
}

/** A limit above 2^53 is no limit. */
function toNumber(value: bigint): number {
  return value > BigInt(Number.MAX_SAFE_INTEGER) ? Number.POSITIVE_INFINITY : Number(value)
}

function toBoolean(name: string, value: bigint): boolean {
  if (value > 1n) throw settingsError(`SETTINGS_${name} is ${value}; it must be 0 or 1`)
  return value === 1n
}

function settingsError(message: string): H3Error {
  return new H3Error(H3ErrorCode.H3_SETTINGS_ERROR, message)
}

function hex(id: bigint): string {
  return `0x${id.toString(16)}`
}
