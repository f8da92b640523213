import { expect } from 'chai'
import fc from 'fast-check'
import { H3ErrorCode } from '../../src/http3/error-codes.ts'
import { H3Error } from '../../src/http3/errors.ts'
import {
  decodeVarintPayload,
  encodeFrame,
  encodeFrameHeader,
  encodeVarintFrame,
  FrameReader,
  FrameType,
} from '../../src/http3/frames.ts'
import { isReservedId } from '../../src/http3/grease.ts'
import { bytes, hex, NOTHING, toHex } from './conversation.ts'

/** Reads DATA piece by piece, HEADERS whole, skips the rest, and writes down what it sees. */
function reading(): { reader: FrameReader; seen: string[] } {
  const seen: string[] = []
  const reader = new FrameReader({
    frameStarts: (type, length) => {
      seen.push(`${type}:${length}`)
      return type === FrameType.DATA ? 'pass' : type === FrameType.HEADERS ? 'collect' : 'skip'
    },
    frameCollected: (type, payload) => seen.push(`whole ${type}:${toHex(payload)}`),
    framePassed: piece => {
      for (const byte of piece) seen.push(`byte ${byte}`)
    },
  })
  return { reader, seen }
}

describe('HTTP/3 frames (RFC 9114 §7.1)', () => {
  const stream = bytes(
    encodeFrame(FrameType.HEADERS, hex('0000cf')),
    encodeFrame(FrameType.DATA, hex('0102030405')),
    encodeFrame(0x21, hex('ffffff')),
    encodeFrame(FrameType.DATA, NOTHING),
    encodeFrame(FrameType.HEADERS, NOTHING),
    // The same DATA frame with longer varints than needed, which is allowed.
    hex('4000 80000002 aabb'),
  )

  it('H3-03 give the same frames however the bytes are split', () => {
    const { reader, seen: whole } = reading()
    reader.push(stream)
    expect(whole).to.include.members(['whole 1:0000cf', 'whole 1:', 'byte 5', '33:3', 'byte 187'])
    expect(reader.insideFrame).to.equal(false)
    for (let cut = 0; cut <= stream.length; cut++) {
      const split = reading()
      split.reader.push(stream.subarray(0, cut))
      split.reader.push(stream.subarray(cut))
      expect(split.seen, `cut at ${cut}`).to.deep.equal(whole)
    }
    const single = reading()
    for (const byte of stream) single.reader.push(Uint8Array.of(byte))
    expect(single.seen).to.deep.equal(whole)
  })

  it('H3-03 know whether they are cut off', () => {
    const ends = new Set<number>()
    for (let end = 0; end <= stream.length; end++) {
      const { reader } = reading()
      reader.push(stream.subarray(0, end))
      if (!reader.insideFrame) ends.add(end)
    }
    expect([...ends]).to.deep.equal([0, 5, 12, 17, 19, 21, 29])
  })

  it('H3-02 of any type and up to 2^62-1 bytes are skipped without being kept', () => {
    const { reader, seen } = reading()
    reader.push(hex('ffffffffffffffff ffffffffffffffff'))
    for (let i = 0; i < 1000; i++) reader.push(new Uint8Array(1000))
    expect(seen).to.deep.equal(['Infinity:Infinity'])
    expect(reader.insideFrame).to.equal(true)
  })

  it('H3-03 in arbitrary bytes never make the reader throw', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 20 }), { maxLength: 8 }), pieces => {
        const { reader, seen } = reading()
        for (const piece of pieces) reader.push(piece)
        const whole = reading()
        whole.reader.push(bytes(...pieces))
        expect(seen).to.deep.equal(whole.seen)
      }),
      { numRuns: 300 },
    )
  })

  it('H3-03 of one integer must hold exactly that', () => {
    expect(toHex(encodeVarintFrame(FrameType.GOAWAY, 4))).to.equal('070104')
    expect(toHex(encodeFrameHeader(FrameType.DATA, 1200))).to.equal('0044b0')
    expect(decodeVarintPayload(FrameType.GOAWAY, hex('40ff'))).to.equal(255n)
    for (const payload of ['', '40', '0400', '40ff00', 'c0000000000000']) {
      expect(() => decodeVarintPayload(FrameType.GOAWAY, hex(payload)), payload)
        .to.throw(H3Error, 'GOAWAY')
        .with.property('code', H3ErrorCode.H3_FRAME_ERROR)
    }
  })

  it('H3-02 reserved ids are 0x21, 0x40, 0x5f … 0x3ffffffffffffffe', () => {
    for (const id of [0x21n, 0x40n, 0x5fn, 0x3ffffffffffffffen]) expect(isReservedId(id), `${id}`).to.equal(true)
    for (const id of [0n, 0x02n, 0x20n, 0x22n, 0x33n]) expect(isReservedId(id), `${id}`).to.equal(false)
  })
})
