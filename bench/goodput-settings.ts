/** What all transfers of `bench goodput` have in common, real and virtual ones. */

import { DEFAULT_QUIC_SETTINGS, type QuicSettings } from '../src/quic/quic.ts'

export const MBIT = 20
/** Of all: how large a path lets packets be is another question. In bytes. */
export const PACKET_SIZE = 1200
/** The handshake, slow start, and what it has overshot. */
export const WARM_UP_MS = 3_000

export interface GoodputPath {
  loss: number
  rttMs: number
}

export const PATHS: readonly GoodputPath[] = [0, 0.01, 0.05].flatMap(loss => [20, 100].map(rttMs => ({ loss, rttMs })))

/** Bytes: what the link carries in a round trip, which is also what its queue holds. */
export function bytesInRoundTrip({ rttMs }: GoodputPath): number {
  return (MBIT * 1000 * rttMs) / 8
}

export function settingsFor(engine: 'typescript' | 'quiche'): QuicSettings {
  return {
    ...DEFAULT_QUIC_SETTINGS,
    engine,
    // That of the Go program (interop/connect-ip-go/cmd/streams).
    alpn: ['echo'],
    maxUdpPayload: PACKET_SIZE,
    // Those of quic-go, so that flow control is not what is measured.
    streamWindow: 512 << 10,
    connectionWindow: 768 << 10,
    maxStreamWindow: 6 << 20,
    maxConnectionWindow: 15 << 20,
  }
}
