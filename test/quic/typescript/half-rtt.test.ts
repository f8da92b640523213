/**
 * What a server may say before it knows who the client is (0.5-RTT data, RFC 9001 §5.7): it goes out with its own half of the handshake.
 */

import { expect } from 'chai'
import type { EngineConnection } from '../../../src/quic/engine.ts'
import { DEFAULT_QUIC_SETTINGS } from '../../../src/quic/quic.ts'
import { clientTls } from '../../support/certificates.ts'
import { typescriptEngines } from './engines.ts'
import { CLIENT_ADDRESS, End, SERVER_ADDRESS, VirtualNetwork } from './virtual-network.ts'

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

  it('may be said as soon as the first packet of the client is read, which a server is told once, and a client never', async () => {
    const engines = await typescriptEngines()
    const network = new VirtualNetwork(engines(1))
    const server = untilServer(network)
    expect([server.maySend, network.now]).to.deep.equal([[false], 1010])
    network.turn('server')
    expect(network.run(() => server.established)).to.equal(true)
    network.run(() => false, 5000)
    expect([server.maySend, network.client.maySend]).to.deep.equal([[false], []])
  })

  it('may not be said before the whole of a ClientHello is there', async () => {
    const engines = await typescriptEngines({ client: { settings: { ...DEFAULT_QUIC_SETTINGS, alpn: LONG_ALPN } } })
    const network = new VirtualNetwork(engines(1))
    const server = untilServer(network)
    expect(server.maySend).to.deep.equal([])
    expect(network.run(() => server.established)).to.equal(true)
    expect(server.maySend).to.deep.equal([false])
  })

  it('may not be said by a server that closes', async () => {
    const engines = (await typescriptEngines())(1)
    const [clientId, serverId] = [Uint8Array.of(1, 1, 1, 1, 1, 1, 1, 1), Uint8Array.of(2, 2, 2, 2, 2, 2, 2, 2)]
    const path = { local: CLIENT_ADDRESS, remote: SERVER_ADDRESS }
    const back = { local: SERVER_ADDRESS, remote: CLIENT_ADDRESS }
    const connection = engines.server.accept({ id: serverId, path: back }) as EngineConnection
    const server = new End(connection, () => serverId)
    const client = new End(engines.client.connect({ id: clientId, path, serverName: 'localhost' }), () => clientId)
    const room = new Uint8Array(1500)
    client.turn(1000, packet => connection.receive(packet, back, 1000), room)
    connection.close(false, 2, 'too many connections')
    server.turn(1000, packet => client.connection.receive(packet, path, 1000), room)
    client.turn(1000, () => {}, room)
    expect([server.maySend, client.closed?.code]).to.deep.equal([[], 2])
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
