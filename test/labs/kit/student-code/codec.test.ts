import assert from 'node:assert/strict'
import { inspect } from 'node:util'
import { expect } from 'chai'
import fc from 'fast-check'
import { fromWire, NotCloneable, toWire } from '../../../../labs/kit/student-code/codec.ts'
import { encodeFrame, FrameReader } from '../../../../labs/kit/student-code/frames.ts'

/** A text of the value in which the order of everything shows. */
const inOrder = (value: unknown): string => inspect(value, { depth: null, maxArrayLength: null, maxStringLength: null })

/** Bytes, as on the pipe. */
const throughJson = (value: unknown) => fromWire(new FrameReader().push(encodeFrame(toWire(value)))[0])

describe('values between a check and the student process', () => {
  it('arrive as they were sent, also those that JSON and comparisons are careless about', () => {
    const values = fc.anything({
      withBigInt: true,
      withMap: true,
      withSet: true,
      withTypedArray: true,
      withDate: true,
      withSparseArray: true,
      withUnicodeString: true,
      withBoxedValues: false,
      withNullPrototype: false,
      maxDepth: 3,
    } as fc.ObjectConstraints)
    // Any 16-bit units: halves of surrogate pairs, too.
    const texts = fc.array(fc.integer({ min: 0, max: 0xffff })).map(units => String.fromCharCode(...units))
    fc.assert(
      fc.property(
        fc.oneof(values, texts, fc.array(texts), fc.dictionary(texts, values, { noNullPrototype: true })),
        value => {
          const arrived = throughJson(value)
          // Node's comparison tells -0 from 0, a hole from undefined, and compares Maps and Sets; order is compared as well.
          // Two invalid dates are never equal for it (Node 20): there the text decides.
          if (!inOrder(value).includes('Invalid Date')) assert.deepStrictEqual(arrived, value)
          expect(inOrder(arrived)).to.equal(inOrder(value))
        },
      ),
      { numRuns: Number(process.env.RUNS ?? 300) },
    )
  })

  it('keep what is no date, and a date of any time that there is', () => {
    const dates = [new Date(Number.NaN), new Date(0), new Date(8.64e15), new Date(-8.64e15), new Date(-1)]
    const arrived = throughJson(dates) as Date[]
    expect(arrived.every(date => date instanceof Date)).to.equal(true)
    expect(arrived.map(Number)).to.deep.equal(dates.map(Number))
  })

  it('keep holes in arrays, negative zeros and NaN in typed arrays, and views of all kinds', () => {
    // biome-ignore lint/suspicious/noSparseArray: that is the point.
    const sparse = throughJson([, 1, , undefined, ,]) as unknown[]
    expect(sparse).to.have.length(5)
    expect([0, 1, 2, 3, 4].map(i => i in sparse)).to.deep.equal([false, true, false, true, false])
    const views = [
      new Float32Array([-0, Number.NaN, Infinity]),
      new Float64Array([-0, Number.NaN, -Infinity, 5e-324]),
      new BigInt64Array([-(2n ** 63n), -1n]),
      new BigUint64Array([2n ** 64n - 1n]),
      new Uint8ClampedArray([0, 255]),
    ]
    assert.deepStrictEqual(throughJson(views), views)
    // What has no type of its own is bytes.
    const { buffer } = Uint8Array.of(1, 2, 3)
    assert.deepStrictEqual(throughJson([new DataView(buffer, 1, 2), buffer]), [
      Uint8Array.of(2, 3),
      Uint8Array.of(1, 2, 3),
    ])
  })

  it('keep halves of surrogate pairs, and the order of Maps, Sets and keys', () => {
    const value = new Map<unknown, unknown>([
      ['\ud800', new Set(['b', '\udfff', 'a'])],
      ['constructor', { b: 1, a: 2 }],
    ])
    const arrived = throughJson(value)
    assert.deepStrictEqual(arrived, value)
    expect(inOrder(arrived)).to.equal(inOrder(value))
  })

  it('may have the names of what every object has as keys, also of Maps', () => {
    const keys = ['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'toJSON', 'then', 'length']
    const value = Object.create(
      Object.prototype,
      Object.fromEntries(keys.map(key => [key, { value: key, enumerable: true, writable: true, configurable: true }])),
    )
    assert.deepStrictEqual(throughJson(value), value)
    expect(Object.keys(throughJson(value) as object)).to.deep.equal(keys)
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
    expect(() => toWire({ a: new Array(4_000_000_000) })).to.throw(NotCloneable, 'the value.a has 4000000000 elements')
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
