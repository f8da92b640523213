/** Hears what goes over a connection of HTTP/3: for qlog. Bytes are borrowed for the call; nothing here may throw. */

import type { QuicCloseReason } from '../../quic/quic.ts'

export interface H3Tap {
  /** The handshake is done. */
  established(): void
  streamSent(streamId: number, data: Uint8Array, fin: boolean): void
  streamReceived(streamId: number, data: Uint8Array, fin: boolean): void
  /** Ended before its time, by either side. */
  streamAborted(streamId: number): void
  /** HTTP Datagrams, from the quarter stream id on. */
  datagramSent(datagram: Uint8Array): void
  datagramReceived(datagram: Uint8Array): void
  pathChanged(): void
  closed(reason: QuicCloseReason): void
}
