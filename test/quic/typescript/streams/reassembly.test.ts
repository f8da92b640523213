import { expect } from 'chai'
import fc from 'fast-check'
import { Reassembly } from '../../../../src/quic/typescript/streams/reassembly.ts'

function takeAll(reassembly: Reassembly): number[] {
  const taken: number[] = []
  for (let data = reassembly.take(); data !== undefined; data = reassembly.take()) taken.push(...data)
  return taken
}

describe('reassembly', () => {
  it('gives every byte once, in order, and of two for one place the first', () => {
    const piece = fc.record({
      // Near the end of a block, too, which is 4096 bytes.
      offset: fc.oneof(fc.nat({ max: 300 }), fc.integer({ min: 4000, max: 4200 })),
      data: fc.uint8Array({ maxLength: 400 }),
      read: fc.boolean(),
    })
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 80 }), fc.boolean(), (pieces, fillUp) => {
        const reassembly = new Reassembly()
        const model = new Map<number, number>()
        const taken: number[] = []
        const all = fillUp ? [...pieces, { offset: 0, data: new Uint8Array(4300), read: true }] : pieces
        for (const { offset, data, read } of all) {
          reassembly.insert(offset, data)
          data.forEach((byte, i) => {
            if (!model.has(offset + i)) model.set(offset + i, byte)
          })
          if (read) taken.push(...takeAll(reassembly))
        }
        taken.push(...takeAll(reassembly))
        const expected: number[] = []
        for (let i = 0; model.has(i); i++) expected.push(model.get(i)!)
        expect(taken).to.deep.equal(expected)
        expect(reassembly.read).to.equal(expected.length)
        expect(reassembly.hasGap).to.equal(model.size > expected.length)
      }),
    )
  })

  it('one byte in two costs no more than all of them do', () => {
    const window = 512 << 10
    const reassembly = new Reassembly()
    const before = process.memoryUsage()
    const one = new Uint8Array(1)
    for (let offset = 1; offset < window; offset += 2) reassembly.insert(offset, one)
    const after = process.memoryUsage()
    const grown = after.arrayBuffers + after.heapUsed - before.arrayBuffers - before.heapUsed
    // As much as the window, and a bit for each byte; the rest is what the garbage collector has not seen yet.
    expect(after.arrayBuffers - before.arrayBuffers).to.be.lessThan(window * 1.2)
    expect(grown).to.be.lessThan(window * 24)
    for (let offset = 0; offset < window; offset += 2) reassembly.insert(offset, one)
    expect(reassembly.ready).to.equal(window)
  })
})
