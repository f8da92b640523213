import { expect } from 'chai'
import fc from 'fast-check'
import { H3Connection, type H3Event } from '../../src/http3/connection.ts'
import { H3ErrorCode } from '../../src/http3/error-codes.ts'
import { FrameType } from '../../src/http3/frames.ts'
import { encodeFieldSection } from '../../src/http3/qpack/encoder.ts'
import {
  bytes,
  CONNECT_IP,
  connection,
  controlStream,
  frame,
  GET,
  headersFrame,
  OK,
  readyClient,
  varint,
} from './conversation.ts'

/** Bytes that are nearly right go deeper than random ones. */
const somePiece = fc.oneof(
  fc.uint8Array({ maxLength: 20 }),
  fc.constantFrom(
    headersFrame(CONNECT_IP),
    headersFrame(GET),
    headersFrame(OK),
    headersFrame([['x', 'y']]),
    frame(FrameType.DATA, [1, 2, 3]),
    frame(0x21, [1]),
    controlStream([0x33, 1]),
    frame(FrameType.GOAWAY, [0]),
    Uint8Array.of(0x80, 0x00, 0x4d, 0x51),
    Uint8Array.of(0x03, 0x40),
  ),
  fc
    .tuple(fc.integer({ min: 0, max: 13 }), fc.uint8Array({ maxLength: 8 }))
    .map(([type, payload]) => frame(type, payload)),
)

const someStreamId = fc.oneof(fc.nat(24), fc.nat(24), fc.nat())
const action = fc.oneof(
  fc.record({ do: fc.constant('stream' as const), streamId: someStreamId, data: somePiece, fin: fc.boolean() }),
  fc.record({ do: fc.constant('stream' as const), streamId: fc.nat(4), data: somePiece, fin: fc.constant(false) }),
  fc.record({ do: fc.constantFrom('reset' as const, 'stop-sending' as const), streamId: someStreamId }),
  fc.record({ do: fc.constant('datagram' as const), streamId: fc.nat(40), data: fc.uint8Array({ maxLength: 20 }) }),
)

function perform(h3: H3Connection, step: typeof action extends fc.Arbitrary<infer T> ? T : never): H3Event[] {
  switch (step.do) {
    case 'stream':
      return h3.receiveStream(step.streamId, step.data, step.fin)
    case 'reset':
      return h3.receiveReset(step.streamId, 0x10c)
    case 'stop-sending':
      return h3.receiveStopSending(step.streamId, 0x10c)
    case 'datagram':
      h3.parseDatagram(bytes(varint(step.streamId), step.data))
      return h3.takeEvents()
  }
}

describe('A hostile peer', () => {
  for (const role of ['client', 'server'] as const) {
    it(`H3-03 never makes a ${role} throw or remember more than its limits, whatever it sends`, () => {
      fc.assert(
        fc.property(fc.array(action, { maxLength: 30 }), steps => {
          const options = { limits: { maxRequestStreams: 4, maxUniStreams: 4 } }
          const h3 = role === 'client' ? readyClient(options) : connection('server', options)
          h3.acceptStreamType(0x4d51)
          if (role === 'client') for (const request of [GET, CONNECT_IP, CONNECT_IP]) h3.request(request)
          const ended = new Set<number>()
          let failed = false
          for (const step of steps) {
            for (const event of perform(h3, step)) {
              // After the end of the connection there is silence, and our own mistakes do not occur.
              expect(failed).to.equal(false)
              if ('code' in event) expect(event.code).to.not.equal(H3ErrorCode.H3_INTERNAL_ERROR)
              if (event.type === 'connection-error') failed = true
              if (event.type === 'stream-error') ended.add(event.streamId)
              if (event.type === 'data') expect(ended.has(event.streamId)).to.equal(false)
            }
            expect(h3.openRequests).to.be.at.most(4)
            expect(h3.openUniStreams).to.be.at.most(4)
            expect(h3.closed).to.equal(failed)
          }
          const closes = h3.takeOutput().filter(output => output.type === 'close')
          expect(closes).to.have.length(failed ? 1 : 0)
        }),
        { numRuns: 500 },
      )
    })
  }

  it('H3-04 header sections announced as large take no memory until they come', () => {
    const server = connection('server', { limits: { maxRequestStreams: 1000 } })
    const before = process.memoryUsage().arrayBuffers
    // 1000 × 16 000 bytes are announced; two bytes of each come.
    for (let i = 0; i < 1000; i++) server.receiveStream(4 * i, bytes([0x01], varint(16_000), [0, 0]), false)
    expect(server.openRequests).to.equal(1000)
    expect(process.memoryUsage().arrayBuffers - before).to.be.below(4_000_000)
  })

  it('CIP-24 datagrams without a stream are held up to the limit however many come', () => {
    const server = connection('server')
    const flood = bytes([3], new Uint8Array(1200))
    for (let i = 0; i < 2000; i++) server.parseDatagram(flood)
    expect(server.counters.datagramsDropped).to.equal(2000 - 16)
  })

  it('H3-03 content is passed on in the pieces in which it comes, never collected', () => {
    const server = connection('server')
    server.receiveStream(0, headersFrame(CONNECT_IP), false)
    server.receiveStream(0, bytes([0x00], varint(2 ** 40)), false)
    const piece = new Uint8Array(1200)
    for (let i = 0; i < 100; i++) {
      const [event] = server.receiveStream(0, piece, false)
      if (event.type !== 'data') throw new Error(event.type)
      expect(event.data.buffer).to.equal(piece.buffer)
    }
  })

  it('H3-04 bytes that were collected are copies: the buffer of the caller may change', () => {
    const server = connection('server')
    const section = encodeFieldSection(GET)
    const first = bytes([0x01], varint(section.length), section.subarray(0, 5))
    server.receiveStream(0, first, false)
    first.fill(0xff)
    const [event] = server.receiveStream(0, section.subarray(5), true)
    expect(event).to.deep.equal({ type: 'request', streamId: 0, headers: GET, fin: true })
  })

  it('H3-03 every single byte string on a control stream is an event, an error or silence', () => {
    fc.assert(
      fc.property(fc.array(somePiece, { maxLength: 10 }), pieces => {
        const whole = new H3Connection({ role: 'server', peerMaxDatagramFrameSize: 1200 })
        const split = new H3Connection({ role: 'server', peerMaxDatagramFrameSize: 1200 })
        const stream = bytes([0], ...pieces)
        const expected = whole.receiveStream(2, stream, false)
        const actual = [...stream].flatMap(byte => split.receiveStream(2, Uint8Array.of(byte), false))
        expect(actual).to.deep.equal(expected)
      }),
      { numRuns: 300 },
    )
  })
})
