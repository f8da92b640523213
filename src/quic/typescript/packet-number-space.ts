/**
 * Packet number spaces, RFC 9000 §12.3. Each has its own keys, packet numbers, acknowledgments and CRYPTO stream. TLS calls the same
 * three numbers encryption levels.
 */
export type PacketNumberSpace = 0 | 1 | 2

export const INITIAL: PacketNumberSpace = 0
export const HANDSHAKE: PacketNumberSpace = 1
export const APPLICATION: PacketNumberSpace = 2

export const PACKET_NUMBER_SPACES: readonly PacketNumberSpace[] = [INITIAL, HANDSHAKE, APPLICATION]
