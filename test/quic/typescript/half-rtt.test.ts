/**
 * What a server may say before it knows who the client is (0.5-RTT data, RFC 9001 §5.7): it goes out with its own half of the handshake.
 */

import { expect } from 'chai'
import { DEFAULT_QUIC_SETTINGS } from '../../../src/quic/quic.ts'
import { clientTls } from '../../support/certificates.ts'
import { typescriptEngines } from './engines.ts'
import { type End, VirtualNetwork } from './virtual-network.ts'

const SERVER_STREAM = 3
/** A ClientHello with these needs two packets. */
const LONG_ALPN = ['h3', ...Array.from({ length: 6 }, (_, i) => `${i}`.padEnd(250, 'x'))]
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

  it("may be said as soon as the client's first packet is read, which a server is told once, and a client never", async () => {
    const engines = await typescriptEngines()
    const network = new VirtualNetwork(engines(1))
    const server = untilServer(network)
    expect(server.maySend).to.deep.equal([])
    const atServer: number[] = []
    server.onAllowed = () => atServer.push(server.connection.streamSend(SERVER_STREAM, GREETING, false) ?? 0)
    network.turn('server')
    expect([server.maySend, atServer]).to.deep.equal([[false], [GREETING.length]])
    expect(network.run(() => network.client.bytesOf(SERVER_STREAM).length > 0)).to.equal(true)
    expect([network.now, server.established]).to.deep.equal([1020, false])
    expect(network.run(() => server.established)).to.equal(true)
    network.run(() => false, 5000)
    expect([server.maySend, network.client.maySend]).to.deep.equal([[false], []])
  })

  it('is not asked for of a server that closes before it has said anything', async () => {
    const engines = await typescriptEngines()
    const network = new VirtualNetwork(engines(1))
    const server = untilServer(network)
    server.connection.close(false, 2, 'too many connections')
    network.turn('server')
    network.run(() => false, 5000)
    expect([server.maySend, network.client.closed?.code]).to.deep.equal([[], 2])
  })

  it('is not asked for before the whole of a ClientHello is there', async () => {
    const engines = await typescriptEngines({ client: { settings: { ...DEFAULT_QUIC_SETTINGS, alpn: LONG_ALPN } } })
    const network = new VirtualNetwork(engines(1))
    let toServer = 0
    // The second half is late.
    network.tamper = (packet, to) => (to === 'server' && ++toServer === 2 ? [] : [packet])
    const server = untilServer(network)
    network.turn('server')
    expect([server.maySend, toServer]).to.deep.equal([[], 2])
    expect(network.run(() => server.established)).to.equal(true)
    expect(server.maySend).to.deep.equal([false])
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
      expect(server.maySend).to.deep.equal([])
      expect(server.connection.peerCertificate).to.be.instanceOf(Uint8Array)
    })
  }
})
