/**
 * What a connection consists of. Each part knows only what its concept needs; what concerns several of them is in receive-packet.ts,
 * receive-frames.ts, handshake.ts and send-packet.ts, which get this.
 */

import type { QuicObserver } from '../observer.ts'
import type { QuicSettings } from '../quic.ts'
import { Close } from './close.ts'
import { ControlFrames } from './control-frames.ts'
import type { Handshake } from './handshake.ts'
import { IdleTimeout } from './idle-timeout.ts'
import type { LocalConnectionIds } from './local-connection-ids.ts'
import type { MtuProbes } from './mtu-probes.ts'
import { APPLICATION, HANDSHAKE, INITIAL, type PacketNumberSpace } from './packet-number-space.ts'
import type { Paths } from './paths.ts'
import type { PeerConnectionIds } from './peer-connection-ids.ts'
import { OneRttKeys } from './protection/one-rtt-keys.ts'
import type { OneRttLimits } from './protection/usage-limits.ts'
import type { CongestionController, ControllerOptions } from './recovery/congestion/controller.ts'
import { LossRecovery } from './recovery/loss-recovery.ts'
import { RecoveryReport } from './recovery/recovery-report.ts'
import { Space } from './space.ts'
import { Datagrams } from './streams/datagrams.ts'
import { Streams } from './streams/streams.ts'
import { APPLICATION_ERROR, TransportError } from './transport-error.ts'
import { DEFAULT_TRANSPORT_PARAMETERS, type TransportParameters } from './transport-parameters.ts'
import { SUPPORTED_VERSIONS, VERSION_1, type Version } from './version.ts'

/** Our max_ack_delay is the default one, by which an ACK has left, and a timer rings late where a machine is busy (RFC 9000 §18.2). In ms. */
const TIMER_SLACK_MS = 5

export interface Totals {
  packetsSent: number
  packetsReceived: number
  /** Of UDP payloads. */
  bytesSent: number
  bytesReceived: number
}

export class ConnectionParts {
  readonly role: 'client' | 'server'
  readonly settings: QuicSettings
  readonly randomBytes: (length: number) => Uint8Array
  readonly spaces: readonly [Space, Space, Space]
  readonly oneRtt: OneRttKeys
  readonly recovery: LossRecovery
  readonly streams: Streams
  readonly datagrams: Datagrams
  readonly idle: IdleTimeout
  readonly close = new Close()
  readonly control: ControlFrames
  readonly localIds: LocalConnectionIds
  readonly totals: Totals = { packetsSent: 0, packetsReceived: 0, bytesSent: 0, bytesReceived: 0 }
  /** The client's choice: of a server, known with its first packet. */
  version: Version = VERSION_1
  /** By which we call ourselves in long headers. */
  readonly ownId: Uint8Array
  handshake!: Handshake
  mtu!: MtuProbes
  /** Of a server: not before its first packet was read, which says by what id to call the client. */
  peerIds: PeerConnectionIds | undefined
  paths: Paths | undefined
  /** Of a client, for its Initials: from an earlier connection to this server, or from a Retry. */
  token: Uint8Array = new Uint8Array(0)
  /** For the client's next connection: of a server, makes it; of a client, hears of it. */
  makeNewToken: (() => Uint8Array) | undefined
  onNewToken: ((token: Uint8Array) => void) | undefined
  /** What we have told the peer of ourselves. */
  ownParameters: Partial<TransportParameters> = {}
  /** undefined: nobody looks on. */
  observer: QuicObserver | undefined

  constructor(options: {
    role: 'client' | 'server'
    settings: QuicSettings
    ownId: Uint8Array
    localIds: LocalConnectionIds
    randomBytes: (length: number) => Uint8Array
    keyLimits?: OneRttLimits
    /** In the place of what the settings name. */
    newController?: ((options: ControllerOptions) => CongestionController) | undefined
  }) {
    const { role, settings, randomBytes, newController } = options
    this.role = role
    this.settings = settings
    this.ownId = options.ownId
    this.oneRtt = new OneRttKeys(options.keyLimits)
    this.localIds = options.localIds
    this.randomBytes = randomBytes
    this.spaces = [
      new Space(INITIAL, 0),
      new Space(HANDSHAKE, 0),
      new Space(APPLICATION, DEFAULT_TRANSPORT_PARAMETERS.maxAckDelay - TIMER_SLACK_MS),
    ]
    const congestionControl = newController ?? settings.congestionControl
    this.recovery = new LossRecovery({ role, congestionControl, randomBytes })
    this.streams = new Streams(role, settings, () => this.recovery.rtt.smoothed)
    this.datagrams = new Datagrams(settings.datagramQueue)
    this.idle = new IdleTimeout(settings.idleTimeoutMs)
    this.control = new ControlFrames(this)
  }

  canSeal(space: PacketNumberSpace): boolean {
    return space === APPLICATION ? this.oneRtt.canSeal : this.spaces[space].sealing !== undefined
  }

  canOpen(space: PacketNumberSpace): boolean {
    return space === APPLICATION ? this.oneRtt.canOpen : this.spaces[space].opening !== undefined
  }

  observe(observer: QuicObserver): void {
    this.observer = observer
    this.recovery.report = new RecoveryReport(observer, this.recovery)
    this.oneRtt.onChange = (change, direction, generation, trigger, now) => {
      const sender = this.senderOf(direction)
      if (change === 'updated') observer.keysUpdated(APPLICATION, sender, generation, trigger, now)
      else observer.keysDiscarded(APPLICATION, sender, generation, trigger, now)
    }
  }

  /** Who seals with the keys of this direction. */
  senderOf(direction: 'read' | 'write'): 'client' | 'server' {
    return (direction === 'write') === (this.role === 'client') ? 'client' : 'server'
  }

  tellVersion(now: number): void {
    this.observer?.version(this.version.number, SUPPORTED_VERSIONS, now)
  }

  /** There are keys for this space, for both directions. */
  tellKeys(space: PacketNumberSpace, now: number): void {
    this.observer?.keysUpdated(space, 'client', 0, 'tls', now)
    this.observer?.keysUpdated(space, 'server', 0, 'tls', now)
  }

  /** In ms, without what it grows by while nobody answers (RFC 9002 §6.2.1). */
  get ptoMs(): number {
    return this.recovery.rtt.probeTimeout + this.recovery.maxAckDelayMs
  }

  /** RFC 9001 §4.9: what is in the packets of this space is needed no more, or there are newer keys. */
  discard(space: PacketNumberSpace, now: number): void {
    if (this.spaces[space].isDiscarded) return
    this.spaces[space].discard()
    this.observer?.keysDiscarded(space, 'client', 0, 'tls', now)
    this.observer?.keysDiscarded(space, 'server', 0, 'tls', now)
    this.recovery.discard(space, now)
  }

  /** The peer, or TLS, has done something wrong: the connection ends with that. What is no TransportError is a bug, and is thrown on. */
  fail(error: unknown): void {
    if (!(error instanceof TransportError)) throw error
    const { code, message, frameType = 0 } = error
    this.close.begin({ application: false, code, frameType, reason: message })
  }

  /** The application ends it. Before the handshake is over nothing of what it says shows (RFC 9000 §10.2.3). */
  closeBy(application: boolean, code: number, reason: string): void {
    if (!application || this.handshake.complete) this.close.begin({ application, code, frameType: 0, reason })
    else
      this.close.begin(
        { application: false, code: APPLICATION_ERROR, frameType: 0, reason: '' },
        { application, code, reason },
      )
  }
}
