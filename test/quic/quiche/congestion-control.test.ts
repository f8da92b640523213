import { expect } from 'chai'
import { chooseEngine } from '../../../src/quic/choose-engine.ts'
import type { EngineConnection, EngineEvents, EngineOptions, QuicEngine } from '../../../src/quic/engine.ts'
import { type CongestionControl, DEFAULT_QUIC_SETTINGS, type UdpPath } from '../../../src/quic/quic.ts'
import { clientTls, serverTls } from '../../support/certificates.ts'
import { skipWithoutQuiche } from '../../support/quiche.ts'

const SERVER = { host: '192.0.2.1', port: 4433 }
const ROOM = Buffer.alloc(2000)
/** RFC 9002 §7.3.2 and RFC 9438 §4.6: what a loss leaves of the window. */
const LEFT = { reno: 0.5, cubic: 0.7 }

/** It is loaded only now, when the test is not skipped. */
const newEngine = async (options: EngineOptions): Promise<QuicEngine> => (await chooseEngine('quiche')).make(options)

describe('congestion control by the name that is given for a peer', () => {
  before(skipWithoutQuiche)

  let ids = 0
  const events = (state: { established: boolean }): EngineEvents => ({
    onEstablished: () => {
      state.established = true
    },
    onDatagram() {},
    onStreamData() {},
    onStreamReset() {},
    onStopSending() {},
    onPathChanged() {},
    onPathValidated() {},
    newConnectionId: () => Buffer.alloc(20, `${++ids}.`),
    onConnectionIdRetired() {},
  })

  /** All packets that this end wants to send now. */
  const packets = (connection: EngineConnection): Buffer[] => {
    const all: Buffer[] = []
    for (;;) {
      const packet = connection.send(ROOM, performance.now())
      if (packet === undefined) return all
      all.push(Buffer.from(ROOM.subarray(0, packet.length)))
    }
  }

  /** Two ends in memory, with the handshake behind them. */
  const connected = async (server: QuicEngine, remote: UdpPath['remote']) => {
    const toServer: UdpPath = { local: SERVER, remote }
    const toClient: UdpPath = { local: remote, remote: SERVER }
    const engine = await newEngine({
      role: 'client',
      settings: { ...DEFAULT_QUIC_SETTINGS, alpn: ['h3'] },
      tls: await clientTls(),
      peerCertificate: 'required',
    })
    const client = engine.connect({ id: Buffer.alloc(20, remote.port), path: toClient, serverName: 'localhost' })
    const peer = server.accept({ id: Buffer.alloc(20, 200), path: toServer }) as EngineConnection
    const [clientState, peerState] = [{ established: false }, { established: false }]
    const exchange = () => {
      for (const packet of packets(client)) peer.receive(packet, toServer, performance.now())
      peer.handOut(events(peerState), performance.now())
      for (const packet of packets(peer)) client.receive(packet, toClient, performance.now())
      client.handOut(events(clientState), performance.now())
    }
    for (let i = 0; i < 20; i++) exchange()
    expect([clientState.established, peerState.established]).to.deep.equal([true, true])
    return { client, peer, toServer, toClient }
  }

  /** What one lost packet of ten leaves of the window of the server. */
  const leftAfterLoss = ({ client, peer, toServer, toClient }: Awaited<ReturnType<typeof connected>>): number => {
    const window = () => peer.paths()[0].cwnd
    for (let i = 0; i < 10; i++) peer.sendDatagram(Buffer.alloc(1000))
    const [, ...arrived] = packets(peer)
    expect(arrived).to.have.length.of.at.least(8)
    const before = window()
    for (const packet of arrived) client.receive(packet, toClient, performance.now())
    for (const packet of packets(client)) peer.receive(packet, toServer, performance.now())
    expect(peer.counters().packetsLost).to.equal(1)
    return window() / before
  }

  const newServer = async (
    setting: CongestionControl,
    congestionControl?: (remote: UdpPath['remote']) => CongestionControl,
  ) =>
    newEngine({
      role: 'server',
      settings: { ...DEFAULT_QUIC_SETTINGS, alpn: ['h3'], congestionControl: setting },
      tls: await serverTls(),
      peerCertificate: 'none',
      congestionControl,
    })

  it('is that of each connection, whichever was begun before', async () => {
    const asked: UdpPath['remote'][] = []
    const server = await newServer('cubic', remote => {
      asked.push(remote)
      return remote.port === 7 ? 'reno' : 'cubic'
    })
    const peers = [7, 8, 7].map(port => ({ host: '198.51.100.1', port }))
    const pairs = await Promise.all(peers.map(peer => connected(server, peer)))
    expect(asked).to.deep.equal(peers)
    for (const [i, expected] of [LEFT.reno, LEFT.cubic, LEFT.reno].entries())
      expect(leftAfterLoss(pairs[i])).to.be.closeTo(expected, 0.02)
  })

  it('is that of the settings where nobody is asked', async () => {
    for (const name of ['reno', 'cubic'] as const) {
      const pair = await connected(await newServer(name), { host: '198.51.100.1', port: 7 })
      expect(leftAfterLoss(pair)).to.be.closeTo(LEFT[name], 0.02)
    }
  })
})
