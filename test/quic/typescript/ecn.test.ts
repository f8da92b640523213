import { expect } from 'chai'
import { CE, ECT_0, ECT_1, type EcnCodepoint, NOT_ECT } from '../../../src/quic/ecn.ts'
import type { UdpPath } from '../../../src/quic/engine.ts'
import type { QuicObserver } from '../../../src/quic/observer.ts'
import { DEFAULT_QUIC_SETTINGS } from '../../../src/quic/quic.ts'
import type { FrameVisitor } from '../../../src/quic/typescript/frames/frame-visitor.ts'
import { readFrames } from '../../../src/quic/typescript/frames/read-frames.ts'
import { APPLICATION } from '../../../src/quic/typescript/packet-number-space.ts'
import { typescriptEngines } from './engines.ts'
import {
  type Conditions,
  type End,
  type NetworkOptions,
  type Remark,
  SERVER_ADDRESS,
  VirtualNetwork,
} from './virtual-network.ts'

const DATA = Uint8Array.from({ length: 100_000 }, (_, i) => i * 7)

/** The time that passes before a client that has heard nothing asks again, in ms (RFC 9002 §6.2.2). */
const FIRST_PTO_MS = 999

describe('a connection of the engine in TypeScript with ECN (RFC 9000 §13.4)', () => {
  let engines: Awaited<ReturnType<typeof typescriptEngines>>
  before(async () => {
    engines = await typescriptEngines()
  })

  /** What was sent to each end, by its ECN field: 0, 1, 2 and 3. */
  type Sent = Record<'client' | 'server', [number, number, number, number]>

  const begin = (remark: Remark, options: Partial<NetworkOptions> = {}): { network: VirtualNetwork; sent: Sent } => {
    const sent: Sent = { client: [0, 0, 0, 0], server: [0, 0, 0, 0] }
    const ecn: Remark = (field, to, packet) => {
      sent[to][field]++
      return remark(field, to, packet)
    }
    return { network: new VirtualNetwork({ ...engines(1), ...options, ecn }), sent }
  }

  const isEstablished = (network: VirtualNetwork) => () =>
    network.client.established && network.server?.established === true

  /** The client asks on a stream, and the server answers, with so many bytes each. */
  const exchange = (network: VirtualNetwork, streamId: number): void => {
    const { client } = network
    client.write(streamId, DATA)
    network.turn('client')
    expect(
      network.run(() => network.server?.hasEnded(streamId) === true),
      'there',
    ).to.equal(true)
    const server = network.server as End
    server.write(streamId, DATA)
    network.turn('server')
    expect(
      network.run(() => client.hasEnded(streamId)),
      'and back',
    ).to.equal(true)
  }

  const lost = ({ connection }: End): number => connection.counters().packetsLost
  const cwnd = ({ connection }: End): number => connection.counters().cwnd

  it('marks every packet when the marks arrive, those of the handshake and of ACKs alone included', () => {
    for (const retry of [false, true]) {
      const { network, sent } = begin(ecn => ecn, { retry })
      exchange(network, 0)
      expect(sent.server[ECT_0]).to.equal(network.sent.client)
      expect(sent.client[ECT_0]).to.equal(network.sent.server)
      expect(network.sent.server).to.be.at.least(80)
    }
  })

  it('goes on to mark where packets are lost, late, doubled, and before the keys that open them', () => {
    const bad: Partial<Conditions> = { delayMs: 30, jitterMs: 40, loss: 0.03, duplicate: 0.1 }
    for (let seed = 1; seed <= 25; seed++) {
      const { network, sent } = begin(ecn => ecn, { ...engines(seed), seed, conditions: bad })
      exchange(network, 0)
      const before = { toServer: sent.server[ECT_0], toClient: sent.client[ECT_0] }
      exchange(network, 4)
      // An end whose first packets were all lost has given up before; nobody gives up later.
      if (before.toServer > 20) expect(sent.server[ECT_0] - before.toServer, `seed ${seed}`).to.be.at.least(60)
      if (before.toClient > 20) expect(sent.client[ECT_0] - before.toClient, `seed ${seed}`).to.be.at.least(60)
      if (seed === 25) expect(before.toServer).to.be.above(20)
    }
  })

  it('counts what it receives, whoever marks it so', () => {
    const fields: EcnCodepoint[] = []
    const { network } = begin((ecn, to) => {
      if (to === 'client') return ecn
      fields.push(CE)
      return CE
    })
    exchange(network, 0)
    const { client } = network
    // Every packet of the client's was marked by a router, and none was lost: it has heard of that, and is slow.
    expect(lost(client)).to.equal(0)
    expect(cwnd(client)).to.be.below(5 * 1200)
    expect(fields.length).to.be.above(80)
  })

  for (const algorithm of ['reno', 'cubic'] as const) {
    it(`makes the window of ${algorithm} smaller when a router has marked a packet, once in a round trip`, async () => {
      const settings = { ...DEFAULT_QUIC_SETTINGS, congestionControl: algorithm }
      const make = await typescriptEngines({ client: { settings }, server: { settings } })
      let marks = 0
      const mark: Remark = (ecn, to) => (to === 'client' && ecn === ECT_0 && marks-- > 0 ? CE : ecn)
      const { network } = begin(mark, make(1))
      exchange(network, 0)
      const server = network.server as End
      const before = cwnd(server)
      network.client.write(4, DATA.subarray(0, 1))
      network.turn('client')
      expect(network.run(() => server.hasEnded(4))).to.equal(true)
      marks = 5
      server.write(4, DATA.subarray(0, 12_000))
      network.turn('server')
      expect(network.run(() => network.client.bytesOf(4).length === 12_000)).to.equal(true)
      network.run(() => false, 100)
      expect(marks).to.be.below(1)
      const factor = algorithm === 'reno' ? 0.5 : 0.7
      expect(cwnd(server)).to.be.within(factor * before - 1, factor * before + 3 * 1400)
      expect(lost(server)).to.equal(0)
    })
  }

  it('marks nothing with BBR, which would not heed a mark, and counts those of its peer', async () => {
    const settings = { ...DEFAULT_QUIC_SETTINGS, congestionControl: 'bbr' as const }
    const make = await typescriptEngines({ client: { settings } })
    const { network, sent } = begin(ecn => ecn, make(1))
    exchange(network, 0)
    expect(sent.server).to.deep.equal([network.sent.client, 0, 0, 0])
    expect(sent.client[ECT_0]).to.equal(network.sent.server)
  })

  it('marks no more when the first ACK does not count the marks, or not those: routers clear the field, or spoil it', () => {
    for (const seen of [NOT_ECT, ECT_1] as const) {
      const spoil: Remark = (ecn, to) => (to === 'server' ? seen : ecn)
      const { network, sent } = begin(spoil)
      exchange(network, 0)
      expect(sent.server[ECT_0]).to.be.within(1, 10)
      expect(sent.server[NOT_ECT]).to.be.at.least(70)
      expect([lost(network.client), lost(network.server as End)]).to.deep.equal([0, 0])
    }
  })

  const drops =
    (...ends: ('client' | 'server')[]): Remark =>
    (ecn, to) =>
      ecn !== NOT_ECT && ends.includes(to) ? undefined : ecn

  for (const [where, remark, ptos] of [
    ['from the client', drops('server'), 1],
    ['from the server', drops('client'), 1],
    ['both ways', drops('client', 'server'), 2],
  ] as const) {
    it(`completes a handshake on a path that drops what is marked, ${where}: ${ptos} PTO later`, () => {
      for (const retry of [false, true]) {
        const { network, sent } = begin(remark, { retry })
        const start = network.now
        expect(network.run(isEstablished(network), 20_000)).to.equal(true)
        expect(network.now - start).to.be.within(ptos * FIRST_PTO_MS, ptos * FIRST_PTO_MS + 200)
        exchange(network, 0)
        const marked = Math.max(sent.client[ECT_0], sent.server[ECT_0])
        exchange(network, 4)
        if (ptos === 2) expect(Math.max(sent.client[ECT_0], sent.server[ECT_0])).to.equal(marked)
        expect(marked).to.be.at.most(ptos === 2 ? 10 : 1000)
      }
    })
  }

  it('goes on without marks, and without an end, when a path begins to drop what is marked', () => {
    let isDropping = false
    const { network } = begin((ecn, to) => (isDropping && to === 'server' && ecn !== NOT_ECT ? undefined : ecn))
    exchange(network, 0)
    isDropping = true
    const start = network.now
    exchange(network, 4)
    expect(network.now - start).to.be.below(5000)
  })

  it('counts a packet that had to wait for its keys by the field that it came with', () => {
    let held: { packet: Uint8Array; path: UdpPath } | undefined
    let isOver = false
    const { network } = begin((ecn, to) => (to === 'server' && held !== undefined && !isOver ? CE : ecn))
    const { client } = network
    client.write(0, DATA.subarray(0, 5000))
    network.tamper = (packet, to, { local, remote }) => {
      if (to === 'client' || held !== undefined) return [packet]
      held = { packet, path: { local: remote, remote: local } }
      return []
    }
    expect(network.run(() => client.established)).to.equal(true)
    network.run(() => false, 20)
    isOver = true
    // It has the end of the client's handshake, and was marked by nobody.
    const first = held as unknown as NonNullable<typeof held>
    network.inject(first.packet, 'server', first.path, ECT_0)
    expect(network.run(() => network.server?.hasEnded(0) === true)).to.equal(true)
    network.run(() => false, 100)
    expect(cwnd(client)).to.be.below(10 * 1200)
    expect(lost(client)).to.equal(0)
  })

  it('marks no datagram that tests a path, not even one that is in use: it would be given up where marks are lost', () => {
    let isTest = false
    const tests: EcnCodepoint[] = []
    const visitor = new Proxy({} as FrameVisitor, {
      get: (_, frame) => () => {
        if (frame === 'onPathChallenge' || frame === 'onPathResponse') isTest = true
      },
    })
    const observer = new Proxy({} as QuicObserver, {
      get:
        (_, event) =>
        (...[type, , , frames]: Parameters<QuicObserver['packetSent']>) => {
          if (event === 'packetSent' && type === '1RTT' && frames) readFrames(frames, APPLICATION, 'server', visitor)
        },
    })
    const remark: Remark = ecn => {
      if (isTest) tests.push(ecn)
      isTest = false
      return ecn
    }
    const { network, sent } = begin(remark, {
      observe: (_which, connection, now) => connection.observe?.(observer, now),
    })
    exchange(network, 0)
    const before = sent.client[ECT_0]
    network.rebind({ host: '203.0.113.9', port: 5005 })
    exchange(network, 4)
    // A challenge on the new path, one on that of before, and an answer.
    expect(tests.length).to.be.at.least(3)
    expect(tests.every(ecn => ecn === NOT_ECT)).to.equal(true)
    expect(sent.client[ECT_0] - before).to.be.at.least(70)
  })

  it('finds a client again whom a NAT has bound anew, where what is marked is dropped from then on', () => {
    let isDropping = false
    const { network } = begin(ecn => (isDropping && ecn !== NOT_ECT ? undefined : ecn))
    exchange(network, 0)
    isDropping = true
    const elsewhere = { host: '203.0.113.9', port: 5005 }
    network.rebind(elsewhere)
    exchange(network, 4)
    network.run(() => false, 10_000)
    expect((network.server as End).connection.paths().find(({ active }) => active)?.remote).to.deep.equal(elsewhere)
    exchange(network, 8)
  })

  it('tests each path anew: no PATH_CHALLENGE is marked, and all packets are when the client has moved', () => {
    let hasMoved = false
    const { network, sent } = begin(ecn => (hasMoved ? ecn : NOT_ECT))
    exchange(network, 0)
    network.run(() => false, 1000)
    const elsewhere = { local: { host: '192.0.2.77', port: 7777 }, remote: SERVER_ADDRESS }
    const before = sent.server[ECT_0]
    network.client.connection.probePath(elsewhere, network.now)
    network.turn('client')
    expect(network.run(() => network.client.validated.length > 0)).to.equal(true)
    expect(sent.server[ECT_0]).to.equal(before)
    hasMoved = true
    network.client.connection.migrate(elsewhere, network.now)
    const unmarked = sent.server[NOT_ECT]
    exchange(network, 4)
    expect(sent.server[ECT_0] - before).to.be.at.least(80)
    expect(sent.server[NOT_ECT] - unmarked).to.be.at.most(3)
  })
})
