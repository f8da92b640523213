// mutant: UDP and IP header are counted as inside; expect: inside of the UDP payload
/**
 * Task 2: what goes around an IP packet, in bytes, and what that costs.
 */

/** Of the QUIC packet that carries it. */
export interface QuicPacket {
  connectionIdLength: number
  /** 1 to 4. */
  packetNumberLength: number
}

const AEAD_TAG = 16
const CONTEXT_ID = 1
/** Our QUIC library writes the length of a DATAGRAM or STREAM frame always as a varint of two bytes. */
const FRAME_LENGTH = 2
/** 0x4d51, as a varint. */
const PACKET_STREAM_TYPE = 4

/** How many bytes the varint of this value takes (RFC 9000 §16). */
export function varintLength(value: number): number {
  if (value < 2 ** 6) return 1
  if (value < 2 ** 14) return 2
  return value < 2 ** 30 ? 4 : 8
}

/** First byte, connection id and packet number, and at its end the tag. */
function quicOverhead({ connectionIdLength, packetNumberLength }: QuicPacket): number {
  return 28 + 1 + connectionIdLength + packetNumberLength + AEAD_TAG
}

/** Type, stream id, offset, length. */
function streamFrame(streamId: number, offset: number): number {
  return 1 + varintLength(streamId) + varintLength(offset) + FRAME_LENGTH
}

export function datagramOverhead(packet: QuicPacket, streamId: number): number {
  return quicOverhead(packet) + 1 + FRAME_LENGTH + varintLength(streamId / 4) + CONTEXT_ID
}

export function streamPerPacketOverhead(packet: QuicPacket, streamId: number, packetStreamId: number): number {
  return (
    quicOverhead(packet) + streamFrame(packetStreamId, 0) + PACKET_STREAM_TYPE + varintLength(streamId / 4) + CONTEXT_ID
  )
}

export function singleStreamOverhead(
  packet: QuicPacket,
  streamId: number,
  offset: number,
  packetLength: number,
): number {
  const capsule = 1 + varintLength(CONTEXT_ID + packetLength) + CONTEXT_ID
  const dataFrame = 1 + varintLength(capsule + packetLength)
  return quicOverhead(packet) + streamFrame(streamId, offset) + dataFrame + capsule
}

/** Of IP packets inside of the tunnel, in bit/s. */
export function goodput(
  linkBitsPerSecond: number,
  packetLength: number,
  overhead: number,
  outerVersion: 4 | 6,
): number {
  const outside = (outerVersion === 4 ? 20 : 40) + 8
  return (linkBitsPerSecond * packetLength) / (packetLength + overhead + outside)
}
