import { expect } from 'chai'
import type { SendResult } from '../../src/carriers/carrier.ts'
import { encodeAddressAssign } from '../../src/connect-ip/address-assign.ts'
import { FecEncoder } from '../../src/connect-ip/fec/encoder.ts'
import { FEC_FIELD } from '../../src/connect-ip/fec/negotiation.ts'
import { encodeRouteAdvertisement } from '../../src/connect-ip/route-advertisement.ts'
import { describePacket } from '../../src/ip/packet.ts'
import { IpPrefix } from '../../src/ip/prefix.ts'
import { runPacedFlow } from '../../src/probes/paced-flow.ts'
import { Testbed } from '../../src/testbed/testbed.ts'
import { packet } from '../connect-ip/packets.ts'
import { hex } from '../http3/conversation.ts'
import { closeHostilePeers, startHostileProxy } from '../support/hostile-peer.ts'
import { idleCarrier, tunnelOn } from '../support/idle-tunnel.ts'
import { closeLoopback, connectClient, newClient, ping, startServer, until } from '../support/loopback.ts'

const CONTEXT = 2

/** A client's tunnel with the addresses that it needs, on a carrier that only notes what it is given. */
function tunnelWithFec(options: { mtu?: number; group?: number; onStreams?: boolean } = {}) {
  const state = { mtu: options.mtu ?? 1400, takes: 'sent' as SendResult }
  const plain: Uint8Array[] = []
  const datagrams: Uint8Array[] = []
  const heard: string[] = []
  const carrier = idleCarrier({
    encapsulation: options.onStreams ? 'single-stream' : 'datagram',
    get mtu() {
      return state.mtu
    },
    sendPacket: bytes => {
      plain.push(bytes.slice())
      return state.takes
    },
    sendDatagram: bytes => {
      if (state.takes === 'sent') datagrams.push(bytes.slice())
      return state.takes
    },
  })
  const tunnel = tunnelOn(carrier, { owner: { onPacket: received => heard.push(describePacket(received)) } })
  tunnel.openFec(CONTEXT)
  if (options.group !== undefined) tunnel.startFec(options.group)
  const send = (size: number) => tunnel.sendPacket(packet('10.89.0.2', '10.90.0.1', { size: size - 20 }), false)
  return { state, tunnel, plain, datagrams, heard, send }
}

/** The datagrams of one group. */
function groupOf(...packets: Uint8Array[]): Uint8Array[] {
  const encoder = new FecEncoder({ contextId: CONTEXT, groupSize: 32 })
  const wrapped = packets.map(each => {
    const datagram = encoder.wrap(each).slice()
    encoder.sent(each, 0)
    return datagram
  })
  return [...wrapped, encoder.flush() as Uint8Array]
}

