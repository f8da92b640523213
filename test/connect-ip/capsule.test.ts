import { expect } from 'chai'
import fc from 'fast-check'
import { DecodeError } from '../../src/bytes/errors.ts'
import { encodeVarint } from '../../src/bytes/varint.ts'
import { Writer } from '../../src/bytes/writer.ts'
import { type Capsule, CapsuleParser, CapsuleType, encodeCapsule } from '../../src/connect-ip/capsule.ts'
import { encodeDatagramCapsule } from '../../src/connect-ip/datagram-capsule.ts'
import { ConnectIpError } from '../../src/connect-ip/errors.ts'
import { bytes } from './arbitraries.ts'

const { DATAGRAM, ADDRESS_ASSIGN, ADDRESS_REQUEST, ROUTE_ADVERTISEMENT } = CapsuleType

/** All capsules that these bytes complete. */
function push(parser: CapsuleParser, bytes: Uint8Array): Capsule[] {
  return [...parser.push(bytes)]
}

/** Type and length only. */
function header(type: bigint | number, length: bigint | number): Uint8Array {
  return new Writer().varint(type).varint(length).finish()
}

/** Splits `data` at these places, given as fractions, and pushes the pieces; each is overwritten afterwards. */
function pushInPieces(parser: CapsuleParser, data: Uint8Array, cuts: number[]): Capsule[] {
  const places = [0, ...cuts.map(cut => Math.floor(cut * data.length)).sort((a, b) => a - b), data.length]
  return places.slice(1).flatMap((end, i) => {
    const piece = data.slice(places[i], end)
    const capsules = push(parser, piece).map(({ type, value }) => ({ type, value: value.slice() }))
    piece.fill(0xee)
    return capsules
  })
}

const knownType = fc.constantFrom<bigint>(DATAGRAM, ADDRESS_ASSIGN, ADDRESS_REQUEST, ROUTE_ADVERTISEMENT)
const unknownType = fc.bigInt({ min: 4n, max: (1n << 62n) - 1n })
const anyCapsule = fc.record({ type: fc.oneof(knownType, unknownType), value: bytes })
const cuts = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 8 })

