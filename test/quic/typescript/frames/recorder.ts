import type { AckFrame } from '../../../../src/quic/typescript/frames/ack-frame.ts'
import type { FrameVisitor, StreamKind } from '../../../../src/quic/typescript/frames/frame-visitor.ts'

/** Writes down what it is called with; bytes are copied. */
export class Recorder implements FrameVisitor {
  readonly calls: unknown[][] = []

  onPing(): void {
    this.#note('ping')
  }

  onAck(frame: AckFrame): void {
    this.#note('ack', frame)
  }

  onResetStream(streamId: number, errorCode: number, finalSize: number): void {
    this.#note('reset-stream', streamId, errorCode, finalSize)
  }

  onStopSending(streamId: number, errorCode: number): void {
    this.#note('stop-sending', streamId, errorCode)
  }

  onCrypto(offset: number, data: Uint8Array): void {
    this.#note('crypto', offset, data)
  }

  onNewToken(token: Uint8Array): void {
    this.#note('new-token', token)
  }

  onStream(streamId: number, offset: number, data: Uint8Array, fin: boolean): void {
    this.#note('stream', streamId, offset, data, fin)
  }

  onMaxData(maximum: number): void {
    this.#note('max-data', maximum)
  }

  onMaxStreamData(streamId: number, maximum: number): void {
    this.#note('max-stream-data', streamId, maximum)
  }

  onMaxStreams(kind: StreamKind, maximum: number): void {
    this.#note('max-streams', kind, maximum)
  }

  onDataBlocked(limit: number): void {
    this.#note('data-blocked', limit)
  }

  onStreamDataBlocked(streamId: number, limit: number): void {
    this.#note('stream-data-blocked', streamId, limit)
  }

  onStreamsBlocked(kind: StreamKind, limit: number): void {
    this.#note('streams-blocked', kind, limit)
  }

  onNewConnectionId(sequence: number, retirePriorTo: number, id: Uint8Array, resetToken: Uint8Array): void {
    this.#note('new-connection-id', sequence, retirePriorTo, id, resetToken)
  }

  onRetireConnectionId(sequence: number): void {
    this.#note('retire-connection-id', sequence)
  }

  onPathChallenge(data: Uint8Array): void {
    this.#note('path-challenge', data)
  }

  onPathResponse(data: Uint8Array): void {
    this.#note('path-response', data)
  }

  onConnectionClose(application: boolean, errorCode: number, frameType: number | undefined, reason: Uint8Array): void {
    this.#note('connection-close', application, errorCode, frameType, reason)
  }

  onHandshakeDone(): void {
    this.#note('handshake-done')
  }

  onDatagram(data: Uint8Array, frameLength: number): void {
    this.#note('datagram', data, frameLength)
  }

  #note(...call: unknown[]): void {
    this.calls.push(call.map(value => (value instanceof Uint8Array ? Uint8Array.from(value) : value)))
  }
}