describe('forward error correction in a tunnel', () => {
  it('sends packets on its context, and a parity behind each group', () => {
    const { tunnel, plain, datagrams, send } = tunnelWithFec({ group: 3 })
    for (const size of [101, 102, 103, 104]) send(size)
    expect(plain).to.have.length(0)
    expect(datagrams.map(({ length }) => length)).to.deep.equal([106, 107, 108, 103 + 7, 109])
    expect(datagrams.map(([context]) => context)).to.deep.equal(new Array(5).fill(CONTEXT))
    expect(tunnel.counters).to.include({ packetsSent: 4 })
    expect(tunnel.fec).to.include({ paritySent: 1 })
    tunnel.abort('cancelled', '')
  })

  it('sends in context 0 while the peer has not agreed, and on streams', () => {
    for (const { plain, datagrams, send } of [tunnelWithFec(), tunnelWithFec({ group: 2, onStreams: true })]) {
      send(100)
      send(100)
      expect([plain.length, datagrams.length]).to.deep.equal([2, 0])
    }
  })

  it('sends the parity of a group that does not get full after a while, once', async () => {
    const { tunnel, datagrams, send } = tunnelWithFec({ group: 32 })
    send(100)
    send(200)
    await until(() => tunnel.fec?.paritySent === 1)
    expect(datagrams).to.have.length(3)
    send(100)
    await until(() => tunnel.fec?.paritySent === 2)
    expect(datagrams).to.have.length(5)
    tunnel.abort('cancelled', '')
  })

  it('protects no packet that found a full queue', () => {
    const { state, tunnel, datagrams, send } = tunnelWithFec({ group: 2 })
    send(100)
    state.takes = 'dropped'
    send(1000)
    expect(tunnel.counters.dropped).to.deep.equal({ 'queue-full': 1 })
    state.takes = 'sent'
    send(100)
    expect(datagrams.map(({ length }) => length)).to.deep.equal([105, 105, 107])
  })

  it('has an MTU that leaves room for a parity, but for the 1280 bytes of IPv6, which then go unprotected', () => {
    const { state, tunnel, plain, datagrams, send } = tunnelWithFec({ group: 2 })
    for (const [carrier, mtu] of [
      [1400, 1394],
      [1286, 1280],
      [1283, 1280],
      [1280, 1280],
      [1200, 1200],
    ]) {
      state.mtu = carrier
      expect(tunnel.mtu, `${carrier}`).to.equal(mtu)
    }
    state.mtu = 1400
    send(1394)
    expect(send(1395)?.reason ?? 'fragmented').to.equal('too-big')
    send(1394)
    // In a QUIC datagram whose first bytes say more: one byte of a context id is within the carrier's MTU.
    expect(Math.max(...datagrams.map(({ length }) => length - 1))).to.equal(1400)
    state.mtu = 1283
    send(1280)
    send(1277)
    expect(plain.map(({ length }) => length)).to.deep.equal([1280])
    expect(datagrams).to.have.length(4)
    tunnel.abort('cancelled', '')
  })

  it('brings what was lost, counted as received, and what comes in context 0 beside it', () => {
    const { tunnel, heard } = tunnelWithFec({ group: 3 })
    const packets = [1, 2, 3].map(n => packet(`10.90.0.${n}`, '10.89.0.2'))
    const [first, , third, parity] = groupOf(...packets)
    for (const datagram of [first, third, parity, Uint8Array.of(0, ...packet('10.90.0.9', '10.89.0.2'))]) {
      tunnel.onDatagram(datagram)
    }
    expect(heard.map(text => text.match(/10\.90\.0\.\d/)?.[0])).to.deep.equal([
      '10.90.0.1',
      '10.90.0.3',
      '10.90.0.2',
      '10.90.0.9',
    ])
    expect(tunnel.counters).to.include({ packetsReceived: 4 })
    expect(tunnel.fec).to.include({ recovered: 1, parityReceived: 1 })
  })

  it('AT-33 judges a packet that a parity has made by the same rules as every other one', () => {
    const { tunnel, heard } = tunnelWithFec({ group: 3 })
    const forged = packet('192.0.2.1', '10.89.0.2')
    const foreign = packet('10.90.0.1', '10.89.0.77')
    const garbage = new Uint8Array(40).fill(0x45)
    for (const bad of [forged, foreign, garbage, new Uint8Array(0)]) {
      const fresh = tunnelWithFec({ group: 3 })
      // A group of one, which is lost: the parity alone makes the packet.
      const [, parity] = groupOf(bad)
      fresh.tunnel.onDatagram(parity)
      expect(fresh.heard).to.deep.equal([])
      expect(fresh.tunnel.fec).to.include({ recovered: 1 })
      const asPlain = tunnelWithFec()
      asPlain.tunnel.onDatagram(Uint8Array.of(0, ...bad))
      expect(fresh.tunnel.counters.dropped).to.deep.equal(asPlain.tunnel.counters.dropped)
      expect(Object.keys(fresh.tunnel.counters.dropped)).to.have.length(1)
    }
    tunnel.onDatagram(groupOf(packet('10.90.0.1', '10.89.0.2'))[1])
    expect(heard).to.have.length(1)
  })

  it('AT-33 counts what is malformed there, and goes on', () => {
    const { tunnel, heard } = tunnelWithFec({ group: 3 })
    for (const bytes of ['02', '02 000000', '02 000000 20', '02 000000 ff 0000', '4002 000000 81 00']) {
      tunnel.onDatagram(hex(bytes))
    }
    expect(tunnel.counters.dropped).to.deep.equal({ malformed: 5 })
    tunnel.onDatagram(groupOf(packet('10.90.0.1', '10.89.0.2'))[0])
    expect(heard).to.have.length(1)
    tunnel.onDatagram(hex('04 000000 00 45'))
    expect(tunnel.counters.dropped).to.deep.equal({ malformed: 5, 'unknown-context': 1 })
  })
})

