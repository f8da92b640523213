import { expect } from 'chai'
import fc from 'fast-check'
import { MalformedMessage } from '../../src/http/errors.ts'
import { checkTrailers, type Header, headerValue, usesCapsules } from '../../src/http/header.ts'
import { checkRequest } from '../../src/http/request.ts'
import { checkResponse } from '../../src/http/response.ts'
import { CONNECT_IP, GET, OK } from '../http3/conversation.ts'

const connectIp = checkRequest(CONNECT_IP, true)
const get = checkRequest(GET, true)

/** What the check finds malformed; '' when it is satisfied. */
function complaint(check: () => unknown): string {
  try {
    check()
    return ''
  } catch (error) {
    if (!(error instanceof MalformedMessage)) throw error
    expect(error.abortReason).to.equal('malformed')
    return error.message
  }
}

const request = (headers: readonly Header[], extendedConnect = true) =>
  complaint(() => checkRequest(headers, extendedConnect))
const response = (headers: readonly Header[], of = get) => complaint(() => checkResponse(headers, of))
const without = (headers: readonly Header[], name: string) => headers.filter(header => header[0] !== name)
const having = (headers: readonly Header[], name: string, value: string): Header[] =>
  headers.map(header => (header[0] === name ? [name, value] : header))

describe('HTTP messages (RFC 9113 §8.2, §8.3, RFC 9114 §4.2, §4.3)', () => {
  it('H3-05 take an ordinary request and response', () => {
    expect(get).to.deep.equal({
      method: 'GET',
      protocol: undefined,
      scheme: 'https',
      authority: 'proxy.example:4433',
      path: '/',
      capsules: false,
      contentLength: undefined,
    })
    expect([headerValue(GET, ':path'), headerValue(GET, 'x')]).to.deep.equal(['/', undefined])
    const headers: Header[] = [
      ...GET,
      ['te', 'trailers'],
      ['cookie', 'a=b'],
      ['x-text', 'caf\u00e9 \t x'],
      ['x-empty', ''],
    ]
    expect(request(headers)).to.equal('')
    expect(
      checkResponse(
        [
          [':status', '404'],
          ['content-length', '9'],
        ],
        get,
      ),
    ).to.deep.equal({ status: 404, contentLength: 9 })
    expect(complaint(() => checkTrailers([['grpc-status', '0']]))).to.equal('')
  })

  it('H3-05 have names in lower case, and only tokens', () => {
    for (const name of ['Accept', 'acCept', '', 'a b', 'a:b', 'a\u00e9', 'a\n', '(x)']) {
      expect(request([...GET, [name, 'x']]), name).to.contain('not a field name')
    }
  })

  it('H3-05 have no control characters in values, and no space around them', () => {
    for (const value of ['a\r\nb', 'a\0', '\x7f', ' a', 'a ', '\ta', 'a\t']) {
      expect(request([...GET, ['x', value]]), JSON.stringify(value)).to.contain('characters')
      expect(
        response([
          [':status', '200'],
          ['x', value],
        ]),
      ).to.contain('characters')
    }
  })

  it('H3-05 have pseudo-headers first', () => {
    expect(request([GET[0], ['x', 'y'], ...GET.slice(1)])).to.contain('after a regular field')
    expect(
      response([
        ['x', 'y'],
        [':status', '200'],
      ]),
    ).to.contain('after a regular field')
  })

  it('H3-05 have each pseudo-header once, and only the known ones where they belong', () => {
    expect(request([...GET, [':path', '/other']])).to.contain('twice')
    expect(request([...GET, [':version', '3']])).to.contain('not allowed')
    expect(request([...GET, [':status', '200']])).to.contain('not allowed')
    expect(
      response([
        [':status', '200'],
        [':path', '/'],
      ]),
    ).to.contain('not allowed')
    expect(
      response([
        [':status', '200'],
        [':status', '200'],
      ]),
    ).to.contain('twice')
    expect(complaint(() => checkTrailers([[':status', '200']]))).to.contain('not allowed')
  })

  it('H3-05 have no fields about the connection', () => {
    for (const name of ['connection', 'keep-alive', 'proxy-connection', 'transfer-encoding', 'upgrade']) {
      expect(request([...GET, [name, 'x']]), name).to.contain('not allowed')
      expect(
        response([
          [':status', '200'],
          [name, 'x'],
        ]),
        name,
      ).to.contain('not allowed')
    }
    expect(request([...GET, ['te', 'gzip']])).to.contain('te')
    expect(
      response([
        [':status', '200'],
        ['te', 'trailers'],
      ]),
    ).to.contain('te')
  })

  it('H3-05 name method, scheme, path and authority', () => {
    for (const name of [':method', ':scheme', ':path', ':authority']) {
      expect(request(without(GET, name)), name).to.not.equal('')
      expect(request(having(GET, name, '')), name).to.not.equal('')
    }
    expect(request([...without(GET, ':authority'), ['host', 'proxy.example']])).to.equal('')
    expect(request([...GET, ['host', 'other.example']])).to.contain('differ')
    expect(request([...GET, ['host', 'proxy.example:4433'], ['host', 'proxy.example:4433']])).to.contain('twice')
    expect(request(having(GET, ':authority', 'user@proxy.example'))).to.contain('user')
    expect(request(having(GET, ':path', 'index.html'))).to.contain("'/'")
    expect(request(having(GET, ':path', '/a b'))).to.contain(':path')
    expect(request(having(GET, ':method', 'G T'))).to.contain(':method')
    expect(request(having(having(GET, ':method', 'OPTIONS'), ':path', '*'))).to.equal('')
  })

  it('H3-05 have a status of three digits, and not 101', () => {
    for (const status of ['', '20', '2000', '099', '2xx', '+20', '101']) {
      expect(response([[':status', status]]), status).to.not.equal('')
    }
    expect(response([])).to.contain('no :status')
    expect(response([':status', ':status'].map(name => [name, '200']))).to.contain('twice')
  })

  it('H3-05 CONNECT without :protocol names an authority only', () => {
    const connect: Header[] = [
      [':method', 'CONNECT'],
      [':authority', 'host.example:443'],
    ]
    expect(request(connect)).to.equal('')
    expect(request([...connect, [':path', '/']])).to.contain(':path')
    expect(request([...connect, [':scheme', 'https']])).to.contain(':scheme')
    expect(request([[':method', 'CONNECT']])).to.contain(':authority')
  })

  it('H3-05 of arbitrary headers are taken or malformed, nothing else', () => {
    const name = fc.oneof(
      fc.constantFrom(
        ':method',
        ':scheme',
        ':path',
        ':authority',
        ':protocol',
        ':status',
        'host',
        'te',
        'content-length',
      ),
      fc.string({ maxLength: 8 }),
    )
    const value = fc.oneof(
      fc.constantFrom('CONNECT', 'GET', 'https', '/', '200', 'x', '5'),
      fc.string({ maxLength: 8 }),
    )
    fc.assert(
      fc.property(fc.array(fc.tuple(name, value), { maxLength: 8 }), fc.boolean(), (headers, enabled) => {
        request(headers, enabled)
        response(headers)
        response(headers, connectIp)
        complaint(() => checkTrailers(headers))
      }),
      { numRuns: 500 },
    )
  })
})

