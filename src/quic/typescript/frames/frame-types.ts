/**
 * Frame types, RFC 9000 §12.4 table 3 and RFC 9221 §4.
 *
 *   Type       Frame                  Packets   Spec
 *   0x00       PADDING                I H 1     N P
 *   0x01       PING                   I H 1
 *   0x02-0x03  ACK                    I H 1     N C
 *   0x04       RESET_STREAM               1
 *   0x05       STOP_SENDING               1
 *   0x06       CRYPTO                 I H 1
 *   0x07       NEW_TOKEN                  1     from servers
 *   0x08-0x0f  STREAM                     1     F
 *   0x10       MAX_DATA                   1
 *   0x11       MAX_STREAM_DATA            1
 *   0x12-0x13  MAX_STREAMS                1
 *   0x14       DATA_BLOCKED               1
 *   0x15       STREAM_DATA_BLOCKED        1
 *   0x16-0x17  STREAMS_BLOCKED            1
 *   0x18       NEW_CONNECTION_ID          1     P
 *   0x19       RETIRE_CONNECTION_ID       1
 *   0x1a       PATH_CHALLENGE             1     P
 *   0x1b       PATH_RESPONSE              1     P
 *   0x1c       CONNECTION_CLOSE       I H 1     N
 *   0x1d       CONNECTION_CLOSE           1     N, of the application
 *   0x1e       HANDSHAKE_DONE             1     from servers
 *   0x30-0x31  DATAGRAM                   1
 *
 * I, H, 1: it may stand in Initial, Handshake, 1-RTT packets (nobody here sends 0-RTT). N: a packet of nothing else elicits no
 * acknowledgment. P: it may stand in a packet that only probes a path. C: not counted in flight; F: under flow control.
 */
export const PADDING = 0x00
export const PING = 0x01
export const ACK = 0x02
export const ACK_ECN = 0x03
export const RESET_STREAM = 0x04
export const STOP_SENDING = 0x05
export const CRYPTO = 0x06
export const NEW_TOKEN = 0x07
/** With the bits OFF 0x04, LEN 0x02, FIN 0x01. */
export const STREAM = 0x08
export const MAX_DATA = 0x10
export const MAX_STREAM_DATA = 0x11
export const MAX_STREAMS_BIDI = 0x12
export const MAX_STREAMS_UNI = 0x13
export const DATA_BLOCKED = 0x14
export const STREAM_DATA_BLOCKED = 0x15
export const STREAMS_BLOCKED_BIDI = 0x16
export const STREAMS_BLOCKED_UNI = 0x17
export const NEW_CONNECTION_ID = 0x18
export const RETIRE_CONNECTION_ID = 0x19
export const PATH_CHALLENGE = 0x1a
export const PATH_RESPONSE = 0x1b
export const CONNECTION_CLOSE = 0x1c
export const CONNECTION_CLOSE_APPLICATION = 0x1d
export const HANDSHAKE_DONE = 0x1e
export const DATAGRAM = 0x30
/** With the Length field. */
export const DATAGRAM_WITH_LENGTH = 0x31

/** Bits of FRAME_RULES. The first three are 1 << packet number space. */
export const IN_INITIAL = 0x01
export const IN_HANDSHAKE = 0x02
export const IN_1RTT = 0x04
export const FROM_SERVER_ONLY = 0x08
export const ELICITS_ACK = 0x10
export const PROBING = 0x20

const EVERYWHERE = IN_INITIAL | IN_HANDSHAKE | IN_1RTT

/** By frame type; 0: there is no such type. */
export const FRAME_RULES: Uint8Array = new Uint8Array(DATAGRAM_WITH_LENGTH + 1)

FRAME_RULES.fill(IN_1RTT | ELICITS_ACK, RESET_STREAM, HANDSHAKE_DONE + 1)
FRAME_RULES.fill(IN_1RTT | ELICITS_ACK, DATAGRAM, DATAGRAM_WITH_LENGTH + 1)
FRAME_RULES[PADDING] = EVERYWHERE | PROBING
FRAME_RULES[PING] = EVERYWHERE | ELICITS_ACK
FRAME_RULES[ACK] = EVERYWHERE
FRAME_RULES[ACK_ECN] = EVERYWHERE
FRAME_RULES[CRYPTO] = EVERYWHERE | ELICITS_ACK
FRAME_RULES[NEW_TOKEN] |= FROM_SERVER_ONLY
FRAME_RULES[NEW_CONNECTION_ID] |= PROBING
FRAME_RULES[PATH_CHALLENGE] |= PROBING
FRAME_RULES[PATH_RESPONSE] |= PROBING
FRAME_RULES[CONNECTION_CLOSE] = EVERYWHERE
FRAME_RULES[CONNECTION_CLOSE_APPLICATION] = IN_1RTT
FRAME_RULES[HANDSHAKE_DONE] |= FROM_SERVER_ONLY
