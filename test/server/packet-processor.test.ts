import { expect } from 'chai'
import { StageClock } from '../../src/carriers/stage-clock.ts'
import type { Tunnel } from '../../src/carriers/tunnel.ts'
import type { Drop } from '../../src/connect-ip/session.ts'
import type { Host } from '../../src/hosts/host.ts'
import { IpAddress } from '../../src/ip/address.ts'
import { describePacket } from '../../src/ip/packet.ts'
import { IpPrefix } from '../../src/ip/prefix.ts'
import { PacketProcessor } from '../../src/server/packet-processor.ts'
import { packet } from '../connect-ip/packets.ts'

/** What came to a next hop, with whether it was forwarded. */
interface FakeTunnel {
  readonly tunnel: Tunnel
  readonly sent: { text: string; forwarded: boolean }[]
  answer: Drop | undefined
}

function fakeTunnel(): FakeTunnel {
  const fake: FakeTunnel = {
    sent: [],
    answer: undefined,
    tunnel: {
      sendPacket(bytes: Uint8Array, forwarded: boolean) {
        fake.sent.push({ text: describePacket(bytes), forwarded })
        return fake.answer
      },
    } as unknown as Tunnel,
  }
  return fake
}

function fakeHost(...addresses: string[]): Host & { readonly received: string[] } {
  const received: string[] = []
  return {
    received,
    addresses: addresses.map(text => IpAddress.parse(text)),
    receive: bytes => received.push(describePacket(bytes)),
    send: () => {},
    configure: () => {},
    close: () => {},
  }
}

function setUp(options: { clientToClient?: boolean; clock?: StageClock } = {}) {
  const processor = new PacketProcessor({
    gateway: { v4: IpAddress.parse('10.89.0.1'), v6: IpAddress.parse('fd00:89::1') },
    clientToClient: options.clientToClient ?? true,
    clock: options.clock,
    now: () => 0,
  })
  const [a, b] = [fakeTunnel(), fakeTunnel()]
  const detach = processor.attachTunnel(IpAddress.parse('10.89.0.2'), a.tunnel)
  processor.attachTunnel(IpAddress.parse('10.89.0.3'), b.tunnel)
  const host = fakeHost('10.90.0.1', 'fd00:90::1')
  const gateway = fakeHost('10.89.0.1')
  processor.attachHost(host, false)
  processor.attachHost(gateway, true)
  return { processor, a, b, host, gateway, detach }
}

