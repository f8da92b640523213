import { randomBytes } from 'node:crypto'
import { expect } from 'chai'
import { chooseEngine } from '../../../src/quic/choose-engine.ts'
import type { EngineConnection, EngineEvents, UdpPath } from '../../../src/quic/engine.ts'
import { DEFAULT_QUIC_SETTINGS, type QuicSettings } from '../../../src/quic/quic.ts'
import { clientTls, serverTls } from '../../support/certificates.ts'
import { closeAll, connect, listen } from '../../support/quic-peer.ts'
import { skipWithoutQuiche } from '../../support/quiche.ts'
import { openRelay, type Relay } from '../../support/udp-relay.ts'
import { IS_TYPESCRIPT } from '../../support/which-engine.ts'

/** What a DATAGRAM's payload has around it in a QUIC packet, with our connection ids of 8 bytes. */
const AROUND = 32

describe('the path MTU of a connection', () => {
  afterEach(closeAll)

  /** A client that searches, and a server that ignores its probes; `relay` is between them. */
  const open = async (largest: number, settings: Partial<QuicSettings> = {}) => {
    const server = await listen()
    const relay: Relay = await openRelay(server.endpoint.local, largest)
    const client = await connect(server, { remote: relay.local, settings })
    let streamId = -2
    client.recorder.openProbeStream = () => {
      streamId += 4
      return streamId
    }
    await client.recorder.until(() => client.recorder.established)
    return { server: server.accepted[0], relay, ...client, probes: () => (streamId + 2) / 4 }
  }

  it('Q-01 grows to the largest payload allowed at once, where the path carries it', async () => {
    const { connection, recorder, probes } = await open(65_535, { maxUdpPayload: 1452 })
    expect(connection.maxDatagramLength).to.equal(1200 - AROUND)
    await recorder.until(() => connection.pathMtuSettled)
    expect(connection.maxDatagramLength).to.equal(1452 - AROUND)
    // One, unless this machine is too busy to answer it. The other engine needs no streams for that.
    expect(probes()).to.be.within(IS_TYPESCRIPT ? 0 : 1, IS_TYPESCRIPT ? 0 : 3)
    connection.close(0x100, '')
  })

  for (const largest of [1200, 1272, 1313, 1399]) {
    it(`Q-01 is found to the byte where larger packets vanish without a word: ${largest}`, async () => {
      const { connection, recorder, server } = await open(largest)
      await recorder.until(() => connection.pathMtuSettled)
      expect(connection.maxDatagramLength).to.equal(largest - AROUND)
      connection.sendDatagram(new Uint8Array(largest - AROUND))
      await server.recorder.until(() => server.recorder.datagrams.length === 1)
      expect(connection.sendDatagram(new Uint8Array(largest - AROUND + 1))).to.equal('too-large')
      connection.close(0x100, '')
    })
  }

  it('Q-01 falls back when the path becomes narrower, while much is sent and while little is', async () => {
    const fallBack = async (datagrams: number) => {
      const { connection, recorder, relay, server } = await open(65_535)
      await recorder.until(() => connection.pathMtuSettled)
      relay.narrow(1300)
      const sending = setInterval(() => {
        for (let i = 0; i < datagrams; i++) connection.sendDatagram(new Uint8Array(connection.maxDatagramLength))
        connection.sendDatagram(new Uint8Array(20))
      }, 50)
      try {
        // On a busy machine a probe may be lost for other reasons too: then it is a little less.
        const fits = () => connection.maxDatagramLength <= 1300 - AROUND && connection.maxDatagramLength > 1200 - AROUND
        await recorder.until(() => connection.pathMtuSettled && fits())
        const before = server.recorder.datagrams.length
        await server.recorder.until(() => server.recorder.datagrams.slice(before).some(({ length }) => length > 1200))
      } finally {
        clearInterval(sending)
        connection.close(0x100, '')
      }
    }
    await Promise.all([fallBack(1), fallBack(50)])
  })

  for (const largest of [1200, 1313, 65_535]) {
    it(`Q-01 is found on a stream that stays open, where the peer grants none for probes: ${largest}`, async () => {
      const server = await listen({ settings: { maxStreamsUni: 0 } })
      const relay = await openRelay(server.endpoint.local, largest)
      const { connection, recorder } = await connect(server, { remote: relay.local })
      recorder.ignoredBytes = length => ({ streamId: 0, data: new Uint8Array(length + 3).fill(7) })
      await recorder.until(() => recorder.established)
      connection.streamSend(0, Uint8Array.of(7), false)
      await recorder.until(() => connection.pathMtuSettled)
      expect(connection.maxDatagramLength).to.equal(Math.min(largest, 1400) - AROUND)
      // Whatever was lost on the way, the stream goes on.
      connection.streamSend(0, Uint8Array.of(8), true)
      const { streams } = server.accepted[0].recorder
      await server.accepted[0].recorder.until(() => streams.get(0)?.fin)
      const bytes = [...(streams.get(0)?.bytes ?? [])]
      expect(bytes.lastIndexOf(7)).to.equal(bytes.indexOf(8) - 1)
      expect(bytes.length).to.equal(bytes.indexOf(8) + 1)
      connection.close(0x100, '')
    })
  }

  it('Q-01 stays at 1200 bytes towards a peer that takes nothing for a probe', async () => {
    const server = await listen({ settings: { maxStreamsUni: 0 } })
    const { connection, recorder } = await connect(server)
    recorder.openProbeStream = () => {
      throw new Error('there is none to be opened')
    }
    await recorder.until(() => recorder.established)
    connection.streamSend(0, Uint8Array.of(1), false)
    await server.accepted[0].recorder.until(() => server.accepted[0].recorder.streams.size === 1)
    expect(connection).to.include({ maxDatagramLength: 1200 - AROUND, pathMtuSettled: false })
    connection.close(0x100, '')
  })
})

