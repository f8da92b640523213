/**
 * How often packets cross the network until there is a tunnel: in virtual time, so that it is a number and not a measurement.
 *
 *   client                                   server
 *     | ClientHello ────────────────────────────> |   1
 *     | <─────── ServerHello … Finished, SETTINGS |   2   0.5-RTT data (RFC 9001 §5.7); otherwise SETTINGS wait for the client's Finished:
 *     | Finished, SETTINGS, Extended CONNECT ───> |   3   two more crossings (RFC 9220 §3)
 *     | <──────────────────────────────────── 200 |   4
 */

import { expect } from 'chai'
import { H3ClientConnection } from '../../../src/carriers/h3/client-connection.ts'
import { H3ServerConnection } from '../../../src/carriers/h3/server-connection.ts'
import type { CloseReason } from '../../../src/carriers/http-connection.ts'
import type { AcceptPolicy } from '../../../src/quic/acceptor.ts'
import { chooseEngine } from '../../../src/quic/choose-engine.ts'
import { CONNECTION_ID_LENGTH } from '../../../src/quic/datagram-room.ts'
import { type Dial, QuicDriver } from '../../../src/quic/driver.ts'
import type { EngineOptions } from '../../../src/quic/engine.ts'
import {
  DEFAULT_QUIC_SETTINGS,
  type EngineChoice,
  type QuicConnection,
  type SocketAddress,
} from '../../../src/quic/quic.ts'
import { readPacket } from '../../../src/quic/typescript/packets/read-packet.ts'
import { CONNECT_IP, OK } from '../../http3/conversation.ts'
import { clientTls, serverTls } from '../../support/certificates.ts'
import { skipWithoutQuiche } from '../../support/quiche.ts'
import { VirtualWire } from '../../support/virtual-wire.ts'

const CLIENT: SocketAddress = { host: '192.0.2.1', port: 1001 }
const SERVER: SocketAddress = { host: '198.51.100.1', port: 443 }
const DELAY_MS = 10

const settings = DEFAULT_QUIC_SETTINGS
const NOBODY = { onCapsuleBytes() {}, onDatagram() {}, onEnd() {}, onMtu() {}, onAborted() {} }

interface Options {
  client?: EngineChoice
  server?: EngineChoice
  peerCertificate?: EngineOptions['peerCertificate']
  retry?: AcceptPolicy['retry']
  speaksEarly?: boolean
  /** False: as if the engine did not say when a server may send. */
  saysMaySend?: boolean
  /** Keeps what is worth a test. */
  onAccepted?: (transport: H3ServerConnection) => void
}

/** A client that asks for a tunnel as soon as it may, and a proxy that grants it; what happens is in `heard`, each with its time. */
async function newWorld(options: Options = {}) {
  const { client: ofClient = 'typescript', server: ofServer = 'typescript', saysMaySend = true } = options
  const wire = new VirtualWire(DELAY_MS)
  const heard: { at: number; what: string }[] = []
  const hear = (what: string): void => void heard.push({ at: wire.now(), what })
  const faults: unknown[] = []
  const onError = (error: unknown): void => void faults.push(error)
  const closedWith: Record<string, CloseReason | undefined> = {}
  const accepted: H3ServerConnection[] = []

  const onConnection = (quic: QuicConnection): H3ServerConnection => {
    const transport = new H3ServerConnection(quic)
    accepted.push(transport)
    if (!saysMaySend) Object.assign(transport, { onMaySend: undefined })
    transport.handler = {
      onReady: () => hear('server ready'),
      onCapabilities: () => {},
      onRequest: request => {
        hear('request')
        request.accept(OK)
        request.openCarrier(['datagram'], NOBODY)
      },
      onStreamError: (_id, code) => hear(`stream error ${code}`),
      onRequestFailed: (_id, error) => onError(error),
      onClosed: reason => {
        closedWith.server = reason
      },
    }
    options.onAccepted?.(transport)
    return transport
  }
  const { peerCertificate = 'none', retry = 'never', speaksEarly = true } = options
  const server = new QuicDriver({
    engine: (await chooseEngine(ofServer)).make({ role: 'server', settings, tls: await serverTls(), peerCertificate }),
    settings,
    io: wire,
    sockets: [wire.socket(SERVER)],
    accept: { retry, speaksEarly, maxConnections: 1000, maxConnectionsPerAddress: 1000, onConnection },
    onError,
  })
  const clientEngine = (await chooseEngine(ofClient)).make({
    role: 'client',
    settings,
    tls: await clientTls(...(peerCertificate === 'none' ? [] : (['client'] as const))),
    peerCertificate: 'required',
  })

  const dial = (from = CLIENT, how: Partial<Dial> = {}): H3ClientConnection => {
    const driver = new QuicDriver({ engine: clientEngine, settings, io: wire, sockets: [wire.socket(from)], onError })
    const transport = new H3ClientConnection(driver.connect({ remote: SERVER, serverName: 'localhost', ...how }))
    transport.handler = {
      onReady: () => hear('client ready'),
      onCapabilities: () => {
        hear('settings')
        if (!transport.draining) transport.request(CONNECT_IP)?.openCarrier(['datagram'], NOBODY)
      },
      onResponse: headers => hear(`response ${headers[0][1]}`),
      onRequestFailed: (_id, error) => onError(error),
      onGoAway: () => hear('goaway'),
      onClosed: reason => {
        closedWith.client = reason
      },
    }
    return transport
  }
  /** At what time it was heard first. */
  const timeOf = (what: string): number | undefined => heard.find(each => each.what === what)?.at
  /** How often packets crossed the network until there was an answer. */
  const crossings = (): number => {
    const begun = wire.now()
    expect(wire.run(60_000, () => timeOf('response 200') !== undefined)).to.equal(true)
    return (wire.now() - begun) / DELAY_MS
  }
  return { wire, server, dial, heard, timeOf, crossings, accepted, faults, closedWith }
}

