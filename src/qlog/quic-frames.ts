/** The frames of a QUIC packet as draft-ietf-quic-qlog-quic-events-02 writes them: what they say, and nothing of what they carry. */

import type { AckFrame } from '../quic/typescript/frames/ack-frame.ts'
import type { FrameVisitor, StreamKind } from '../quic/typescript/frames/frame-visitor.ts'
import { readFrames } from '../quic/typescript/frames/read-frames.ts'
import type { PacketNumberSpace } from '../quic/typescript/packet-number-space.ts'
import { TransportError } from '../quic/typescript/transport-error.ts'
import { printable } from '../text/printable.ts'
import { MAX_QLOG_ENTRIES, MAX_QLOG_VALUE } from './http3-fields.ts'

const decoder = new TextDecoder()

/**
 * The first of them, and how many there are in all where that is more. `ackDelayExponent`: of who has sent them. What cannot be read ends the list:
 * that is said by the connection's end.
 */
export function qlogFrames(
  payload: Uint8Array,
  space: PacketNumberSpace,
  from: 'client' | 'server',
  ackDelayExponent: number,
): { frames: object[]; number_of_frames?: number } {
  const list = new FrameList(space === 2 ? ackDelayExponent : 0)
  try {
    readFrames(payload, space, from, list)
  } catch (error) {
    if (!(error instanceof TransportError)) throw error
  }
  const { frames, count } = list
  return { frames, ...(count > frames.length && { number_of_frames: count }) }
}

class FrameList implements FrameVisitor {
  readonly frames: object[] = []
  count = 0
  readonly #ackDelayExponent: number

  constructor(ackDelayExponent: number) {
    this.#ackDelayExponent = ackDelayExponent
  }

  #add(frame_type: string, fields: object = {}): void {
    this.count++
    if (this.frames.length < MAX_QLOG_ENTRIES) this.frames.push({ frame_type, ...fields })
  }

  onPing(): void {
    this.#add('ping')
  }

  onAck({ delay, ranges, ecn }: AckFrame): void {
    this.#add('ack', {
      ack_delay: (delay * 2 ** this.#ackDelayExponent) / 1000,
      acked_ranges: ranges
        .slice(0, MAX_QLOG_ENTRIES)
        .map(({ smallest, largest }) => (smallest === largest ? [largest] : [smallest, largest])),
      ...(ranges.length > MAX_QLOG_ENTRIES && { number_of_ranges: ranges.length }),
      ...ecn,
    })
  }

  onResetStream(stream_id: number, error_code: number, final_size: number): void {
    this.#add('reset_stream', { stream_id, error_code, final_size })
  }

  onStopSending(stream_id: number, error_code: number): void {
    this.#add('stop_sending', { stream_id, error_code })
  }

  onCrypto(offset: number, { length }: Uint8Array): void {
    this.#add('crypto', { offset, length })
  }

  /** With it an address is proved: only how long it is. */
  onNewToken({ length }: Uint8Array): void {
    this.#add('new_token', { token: { type: 'resumption', length } })
  }

  onStream(stream_id: number, offset: number, { length }: Uint8Array, fin: boolean): void {
    this.#add('stream', { stream_id, offset, length, ...(fin && { fin }) })
  }

  onMaxData(maximum: number): void {
    this.#add('max_data', { maximum })
  }

  onMaxStreamData(stream_id: number, maximum: number): void {
    this.#add('max_stream_data', { stream_id, maximum })
  }

  onMaxStreams(kind: StreamKind, maximum: number): void {
    this.#add('max_streams', { stream_type: streamType(kind), maximum })
  }

  onDataBlocked(limit: number): void {
    this.#add('data_blocked', { limit })
  }

  onStreamDataBlocked(stream_id: number, limit: number): void {
    this.#add('stream_data_blocked', { stream_id, limit })
  }

  onStreamsBlocked(kind: StreamKind, limit: number): void {
    this.#add('streams_blocked', { stream_type: streamType(kind), limit })
  }

  /** Whoever has the stateless reset token can end the connection: it is not told. */
  onNewConnectionId(sequence_number: number, retire_prior_to: number, id: Uint8Array): void {
    const connection_id = Buffer.from(id).toString('hex')
    this.#add('new_connection_id', { sequence_number, retire_prior_to, connection_id_length: id.length, connection_id })
  }

  onRetireConnectionId(sequence_number: number): void {
    this.#add('retire_connection_id', { sequence_number })
  }

  onPathChallenge(data: Uint8Array): void {
    this.#add('path_challenge', { data: Buffer.from(data).toString('hex') })
  }

  onPathResponse(data: Uint8Array): void {
    this.#add('path_response', { data: Buffer.from(data).toString('hex') })
  }

  onConnectionClose(application: boolean, raw_error_code: number, type: number | undefined, reason: Uint8Array): void {
    this.#add('connection_close', {
      error_space: application ? 'application' : 'transport',
      raw_error_code,
      reason: printable(decoder.decode(reason)).slice(0, MAX_QLOG_VALUE),
      ...(type !== undefined && { trigger_frame_type: type }),
    })
  }

  onHandshakeDone(): void {
    this.#add('handshake_done')
  }

  /** RFC 9221, which the draft does not know. */
  onDatagram({ length }: Uint8Array): void {
    this.#add('datagram', { length })
  }
}

function streamType(kind: StreamKind): string {
  return kind === 'bidi' ? 'bidirectional' : 'unidirectional'
}
