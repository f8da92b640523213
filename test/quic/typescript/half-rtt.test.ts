/**
 * What a server may say before it knows who the client is (0.5-RTT data, RFC 9001 §5.7): it goes out with its own half of the handshake.
 */

import { expect } from 'chai'
import { clientTls } from '../../support/certificates.ts'
import { typescriptEngines } from './engines.ts'
import { type End, VirtualNetwork } from './virtual-network.ts'

const SERVER_STREAM = 3
const GREETING = Uint8Array.of(1, 2, 3, 4)

/** Runs until the server has read the first packets of the client. */
function untilServer(network: VirtualNetwork): End {
  expect(network.run(() => network.server !== undefined)).to.equal(true)
  return network.server as End
}

describe('what a server sends before the client has finished', () => {
  it('arrives with its handshake, a round trip before the server is established', async () => {
    const engines = await typescriptEngines()
    const network = new VirtualNetwork(engines(1))
    const server = untilServer(network)
    expect(server.connection.streamSend(SERVER_STREAM, GREETING, false)).to.equal(GREETING.length)
    network.turn('server')
    expect(network.run(() => network.client.bytesOf(SERVER_STREAM).length > 0)).to.equal(true)
    expect(network.now).to.equal(1020)
    expect(server.established).to.equal(false)
    expect([...network.client.bytesOf(SERVER_STREAM)]).to.deep.equal([...GREETING])
  })

  it('arrives also when its packet is lost', async () => {
    const engines = await typescriptEngines()
    const network = new VirtualNetwork(engines(1))
    const server = untilServer(network)
    let lost = 0
    network.tamper = (packet, to) => (to === 'client' && lost++ === 0 ? [] : [packet])
    server.connection.streamSend(SERVER_STREAM, GREETING, false)
    network.turn('server')
    expect(lost).to.equal(1)
    expect(network.run(() => network.client.bytesOf(SERVER_STREAM).length > 0)).to.equal(true)
    expect(network.now).to.be.above(1020)
  })

  for (const peerCertificate of ['required', 'optional'] as const) {
    it(`waits where a client's certificate is ${peerCertificate}, until the server knows who it is`, async () => {
      const ofClient = { tls: await clientTls('client') }
      const engines = await typescriptEngines({ client: ofClient, server: { peerCertificate } })
      const network = new VirtualNetwork(engines(1))
      const server = untilServer(network)
      server.connection.streamSend(SERVER_STREAM, GREETING, false)
      network.turn('server')
      let isSaidEarly = false
      const isThere = network.run(() => {
        const isHeard = network.client.bytesOf(SERVER_STREAM).length > 0
        if (isHeard && !server.established) isSaidEarly = true
        return isHeard
      })
      expect(isThere).to.equal(true)
      expect(isSaidEarly).to.equal(false)
      expect(server.connection.peerCertificate).to.be.instanceOf(Uint8Array)
    })
  }
})
