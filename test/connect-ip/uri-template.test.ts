import { expect } from 'chai'
import fc from 'fast-check'
import { DecodeError } from '../../src/bytes/errors.ts'
import { scopeVariables } from '../../src/connect-ip/scope.ts'
import {
  DEFAULT_PATH_TEMPLATE,
  defaultTemplate,
  expandTemplate,
  matchPath,
  parsePathTemplate,
  parseUriTemplate,
  TemplateError,
} from '../../src/connect-ip/uri-template.ts'
import { MalformedMessage } from '../../src/http/errors.ts'
import { prefix } from './arbitraries.ts'

/** The four examples of RFC 9484 §3. */
const EXAMPLES = [
  'https://example.org/.well-known/masque/ip/{target}/{ipproto}/',
  'https://proxy.example.org:4443/masque/ip?t={target}&i={ipproto}',
  'https://proxy.example.org:4443/masque/ip{?target,ipproto}',
  'https://masque.example.org/?user=bob',
]

function expectRefused(template: string, message: string | RegExp): void {
  expect(() => parseUriTemplate(template), template).to.throw(TemplateError, message)
}

describe('connect-ip/uri-template', () => {
  it('CIP-01 accepts the examples of RFC 9484', () => {
    expect(EXAMPLES.map(text => parseUriTemplate(text).authority)).to.deep.equal([
      'example.org',
      'proxy.example.org:4443',
      'proxy.example.org:4443',
      'masque.example.org',
    ])
  })

  it('CIP-01 accepts an IPv6 address as host, other variables, and a scheme in capitals', () => {
    expect(parseUriTemplate('HTTPS://[2001:db8::1]:4443/{user}/{target}').authority).to.equal('[2001:db8::1]:4443')
  })

  it('CIP-01 refuses templates that are not absolute', () => {
    for (const text of [
      '/masque/{target}/',
      'example.org/{target}',
      '//example.org/ip',
      '',
      'https:/ip',
      '{scheme}://a/b',
    ]) {
      expectRefused(text, 'absolute')
    }
  })

  it('CIP-01 refuses an empty scheme, authority or path', () => {
    expectRefused('://example.org/ip', 'absolute')
    expectRefused('https:///ip', 'no host')
    expectRefused('https://example.org', 'no path')
    expectRefused('https://example.org?t={target}', 'no path')
    expectRefused('https://example.org{?target}', 'before the path')
  })

  it('CIP-01 refuses schemes without TLS', () => {
    expectRefused('http://example.org/ip', 'expected https')
  })

  it('CIP-01 refuses a path that does not start with "/"', () => {
    expectRefused('https://example.org{target}/', 'before the path')
    expect(() => parsePathTemplate('masque/{target}/')).to.throw(TemplateError, 'starts with "/"')
    expect(() => parsePathTemplate('{target}/')).to.throw(TemplateError, 'starts with "/"')
  })

  it('CIP-01 refuses variables outside of path and query', () => {
    expectRefused('https://{host}/ip', 'before the path')
    expectRefused('https://example.org:{port}/ip', 'before the path')
    expectRefused('https://example.org/ip#{target}', 'fragment')
  })

  it('CIP-01 refuses characters outside of 0x21 to 0x7E', () => {
    for (const character of [' ', '\t', '\0', '\x7f', 'ä', '\u2028', '😀']) {
      expectRefused(`https://example.org/i${character}p/{target}`, '0x21 to 0x7E')
    }
  })

  it('CIP-01 refuses the operators + # . / ;', () => {
    for (const operator of ['+', '#', '.', '/', ';']) {
      expectRefused(`https://example.org/ip/{${operator}target}`, 'not allowed')
    }
  })

  it('CIP-01 refuses the reserved operators and other nonsense in braces', () => {
    for (const expression of ['=a', ',a', '!a', '@a', '|a', '', '?', 'a,', 'a b', 'a-b', '{a', 'a..b', '.a', '%4']) {
      expect(() => parseUriTemplate(`https://example.org/ip/{${expression}}`), expression).to.throw(TemplateError)
    }
  })

  it('CIP-01 refuses level 4: prefixes and explosion', () => {
    expectRefused('https://example.org/{target:3}', 'level 4')
    expectRefused('https://example.org/{target*}', 'level 4')
    expectRefused('https://example.org/ip{?target*}', 'level 4')
  })

  it('CIP-01 refuses braces that do not pair and characters that no URI has', () => {
    for (const text of [
      '/ip/{target',
      '/ip/target}',
      '/ip/{{target}}',
      '/%zz',
      '/%',
      '/a"b',
      '/a<b',
      '/a\\b',
      '/a^b',
      '/a`b',
      '/a|b',
    ]) {
      expect(() => parseUriTemplate(`https://example.org${text}`), text).to.throw(TemplateError)
    }
  })

  it('CIP-01 refuses a host or port that is none', () => {
    for (const authority of [
      'user@example.org',
      'example.org:99999',
      'example.org:x',
      'a b',
      '[::1',
      'a:1:2',
      ':443',
    ]) {
      expect(() => parseUriTemplate(`https://${authority}/ip`), authority).to.throw(TemplateError)
    }
  })

  it('CIP-01 turns any text into a template or a TemplateError', () => {
    const text = fc.oneof(
      fc.string(),
      fc.string({ unit: fc.constantFrom(...'{}?&=+#./;,*:%2Fabc'), maxLength: 30 }).map(rest => `https://h/${rest}`),
    )
    fc.assert(
      fc.property(text, template => {
        try {
          parseUriTemplate(template)
        } catch (error) {
          expect(error).to.be.instanceOf(TemplateError).and.instanceOf(DecodeError)
        }
      }),
      { numRuns: 500 },
    )
  })

  it('CIP-02 knows the default template', () => {
    expect(defaultTemplate('proxy.example', 443)).to.equal(
      'https://proxy.example:443/.well-known/masque/ip/{target}/{ipproto}/',
    )
    expect(parseUriTemplate(defaultTemplate('::1', 4433)).authority).to.equal('[::1]:4433')
  })

  it('CIP-02 expands it to what RFC 9484 §4.4 shows, with "*" encoded', () => {
    const template = parseUriTemplate(EXAMPLES[0])
    expect(expandTemplate(template)).to.deep.equal({
      scheme: 'https',
      authority: 'example.org',
      path: '/.well-known/masque/ip/%2A/%2A/',
    })
  })

  it('CIP-03 encodes colons as %3A and the slash as %2F', () => {
    const path = (target: string, example: number) =>
      expandTemplate(parseUriTemplate(EXAMPLES[example]), { target, ipproto: '17' }).path
    expect(path('2001:db8::42', 0)).to.equal('/.well-known/masque/ip/2001%3Adb8%3A%3A42/17/')
    expect(path('192.0.2.0/24', 1)).to.equal('/masque/ip?t=192.0.2.0%2F24&i=17')
    expect(path('target.example.com', 2)).to.equal('/masque/ip?target=target.example.com&ipproto=17')
    expect(path('192.0.2.1', 3)).to.equal('/?user=bob')
  })

  it('CIP-03 never sends an empty or malformed value', () => {
    const template = parseUriTemplate(EXAMPLES[0])
    for (const values of [{ target: '' }, { ipproto: '' }, { target: '10.0.0.1/8' }, { ipproto: '300' }]) {
      expect(() => expandTemplate(template, values)).to.throw(DecodeError)
    }
  })

  it('CIP-03 fills in other variables, and leaves out those without a value', () => {
    const template = parseUriTemplate('https://h/{constructor}/{user}{?target,__proto__,token}')
    expect(expandTemplate(template, { target: '*' }, { user: 'b ob' }).path).to.equal('//b%20ob?target=%2A')
  })

  it('CIP-03 finds any scope again in the path that it was expanded to', () => {
    const protocol = fc.option(fc.integer({ min: 0, max: 255 }), { nil: undefined })
    fc.assert(
      fc.property(prefix, protocol, fc.constantFrom(0, 1, 2), (target, number, example) => {
        const template = parseUriTemplate(EXAMPLES[example])
        const values = scopeVariables({ target: { kind: 'prefix', prefix: target }, protocol: number })
        expect(matchPath(template, expandTemplate(template, values).path)).to.deep.equal(values)
      }),
      { numRuns: 300 },
    )
  })

  it('CIP-02 finds the variables in a path of the default template', () => {
    const template = parsePathTemplate(DEFAULT_PATH_TEMPLATE)
    expect(matchPath(template, '/.well-known/masque/ip/*/*/')).to.deep.equal({ target: '*', ipproto: '*' })
    expect(matchPath(template, '/.well-known/masque/ip/%2a/17/')).to.deep.equal({ target: '*', ipproto: '17' })
  })

  it('says that another path does not match', () => {
    const template = parsePathTemplate(DEFAULT_PATH_TEMPLATE)
    for (const path of [
      '/',
      '',
      '*',
      '/.well-known/masque/ip/*/*',
      '/.well-known/masque/ip/*/',
      '/.well-known/masque/ip/*/*/x',
      '/.well-known/masque/udp/*/*/',
      '/.well-known/masque/ip/10.0.0.0/8/17/',
      'x/.well-known/masque/ip/*/*/',
    ]) {
      expect(matchPath(template, path), path).to.equal(undefined)
    }
  })

  it('does not take a longer path for a value with a slash', () => {
    expect(matchPath(parsePathTemplate('/ip/{target}'), '/ip/10.0.0.0/8')).to.equal(undefined)
    expect(matchPath(parsePathTemplate('/ip/{target}'), '/ip/10.0.0.0%2F8')).to.deep.equal({ target: '10.0.0.0/8' })
  })

  it('finds the variables in a query, in any order and among others', () => {
    const template = parsePathTemplate('/masque/ip?t={target}&i={ipproto}&v=1')
    expect(matchPath(template, '/masque/ip?v=1&i=17&x=y&t=a.example')).to.deep.equal({
      target: 'a.example',
      ipproto: '17',
    })
    expect(matchPath(template, '/masque/ip?t=a.example&i=17')).to.equal(undefined)
  })

  it('CIP-03 takes query variables that are not there for left out', () => {
    const template = parsePathTemplate('/masque/ip{?target,ipproto}')
    expect(matchPath(template, '/masque/ip')).to.deep.equal({})
    expect(matchPath(template, '/masque/ip?ipproto=17')).to.deep.equal({ ipproto: '17' })
  })

  it('CIP-04 finds empty values malformed', () => {
    expect(() => matchPath(parsePathTemplate(DEFAULT_PATH_TEMPLATE), '/.well-known/masque/ip//17/')).to.throw(
      MalformedMessage,
    )
    expect(() => matchPath(parsePathTemplate('/ip{?target}'), '/ip?target=')).to.throw(MalformedMessage, 'empty')
    expect(() => matchPath(parsePathTemplate('/ip{?target}'), '/ip?target')).to.throw(MalformedMessage, 'empty')
  })

  it('CIP-04 finds a variable that is there twice malformed', () => {
    expect(() => matchPath(parsePathTemplate('/ip{?target}'), '/ip?target=a&target=b')).to.throw(
      MalformedMessage,
      'twice',
    )
  })

  it('CIP-04 finds colons and slashes that are not encoded malformed', () => {
    expect(() => matchPath(parsePathTemplate('/{target}/'), '/2001:db8::1/')).to.throw(MalformedMessage, '%3A')
    expect(() => matchPath(parsePathTemplate('/ip{?target}'), '/ip?target=10.0.0.0/8')).to.throw(
      MalformedMessage,
      '%2F',
    )
  })

  it('CIP-04 finds percent signs malformed that encode nothing, or no UTF-8', () => {
    for (const value of ['%', '%2', '%zz', '%ff', '%c3', '%ed%a0%80']) {
      expect(() => matchPath(parsePathTemplate('/{target}/'), `/${value}/`), value).to.throw(MalformedMessage)
    }
  })

  it('decodes once only', () => {
    expect(matchPath(parsePathTemplate('/{target}/'), '/%252F/')).to.deep.equal({ target: '%2F' })
  })

  it('CIP-04 turns any path into values, nothing or a MalformedMessage', () => {
    const templates = [DEFAULT_PATH_TEMPLATE, '/ip?t={target}&i={ipproto}', '/{target}{?ipproto}'].map(
      parsePathTemplate,
    )
    const path = fc.string({
      unit: fc.constantFrom(...'/?&=%2Ft*i.', '/.well-known/masque/ip/', '/ip?t='),
      maxLength: 12,
    })
    fc.assert(
      fc.property(fc.constantFrom(...templates), path, (template, text) => {
        try {
          const values = matchPath(template, text)
          if (values) expect(Object.values(values)).to.not.include('')
        } catch (error) {
          expect(error).to.be.instanceOf(MalformedMessage)
        }
      }),
      { numRuns: 500 },
    )
  })

  it('refuses to serve templates from which the variables cannot be found again', () => {
    for (const text of [
      '/{target}{ipproto}',
      '/ip?{target}',
      '/ip?t={target}{ipproto}',
      '/ip?t={target}x&i={ipproto}',
      '/a{&b}',
      '/ip?t={target,ipproto}',
      '/ip?t=1{&t}',
    ]) {
      expect(() => parsePathTemplate(text), text).to.throw(TemplateError)
    }
  })
})
