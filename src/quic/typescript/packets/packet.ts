/**
 * What can be seen of a packet before its protection is removed. Offsets are in the datagram; bytes are views of it.
 */
export type Packet =
  | LongHeaderPacket
  | ShortHeaderPacket
  | RetryPacket
  | VersionNegotiationPacket
  | UnknownVersionPacket

export interface LongHeaderPacket {
  readonly type: 'initial' | '0-rtt' | 'handshake'
  readonly version: number
  readonly dcid: Uint8Array
  readonly scid: Uint8Array
  /** Of an Initial packet; else empty. */
  readonly token: Uint8Array
  /** Where the packet begins, where its packet number does, and where it ends (the next one begins there). */
  readonly start: number
  readonly packetNumberOffset: number
  readonly end: number
}

/** A 1-RTT packet: always the last of a datagram. */
export interface ShortHeaderPacket {
  readonly type: '1-rtt'
  readonly dcid: Uint8Array
  readonly start: number
  readonly packetNumberOffset: number
  readonly end: number
}

export interface RetryPacket {
  readonly type: 'retry'
  readonly version: number
  readonly dcid: Uint8Array
  readonly scid: Uint8Array
  readonly token: Uint8Array
  readonly start: number
  readonly end: number
}

export interface VersionNegotiationPacket {
  readonly type: 'version-negotiation'
  readonly dcid: Uint8Array
  readonly scid: Uint8Array
  readonly versions: readonly number[]
  readonly start: number
  readonly end: number
}

/** Of another version nothing but this is known (RFC 8999 §5.1). */
export interface UnknownVersionPacket {
  readonly type: 'unknown-version'
  readonly version: number
  readonly dcid: Uint8Array
  readonly scid: Uint8Array
  readonly start: number
  readonly end: number
}
