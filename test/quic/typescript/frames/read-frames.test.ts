import { expect } from 'chai'
import fc from 'fast-check'
import { appendAck, shortestAckLength } from '../../../../src/quic/typescript/frames/ack-frame.ts'
import {
  appendConnectionClose,
  shortestConnectionCloseLength,
} from '../../../../src/quic/typescript/frames/connection-close-frame.ts'
import { appendCrypto, cryptoDataThatFits } from '../../../../src/quic/typescript/frames/crypto-frame.ts'
import {
  appendDatagram,
  datagramDataThatFits,
  datagramFrameLength,
} from '../../../../src/quic/typescript/frames/datagram-frame.ts'
import { appendPadding } from '../../../../src/quic/typescript/frames/padding-frame.ts'
import { ACK_ELICITING, NON_PROBING, readFrames } from '../../../../src/quic/typescript/frames/read-frames.ts'
import { appendStream, streamDataThatFits } from '../../../../src/quic/typescript/frames/stream-frame.ts'
import {
  APPLICATION,
  HANDSHAKE,
  INITIAL,
  type PacketNumberSpace,
} from '../../../../src/quic/typescript/packet-number-space.ts'
import {
  FRAME_ENCODING_ERROR,
  PROTOCOL_VIOLATION,
  TransportError,
} from '../../../../src/quic/typescript/transport-error.ts'
import { WireWriter } from '../../../../src/quic/typescript/wire-writer.ts'
import { ackRanges, anyFrame } from './any-frame.ts'
import { Recorder } from './recorder.ts'

function read(
  payload: Uint8Array,
  space: PacketNumberSpace = APPLICATION,
  from: 'client' | 'server' = 'server',
): unknown[][] {
  const recorder = new Recorder()
  readFrames(payload, space, from, recorder)
  return recorder.calls
}

function written(append: (to: WireWriter) => void, room = 20_000): Uint8Array {
  const to = new WireWriter(new Uint8Array(room))
  append(to)
  return to.bytes.subarray(0, to.offset)
}

function hex(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text.replaceAll(' ', ''), 'hex'))
}

function errorOf(action: () => unknown): TransportError {
  try {
    action()
  } catch (error) {
    expect(error).to.be.instanceOf(TransportError)
    return error as TransportError
  }
  throw new Error('a TransportError expected')
}

/** One of each type, as short as may be. */
const SHORTEST: Record<number, string> = {
  0: '00',
  1: '01',
  2: '02 00 00 00 00',
  3: '03 00 00 00 00 00 00 00',
  4: '04 00 00 00',
  5: '05 00 00',
  6: '06 00 00',
  7: '07 01 aa',
  8: '08 00',
  9: '09 00',
  10: '0a 00 00',
  11: '0b 00 00',
  12: '0c 00 00',
  13: '0d 00 00',
  14: '0e 00 00 00',
  15: '0f 00 00 00',
  16: '10 00',
  17: '11 00 00',
  18: '12 00',
  19: '13 00',
  20: '14 00',
  21: '15 00 00',
  22: '16 00',
  23: '17 00',
  24: `18 01 00 01 aa ${'bb'.repeat(16)}`,
  25: '19 00',
  26: '1a 0102030405060708',
  27: '1b 0102030405060708',
  28: '1c 00 00 00',
  29: '1d 00 00',
  30: '1e',
  48: '30',
  49: '31 00',
}

