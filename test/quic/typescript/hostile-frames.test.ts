/** What a peer with the right keys can do that it may not: which error it meets, and that it meets one. `MASQUE_FUZZ=50000`: of any frames so many runs. */

import { expect } from 'chai'
import fc from 'fast-check'
import { appendAck } from '../../../src/quic/typescript/frames/ack-frame.ts'
import { appendCrypto } from '../../../src/quic/typescript/frames/crypto-frame.ts'
import { appendDatagram } from '../../../src/quic/typescript/frames/datagram-frame.ts'
import { appendHandshakeDone } from '../../../src/quic/typescript/frames/handshake-done-frame.ts'
import { appendMaxStreamData } from '../../../src/quic/typescript/frames/max-stream-data-frame.ts'
import { appendNewConnectionId } from '../../../src/quic/typescript/frames/new-connection-id-frame.ts'
import { appendNewToken } from '../../../src/quic/typescript/frames/new-token-frame.ts'
import { appendPathChallenge } from '../../../src/quic/typescript/frames/path-challenge-frame.ts'
import { appendPathResponse } from '../../../src/quic/typescript/frames/path-response-frame.ts'
import { appendPing } from '../../../src/quic/typescript/frames/ping-frame.ts'
import { appendResetStream } from '../../../src/quic/typescript/frames/reset-stream-frame.ts'
import { appendRetireConnectionId } from '../../../src/quic/typescript/frames/retire-connection-id-frame.ts'
import { appendStopSending } from '../../../src/quic/typescript/frames/stop-sending-frame.ts'
import { appendStreamDataBlocked } from '../../../src/quic/typescript/frames/stream-data-blocked-frame.ts'
import { appendStream } from '../../../src/quic/typescript/frames/stream-frame.ts'
import * as code from '../../../src/quic/typescript/transport-error.ts'
import type { WireWriter } from '../../../src/quic/typescript/wire-writer.ts'
import { typescriptEngines } from './engines.ts'
import { Forger } from './forger.ts'
import { anyFrame } from './frames/any-frame.ts'

const LARGEST = 2 ** 62
const TOKEN = new Uint8Array(16).fill(9)
const some = (length: number) => new Uint8Array(length).fill(0x61)

type Case = [what: string, frames: Uint8Array | ((to: WireWriter) => void), code: number, bits?: number]

