/** TLS_AES_128_GCM_SHA256, TLS_AES_256_GCM_SHA384, TLS_CHACHA20_POLY1305_SHA256 (RFC 8446 §B.4). */
export type CipherSuite = 0x1301 | 0x1302 | 0x1303

/** How many bytes the AEAD of every suite adds. */
export const TAG_LENGTH = 16

export interface OpenedPacket {
  readonly packetNumber: number
  /** The frames, in a buffer of their own. */
  readonly payload: Uint8Array
  /** The Key Phase bit of a short header. */
  readonly keyPhase: 0 | 1
}

/** Protects what we send at one encryption level. */
export class SealingKeys {
  constructor(_suite: CipherSuite, _secret: Uint8Array) {}

  /**
   * Protects the packet that begins at packet[0], in place: header (with its packet number, of `packetNumberLength` bytes), payload,
   * and behind it room for a tag of 16 bytes. Returns its length. The payload and packet number must have 4 bytes or more together.
   */
  seal(
    _packet: Uint8Array,
    _headerLength: number,
    _payloadLength: number,
    _packetNumber: number,
    _packetNumberLength: number,
  ): number {
    throw new Error('to be written')
  }
}

/** Removes the protection of what we receive at one encryption level. */
export class OpeningKeys {
  constructor(_suite: CipherSuite, _secret: Uint8Array) {}

  /**
   * Opens packet[start … end), whose header protection is removed in place. undefined: it is not from the peer, or too short.
   * Throws TransportError: it is from the peer, and its reserved bits are set (PROTOCOL_VIOLATION); or too many were not
   * (AEAD_LIMIT_REACHED). `largest`: the largest packet number received in this space, -1 when there is none.
   */
  open(
    _packet: Uint8Array,
    _start: number,
    _packetNumberOffset: number,
    _end: number,
    _largest: number,
  ): OpenedPacket | undefined {
    throw new Error('to be written')
  }
}