/** Of a datagram with several packets. */
function startOf1Rtt(datagram: Uint8Array): number | undefined {
  for (let start = 0; start < datagram.length; ) {
    const packet = readPacket(datagram, start, CONNECTION_ID_LENGTH)
    if (packet === undefined || packet.type === '1-rtt') return packet?.start
    start = packet.end
  }
  return undefined
}

describe('how often packets cross the network until a tunnel is granted', () => {
  it("is four times: SETTINGS come with the half of the handshake that is the server's, and the request leaves with the client's", async () => {
    const { wire, dial, crossings, heard, faults } = await newWorld()
    const { quic } = dial()
    expect(crossings()).to.equal(4)
    // A tunnel waits for that, too, which comes in a packet of its own.
    wire.run(0)
    expect(quic.pathMtuSettled).to.equal(true)
    expect(heard).to.deep.equal([
      { at: 20, what: 'client ready' },
      { at: 20, what: 'settings' },
      { at: 30, what: 'server ready' },
      { at: 30, what: 'request' },
      { at: 40, what: 'response 200' },
    ])
    expect(faults).to.deep.equal([])
  })

  it('is six times where the engine does not say when a server may send, as it was', async () => {
    const { dial, crossings, timeOf } = await newWorld({ saysMaySend: false })
    dial()
    expect(crossings()).to.equal(6)
    expect(timeOf('settings')).to.equal(40)
  })

  it('is six times where the server is told to keep them until then', async () => {
    const { dial, crossings } = await newWorld({ speaksEarly: false })
    dial()
    expect(crossings()).to.equal(6)
  })

  for (const together of [false, true]) {
    it(`leaves time for the search for the path's MTU: the server knows it when the first packet of the tunnel comes${together ? ', also with the ACK of its probe' : ''}`, async () => {
      const { wire, dial, timeOf, accepted, faults } = await newWorld()
      wire.readsTogether = together
      const { quic, handler } = dial()
      const settled: boolean[] = []
      const onResponse = handler.onResponse.bind(handler)
      handler.onResponse = headers => {
        onResponse(headers)
        const [server] = accepted
        server.onDatagram = () => void settled.push(server.quic.pathMtuSettled)
        quic.sendDatagram(Uint8Array.of(0, 0))
      }
      wire.run(5 * DELAY_MS)
      expect([timeOf('response 200'), settled]).to.deep.equal([40, [true]])
      expect(faults).to.deep.equal([])
    })
  }

  it('is four times in a session that is resumed', async () => {
    const { wire, dial, crossings, heard } = await newWorld()
    const first = dial()
    expect(crossings()).to.equal(4)
    wire.run(100)
    heard.length = 0
    const second = dial({ ...CLIENT, port: 1002 }, { resumptionTicket: first.resumptionTicket as Uint8Array })
    expect(crossings()).to.equal(4)
    expect(second.resumed).to.equal(true)
  })

  it('is six times with a Retry before it', async () => {
    const { dial, crossings } = await newWorld({ retry: 'always' })
    dial()
    expect(crossings()).to.equal(6)
  })

  it('is six times where the server wants to know first who the client is', async () => {
    const { dial, crossings, accepted } = await newWorld({ peerCertificate: 'optional' })
    dial()
    expect(crossings()).to.equal(6)
    expect(accepted[0].peerCertificate).to.be.instanceOf(Uint8Array)
  })

  it('is eight times when nothing but the packet with the SETTINGS is lost, or passed over by a client', async () => {
    const { wire, dial, crossings, timeOf, faults } = await newWorld()
    let cut = 0
    wire.tamper = ({ at, from, bytes }) => {
      const start = from === SERVER && at === DELAY_MS ? startOf1Rtt(bytes) : undefined
      if (start === undefined) return bytes
      cut++
      return bytes.subarray(0, start)
    }
    dial()
    const times = crossings()
    expect([timeOf('client ready'), cut]).to.deep.equal([20, 1])
    expect(times).to.equal(8)
    expect(faults).to.deep.equal([])
  })

  describe('with quiche', () => {
    before(skipWithoutQuiche)

    for (const [client, server, times] of [
      ['quiche', 'typescript', 4],
      ['typescript', 'quiche', 6],
      ['quiche', 'quiche', 6],
    ] as const) {
      it(`is ${times} times for a client on ${client} and a server on ${server}`, async () => {
        const { dial, crossings } = await newWorld({ client, server })
        dial()
        expect(crossings()).to.equal(times)
      })
    }
  })
})

