/**
 * What an engine tells of a connection, as events of draft-ietf-quic-qlog-quic-events-02. Sans-IO.
 *
 *   packets, drops ──> transport:…        losses, window, RTT, timer ──> recovery:…        keys ──> security:…        states ──> connectivity:…
 *
 * Nothing secret goes in: no key, no token, no byte of CRYPTO, STREAM and DATAGRAM frames.
 */

import {
  type DropReason,
  type LossTrigger,
  type ObservedKey,
  type ObservedPacketType,
  type ObservedParameters,
  type ObservedState,
  PACKET_TYPES,
  type QuicObserver,
  type RecoveryMetrics,
  SPACE_NAMES,
} from '../quic/observer.ts'
import type { PacketNumberSpace } from '../quic/typescript/packet-number-space.ts'
import { qlogFrames } from './quic-frames.ts'

/** What an event counts for, in the budgets of the log. */
export type TransportKind = 'transport' | 'recovery' | 'timers' | 'others'

/** `data` is made only when there is room for it. */
export type TellTransport = (kind: TransportKind, name: string, now: number, data: () => object) => void

/** Of a peer that has said nothing yet (RFC 9000 §18.2). */
const DEFAULT_ACK_DELAY_EXPONENT = 3

const PARAMETER_NAMES = new Map([
  ['maxIdleTimeout', 'max_idle_timeout'],
  ['maxUdpPayloadSize', 'max_udp_payload_size'],
  ['ackDelayExponent', 'ack_delay_exponent'],
  ['maxAckDelay', 'max_ack_delay'],
  ['activeConnectionIdLimit', 'active_connection_id_limit'],
  ['initialMaxData', 'initial_max_data'],
  ['initialMaxStreamDataBidiLocal', 'initial_max_stream_data_bidi_local'],
  ['initialMaxStreamDataBidiRemote', 'initial_max_stream_data_bidi_remote'],
  ['initialMaxStreamDataUni', 'initial_max_stream_data_uni'],
  ['initialMaxStreamsBidi', 'initial_max_streams_bidi'],
  ['initialMaxStreamsUni', 'initial_max_streams_uni'],
  ['disableActiveMigration', 'disable_active_migration'],
  ['originalDestinationConnectionId', 'original_destination_connection_id'],
  ['initialSourceConnectionId', 'initial_source_connection_id'],
  ['retrySourceConnectionId', 'retry_source_connection_id'],
  // RFC 9221 §3; the draft lets others be added.
  ['maxDatagramFrameSize', 'max_datagram_frame_size'],
])

export class TransportWatcher implements QuicObserver {
  readonly #role: 'client' | 'server'
  readonly #tell: TellTransport
  readonly #ackDelayExponent = { local: DEFAULT_ACK_DELAY_EXPONENT, remote: DEFAULT_ACK_DELAY_EXPONENT }
  #metrics: Record<string, number> = {}
  #state: ObservedState | undefined
  #congestion: string | undefined

  constructor(role: 'client' | 'server', tell: TellTransport) {
    this.#role = role
    this.#tell = tell
  }

  // -- packets -------------------------------------------------------------------------------------------------

