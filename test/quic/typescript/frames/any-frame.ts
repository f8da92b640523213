import fc from 'fast-check'
import { type AckFrame, type AckRange, appendAck } from '../../../../src/quic/typescript/frames/ack-frame.ts'
import { appendConnectionClose } from '../../../../src/quic/typescript/frames/connection-close-frame.ts'
import { appendCrypto } from '../../../../src/quic/typescript/frames/crypto-frame.ts'
import { appendDataBlocked } from '../../../../src/quic/typescript/frames/data-blocked-frame.ts'
import { appendDatagram, datagramFrameLength } from '../../../../src/quic/typescript/frames/datagram-frame.ts'
import { appendHandshakeDone } from '../../../../src/quic/typescript/frames/handshake-done-frame.ts'
import { appendMaxData } from '../../../../src/quic/typescript/frames/max-data-frame.ts'
import { appendMaxStreamData } from '../../../../src/quic/typescript/frames/max-stream-data-frame.ts'
import { appendMaxStreams } from '../../../../src/quic/typescript/frames/max-streams-frame.ts'
import { appendNewConnectionId } from '../../../../src/quic/typescript/frames/new-connection-id-frame.ts'
import { appendNewToken } from '../../../../src/quic/typescript/frames/new-token-frame.ts'
import { appendPathChallenge } from '../../../../src/quic/typescript/frames/path-challenge-frame.ts'
import { appendPathResponse } from '../../../../src/quic/typescript/frames/path-response-frame.ts'
import { appendPing } from '../../../../src/quic/typescript/frames/ping-frame.ts'
import { appendResetStream } from '../../../../src/quic/typescript/frames/reset-stream-frame.ts'
import { appendRetireConnectionId } from '../../../../src/quic/typescript/frames/retire-connection-id-frame.ts'
import { appendStopSending } from '../../../../src/quic/typescript/frames/stop-sending-frame.ts'
import { appendStreamDataBlocked } from '../../../../src/quic/typescript/frames/stream-data-blocked-frame.ts'
import { appendStream } from '../../../../src/quic/typescript/frames/stream-frame.ts'
import { appendStreamsBlocked } from '../../../../src/quic/typescript/frames/streams-blocked-frame.ts'
import type { WireWriter } from '../../../../src/quic/typescript/wire-writer.ts'

/** A frame: how it is written, and with what a Recorder is called when it is read. */
export interface AnyFrame {
  readonly append: (to: WireWriter) => void
  readonly call: unknown[]
}

export const LARGEST = 2 ** 62

/** What any varint field may be: exact up to 2^53-1, and the largest. */
const integer = fc.oneof(fc.nat(100), fc.maxSafeNat(), fc.constant(LARGEST))
const data = fc.uint8Array({ maxLength: 100 })
const kind = fc.constantFrom('bidi' as const, 'uni' as const)
const streams = fc.oneof(fc.nat(100), fc.maxSafeNat(), fc.constant(2 ** 60))
const eightBytes = fc.uint8Array({ minLength: 8, maxLength: 8 })

/** From runs and gaps, at some height. */
export const ackRanges: fc.Arbitrary<AckRange[]> = fc
  .tuple(fc.nat(2 ** 40), fc.array(fc.tuple(fc.nat(70), fc.nat(20_000)), { minLength: 1, maxLength: 20 }))
  .map(([lowest, pairs]) => {
    const ranges: AckRange[] = []
    let at = lowest
    for (const [gap, length] of pairs) {
      ranges.unshift({ smallest: at, largest: at + length })
      at += length + gap + 2
    }
    return ranges
  })

const ack = fc
  .tuple(ackRanges, integer, fc.option(fc.tuple(integer, integer, integer), { nil: undefined }))
  .map(([ranges, delay, counts]): AnyFrame => {
    const ecn = counts && { ect0: counts[0], ect1: counts[1], ce: counts[2] }
    const frame: AckFrame = { largest: ranges[0].largest, delay, ranges, ecn }
    return { append: to => appendAck(to, ranges, delay, ecn), call: ['ack', frame] }
  })