describe('Extended CONNECT (RFC 9220, RFC 8441)', () => {
  it('CIP-06 is CONNECT with :protocol, :scheme, :authority, :path and capsule-protocol', () => {
    expect(connectIp).to.include({
      method: 'CONNECT',
      protocol: 'connect-ip',
      capsules: true,
      contentLength: undefined,
    })
  })

  it('CIP-06 is malformed when any pseudo-header is missing or empty', () => {
    for (const name of [':method', ':scheme', ':authority', ':path']) {
      expect(request(without(CONNECT_IP, name)), name).to.not.equal('')
      expect(request(having(CONNECT_IP, name, '')), name).to.not.equal('')
    }
    expect(request(having(CONNECT_IP, ':protocol', ''))).to.contain(':protocol')
  })

  it('CIP-06 is malformed with a Host field in the place of :authority, which would do for other requests', () => {
    expect(request([...without(CONNECT_IP, ':authority'), ['host', 'proxy.example']])).to.contain(':authority')
    expect(request([...without(GET, ':authority'), ['host', 'proxy.example']])).to.equal('')
  })

  it('CIP-06 :protocol is malformed with another method', () => {
    expect(request(having(CONNECT_IP, ':method', 'GET'))).to.contain('only with CONNECT')
  })

  it('CIP-06 :protocol is malformed when the server did not enable it', () => {
    expect(request(CONNECT_IP, false)).to.contain('SETTINGS_ENABLE_CONNECT_PROTOCOL')
  })

  it('CIP-06 CIP-09 says that capsules follow with one Capsule-Protocol field that is true, whatever its parameters (RFC 9297 §3.4)', () => {
    for (const value of ['?1', '?1;foo=bar;x'])
      expect(usesCapsules([['capsule-protocol', value]]), value).to.equal(true)
    for (const value of ['?0', '1', '"x"', 'true', '', '?1, ?1', '(?1)', '?2']) {
      expect(usesCapsules([['capsule-protocol', value]]), value).to.equal(false)
    }
    expect(usesCapsules([])).to.equal(false)
    expect(usesCapsules(['?1', '?1'].map(value => ['capsule-protocol', value]))).to.equal(false)
  })

  it('CIP-08 has a response with one status of three digits, and not 101, which is HTTP/1.1’s', () => {
    for (const status of ['', '20', '099', '2000', '101']) {
      expect(response(having(OK, ':status', status), connectIp), status).to.not.equal('')
    }
    expect(response(without(OK, ':status'), connectIp)).to.contain('no :status')
    expect(response([OK[0], ...OK], connectIp)).to.contain('twice')
    for (const status of ['103', '200', '299', '300', '403', '503']) {
      expect(checkResponse(having(OK, ':status', status), connectIp).status).to.equal(Number(status))
    }
  })

  it('CIP-08 has no success with 204, 205 or 206, which cannot start the Capsule Protocol', () => {
    for (const status of ['204', '205', '206']) {
      expect(response([[':status', status]], connectIp), status).to.contain('Capsule Protocol')
    }
  })

  it('CIP-09 has no content-length, in the request or in a successful response', () => {
    expect(request([...CONNECT_IP, ['content-length', '0']])).to.contain('content-length')
    expect(response([...OK, ['content-length', '0']], connectIp)).to.contain('content-length')
    expect(
      response(
        [
          [':status', '403'],
          ['content-length', '9'],
        ],
        connectIp,
      ),
    ).to.equal('')
  })

  it('CIP-09 has no content-type with capsules, and no status 204, 205 or 206', () => {
    expect(request([...CONNECT_IP, ['content-type', 'text/plain']])).to.contain('content-type')
    expect(request([...without(CONNECT_IP, 'capsule-protocol'), ['content-type', 'text/plain']])).to.equal('')
    expect(response([...OK, ['content-type', 'text/plain']], connectIp)).to.contain('content-type')
    expect(response([...OK, ['transfer-encoding', 'chunked']], connectIp)).to.contain('transfer-encoding')
    for (const status of ['204', '205', '206']) {
      expect(response(having(OK, ':status', status), connectIp), status).to.contain('Capsule Protocol')
    }
  })

  it('CIP-09 a malformed content-length is H3_MESSAGE_ERROR', () => {
    for (const value of ['-1', '+1', '1.5', '0x10', '', '1, 1', '99999999999999999999']) {
      expect(request([...GET, ['content-length', value]]), value).to.contain('content-length')
    }
    expect(request([...GET, ['content-length', '1'], ['content-length', '2']])).to.contain('twice')
    expect(request([...GET, ['content-length', '1'], ['content-length', '1']])).to.equal('')
  })
})