describe('a server that has said its SETTINGS before the handshake is over', () => {
  /** Until the server has said them, and no longer. */
  const untilSaid = async (options: Options = {}) => {
    const world = await newWorld(options)
    const client = world.dial()
    world.wire.run(15)
    expect(world.accepted[0].h3).to.not.equal(undefined)
    expect(world.accepted[0].quic.established).to.equal(false)
    return { ...world, client }
  }

  it('has nothing of an application happen before it is', async () => {
    const { wire, heard, server, accepted } = await untilSaid()
    expect(heard).to.deep.equal([])
    const [{ quic, handshakeMs }] = accepted
    expect([server.handshaking.size, handshakeMs, quic.maxDatagramLength]).to.deep.equal([1, undefined, 0])
    wire.run(100)
    expect([server.handshaking.size, accepted[0].handshakeMs]).to.deep.equal([0, 20])
  })

  it('is heard by no client that does not trust it', async () => {
    const { wire, dial, heard, accepted, closedWith, faults } = await newWorld()
    dial(CLIENT, { serverName: 'another.example' })
    wire.run(5000)
    expect(accepted[0].h3).to.not.equal(undefined)
    expect(heard).to.deep.equal([])
    expect([closedWith.client?.source, closedWith.server?.source]).to.deep.equal(['local', 'peer'])
    expect(closedWith.client?.tlsAlert).to.not.equal(undefined)
    expect(faults).to.deep.equal([])
  })

  it('can take leave: the client hears it with the SETTINGS, and asks for nothing', async () => {
    const { wire, accepted, heard, faults } = await newWorldThat(transport => transport.goAway())
    wire.run(1000)
    expect(accepted).to.have.length(1)
    expect(heard.map(({ what }) => what))
      .to.include.members(['settings', 'goaway'])
      .and.not.include('request')
    expect(faults).to.deep.equal([])
  })

  it('can close: the client hears that, and nothing of what an application would say', async () => {
    const { wire, accepted, closedWith, server, faults } = await untilSaid()
    accepted[0].close('the reason', 'internal')
    wire.run(5000)
    expect(closedWith.client?.text).to.equal('by the peer: APPLICATION_ERROR')
    expect(closedWith.server?.text).to.equal('by us: H3_INTERNAL_ERROR (the reason)')
    expect([server.table.size, server.handshaking.size, faults]).to.deep.equal([0, 0, []])
  })

  it('hears of a client that gives up', async () => {
    const { wire, client, closedWith, server, faults } = await untilSaid()
    client.close('')
    wire.run(5000)
    expect(closedWith.server?.source).to.equal('peer')
    expect([server.table.size, server.handshaking.size, faults]).to.deep.equal([0, 0, []])
  })

  it('keeps nothing of a client that never answers, and sends it no more than three times what it has sent', async () => {
    const { wire, dial, server, accepted, closedWith, faults } = await newWorld()
    wire.tamper = ({ at, bytes }) => (at === 0 ? bytes : undefined)
    dial()
    wire.run(settings.idleTimeoutMs + 5000)
    expect(accepted).to.have.length(1)
    expect(accepted[0].h3).to.not.equal(undefined)
    expect(closedWith.server?.source).to.equal('timeout')
    expect([server.table.size, server.handshaking.size, faults]).to.deep.equal([0, 0, []])
    const sent = wire.sent.filter(({ from }) => from === SERVER).reduce((sum, { bytes }) => sum + bytes.length, 0)
    expect(sent).to.be.within(1200, 3 * 1200)
  })

  it('ends one connection when that fails, and goes on', async () => {
    let isFirst = true
    const onAccepted = (transport: H3ServerConnection): void => {
      if (!isFirst) return
      isFirst = false
      transport.flush = () => {
        throw new Error('a bug')
      }
    }
    const { wire, dial, crossings, closedWith, faults } = await newWorld({ onAccepted })
    dial()
    wire.run(1000)
    expect(faults.map(fault => (fault as Error).message)).to.deep.equal(['a bug'])
    expect(closedWith.client?.source).to.equal('peer')
    dial({ ...CLIENT, port: 1002 })
    expect(crossings()).to.equal(4)
  })

  /** `act` is called when the SETTINGS have been said. */
  async function newWorldThat(act: (transport: H3ServerConnection) => void) {
    const onAccepted = (transport: H3ServerConnection): void => {
      const onMaySend = transport.onMaySend.bind(transport)
      transport.onMaySend = () => {
        onMaySend()
        act(transport)
      }
    }
    const world = await newWorld({ onAccepted })
    world.dial()
    return world
  }
})
