import { expect } from 'chai'
import type { UdpPath } from '../../../src/quic/engine.ts'
import type { QuicObserver } from '../../../src/quic/observer.ts'
import { DEFAULT_QUIC_SETTINGS } from '../../../src/quic/quic.ts'
import type { FrameVisitor } from '../../../src/quic/typescript/frames/frame-visitor.ts'
import { readFrames } from '../../../src/quic/typescript/frames/read-frames.ts'
import { APPLICATION } from '../../../src/quic/typescript/packet-number-space.ts'
import { NO_VIABLE_PATH } from '../../../src/quic/typescript/transport-error.ts'
import { typescriptEngines } from './engines.ts'
import { CLIENT_ADDRESS, type End, type NetworkOptions, SERVER_ADDRESS, VirtualNetwork } from './virtual-network.ts'

const DATA = Uint8Array.from({ length: 60_000 }, (_, i) => i * 7)
const ELSEWHERE = { host: '203.0.113.9', port: 5005 }

describe('a connection of the engine in TypeScript', () => {
  let engines: Awaited<ReturnType<typeof typescriptEngines>>
  before(async () => {
    engines = await typescriptEngines()
  })

  const begin = (options: Partial<NetworkOptions> = {}): VirtualNetwork =>
    new VirtualNetwork({ ...engines(1), ...options })

  /** Both ends know that the other is there; and nothing is on its way. */
  const established = (
    options: Partial<NetworkOptions> = {},
  ): { network: VirtualNetwork; client: End; server: End } => {
    const network = begin(options)
    expect(network.run(() => network.client.established && network.server?.established === true)).to.equal(true)
    network.run(() => false, 500)
    return { network, client: network.client, server: network.server as End }
  }

  const arrives = (network: VirtualNetwork, to: End, from: 'client' | 'server', streamId: number): void => {
    const end = from === 'client' ? network.client : (network.server as End)
    end.write(streamId, DATA)
    network.turn(from)
    expect(network.run(() => to.hasEnded(streamId))).to.equal(true)
    expect(Buffer.compare(to.bytesOf(streamId), DATA)).to.equal(0)
  }

  it('is established in one round trip, and both ends know who the other is', () => {
    const network = begin()
    expect(network.run(() => network.client.established)).to.equal(true)
    expect(network.now).to.equal(1020)
    expect(network.client.connection.alpn).to.equal('h3')
    expect(network.client.connection.peerCertificate).to.be.instanceOf(Uint8Array)
    expect(network.run(() => network.server?.established === true)).to.equal(true)
  })

  it('is established, whichever one of the first packets is lost', () => {
    for (let lost = 0; lost < 8; lost++) {
      const network = begin({ seed: lost + 1 })
      let count = 0
      network.tamper = packet => (count++ === lost ? [] : [packet])
      expect(network.run(() => network.client.established && network.server?.established === true)).to.equal(true)
    }
  })

  it('is established when packets of the server come in the reverse order', () => {
    const network = begin()
    const kept: Uint8Array[] = []
    network.tamper = (packet, to, path) => {
      if (to === 'server' || kept.length > 2) return [packet]
      kept.push(packet)
      if (kept.length < 2) return []
      kept.push(packet)
      void path
      return [packet, kept[0]]
    }
    expect(network.run(() => network.client.established && network.server?.established === true)).to.equal(true)
  })

  it('is established by a ClientHello of many packets, in whatever order they come', async () => {
    const protocols = Array.from({ length: 40 }, (_, i) => String(i).padStart(200, 'x'))
    const settings = { ...DEFAULT_QUIC_SETTINGS, alpn: ['h3', ...protocols] }
    const large = await typescriptEngines({ client: { settings } })
    for (let seed = 1; seed <= 20; seed++) {
      const network = new VirtualNetwork({ ...large(seed), seed, conditions: { jitterMs: 50 } })
      expect(network.sent.client, 'before anything has arrived').to.be.at.least(7)
      expect(network.run(() => network.client.established && network.server?.established === true)).to.equal(true)
    }
  })

  it('sends no more than three times what came before the client is known to be there (RFC 9000 §8.1)', () => {
    const network = begin()
    // The first packet of the client is on its way already: the only one that comes.
    let sent = 0
    network.tamper = (packet, to) => {
      if (to === 'client') sent += packet.length
      return []
    }
    network.run(() => false, 20_000)
    expect(sent).to.be.within(1200, 3 * 1200)
  })

  it('finds what the path carries, to the byte', () => {
    for (const mtu of [1200, 1201, 1333, 1400, 1500]) {
      const { network, client } = established({ conditions: { mtu } })
      expect(network.run(() => client.connection.pathMtuSettled, 60_000)).to.equal(true)
      // A short header with an id of 8 bytes, a packet number of 4, the frame's type and length, the tag.
      expect(client.connection.maxDatagramLength, `${mtu}`).to.equal(Math.min(mtu, 1400) - 1 - 8 - 4 - 1 - 2 - 16)
    }
  })

  it('finds it as fast as an ACK can come: a packet larger than all before is a probe, and its ACK does not wait', () => {
    const network = begin()
    const settledAt = { client: 0, server: 0 }
    network.run(() => {
      for (const which of ['client', 'server'] as const)
        if (network[which]?.connection.pathMtuSettled && settledAt[which] === 0) settledAt[which] = network.now
      return settledAt.client > 0 && settledAt.server > 0
    })
    // From when it is established: after one and one and a half round trips of 20 ms.
    expect(settledAt).to.deep.equal({ client: 1040, server: 1050 })
  })

  it('notices that the path carries less than before', () => {
    const { network, client, server } = established()
    expect(network.run(() => client.connection.pathMtuSettled)).to.equal(true)
    network.conditions.mtu = 1250
    const full = new Uint8Array(client.connection.maxDatagramLength)
    const isFound = network.run(() => {
      if (client.connection.countDatagrams() < 3) client.connection.sendDatagram(full)
      network.turn('client')
      return client.connection.maxDatagramLength < full.length
    }, 60_000)
    expect(isFound).to.equal(true)
    arrives(network, server, 'client', 0)
  })

  it('ends without a word when nothing comes for the idle timeout, and not while a PING is answered', () => {
    const { network, client, server } = established()
    for (let i = 0; i < 10; i++) {
      client.connection.ping()
      network.turn('client')
      network.run(() => client.closed !== undefined, 10_000)
    }
    expect([client.closed, server.closed]).to.deep.equal([undefined, undefined])
    const before = { ...network.sent }
    expect(network.run(() => client.connection.isOver && server.connection.isOver, 40_000)).to.equal(true)
    expect([client.closed?.source, server.closed?.source]).to.deep.equal(['timeout', 'timeout'])
    expect(network.sent).to.deep.equal(before)
  })

  it('says nothing of what an application says before the handshake is over (RFC 9000 §10.2.3)', () => {
    const network = begin()
    network.run(() => network.server !== undefined)
    network.client.connection.close(true, 0x101, 'secret')
    network.turn('client')
    expect(network.run(() => network.server?.closed !== undefined)).to.equal(true)
    expect(network.server?.closed).to.deep.equal({ source: 'peer', application: false, code: 0x0c, reason: '' })
    expect(network.client.closed).to.deep.equal({ source: 'local', application: true, code: 0x101, reason: 'secret' })
  })

  it('resumes an earlier session with its ticket', () => {
    const both = engines(3)
    const { client } = established(both)
    const ticket = client.connection.resumptionTicket as Uint8Array
    expect(client.connection.resumed).to.equal(false)
    const again = established({ ...both, resumptionTicket: ticket })
    expect([again.client.connection.resumed, again.server.connection.resumed]).to.deep.equal([true, true])
  })

  it('acknowledges a packet that comes alone before max_ack_delay is over, as timers ring late (RFC 9000 §13.2.1, §18.2)', () => {
    const { network, client } = established()
    const waits: number[] = []
    let arrivesAt = 0
    network.tamper = (packet, to) => {
      if (to === 'client') waits.push(network.now - arrivesAt)
      return [packet]
    }
    for (let i = 0; i < 4; i++) {
      network.run(() => false, 1000)
      arrivesAt = network.now + network.conditions.delayMs
      client.connection.ping()
      network.turn('client')
    }
    network.run(() => false, 1000)
    expect(waits).to.have.length(4)
    expect(Math.max(...waits)).to.be.within(1, 21)
  })

  describe('that goes another way', () => {
    /** And every PATH_CHALLENGE of the server's: to which port, in how large a datagram, and whether it may pass. */
    const watched = (passes = (_length: number): boolean => true) => {
      const challenges: { port: number; length: number }[] = []
      let isChallenge = false
      const visitor = new Proxy({} as FrameVisitor, {
        get: (_, frame) => () => {
          if (frame === 'onPathChallenge') isChallenge = true
        },
      })
      const observer = new Proxy({} as QuicObserver, {
        get:
          (_, event) =>
          (...[type, , , frames]: Parameters<QuicObserver['packetSent']>) => {
            if (event === 'packetSent' && type === '1RTT' && frames) readFrames(frames, APPLICATION, 'server', visitor)
          },
      })
      const ends = established({
        observe: (which, connection, now) => {
          if (which === 'server') connection.observe?.(observer, now)
        },
      })
      ends.network.tamper = (packet, to, { remote: { port } }) => {
        if (isChallenge && to === 'client') challenges.push({ port, length: packet.length })
        isChallenge = false
        return to === 'server' || passes(packet.length) ? [packet] : []
      }
      return { ...ends, challenges }
    }

    it('is tested once more when little could be sent there at first: that proves an address, and not what the path carries (RFC 9000 §8.2.1)', () => {
      const { network, client, challenges } = watched()
      network.rebind(ELSEWHERE)
      client.connection.ping()
      network.turn('client')
      network.run(() => false, 400)
      const lengths = challenges.filter(({ port }) => port === ELSEWHERE.port).map(({ length }) => length)
      expect(lengths[0]).to.be.below(1200)
      expect(lengths.slice(1)).to.deep.equal([1200])
    })

    it('is on no path that does not carry 1200 bytes, although its peer is there (§8.2.3, §14)', () => {
      const { network, client, server } = watched(length => length < 1200)
      network.rebind(ELSEWHERE)
      client.connection.ping()
      network.turn('client')
      network.run(() => server.closed !== undefined, 25_000)
      expect(server.closed).to.include({ source: 'local', application: false, code: NO_VIABLE_PATH })
      expect(network.run(() => client.closed !== undefined, 1000)).to.equal(true)
      expect(client.closed).to.include({ source: 'peer', application: false, code: NO_VIABLE_PATH })
    })

    it('has the path tested that the client has left, also for one that was tested before (§9.3.3)', () => {
      const { network, client, server, challenges } = watched()
      const path: UdpPath = { local: ELSEWHERE, remote: SERVER_ADDRESS }
      client.connection.probePath(path, network.now)
      network.turn('client')
      network.run(() => false, 200)
      expect(challenges.map(({ port }) => port)).to.deep.equal([ELSEWHERE.port])
      client.connection.migrate(path, network.now)
      network.turn('client')
      network.run(() => false, 200)
      expect(server.movedTo?.remote).to.deep.equal(ELSEWHERE)
      expect(challenges.slice(1)).to.deep.equal([{ port: CLIENT_ADDRESS.port, length: 1200 }])
    })

    it('follows a NAT that binds the client anew, in the middle of a transfer', () => {
      const { network, client, server } = established()
      client.write(0, DATA)
      network.turn('client')
      network.rebind(ELSEWHERE)
      expect(network.run(() => server.hasEnded(0))).to.equal(true)
      expect(server.movedTo?.remote).to.deep.equal(ELSEWHERE)
      arrives(network, client, 'server', 1)
      // It has answered there: nothing is held back any more.
      expect(server.connection.paths().filter(({ active }) => active)[0].remote).to.deep.equal(ELSEWHERE)
    })

    it('follows as often as it happens', () => {
      const { network, client, server } = established()
      for (let i = 1; i <= 30; i++) {
        network.rebind({ ...ELSEWHERE, port: 5005 + i })
        client.connection.ping()
        network.turn('client')
        expect(network.run(() => server.movedTo?.remote.port === 5005 + i, 1000)).to.equal(true)
        // Some are gone before they have answered.
        network.run(() => false, i % 3 === 0 ? 5 : 4000)
      }
      arrives(network, client, 'server', 1)
      expect(server.connection.paths().length).to.be.at.most(4)
    })

    it('is found again when a NAT binds it anew before it knows that the handshake is confirmed (RFC 9002 §6.2.4)', () => {
      const network = new VirtualNetwork(engines(1))
      const { client } = network
      client.write(0, DATA)
      // All that says so is lost.
      network.tamper = (packet, to) => (to === 'client' && network.server?.established === true ? [] : [packet])
      expect(network.run(() => network.server?.established === true && client.established)).to.equal(true)
      network.run(() => false, 50)
      network.tamper = packet => [packet]
      network.rebind(ELSEWHERE)
      expect(network.run(() => network.server?.hasEnded(0) === true, 10_000)).to.equal(true)
    })

    it('is not given up as long as it may be the network that loses the test of its only path, and then it is', () => {
      for (const [silentMs, survives] of [
        [4000, true],
        [20_000, false],
      ] as const) {
        const { network, client, server } = established()
        network.rebind(ELSEWHERE)
        const end = network.now + silentMs
        network.tamper = (packet, to) => (to === 'client' && network.now < end ? [] : [packet])
        client.write(0, DATA)
        network.turn('client')
        network.run(() => network.server?.closed !== undefined, 20_000)
        if (survives) expect([server.hasEnded(0), server.closed]).to.deep.equal([true, undefined])
        else {
          expect(server.closed).to.include({ source: 'local', application: false, code: NO_VIABLE_PATH })
          // Without a word: whoever is there has never answered (RFC 9000 §9.3.2).
          expect(server.connection.isOver).to.equal(true)
        }
      }
    })

    it('moves where the client wants, once that path has answered, with another connection id', () => {
      const { network, client, server } = established()
      const path: UdpPath = { local: ELSEWHERE, remote: SERVER_ADDRESS }
      const ids = new Set<string>()
      network.tamper = (packet, to) => {
        if (to === 'server') ids.add(Buffer.from(packet.subarray(1, 9)).toString('hex'))
        return [packet]
      }
      client.connection.ping()
      network.turn('client')
      expect(ids.size).to.equal(1)
      expect(client.connection.probePath(path, network.now)).to.equal(true)
      network.turn('client')
      expect(network.run(() => client.validated.length > 0)).to.equal(true)
      expect(server.movedTo, 'a probe moves nothing').to.equal(undefined)
      client.connection.migrate(path, network.now)
      network.turn('client')
      expect(network.run(() => server.movedTo !== undefined)).to.equal(true)
      expect(server.movedTo?.remote).to.deep.equal(ELSEWHERE)
      arrives(network, server, 'client', 0)
      expect(ids.size).to.equal(2)
    })

    it('goes back when the peer is not where it seemed to be', () => {
      const { network, client, server } = established()
      // Somebody sends one packet of the client from elsewhere, where nobody answers.
      let isForged = false
      network.tamper = (packet, to, path) => {
        if (to === 'client' && path.remote === ELSEWHERE) return []
        if (to === 'server' && !isForged) {
          isForged = true
          network.inject(packet, 'server', { local: SERVER_ADDRESS, remote: ELSEWHERE })
          return []
        }
        return [packet]
      }
      client.connection.ping()
      network.turn('client')
      expect(network.run(() => server.movedTo?.remote === ELSEWHERE)).to.equal(true)
      expect(network.run(() => server.movedTo?.remote.port === CLIENT_ADDRESS.port, 10_000)).to.equal(true)
      arrives(network, client, 'server', 1)
      expect(server.closed).to.equal(undefined)
    })
  })
})