/** As a client sends them to a server, whose limits are the default ones: 100 and 256 streams, 32 KiB each, 64 KiB together. */
const FROM_CLIENT: Case[] = [
  ['a packet without frames', new Uint8Array(0), code.PROTOCOL_VIOLATION],
  ['a frame type that does not exist', Uint8Array.of(0x2f, 0, 0, 0), code.FRAME_ENCODING_ERROR],
  ['a frame type in two bytes', Uint8Array.of(0x40, 0x01, 0, 0), code.PROTOCOL_VIOLATION],
  ['the first reserved bit', threePings, code.PROTOCOL_VIOLATION, 0x08],
  ['the second reserved bit', threePings, code.PROTOCOL_VIOLATION, 0x10],
  ['HANDSHAKE_DONE', to => appendHandshakeDone(to), code.PROTOCOL_VIOLATION],
  ['NEW_TOKEN', to => appendNewToken(to, some(5)), code.PROTOCOL_VIOLATION],
  [
    'an ACK of what was never sent',
    to => appendAck(to, [{ smallest: 5000, largest: 5000 }], 0),
    code.PROTOCOL_VIOLATION,
  ],
  ['an ACK of 2^62-1', to => appendAck(to, [{ smallest: LARGEST, largest: LARGEST }], 0), code.PROTOCOL_VIOLATION],
  ['the 101st stream', to => appendStream(to, 400, 0, some(1), false), code.STREAM_LIMIT_ERROR],
  ['the largest stream id', to => appendStream(to, LARGEST, 0, some(1), false), code.STREAM_LIMIT_ERROR],
  ['a stream of the other side', to => appendStream(to, 1, 0, some(1), false), code.STREAM_STATE_ERROR],
  [
    'data on a stream that only the other side sends',
    to => appendStream(to, 3, 0, some(1), false),
    code.STREAM_STATE_ERROR,
  ],
  ['more stream data than allowed', to => appendStream(to, 0, 32 << 10, some(1), false), code.FLOW_CONTROL_ERROR],
  ['stream data at the largest offset', to => appendStream(to, 0, LARGEST, some(1), false), code.FLOW_CONTROL_ERROR],
  [
    'more data of all streams than allowed',
    to => [0, 4, 8].map(id => appendStream(to, id, (32 << 10) - 1, some(1), false)),
    code.FLOW_CONTROL_ERROR,
  ],
  [
    'data beyond the end of a stream',
    to => [appendStream(to, 0, 0, some(2), true), appendStream(to, 0, 2, some(1), false)],
    code.FINAL_SIZE_ERROR,
  ],
  [
    'a second end of a stream',
    to => [appendStream(to, 0, 1, some(2), true), appendStream(to, 0, 0, some(1), true)],
    code.FINAL_SIZE_ERROR,
  ],
  [
    'a reset before data that was sent',
    to => [appendStream(to, 0, 0, some(5), false), appendResetStream(to, 0, 0, 4)],
    code.FINAL_SIZE_ERROR,
  ],
  ['a reset beyond flow control', to => appendResetStream(to, 0, 0, LARGEST), code.FLOW_CONTROL_ERROR],
  ['a reset of a stream that only the other side sends', to => appendResetStream(to, 3, 0, 0), code.STREAM_STATE_ERROR],
  ['STOP_SENDING of its own stream', to => appendStopSending(to, 2, 0), code.STREAM_STATE_ERROR],
  ['STOP_SENDING of a stream that is not there', to => appendStopSending(to, 1, 0), code.STREAM_STATE_ERROR],
  ['MAX_STREAM_DATA of its own stream', to => appendMaxStreamData(to, 2, 9), code.STREAM_STATE_ERROR],
  ['MAX_STREAM_DATA of a stream that is not there', to => appendMaxStreamData(to, 1, 9), code.STREAM_STATE_ERROR],
  [
    'STREAM_DATA_BLOCKED of a stream of the other side',
    to => appendStreamDataBlocked(to, 3, 9),
    code.STREAM_STATE_ERROR,
  ],
  ['MAX_STREAMS above 2^60', Uint8Array.of(0x12, 0xd0, 0, 0, 0, 0, 0, 0, 1), code.FRAME_ENCODING_ERROR],
  ['CRYPTO far ahead', to => appendCrypto(to, 1 << 20, some(1)), code.CRYPTO_BUFFER_EXCEEDED],
  ['CRYPTO at the largest offset', to => appendCrypto(to, LARGEST, some(1)), code.CRYPTO_BUFFER_EXCEEDED],
  ['a TLS KeyUpdate (RFC 9001 §6)', to => appendCrypto(to, 0, Uint8Array.of(24, 0, 0, 1, 0)), code.CRYPTO_ERROR + 10],
  ['a second ClientHello', to => appendCrypto(to, 0, Uint8Array.of(1, 0, 0, 1, 0)), code.CRYPTO_ERROR + 10],
  ['RETIRE_CONNECTION_ID of what was never given', to => appendRetireConnectionId(to, 100), code.PROTOCOL_VIOLATION],
  ['a connection id that retires itself', Uint8Array.of(0x18, 1, 2, 1, 7, ...TOKEN), code.FRAME_ENCODING_ERROR],
  [
    'one sequence number for two connection ids',
    to => [appendNewConnectionId(to, 50, 50, some(8), TOKEN), appendNewConnectionId(to, 50, 50, some(7), TOKEN)],
    code.PROTOCOL_VIOLATION,
  ],
  [
    'more connection ids than allowed',
    to => Array.from({ length: 20 }, (_, i) => appendNewConnectionId(to, 50 + i, 0, some(i + 1), TOKEN)),
    code.CONNECTION_ID_LIMIT_ERROR,
  ],
]

/** As a server sends them to a client. */
const FROM_SERVER: Case[] = [
  [
    'data on a stream that only the client sends',
    to => appendStream(to, 2, 0, some(1), false),
    code.STREAM_STATE_ERROR,
  ],
  ['an answer on a stream that is not there', to => appendStream(to, 0, 0, some(1), false), code.STREAM_STATE_ERROR],
  ['NEW_TOKEN without a token', Uint8Array.of(0x07, 0, 0, 0), code.FRAME_ENCODING_ERROR],
]

