import type { AckFrame } from './ack-frame.ts'

/**
 * What readFrames calls, once for each frame but PADDING, with the fields in the order of the frame's figure. Bytes are views of the
 * packet: valid during the call only.
 */
export interface FrameVisitor {
  onPing(): void
  onAck(frame: AckFrame): void
  onResetStream(streamId: number, errorCode: number, finalSize: number): void
  onStopSending(streamId: number, errorCode: number): void
  onCrypto(offset: number, data: Uint8Array): void
  onNewToken(token: Uint8Array): void
  onStream(streamId: number, offset: number, data: Uint8Array, fin: boolean): void
  onMaxData(maximum: number): void
  onMaxStreamData(streamId: number, maximum: number): void
  onMaxStreams(kind: StreamKind, maximum: number): void
  onDataBlocked(limit: number): void
  onStreamDataBlocked(streamId: number, limit: number): void
  onStreamsBlocked(kind: StreamKind, limit: number): void
  onNewConnectionId(sequence: number, retirePriorTo: number, id: Uint8Array, resetToken: Uint8Array): void
  onRetireConnectionId(sequence: number): void
  onPathChallenge(data: Uint8Array): void
  onPathResponse(data: Uint8Array): void
  /** `frameType`: which frame of ours it was about; undefined when `application` is true. */
  onConnectionClose(application: boolean, errorCode: number, frameType: number | undefined, reason: Uint8Array): void
  onHandshakeDone(): void
  /** `frameLength`: of the whole frame, which is what max_datagram_frame_size bounds (RFC 9221 §3). */
  onDatagram(data: Uint8Array, frameLength: number): void
}

export type StreamKind = 'bidi' | 'uni'
