import { expect } from 'chai'
import fc from 'fast-check'
import { decodeAddressAssign, encodeAddressAssign, isRefusal, refusal } from '../../src/connect-ip/address-assign.ts'
import { encodeAddressEntries } from '../../src/connect-ip/address-entry.ts'
import { ConnectIpError } from '../../src/connect-ip/errors.ts'
import { IpPrefix } from '../../src/ip/prefix.ts'
import { bytes, entry } from './arbitraries.ts'
import { capsuleValue } from './capsule-value.ts'

function texts(entries: readonly { requestId: bigint; prefix: IpPrefix }[]): string[] {
  return entries.map(({ requestId, prefix }) => `${requestId} ${prefix}`)
}

describe('connect-ip/address-assign', () => {
  it('CIP-12 encodes the assignment of RFC 9484 §8.1', () => {
    const capsule = encodeAddressAssign([{ requestId: 1n, prefix: IpPrefix.parse('192.0.2.11/32') }])
    expect([...capsule]).to.deep.equal([0x01, 7, 1, 4, 192, 0, 2, 11, 32])
  })

  it('CIP-12 reads an empty list', () => {
    expect(decodeAddressAssign(new Uint8Array(0))).to.deep.equal([])
    expect([...encodeAddressAssign([])]).to.deep.equal([0x01, 0])
  })

  it('CIP-12 gives back any list', () => {
    fc.assert(
      fc.property(fc.array(entry, { maxLength: 20 }), entries => {
        expect(texts(decodeAddressAssign(capsuleValue(encodeAddressAssign(entries))))).to.deep.equal(texts(entries))
      }),
      { numRuns: 300 },
    )
  })

  it('CIP-15 turns any bytes into a list or a ConnectIpError', () => {
    fc.assert(
      fc.property(bytes, value => {
        try {
          expect(decodeAddressAssign(value)).to.be.an('array')
        } catch (error) {
          expect(error).to.be.instanceOf(ConnectIpError)
        }
      }),
      { numRuns: 500 },
    )
  })

  it('CIP-15 refuses a list that is cut off at any byte inside an entry', () => {
    const one = encodeAddressEntries([{ requestId: 70n, prefix: IpPrefix.parse('2001:db8::/64') }])
    for (let length = 1; length < one.length; length++) {
      expect(() => decodeAddressAssign(one.subarray(0, length)), `${length} bytes`)
        .to.throw(ConnectIpError)
        .with.property('abortReason', 'malformed')
    }
  })

  it('CIP-15 refuses bytes after the last entry', () => {
    expect(() => decodeAddressAssign(Uint8Array.of(0, 4, 10, 0, 0, 1, 32, 0))).to.throw(ConnectIpError)
  })

  it('CIP-15 refuses IP versions other than 4 and 6', () => {
    for (const version of [0, 5, 7, 255]) {
      const value = Uint8Array.of(0, version, 10, 0, 0, 1, 32)
      expect(() => decodeAddressAssign(value)).to.throw(ConnectIpError, `IP version ${version}`)
    }
  })

  it('CIP-15 refuses a prefix length beyond the address', () => {
    expect(() => decodeAddressAssign(Uint8Array.of(0, 4, 10, 0, 0, 1, 33))).to.throw(ConnectIpError, '33')
    const v6 = Uint8Array.of(0, 6, 0x20, 1, ...new Array(14).fill(0), 129)
    expect(() => decodeAddressAssign(v6)).to.throw(ConnectIpError, '129')
  })

  it('CIP-15 refuses bits set beyond the prefix', () => {
    expect(() => decodeAddressAssign(Uint8Array.of(0, 4, 10, 0, 0, 1, 24))).to.throw(ConnectIpError, 'beyond')
  })

  it('CIP-18 refuses more entries than the limit', () => {
    const value = encodeAddressEntries(
      Array.from({ length: 11 }, () => ({ requestId: 0n, prefix: IpPrefix.parse('10.0.0.1/32') })),
    )
    expect(() => decodeAddressAssign(value, 10))
      .to.throw(ConnectIpError)
      .with.property('abortReason', 'excessive-load')
    expect(decodeAddressAssign(value, 11)).to.have.length(11)
  })

  it('CIP-13 refuses a request with 0.0.0.0/32 or ::/128', () => {
    expect(texts([refusal(5n, 4), refusal(6n, 6)])).to.deep.equal(['5 0.0.0.0/32', '6 ::/128'])
    expect(isRefusal(refusal(5n, 4))).to.equal(true)
    expect(isRefusal({ requestId: 1n, prefix: IpPrefix.parse('0.0.0.0/0') })).to.equal(false)
    expect(isRefusal({ requestId: 1n, prefix: IpPrefix.parse('10.0.0.1/32') })).to.equal(false)
  })

  it('keeps nothing of the input, which may be overwritten', () => {
    const value = Uint8Array.of(0, 4, 10, 0, 0, 1, 32)
    const [assigned] = decodeAddressAssign(value)
    value.fill(0xff)
    expect(assigned.prefix.toString()).to.equal('10.0.0.1/32')
  })
})
