import { expect } from 'chai'
import fc from 'fast-check'
import { APPLICATION } from '../../../../src/quic/typescript/packet-number-space.ts'
import { isInRanges } from '../../../../src/quic/typescript/recovery/ack-ranges.ts'
import { SentPacket } from '../../../../src/quic/typescript/recovery/sent-packet.ts'
import { SentPackets } from '../../../../src/quic/typescript/recovery/sent-packets.ts'

describe('sent packets', () => {
  it('are there in order until they are acknowledged or taken from the front', () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant('send' as const), gap: fc.integer({ min: 1, max: 3 }) }),
      fc.record({ kind: fc.constant('drop' as const) }),
      fc.record({
        kind: fc.constant('ack' as const),
        back: fc.nat({ max: 20 }),
        lengths: fc.array(fc.nat({ max: 6 }), { minLength: 1, maxLength: 6 }),
      }),
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 300 }), steps => {
        const sent = new SentPackets()
        let model: number[] = []
        let last = -1
        for (const each of steps) {
          if (each.kind === 'send') {
            last += each.gap
            sent.push(new SentPacket(APPLICATION, last, 0, 1, true, true))
            model.push(last)
          } else if (each.kind === 'drop') expect(sent.removeFirst()?.number).to.equal(model.shift())
          else {
            const ranges: { smallest: number; largest: number }[] = []
            let largest = last - each.back
            for (const length of each.lengths) {
              if (largest - length < 0) break
              ranges.push({ largest, smallest: largest - length })
              largest -= length + 2
            }
            const acked: SentPacket[] = []
            sent.takeAcked(ranges, acked)
            const expected = model.filter(number => isInRanges(number, ranges))
            expect(acked.map(({ number }) => number)).to.deep.equal(expected.reverse())
            model = model.filter(number => !isInRanges(number, ranges))
          }
          expect(Array.from({ length: sent.size }, (_, i) => sent.at(i)?.number)).to.deep.equal(model)
          expect(sent.first?.number).to.equal(model[0])
        }
      }),
    )
  })
})