  packetSent(
    type: ObservedPacketType,
    number: number,
    length: number,
    frames: Uint8Array,
    isProbe: boolean,
    now: number,
  ): void {
    this.#tell('transport', 'transport:packet_sent', now, () => ({
      header: { packet_type: type, packet_number: number },
      ...this.#frames(type, frames, 'local'),
      raw: { length, payload_length: frames.length },
      ...(isProbe && { trigger: 'pto_probe' }),
    }))
  }

  packetReceived(
    type: ObservedPacketType,
    number: number | undefined,
    length: number,
    frames: Uint8Array | undefined,
    now: number,
  ): void {
    this.#tell('transport', 'transport:packet_received', now, () => ({
      header: { packet_type: type, ...(number !== undefined && { packet_number: number }) },
      ...(frames !== undefined && this.#frames(type, frames, 'remote')),
      raw: { length, ...(frames !== undefined && { payload_length: frames.length }) },
    }))
  }

  #frames(type: ObservedPacketType, payload: Uint8Array, owner: 'local' | 'remote'): object {
    const space = PACKET_TYPES.indexOf(type as (typeof PACKET_TYPES)[number])
    if (space < 0) return {}
    const isClient = (owner === 'local') === (this.#role === 'client')
    return qlogFrames(
      payload,
      space as PacketNumberSpace,
      isClient ? 'client' : 'server',
      this.#ackDelayExponent[owner],
    )
  }

  packetKept(type: ObservedPacketType, length: number, now: number): void {
    const data = { header: { packet_type: type }, raw: { length }, trigger: 'keys_unavailable' }
    this.#tell('transport', 'transport:packet_buffered', now, () => data)
  }

  packetDropped(type: ObservedPacketType, length: number, trigger: DropReason, now: number): void {
    const data = { header: { packet_type: type }, raw: { length }, trigger }
    this.#tell('transport', 'transport:packet_dropped', now, () => data)
  }

  packetLost(type: ObservedPacketType, number: number, trigger: LossTrigger, now: number): void {
    const header = { packet_type: type, packet_number: number }
    this.#tell('transport', 'recovery:packet_lost', now, () => ({ header, trigger }))
  }

  // -- recovery ------------------------------------------------------------------------------------------------

  metrics(metrics: RecoveryMetrics, now: number): void {
    const { congestion_window, pto_count } = this.#metrics
    const isWindowSame = Math.round(metrics.controller.window) === congestion_window && metrics.ptoCount === pto_count
    // Bytes in flight change with each packet: many of these can be missed, and a loss cannot.
    const kind = isWindowSame ? 'recovery' : 'transport'
    this.#tell(kind, 'recovery:metrics_updated', now, () => this.#changed(metrics))
  }

  /** Only what is new; nothing at all where nothing is. */
  #changed({ rtt, controller, bytesInFlight, pacingRate, ptoCount }: RecoveryMetrics): Record<string, number> {
    const { window, slowStartThreshold } = controller
    const all: Record<string, number> = {
      ...(rtt.hasSample && {
        min_rtt: micros(rtt.min),
        smoothed_rtt: micros(rtt.smoothed),
        latest_rtt: micros(rtt.latest),
        rtt_variance: micros(rtt.variation),
      }),
      pto_count: ptoCount,
      congestion_window: Math.round(window),
      bytes_in_flight: bytesInFlight,
      // JSON has no infinity: there is none yet.
      ...(Number.isFinite(slowStartThreshold) && { ssthresh: Math.round(slowStartThreshold) }),
      ...(Number.isFinite(pacingRate) && { pacing_rate: Math.round(pacingRate * 8000) }),
    }
    const before = this.#metrics
    this.#metrics = all
    return Object.fromEntries(Object.entries(all).filter(([name, value]) => before[name] !== value))
  }

  congestionState(state: string, trigger: 'persistent_congestion' | 'ECN' | undefined, now: number): void {
    const old = this.#congestion
    this.#congestion = state
    this.#tell('others', 'recovery:congestion_state_updated', now, () => ({
      ...(old !== undefined && { old }),
      new: state,
      ...(trigger !== undefined && { trigger }),
    }))
  }

  lossTimer(
    event_type: 'set' | 'expired' | 'cancelled',
    timer_type: 'ack' | 'pto',
    space: PacketNumberSpace,
    delta: number,
    now: number,
  ): void {
    const kind = event_type === 'expired' ? 'others' : 'timers'
    this.#tell(kind, 'recovery:loss_timer_updated', now, () => ({
      timer_type,
      packet_number_space: SPACE_NAMES[space],
      event_type,
      ...(event_type === 'set' && { delta: micros(delta) }),
    }))
  }

  // -- the handshake -------------------------------------------------------------------------------------------

  version(chosen: number, ours: readonly number[], now: number): void {
    this.#tell('others', 'transport:version_information', now, () => ({
      [`${this.#role}_versions`]: ours.map(hexVersion),
      chosen_version: hexVersion(chosen),
    }))
  }

  parameters(owner: 'local' | 'remote', parameters: ObservedParameters, now: number): void {
    const { ackDelayExponent } = parameters
    if (typeof ackDelayExponent === 'number') this.#ackDelayExponent[owner] = ackDelayExponent
    this.#tell('others', 'transport:parameters_set', now, () => {
      const data: Record<string, unknown> = { owner }
      for (const [from, to] of PARAMETER_NAMES) {
        const value = parameters[from]
        if (value !== undefined) data[to] = value instanceof Uint8Array ? Buffer.from(value).toString('hex') : value
      }
      return data
    })
  }

  keysUpdated(...key: ObservedKey): void {
    // The draft demands a key, and whoever has the file is not to have that.
    this.#key('security:key_updated', { new: '' }, key)
  }

  keysDiscarded(...key: ObservedKey): void {
    // Later drafts call it key_discarded.
    this.#key('security:key_retired', {}, key)
  }

  #key(name: string, key: object, [space, sender, generation, trigger, now]: ObservedKey): void {
    const level = ['initial', 'handshake', '1rtt'][space]
    this.#tell('others', name, now, () => ({
      key_type: `${sender}_${level}_secret`,
      ...key,
      ...(space === 2 && { generation }),
      trigger,
    }))
  }

  state(state: ObservedState, now: number): void {
    const old = this.#state
    this.#state = state
    const data = { ...(old !== undefined && { old }), new: state }
    this.#tell('others', 'connectivity:connection_state_updated', now, () => data)
  }
}

function micros(ms: number): number {
  return Math.round(ms * 1000) / 1000
}

function hexVersion(version: number): string {
  return version.toString(16).padStart(8, '0')
}
