/**
 * What the driver needs of a QUIC engine: RFC 9000 without sockets, timers and clocks.
 *
 *                    packet, path, time          packet, path
 *        socket  ─────────────────────>  engine  ────────────>  socket
 *                                        │    ↑
 *                                 events │    │ deadline
 *                                        ↓    │
 *                                   application, timer
 *
 * UDP payloads go in with the path on which they came and the time; UDP payloads come out with the path on which they are to leave.
 * What has happened comes out as events, and when the engine wants to be called again as one deadline. Times are in ms, on a clock
 * that never goes back; the engine looks at no other. (quiche does: see quiche/quiche-connection.ts.)
 *
 * All that a peer can cause is told by an event or a result. What throws is a bug: the driver ends that connection.
 */

import type { EcnCodepoint } from './ecn.ts'
import type { QuicObserver } from './observer.ts'
import type { MtuSearch } from './path-mtu.ts'
import type {
  CongestionControl,
  EngineName,
  NewController,
  QuicCloseReason,
  QuicPath,
  QuicSettings,
  SocketAddress,
  TlsMaterial,
  UdpPath,
} from './quic.ts'

export type { UdpPath } from './quic.ts'

export interface EngineOptions {
  role: 'client' | 'server'
  settings: QuicSettings
  tls: TlsMaterial
  /** What is asked of the peer's certificate; one that is sent must verify, except with `any`. */
  peerCertificate: 'none' | 'optional' | 'required' | 'any'
  /** Makes the search for the MTU of a connection's path. Default: that of path-mtu.ts. `max` in bytes, `now` in ms. */
  newMtuSearch?: (options: { max: number; now: number }) => MtuSearch
  /**
   * Of a server: the congestion control of the connection that `remote` begins, in the place of the settings' one. Of the peer nothing but its address is known then, and that perhaps
   * forged. Called for each first packet, before it was read: it must cost little, and not throw.
   */
  congestionControl?: (remote: SocketAddress) => CongestionControl | NewController
  /** Connections can log their TLS secrets, also where `settings.keyLog` names no file for them. */
  logKeys?: boolean
  /**
   * Of a server: where it listens. Whoever listens there after it, with the same key of TLS, can reset the connections that it has left (RFC 9000 §10.3).
   * Port 0 and undefined: nobody can.
   */
  listensAt?: SocketAddress
}

/** What all connections of an endpoint have in common. */
export interface QuicEngine {
  /** Reads a long header (RFC 8999 §5.1, RFC 9000 §17.2). undefined: there is none. */
  parseHeader(packet: Uint8Array): LongHeader | undefined
  speaks(version: number): boolean
  /** The Version Negotiation packet that answers `header` (RFC 9000 §6). */
  versionNegotiation(header: LongHeader): Uint8Array
  /** The Retry packet that answers `header`: the client is to come back with `token`, and calls us `newId` from now on (§8.1.2). */
  retry(header: LongHeader, newId: Uint8Array, token: Uint8Array): Uint8Array
  /**
   * The stateless reset that answers a packet with a short header and a connection id that nobody has here (RFC 9000 §10.3). undefined: it is no such
   * packet, or too small to be answered. Not every engine has them.
   */
  statelessReset?(packet: Uint8Array): Uint8Array | undefined
  /** The server's end of a connection; its first packet is still to be given to it. undefined: nobody is at such an address. */
  accept(options: AcceptOptions): EngineConnection | undefined
  connect(options: DialOptions): EngineConnection
}

export interface LongHeader {
  readonly version: number
  readonly isInitial: boolean
  /** Destination: the id by which the packet's receiver is called. */
  readonly dcid: Uint8Array
  readonly scid: Uint8Array
  /** Empty: there is none. */
  readonly token: Uint8Array
}

