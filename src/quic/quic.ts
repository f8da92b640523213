/**
 * What the rest of the program needs from QUIC (RFC 9000, RFC 9221), and nothing of how a library provides it.
 *
 * HTTP/3 and everything above see only these types; what is below them is in driver.ts, and what can be exchanged below that in
 * engine.ts.
 */

import type { QuicObserver } from './observer.ts'
import type { CongestionController, ControllerOptions } from './typescript/recovery/congestion/controller.ts'

/** A UDP address. `host` is an IP address in text form, never a name. */
export interface SocketAddress {
  readonly host: string
  readonly port: number
}

/** The two ends of a network path (RFC 9000 §9). `local` is the address of one of our sockets. */
export interface UdpPath {
  readonly local: SocketAddress
  readonly remote: SocketAddress
}

export type CongestionControl = 'reno' | 'cubic' | 'bbr'
/** Makes the controller of one path of one connection. */
export type NewController = (options: ControllerOptions) => CongestionController

export const ENGINE_CHOICES = ['auto', 'quiche', 'typescript'] as const
/** See choose-engine.ts. */
export type EngineChoice = (typeof ENGINE_CHOICES)[number]
export type EngineName = Exclude<EngineChoice, 'auto'>

/** Settings of one endpoint; they hold for all of its connections. */
export interface QuicSettings {
  /** ALPN protocol names in order of preference, for example `['h3']`. */
  alpn: readonly string[]
  /** Default: as MASQUE_QUIC says, `auto` without it. */
  engine?: EngineChoice
  /** One of one's own: on the engine in TypeScript only. */
  congestionControl: CongestionControl | NewController
  /** A connection on which nothing arrived for so long is gone (RFC 9000 §10.1), in ms. */
  idleTimeoutMs: number
  /**
   * Send something that the peer must answer (PING) this often, so that neither side nor a NAT between them takes a
   * quiet connection for a dead one (RFC 9000 §10.1.2), in ms. 0: never. undefined: a third of the idle timeout.
   */
  keepAliveMs?: number
  /** The largest UDP payload that is tried, in bytes. 1200 always works; what else does is found out (RFC 9000 §14.3). */
  maxUdpPayload: number
  /** False: we take no DATAGRAM frames, and say so (RFC 9221 §3). For tests of the other end. */
  takesDatagrams?: boolean
  /** How many DATAGRAM frames may wait in each direction before the oldest (in) or the newest (out) is dropped. */
  datagramQueue: number
  /**
   * How many bytes of one stream, and of all streams together, the peer may send ahead: at first, and as more than that is
   * read in a round trip, at most. A peer that sends them in pieces makes us remember 100 times as much, so the first are
   * small.
   */
  streamWindow: number
  connectionWindow: number
  maxStreamWindow: number
  maxConnectionWindow: number
  /** How many streams of each kind the peer may have open at a time. */
  maxStreamsBidi: number
  maxStreamsUni: number
  /** TLS secrets are appended to this file in NSS key log format, which Wireshark reads. */
  keyLog?: string
}

export const DEFAULT_QUIC_SETTINGS: QuicSettings = {
  alpn: ['h3'],
  congestionControl: 'cubic',
  idleTimeoutMs: 30_000,
  maxUdpPayload: 1400,
  datagramQueue: 1024,
  streamWindow: 32 << 10,
  connectionWindow: 64 << 10,
  maxStreamWindow: 512 << 10,
  maxConnectionWindow: 512 << 10,
  // RFC 9114 §6.1: at least 100 requests at a time, so as to not unnecessarily limit parallelism.
  maxStreamsBidi: 100,
  maxStreamsUni: 256,
}

/** PEM texts. A server needs `certificateChain` and `key`; `ca` is what the peer's certificate is checked against. */
export interface TlsMaterial {
  certificateChain?: Uint8Array
  key?: Uint8Array
  ca?: Uint8Array
}

