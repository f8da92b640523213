import { expect } from 'chai'
import fc from 'fast-check'
import { DecodeError } from '../../src/bytes/errors.ts'
import { parseScope, scopeVariables, UNLIMITED_SCOPE } from '../../src/connect-ip/scope.ts'
import { IpAddress } from '../../src/ip/address.ts'
import { prefix } from './arbitraries.ts'

function targetOf(target: string): string {
  const scope = parseScope({ target })
  return scope.target.kind === 'prefix' ? `prefix ${scope.target.prefix}` : `${scope.target.kind}`
}

describe('connect-ip/scope', () => {
  it('CIP-03 takes variables that are left out for "*"', () => {
    expect(parseScope({})).to.deep.equal(UNLIMITED_SCOPE)
    expect(parseScope({ target: '*', ipproto: '*' })).to.deep.equal(UNLIMITED_SCOPE)
  })

  it('CIP-03 reads addresses and prefixes of both versions', () => {
    expect(targetOf('192.0.2.1')).to.equal('prefix 192.0.2.1/32')
    expect(targetOf('192.0.2.0/24')).to.equal('prefix 192.0.2.0/24')
    expect(targetOf('0.0.0.0/0')).to.equal('prefix 0.0.0.0/0')
    expect(targetOf('2001:db8::42')).to.equal('prefix 2001:db8::42/128')
    expect(targetOf('2001:db8::/032')).to.equal('prefix 2001:db8::/32')
    expect(targetOf('::/0')).to.equal('prefix ::/0')
  })

  it('CIP-03 reads DNS names, in lower case and without the final dot', () => {
    for (const [text, name] of [
      ['target.example.com', 'target.example.com'],
      ['Target.EXAMPLE.com.', 'target.example.com'],
      ['localhost', 'localhost'],
      ['_sip.a-b.example', '_sip.a-b.example'],
      ['xn--bcher-kva.example', 'xn--bcher-kva.example'],
      ['3com.example', '3com.example'],
    ]) {
      expect(parseScope({ target: text }).target).to.deep.equal({ kind: 'name', name })
    }
  })

  it('CIP-03 refuses bits set beyond the prefix', () => {
    expect(() => parseScope({ target: '192.0.2.1/24' })).to.throw(DecodeError, 'beyond')
    expect(() => parseScope({ target: '2001:db8::1/64' })).to.throw(DecodeError, 'beyond')
  })

  it('CIP-03 refuses prefix lengths that are too long or no decimal number', () => {
    for (const target of [
      '10.0.0.0/33',
      '10.0.0.0/',
      '10.0.0.0/008',
      '10.0.0.0/-1',
      '10.0.0.0/+8',
      '10.0.0.0/8 ',
      '10.0.0.0/8/8',
      '::/129',
      '::/0128',
      '::/',
    ]) {
      expect(() => parseScope({ target }), target).to.throw(DecodeError)
    }
  })

  it('CIP-03 refuses zone ids', () => {
    expect(() => parseScope({ target: 'fe80::1%eth0' })).to.throw(DecodeError)
    expect(() => parseScope({ target: 'fe80::1%25eth0' })).to.throw(DecodeError)
  })

  it('CIP-03 refuses what is neither address nor name', () => {
    for (const target of [
      '',
      ' ',
      '**',
      '[::1]',
      '10.0.0',
      '10.1',
      '256.0.0.1',
      '010.0.0.1',
      '0x7f.1',
      '0x7f000001',
      '2130706433',
      '1.2.3.4.5',
      '1.2.3.4.',
      'a..b',
      '.a',
      '-a.example',
      'a-.example',
      'exa mple',
      'exa\0mple',
      'exämple',
      'a/24',
      'host:80',
      `${'a'.repeat(64)}.example`,
      `${'a.'.repeat(127)}a`,
      'user@host',
      '..',
    ]) {
      expect(() => parseScope({ target }), JSON.stringify(target)).to.throw(DecodeError)
    }
  })

  it('CIP-03 reads ipproto from 0 to 255', () => {
    for (const [text, protocol] of [
      ['0', 0],
      ['17', 17],
      ['017', 17],
      ['255', 255],
    ] as const) {
      expect(parseScope({ ipproto: text }).protocol).to.equal(protocol)
    }
  })

  it('CIP-03 refuses any other ipproto', () => {
    for (const ipproto of [
      '',
      '256',
      '1000',
      '0017',
      '-1',
      '+1',
      '1.0',
      '0x11',
      '1e2',
      'udp',
      ' 17',
      '17 ',
      '**',
      '१७',
    ]) {
      expect(() => parseScope({ ipproto }), JSON.stringify(ipproto)).to.throw(DecodeError, 'ipproto')
    }
  })

  it('CIP-03 gives back any scope that was written out', () => {
    const protocol = fc.option(fc.integer({ min: 0, max: 255 }), { nil: undefined })
    fc.assert(
      fc.property(prefix, protocol, (target, number) => {
        const scope = parseScope(scopeVariables({ target: { kind: 'prefix', prefix: target }, protocol: number }))
        expect(scope.protocol).to.equal(number)
        expect(scope.target.kind === 'prefix' && scope.target.prefix.equals(target)).to.equal(true)
      }),
      { numRuns: 300 },
    )
  })

  it('CIP-03 turns any text into a scope or a DecodeError, and no address into a name', () => {
    const text = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.string({ unit: fc.constantFrom(...'0123456789abcdefx.:/%*-') }),
    )
    fc.assert(
      fc.property(text, text, (target, ipproto) => {
        try {
          const scope = parseScope({ target, ipproto })
          if (scope.target.kind === 'name') {
            const { name } = scope.target
            expect(name).to.match(/^[a-z0-9_.-]{1,253}$/)
            expect(() => IpAddress.parse(name)).to.throw(DecodeError)
          }
        } catch (error) {
          expect(error).to.be.instanceOf(DecodeError)
        }
      }),
      { numRuns: 500 },
    )
  })
})