export interface AcceptOptions {
  /** The connection id that is ours at first. */
  id: Uint8Array
  /** By which the client called us before it was sent a Retry, if it was. */
  originalId?: Uint8Array
  /** The client has shown otherwise that it is where it says: by a token of an earlier connection. */
  isAddressValidated?: boolean
  /** Makes the token that the client gets for its next connection, once its handshake is over (RFC 9000 §8.1.3). Not every engine gives it one. */
  newToken?(): Uint8Array
  path: UdpPath
}

export interface DialOptions {
  id: Uint8Array
  path: UdpPath
  /** The name or IP address that the server's certificate must be for. A name is also sent as SNI (RFC 6066 §3). */
  serverName: string
  /** A ticket with which to resume an earlier session. */
  resumptionTicket?: Uint8Array
  /** A token that this server has given us on an earlier connection (RFC 9000 §8.1.3). */
  token?: Uint8Array
  /** It has given us one for the next; valid during the call only. Not every engine tells. */
  onNewToken?(token: Uint8Array): void
}

export interface OutgoingPacket {
  /** How many bytes of the buffer it has. */
  length: number
  path: UdpPath
  /** Of its IP header. Default: Not-ECT. */
  ecn?: EcnCodepoint
}

/** Bytes that the peer's application ignores, for a packet that tests the path. `ends`: the stream is there for them only. */
export interface ProbeContent {
  readonly streamId: number
  readonly data: Uint8Array
  readonly ends: boolean
}

/** What `handOut` reports. Each may be called any number of times, or never. */
export interface EngineEvents {
  /**
   * Of a server, at most once, and before `onEstablished`: what is given to `streamSend` from now on leaves with its half of the handshake (0.5-RTT data, RFC 9001 §5.7). Who the
   * client is, and whether it is where it seems to be, is not known. An engine may never say so.
   */
  onMaySend?(): void
  /** Before all that the peer has sent: the handshake is over, and the peer is who it should be. */
  onEstablished(): void
  /** `data` is valid during the call only, here and below. */
  onDatagram(data: Uint8Array): void
  onStreamData(streamId: number, data: Uint8Array, fin: boolean): void
  onStreamReset(streamId: number, code: number): void
  onStopSending(streamId: number, code: number): void
  /** Packets leave on this path from now on: the peer has moved, or has moved back. Not because of `migrate`. */
  onPathChanged(path: UdpPath): void
  /** The path that was probed has answered: packets get there, and back. */
  onPathValidated(path: UdpPath): void
  /** The peer may have one more id to call us by: makes it. */
  newConnectionId(): Uint8Array
  /** The peer calls us by this id no more. */
  onConnectionIdRetired(id: Uint8Array): void
}

/** One connection. Its owner calls `handOut`, then `send` until there is nothing more, then asks for the `deadline`. */
export interface EngineConnection {
  readonly engineName: EngineName

  // -- packets and time

  /**
   * A UDP payload has arrived, and may be changed by this call. False: nothing of it could be used, and nothing has begun; a
   * connection of which that is the first packet is none. `ecn`: of its IP header; Not-ECT, the default, may also mean that it is not known.
   */
  receive(packet: Uint8Array, path: UdpPath, now: number, ecn?: EcnCodepoint): boolean
  /**
   * Writes the next packet that is to be sent to `buffer`, which has room for the largest UDP payload. undefined: there is none now.
   * The answer is valid until the next call.
   */
  send(buffer: Uint8Array, now: number): OutgoingPacket | undefined
  /** Its probes of the path may leave before what waits. Else one leaves only when nothing does: it would have to share its packet. */
  readonly probesFirst?: boolean
  /**
   * The same as `send` for a packet that tests whether the path carries more than it is known to carry (RFC 9000 §14.3). `content`: at least so many
   * bytes, for an engine that needs a stream for that; undefined when there are none.
   */
  sendProbe(
    buffer: Uint8Array,
    content: (length: number) => ProbeContent | undefined,
    now: number,
  ): OutgoingPacket | undefined
  /**
   * What has become of such a packet, or else whether large packets still arrive. `waiting`: more datagrams want to be sent than
   * may be. True: `maxDatagramLength` or `pathMtuSettled` has changed.
   */
  judgePath(waiting: boolean, now: number): boolean
  /** The sockets carry the ECN field of IP: packets may be marked (RFC 9000 §13.4). Called, if at all, before all others. Not every engine can. */
  enableEcn?(): void
  handOut(events: EngineEvents, now: number): void
  /** When `onDeadline` is to be called; undefined: never, unless something else happens. */
  deadline(now: number): number | undefined
  /** Called too early it does nothing. */
  onDeadline(now: number): void