describe('the packet processor', () => {
  it('CIP-29 forwards between tunnels, and says that it does', () => {
    const { processor, a, b } = setUp()
    processor.fromTunnel(packet('10.89.0.2', '10.89.0.3'), a.tunnel)
    expect(b.sent.map(({ forwarded }) => forwarded)).to.deep.equal([true])
    expect(a.sent).to.deep.equal([])
  })

  it('delivers to hosts of both versions', () => {
    const { processor, a, host } = setUp()
    processor.fromTunnel(packet('10.89.0.2', '10.90.0.1'), a.tunnel)
    processor.fromTunnel(packet('fd00:89::2', 'fd00:90::1'), a.tunnel)
    expect(host.received.length).to.equal(2)
  })

  it('CIP-29 forwards no packet whose hops are used up, and keeps what has arrived', () => {
    const { processor, a, host, gateway } = setUp()
    processor.fromTunnel(packet('10.89.0.2', '10.90.0.1', { hops: 0 }), a.tunnel)
    processor.fromTunnel(packet('fd00:89::2', 'fd00:90::1', { hops: 0 }), a.tunnel)
    expect(host.received).to.deep.equal([])
    expect(a.sent[0].text).to.match(/ICMP time exceeded/)
    expect(a.sent[1].text).to.match(/ICMPv6 time exceeded/)
    expect(processor.dropped['hop-limit']).to.equal(2)
    processor.fromTunnel(packet('10.89.0.2', '10.89.0.1', { hops: 0 }), a.tunnel)
    processor.fromTunnel(packet('10.89.0.2', '10.90.0.1', { hops: 1 }), a.tunnel)
    expect(gateway.received.length).to.equal(1)
    expect(host.received.length).to.equal(1)
  })

  it('CIP-29 forwards for hosts behind the proxy, and not for the proxy itself', () => {
    const { a, host, gateway } = setUp()
    host.send(packet('10.90.0.1', '10.89.0.2'))
    gateway.send(packet('10.89.0.1', '10.89.0.2'))
    expect(a.sent.map(({ forwarded }) => forwarded)).to.deep.equal([true, false])
  })

  it('CIP-26 reports no route, and prohibition, to the tunnel that the packet came from', () => {
    const { processor, a } = setUp({ clientToClient: false })
    processor.fromTunnel(packet('10.89.0.2', '10.89.0.99'), a.tunnel)
    processor.fromTunnel(packet('10.89.0.2', '10.89.0.3'), a.tunnel)
    expect(a.sent.length).to.equal(2)
    for (const { text, forwarded } of a.sent) {
      expect(text).to.match(/10\.89\.0\.1 → 10\.89\.0\.2/)
      expect(forwarded).to.equal(false)
    }
    expect(processor.dropped).to.deep.equal({ 'no-route': 1, prohibited: 1 })
  })

  it('AT-23 CIP-26 sends nothing back into the tunnel it came from, but says that there is no route', () => {
    const { processor, a, b } = setUp()
    processor.offerNetworks(a.tunnel, undefined, [IpPrefix.parse('10.55.0.0/24').toRange()])
    processor.fromTunnel(packet('10.89.0.2', '10.89.0.2'), a.tunnel)
    processor.fromTunnel(packet('10.89.0.2', '10.55.0.7'), a.tunnel)
    expect(a.sent.map(({ text }) => text)).to.have.length(2)
    for (const { text } of a.sent) expect(text).to.match(/10\.89\.0\.1 → 10\.89\.0\.2 ICMP destination unreachable/)
    expect(processor.dropped).to.deep.equal({ 'no-route': 2 })
    processor.fromTunnel(packet('10.89.0.3', '10.55.0.7'), b.tunnel)
    expect(a.sent).to.have.length(3)
  })

  it('CIP-35 limits its ICMP errors, and goes on counting', () => {
    const { processor, a } = setUp()
    for (let i = 0; i < 1000; i++) processor.fromTunnel(packet('10.89.0.2', '10.89.0.99'), a.tunnel)
    expect(a.sent.length).to.equal(50)
    expect(processor.dropped).to.deep.equal({ 'no-route': 1000 })
  })

  it('sends the error of the next hop back to where the packet came from', () => {
    const { processor, a, b, host } = setUp()
    const icmp = packet('10.89.0.1', '10.89.0.2')
    b.answer = { reason: 'hop-limit', icmp }
    processor.fromTunnel(packet('10.89.0.2', '10.89.0.3'), a.tunnel)
    expect(a.sent).to.deep.equal([{ text: describePacket(icmp), forwarded: false }])
    b.answer = { reason: 'too-big', icmp: packet('10.89.0.1', '10.90.0.1') }
    host.send(packet('10.90.0.1', '10.89.0.3'))
    expect(host.received.length).to.equal(1)
  })

  it('CIP-11 has no way to a tunnel that was taken out', () => {
    const { processor, a, b, detach } = setUp()
    detach()
    processor.fromTunnel(packet('10.89.0.3', '10.89.0.2'), b.tunnel)
    expect(a.sent).to.deep.equal([])
    expect(processor.dropped).to.deep.equal({ 'no-route': 1 })
  })

  it('AT-05 CIP-26 an address that is a host’s, the proxy’s or leased stays so, whatever network a client offers around it', () => {
    const { processor, a, b, host, gateway } = setUp()
    for (const prefix of ['10.90.0.1', '10.89.0.1', '10.89.0.2', '10.0.0.0/8', '0.0.0.0/0']) {
      processor.offerNetworks(b.tunnel, undefined, [IpPrefix.parse(prefix).toRange()])
      processor.fromTunnel(packet('10.89.0.2', '10.90.0.1'), a.tunnel)
      processor.fromTunnel(packet('10.89.0.2', '10.89.0.1'), a.tunnel)
      host.send(packet('10.90.0.1', '10.89.0.2'))
    }
    expect([host.received.length, gateway.received.length, a.sent.length, b.sent.length]).to.deep.equal([5, 5, 5, 0])
    processor.detachTunnel(b.tunnel)
    processor.fromTunnel(packet('10.89.0.2', '10.90.0.1'), a.tunnel)
    host.send(packet('10.90.0.1', '10.89.0.2'))
    expect([host.received.length, a.sent.length]).to.deep.equal([6, 6])
  })

  it('AT-05 no address is given to two', () => {
    const { processor, b } = setUp()
    for (const address of ['10.90.0.1', '10.89.0.1', '10.89.0.2']) {
      expect(() => processor.attachTunnel(IpAddress.parse(address), b.tunnel)).to.throw(/is taken/)
    }
  })

  it('AT-06 CIP-20 a network is that client’s who offered it first, and the next one’s when that has gone', () => {
    const { processor, a, b, host } = setUp()
    const network = [IpPrefix.parse('192.168.7.0/24').toRange()]
    processor.offerNetworks(a.tunnel, undefined, network)
    processor.offerNetworks(b.tunnel, undefined, [IpPrefix.parse('192.168.7.9').toRange(), ...network])
    host.send(packet('10.90.0.1', '192.168.7.9'))
    expect([a.sent.length, b.sent.length]).to.deep.equal([1, 0])
    processor.detachTunnel(a.tunnel)
    host.send(packet('10.90.0.1', '192.168.7.9'))
    expect([a.sent.length, b.sent.length]).to.deep.equal([1, 1])
  })

  it('AT-06 CIP-26 whose network it is not may not send from there either', () => {
    const { processor, a, b, host } = setUp()
    processor.offerNetworks(a.tunnel, undefined, [IpPrefix.parse('192.168.7.0/24').toRange()])
    processor.offerNetworks(b.tunnel, undefined, [IpPrefix.parse('192.168.7.0/24').toRange()])
    processor.fromTunnel(packet('192.168.7.9', '10.90.0.1'), b.tunnel)
    processor.fromTunnel(packet('10.89.0.2', '10.90.0.1'), b.tunnel)
    expect(host.received.length).to.equal(0)
    expect(processor.dropped).to.deep.equal({ 'source-policy': 2 })
    processor.fromTunnel(packet('192.168.7.9', '10.90.0.1'), a.tunnel)
    processor.fromTunnel(packet('10.89.0.2', '10.90.0.1'), a.tunnel)
    expect(host.received.length).to.equal(2)
  })

  it('takes no packet that is none', () => {
    const { processor, a, host } = setUp()
    processor.fromTunnel(Uint8Array.of(0x15), a.tunnel)
    host.send(new Uint8Array(0))
    expect(a.sent).to.deep.equal([])
  })

  it('tells the clock when it knows the way, and when the packet is handed over', () => {
    const stages: number[][] = []
    let now = 0
    const clock = new StageClock({ onPacketTimed: (_, ms) => stages.push([...ms]) }, () => now++)
    const { processor, a } = setUp({ clock })
    clock.begin()
    processor.fromTunnel(packet('10.89.0.2', '10.90.0.1'), a.tunnel)
    clock.end()
    expect(stages).to.deep.equal([[Number.NaN, Number.NaN, 1, 1]])
  })

  describe('with the operating system behind it', () => {
    const GATEWAYS = [IpAddress.parse('10.89.0.1'), IpAddress.parse('fd00:89::1')]
    const INSIDE = ['10.89.0.0/24', 'fd00:89::/64', '10.90.0.1/32'].map(text => IpPrefix.parse(text))
    function withSystem(options: { clientToClient?: boolean } = {}) {
      const processor = new PacketProcessor({
        gateway: { v4: GATEWAYS[0], v6: GATEWAYS[1] },
        clientToClient: options.clientToClient ?? true,
        now: () => 0,
      })
      const a = fakeTunnel()
      processor.attachTunnel(IpAddress.parse('10.89.0.2'), a.tunnel)
      const host = fakeHost('10.90.0.1')
      processor.attachHost(host, false)
      const system = fakeHost()
      processor.attachSystem(system, GATEWAYS, INSIDE)
      return { processor, a, host, system }
    }

    it('gives it what is for the proxy itself and what is not inside, also from a client that may reach no other', () => {
      const { processor, a, system } = withSystem({ clientToClient: false })
      for (const to of ['10.89.0.1', '198.51.100.7']) processor.fromTunnel(packet('10.89.0.2', to), a.tunnel)
      expect(system.received).to.have.length(2)
    })

    it('never gives it what is for an address inside that nobody has', () => {
      const { processor, a, system } = withSystem()
      processor.fromTunnel(packet('10.89.0.2', '10.89.0.99'), a.tunnel)
      expect(system.received).to.deep.equal([])
      expect(processor.dropped).to.deep.equal({ 'no-route': 1 })
    })

    it('CIP-29 forwards what it forwards, and not what it made; no packet whose hops are used up goes to it', () => {
      const { processor, a, system } = withSystem()
      system.send(packet('198.51.100.7', '10.89.0.2'))
      system.send(packet('10.89.0.1', '10.89.0.2'), false)
      expect(a.sent.map(({ forwarded }) => forwarded)).to.deep.equal([true, false])
      processor.fromTunnel(packet('10.89.0.2', '198.51.100.7', { hops: 0 }), a.tunnel)
      expect(system.received).to.deep.equal([])
      expect(processor.dropped).to.deep.equal({ 'hop-limit': 1 })
    })

    it('sends nothing back that it has sent, but says by ICMP that it leads nowhere', () => {
      const { processor, system } = withSystem()
      system.send(packet('198.51.100.7', '10.89.0.99'))
      system.send(packet('198.51.100.7', '198.51.100.8'))
      system.send(packet('198.51.100.7', '10.89.0.1'))
      expect(processor.dropped).to.deep.equal({ 'no-route': 3 })
      expect(system.received).to.have.length(3)
      for (const text of system.received) expect(text).to.include('10.89.0.1').and.include('198.51.100.7')
    })

    it('lets it reach hosts in this process', () => {
      const { host, system } = withSystem()
      system.send(packet('198.51.100.7', '10.90.0.1'))
      expect(host.received).to.have.length(1)
    })
  })
})
