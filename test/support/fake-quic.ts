import type {
  DatagramResult,
  MigrateResult,
  QuicConnection,
  QuicHandler,
  QuicPath,
  QuicStats,
} from '../../src/quic/quic.ts'

/** A QUIC connection that writes down what it is told to do, for tests of what is above QUIC. */
export class FakeQuic implements QuicConnection {
  readonly engineName = 'quiche'
  bytesInFlight: number | undefined
  readonly role: 'client' | 'server'
  readonly id = 'fake'
  readonly remote = { host: '192.0.2.1', port: 4433 }
  readonly local = { host: '192.0.2.2', port: 50_000 }
  readonly established = true
  readonly closed = false
  readonly alpn = 'h3'
  readonly resumed = false
  readonly handshakeMs = 1
  readonly peerCertificate = undefined
  peerMaxDatagramFrameSize = 65_535
  handler!: QuicHandler
  inUse = false
  readonly resumptionTicket = undefined
  maxDatagramLength = 1350
  pathMtuSettled = true
  datagramQueueRoom = 10
  datagramsWaiting = 0
  uniStreamsLeft = 10
  bidiStreamsLeft = 10
  buffered = 0

  /** For example `reset 0 268`. */
  readonly commands: string[] = []
  /** Called before a command is written down. */
  onCommand: () => void = () => {}
  readonly sent: { streamId: number; data: Uint8Array; fin: boolean }[] = []
  readonly datagrams: Uint8Array[] = []

  constructor(role: 'client' | 'server') {
    this.role = role
  }

  #note(command: string): void {
    this.onCommand()
    this.commands.push(command)
  }
  async migrate(): Promise<MigrateResult> {
    this.#note('migrate')
    return { moved: false, why: 'nobody does' }
  }
  canOpenStream(kind: 'bidi' | 'uni'): boolean {
    return kind === 'bidi' || this.uniStreamsLeft > 0
  }
  streamSend(streamId: number, data: Uint8Array, fin: boolean): void {
    this.sent.push({ streamId, data: Uint8Array.from(data), fin })
  }
  streamBuffered(): number {
    return this.buffered
  }
  streamReset(streamId: number, code: number): void {
    this.#note(`reset ${streamId} ${code}`)
  }
  streamStopSending(streamId: number, code: number): void {
    this.#note(`stop-sending ${streamId} ${code}`)
  }
  sendDatagram(data: Uint8Array): DatagramResult {
    if (data.length > this.maxDatagramLength) return 'too-large'
    if (this.datagramQueueRoom <= 0) return 'dropped'
    this.datagrams.push(Uint8Array.from(data))
    return 'sent'
  }
  transmit(): void {
    this.#note('transmit')
  }
  purgeDatagrams(prefix: Uint8Array): number {
    this.#note(`purge ${Buffer.from(prefix).toString('hex')}`)
    return 0
  }
  ping(): void {
    this.#note('ping')
  }
  close(code: number): void {
    this.#note(`close ${code}`)
  }
  vanish(): void {
    this.#note('vanish')
  }
  paths(): QuicPath[] {
    return []
  }
  stats(): QuicStats {
    return this.lastStats
  }
  get lastStats(): QuicStats {
    return {
      packetsSent: 0,
      packetsReceived: 0,
      packetsLost: 0,
      bytesSent: 0,
      bytesReceived: 0,
      datagramsSent: 0,
      datagramsReceived: 0,
      datagramsDropped: 0,
      streamsOpened: 0,
      streamsOpen: 0,
      pathChanges: 0,
      rttMs: 0,
      cwnd: 0,
    }
  }
}
