/** Task 6: an authority that is not trusted, the alert that says so, and trust that is mended. */
import { join } from 'node:path'
import { makeTestCertificates } from '../../../src/cert/make-certificates.ts'
import { ClientError } from '../../../src/client/client.ts'
import type { SocketAddress } from '../../../src/quic/quic.ts'
import { expectNumber } from '../../kit/check/questions.ts'
import type { CheckContext, Feedback } from '../../kit/lab/types.ts'
import { connect, loadClient, loadServer, newClient, show, startServer, TRUST } from '../deployment.ts'

// Cases ----------------------------------------------------------------------------------------------------------------

const WRONG_ALERTS: Readonly<Record<string, string>> = {
  bad_certificate:
    'bad_certificate (42) says that the certificate is corrupt or its signature wrong. This one is sound.',
  certificate_unknown: 'certificate_unknown (46) is for what no other alert names. There is one that says it exactly.',
  certificate_expired: 'certificate_expired (45) is about time. This certificate is valid, but for somebody else.',
  handshake_failure:
    'handshake_failure (40) says that no common parameters were found. It does not come to that question.',
  certificate_required: 'certificate_required (116) is sent by a server that wants to see a client certificate.',
  access_denied: 'access_denied (49) is sent to a peer whose certificate is valid but who may not come in.',
}

/** `alert`: its number in TLS. */
const wrongCodes = (alert: number) => ({
  [alert]:
    'That is the number of the alert in TLS. QUIC has one space of codes for all transport errors: where do the alerts begin in it?',
  [Number((FIRST_ALERT + alert).toString(16))]: 'Decimal or hexadecimal? 0x130 is not 130.',
  [Number(`0x1${alert}`)]:
    'The number of the alert is decimal in RFC 8446: as the last byte of a hexadecimal code it looks different.',
})

// Reference ------------------------------------------------------------------------------------------------------------

/** RFC 9000 §20.1: CRYPTO_ERROR. */
const FIRST_ALERT = 0x100

/** The alert of a client that trusts another authority, as it was sent. */
async function refusedWith(context: CheckContext, server: SocketAddress): Promise<{ name: string; code: number }> {
  return await context.do('connect a client that trusts another authority', async () => {
    show(context, 'client', 'refused')
    const other = await makeTestCertificates(join(await context.scratch(), 'another-authority'), { clientNames: [] })
    const client = newClient(context, server, { tls: { ca: other.ca, insecure: false } })
    try {
      await client.connect()
    } catch (error) {
      if (error instanceof ClientError && error.tlsAlert) return error.tlsAlert
      throw error
    }
    throw new Error(
      'it was connected, although the certificate of the server is signed by an authority it does not trust',
    )
  })
}

// Judgement ------------------------------------------------------------------------------------------------------------

export async function check(context: CheckContext): Promise<Feedback> {
  const server = await startServer(context, await loadServer(context))
  const alert = await refusedWith(context, server)
  const name = (context.answers.alert ?? '').toLowerCase().replace(/[\s-]+/g, '_')
  const misconception = WRONG_ALERTS[name]
  context.expect('you name the TLS alert', name === alert.name, {
    expected: 'the name of the alert with which the client ends the handshake',
    found: name === '' ? 'no answer yet' : `the answer "${context.answers.alert}"`,
    misconception,
    read: [TRUST],
  })
  expectNumber(context, 'code', {
    text: 'you give the QUIC error code',
    expected: 'the error code in the CONNECTION_CLOSE frame that carries this alert',
    right: FIRST_ALERT + alert.code,
    wrong: wrongCodes(alert.code),
    read: [TRUST, 'RFC 9000 §20.1 Transport Error Codes'],
  })
  const mended = await loadClient(context, 'client-trust.toml')
  context.expect('verification is still on', !mended.tls.insecure, {
    expected: 'client-trust.toml: tls.insecure left at false',
    found: 'tls.insecure = true: the client accepts any certificate',
    misconception:
      'That silences the alarm instead of mending the trust: now anybody on the path can pass for the proxy, and the tunnel is encrypted to them.',
    read: ['labs/lab-01-deploy/README.md, "Who trusts whom"'],
  })
  await connect(context, server, mended, 'client-trust.toml')
  return {
    passed: true,
    expected: 'an untrusted server refused, a trusted one accepted',
    found: `alert ${alert.name} (${alert.code}), QUIC error 0x${(FIRST_ALERT + alert.code).toString(16)}; with the right authority the client connects`,
    read: [TRUST],
  }
}