/** Why a connection ended. */
export interface QuicCloseReason {
  /** Who ended it. `timeout`: nothing was heard from the peer for the idle timeout, or the handshake never ended. */
  readonly source: 'local' | 'peer' | 'timeout'
  /** An application (here HTTP/3) error code, else a QUIC transport error code. */
  readonly application: boolean
  readonly code: number
  readonly reason: string
}

/** What a connection reports. The owner of a connection sets one of these as its `handler`. */
export interface QuicHandler {
  /**
   * Of a server, at most once, and perhaps never: what is sent from now on leaves before the handshake is over, to a client of whom nothing is known, perhaps not even where it is. So
   * only what anybody may read, and what costs little. `onEstablished` follows, or `onClosed`.
   */
  onMaySend?(): void
  onEstablished(): void
  /** `data` is valid during the call only. */
  onStreamData(streamId: number, data: Uint8Array, fin: boolean): void
  onStreamReset(streamId: number, code: number): void
  onStopSending(streamId: number, code: number): void
  /** All that `streamSend` had to keep back for this stream has been handed to QUIC. */
  onStreamDrained(streamId: number): void
  /** `data` is valid during the call only. */
  onDatagram(data: Uint8Array): void
  /** QUIC has sent what it may for now. Whoever keeps DATAGRAMs back until few wait in here sends the next ones from here. */
  onDatagramsSent?(): void
  /** `maxDatagramLength` or `pathMtuSettled` has changed: the path was found to carry more, or less. */
  onMaxDatagramLength(): void
  /**
   * Opens a unidirectional stream that the peer's application ignores, for a packet that only tests the path. Returns its
   * id, after perhaps sending what its content has to begin with. Without this the path's MTU is not searched for.
   */
  openProbeStream?(): number | undefined
  /**
   * Where the peer grants no stream for that: `length` bytes or a few more that its application ignores, for a stream that is
   * open. They are sent whole, right now, or not at all.
   */
  ignoredBytes?(length: number): { streamId: number; data: Uint8Array } | undefined
  /** Packets go to `remote` on another path: a NAT has rebound, or the peer has moved, or we have (RFC 9000 §9). */
  onPathChanged?(remote: SocketAddress): void
  /** The last call; nothing else follows. */
  onClosed(reason: QuicCloseReason): void
}

export type DatagramResult = 'sent' | 'dropped' | 'too-large'

export interface QuicConnection {
  readonly role: 'client' | 'server'
  /** A short random name for logs. */
  readonly id: string
  readonly engineName: EngineName
  /** Where the peer is now (RFC 9000 §9). */
  readonly remote: SocketAddress
  /** Where our packets leave and arrive now. */
  readonly local: SocketAddress
  readonly established: boolean
  readonly closed: boolean
  readonly alpn: string
  /** The TLS session was resumed from a ticket (RFC 8446 §2.2). */
  readonly resumed: boolean
  /** ms from the first packet to the end of the handshake; undefined before. */
  readonly handshakeMs: number | undefined
  /** The peer's leaf certificate in DER, once established. */
  readonly peerCertificate: Uint8Array | undefined
  /** Above 0 when the peer sent the max_datagram_frame_size transport parameter (RFC 9221 §3): a lower bound of it. */
  readonly peerMaxDatagramFrameSize: number
  /** What `onEstablished` and the rest are called on. */
  handler: QuicHandler
  /** Set by the application. A server that is full closes connections which are not in use, the oldest first, for new ones. */
  inUse: boolean

  /**
   * Whether the peer's limits allow one more stream of ours now, and ours too: of unidirectional streams, only so many may be
   * unacknowledged at a time.
   */
  canOpenStream(kind: 'bidi' | 'uni'): boolean
  /** How many more bidirectional streams of ours they allow now. */
  readonly bidiStreamsLeft: number
  /**
   * Sends stream data. What flow control does not let through now is kept and sent later; `streamBuffered` says
   * how much that is, and the caller decides when it is too much. A stream comes into being with its first data.
   */
  streamSend(streamId: number, data: Uint8Array, fin: boolean): void
  streamBuffered(streamId: number): number
  /** Ends our half of the stream at once (RESET_STREAM). */
  streamReset(streamId: number, code: number): void
  /** Asks the peer to end its half (STOP_SENDING); what still arrives is thrown away. */
  streamStopSending(streamId: number, code: number): void

