import { expect } from 'chai'
import fc from 'fast-check'
import type { Header } from '../../../src/http/header.ts'
import { H3ErrorCode } from '../../../src/http3/error-codes.ts'
import { H3Error } from '../../../src/http3/errors.ts'
import { decodeFieldSection, maxEncodedLength } from '../../../src/http3/qpack/decoder.ts'
import { encodeFieldSection, fieldSectionSize } from '../../../src/http3/qpack/encoder.ts'
import { huffmanEncode } from '../../../src/http3/qpack/huffman.ts'
import { STATIC_TABLE } from '../../../src/http3/qpack/static-table.ts'
import { CONNECT_IP, hex, toHex } from '../conversation.ts'

const LIMIT = 16 * 1024

/** Strings whose characters are bytes. */
const byteString = fc.uint8Array({ maxLength: 40 }).map(bytes => String.fromCharCode(...bytes))
const header = fc.oneof(
  fc.constantFrom(...STATIC_TABLE),
  fc.tuple(fc.constantFrom(...STATIC_TABLE.map(([name]) => name)), byteString),
  fc.tuple(byteString, byteString),
)

function failure(bytes: Uint8Array, limit = LIMIT): H3Error {
  try {
    decodeFieldSection(bytes, limit)
  } catch (error) {
    if (error instanceof H3Error) return error
    throw error
  }
  throw new Error('it was decoded')
}

