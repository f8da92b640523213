import { expect } from 'chai'
import { Alert, type AlertName, TlsAlert } from '../../src/tls/alert.ts'

/** `attempt` throws this alert, and with it this QUIC error. */
export function expectAlert(alert: AlertName, attempt: () => void, transportError = 0x100 + Alert[alert]): void {
  try {
    attempt()
  } catch (error) {
    if (!(error instanceof TlsAlert)) throw error
    expect(error.alert, error.message).to.equal(Alert[alert])
    expect(error.transportError).to.equal(transportError)
    return
  }
  expect.fail(`${alert} was expected`)
}