describe('a probe of the path MTU on quiche', () => {
  before(skipWithoutQuiche)

  const settings = DEFAULT_QUIC_SETTINGS
  const client = { host: '192.0.2.1', port: 1001 }
  const server = { host: '198.51.100.1', port: 443 }
  const room = new Uint8Array(2000)
  const nobody = new Proxy({} as EngineEvents, {
    get: (_, name) => (name === 'newConnectionId' ? () => randomBytes(8) : () => {}),
  })

  const packetsOf = (from: EngineConnection): Uint8Array[] => {
    from.handOut(nobody, 0)
    const packets: Uint8Array[] = []
    for (;;) {
      const packet = from.send(room, 0)
      if (packet === undefined) return packets
      packets.push(room.slice(0, packet.length))
    }
  }
  const deliver = (packets: readonly Uint8Array[], to: EngineConnection, path: UdpPath): void => {
    for (const packet of packets) to.receive(packet, path, 0)
  }

  it('has arrived when it is acknowledged, though something else was sent again meanwhile, as when one of the two ends had to wait', async () => {
    const { make } = await chooseEngine('quiche')
    const here = { local: client, remote: server }
    const there = { local: server, remote: client }
    const ours = make({ role: 'client', settings, tls: await clientTls(), peerCertificate: 'required' }).connect({
      id: randomBytes(8),
      path: here,
      serverName: 'localhost',
    })
    const theirs = make({ role: 'server', settings, tls: await serverTls(), peerCertificate: 'none' }).accept({
      id: randomBytes(8),
      originalId: undefined,
      path: there,
    }) as EngineConnection
    deliver(packetsOf(ours), theirs, there)
    deliver(packetsOf(theirs), ours, here)
    // The end of the handshake, and the probe behind it: on their way for so long that quiche repeats the first of it.
    const underWay = packetsOf(ours)
    const probe = ours.sendProbe(room, length => ({ streamId: 2, data: new Uint8Array(length), ends: true }), 0)
    expect(probe?.length).to.equal(settings.maxUdpPayload)
    underWay.push(room.slice(0, settings.maxUdpPayload), ...packetsOf(ours))
    const again: Uint8Array[] = []
    while (again.length === 0) {
      await new Promise(resolve => setTimeout(resolve, 1))
      ours.onDeadline(0)
      again.push(...packetsOf(ours))
    }
    deliver([...underWay, ...again], theirs, there)
    deliver(packetsOf(theirs), ours, here)
    expect(ours.judgePath(false, 0)).to.equal(true)
    expect(ours.pathMtuSettled).to.equal(true)
  })
})
