import type { QuicSettings } from '../../quic.ts'
import type { SentContent } from '../recovery/sent-packet.ts'
import type { WireWriter } from '../wire-writer.ts'

/** The peer's transport parameters for streams (RFC 9000 §18.2), by the names of the RFC: what we may send. */
export interface PeerStreamLimits {
  initialMaxData: number
  initialMaxStreamDataBidiLocal: number
  initialMaxStreamDataBidiRemote: number
  initialMaxStreamDataUni: number
  initialMaxStreamsBidi: number
  initialMaxStreamsUni: number
}

export interface StreamEvents {
  onStreamData(streamId: number, data: Uint8Array, fin: boolean): void
  onStreamReset(streamId: number, code: number): void
  onStopSending(streamId: number, code: number): void
}

/**
 * All streams of a connection (RFC 9000 §2 to §4). What the peer does wrong is thrown as TransportError: FLOW_CONTROL_ERROR,
 * STREAM_LIMIT_ERROR, STREAM_STATE_ERROR, FINAL_SIZE_ERROR. Signatures; the code follows.
 */
export declare class Streams {
  /** `rttMs`: the smoothed round-trip time, for the size of windows. */
  constructor(role: 'client' | 'server', settings: QuicSettings, rttMs: () => number)

  /** As soon as the peer's transport parameters are known; before, nothing can be sent. */
  onPeerLimits(limits: PeerStreamLimits): void
  /** What our own transport parameters are to say. */
  readonly ourLimits: PeerStreamLimits

  // -- the application: as EngineConnection says
  send(streamId: number, data: Uint8Array, fin: boolean): number | undefined
  reset(streamId: number, code: number): void
  stopSending(streamId: number, code: number): void
  left(kind: 'bidi' | 'uni'): number
  isAcknowledged(streamId: number): boolean
  /** Something waits for `handOut`. */
  readonly hasEvents: boolean
  handOut(events: StreamEvents, now: number): void

  // -- packets
  /** Something is to be sent that `writeFrames` would write. */
  readonly wantsToSend: boolean
  /** Appends frames as there is room: control frames first, then STREAM frames in rotation. False: nothing was written. */
  writeFrames(out: WireWriter, content: SentContent[], now: number): boolean

  // -- frames of the peer
  onStream(streamId: number, offset: number, data: Uint8Array, fin: boolean, now: number): void
  onResetStream(streamId: number, code: number, finalSize: number): void
  onStopSending(streamId: number, code: number): void
  onMaxData(limit: number): void
  onMaxStreamData(streamId: number, limit: number): void
  onMaxStreams(kind: 'bidi' | 'uni', limit: number): void
  onStreamDataBlocked(streamId: number, limit: number): void
  onStreamsBlocked(kind: 'bidi' | 'uni', limit: number): void

  /** The connection has ended: nothing is kept. */
  clear(): void
}