describe('connect-ip/capsule', () => {
  it('gives back what was encoded', () => {
    const value = Uint8Array.of(1, 2, 3)
    expect(push(new CapsuleParser(), encodeCapsule(ADDRESS_ASSIGN, value))).to.deep.equal([{ type: 1n, value }])
  })

  it('CIP-36 gives each capsule before it looks at the bytes behind it', () => {
    const found = new CapsuleParser().push(Uint8Array.from([...encodeCapsule(DATAGRAM, Uint8Array.of(0)), 1, 0xff]))
    expect(found.next().value).to.deep.equal({ type: 0n, value: Uint8Array.of(0) })
    const tooLong = new CapsuleParser().push(
      Uint8Array.from([...encodeCapsule(DATAGRAM, Uint8Array.of(0)), ...header(ADDRESS_ASSIGN, 100_000)]),
    )
    expect(tooLong.next().value).to.deep.equal({ type: 0n, value: Uint8Array.of(0) })
    expect(() => tooLong.next()).to.throw(ConnectIpError)
  })

  it('accepts types and lengths in more bytes than needed', () => {
    const padded = Uint8Array.of(0x40, 0x01, 0xc0, 0, 0, 0, 0, 0, 0, 2, 7, 8)
    expect(push(new CapsuleParser(), padded)).to.deep.equal([{ type: 1n, value: Uint8Array.of(7, 8) }])
  })

  it('finds the same capsules however the stream is split', () => {
    fc.assert(
      fc.property(fc.array(anyCapsule, { maxLength: 8 }), cuts, (capsules, where) => {
        const data = Uint8Array.from(capsules.flatMap(({ type, value }) => [...encodeCapsule(type, value)]))
        const parser = new CapsuleParser()
        const expected = capsules.filter(({ type }) => type <= 3n)
        expect(pushInPieces(parser, data, where)).to.deep.equal(expected)
        parser.end()
      }),
      { numRuns: 500 },
    )
  })

  it('finds the same capsules when they arrive byte by byte', () => {
    const data = [encodeCapsule(ADDRESS_ASSIGN, new Uint8Array(70).fill(9)), encodeCapsule(0x17, new Uint8Array(90))]
    const parser = new CapsuleParser()
    const found = [...data[1], ...data[0], ...data[1], ...data[0]].flatMap(byte => push(parser, Uint8Array.of(byte)))
    expect(found.map(({ value }) => value.length)).to.deep.equal([70, 70])
  })

  it('turns any bytes into capsules or a ConnectIpError', () => {
    fc.assert(
      fc.property(fc.array(bytes, { maxLength: 5 }), pieces => {
        const parser = new CapsuleParser({ maxControlLength: 40, maxDatagramLength: 60 })
        try {
          for (const piece of pieces) {
            for (const { value } of push(parser, piece)) expect(value.length).to.be.at.most(60)
          }
          parser.end()
        } catch (error) {
          expect(error).to.be.instanceOf(ConnectIpError).and.instanceOf(DecodeError)
        }
      }),
      { numRuns: 500 },
    )
  })

  it('CIP-16 skips capsules of unknown types, reserved ones among them', () => {
    const parser = new CapsuleParser()
    for (const type of [4n, 0x17n, 0x40n, 0x29n * 1000n + 0x17n, (1n << 62n) - 1n]) {
      expect(push(parser, encodeCapsule(type, Uint8Array.of(1, 2, 3)))).to.deep.equal([])
    }
    expect(push(parser, encodeCapsule(DATAGRAM, Uint8Array.of(0)))).to.have.length(1)
  })

  it('CIP-16 skips an unknown capsule of a megabyte that arrives in many reads', () => {
    const parser = new CapsuleParser()
    push(parser, header(0x17, 1_000_000))
    for (let i = 0; i < 1000; i++) expect(push(parser, new Uint8Array(1000).fill(0x01))).to.deep.equal([])
    expect(push(parser, encodeCapsule(ADDRESS_ASSIGN, new Uint8Array(0)))).to.have.length(1)
  })

  it('CIP-16 skips an unknown capsule of the largest length that can be written', () => {
    const parser = new CapsuleParser()
    expect(push(parser, header(0x17, (1n << 62n) - 1n))).to.deep.equal([])
    for (let i = 0; i < 100; i++) expect(push(parser, new Uint8Array(10_000))).to.deep.equal([])
  })

  it('CIP-17 accepts the end of the stream between capsules', () => {
    const parser = new CapsuleParser()
    parser.end()
    push(parser, encodeCapsule(ADDRESS_ASSIGN, new Uint8Array(5)))
    parser.end()
  })

  it('CIP-17 fails with H3_MESSAGE_ERROR when the stream ends inside a capsule, at whichever byte', () => {
    for (const type of [DATAGRAM, ADDRESS_ASSIGN, 0x1234n]) {
      const whole = encodeCapsule(type, new Uint8Array(70))
      for (let length = 1; length < whole.length; length++) {
        const parser = new CapsuleParser()
        push(parser, whole.subarray(0, length))
        expect(() => parser.end(), `after ${length} bytes`)
          .to.throw(ConnectIpError, /inside a capsule/)
          .with.property('abortReason', 'malformed')
      }
    }
  })

  it('CIP-18 refuses a control capsule over the limit as soon as it is announced', () => {
    for (const type of [ADDRESS_ASSIGN, ADDRESS_REQUEST, ROUTE_ADVERTISEMENT]) {
      for (const length of [65_537n, 1n << 32n, (1n << 62n) - 1n]) {
        expect(() => push(new CapsuleParser(), header(type, length)))
          .to.throw(ConnectIpError, /at most 65536/)
          .with.property('abortReason', 'excessive-load')
      }
    }
  })

  it('CIP-18 accepts a control capsule that is as long as the limit', () => {
    const parser = new CapsuleParser()
    expect(push(parser, encodeCapsule(ADDRESS_ASSIGN, new Uint8Array(65_536)))).to.have.length(1)
  })

  it('CIP-18 skips a DATAGRAM capsule too long for any IP packet without keeping it', () => {
    const parser = new CapsuleParser()
    push(parser, header(DATAGRAM, 65_544))
    push(parser, new Uint8Array(65_544).fill(1))
    expect(parser.oversizeDatagrams).to.equal(1)
    expect(push(parser, encodeCapsule(DATAGRAM, Uint8Array.of(0, 5)))).to.have.length(1)
  })

  it('CIP-18 grows its memory with what arrives and not with what is announced', () => {
    const parsers = Array.from({ length: 500 }, () => new CapsuleParser())
    const before = process.memoryUsage().arrayBuffers
    for (const parser of parsers) {
      push(parser, header(DATAGRAM, 65_543))
      push(parser, new Uint8Array(1))
    }
    expect(process.memoryUsage().arrayBuffers - before).to.be.below(8_000_000)
    expect(parsers).to.have.length(500)
  })

  it('keeps failing once it has failed', () => {
    const parser = new CapsuleParser()
    expect(() => push(parser, header(ADDRESS_ASSIGN, 100_000))).to.throw(ConnectIpError)
    expect(() => push(parser, encodeCapsule(DATAGRAM, new Uint8Array(1)))).to.throw(ConnectIpError)
    expect(() => parser.end()).to.throw(ConnectIpError)
  })

  it('CIP-23 encodes a packet as a DATAGRAM capsule with context id 0', () => {
    for (const length of [0, 62, 63, 1500, 16_383, 65_535]) {
      const packet = new Uint8Array(length).fill(0x45)
      const [capsule] = push(new CapsuleParser(), encodeDatagramCapsule(packet))
      expect(capsule.type).to.equal(DATAGRAM)
      expect(capsule.value[0]).to.equal(0)
      expect(capsule.value.subarray(1)).to.deep.equal(packet)
    }
  })

  it('keeps a split header of sixteen bytes', () => {
    const long = new Uint8Array(18)
    long.set([0xc0, 0, 0, 0, 0, 0, 0, 1, 0xc0, 0, 0, 0, 0, 0, 0, 2, 5, 6])
    expect(encodeVarint(1, new Uint8Array(1), 0)).to.equal(1)
    for (let cut = 1; cut < long.length; cut++) {
      const parser = new CapsuleParser()
      const found = [...push(parser, long.subarray(0, cut)), ...push(parser, long.subarray(cut))]
      expect(found).to.deep.equal([{ type: 1n, value: Uint8Array.of(5, 6) }])
    }
  })
})
