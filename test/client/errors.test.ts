import { expect } from 'chai'
import { ClientError, type ClientErrorKind, errorFromClose } from '../../src/client/errors.ts'
import type { QuicCloseReason } from '../../src/quic/quic.ts'

const close = (changes: Partial<QuicCloseReason>): ClientError =>
  errorFromClose({ source: 'peer', application: false, code: 0, reason: '', ...changes }, '127.0.0.1:4433')

describe('client errors', () => {
  it('name the TLS alert, and who did not trust whom', () => {
    const ours = close({ source: 'local', code: 0x130 })
    expect(ours).to.include({ kind: 'tls', message: 'we do not trust the proxy (TLS alert unknown_ca, 48)' })
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
})
