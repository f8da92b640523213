import { expect } from 'chai'
import { chooseEngine } from '../../../src/quic/choose-engine.ts'
import { DEFAULT_QUIC_SETTINGS } from '../../../src/quic/quic.ts'
import { TypescriptEngine } from '../../../src/quic/typescript/engine.ts'
import { clientTls, serverTls } from '../../support/certificates.ts'
import { skipWithoutQuiche } from '../../support/quiche.ts'
import { Forger } from '../typescript/forger.ts'

const PING = Uint8Array.of(0x01)
const RETIRE_FIRST_ID = Uint8Array.of(0x19, 0)

describe('quiche, called by a connection id that was retired', () => {
  before(skipWithoutQuiche)

  it('takes the packet for lost, which the RETIRE_CONNECTION_ID has overtaken, and goes on', async () => {
    const settings = DEFAULT_QUIC_SETTINGS
    const quiche = await chooseEngine('quiche')
    const forger = new Forger(
      {
        client: new TypescriptEngine({ role: 'client', settings, tls: await clientTls(), peerCertificate: 'required' }),
        server: quiche.make({ role: 'server', settings, tls: await serverTls(), peerCertificate: 'none' }),
      },
      'client',
    )
    const { victim, dcid: first } = forger
    const [second] = victim.ids
    forger.dcid = second
    forger.send(RETIRE_FIRST_ID)
    // Two of them: the second one when the driver has heard of it already.
    for (let i = 0; i < 2; i++) {
      forger.dcid = first
      forger.send(PING)
      forger.dcid = second
      forger.send(PING)
      expect(victim.connection.closeReason()).to.equal(undefined)
    }
    const before = forger.answers.length
    forger.send(PING)
    forger.network.run(() => forger.answers.length > before, 1000)
    expect(forger.answers.length).to.be.greaterThan(before)
  })
})