describe('frames', () => {
  it('come back as they were written, in their order', () => {
    fc.assert(
      fc.property(fc.array(anyFrame, { minLength: 1, maxLength: 8 }), fc.nat(5), (frames, padding) => {
        const payload = written(to => {
          for (const frame of frames) {
            frame.append(to)
            appendPadding(to, padding)
          }
        })
        expect(read(payload)).to.deep.equal(frames.map(frame => frame.call))
      }),
    )
  })

  it('of any bytes are read, or refused with a TransportError', () => {
    const type = fc.constantFrom(...Object.keys(SHORTEST).map(Number))
    const bytes = fc.oneof(
      fc.uint8Array({ minLength: 1, maxLength: 200 }),
      fc.tuple(type, fc.uint8Array({ maxLength: 60 })).map(([type, rest]) => Uint8Array.of(type, ...rest)),
    )
    fc.assert(
      fc.property(
        bytes,
        fc.constantFrom(INITIAL, HANDSHAKE, APPLICATION),
        fc.constantFrom('client' as const, 'server' as const),
        (payload, space, from) => {
          try {
            read(payload, space, from)
          } catch (error) {
            expect(error).to.be.instanceOf(TransportError)
            expect([FRAME_ENCODING_ERROR, PROTOCOL_VIOLATION]).to.include((error as TransportError).code)
          }
        },
      ),
      { numRuns: 500 },
    )
  })

  it('that are cut short anywhere are refused, or are others', () => {
    fc.assert(
      fc.property(anyFrame, frame => {
        const whole = written(frame.append)
        for (let length = 1; length < whole.length; length++) {
          const error = errorOf(() => read(whole.subarray(0, length)))
          expect(error.code).to.equal(FRAME_ENCODING_ERROR)
          expect(error.frameType, 'the frame that is named').to.equal(whole[0])
        }
      }),
    )
  })

  it('with 2^62-1 in every field are read, or refused with a TransportError', () => {
    for (const [type, text] of Object.entries(SHORTEST)) {
      const payload = new Uint8Array(2000).fill(0xff)
      payload[0] = hex(text)[0]
      try {
        read(payload)
      } catch (error) {
        expect(error, `type ${type}`).to.be.instanceOf(TransportError)
        expect((error as TransportError).code).to.equal(FRAME_ENCODING_ERROR)
      }
    }
  })

  it('stand only in the packets in which they may (RFC 9000 §12.4)', () => {
    const early = [0x00, 0x01, 0x02, 0x03, 0x06, 0x1c]
    for (const [key, text] of Object.entries(SHORTEST)) {
      const type = Number(key)
      read(hex(text), APPLICATION)
      for (const space of [INITIAL, HANDSHAKE]) {
        if (early.includes(type)) {
          read(hex(text), space)
          continue
        }
        const error = errorOf(() => read(hex(text), space))
        expect([error.code, error.frameType], text).to.deep.equal([PROTOCOL_VIOLATION, type])
      }
    }
  })

  it('that only servers send are refused from a client (§19.7, §19.20)', () => {
    for (const [key, text] of Object.entries(SHORTEST)) {
      if (text.startsWith('07') || text.startsWith('1e')) {
        expect(errorOf(() => read(hex(text), APPLICATION, 'client')).code, key).to.equal(PROTOCOL_VIOLATION)
      } else read(hex(text), APPLICATION, 'client')
    }
  })

  it('say whether their packet is to be acknowledged, and whether it only tests a path (table 3)', () => {
    const noAck = [0x00, 0x02, 0x03, 0x1c, 0x1d]
    const probing = [0x00, 0x18, 0x1a, 0x1b]
    for (const [key, text] of Object.entries(SHORTEST)) {
      const type = Number(key)
      const summary = readFrames(hex(text), APPLICATION, 'server', new Recorder())
      expect(Boolean(summary & ACK_ELICITING), `${text} elicits an ACK`).to.equal(!noAck.includes(type))
      expect(Boolean(summary & NON_PROBING), `${text} is not probing`).to.equal(!probing.includes(type))
    }
    const both = readFrames(hex('1a 0102030405060708 01'), APPLICATION, 'server', new Recorder())
    expect(both).to.equal(ACK_ELICITING | NON_PROBING)
  })

  it('are at least one (§12.4)', () => {
    expect(errorOf(() => read(new Uint8Array(0))).code).to.equal(PROTOCOL_VIOLATION)
  })

  it('of an unknown type are refused (§12.4)', () => {
    for (const text of ['1f', '20', '2f', '32', '3f', '4040', '80000100', 'c000000100000000', 'ffffffffffffffff']) {
      expect(errorOf(() => read(hex(text))).code, text).to.equal(FRAME_ENCODING_ERROR)
    }
  })

  it('whose type takes more bytes than it needs are refused (§12.4)', () => {
    for (const text of ['4001', '80000001', 'c000000000000001', '4000', '4030', '403f']) {
      expect(errorOf(() => read(hex(text))).code, text).to.equal(PROTOCOL_VIOLATION)
    }
  })

  it('before a wrong one were handed out', () => {
    const recorder = new Recorder()
    expect(() => readFrames(hex('01 01 1f'), APPLICATION, 'server', recorder)).to.throw(TransportError)
    expect(recorder.calls).to.deep.equal([['ping'], ['ping']])
  })

  it('without a length reach up to the end of the packet (§19.8, RFC 9221 §4)', () => {
    expect(read(hex('01 08 04 616263'))).to.deep.equal([['ping'], ['stream', 4, 0, hex('616263'), false]])
    expect(read(hex('0d 04 07 616263'))).to.deep.equal([['stream', 4, 7, hex('616263'), true]])
    expect(read(hex('30 616263'))).to.deep.equal([['datagram', hex('616263'), 4]])
    expect(read(hex('31 03 616263 01'))).to.deep.equal([['datagram', hex('616263'), 5], ['ping']])
    expect(read(hex('31 4003 616263')), 'counted as it is').to.deep.equal([['datagram', hex('616263'), 6]])
  })
})

