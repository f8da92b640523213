import { expect } from 'chai'
import type { PacketDirection } from '../../src/carriers/tunnel.ts'
import { encodeAddressAssign, refusal } from '../../src/connect-ip/address-assign.ts'
import { encodeDnsAssign } from '../../src/connect-ip/dns/dns-assign.ts'
import { encodeRouteAdvertisement } from '../../src/connect-ip/route-advertisement.ts'
import { IpAddress } from '../../src/ip/address.ts'
import { IpPrefix } from '../../src/ip/prefix.ts'
import { CAPSULE_EVENT_LIMITS, type CapsuleEvent } from '../../src/live/capsule-event.ts'
import { type PacketSample, SAMPLE_LIMITS, type WatchedTunnel } from '../../src/live/packet-sample.ts'
import { TrafficWatch } from '../../src/live/traffic-watch.ts'

const TUNNEL: WatchedTunnel = { id: 'aa/4', identity: 'ada', carrier: 'h3', streamId: 4 }

class Listener {
  listening = true
  readonly packets: PacketSample[] = []
  readonly capsules: CapsuleEvent[] = []

  publish(event: { type: 'packet'; data: PacketSample } | { type: 'capsule'; data: CapsuleEvent }): void {
    if (event.type === 'packet') this.packets.push(event.data)
    else this.capsules.push(event.data)
  }
}

describe('what the live view sees of the tunnels', () => {
  let now: number
  let listener: Listener
  let traffic: TrafficWatch

  beforeEach(() => {
    now = 1000
    listener = new Listener()
    traffic = new TrafficWatch(
      listener,
      () => now,
      () => 0,
    )
  })

  it('is told by the feed whether anybody looks', () => {
    const watch = traffic.watchTunnel(TUNNEL)
    expect(watch.listening).to.equal(true)
    listener.listening = false
    expect(watch.listening).to.equal(false)
  })

  it('is at most five packets a second in each direction, however many pass and of however many tunnels', () => {
    const watches = Array.from({ length: 40 }, (_, i) => traffic.watchTunnel({ ...TUNNEL, id: `c${i}` }))
    for (now = 1000; now < 11_000; now += 0.5) {
      for (const direction of ['from-client', 'to-client'] as const)
        watches[Math.floor(now * 2) % 40].packet(direction, 'datagram', new Uint8Array(20))
    }
    const ofDirection = (direction: PacketDirection) =>
      listener.packets.filter(packet => packet.direction === direction)
    expect(ofDirection('from-client')).to.have.length(10 * SAMPLE_LIMITS.perSecond)
    expect(ofDirection('to-client')).to.have.length(10 * SAMPLE_LIMITS.perSecond)
  })

  it('is the first bytes of a packet, copied, with how long it was', () => {
    const watch = traffic.watchTunnel(TUNNEL)
    const received = new Uint8Array(1301).fill(7)
    received[0] = 0
    watch.packet('from-client', 'single-stream', received)
    watch.packet('to-client', 'datagram', new Uint8Array(84).fill(9), 0)
    received.fill(1)
    const [from, to] = listener.packets.map(packet => ({
      ...packet,
      at: 0,
      payload: Buffer.from(packet.payload, 'base64'),
    }))
    expect(from.payload).to.deep.equal(Buffer.from([0, ...new Array(255).fill(7)]))
    expect(from).to.include({
      client: 'aa/4',
      identity: 'ada',
      encapsulation: 'single-stream',
      streamId: 4,
      length: 1301,
    })
    expect(to.payload).to.deep.equal(Buffer.from([0, ...new Array(84).fill(9)]))
    expect(to).to.include({ direction: 'to-client', encapsulation: 'datagram', length: 85 })
  })

  it('is what capsules say, entry by entry, in both directions', () => {
    const watch = traffic.watchTunnel(TUNNEL)
    const prefix = IpPrefix.parse('10.89.0.2/32')
    watch.capsulesSent(encodeAddressAssign([{ requestId: 7n, prefix }, refusal(8n, 6)]))
    watch.capsulesSent(encodeRouteAdvertisement([{ range: IpPrefix.parse('10.90.0.0/24').toRange(), protocol: 17 }]))
    watch.capsulesSent(encodeDnsAssign([]))
    watch.capsuleReceived({
      type: 'addresses-requested',
      requests: [
        { requestId: 1n, prefix: IpPrefix.single(IpAddress.unspecified(4)) },
        { requestId: 2n, prefix },
      ],
    })
    watch.capsuleReceived({ type: 'datagram', payload: new Uint8Array(3) })
    expect(listener.capsules.map(({ direction, capsule, entries }) => [direction, capsule, ...entries])).to.deep.equal([
      ['to-client', 'ADDRESS_ASSIGN', '10.89.0.2/32 for request 7', 'none of IPv6 for request 8'],
      ['to-client', 'ROUTE_ADVERTISEMENT', '10.90.0.0-10.90.0.255 (protocol 17)'],
      ['to-client', 'DNS_ASSIGN'],
      ['from-client', 'ADDRESS_REQUEST', 'any IPv4 address, request 1', '10.89.0.2/32, request 2'],
    ])
    expect(traffic.capsules.events).to.deep.equal(listener.capsules)
  })

  it('is the beginning of a capsule that says very much, and how much it says', () => {
    const list = Array.from({ length: 1000 }, (_, i) => ({
      requestId: 0n,
      prefix: IpPrefix.parse(`10.${i >> 8}.${i & 255}.1/32`),
    }))
    traffic.watchTunnel(TUNNEL).capsulesSent(encodeAddressAssign(list))
    expect(listener.capsules[0].entries).to.have.length(CAPSULE_EVENT_LIMITS.entries)
    expect(listener.capsules[0].count).to.equal(1000)
    const domain = { nameservers: [], internalDomains: [`${'x'.repeat(60)}.`.repeat(10)], searchDomains: [] }
    traffic.watchTunnel(TUNNEL).capsuleReceived({ type: 'dns-assigned', configurations: [domain] })
    expect(listener.capsules[1].entries.map(({ length }) => length)).to.deep.equal([CAPSULE_EVENT_LIMITS.entryLength])
  })

  it('is bounded, whatever a client sends: 50 capsules a second are told, the last 200 kept, and the rest is counted', () => {
    const watch = traffic.watchTunnel(TUNNEL)
    for (let i = 0; i < 10_000; i++, now += 1) watch.capsuleReceived({ type: 'addresses-requested', requests: [] })
    const told = listener.capsules.length
    // 50 at once, and 50 in each of the ten seconds.
    expect(told).to.be.within(540, 550)
    expect(traffic.capsules.events).to.have.length(CAPSULE_EVENT_LIMITS.kept)
    expect(traffic.capsules.leftOut).to.equal(10_000 - told)
  })
})
