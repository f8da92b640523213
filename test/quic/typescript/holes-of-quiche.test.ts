/** Each hole that docs/security.md names for the quiche of `src/quic/quiche`: what it is about is sent to a connection of the engine in TypeScript, which is not open to it. */

import { expect } from 'chai'
import { appendAck } from '../../../src/quic/typescript/frames/ack-frame.ts'
import { appendCrypto } from '../../../src/quic/typescript/frames/crypto-frame.ts'
import { appendNewConnectionId } from '../../../src/quic/typescript/frames/new-connection-id-frame.ts'
import { appendPathChallenge } from '../../../src/quic/typescript/frames/path-challenge-frame.ts'
import {
  CONNECTION_ID_LIMIT_ERROR,
  CRYPTO_BUFFER_EXCEEDED,
  PROTOCOL_VIOLATION,
} from '../../../src/quic/typescript/transport-error.ts'
import type { WireWriter } from '../../../src/quic/typescript/wire-writer.ts'
import { typescriptEngines } from './engines.ts'
import { Forger } from './forger.ts'
import { SERVER_ADDRESS } from './virtual-network.ts'

/** With a sequence number that makes id and token. */
function appendId(to: WireWriter, sequence: number, retirePriorTo: number): void {
  const id = Uint8Array.of(1, 2, sequence >> 8, sequence)
  appendNewConnectionId(to, sequence, retirePriorTo, id, new Uint8Array(16).fill(sequence))
}

describe('a peer that sends what quiche 0.18 is open to', () => {
  let forger: Forger
  beforeEach(async () => {
    forger = new Forger((await typescriptEngines())(1), 'client')
  })

  it('CVE-2023-6193 gets no more answers to PATH_CHALLENGEs than it sends packets, and no more wait when it acknowledges none', () => {
    for (let i = 0; i < 20; i++) {
      forger.send(to => {
        for (let j = 0; j < 100; j++) appendPathChallenge(to, new Uint8Array(8).fill(j))
      })
    }
    expect(forger.code).to.equal(undefined)
    expect(forger.answers.length).to.be.at.most(40)
    // Nor do they come later.
    forger.network.run(() => false, 5000)
    expect(forger.answers.length).to.be.at.most(60)
  })

  it('CVE-2024-1410 meets CONNECTION_ID_LIMIT_ERROR when it has ids retired without end, and acknowledges none of that', () => {
    let sent = 0
    for (let i = 100; forger.code === undefined && sent < 1000; i++, sent++) forger.send(to => appendId(to, i, i))
    expect(forger.code).to.equal(CONNECTION_ID_LIMIT_ERROR)
    expect(sent).to.be.at.most(100)
  })

  it('CVE-2024-1765 meets CRYPTO_BUFFER_EXCEEDED when it sends CRYPTO data without end after the handshake', () => {
    let sent = 0
    // Its first byte never comes, so that nothing can be read of it.
    for (; forger.code === undefined && sent < 1000; sent++) {
      forger.send(to => appendCrypto(to, 1 + sent * 1000, new Uint8Array(1000)))
    }
    expect(forger.code).to.equal(CRYPTO_BUFFER_EXCEEDED)
    expect(sent).to.be.at.most(66)
  })

  it('CVE-2025-4820 meets PROTOCOL_VIOLATION when it acknowledges what it may not have received, so as to be sent more', () => {
    let rounds = 0
    for (; forger.code === undefined && rounds < 300; rounds++) {
      for (let i = 0; i < 10; i++) forger.victim.connection.sendDatagram(new Uint8Array(1000))
      forger.network.turn('server')
      forger.network.run(() => false, 20)
      // Never more than were sent: one of them was left out.
      const largest = forger.answers.length - 1
      if (largest > 0) forger.send(to => appendAck(to, [{ smallest: 0, largest }], 0))
    }
    expect(forger.code).to.equal(PROTOCOL_VIOLATION)
    expect(forger.answers.length, 'packets until then').to.be.at.most(600)
  })

  it('CVE-2025-4821 meets PROTOCOL_VIOLATION when it acknowledges what was never sent', () => {
    forger.send(to => appendAck(to, [{ smallest: 0, largest: 2 ** 40 }], 0))
    expect(forger.code).to.equal(PROTOCOL_VIOLATION)
  })

  it('CVE-2025-7054 keeps nobody busy by having the ids of several paths retired at once', () => {
    for (let port = 1; port <= 3; port++) {
      const elsewhere = { local: SERVER_ADDRESS, remote: { host: '203.0.113.9', port } }
      forger.send(
        to => {
          appendPathChallenge(to, new Uint8Array(8).fill(port))
          to.zeros(1150)
        },
        0,
        elsewhere,
      )
    }
    expect(forger.victim.connection.paths().length).to.equal(4)
    const before = forger.answers.length
    // All that its paths use, and then those that take their places. The network throws when packets leave without time passing.
    for (let sequence = 200; sequence < 206; sequence++) forger.send(to => appendId(to, sequence, sequence))
    forger.network.run(() => false, 10_000)
    expect(forger.code).to.equal(undefined)
    expect(forger.answers.length - before).to.be.within(1, 100)
  })
})
