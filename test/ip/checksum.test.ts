import { expect } from 'chai'
import fc from 'fast-check'
import { incrementalUpdate, internetChecksum, pseudoHeaderSum, wordSum } from '../../src/ip/checksum.ts'
import { hex } from './arbitraries.ts'

/** RFC 1071 word by word, with the carry added after every step. */
function naiveChecksum(bytes: Uint8Array): number {
  let sum = 0
  for (let i = 0; i < bytes.length; i += 2) {
    sum += bytes[i] * 256 + (i + 1 < bytes.length ? bytes[i + 1] : 0)
    if (sum > 0xffff) sum -= 0xffff
  }
  return 0xffff - sum
}

describe('Internet checksum', () => {
  it('is that of the example in RFC 1071 §3', () => {
    expect(internetChecksum(hex('0001f203f4f5f6f7'), 0, 8)).to.equal(~0xddf2 & 0xffff)
  })

  it('is what the definition says, for even and odd lengths at any offset', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), fc.nat(5), (bytes, offset) => {
        const padded = new Uint8Array(bytes.length + 10).fill(0xa5)
        padded.set(bytes, offset)
        expect(internetChecksum(padded, offset, bytes.length)).to.equal(naiveChecksum(bytes))
      }),
    )
  })

  it('continues from the sum of what comes before', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), fc.uint8Array({ maxLength: 40 }), (first, second) => {
        fc.pre(first.length % 2 === 0)
        const whole = Uint8Array.of(...first, ...second)
        expect(internetChecksum(second, 0, second.length, wordSum(first, 0, first.length))).to.equal(
          naiveChecksum(whole),
        )
      }),
    )
  })

  it('carries correctly over the largest packet there is', () => {
    expect(internetChecksum(new Uint8Array(65535).fill(0xff), 0, 65535)).to.equal(0x00ff)
    expect(internetChecksum(new Uint8Array(65534).fill(0xff), 0, 65534, 0xffff * 40)).to.equal(0)
  })

  it('CIP-30 updated by RFC 1624 equation 3 equals the one computed anew, for any header and any change', () => {
    const header = fc.uint8Array({ minLength: 20, maxLength: 60 }).map(bytes => {
      const even = bytes.subarray(0, bytes.length & ~1)
      even[0] = 0x45 // As in every IPv4 header there is something in it that is not 0.
      even.fill(0, 10, 12)
      return even
    })
    fc.assert(
      fc.property(header, fc.nat(40), fc.nat(0xffff), (bytes, at, newWord) => {
        const word = (at % (bytes.length / 2)) * 2
        fc.pre(word !== 10 && word !== 0)
        const before = internetChecksum(bytes, 0, bytes.length)
        const oldWord = (bytes[word] << 8) | bytes[word + 1]
        bytes[word] = newWord >> 8
        bytes[word + 1] = newWord
        expect(incrementalUpdate(before, oldWord, newWord)).to.equal(internetChecksum(bytes, 0, bytes.length))
      }),
      { numRuns: 500 },
    )
  })

  it('CIP-30 updated incrementally gets the example of RFC 1624 §4 right, where equation 2 gives 0xffff', () => {
    expect(incrementalUpdate(0xdd2f, 0x5555, 0x3285)).to.equal(0x0000)
  })

  it('has a pseudo header with the same sum as if it were written out', () => {
    const addresses = fc
      .constantFrom(8 as const, 32 as const)
      .chain(length => fc.uint8Array({ minLength: length, maxLength: length }))
    fc.assert(
      fc.property(addresses, fc.nat(255), fc.nat(0x1ffff), (addresses, protocol, length) => {
        const written = Uint8Array.of(...addresses, 0, length >> 16, length >> 8, length, 0, 0, 0, protocol)
        const sum = pseudoHeaderSum(addresses, 0, addresses.length as 8 | 32, protocol, length)
        expect(internetChecksum(new Uint8Array(0), 0, 0, sum)).to.equal(naiveChecksum(written))
      }),
    )
  })
})