describe('the values of frames', () => {
  const wrong: [string, string][] = [
    ['an ACK whose first range goes below 0', '02 05 00 00 06'],
    ['an ACK whose second range goes below 0', '02 05 00 01 01 00 03'],
    ['an ACK whose gap goes below 0', '02 05 00 01 04 00 00'],
    ['an ACK with more ranges than bytes', '02 05 00 ffffffffffffffff 00'],
    ['CRYPTO longer than its packet', '06 00 02 aa'],
    ['NEW_TOKEN with an empty token (§19.7)', '07 00'],
    ['MAX_STREAMS above 2^60 (§19.11)', '12 d000000000000001'],
    ['MAX_STREAMS above 2^60, by much', '13 ffffffffffffffff'],
    ['STREAMS_BLOCKED above 2^60 (§19.14)', '16 d000000000000001'],
    ['STREAMS_BLOCKED above 2^60, by much', '17 ffffffffffffffff'],
    ['NEW_CONNECTION_ID with an empty id (§19.15)', `18 01 00 00 ${'bb'.repeat(16)}`],
    ['NEW_CONNECTION_ID with an id of 21 bytes', `18 01 00 15 ${'aa'.repeat(21)} ${'bb'.repeat(16)}`],
    ['NEW_CONNECTION_ID that retires itself', `18 01 02 01 aa ${'bb'.repeat(16)}`],
    ['CONNECTION_CLOSE whose reason is longer than its packet', '1c 00 00 02 61'],
  ]
  for (const [what, text] of wrong) {
    it(`are refused: ${what}`, () => {
      const error = errorOf(() => read(hex(text)))
      expect(error.code).to.equal(FRAME_ENCODING_ERROR)
      expect(error.frameType).to.equal(hex(text)[0])
    })
  }

  it('may be 2^60 streams, and stream data that ends at any offset flow control can have', () => {
    expect(read(hex('12 d000000000000000'))).to.deep.equal([['max-streams', 'bidi', 2 ** 60]])
    expect(read(hex('0e 00 dfffffffffffffff 01 aa'))[0].slice(0, 2)).to.deep.equal(['stream', 0])
  })

  it('of an ACK are as RFC 9000 §19.3.1 computes them', () => {
    // 10, 9, 8; not 7, 6; 5; not 4; 3, 2, 1, 0
    expect(read(hex('02 0a 05 02 02 01 00 00 03'))).to.deep.equal([
      [
        'ack',
        {
          largest: 10,
          delay: 5,
          ranges: [
            { smallest: 8, largest: 10 },
            { smallest: 5, largest: 5 },
            { smallest: 0, largest: 3 },
          ],
          ecn: undefined,
        },
      ],
    ])
  })
})

describe('the room that frames take', () => {
  it('is used up to the last byte by STREAM, CRYPTO and DATAGRAM data that fits', () => {
    const fits: [string, (room: number) => number, (to: WireWriter, data: Uint8Array) => void][] = [
      ['stream', room => streamDataThatFits(room, 70, 0), (to, data) => appendStream(to, 70, 0, data, false)],
      ['stream', room => streamDataThatFits(room, 4, 99), (to, data) => appendStream(to, 4, 99, data, true)],
      ['crypto', room => cryptoDataThatFits(room, 20_000), (to, data) => appendCrypto(to, 20_000, data)],
      ['datagram', datagramDataThatFits, appendDatagram],
    ]
    for (const [what, mostOf, append] of fits) {
      for (const room of [...Array(200).keys(), 1200, 16_380, 16_387, 16_388, 16_389, 16_390, 16_395, 17_000]) {
        const most = mostOf(room)
        if (most >= 0) append(new WireWriter(new Uint8Array(room)), new Uint8Array(most))
        expect(
          () => append(new WireWriter(new Uint8Array(room)), new Uint8Array(Math.max(0, most + 1))),
          `${what} ${room}`,
        ).to.throw(RangeError)
      }
    }
  })

  it('of a DATAGRAM is what datagramFrameLength says', () => {
    for (const length of [0, 63, 64, 1200, 16_383, 16_384]) {
      expect(written(to => appendDatagram(to, new Uint8Array(length))).length).to.equal(datagramFrameLength(length))
    }
  })

  it('leaves out the oldest ranges of an ACK where it is short', () => {
    fc.assert(
      fc.property(ackRanges, fc.nat(60), fc.boolean(), (ranges, extra, withEcn) => {
        const ecn = withEcn ? { ect0: 1, ect1: 70, ce: 0 } : undefined
        const room = shortestAckLength(ranges, 3, ecn) + extra
        const payload = written(to => appendAck(to, ranges, 3, ecn), room)
        const [[, frame]] = read(payload) as [[string, { ranges: unknown[] }]]
        expect(frame.ranges).to.deep.equal(ranges.slice(0, frame.ranges.length))
        const whole = written(to => appendAck(to, ranges, 3, ecn))
        if (room >= whole.length) expect(frame.ranges.length).to.equal(ranges.length)
      }),
    )
  })

  it('cuts the reason of a CONNECTION_CLOSE short', () => {
    const reason = new Uint8Array(100).fill(0x61)
    for (let room = shortestConnectionCloseLength(false, 0x100, 6); room < 120; room++) {
      const payload = written(to => appendConnectionClose(to, false, 0x100, 6, reason), room)
      const [[, , code, type, kept]] = read(payload) as [[string, boolean, number, number, Uint8Array]]
      expect([code, type]).to.deep.equal([0x100, 6])
      expect(kept.length).to.be.at.least(Math.min(100, room - 7))
    }
  })
})
