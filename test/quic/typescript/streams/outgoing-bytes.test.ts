import { expect } from 'chai'
import fc from 'fast-check'
import { OutgoingBytes } from '../../../../src/quic/typescript/streams/outgoing-bytes.ts'
import { RangeSet } from '../../../../src/quic/typescript/streams/range-set.ts'

function counting(from: number, length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => from + i)
}

describe('outgoing bytes', () => {
  it('are sent in order, and what is lost goes first', () => {
    const bytes = new OutgoingBytes()
    bytes.append(counting(0, 100))
    bytes.onSent(0, 40)
    bytes.onSent(40, 80)
    expect([bytes.nextStart, bytes.nextEnd]).to.deep.equal([80, 100])
    bytes.onLost(10, 40)
    expect([bytes.nextStart, bytes.nextEnd]).to.deep.equal([10, 40])
    expect([...bytes.slice(10, 14)]).to.deep.equal([10, 11, 12, 13])
    bytes.onSent(10, 40)
    expect([bytes.nextStart, bytes.nextEnd]).to.deep.equal([80, 100])
  })

  it('are not sent again when they have arrived after all', () => {
    const bytes = new OutgoingBytes()
    bytes.append(counting(0, 30))
    bytes.onSent(0, 30)
    bytes.onAcked(10, 20)
    bytes.onLost(0, 30)
    expect([bytes.nextStart, bytes.nextEnd]).to.deep.equal([0, 10])
    bytes.onAcked(0, 10)
    expect([bytes.start, bytes.nextStart, bytes.nextEnd]).to.deep.equal([20, 20, 30])
    bytes.onAcked(20, 30)
    expect([bytes.isAllAcked, bytes.wantsToSend]).to.deep.equal([true, false])
  })

  it('do not cost more for each that is lost, the more of them have arrived beyond a gap', () => {
    const PIECES = 7000
    const bytes = new OutgoingBytes()
    bytes.append(new Uint8Array(PIECES))
    bytes.onSent(0, PIECES)
    // Every other one arrives.
    for (let i = 1; i < PIECES; i += 2) bytes.onAcked(i, i + 1)
    const { startAt } = RangeSet.prototype
    let looks = 0
    RangeSet.prototype.startAt = function (i) {
      looks++
      return startAt.call(this, i)
    }
    try {
      for (let i = 0; i < PIECES; i += 2) bytes.onLost(i, i + 1)
    } finally {
      RangeSet.prototype.startAt = startAt
    }
    expect(looks).to.be.within(PIECES / 2 - 1, 2 * PIECES)
    for (let i = 0; i < PIECES; i += 2) {
      expect([bytes.nextStart, bytes.nextEnd]).to.deep.equal([i, i + 1])
      bytes.onSent(i, i + 1)
    }
    expect(bytes.wantsToSend).to.equal(false)
  })

  it('all arrive, whatever is lost, repeated and late, and as they were written', () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant('write' as const), length: fc.nat({ max: 1500 }) }),
      fc.record({ kind: fc.constant('send' as const), length: fc.integer({ min: 1, max: 1500 }) }),
      fc.record({ kind: fc.constantFrom('lose' as const, 'ack' as const), index: fc.nat({ max: 1000 }) }),
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), steps => {
        const bytes = new OutgoingBytes()
        const written: number[] = []
        const arrived = new Map<number, number>()
        const frames: { start: number; end: number }[] = []
        const send = (length: number): void => {
          if (!bytes.wantsToSend) return
          const start = bytes.nextStart
          const end = Math.min(bytes.nextEnd, start + length)
          bytes.slice(start, end).forEach((byte, i) => {
            if (byte !== written[start + i]) throw new Error(`another byte at ${start + i}`)
          })
          bytes.onSent(start, end)
          frames.push({ start, end })
        }
        const ack = ({ start, end }: { start: number; end: number }): void => {
          for (let i = start; i < end; i++) arrived.set(i, 1)
          bytes.onAcked(start, end)
        }
        for (const each of steps) {
          if (each.kind === 'write') {
            const data = counting(written.length * 7, each.length)
            bytes.append(data)
            written.push(...data)
          } else if (each.kind === 'send') send(each.length)
          else if (frames.length > 0) {
            const frame = frames[each.index % frames.length]
            if (each.kind === 'ack') ack(frame)
            else bytes.onLost(frame.start, frame.end)
          }
        }
        while (bytes.wantsToSend) send(1000)
        for (const frame of frames) ack(frame)
        expect(bytes.isAllAcked).to.equal(true)
        expect(arrived.size).to.equal(written.length)
      }),
    )
  })
})
