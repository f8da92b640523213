/** What the driver needs of the system: a clock, timers and UDP sockets. A test has others, in memory and in virtual time. */

import type { EcnCodepoint } from './ecn.ts'
import type { SocketAddress, UdpPath } from './quic.ts'

export interface DriverIo {
  /** In ms, never going back. */
  now(): number
  /** Calls once, after so many ms; the function that comes back prevents it. */
  setTimer(callback: () => void, ms: number): () => void
  /** Calls once, when the packets that wait in the sockets have been read. */
  soon(callback: () => void): void
}

/**
 * A UDP socket that may send and receive several packets at a time: see udp/ for the two that there are.
 *
 *     const room = socket.room(1200)        again and again, then      socket.flush()
 *     socket.send(write(room), to)
 */
export interface PacketSocket {
  /** Where it is bound: always the same object. */
  readonly local: SocketAddress
  readonly open: boolean
  /** It sends packets with the ECN field that they are to have, and tells that of those which come. Else both are always Not-ECT. */
  readonly carriesEcn: boolean
  /** How many packets it reads, when there are so many, before others have their turn. */
  readonly readsAtOnce: number
  /** Packets that were flushed, and that the system has not taken yet. */
  readonly queued: number
  /** Packets that were never sent, because the system refused them or has too many already, by reason (udp/unsent.ts): as far as the socket hears of it. */
  readonly unsent: Readonly<Record<string, number>>
  /** Where the next packet is to be written: so many bytes. Valid until any socket is asked for room, or sends. */
  room(length: number): Uint8Array
  /**
   * The first `length` bytes of the room are a packet for there. It leaves with the next `flush`, or before. A connected socket
   * sends to where it is connected. Never throws because of the network. `ecn`: of its IP header. Default: Not-ECT.
   */
  send(length: number, to: SocketAddress, ecn?: EcnCodepoint): void
  /** What was sent since the last time leaves now. */
  flush(): void
  /** Idempotent. Resolves when nothing will be received any more. */
  close(): Promise<void>
  /** Called once, before anything has been received. */
  start(events: SocketEvents): void
}

/** Hears what passes on an endpoint's sockets, and the TLS secrets of its connections: for captures. The bytes are borrowed for the call. */
export interface UdpTap {
  readonly sent?: (packet: Uint8Array, path: UdpPath) => void
  readonly received?: (packet: Uint8Array, path: UdpPath) => void
  /** Lines of a key log. Whoever wants no secrets leaves it out. */
  readonly keys?: (lines: Uint8Array) => void
}

export interface SocketEvents {
  /** The bytes are valid during the call only, and may be changed by it. `ecn`: of its IP header. Default: Not-ECT, or not known. */
  onPacket(packet: Buffer, host: string, port: number, ecn?: EcnCodepoint): void
  /**
   * The system has said that something could not be sent, or that nobody listens there. Never from within a call to the socket. When
   * the socket is not open any more, this was why.
   */
  onError(error: NodeJS.ErrnoException): void
}