/** Such as a peer could send that keeps to the rules most of the time: not the first one of them ends the connection. */
const streamId = fc.nat(40)
const offset = fc.nat(3000)
const data = fc.uint8Array({ maxLength: 100 })
const likelyFrame = fc
  .oneof(
    fc.record({ kind: fc.constant('stream' as const), id: streamId, offset, data, fin: fc.boolean() }),
    fc.record({ kind: fc.constant('crypto' as const), offset, data }),
    fc.record({ kind: fc.constantFrom('reset' as const, 'stop' as const), id: streamId, code: offset, size: offset }),
    fc.record({ kind: fc.constant('credit' as const), id: streamId, max: fc.nat(200_000) }),
    fc.record({ kind: fc.constant('ack' as const), smallest: fc.nat(30), more: fc.nat(5) }),
    fc.record({ kind: fc.constant('new-id' as const), sequence: fc.nat(12), prior: fc.nat(12), byte: fc.nat(255) }),
    fc.record({ kind: fc.constant('retire' as const), sequence: fc.nat(8) }),
    fc.record({ kind: fc.constant('datagram' as const), data }),
    fc.record({ kind: fc.constant('path' as const), byte: fc.nat(255) }),
  )
  .map(frame => ({
    append(to: WireWriter): void {
      switch (frame.kind) {
        case 'stream':
          return appendStream(to, frame.id, frame.offset, frame.data, frame.fin)
        case 'crypto':
          return appendCrypto(to, frame.offset, frame.data)
        case 'reset':
          return appendResetStream(to, frame.id, frame.code, frame.size)
        case 'stop':
          return appendStopSending(to, frame.id, frame.code)
        case 'credit':
          return appendMaxStreamData(to, frame.id, frame.max)
        case 'ack':
          return appendAck(to, [{ smallest: frame.smallest, largest: frame.smallest + frame.more }], 0)
        case 'new-id': {
          const [sequence, prior] = [Math.max(frame.sequence, frame.prior), Math.min(frame.sequence, frame.prior)]
          return appendNewConnectionId(to, sequence, prior, new Uint8Array(8).fill(frame.byte), TOKEN)
        }
        case 'retire':
          return appendRetireConnectionId(to, frame.sequence)
        case 'datagram':
          return appendDatagram(to, frame.data)
        case 'path':
          return appendPathChallenge(to, new Uint8Array(8).fill(frame.byte))
      }
    },
  }))

function threePings(to: WireWriter): void {
  for (let i = 0; i < 3; i++) appendPing(to)
}

describe('a peer with the right keys', () => {
  let engines: Awaited<ReturnType<typeof typescriptEngines>>
  before(async () => {
    engines = await typescriptEngines()
  })

  for (const [what, frames, expected, bits] of FROM_CLIENT) {
    it(`that is a client meets ${codeName(expected)} with ${what}`, () => {
      const forger = new Forger(engines(1), 'client')
      forger.send(frames, bits)
      expect(forger.code).to.equal(expected)
      expect(forger.answers.length, 'a CONNECTION_CLOSE').to.be.at.least(1)
    })
  }

  for (const [what, frames, expected] of FROM_SERVER) {
    it(`that is a server meets ${codeName(expected)} with ${what}`, () => {
      const forger = new Forger(engines(1), 'server')
      forger.send(frames)
      expect(forger.code).to.equal(expected)
    })
  }

  it('meets nothing when it sends what it may', () => {
    const forger = new Forger(engines(1), 'client')
    forger.send(to => {
      appendStream(to, 0, 0, some(1000), true)
      appendStream(to, 2, 5, some(5), false)
      appendDatagram(to, some(100))
      appendResetStream(to, 4, 7, 0)
      appendPathResponse(to, some(8))
    })
    expect(forger.code).to.equal(undefined)
    expect(forger.victim.hasEnded(0)).to.equal(true)
    expect(forger.victim.datagrams.length).to.equal(1)
    expect(forger.victim.resets.get(4)).to.equal(7)
  })

  it('is not heard twice with the same packet number', () => {
    const forger = new Forger(engines(1), 'client')
    for (let i = 0; i < 3; i++) {
      forger.nextNumber = 200_000
      forger.send(to => appendDatagram(to, some(100)))
    }
    expect(forger.victim.datagrams.length).to.equal(1)
  })

  it('ends its connection with any frames in any order by a right error, or not at all', () => {
    const frames = fc
      .array(fc.oneof(anyFrame, { weight: 3, arbitrary: likelyFrame }), { minLength: 1, maxLength: 6 })
      .map(all => (to: WireWriter) => {
        for (const { append } of all) append(to)
      })
    const bytes = fc.uint8Array({ minLength: 1, maxLength: 60 })
    const payload = fc.oneof({ weight: 4, arbitrary: frames }, { weight: 1, arbitrary: bytes })
    const property = fc.property(
      fc.constantFrom('client' as const, 'server' as const),
      fc.array(payload, { minLength: 1, maxLength: 20 }),
      (role, payloads) => {
        const forger = new Forger(engines(1), role)
        for (const each of payloads) {
          forger.send(to => {
            if (typeof each === 'function') each(to)
            else to.write(each)
            to.zeros(3)
          })
        }
        // Nor does what it has queued lead to an error later.
        forger.network.run(() => false, 5000)
        const reason = forger.victim.connection.closeReason()
        if (reason !== undefined && reason.source === 'local') expect(reason.code).to.be.within(0x02, 0x1ff)
      },
    )
    const many = process.env.MASQUE_FUZZ
    // Each step towards a smaller counterexample is a whole connection: of many runs the first that fails is told as it is, with its seed.
    fc.assert(property, { numRuns: Number(many ?? 60), endOnFailure: many !== undefined })
  })
})

function codeName(value: number): string {
  const name = Object.entries(code).find(([, each]) => each === value)?.[0]
  return name ?? `the TLS alert ${value - code.CRYPTO_ERROR}`
}