  // -- the handshake

  readonly alpn: string
  readonly resumed: boolean
  /** The peer's leaf certificate in DER. */
  readonly peerCertificate: Uint8Array | undefined
  readonly peerMaxDatagramFrameSize: number
  /** The ticket with which this session can be resumed, if the server has sent one. */
  readonly resumptionTicket: Uint8Array | undefined
  /** Writes TLS secrets to this file, which is this connection's own. Called before anything is sent or received. */
  logKeys(file: string): void

  // -- streams and datagrams

  /** How many bytes were taken. undefined: it takes no more, because it was stopped or has ended. */
  streamSend(streamId: number, data: Uint8Array, fin: boolean): number | undefined
  /** Ends our half of a stream (RESET_STREAM), or asks for the end of the peer's (STOP_SENDING). Nothing when it has ended already. */
  streamReset(streamId: number, code: number): void
  streamStopSending(streamId: number, code: number): void
  /** How many more streams of ours the peer allows. */
  streamsLeft(kind: 'bidi' | 'uni'): number
  /** Whether the peer has acknowledged all of a stream that we have ended. */
  isAcknowledged(streamId: number): boolean
  /** In bytes; 0 when the peer takes none. */
  readonly maxDatagramLength: number
  readonly pathMtuSettled: boolean
  /** Queues a copy. False: the queue is full, and has what it had. */
  sendDatagram(data: Uint8Array): boolean
  /** How many datagrams wait. May be slow: not for every packet. */
  countDatagrams(): number
  /** Throws away datagrams that wait and begin so; returns how many. */
  purgeDatagrams(prefix: Uint8Array): number
  /** Makes the next packet one that the peer has to acknowledge. */
  ping(): void

  // -- the end

  /**
   * Sends CONNECTION_CLOSE from now on, and nothing else. Before the handshake is over, what an application says does not show in
   * it (RFC 9000 §10.2.3). Idempotent.
   */
  close(application: boolean, code: number, reason: string): void
  /** `close` was called, or the engine has closed because of what the peer is. */
  readonly closing: boolean
  /** Why it has ended; undefined: it has not. Asked after what was to be sent has been. */
  closeReason(): QuicCloseReason | undefined
  /** It need not even answer late packets any more (RFC 9000 §10.2): it can be forgotten. */
  readonly isOver: boolean

  // -- paths

  /**
   * Of a client: sends a PATH_CHALLENGE there (RFC 9000 §8.2). What is sent on a new path is sent with a connection id of its own
   * (§9.5). May be called again while there is no answer. False: there is no connection id for one more path, or none may be probed: before
   * the handshake is confirmed (§9), or where the server wants none (§18.2).
   */
  probePath(path: UdpPath, now: number): boolean
  /** Of a client: everything leaves on this path from now on. It has been validated. */
  migrate(path: UdpPath, now: number): void
  paths(): QuicPath[]
  counters(): EngineCounters
  /** Of what congestion control counts, on the path that packets leave on now. undefined: it cannot be told. */
  readonly bytesInFlight: number | undefined

  /** Tells what happens inside from now on. Not every engine can. */
  observe?(observer: QuicObserver, now: number): void
}

/** What is counted since the beginning of the connection, over all of its paths; and how it is with the path that packets leave on now. */
export interface EngineCounters {
  readonly packetsSent: number
  readonly packetsReceived: number
  readonly packetsLost: number
  readonly bytesSent: number
  readonly bytesReceived: number
  /** Smoothed round-trip time in ms, and congestion window in bytes. */
  readonly rttMs: number
  readonly cwnd: number
}
