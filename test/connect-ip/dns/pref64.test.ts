import { expect } from 'chai'
import fc from 'fast-check'
import { decodePref64, encodePref64, NAT64_PREFIX_LENGTHS } from '../../../src/connect-ip/dns/pref64.ts'
import { ConnectIpError } from '../../../src/connect-ip/errors.ts'
import { IpPrefix } from '../../../src/ip/prefix.ts'
import { addressOf, bytes } from '../arbitraries.ts'
import { capsuleValue } from '../capsule-value.ts'

const WELL_KNOWN = [96, 0x00, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0]

describe('connect-ip/dns/pref64', () => {
  it('CIP-40 encodes the example of the draft, 64:ff9b::/96', () => {
    const capsule = encodePref64([IpPrefix.parse('64:ff9b::/96')])
    expect([...capsule]).to.deep.equal([0xa7, 0x4c, 0x0f, 0xbc, 13, ...WELL_KNOWN])
    expect(decodePref64(Uint8Array.from(WELL_KNOWN)).map(String)).to.deep.equal(['64:ff9b::/96'])
  })

  it('CIP-40 reads an empty list: there is no NAT64 any more', () => {
    expect(decodePref64(new Uint8Array(0))).to.deep.equal([])
  })

  it('CIP-40 gives back any list', () => {
    const prefix = fc
      .tuple(addressOf(6), fc.constantFrom(...NAT64_PREFIX_LENGTHS))
      .map(([address, length]) => IpPrefix.containing(address, length))
    fc.assert(
      fc.property(fc.array(prefix, { maxLength: 10 }), prefixes => {
        expect(decodePref64(capsuleValue(encodePref64(prefixes))).map(String)).to.deep.equal(prefixes.map(String))
      }),
    )
  })

  it('CIP-40 either reads any bytes or finds them malformed', () => {
    fc.assert(
      fc.property(bytes, value => {
        try {
          decodePref64(value)
        } catch (error) {
          expect(error).to.be.instanceOf(ConnectIpError)
        }
      }),
      { numRuns: 500 },
    )
  })

  it('CIP-40 finds a length malformed that is no multiple of 13', () => {
    for (const length of [1, 12, 14, 25]) {
      expect(() => decodePref64(Uint8Array.from([...WELL_KNOWN, ...WELL_KNOWN]).subarray(0, length)))
        .to.throw(ConnectIpError, /13/)
        .with.property('abortReason', 'malformed')
    }
  })

  it('CIP-40 finds prefix lengths malformed for which RFC 6052 has no form', () => {
    for (let length = 0; length < 256; length++) {
      const value = Uint8Array.from([length, ...WELL_KNOWN.slice(1)])
      if ([32, 40, 48, 56, 64, 96].includes(length)) decodePref64(value)
      else expect(() => decodePref64(value), String(length)).to.throw(ConnectIpError, /prefix length/)
    }
  })

  it('CIP-40 ignores bits beyond the length of a prefix', () => {
    const value = Uint8Array.from([32, 0x20, 0x01, 0x0d, 0xb8, ...new Array(8).fill(0xff)])
    expect(decodePref64(value).map(String)).to.deep.equal(['2001:db8::/32'])
  })

  it('CIP-40 never sends a prefix of another kind', () => {
    for (const wrong of ['192.0.2.0/24', '2001:db8::/33', '::/0']) {
      expect(() => encodePref64([IpPrefix.parse(wrong)])).to.throw(RangeError, /NAT64/)
    }
  })

  it('CIP-40 takes a bounded number of prefixes', () => {
    expect(() => decodePref64(new Uint8Array(13 * 1025)))
      .to.throw(ConnectIpError, /more than 1024/)
      .with.property('abortReason', 'excessive-load')
  })
})
