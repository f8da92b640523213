/** What the driver needs of the system: a clock, timers and UDP sockets. A test has others, in memory and in virtual time. */

import type { SocketAddress } from './quic.ts'

export interface DriverIo {
  /** In ms, never going back. */
  now(): number
  /** Calls once, after so many ms; the function that comes back prevents it. */
  setTimer(callback: () => void, ms: number): () => void
  /** Calls once, when the packets that wait in the sockets have been read. */
  soon(callback: () => void): void
}

export interface PacketSocket {
  /** Where it is bound: always the same object. */
  readonly local: SocketAddress
  readonly open: boolean
  /** Packets that the system has not taken yet. Their bytes must not change. */
  readonly queued: number
  /** Never throws because of the network. A connected socket sends to where it is connected. */
  send(packet: Uint8Array, to: SocketAddress): void
  /** Idempotent. Resolves when nothing will be received any more. */
  close(): Promise<void>
  /** Called once, before anything has been received. */
  start(events: SocketEvents): void
}

export interface SocketEvents {
  onPacket(packet: Buffer, host: string, port: number): void
  /** The system has said that something could not be sent, or that nobody listens there. */
  onError(error: NodeJS.ErrnoException): void
}
