/**
 * What a QUIC packet that carries one DATAGRAM frame needs beside the frame's payload:
 *
 *   first byte 1 | connection id of the peer | packet number, at most 4 | frame type 1 | length 2 | payload | tag 16
 *   (RFC 9000 §17.3.1, RFC 9221 §4, RFC 9001 §5.3)
 */

/** Our connection ids are always this long, so that a short header's can be found (RFC 9000 §5.2). */
export const CONNECTION_ID_LENGTH = 8

/** Bytes of a UDP payload around a DATAGRAM's payload. `connectionIdLength`: of the ids that the receiver made. */
export function aroundDatagram(connectionIdLength: number): number {
  return 1 + connectionIdLength + 4 + 1 + 2 + 16
}