describe('forward error correction between client and proxy', () => {
  afterEach(closeLoopback)

  it('is there when the client asks for it and the proxy has it: both send parities, and both tell of them', async () => {
    const server = await startServer({ tunnel: { fec: true } })
    const { client, info } = await connectClient(server, { tunnel: { fec: 2 } })
    expect(info.fec).to.equal(2)
    for (let i = 0; i < 4; i++) await ping(client, '10.90.0.1')
    await until(() => server.status().fec.paritySent >= 2 && server.status().fec.parityReceived >= 2)
    const { fec, mtu } = server.clients()[0]
    expect(fec?.parityReceived).to.be.at.least(2)
    expect(client.tunnel?.tunnel?.fec?.parityReceived).to.be.at.least(1)
    await until(() => client.info.mtu === server.clients()[0].mtu)
    expect(mtu % 1).to.equal(0)
    await client.close()
    await until(() => server.clients().length === 0)
    expect(server.status().fec.parityReceived, 'after its end').to.be.at.least(2)
  })

  for (const [what, proxyHas, group, carrier] of [
    ['the proxy does not have it', false, 8, 'h3'],
    ['the client does not ask for it', true, 0, 'h3'],
    ['packets travel on a stream', true, 8, 'h2'],
  ] as const) {
    it(`is not there, and the tunnel is as ever, when ${what}`, async () => {
      const server = await startServer({ tunnel: { fec: proxyHas } })
      const { client, info } = await connectClient(server, { tunnel: { fec: group, carrier } })
      expect(info.fec).to.equal(0)
      await ping(client, '10.90.0.1')
      expect(server.status().fec).to.deep.equal({ paritySent: 0, parityReceived: 0, recovered: 0 })
      expect(server.clients()[0].fec).to.equal(undefined)
      expect(server.status().packets.dropped['unknown-context']).to.equal(undefined)
    })
  }

  it('is not there where the proxy agrees to something else than was asked for', async () => {
    for (const [asked, answered] of [
      [32, '2;context=2'],
      [8, '8;context=4'],
      [8, '33;context=2'],
      [0, '8;context=2'],
    ] as const) {
      const proxy = await startHostileProxy({
        onRequest: (peer, id) => {
          peer.h3.respond(id, [
            [':status', '200'],
            ['capsule-protocol', '?1'],
            [FEC_FIELD, answered],
          ])
          const prefix = IpPrefix.parse('10.89.0.2/32')
          peer.h3.sendData(id, encodeAddressAssign([{ requestId: 1n, prefix }]))
          peer.h3.sendData(
            id,
            encodeRouteAdvertisement([{ range: IpPrefix.parse('10.90.0.0/24').toRange(), protocol: 0 }]),
          )
          peer.flush()
        },
      })
      const client = await newClient(proxy, { tunnel: { fec: asked, requestAddresses: ['ipv4'], linkProbe: 'off' } })
      expect((await client.connect()).fec, answered).to.equal(0)
    }
    await closeHostilePeers()
  })

  it('makes packets again that the link has lost, in both directions', async () => {
    const bed = await Testbed.start({
      profile: 'loss-5',
      seed: '7',
      client: { tunnel: { fec: 4 } },
      server: { tunnel: { fec: true } },
    })
    try {
      const up = { flowId: 1, packetLength: 900, packetsPerSecond: 200, durationMs: 2000 }
      const { sink } = await runPacedFlow({
        ...up,
        host: bed.client.host,
        destination: bed.library,
        fetchSink: sent => bed.sink(1, sent),
      })
      const destination = String(bed.client.info.assigned.find(prefix => prefix.version === 4)?.address)
      await bed.sendFlow({ ...up, flowId: 2, destination })
      await until(() => (bed.client.tunnel?.tunnel?.fec?.recovered ?? 0) > 0)
      const { recovered } = (await bed.serverStatus()).fec
      // 20 of 400 are lost; two of one group of five datagrams in about 2 % of the groups.
      expect(recovered).to.be.greaterThan(0)
      expect(sink?.duplicates).to.equal(0)
    } finally {
      await bed.close()
    }
  })
})