  /** The largest DATAGRAM payload that can be sent now, in bytes; 0 when the peer takes none. */
  readonly maxDatagramLength: number
  /** Whether the search for the path's MTU has ended, so that `maxDatagramLength` is what the path carries. */
  readonly pathMtuSettled: boolean
  /** Queues one DATAGRAM (copied). `dropped`: the queue was full. */
  sendDatagram(data: Uint8Array): DatagramResult
  /** How many DATAGRAMs wait to be sent; between two transmissions, at most so many. */
  readonly datagramsWaiting: number
  /** Room in the outgoing DATAGRAM queue, in datagrams. */
  readonly datagramQueueRoom: number
  /** Sends at once what congestion control lets through, streams and DATAGRAMs, instead of when this turn is over. */
  transmit(): void
  /** Throws away the DATAGRAMs that still wait to be sent and begin with `prefix`; returns how many those were. */
  purgeDatagrams(prefix: Uint8Array): number

  /**
   * Goes on from another local address: connection migration (RFC 9000 §9), which only a client may begin. The path is probed
   * first; until it has answered, and if it never does, everything stays where it is. Never rejects.
   */
  migrate(options?: MigrateOptions): Promise<MigrateResult>

  /** Sends something that the peer must answer (PING), if congestion control lets it. */
  ping(): void
  /** Closes with an application error code (CONNECTION_CLOSE 0x1d). Idempotent. */
  close(code: number, reason: string): void
  /** Closes it without a word to the peer, who knows nothing of it. */
  vanish(): void
  /** The ticket for resuming this session later, as the client got it from the server. */
  readonly resumptionTicket: Uint8Array | undefined
  paths(): QuicPath[]
  stats(): QuicStats
  /**
   * The same without asking the engine, which takes some 30 µs: what it counts (packets and their bytes) and how its path is, is as old as the last
   * `stats()`, and 0 before the first.
   */
  readonly lastStats: QuicStats
  /** Of what congestion control counts, on the path that packets leave on now. undefined: this engine does not tell. */
  readonly bytesInFlight: number | undefined
  /** Tells what happens inside from now on. False: this engine cannot. */
  observe?(observer: QuicObserver): boolean
}

export interface MigrateOptions {
  /** The IP address to send from. Default: whichever the system gives a new socket now. */
  readonly local?: string
  /** The server, where it has another address on that path: behind the second attachment of a link emulator. */
  readonly remote?: SocketAddress
}

export type MigrateResult =
  /** `ms`: from the first packet on the new path to the answer. */
  | { readonly moved: true; readonly path: UdpPath; readonly ms: number }
  | { readonly moved: false; readonly why: string }

/** One network path of a connection (RFC 9000 §9). */
export interface QuicPath {
  readonly local: SocketAddress
  readonly remote: SocketAddress
  readonly active: boolean
  /** Smoothed round-trip time in ms. */
  readonly rttMs: number
  /** Congestion window in bytes. */
  readonly cwnd: number
  readonly lost: number
}

export interface QuicStats {
  readonly packetsSent: number
  readonly packetsReceived: number
  readonly packetsLost: number
  readonly bytesSent: number
  readonly bytesReceived: number
  readonly datagramsSent: number
  readonly datagramsReceived: number
  /** Outgoing DATAGRAMs that met a full queue. */
  readonly datagramsDropped: number
  readonly streamsOpened: number
  /** Of these, those that are open now: not both of their halves have ended. */
  readonly streamsOpen: number
  /** How often packets have begun to go another way: the peer has moved, or a NAT has rebound, or we have moved (RFC 9000 §9). */
  readonly pathChanges: number
  /** Of the active path, now: smoothed round-trip time in ms, congestion window in bytes. */
  readonly rttMs: number
  readonly cwnd: number
}
