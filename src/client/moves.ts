/**
 * A tunnel that moves to another network, as the client tells it: asked for (`MasqueClient.migrate`), or because the system
 * sends from another address now (network-watch.ts). How a connection moves: quic/migration.ts.
 */

import type { SocketAddress } from '../quic/quic.ts'

/** One move, when it is done. */
export interface Move {
  readonly from: SocketAddress
  readonly to: SocketAddress
  /** The proxy, seen from there. */
  readonly remote: SocketAddress
  /** From the first packet on the new path to the first one that came back, in ms. */
  readonly ms: number
  readonly at: Date
}

/** Which way the tunnel's packets take, and how it came to that. */
export interface PathStatus {
  /** Undefined while there is no tunnel. */
  readonly local?: SocketAddress
  readonly remote?: SocketAddress
  /** Moves of this client, in all its tunnels. */
  readonly moves: number
  /** Attempts that came to nothing. */
  readonly failedMoves: number
  readonly last?: Move
}
