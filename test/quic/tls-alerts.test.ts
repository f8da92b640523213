import { expect } from 'chai'
import { cryptoErrorAlert, tlsAlertName } from '../../src/quic/tls-alerts.ts'

describe('TLS alerts in QUIC', () => {
  it('names the alerts that a wrong certificate leads to', () => {
    expect(tlsAlertName(42)).to.equal('bad_certificate')
    expect(tlsAlertName(45)).to.equal('certificate_expired')
    expect(tlsAlertName(48)).to.equal('unknown_ca')
    expect(tlsAlertName(116)).to.equal('certificate_required')
    expect(tlsAlertName(120)).to.equal('no_application_protocol')
  })

  it('reads the alert out of a CRYPTO_ERROR code', () => {
    expect(cryptoErrorAlert(0x100 + 48)).to.deep.equal({ code: 48, name: 'unknown_ca' })
    expect(cryptoErrorAlert(0x100)).to.deep.equal({ code: 0, name: 'close_notify' })
    expect(cryptoErrorAlert(0x1ff)).to.deep.equal({ code: 255, name: 'alert_255' })
  })

  it('says undefined for codes that are not CRYPTO_ERROR', () => {
    for (const code of [0, 0xa, 0xff, 0x200, -1, 0x130 + 0.5, Number.NaN])
      expect(cryptoErrorAlert(code)).to.equal(undefined)
  })
})
