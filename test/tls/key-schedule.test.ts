import { expect } from 'chai'
import { hkdfExpandLabel } from '../../src/tls/hkdf.ts'
import { binderOf, KeySchedule, resumptionPsk, verifyData } from '../../src/tls/key-schedule.ts'
import { Transcript } from '../../src/tls/transcript.ts'
import { RESUMED, SIMPLE } from './rfc8448.ts'

const bytes = (data: Uint8Array): string => Buffer.from(data).toString('hex')

function expectBytes(found: Uint8Array, expected: Uint8Array): void {
  expect(bytes(found)).to.equal(bytes(expected))
}

describe('the key schedule', () => {
  it('gives the secrets of the simple handshake of RFC 8448 §3', () => {
    const schedule = new KeySchedule('sha256')
    const transcript = new Transcript('sha256')
    transcript.add(SIMPLE.clientHello)
    transcript.add(SIMPLE.serverHello)
    schedule.toHandshakeSecret(SIMPLE.shared)
    const handshake = schedule.handshakeTraffic(transcript.digest())
    expectBytes(handshake.client, SIMPLE.clientHandshakeTraffic)
    expectBytes(handshake.server, SIMPLE.serverHandshakeTraffic)
    const none = new Uint8Array(0)
    expectBytes(hkdfExpandLabel('sha256', handshake.server, 'key', none, 16), SIMPLE.serverHandshakeKey)
    expectBytes(hkdfExpandLabel('sha256', handshake.server, 'iv', none, 12), SIMPLE.serverHandshakeIv)

    for (const message of [SIMPLE.encryptedExtensions, SIMPLE.certificate, SIMPLE.certificateVerify]) {
      transcript.add(message)
    }
    expectBytes(verifyData('sha256', handshake.server, transcript.digest()), SIMPLE.serverFinished.subarray(4))
    transcript.add(SIMPLE.serverFinished)
    schedule.toMasterSecret()
    const application = schedule.applicationTraffic(transcript.digest())
    expectBytes(application.client, SIMPLE.clientApplicationTraffic)
    expectBytes(application.server, SIMPLE.serverApplicationTraffic)
    expectBytes(schedule.exporterSecret(transcript.digest()), SIMPLE.exporterSecret)
    expectBytes(verifyData('sha256', handshake.client, transcript.digest()), SIMPLE.clientFinished.subarray(4))
    transcript.add(SIMPLE.clientFinished)
    const resumption = schedule.resumptionSecret(transcript.digest())
    expectBytes(resumption, SIMPLE.resumptionSecret)
    expectBytes(resumptionPsk('sha256', resumption, SIMPLE.ticketNonce), SIMPLE.resumptionPsk)
  })

  it('gives the binder and the secrets of the resumed handshake of RFC 8448 §4', () => {
    const schedule = new KeySchedule('sha256', SIMPLE.resumptionPsk)
    const transcript = new Transcript('sha256')
    const binderHash = transcript.digestWith(RESUMED.clientHelloPrefix)
    expectBytes(binderOf('sha256', SIMPLE.resumptionPsk, binderHash), RESUMED.binder)
    transcript.add(RESUMED.clientHelloPrefix)
    transcript.add(Uint8Array.of(0, 33, 32, ...RESUMED.binder))
    transcript.add(RESUMED.serverHello)
    schedule.toHandshakeSecret(RESUMED.shared)
    const handshake = schedule.handshakeTraffic(transcript.digest())
    expectBytes(handshake.client, RESUMED.clientHandshakeTraffic)
    expectBytes(handshake.server, RESUMED.serverHandshakeTraffic)
  })
})
