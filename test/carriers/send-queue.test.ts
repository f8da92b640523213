import { expect } from 'chai'
import type { Egress } from '../../src/carriers/carrier.ts'
import { sendQueue } from '../../src/carriers/send-queue.ts'
import { SEND_QUEUES } from '../../src/config/sections.ts'
import { Codel } from '../../src/queue/codel.ts'
import { packet } from '../connect-ip/packets.ts'
import { idleCarrier, tunnelOn } from '../support/idle-tunnel.ts'
import { closeLoopback, newClient, ping, startServer, until } from '../support/loopback.ts'

/** A client's tunnel that may send anything, on a carrier that takes `room` packets now. */
function tunnelWith(queue: Parameters<typeof sendQueue>[0] | 'tiny', room: number, hasEgress = true) {
  const sent: Uint8Array[] = []
  let asked = 0
  const state = { room, sent, asked: () => asked }
  const egress: Egress = {
    get wantsPackets() {
      return state.room > 0
    },
    awaitRoom: () => {
      asked++
    },
  }
  const carrier = idleCarrier({
    ...(hasEgress && { egress }),
    sendPacket: bytes => {
      state.room--
      sent.push(bytes)
      return 'sent'
    },
  })
  const tunnel = tunnelOn(carrier, {
    newQueue:
      queue === 'tiny' ? onDrop => new Codel({ onDrop, limits: { packets: 2, bytes: 10_000 } }) : sendQueue(queue),
  })
  const send = (size: number) => tunnel.sendPacket(packet('10.89.0.2', '10.90.0.1', { size }), false)
  return { ...state, state, tunnel, send }
}

const sizes = (packets: readonly Uint8Array[]) => packets.map(({ length }) => length - 20)

describe('the send queue of a tunnel', () => {
  for (const name of SEND_QUEUES.filter(each => each !== 'fifo')) {
    it(`hands over as many packets as the carrier wants, and the others when it has room: ${name}`, () => {
      const { state, tunnel, sent, send, asked } = tunnelWith(name, 2)
      for (const size of [101, 102, 103, 104]) send(size)
      expect(sizes(sent)).to.deep.equal([101, 102])
      expect(asked()).to.be.greaterThan(0)
      expect(tunnel.counters.packetsSent).to.equal(2)
      state.room = 1
      tunnel.onRoom()
      expect(sizes(sent)).to.deep.equal([101, 102, 103])
      state.room = 5
      tunnel.onRoom()
      expect(sizes(sent)).to.deep.equal([101, 102, 103, 104])
      expect(tunnel.counters).to.include({ packetsSent: 4, bytesSent: 101 + 102 + 103 + 104 + 4 * 20 })
    })
  }

  it('is not there for "fifo", nor on a carrier whose packets do not wait in QUIC: packets go straight on', () => {
    for (const { tunnel, sent, send } of [tunnelWith('fifo', 0), tunnelWith('fq-codel', 0, false)]) {
      send(100)
      expect(sent).to.have.length(1)
      expect(tunnel.judgesPackets).to.equal(false)
      expect(tunnel.writable).to.equal(true)
    }
  })

  it('counts what it drops by reason, and says when a sender should wait', () => {
    const { tunnel, send } = tunnelWith('tiny', 0)
    expect(tunnel.writable).to.equal(true)
    for (let i = 0; i < 5; i++) send(100)
    expect(tunnel.writable).to.equal(false)
    expect(tunnel.counters.dropped).to.deep.equal({ 'queue-full': 3 })
    expect(tunnel.counters.packetsSent).to.equal(0)
  })

  it('sends nothing more when the tunnel has ended', () => {
    const { state, tunnel, sent, send } = tunnelWith('codel', 0)
    send(100)
    tunnel.abort('cancelled', 'enough')
    state.room = 5
    tunnel.onRoom()
    expect(sent).to.deep.equal([])
  })
})

describe('a tunnel with a send queue', () => {
  afterEach(closeLoopback)

  for (const queue of SEND_QUEUES) {
    it(`brings a burst of 300 packets to the other end, and goes on: ${queue}`, async () => {
      const server = await startServer({ tunnel: { queue } })
      const client = await newClient(server, { tunnel: { queue } })
      const { assigned } = await client.connect()
      const source = String(assigned[0].address)
      const before = server.status().packets.fromClients
      const burst = packet(source, '10.90.0.1', { size: 1000 })
      for (let i = 0; i < 300; i++) client.host.send?.(burst.slice())
      // On a busy machine the burst may wait for so long that CoDel drops some of it.
      const counters = client.tunnel?.tunnel?.counters
      const gone = () => counters?.dropped['queue-delay'] ?? 0
      await until(() => server.status().packets.fromClients + gone() >= before + 300)
      expect(gone()).to.be.lessThan(100)
      await ping(client, '10.90.0.1')
    })
  }
})
