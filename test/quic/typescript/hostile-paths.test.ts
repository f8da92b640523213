/** What a peer with the right keys can do with its paths and connection ids. */

import { expect } from 'chai'
import { appendNewConnectionId } from '../../../src/quic/typescript/frames/new-connection-id-frame.ts'
import { appendPathChallenge } from '../../../src/quic/typescript/frames/path-challenge-frame.ts'
import { Handshake } from '../../../src/quic/typescript/handshake.ts'
import { CONNECTION_ID_LIMIT_ERROR, PROTOCOL_VIOLATION } from '../../../src/quic/typescript/transport-error.ts'
import type { WireWriter } from '../../../src/quic/typescript/wire-writer.ts'
import { typescriptEngines } from './engines.ts'
import { Forger } from './forger.ts'
import { SERVER_ADDRESS, VirtualNetwork } from './virtual-network.ts'

describe('a peer with the right keys, on its paths', () => {
  it('meets CONNECTION_ID_LIMIT_ERROR when the end of a path retires one id more than it lets us retire', async () => {
    const engines = await typescriptEngines()
    const forger = new Forger(engines(1), 'client')
    const give = (sequence: number, retirePriorTo: number): void =>
      forger.send(to => {
        const id = new Uint8Array(8).fill(sequence)
        appendNewConnectionId(to, sequence, retirePriorTo, id, new Uint8Array(16).fill(sequence))
      })
    // The first retires the eight of before, each of the others one; none of that is acknowledged.
    for (let sequence = 50; sequence < 75; sequence++) give(sequence, sequence)
    give(75, 74)
    const elsewhere = { local: SERVER_ADDRESS, remote: { host: '203.0.113.9', port: 9 } }
    const challenge = (to: WireWriter): void => {
      appendPathChallenge(to, new Uint8Array(8))
      to.zeros(1150)
    }
    forger.send(challenge, 0, elsewhere)
    expect(forger.code).to.equal(undefined)
    forger.network.run(() => false, 5000)
    expect(forger.code).to.equal(CONNECTION_ID_LIMIT_ERROR)
  })

  it('is followed by the newest of its packets that are no probes, whatever has overtaken it (RFC 9000 §9.3)', async () => {
    const engines = await typescriptEngines()
    const forger = new Forger(engines(1), 'client')
    const at = (port: number) => ({ local: SERVER_ADDRESS, remote: { host: '203.0.113.9', port } })
    const ping = (to: WireWriter): void => to.write(Uint8Array.of(1, 1, 1, 1))
    forger.nextNumber = 100_005
    forger.send(to => appendPathChallenge(to, new Uint8Array(8)))
    forger.nextNumber = 100_003
    forger.send(ping, 0, at(9))
    expect(forger.victim.movedTo?.remote.port).to.equal(9)
    forger.nextNumber = 100_001
    forger.send(ping, 0, at(10))
    expect(forger.victim.movedTo?.remote.port).to.equal(9)
    forger.nextNumber = 100_004
    forger.send(ping, 0, at(11))
    expect(forger.victim.movedTo?.remote.port).to.equal(11)
  })

  it('has no path for long to which too little may be sent to test it', async () => {
    const engines = await typescriptEngines()
    const forger = new Forger(engines(1), 'client')
    const { connection } = forger.victim
    const before = connection.paths().length
    const elsewhere = { local: SERVER_ADDRESS, remote: { host: '203.0.113.9', port: 9 } }
    forger.send(to => appendPathChallenge(to, new Uint8Array(8)), 0, elsewhere)
    expect(connection.paths().length).to.equal(before + 1)
    forger.network.run(() => false, 5000)
    expect(connection.paths().length).to.equal(before)
  })
})

/** What a server says in its transport parameters has these bytes behind it, as its client sees it. */
function withParameters(more: readonly number[], test: () => void): void {
  const { onPeerTransportParameters } = Handshake.prototype
  Handshake.prototype.onPeerTransportParameters = function (bytes) {
    // Only a client knows by what id it has called its server first.
    const isOfClient = this.expected.originalDestination !== undefined
    onPeerTransportParameters.call(this, isOfClient ? Uint8Array.of(...bytes, ...more) : bytes)
  }
  try {
    test()
  } finally {
    Handshake.prototype.onPeerTransportParameters = onPeerTransportParameters
  }
}

describe('a server with a preferred address (RFC 9000 §5.1.1)', () => {
  it('has given the connection id with number 1 there: another one of that number ends the connection', async () => {
    const engines = await typescriptEngines()
    const preferred = [...new Uint8Array(24), 8, ...new Uint8Array(8).fill(7), ...new Uint8Array(16).fill(7)]
    const network = new VirtualNetwork(engines(1))
    withParameters([0x0d, preferred.length, ...preferred], () => network.run(() => network.client.established))
    network.run(() => false, 2000)
    expect(network.client.closed).to.include({ source: 'local', code: PROTOCOL_VIOLATION })
  })

  it('has a client that probes no other path before it knows that the handshake is confirmed (RFC 9000 §9)', async () => {
    const engines = await typescriptEngines()
    const preferred = [...new Uint8Array(24), 8, ...new Uint8Array(8).fill(7), ...new Uint8Array(16).fill(7)]
    const elsewhere = { local: { host: '203.0.113.9', port: 9 }, remote: SERVER_ADDRESS }
    const network = new VirtualNetwork(engines(1))
    // Of what comes after the server's half of the handshake nothing arrives.
    network.tamper = (packet, to) => (to === 'client' && network.server?.established === true ? [] : [packet])
    const { client } = network
    withParameters([0x0d, preferred.length, ...preferred], () => network.run(() => client.established))
    network.run(() => false, 2000)
    expect(client.connection.probePath(elsewhere, network.now)).to.equal(false)
    network.tamper = packet => [packet]
    network.run(() => false, 10_000)
    expect(client.connection.probePath(elsewhere, network.now)).to.equal(true)
  })
})

describe('a server that forbids active migration (RFC 9000 §18.2)', () => {
  it('has a client that probes no other path', async () => {
    const engines = await typescriptEngines()
    const elsewhere = { local: { host: '203.0.113.9', port: 9 }, remote: SERVER_ADDRESS }
    const isProbed = (): boolean => {
      const network = new VirtualNetwork(engines(1))
      network.run(() => false, 2000)
      return network.client.connection.probePath(elsewhere, network.now)
    }
    expect(isProbed()).to.equal(true)
    withParameters([0x0c, 0], () => expect(isProbed()).to.equal(false))
  })
})
