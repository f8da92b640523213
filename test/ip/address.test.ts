import { expect } from 'chai'
import fc from 'fast-check'
import { DecodeError } from '../../src/bytes/errors.ts'
import { IpAddress } from '../../src/ip/address.ts'
import { anyAddress, expectBytes, hex, mayOnlyThrowDecodeError } from './arbitraries.ts'

describe('IpAddress', () => {
  it('brings every address back from its text', () => {
    fc.assert(
      fc.property(anyAddress, address => {
        const parsed = IpAddress.parse(address.toString())
        expect(parsed.version).to.equal(address.version)
        expectBytes(parsed.bytes, address.bytes)
      }),
    )
  })

  it('brings every address back from its number', () => {
    fc.assert(
      fc.property(anyAddress, address => {
        expect(IpAddress.fromBigInt(address.version, address.toBigInt()).equals(address)).to.equal(true)
      }),
    )
  })

  it('refuses numbers with too many bits, and negative ones', () => {
    expect(() => IpAddress.fromBigInt(4, 1n << 32n)).to.throw(RangeError)
    expect(() => IpAddress.fromBigInt(6, 1n << 128n)).to.throw(RangeError)
    expect(() => IpAddress.fromBigInt(4, -1n)).to.throw(RangeError)
  })

  it('reads an IPv4 address at the end of an IPv6 address as its last four bytes', () => {
    expectBytes(IpAddress.parse('64:ff9b::192.0.2.33').bytes, hex('0064ff9b 00000000 00000000 c0000221'))
    expectBytes(IpAddress.parse('::1.2.3.4').bytes, hex('00000000 00000000 00000000 01020304'))
    expectBytes(IpAddress.parse('::ffff:1.2.3.4').bytes, hex('00000000 00000000 0000ffff 01020304'))
  })

  it('writes IPv6 as RFC 5952 says: lower case, no leading zeros, the longest run of zeros compressed once', () => {
    const canonical: [string, string][] = [
      ['2001:0DB8:0:0:0:0:0:1', '2001:db8::1'],
      ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
      ['2001:0:0:1:0:0:0:1', '2001:0:0:1::1'],
      ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
      ['0:0:0:0:0:0:0:0', '::'],
      ['fe80:0:0:0:0:0:0:0', 'fe80::'],
      ['::FFFF:C000:0201', '::ffff:192.0.2.1'],
    ]
    for (const [text, expected] of canonical) expect(IpAddress.parse(text).toString()).to.equal(expected)
  })

  const refused = [
    ['', 'nothing'],
    ['127.1', 'a short IPv4 form'],
    ['2130706433', 'an IPv4 address as one number'],
    ['010.0.0.1', 'octal'],
    ['0x7f.0.0.1', 'hexadecimal'],
    ['1.2.3.256', 'a part above 255'],
    ['1.2.3.4.5', 'five parts'],
    ['1.2.3.4 ', 'a space'],
    ['1.2.3.4\n', 'a line break'],
    ['1.2.3.4/24', 'a prefix'],
    ['fe80::1%eth0', 'a zone id'],
    ['fe80::1%251', 'an encoded zone id'],
    ['[::1]', 'brackets'],
    ['1::2::3', 'two compressions'],
    ['1:2:3:4:5:6:7', 'seven groups'],
    ['1:2:3:4:5:6:7:8:9', 'nine groups'],
    ['12345::', 'a group of five digits'],
    ['::ffff:01.2.3.4', 'octal inside IPv6'],
    ['::ffff:1.2.3', 'a short IPv4 form inside IPv6'],
    ['1.2.3.4::', 'IPv4 at the beginning of IPv6'],
    ['example.org', 'a name'],
  ]
  for (const [text, what] of refused) {
    it(`refuses ${what}: ${JSON.stringify(text)}`, () => {
      expect(() => IpAddress.parse(text)).to.throw(DecodeError, 'not an IP address')
    })
  }

  it('throws nothing but DecodeError on any text', () => {
    const addressLike = fc.string({ unit: fc.constantFrom(...'0123456789abcdefx:.%/ []'), maxLength: 60 })
    fc.assert(
      fc.property(fc.oneof(fc.string(), addressLike), text => {
        mayOnlyThrowDecodeError(() => IpAddress.parse(text))
      }),
      { numRuns: 500 },
    )
  })

  it('refuses a number of bytes that does not fit the version', () => {
    fc.assert(
      fc.property(fc.constantFrom<[4, 6]>(4, 6), fc.uint8Array({ maxLength: 20 }), (version, bytes) => {
        fc.pre(bytes.length !== (version === 4 ? 4 : 16))
        expect(() => IpAddress.from(version, bytes)).to.throw(DecodeError)
      }),
    )
    expect(() => IpAddress.from(5 as 4, new Uint8Array(4))).to.throw(DecodeError)
  })

  it('copies the bytes it is made from', () => {
    const bytes = Uint8Array.of(10, 0, 0, 1)
    const address = IpAddress.from(4, bytes)
    bytes[0] = 11
    expect(address.toString()).to.equal('10.0.0.1')
  })

  it('sorts IPv4 before IPv6 and then by number', () => {
    fc.assert(
      fc.property(anyAddress, anyAddress, (a, b) => {
        const byNumber = a.toBigInt() < b.toBigInt() ? -1 : a.toBigInt() > b.toBigInt() ? 1 : 0
        expect(Math.sign(a.compare(b))).to.equal(Math.sign(a.version - b.version) || byNumber)
        expect(a.equals(b)).to.equal(a.toString() === b.toString())
      }),
    )
  })

  it('knows the special addresses', () => {
    const kinds = ['isUnspecified', 'isLoopback', 'isLinkLocal', 'isMulticast', 'isBroadcast'] as const
    const examples: Record<string, (typeof kinds)[number] | undefined> = {
      '0.0.0.0': 'isUnspecified',
      '::': 'isUnspecified',
      '127.0.0.1': 'isLoopback',
      '127.255.255.255': 'isLoopback',
      '::1': 'isLoopback',
      '169.254.0.1': 'isLinkLocal',
      'fe80::1': 'isLinkLocal',
      'febf::1': 'isLinkLocal',
      '224.0.0.1': 'isMulticast',
      '239.255.255.255': 'isMulticast',
      'ff02::1': 'isMulticast',
      '255.255.255.255': 'isBroadcast',
      '10.0.0.1': undefined,
      '169.253.0.1': undefined,
      '223.255.255.255': undefined,
      '240.0.0.1': undefined,
      'fec0::1': undefined,
      '2001:db8::1': undefined,
      '::2': undefined,
      '1::1': undefined,
    }
    for (const [text, expected] of Object.entries(examples)) {
      for (const kind of kinds) expect(IpAddress.parse(text)[kind], `${text} ${kind}`).to.equal(kind === expected)
    }
  })
})
