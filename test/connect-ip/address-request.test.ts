import { expect } from 'chai'
import fc from 'fast-check'
import { encodeAddressEntries } from '../../src/connect-ip/address-entry.ts'
import {
  decodeAddressRequest,
  encodeAddressRequest,
  type RequestedAddress,
} from '../../src/connect-ip/address-request.ts'
import { ConnectIpError } from '../../src/connect-ip/errors.ts'
import { IpPrefix } from '../../src/ip/prefix.ts'
import { bytes, entry } from './arbitraries.ts'

const any4 = IpPrefix.parse('0.0.0.0/32')

const text = ({ requestId, prefix }: RequestedAddress) => `${requestId} ${prefix}`

describe('connect-ip/address-request', () => {
  it('CIP-13 encodes the request of RFC 9484 §8.1', () => {
    expect([...encodeAddressRequest([{ requestId: 1n, prefix: any4 }])]).to.deep.equal([0x02, 7, 1, 4, 0, 0, 0, 0, 32])
  })

  it('CIP-13 gives back any list with distinct ids', () => {
    const list = fc.uniqueArray(entry, { minLength: 1, maxLength: 20, selector: e => e.requestId })
    fc.assert(
      fc.property(list, entries => {
        const decoded = decodeAddressRequest(encodeAddressEntries(entries))
        expect(decoded.map(text)).to.deep.equal(entries.map(text))
      }),
      { numRuns: 200 },
    )
  })

  it('CIP-13 keeps the prefix length of a request without a preferred address', () => {
    const [request] = decodeAddressRequest(Uint8Array.of(1, 4, 0, 0, 0, 0, 24))
    expect(request.prefix.toString()).to.equal('0.0.0.0/24')
  })

  it('CIP-13 aborts when nothing is requested', () => {
    expect(() => decodeAddressRequest(new Uint8Array(0)))
      .to.throw(ConnectIpError, 'one or more')
      .with.property('abortReason', 'malformed')
  })

  it('CIP-13 never sends a request for nothing', () => {
    expect(() => encodeAddressRequest([])).to.throw(RangeError)
  })

  it('CIP-13 aborts when a Request ID is 0', () => {
    expect(() => decodeAddressRequest(Uint8Array.of(0, 4, 0, 0, 0, 0, 32))).to.throw(ConnectIpError, 'Request ID 0')
  })

  it('CIP-13 aborts when a Request ID is there twice', () => {
    const twice = encodeAddressEntries([
      { requestId: 3n, prefix: any4 },
      { requestId: 3n, prefix: any4 },
    ])
    expect(() => decodeAddressRequest(twice)).to.throw(ConnectIpError, 'twice')
  })

  it('CIP-15 turns any bytes into a list or a ConnectIpError', () => {
    fc.assert(
      fc.property(bytes, value => {
        try {
          expect(decodeAddressRequest(value)).to.not.have.length(0)
        } catch (error) {
          expect(error).to.be.instanceOf(ConnectIpError)
        }
      }),
      { numRuns: 300 },
    )
  })

  it('CIP-15 refuses a request that is cut off at any byte', () => {
    const one = encodeAddressEntries([{ requestId: 1n << 40n, prefix: IpPrefix.parse('2001:db8::/64') }])
    for (let length = 0; length < one.length; length++) {
      expect(() => decodeAddressRequest(one.subarray(0, length))).to.throw(ConnectIpError)
    }
  })
})
