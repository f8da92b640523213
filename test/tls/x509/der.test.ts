import { expect } from 'chai'
import fc from 'fast-check'
import { DecodeError } from '../../../src/bytes/errors.ts'
import * as write from '../../../src/cert/der.ts'
import { boolean, DerReader, namedBits, objectIdentifier, smallInteger, Tag, time } from '../../../src/tls/x509/der.ts'

const content = (encoded: Uint8Array): { tag: number; content: Uint8Array } => new DerReader(encoded).takeAny()

describe('DER', () => {
  it('brings back what was written', () => {
    fc.assert(
      fc.property(fc.constantFrom(...Object.values(Tag)), fc.uint8Array({ maxLength: 70_000 }), (tag, bytes) => {
        const reader = new DerReader(write.der(tag, bytes))
        expect(reader.has(tag)).to.equal(true)
        expect(Buffer.compare(reader.take(tag), bytes)).to.equal(0)
        expect(reader.atEnd).to.equal(true)
      }),
      { numRuns: 30 },
    )
  })

  it('brings back object identifiers', () => {
    const arcs = fc.array(fc.nat(), { minLength: 1, maxLength: 8 })
    fc.assert(
      fc.property(fc.tuple(fc.nat(1), fc.nat(39), arcs), ([first, second, rest]) => {
        const dotted = [first, second, ...rest].join('.')
        expect(objectIdentifier(content(write.objectIdentifier(dotted)).content)).to.equal(dotted)
      }),
    )
    expect(objectIdentifier(Uint8Array.of(0x88, 0x37))).to.equal('2.999')
    for (const bad of [[], [0x80], [0x2a, 0x86], new Array(12).fill(0xff)]) {
      expect(() => objectIdentifier(Uint8Array.from(bad))).to.throw(DecodeError)
    }
  })

  it('brings back times, in both of their forms', () => {
    const when = fc.date({
      min: new Date('1950-01-01T00:00:00Z'),
      max: new Date('9999-12-31T23:59:59Z'),
      noInvalidDate: true,
    })
    fc.assert(
      fc.property(when, date => {
        const { tag, content: text } = content(write.time(date))
        expect(time(tag, text)).to.equal(Math.floor(date.getTime() / 1000) * 1000)
      }),
    )
    const utc = (text: string) => () => time(Tag.UTC_TIME, Buffer.from(text))
    expect(utc('491231235959Z')()).to.equal(Date.UTC(2049, 11, 31, 23, 59, 59))
    expect(utc('500101000000Z')()).to.equal(Date.UTC(1950, 0, 1))
    for (const bad of [
      '',
      '4912312359Z',
      '491231235959',
      '491231235959+0100',
      '490230000000Z',
      '491331000000Z',
      '490101240000Z',
    ]) {
      expect(utc(bad), bad).to.throw(DecodeError)
    }
    expect(() => time(Tag.SEQUENCE, Buffer.from('491231235959Z'))).to.throw(DecodeError)
  })

  it('refuses lengths that are not in their shortest form, indefinite ones, and those beyond the end', () => {
    const bad = [
      [0x04, 0x80],
      [0x04, 0x81, 0x01, 0],
      [0x04, 0x82, 0, 0x80],
      [0x04, 0x84, 0, 0, 0, 1, 0],
      [0x04, 2, 0],
      [0x04],
      [],
    ]
    for (const bytes of bad) expect(() => content(Uint8Array.from(bytes)), bytes.join()).to.throw(DecodeError)
    expect(() => content(Uint8Array.of(0x1f, 0x81, 0))).to.throw(DecodeError)
  })

  it('reads booleans, small integers and named bits, and nothing else as such', () => {
    expect([boolean(Uint8Array.of(0xff)), boolean(Uint8Array.of(0))]).to.deep.equal([true, false])
    for (const bad of [[], [1], [0, 0]]) expect(() => boolean(Uint8Array.from(bad))).to.throw(DecodeError)
    expect(smallInteger(Uint8Array.of(0x7f, 0xff, 0xff, 0xff))).to.equal(2 ** 31 - 1)
    for (const bad of [[], [0x80], [1, 0, 0, 0, 0]])
      expect(() => smallInteger(Uint8Array.from(bad))).to.throw(DecodeError)
    expect(namedBits(Uint8Array.of(1, 0b1000_0110))).to.equal((1 << 0) | (1 << 5) | (1 << 6))
    expect(namedBits(Uint8Array.of(0))).to.equal(0)
    for (const bad of [[], [8, 1], [1]]) expect(() => namedBits(Uint8Array.from(bad))).to.throw(DecodeError)
  })
})
