import { expect } from 'chai'
import { closeReason } from '../../src/carriers/h3/close-reason.ts'
import { ClientError, type ClientErrorKind, errorFromClose, errorFromFailure } from '../../src/client/errors.ts'
import { ConfigError } from '../../src/config/config-error.ts'
import { TlsConfigError } from '../../src/config/tls-config.ts'
import { ChoiceError } from '../../src/quic/choice-error.ts'
import type { QuicCloseReason } from '../../src/quic/quic.ts'

const close = (changes: Partial<QuicCloseReason>): ClientError =>
  errorFromClose(closeReason({ source: 'peer', application: false, code: 0, reason: '', ...changes }), '127.0.0.1:4433')

describe('client errors', () => {
  it('name the TLS alert, and who did not trust whom', () => {
    const ours = close({ source: 'local', code: 0x130 })
    expect(ours).to.include({
      kind: 'tls',
      message:
        'we do not trust the proxy: its certificate was not signed by a CA that we know (tls.ca) (TLS alert unknown_ca, 48)',
    })
    const theirs = close({ code: 0x174, reason: 'no certificate' })
    expect(theirs.message).to.equal('the proxy does not trust us: no certificate (TLS alert certificate_required, 116)')
    expect(theirs.tlsAlert).to.deep.equal({ code: 116, name: 'certificate_required' })
  })

  it('Q-02 do not take a missing application protocol for missing trust', () => {
    for (const source of ['local', 'peer'] as const) {
      const error = close({ source, code: 0x178 })
      expect(error).to.include({ kind: 'protocol', retryable: false })
      expect(error.message).to.equal(
        'the server at 127.0.0.1:4433 does not speak HTTP/3 (ALPN "h3"): it is no CONNECT-IP proxy ' +
          '(TLS alert no_application_protocol, 120)',
      )
    }
  })

  it('speak of trust only where an alert is about certificates', () => {
    expect(close({ code: 0x128 }).message).to.equal(
      'the TLS handshake with 127.0.0.1:4433 was ended by the proxy (TLS alert handshake_failure, 40)',
    )
    expect(close({ source: 'local', code: 0x132 }).message).to.match(/was ended by us \(TLS alert decode_error, 50\)/)
    expect(close({ code: 0x12d }).message).to.match(/^the proxy does not trust us/)
  })

  it('do not take an application error for an alert', () => {
    expect(close({ application: true, code: 0x130 })).to.include({ kind: 'refused', tlsAlert: undefined })
    expect(close({ application: true, code: 0x10a }).message).to.match(/by the peer: H3_MISSING_SETTINGS/)
  })

  it('tell silence, nobody there, and no way there', () => {
    expect(close({ source: 'timeout' })).to.include({ kind: 'timeout', message: 'no answer from 127.0.0.1:4433' })
    expect(close({ source: 'local', code: 2, reason: 'recvmsg ECONNREFUSED' }).message).to.match(/nobody listens at/)
    expect(close({ source: 'local', code: 2, reason: 'ENETUNREACH' })).to.include({ kind: 'network' })
    expect(close({ code: 2, reason: 'too many connections' }).message).to.match(/CONNECTION_REFUSED/)
  })

  it('say when another attempt makes sense', () => {
    const retryable = (kind: ClientErrorKind, status?: number) => new ClientError(kind, '', { status }).retryable
    for (const kind of ['network', 'timeout', 'refused', 'tunnel'] as const) expect(retryable(kind)).to.equal(true)
    for (const kind of ['config', 'tls', 'protocol'] as const) expect(retryable(kind)).to.equal(false)
    for (const status of [429, 500, 503]) expect(retryable('http', status)).to.equal(true)
    for (const status of [301, 400, 401, 403, 404, undefined]) expect(retryable('http', status)).to.equal(false)
  })

  for (const [code, expected] of [
    ['ECONNREFUSED', /nobody listens at 192\.0\.2\.1:443/],
    ['ENETUNREACH', /no way to 192\.0\.2\.1:443 \(ENETUNREACH\): is this machine connected/],
    ['ENETDOWN', /no way to 192\.0\.2\.1:443 \(ENETDOWN\)/],
    ['EHOSTUNREACH', /host of 192\.0\.2\.1:443 cannot be reached \(EHOSTUNREACH\)/],
    ['EADDRNOTAVAIL', /no address from which 192\.0\.2\.1:443 can be reached/],
    ['EACCES', /lets nothing out to 192\.0\.2\.1:443 \(EACCES\): .*broadcast/],
    ['EPERM', /lets nothing out to 192\.0\.2\.1:443 \(EPERM\): .*firewall/],
    ['EINVAL', /192\.0\.2\.1:443 cannot be reached: connect EINVAL/],
    ['EMFILE', /192\.0\.2\.1:443 cannot be reached: connect EMFILE/],
  ] as const) {
    it(`say what to look at when the system says ${code}, at once or later`, () => {
      const failure = Object.assign(new Error(`connect ${code}`), { code, syscall: 'connect' })
      const error = errorFromFailure(failure, '192.0.2.1:443')
      expect(error).to.include({ kind: 'network', retryable: true, cause: failure })
      expect(error.message).to.match(expected).and.not.include('\n')
      const later = errorFromClose(
        closeReason({ source: 'local', application: false, code: 2, reason: `connect ${code}` }),
        '192.0.2.1:443',
      )
      expect(later).to.include({ kind: 'network', message: error.message })
    })
  }

  it('tell what the user can mend from what passes, and both from a bug', () => {
    const known = new ClientError('http', 'no', { status: 401 })
    expect(errorFromFailure(known, '')).to.equal(known)
    for (const failure of [
      new ConfigError('f', ['f: no such file']),
      new TlsConfigError('expired'),
      new ChoiceError('MASQUE_QUIC is "q"'),
    ]) {
      expect(errorFromFailure(failure, '')).to.include({ kind: 'config', retryable: false, message: failure.message })
    }
    for (const failure of [new TypeError('x'), 'x', undefined, null]) {
      expect(errorFromFailure(failure, '')).to.include({ kind: 'internal', retryable: true })
    }
  })
})