export const anyFrame: fc.Arbitrary<AnyFrame> = fc.oneof(
  fc.constant<AnyFrame>({ append: appendPing, call: ['ping'] }),
  ack,
  fc.tuple(integer, integer, integer).map(
    ([id, code, size]): AnyFrame => ({
      append: to => appendResetStream(to, id, code, size),
      call: ['reset-stream', id, code, size],
    }),
  ),
  fc
    .tuple(integer, integer)
    .map(
      ([id, code]): AnyFrame => ({ append: to => appendStopSending(to, id, code), call: ['stop-sending', id, code] }),
    ),
  fc
    .tuple(fc.maxSafeNat(), data)
    .map(
      ([offset, data]): AnyFrame => ({ append: to => appendCrypto(to, offset, data), call: ['crypto', offset, data] }),
    ),
  fc
    .uint8Array({ minLength: 1, maxLength: 100 })
    .map((token): AnyFrame => ({ append: to => appendNewToken(to, token), call: ['new-token', token] })),
  fc.tuple(integer, fc.oneof(fc.constant(0), fc.maxSafeNat()), data, fc.boolean()).map(
    ([id, offset, data, fin]): AnyFrame => ({
      append: to => appendStream(to, id, offset, data, fin),
      call: ['stream', id, offset, data, fin],
    }),
  ),
  integer.map((max): AnyFrame => ({ append: to => appendMaxData(to, max), call: ['max-data', max] })),
  fc
    .tuple(integer, integer)
    .map(
      ([id, max]): AnyFrame => ({ append: to => appendMaxStreamData(to, id, max), call: ['max-stream-data', id, max] }),
    ),
  fc
    .tuple(kind, streams)
    .map(
      ([kind, max]): AnyFrame => ({ append: to => appendMaxStreams(to, kind, max), call: ['max-streams', kind, max] }),
    ),
  integer.map((limit): AnyFrame => ({ append: to => appendDataBlocked(to, limit), call: ['data-blocked', limit] })),
  fc.tuple(integer, integer).map(
    ([id, limit]): AnyFrame => ({
      append: to => appendStreamDataBlocked(to, id, limit),
      call: ['stream-data-blocked', id, limit],
    }),
  ),
  fc.tuple(kind, streams).map(
    ([kind, limit]): AnyFrame => ({
      append: to => appendStreamsBlocked(to, kind, limit),
      call: ['streams-blocked', kind, limit],
    }),
  ),
  fc
    .tuple(
      fc.maxSafeNat(),
      fc.maxSafeNat(),
      fc.uint8Array({ minLength: 1, maxLength: 20 }),
      fc.uint8Array({ minLength: 16, maxLength: 16 }),
    )
    .map(([a, b, id, token]): AnyFrame => {
      const [sequence, prior] = [Math.max(a, b), Math.min(a, b)]
      return {
        append: to => appendNewConnectionId(to, sequence, prior, id, token),
        call: ['new-connection-id', sequence, prior, id, token],
      }
    }),
  integer.map(
    (sequence): AnyFrame => ({
      append: to => appendRetireConnectionId(to, sequence),
      call: ['retire-connection-id', sequence],
    }),
  ),
  eightBytes.map((data): AnyFrame => ({ append: to => appendPathChallenge(to, data), call: ['path-challenge', data] })),
  eightBytes.map((data): AnyFrame => ({ append: to => appendPathResponse(to, data), call: ['path-response', data] })),
  fc.tuple(fc.boolean(), integer, integer, data).map(
    ([application, code, type, reason]): AnyFrame => ({
      append: to => appendConnectionClose(to, application, code, type, reason),
      call: ['connection-close', application, code, application ? undefined : type, reason],
    }),
  ),
  fc.constant<AnyFrame>({ append: appendHandshakeDone, call: ['handshake-done'] }),
  data.map(
    (data): AnyFrame => ({
      append: to => appendDatagram(to, data),
      call: ['datagram', data, datagramFrameLength(data.length)],
    }),
  ),
)
