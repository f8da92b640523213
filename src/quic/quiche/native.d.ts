/**
 * What is used of quiche, as `@matrixai/quic` hands it to JavaScript. It is declared here so that everything can be read, checked and tested
 * where the package is not installed; test/quic/quiche/native.test.ts compares it with the package where it is.
 *
 * Times are in ms, sizes in bytes, stream ids numbers; null says that there is nothing, or no room. What quiche refuses is thrown.
 */
declare module '@matrixai/quic/native/index.js' {
  export interface Host {
    host: string
    port: number
  }

  /** Of a packet that leaves: `from` is our socket, `to` the peer. */
  export interface SendInfo {
    from: Host
    to: Host
  }

  /** Of a packet that has arrived: `from` is the peer, `to` our socket. */
  export interface RecvInfo {
    from: Host
    to: Host
  }

  export interface ConnectionError {
    isApp: boolean
    errorCode: number
    reason: Uint8Array
  }

  export interface Stats {
    recv: number
    sent: number
    lost: number
    retrans: number
    sentBytes: number
    recvBytes: number
    lostBytes: number
    streamRetransBytes: number
    peerMaxDatagramFrameSize?: number
  }

  export interface PathStats {
    localHost: Host
    peerHost: Host
    active: boolean
    recv: number
    sent: number
    lost: number
    retrans: number
    rtt: number
    cwnd: number
    sentBytes: number
    recvBytes: number
    lostBytes: number
  }

  export interface Config {
    verifyPeer(verify: boolean): void
    logKeys(): void
    setTicketKey(key: Uint8Array): void
    setApplicationProtos(names: string[]): void
    setMaxIdleTimeout(ms: number): void
    setMaxRecvUdpPayloadSize(bytes: number): void
    setMaxSendUdpPayloadSize(bytes: number): void
    setInitialMaxData(bytes: number): void
    setMaxConnectionWindow(bytes: number): void
    setInitialMaxStreamDataBidiLocal(bytes: number): void
    setInitialMaxStreamDataBidiRemote(bytes: number): void
    setInitialMaxStreamDataUni(bytes: number): void
    setMaxStreamWindow(bytes: number): void
    setInitialMaxStreamsBidi(streams: number): void
    setInitialMaxStreamsUni(streams: number): void
    setActiveConnectionIdLimit(ids: number): void
    setCcAlgorithmName(name: string): void
    enablePacing(on: boolean): void
    /** The queues' lengths are in datagrams. */
    enableDgram(on: boolean, receiveQueue: number, sendQueue: number): void
  }

  export interface Connection {
    setKeylog(path: string): void
    setSession(ticket: Uint8Array): void
    session(): Uint8Array | null
    recv(packet: Uint8Array, info: RecvInfo): number
    send(room: Uint8Array): [length: number, info: SendInfo] | null
    /** How long until `onTimeout` is due; null: it is not. */
    timeout(): number | null
    onTimeout(): void
    sendAckEliciting(): void

    readable(): Iterable<number>
    isReadable(): boolean
    streamRecv(streamId: number, room: Uint8Array): [length: number, fin: boolean] | null
    streamSend(streamId: number, data: Uint8Array, fin: boolean): number | null
    streamShutdown(streamId: number, direction: Shutdown, code: number): unknown
    streamCapacity(streamId: number): number
    streamFinished(streamId: number): boolean
    peerStreamsLeftBidi(): number
    peerStreamsLeftUni(): number

    dgramRecv(room: Uint8Array): number | null
    /** null: the queue is full. */
    dgramSend(datagram: Uint8Array): undefined | null
    dgramSendQueueLen(): number
    isDgramSendQueueFull(): boolean
    dgramMaxWritableLen(): number | null
    /** Forgets the waiting datagrams of which `isOver` says true. */
    dgramPurgeOutgoing(isOver: (datagram: Uint8Array) => boolean): void

    destinationId(): Uint8Array
    newSourceCid(id: Uint8Array, resetToken: bigint, retireIfNeeded: boolean): number
    sourceCidsLeft(): number
    retiredScidNext(): Uint8Array | null
    /** How many ids of the peer are left. */
    availableDcids(): number
    retireDestinationCid(sequenceNumber: number): void

    probePath(local: Host, peer: Host): number
    migrate(local: Host, peer: Host): number
    isPathValidated(from: Host, to: Host): boolean
    /** What has happened to paths, of which only that it has is asked. */
    pathEventNext(): object | null
    maxSendUdpPayloadSize(): number

    isEstablished(): boolean
    isResumed(): boolean
    applicationProto(): Uint8Array
    peerCertChain(): Uint8Array[] | null

    close(isApplication: boolean, code: number, reason: Uint8Array): unknown
    isDraining(): boolean
    isClosed(): boolean
    peerError(): ConnectionError | null
    localError(): ConnectionError | null

    stats(): Stats
    pathStats(): PathStats[]
  }

  export interface Header {
    ty: Type
    version: number
    dcid: Uint8Array
    scid: Uint8Array
    token?: Uint8Array
  }

  export enum Shutdown {
    Read = 0,
    Write = 1,
  }

  export enum Type {
    Initial = 0,
  }

  export const quiche: {
    Config: {
      /** PEM. `verifyPeer` without `allowFailure` refuses a peer without a certificate that `ca` has signed. */
      withBoringSslCtx(
        verifyPeer: boolean,
        allowFailure: boolean,
        ca?: Uint8Array | null,
        keys?: Uint8Array[] | null,
        chains?: Uint8Array[] | null,
      ): Config
    }
    Connection: {
      connect(
        serverName: string | null | undefined,
        id: Uint8Array,
        local: Host,
        remote: Host,
        config: Config,
      ): Connection
      /** `originalId`: the one that the client had chosen before our Retry. */
      accept(id: Uint8Array, originalId: Uint8Array | undefined, local: Host, remote: Host, config: Config): Connection
    }
    Header: {
      fromSlice(packet: Uint8Array, idLength: number): Header
    }
    Shutdown: typeof Shutdown
    Type: typeof Type
    versionIsSupported(version: number): boolean
    /** Writes the packet, and gives its length, as `retry` does. */
    negotiateVersion(clientId: Uint8Array, ourId: Uint8Array, room: Uint8Array): number
    retry(
      clientId: Uint8Array,
      originalId: Uint8Array,
      ourId: Uint8Array,
      token: Uint8Array,
      version: number,
      room: Uint8Array,
    ): number
  }
}
