/**
 * Task 2: what goes around an IP packet, in bytes, and what that costs.
 *
 *   IP header, UDP header                            outside: 20 or 40, and 8 bytes
 *   +------------------------------------------------------------------------------+
 *   | QUIC packet   first byte, Destination Connection ID, Packet Number           |
 *   |  +-------------------------------------------------------------------------+ |
 *   |  | frame                                                                   | |
 *   |  |   datagram            stream-per-packet        single-stream            | |
 *   |  |   type (1 byte)       type (1 byte)            type (1 byte)            | |
 *   |  |                       Stream ID (varint)       Stream ID (varint)       | |
 *   |  |                       Offset (varint)          Offset (varint)          | |
 *   |  |   Length (2 bytes)    Length (2 bytes)         Length (2 bytes)         | |
 *   |  |  +-------------------+------------------------+------------------------+| |
 *   |  |  |                    stream type (varint)     DATA frame: type (0x00), || |
 *   |  |  |                     0x4d51                   length (varint)         || |
 *   |  |  | Quarter Stream ID  Quarter Stream ID        DATAGRAM capsule: type   || |
 *   |  |  |  (varint)           (varint)                 (0x00), length (varint) || |
 *   |  |  | Context ID 0       Context ID 0             Context ID 0             || |
 *   |  |  |              the IP packet                                           || |
 *   |  +--+----------------------------------------------------------------------+| |
 *   | AEAD tag (16 bytes)                                                          |
 *   +------------------------------------------------------------------------------+
 *
 * What QUIC leaves open, our library does like this: the length of a frame is always there, as a varint of two bytes; a STREAM frame has
 * an offset always, also when it is 0. All results but that of `goodput` are in bytes.
 */

/** Of the QUIC packet that carries it. */
export interface QuicPacket {
  connectionIdLength: number
  /** 1 to 4. */
  packetNumberLength: number
}

/** How many bytes the varint of this value takes (RFC 9000 §16). Values are below 2^53. */
export function varintLength(value: number): number {
  throw new Error('TODO: varintLength')
}

/** UDP payload minus IP packet, when the packet goes in a QUIC datagram. `streamId`: of the request. */
export function datagramOverhead(packet: QuicPacket, streamId: number): number {
  throw new Error('TODO: datagramOverhead')
}

/** The same, when each packet has a stream of its own: `packetStreamId`. `streamId`: of the request. */
export function streamPerPacketOverhead(packet: QuicPacket, streamId: number, packetStreamId: number): number {
  throw new Error('TODO: streamPerPacketOverhead')
}

/** The same, when all packets go on the stream of the request, of which `offset` bytes were sent before. */
export function singleStreamOverhead(
  packet: QuicPacket,
  streamId: number,
  offset: number,
  packetLength: number,
): number {
  throw new Error('TODO: singleStreamOverhead')
}

/**
 * How many bit/s of IP packets get through the tunnel, when the link carries `linkBitsPerSecond`, counted with the IP and UDP headers
 * outside. `overhead`: one of the results above. `outerVersion`: of the IP packets outside. In bit/s.
 */
export function goodput(
  linkBitsPerSecond: number,
  packetLength: number,
  overhead: number,
  outerVersion: 4 | 6,
): number {
  throw new Error('TODO: goodput')
}
