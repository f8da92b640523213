/**
 * What each frame of the peer leads to (RFC 9000 §19): one line each, into the part whose concept it is. Everything here throws TransportError
 * for what the peer may not do.
 */

import { printable } from '../../text/printable.ts'
import type { QuicSettings } from '../quic.ts'
import type { ConnectionParts } from './connection-parts.ts'
import type { AckFrame } from './frames/ack-frame.ts'
import type { FrameVisitor, StreamKind } from './frames/frame-visitor.ts'
import { APPLICATION, INITIAL, type PacketNumberSpace } from './packet-number-space.ts'
import type { Path } from './paths.ts'
import { PROTOCOL_VIOLATION, TransportError } from './transport-error.ts'
import { DEFAULT_TRANSPORT_PARAMETERS } from './transport-parameters.ts'

/** Our transport parameter max_datagram_frame_size (RFC 9221 §3): as large as it gets, or 0 for none. */
export function maxDatagramFrameSize({ takesDatagrams }: QuicSettings): number {
  return takesDatagrams === false ? 0 : 65_535
}

const decoder = new TextDecoder()

export class FrameReceiver implements FrameVisitor {
  /** Of the packet that is being read. */
  space: PacketNumberSpace = INITIAL
  dcid: Uint8Array = new Uint8Array(0)
  path: Path | undefined
  now = 0
  /** CRYPTO frames were among what was read. */
  hasCrypto = false
  /** Paths that have answered, for `handOut`. */
  readonly validated: Path[] = []
  readonly retired: Uint8Array[] = []
  readonly #parts: ConnectionParts

  constructor(parts: ConnectionParts) {
    this.#parts = parts
  }

  onPing(): void {}

  onAck(frame: AckFrame): void {
    const { recovery, handshake, oneRtt, ptoMs } = this.#parts
    const { ackDelayExponent: exponent } = handshake.peerParameters ?? DEFAULT_TRANSPORT_PARAMETERS
    const delayMs = this.space === APPLICATION ? (frame.delay * 2 ** exponent) / 1000 : 0
    recovery.onAck(this.space, frame, delayMs, this.now)
    if (this.space === APPLICATION) oneRtt.onAcknowledged(frame.largest, this.now, ptoMs)
  }

  onCrypto(offset: number, data: Uint8Array): void {
    this.#parts.spaces[this.space].crypto.receive(offset, data)
    this.hasCrypto = true
  }

  onHandshakeDone(): void {
    this.#parts.handshake.confirm(this.now)
  }

  onNewToken(token: Uint8Array): void {
    this.#parts.onNewToken?.(token)
  }

  // -- streams and datagrams

  onStream(streamId: number, offset: number, data: Uint8Array, fin: boolean): void {
    this.#parts.streams.onStream(streamId, offset, data, fin, this.now)
  }

  onResetStream(streamId: number, errorCode: number, finalSize: number): void {
    this.#parts.streams.onResetStream(streamId, errorCode, finalSize, this.now)
  }

  onStopSending(streamId: number, errorCode: number): void {
    this.#parts.streams.onStopSending(streamId, errorCode)
  }

  onMaxData(maximum: number): void {
    this.#parts.streams.onMaxData(maximum)
  }

  onMaxStreamData(streamId: number, maximum: number): void {
    this.#parts.streams.onMaxStreamData(streamId, maximum)
  }

  onMaxStreams(kind: StreamKind, maximum: number): void {
    this.#parts.streams.onMaxStreams(kind, maximum)
  }

  /** It wants more room; it gets that as its data is read, and not because it asks. */
  onDataBlocked(): void {}

  onStreamDataBlocked(streamId: number): void {
    this.#parts.streams.onStreamDataBlocked(streamId)
  }

  onStreamsBlocked(): void {}

  onDatagram(data: Uint8Array, frameLength: number): void {
    if (frameLength > maxDatagramFrameSize(this.#parts.settings)) {
      throw new TransportError(PROTOCOL_VIOLATION, 'a DATAGRAM frame larger than max_datagram_frame_size')
    }
    this.#parts.datagrams.receive(data)
  }

  // -- connection ids and paths

  onNewConnectionId(sequence: number, retirePriorTo: number, id: Uint8Array, resetToken: Uint8Array): void {
    this.#parts.peerIds?.onNewConnectionId(sequence, retirePriorTo, id, resetToken)
  }

  onRetireConnectionId(sequence: number): void {
    const retired = this.#parts.localIds.onRetire(sequence, this.dcid)
    if (retired !== undefined) this.retired.push(retired)
  }

  onPathChallenge(data: Uint8Array): void {
    this.path?.responses.push(data)
  }

  onPathResponse(data: Uint8Array): void {
    const { paths, ptoMs } = this.#parts
    const path = paths?.onResponse(data, this.now, ptoMs)
    if (path !== undefined) this.validated.push(path)
  }

  // -- the end

  onConnectionClose(application: boolean, errorCode: number, _frameType: number | undefined, reason: Uint8Array): void {
    const { close, ptoMs } = this.#parts
    close.onPeerClose(application, errorCode, printable(decoder.decode(reason)), this.now, ptoMs)
  }
}
