import { expect } from 'chai'
import fc from 'fast-check'
import { fromWire, NotCloneable, toWire } from '../../../labs/kit/student-code/codec.ts'
import { encodeFrame, FrameReader } from '../../../labs/kit/student-code/frames.ts'

const throughJson = (value: unknown) => fromWire(JSON.parse(JSON.stringify(toWire(value))))

describe('values between a check and the student process', () => {
  it('arrive as they were sent', () => {
    const values = fc.anything({
      withBigInt: true,
      withMap: true,
      withSet: true,
      withTypedArray: true,
      withDate: true,
      withBoxedValues: false,
      withNullPrototype: false,
      maxDepth: 3,
    })
    fc.assert(
      fc.property(values, value => {
        expect(throughJson(value)).to.deep.equal(value)
      }),
      { numRuns: 300 },
    )
  })

  it('keep a negative zero, infinities and what is not a number', () => {
    const [zero, least, nan] = throughJson([-0, -Infinity, Number.NaN]) as number[]
    expect(Object.is(zero, -0)).to.equal(true)
    expect(least).to.equal(-Infinity)
    expect(nan).to.be.NaN
  })

  it('are Uint8Arrays where they were Buffers, and are copied out of larger buffers', () => {
    const value = throughJson(Buffer.from([0, 1, 2, 3]).subarray(1, 3)) as Uint8Array
    expect(Object.getPrototypeOf(value)).to.equal(Uint8Array.prototype)
    expect([...value]).to.deep.equal([1, 2])
  })

  it('may have a key __proto__ that is a key and nothing else', () => {
    const value = throughJson(JSON.parse('{"__proto__": {"polluted": true}}')) as object
    expect(Object.keys(value)).to.deep.equal(['__proto__'])
    expect('polluted' in value).to.equal(false)
    expect('polluted' in {}).to.equal(false)
  })

  it('are refused with the place where they cannot be copied', () => {
    const cycle: { inner: unknown[] } = { inner: [] }
    cycle.inner.push(cycle)
    expect(() => toWire({ a: [1, () => 2] })).to.throw(NotCloneable, 'the value.a[1] is a function')
    expect(() => toWire(cycle)).to.throw(NotCloneable, 'the value.inner[0] contains itself')
    expect(() => toWire([Promise.resolve()])).to.throw(NotCloneable, 'await')
  })

  it('are read without trust: whatever JSON arrives is a value or a TypeError', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 5 }), wire => {
        try {
          fromWire(wire)
        } catch (error) {
          expect(error).to.be.instanceOf(TypeError)
        }
      }),
      { numRuns: 500 },
    )
  })

  it('are not nested endlessly when they are read', () => {
    const deep = JSON.parse(`${'["a",'.repeat(5000)}1${']'.repeat(5000)}`)
    expect(() => fromWire(deep)).to.throw(TypeError)
  })
})

describe('frames on the pipe to the student process', () => {
  it('are put together from pieces of any size', () => {
    const messages = [{ id: 1, text: 'é'.repeat(50) }, [], null, 'x']
    const bytes = Buffer.concat(messages.map(encodeFrame))
    fc.assert(
      fc.property(fc.integer({ min: 1, max: bytes.length }), size => {
        const reader = new FrameReader()
        const found: unknown[] = []
        for (let at = 0; at < bytes.length; at += size) found.push(...reader.push(bytes.subarray(at, at + size)))
        expect(found).to.deep.equal(messages)
      }),
    )
  })

  it('are refused when they claim to be longer than any message', () => {
    expect(() => new FrameReader().push(Buffer.from([0xff, 0, 0, 0]))).to.throw(RangeError)
  })
})
