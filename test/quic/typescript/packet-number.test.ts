import { expect } from 'chai'
import fc from 'fast-check'
import { decodePacketNumber, packetNumberLength } from '../../../src/quic/typescript/packet-number.ts'

describe('packet numbers', () => {
  it('are as the examples of RFC 9000 appendix A.2 and A.3', () => {
    expect(packetNumberLength(0xac5c02, 0xabe8b3)).to.equal(2)
    expect(packetNumberLength(0xace8fe, 0xabe8b3)).to.equal(3)
    expect(decodePacketNumber(0xa82f30ea, 0x9b32, 2)).to.equal(0xa82f9b32)
  })

  it('come back from as many bytes as are sent, whichever the peer has received since the last it has acknowledged', () => {
    const start = fc.oneof(fc.nat(300), fc.nat({ max: 2 ** 31 }), fc.integer({ min: 2 ** 40, max: 2 ** 52 }))
    fc.assert(
      fc.property(start, fc.oneof(fc.nat(300), fc.nat(70_000), fc.nat(2 ** 25)), fc.nat(), (acked, ahead, of) => {
        const largestAcked = acked - 1
        const packetNumber = acked + ahead
        const length = packetNumberLength(packetNumber, largestAcked)
        const received = largestAcked + (of % (ahead + 1))
        expect(decodePacketNumber(received, packetNumber % 2 ** (8 * length), length)).to.equal(packetNumber)
      }),
    )
  })

  it('come back when packets have overtaken them', () => {
    for (const [largest, packetNumber] of [
      [300, 256],
      [1000, 1000 - 126],
      [255, 129],
    ] as const) {
      expect(decodePacketNumber(largest, packetNumber % 256, 1)).to.equal(packetNumber)
    }
  })

  it('are never below 0, whatever was received', () => {
    fc.assert(
      fc.property(
        fc.nat({ max: 2 ** 52 }),
        fc.constantFrom(1, 2, 3, 4),
        fc.nat(0xffffffff),
        (largest, length, bits) => {
          const window = 2 ** (8 * length)
          const truncated = bits % window
          for (const seen of [largest, -1, largest % 500]) {
            const decoded = decodePacketNumber(seen, truncated, length)
            expect(decoded).to.be.at.least(0)
            if (decoded <= Number.MAX_SAFE_INTEGER) expect(decoded % window).to.equal(truncated)
          }
        },
      ),
    )
  })
})
