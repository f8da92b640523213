/** RFC 9000 §15. */
export const QUIC_V1 = 0x00000001
export const SUPPORTED_VERSIONS: readonly number[] = [QUIC_V1]
