import { expect } from 'chai'
import fc from 'fast-check'
import { parseList } from 'structured-headers'
import { DecodeError } from '../../src/bytes/errors.ts'
import {
  buildAcceptHeaders,
  buildRejectHeaders,
  buildRequestHeaders,
  isAccepted,
  parseConnectIpRequest,
  RequestRejected,
} from '../../src/connect-ip/request.ts'
import {
  DEFAULT_PATH_TEMPLATE,
  expandTemplate,
  parsePathTemplate,
  parseUriTemplate,
} from '../../src/connect-ip/uri-template.ts'
import { MalformedMessage } from '../../src/http/errors.ts'
import type { Header } from '../../src/http/header.ts'
import { proxyStatus } from '../../src/http/proxy-status.ts'

const served = parsePathTemplate(DEFAULT_PATH_TEMPLATE)
const good: Header[] = [
  [':method', 'CONNECT'],
  [':protocol', 'connect-ip'],
  [':scheme', 'https'],
  [':authority', 'example.org'],
  [':path', '/.well-known/masque/ip/*/*/'],
  ['capsule-protocol', '?1'],
]

/** `good` with one field changed; undefined takes it away. */
function having(name: string, value: string | undefined): Header[] {
  return good.flatMap(header => {
    if (header[0] !== name) return [header]
    return value === undefined ? [] : [[name, value] as const]
  })
}

function expectMalformed(headers: readonly Header[], message?: string | RegExp): void {
  expect(() => parseConnectIpRequest(headers, served))
    .to.throw(MalformedMessage, message)
    .with.property('abortReason', 'malformed')
}

