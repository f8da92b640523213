/**
 * Task 5: HTTP/3 before the tunnel: SETTINGS (RFC 9114 §7.2.4) and the header section of an Extended CONNECT request
 * (RFC 9220), in QPACK (RFC 9204).
 *
 *   Frame {                 Setting {
 *     Type (i),               Identifier (i),
 *     Length (i),             Value (i),
 *     Payload (..),         }
 *   }
 */
import { MalformedError } from './errors.ts'
import { decodeHuffman } from './huffman.ts'
import { STATIC_TABLE } from './static-table.ts'
import { decodeVarint, encodeVarint } from './varint.ts'

export const FrameType = { DATA: 0x00n, HEADERS: 0x01n, SETTINGS: 0x04n } as const

export const SettingId = { ENABLE_CONNECT_PROTOCOL: 0x08n, H3_DATAGRAM: 0x33n } as const

export type Header = [name: string, value: string]

/** A frame as bytes for a stream. */
export function encodeFrame(type: bigint, payload: Uint8Array): Uint8Array {
  throw new Error('TODO: encodeFrame')
}

/**
 * All that the client writes to its control stream: the stream type 0x00 (a varint, RFC 9114 §6.2.1), then one SETTINGS
 * frame that says H3_DATAGRAM = 1, and nothing else.
 */
export function controlStream(): Uint8Array {
  throw new Error('TODO: controlStream')
}

/**
 * Reads the payload of a SETTINGS frame: identifiers and values as they come, also unknown ones.
 *
 * Throws MalformedError when it ends inside a setting, when an identifier occurs twice, for the identifiers 0x00, 0x02,
 * 0x03, 0x04, 0x05 (of HTTP/2, forbidden here), and when ENABLE_CONNECT_PROTOCOL or H3_DATAGRAM is neither 0 nor 1.
 */
export function decodeSettings(payload: Uint8Array): [id: bigint, value: bigint][] {
  throw new Error('TODO: decodeSettings')
}

/** What an Extended CONNECT for CONNECT-IP consists of, RFC 9484 §4.4. Names that begin with a colon come first. */
export function connectIpRequest(authority: string, path: string): Header[] {
  throw new Error('TODO: connectIpRequest')
}

/**
 * An integer with an N-bit prefix, RFC 7541 §5.1 (QPACK's integers are not varints). `firstBits` are the bits before the
 * prefix, in place. A value below 2^N - 1 is in the prefix. Otherwise the prefix is all ones, and the rest, value - (2^N - 1),
 * follows seven bits at a time, the lowest ones first; the upper bit of each byte says whether one more follows.
 *
 *   10 with 5 bits     ???01010
 *   1337 with 5 bits   ???11111 10011010 00001010
 */
export function encodeInteger(value: number, prefixBits: number, firstBits: number): Uint8Array {
  throw new Error('TODO: encodeInteger')
}

/**
 * An encoded field section, RFC 9204 §4.5: two zero bytes (no dynamic table is used), then each field line in the shortest
 * of three forms. Where several entries of the static table fit, take the first of them.
 *
 *   1 T index(6+)                                  Indexed Field Line: name and value are entry `index`. T = 1: static
 *   0 1 N T index(4+), H length(7+), value         Literal with Name Reference: the name is that of entry `index`
 *   0 0 1 N H length(3+), name, H length(7+), value     Literal with Literal Name
 *
 * N = 0 (the line may be compressed again), H = 0 (no Huffman code). `(6+)` is an integer with a 6-bit prefix.
 */
export function encodeHeaders(headers: readonly Header[]): Uint8Array {
  throw new Error('TODO: encodeHeaders')
}

/**
 * Reads an encoded field section: the three forms above, with and without Huffman code (decodeHuffman), N of either value.
 *
 * Throws MalformedError when it is cut short, when an index is beyond the table, and for everything that refers to the
 * dynamic table, which does not exist: a first byte other than 0, T = 0, lines that begin with the bits 0000 or 0001.
 */
export function decodeHeaders(section: Uint8Array): Header[] {
  throw new Error('TODO: decodeHeaders')
}