describe('QPACK field sections (RFC 9204 §4.5)', () => {
  it('H3-04 decode the static example of RFC 9204 Appendix B.1', () => {
    const bytes = hex('0000 510b 2f69 6e64 6578 2e68 746d 6c')
    expect(decodeFieldSection(bytes, LIMIT)).to.deep.equal([[':path', '/index.html']])
  })

  it('H3-04 use the numbers of the static table of RFC 9204 Appendix A', () => {
    expect(STATIC_TABLE).to.have.length(99)
    for (const [index, name, value] of [
      [0, ':authority', ''],
      [15, ':method', 'CONNECT'],
      [23, ':scheme', 'https'],
      [25, ':status', '200'],
      [52, 'content-type', 'text/html; charset=utf-8'],
      [62, 'x-xss-protection', '1; mode=block'],
      [63, ':status', '100'],
      [85, 'content-security-policy', "script-src 'none'; object-src 'none'; base-uri 'none'"],
      [98, 'x-frame-options', 'sameorigin'],
    ] as const) {
      expect(STATIC_TABLE[index]).to.deep.equal([name, value])
    }
    expect(toHex(encodeFieldSection([[':method', 'CONNECT']]))).to.equal('0000cf')
    expect(toHex(encodeFieldSection([['x-frame-options', 'sameorigin']]))).to.equal('0000ff23')
  })

  it('H3-04 bring back the header lines, in order', () => {
    fc.assert(
      fc.property(fc.array(header, { maxLength: 12 }), headers => {
        expect(decodeFieldSection(encodeFieldSection(headers), LIMIT)).to.deep.equal(headers)
      }),
      { numRuns: 300 },
    )
  })

  it('H3-04 cut at any byte give fewer lines or QPACK_DECOMPRESSION_FAILED', () => {
    const bytes = encodeFieldSection([...CONNECT_IP, ['x-lab', 'masque']])
    for (let end = 0; end < bytes.length; end++) {
      try {
        const headers = decodeFieldSection(bytes.subarray(0, end), LIMIT)
        expect(headers).to.deep.equal(CONNECT_IP.slice(0, headers.length))
      } catch (error) {
        expect(error).to.be.instanceOf(H3Error)
        expect((error as H3Error).code).to.equal(H3ErrorCode.QPACK_DECOMPRESSION_FAILED)
      }
    }
  })

  it('H3-04 of arbitrary bytes give lines or a typed error', () => {
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 100 }),
      fc.uint8Array({ maxLength: 100 }).map(rest => Uint8Array.of(0, 0, ...rest)),
    )
    fc.assert(
      fc.property(bytes, input => {
        try {
          decodeFieldSection(input, LIMIT)
        } catch (error) {
          expect(error).to.be.instanceOf(H3Error)
        }
      }),
      { numRuns: 500 },
    )
  })

  it('H3-04 that refer to the dynamic table fail with QPACK_DECOMPRESSION_FAILED', () => {
    for (const bytes of [
      '0200 d1', // Required Insert Count 1, although what follows is in the static table
      '0381 10 11', // RFC 9204 Appendix B.2: Required Insert Count 2, post-base indexes
      '0000 80', // indexed, dynamic
      '0000 40 00', // literal with a dynamic name
      '0000 10', // indexed, post-base
      '0000 00 00', // literal with a post-base name
      '0080', // negative base
    ]) {
      const error = failure(hex(bytes))
      expect(error.code, bytes).to.equal(H3ErrorCode.QPACK_DECOMPRESSION_FAILED)
      expect(error.scope).to.equal('connection')
    }
  })

  it('H3-04 with an index beyond the static table fail with QPACK_DECOMPRESSION_FAILED', () => {
    expect(failure(hex('0000 ff24')).code).to.equal(H3ErrorCode.QPACK_DECOMPRESSION_FAILED)
    expect(failure(hex('0000 ff80feffffffffffff3f')).code).to.equal(H3ErrorCode.QPACK_DECOMPRESSION_FAILED)
  })

  it('H3-04 with a length beyond their end fail without being allocated', () => {
    expect(failure(hex('0000 510f')).message).to.contain('15 bytes expected')
    expect(failure(hex('0000 51 7f80ffffffffff7f')).code).to.equal(H3ErrorCode.QPACK_DECOMPRESSION_FAILED)
  })

  it('H3-04 larger than the limit end the stream, not the connection', () => {
    // One byte a line on the wire, 32 and more when decoded: a compression bomb.
    const bomb = new Uint8Array(2 + 10_000).fill(0xc0 | 17, 2)
    const error = failure(bomb)
    expect(error.scope).to.equal('stream')
    expect(error.code).to.equal(H3ErrorCode.H3_EXCESSIVE_LOAD)
    const lines: Header[] = [['a', 'b']]
    expect(fieldSectionSize(lines)).to.equal(34)
    expect(decodeFieldSection(encodeFieldSection(lines), 34)).to.deep.equal(lines)
    expect(failure(encodeFieldSection(lines), 33).scope).to.equal('stream')
  })

  it('H3-04 are measured as decoded, however long their code is: to the limit and not beyond', () => {
    // A name of one character whose code has 28 bits, and a value of ten: legal, and longer in Huffman's code than without it.
    const coded = (text: string) => huffmanEncode(Uint8Array.from(text, character => character.charCodeAt(0)))
    const value = '\u00f9'.repeat(10)
    const line = Uint8Array.of(0x21, 'x'.charCodeAt(0), 0x80 | coded(value).length, ...coded(value))
    const section = Uint8Array.of(0, 0, ...line, ...line)
    const size = 2 * (1 + 10 + 32)
    expect(coded(value).length).to.equal(35)
    expect(decodeFieldSection(section, size)).to.deep.equal([
      ['x', value],
      ['x', value],
    ])
    for (const limit of [0, 31, 32, 33, 42, 43, 74, 75, 76, size - 1]) {
      expect(failure(section, limit), `${limit}`).to.include({ scope: 'stream', code: H3ErrorCode.H3_EXCESSIVE_LOAD })
    }
    // The static table's name alone is too long already.
    for (const text of ['50 00', '50 80', '50 8164', '5f1d 8164']) {
      expect(failure(hex(`0000 ${text}`), 34).scope, text).to.equal('stream')
    }
  })

  it('H3-04 of the largest size allowed are never longer than maxEncodedLength, in whatever code', () => {
    /** An integer in as many bytes as are allowed: ten, when its prefix is full. */
    const integer = (first: number, prefix: number, value: number): number[] => {
      const full = (1 << prefix) - 1
      if (value < full) return [first | value]
      const rest = value - full
      const groups = [rest & 0x7f, (rest >> 7) & 0x7f, (rest >> 14) & 0x7f, 0, 0, 0, 0, 0]
      return [first | full, ...groups.map(group => group | 0x80), 0]
    }
    const worst = fc.string({ unit: fc.constantFrom('\n', '\r', '\u0016', '\u00f9', 'a'), maxLength: 60 })
    fc.assert(
      fc.property(fc.array(fc.tuple(worst, worst), { maxLength: 5 }), headers => {
        const string = (first: number, prefix: number, text: string): number[] => {
          const code = huffmanEncode(Uint8Array.from(text, character => character.charCodeAt(0)))
          return [...integer(first, prefix, code.length), ...code]
        }
        const lines = headers.flatMap(([name, value]) => [...string(0x28, 3, name), ...string(0x80, 7, value)])
        const section = Uint8Array.of(0, 0x7f, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0, ...lines)
        const size = fieldSectionSize(headers)
        expect(decodeFieldSection(section, size)).to.deep.equal(headers)
        expect(section.length).to.be.at.most(maxEncodedLength(size))
      }),
    )
  })

  it('H3-04 mark credentials as never to be indexed', () => {
    const bytes = encodeFieldSection([['authorization', 'Bearer secret']])
    expect(bytes[2] & 0xf0).to.equal(0x70)
    expect(decodeFieldSection(bytes, LIMIT)).to.deep.equal([['authorization', 'Bearer secret']])
  })

  it('H3-04 refuse to encode characters that are not bytes', () => {
    expect(() => encodeFieldSection([['x', '→']])).to.throw(RangeError, '→')
  })
})
