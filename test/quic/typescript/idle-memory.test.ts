import { expect } from 'chai'
import type { EngineConnection, QuicEngine } from '../../../src/quic/engine.ts'
import { Handshake } from '../../../src/quic/typescript/handshake.ts'
import { PeerConnectionIds } from '../../../src/quic/typescript/peer-connection-ids.ts'
import { encodeTransportParameters } from '../../../src/quic/typescript/transport-parameters.ts'
import { QUIC_V1 } from '../../../src/quic/typescript/version.ts'
import { WireWriter } from '../../../src/quic/typescript/wire-writer.ts'
import { heldInRounds } from '../../support/held-memory.ts'
import { typescriptEngines } from './engines.ts'
import { CLIENT_ADDRESS, End, SERVER_ADDRESS, seeded, seededBytes } from './virtual-network.ts'

const CONNECTIONS = 40

/** A ClientHello has room for so many. */
const MANY_VERSIONS = 3900
/** Of version information with one available version. */
const LENGTH_OF_ONE = 8

/** Of a server's 60 KB for an idle connection; the rest is left to the driver and to HTTP/3. */
const MOST_BYTES = 40 << 10

/** After so many turns, 10 ms each, handshake, connection ids and the search for the MTU are over. */
const TURNS = 40

const AT_CLIENT = { local: CLIENT_ADDRESS, remote: SERVER_ADDRESS }
const AT_SERVER = { local: SERVER_ADDRESS, remote: CLIENT_ADDRESS }

/** As a socket has it: one for all. */
const room = new Uint8Array(65_535)

/** Both ends of a connection on which everything has been said. */
function idle(engines: { client: QuicEngine; server: QuicEngine }, seed: number): { client: End; server: End } {
  const randomBytes = seededBytes(seeded(seed))
  const newId = (): Uint8Array => randomBytes(8)
  const client = new End(engines.client.connect({ id: newId(), path: AT_CLIENT, serverName: 'localhost' }), newId)
  const accepted = engines.server.accept({ id: newId(), path: AT_SERVER }) as EngineConnection
  const server = new End(accepted, newId)
  for (let turn = 0; turn < TURNS; turn++) {
    const now = 1000 + 10 * turn
    client.connection.onDeadline(now)
    client.turn(now, packet => server.connection.receive(packet, AT_SERVER, now), room)
    server.connection.onDeadline(now)
    server.turn(now, packet => client.connection.receive(packet, AT_CLIENT, now), room)
  }
  return { client, server }
}

/** Of a client that calls itself so. */
function parametersWithManyVersions(initialSourceConnectionId: Uint8Array): Uint8Array {
  const versionInformation = { chosen: QUIC_V1, available: [QUIC_V1] }
  // Version information is the last, and its length is one byte.
  const few = encodeTransportParameters({ initialSourceConnectionId, versionInformation })
  const to = new WireWriter(new Uint8Array(20_000))
  to.write(few.subarray(0, few.length - LENGTH_OF_ONE - 1))
  to.varint(LENGTH_OF_ONE + 4 * MANY_VERSIONS)
  to.write(few.subarray(few.length - LENGTH_OF_ONE))
  for (let i = 0; i < MANY_VERSIONS; i++) to.u32(0xf000_0000 + i)
  return to.bytes.slice(0, to.offset)
}

/** So much and no more, of each connection of a round. */
function expectFew(held: readonly number[]): void {
  expect(Math.min(...held) / CONNECTIONS).to.be.at.most(MOST_BYTES)
  expect(Math.max(...held) / CONNECTIONS, 'that anything was measured').to.be.at.least(1024)
}

describe('an idle connection of the engine in TypeScript', () => {
  for (const which of ['server', 'client'] as const) {
    it(`keeps at most ${MOST_BYTES >> 10} KiB at the ${which}'s end`, async () => {
      const engines = (await typescriptEngines())(1)
      const kept: EngineConnection[] = []
      const held = await heldInRounds(round => {
        for (let i = 0; i < CONNECTIONS; i++) {
          const { client, server } = idle(engines, round * CONNECTIONS + i)
          expect(client.established && server.established).to.equal(true)
          kept.push((which === 'server' ? server : client).connection)
        }
      })
      expect(kept.every(connection => !connection.closing && connection.pathMtuSettled)).to.equal(true)
      expectFew(held)
    })
  }

  it('keeps nothing of the versions that a client could speak, however many they are', async () => {
    const engines = (await typescriptEngines())(1)
    const { onPeerTransportParameters } = Handshake.prototype
    const kept: Handshake[] = []
    Handshake.prototype.onPeerTransportParameters = function (bytes) {
      const { initialSource, originalDestination } = this.expected
      if (originalDestination !== undefined) return onPeerTransportParameters.call(this, bytes)
      kept.push(this)
      onPeerTransportParameters.call(this, parametersWithManyVersions(initialSource as Uint8Array))
    }
    try {
      const held = await heldInRounds(round => {
        for (let i = 0; i < CONNECTIONS; i++) idle(engines, round * CONNECTIONS + i)
      })
      expect(kept.every(({ complete }) => complete)).to.equal(true)
      expectFew(held)
    } finally {
      Handshake.prototype.onPeerTransportParameters = onPeerTransportParameters
    }
  })

  it('keeps of a packet that brings a connection id no more than that id', () => {
    const ids = new PeerConnectionIds(Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8), 4)
    const packet = Buffer.alloc(1200, 7)
    ids.onNewConnectionId(1, 0, packet.subarray(0, 8), packet.subarray(8, 24))
    expect(ids.take()?.id.buffer.byteLength).to.equal(8)
  })
})
