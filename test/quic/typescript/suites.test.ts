import { expect } from 'chai'
import { DEFAULT_QUIC_SETTINGS } from '../../../src/quic/quic.ts'
import { TypescriptEngine } from '../../../src/quic/typescript/engine.ts'
import type { CipherSuite } from '../../../src/tls/tls.ts'
import { clientTls, serverTls } from '../../support/certificates.ts'
import { seeded, seededBytes, VirtualNetwork } from './virtual-network.ts'

/** A client that offers these suites only, and a server that takes those only. */
async function between(offered: CipherSuite[], taken: CipherSuite[]): Promise<VirtualNetwork> {
  const [ofClient, ofServer] = await Promise.all([clientTls(), serverTls()])
  const settings = DEFAULT_QUIC_SETTINGS
  const client = new TypescriptEngine(
    { role: 'client', settings, tls: ofClient, peerCertificate: 'required' },
    seededBytes(seeded(1)),
    {},
    offered,
  )
  const server = new TypescriptEngine(
    { role: 'server', settings, tls: ofServer, peerCertificate: 'none' },
    seededBytes(seeded(2)),
    {},
    taken,
  )
  return new VirtualNetwork({ client, server })
}

describe('the suites of an engine', () => {
  for (const suite of [0x1301, 0x1302, 0x1303] as const) {
    it(`carry data when both have ${suite.toString(16)} only`, async () => {
      const network = await between([suite], [suite])
      network.client.write(0, Uint8Array.of(1, 2, 3))
      expect(network.run(() => network.server?.hasEnded(0) === true)).to.equal(true)
      expect([...(network.server?.bytesOf(0) ?? [])]).to.deep.equal([1, 2, 3])
    })
  }

  it('end the handshake with handshake_failure when none is of both (RFC 8446 §4.1.1)', async () => {
    const network = await between([0x1303], [0x1301, 0x1302])
    expect(network.run(() => network.client.closed !== undefined)).to.equal(true)
    expect(network.client.closed).to.include({ source: 'peer', application: false, code: 0x100 + 40 })
  })
})
