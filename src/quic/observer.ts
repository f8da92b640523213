/**
 * Looks on while a connection works: what an engine can tell beyond what `EngineEvents` needs. For qlog, and for whoever draws a window's course.
 *
 *   packets      sent, received, kept for later, dropped, taken for lost
 *   recovery     round-trip time, window, bytes in flight; the phase of congestion control; the loss timer
 *   handshake    version, transport parameters, keys, states
 *
 * It hears in the order in which things happen, and changes nothing. Numbers and views go in, so that telling allocates nothing; none of these may
 * throw. Times in ms, on the engine's clock.
 */

import type { PacketNumberSpace } from './typescript/packet-number-space.ts'

export type ObservedPacketType = 'initial' | 'handshake' | '0RTT' | '1RTT' | 'retry' | 'version_negotiation' | 'unknown'

/** By packet number space: its name, and the type of its packets. */
export const SPACE_NAMES = ['initial', 'handshake', 'application_data'] as const
export const PACKET_TYPES = ['initial', 'handshake', '1RTT'] as const

/** Why a packet was not used. */
export type DropReason =
  | 'key_unavailable'
  | 'unknown_connection_id'
  | 'payload_decrypt_error'
  | 'unexpected_packet'
  | 'unexpected_source_connection_id'
  | 'unsupported_version'
  | 'duplicate'
  | 'invalid_initial'

/** Why a packet was taken for lost: by those that arrived after it, or by time (RFC 9002 §6.1). */
export type LossTrigger = 'reordering_threshold' | 'time_threshold'

export type ObservedState =
  | 'attempted'
  | 'handshake_started'
  | 'handshake_complete'
  | 'handshake_confirmed'
  | 'closing'
  | 'draining'
  | 'closed'

/** Of a path, as it is while it is told of: valid during the call only. */
export interface RecoveryMetrics {
  readonly rtt: {
    readonly hasSample: boolean
    readonly latest: number
    readonly smoothed: number
    readonly variation: number
    readonly min: number
  }
  readonly controller: { readonly name: string; readonly window: number; readonly slowStartThreshold: number }
  readonly bytesInFlight: number
  /** In bytes per ms. */
  readonly pacingRate: number
  readonly ptoCount: number
}

/** Transport parameters that are numbers or flags: by their names in RFC 9000 §18.2, in camel case. */
export type ObservedParameters = Readonly<Record<string, unknown>>

export interface QuicObserver {
  // -- packets. `length`: in bytes, with header and tag; `frames`: without protection, a view

  /** `isProbe`: because of a PTO, whatever the window says. */
  packetSent(
    type: ObservedPacketType,
    number: number,
    length: number,
    frames: Uint8Array,
    isProbe: boolean,
    now: number,
  ): void
  /** Before anything of it is acted on. `number` and `frames`: not of Retry. */
  packetReceived(
    type: ObservedPacketType,
    number: number | undefined,
    length: number,
    frames: Uint8Array | undefined,
    now: number,
  ): void
  /** Its keys are not there yet. */
  packetKept(type: ObservedPacketType, length: number, now: number): void
  packetDropped(type: ObservedPacketType, length: number, reason: DropReason, now: number): void
  packetLost(type: ObservedPacketType, number: number, trigger: LossTrigger, now: number): void

  // -- recovery

  /** Something of it has changed perhaps. */
  metrics(metrics: RecoveryMetrics, now: number): void
  /** Names as those of RFC 9002 §7, or a controller's own. */
  congestionState(state: string, trigger: 'persistent_congestion' | 'ECN' | undefined, now: number): void
  /** `delta`: until it rings, of `set`. `ack`: then packets count as lost; `pto`: then a probe is sent. */
  lossTimer(
    event: 'set' | 'expired' | 'cancelled',
    timer: 'ack' | 'pto',
    space: PacketNumberSpace,
    delta: number,
    now: number,
  ): void

  // -- the handshake

  version(chosen: number, ours: readonly number[], now: number): void
  parameters(owner: 'local' | 'remote', parameters: ObservedParameters, now: number): void
  keysUpdated(...key: ObservedKey): void
  keysDiscarded(...key: ObservedKey): void
  state(state: ObservedState, now: number): void
}

/** `tls`: as the handshake goes on; the others: who has begun an update (RFC 9001 §6). */
export type KeyTrigger = 'tls' | 'local_update' | 'remote_update'

/** Keys that `sender` seals with. `generation`: how many updates there were before, of 1-RTT keys. The keys themselves are not told. */
export type ObservedKey = [
  space: PacketNumberSpace,
  sender: 'client' | 'server',
  generation: number,
  trigger: KeyTrigger,
  now: number,
]