describe('connect-ip/request', () => {
  it('CIP-06 accepts the request of RFC 9484 §4.4', () => {
    expect(parseConnectIpRequest(good, served)).to.deep.equal({ target: { kind: 'any' }, protocol: undefined })
  })

  it('CIP-06 accepts what the client builds', () => {
    const template = parseUriTemplate('https://example.org:4443/.well-known/masque/ip/{target}/{ipproto}/')
    const headers = buildRequestHeaders(expandTemplate(template, { target: '2001:db8::/32', ipproto: '17' }), [
      ['authorization', 'Bearer abc'],
    ])
    expect(headers).to.deep.include.members([
      [':method', 'CONNECT'],
      [':protocol', 'connect-ip'],
      [':scheme', 'https'],
      [':authority', 'example.org:4443'],
      ['capsule-protocol', '?1'],
    ])
    const { protocol, target } = parseConnectIpRequest(headers, served)
    expect(protocol).to.equal(17)
    expect(String(target.kind === 'prefix' && target.prefix)).to.equal('2001:db8::/32')
  })

  it('CIP-06 finds a method other than CONNECT malformed', () => {
    for (const method of ['GET', 'POST', 'connect', '', undefined])
      expectMalformed(having(':method', method), ':method')
  })

  it('CIP-06 finds CONNECT without :protocol malformed', () => {
    expectMalformed(having(':protocol', undefined), ':protocol')
  })

  it('CIP-06 answers 501 to an ordinary CONNECT, which asks for a TCP tunnel', () => {
    const connect: Header[] = [
      [':method', 'CONNECT'],
      [':authority', 'target.example:443'],
    ]
    expect(() => parseConnectIpRequest(connect, served))
      .to.throw(RequestRejected)
      .with.property('status', 501)
    expectMalformed([[':method', 'CONNECT']], ':authority')
    expectMalformed([...connect, [':path', '/']], ':protocol')
    expectMalformed([...connect, [':scheme', 'https']], ':protocol')
  })

  it('CIP-06 answers 501 to another :protocol', () => {
    expect(() => parseConnectIpRequest(having(':protocol', 'connect-udp'), served))
      .to.throw(RequestRejected)
      .with.property('status', 501)
  })

  it('CIP-06 finds an empty, missing or foreign :scheme malformed', () => {
    for (const scheme of ['', undefined, 'http', 'ftp']) expectMalformed(having(':scheme', scheme), ':scheme')
  })

  it('CIP-06 finds an empty, missing or impossible :authority malformed', () => {
    for (const authority of ['', undefined, 'user@example.org', 'a b', 'a/b', 'a?b']) {
      expectMalformed(having(':authority', authority), 'authority')
    }
  })

  it('CIP-06 finds a Host field that contradicts :authority malformed', () => {
    expectMalformed([...good, ['host', 'other.example']], 'host')
    expect(parseConnectIpRequest([...good, ['host', 'example.org']], served)).to.have.property('target')
  })

  it('CIP-06 finds an empty, missing or impossible :path malformed', () => {
    for (const path of ['', undefined, '*', 'a', '/a b', '/a#b', '/ä', '/a\0'])
      expectMalformed(having(':path', path), 'path')
  })

  it('CIP-06 finds a pseudo-header field that is there twice malformed', () => {
    for (const header of good.slice(0, 5)) expectMalformed([header, ...good], 'twice')
  })

  it('CIP-06 answers 404 where there is no tunnel service', () => {
    expect(() => parseConnectIpRequest(having(':path', '/elsewhere'), served))
      .to.throw(RequestRejected)
      .with.property('status', 404)
  })

  it('CIP-06 does not insist on the Capsule-Protocol field, which is a help for intermediaries only', () => {
    for (const value of [undefined, '?0', '1', '"x"', 'true', '', '?1, ?1', '(?1)', '?2']) {
      expect(parseConnectIpRequest(having('capsule-protocol', value), served), value).to.have.property('target')
    }
  })

  it('CIP-04 finds a malformed target or ipproto a malformed request: H3_MESSAGE_ERROR, or 400', () => {
    for (const scope of [
      '10.0.0.1%2F24/*',
      '10.0.0.0%2F33/*',
      'fe80%3A%3A1%25eth0/*',
      '*/256',
      '*/udp',
      '/17',
      '%ff/17',
      '2001:db8::1/*',
      'a..b/*',
    ]) {
      const headers = having(':path', `/.well-known/masque/ip/${scope}/`)
      expectMalformed(headers)
      expect(() => parseConnectIpRequest(headers, served))
        .to.throw()
        .with.property('status', 400)
    }
  })

  it('CIP-27 rejects a scope of an IPv6 extension header, which no packet would match', () => {
    for (const protocol of [0, 43, 44, 60, 135, 139, 140]) {
      expect(() => parseConnectIpRequest(having(':path', `/.well-known/masque/ip/*/${protocol}/`), served))
        .to.throw(RequestRejected, 'extension header')
        .with.property('status', 403)
    }
    expect(parseConnectIpRequest(having(':path', '/.well-known/masque/ip/*/50/'), served).protocol).to.equal(50)
  })

  it('CIP-09 finds fields about content malformed', () => {
    for (const header of [
      ['content-length', '0'],
      ['content-type', 'text/plain'],
      ['transfer-encoding', 'chunked'],
    ] as const) {
      expectMalformed([...good, header], header[0])
    }
    // Capsules follow, whether Capsule-Protocol says so or not.
    expectMalformed([...having('capsule-protocol', undefined), ['content-type', 'text/plain']], 'content-type')
  })

  it('CIP-04 turns any header list into a request or a typed refusal', () => {
    const name = fc.oneof(fc.constantFrom(...good.map(([n]) => n), 'host', 'content-length'), fc.string())
    const value = fc.oneof(fc.constantFrom(...good.map(([, v]) => v)), fc.string({ unit: 'binary' }))
    fc.assert(
      fc.property(fc.shuffledSubarray(good), fc.array(fc.tuple(name, value), { maxLength: 4 }), (some, more) => {
        try {
          parseConnectIpRequest([...some, ...more], served)
        } catch (error) {
          expect(error).to.be.instanceOf(DecodeError)
          expect(error instanceof MalformedMessage || error instanceof RequestRejected).to.equal(true)
        }
      }),
      { numRuns: 500 },
    )
  })

  it('CIP-06 CIP-08 has capsule-protocol when it is "yes", and not otherwise (RFC 9297 §3.4)', () => {
    expect(buildAcceptHeaders()).to.deep.include(['capsule-protocol', '?1'])
    const no = buildRejectHeaders(RequestRejected.because('dns_error', 'no such name'), 'proxy.example')
    expect(no.map(([name]) => name)).to.not.include('capsule-protocol')
  })

  it('CIP-08 takes 2xx for success, and every other final status for failure, 3xx among them', () => {
    expect([200, 201, 299].map(isAccepted)).to.deep.equal([true, true, true])
    for (const status of [199, 300, 301, 307, 400, 401, 403, 404, 500, 502, 503]) {
      expect(isAccepted(status), String(status)).to.equal(false)
    }
  })

  it('CIP-05 explains a failed look-up with a Proxy-Status field', () => {
    const rejection = RequestRejected.because('dns_error', 'no such name', { rcode: 'NXDOMAIN' })
    const headers = buildRejectHeaders(rejection, 'masque-lab')
    expect(headers).to.deep.equal([
      [':status', '502'],
      ['proxy-status', '"masque-lab";error=dns_error;rcode="NXDOMAIN"'],
    ])
  })

  it('CIP-05 sends no Capsule-Protocol field with a rejection', () => {
    expect(buildRejectHeaders(new RequestRejected(404, 'nothing here'), 'p')).to.deep.equal([[':status', '404']])
    expect(buildRejectHeaders(new MalformedMessage('bad'), 'p')).to.deep.equal([[':status', '400']])
  })

  it('CIP-05 builds a Proxy-Status value that can be parsed, whatever the details are', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), details => {
        const [[, parameters]] = parseList(proxyStatus('masque-lab', 'dns_timeout', { details }))
        expect(String(parameters.get('error'))).to.equal('dns_timeout')
        expect(parameters.get('details')).to.match(/^[\x20-\x7e]*$/)
      }),
      { numRuns: 200 },
    )
  })
})
