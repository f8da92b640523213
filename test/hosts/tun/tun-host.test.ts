import { expect } from 'chai'
import fc from 'fast-check'
import { NO_PARAMETERS } from '../../../src/connect-ip/dns/service-parameters.ts'
import { differences, type InterfaceSettings } from '../../../src/hosts/tun/device.ts'
import { describeDnsSettings } from '../../../src/hosts/tun/dns-plan.ts'
import { TunError } from '../../../src/hosts/tun/errors.ts'
import { MAX_ROUTES } from '../../../src/hosts/tun/route-plan.ts'
import type { SystemDns } from '../../../src/hosts/tun/system-dns.ts'
import { TunHost } from '../../../src/hosts/tun/tun-host.ts'
import { IpAddress } from '../../../src/ip/address.ts'
import { icmpEchoRequest } from '../../../src/ip/icmp.ts'
import { icmpv6EchoRequest } from '../../../src/ip/icmpv6.ts'
import { IpPrefix } from '../../../src/ip/prefix.ts'
import { FakeClock } from '../fake-clock.ts'
import { MemoryDevice } from './memory-device.ts'

const address = (text: string) => IpAddress.parse(text)
const ping = (source: string, destination: string) =>
  (source.includes(':') ? icmpv6EchoRequest : icmpEchoRequest)(
    { source: address(source), destination: address(destination), id: 1, seq: 1 },
    new Uint8Array(8),
  )

describe('a host that is the system, over a TUN device', () => {
  function setUp() {
    const device = new MemoryDevice()
    const problems: string[] = []
    const sent: { packet: Uint8Array; forwarded: boolean | undefined }[] = []
    const host = new TunHost(device, { onProblem: sentence => problems.push(sentence) })
    host.send = (packet, forwarded) => sent.push({ packet: packet.slice(), forwarded })
    host.configure({ addresses: [address('10.89.0.2'), address('fd00:89::2')], routes: [], mtu: 1400 })
    return { device, problems, sent, host }
  }

  it('hands packets on in both directions, and flushes once after all that come in one turn', async () => {
    const { device, sent, host } = setUp()
    const packets = [ping('10.90.0.1', '10.89.0.2'), ping('fd00:90::1', 'fd00:89::2')]
    for (const packet of packets) host.receive(packet)
    expect(device.flushes).to.equal(0)
    await Promise.resolve()
    expect(device.flushes).to.equal(1)
    expect(device.written).to.deep.equal(packets)
    device.events.onPacket(ping('10.89.0.2', '10.90.0.1'))
    expect(sent).to.have.length(1)
    expect(host.counters).to.deep.equal({ received: 2, sent: 1, refused: {}, dropped: {} })
  })

  it('CIP-29 tells what the system has made from what it forwards for others', () => {
    const { device, sent } = setUp()
    device.events.onPacket(ping('10.89.0.2', '10.90.0.1'))
    device.events.onPacket(ping('fd00:89::2', 'fd00:90::1'))
    device.events.onPacket(ping('192.168.7.7', '10.90.0.1'))
    device.events.onPacket(ping('fd00:7::7', 'fd00:90::1'))
    expect(sent.map(({ forwarded }) => forwarded)).to.deep.equal([false, false, true, true])
  })

  it('keeps what is for its link alone off the tunnel', () => {
    const { device, sent, host } = setUp()
    for (const [source, destination] of [
      ['10.89.0.2', '224.0.0.251'],
      ['10.89.0.2', '255.255.255.255'],
      ['0.0.0.0', '10.90.0.1'],
      ['fe80::1', 'ff02::2'],
      ['fd00:89::2', 'fe80::1'],
      ['fe80::1', 'fd00:90::1'],
    ]) {
      device.events.onPacket(ping(source, destination))
    }
    expect(sent).to.deep.equal([])
    expect(host.counters.dropped).to.deep.equal({ 'link-only': 6 })
  })

  it('hands no packet on that is not as long as it says, in either direction', async () => {
    const { device, sent, host } = setUp()
    for (const right of [ping('10.89.0.2', '10.90.0.1'), ping('fd00:89::2', 'fd00:90::1')]) {
      for (const wrong of [right.subarray(0, -1), Uint8Array.of(...right, 0)]) {
        host.receive(wrong)
        device.events.onPacket(wrong)
      }
    }
    await Promise.resolve()
    expect({ written: device.written, sent, flushes: device.flushes }).to.deep.equal({
      written: [],
      sent: [],
      flushes: 0,
    })
    expect(host.counters).to.deep.equal({
      received: 4,
      sent: 0,
      refused: { malformed: 4 },
      dropped: { malformed: 4 },
    })
  })

  it('tells that its device is gone', () => {
    const { device, problems } = setUp()
    device.events.onGone('the TUN device memory0 is gone')
    expect(problems).to.deep.equal(['the TUN device memory0 is gone'])
  })

  it('throws nothing and counts by reason, whatever bytes come from either side', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.constantFrom(undefined, 'full', 'gone'), (bytes, refuses) => {
        const { device, sent, host } = setUp()
        device.refuses = refuses
        host.receive(bytes)
        device.events.onPacket(bytes)
        device.events.onFault('truncated')
        device.events.onRefused('down', 2)
        const { dropped, refused } = host.counters
        expect(dropped.truncated).to.equal(1)
        expect(refused.down).to.equal(2)
        const totalOf = (counts: Record<string, number>) => Object.values(counts).reduce((sum, count) => sum + count, 0)
        expect(totalOf(refused) + device.written.length).to.equal(1 + 2)
        expect(totalOf(dropped) + sent.length).to.equal(1 + 1)
      }),
    )
  })

  it('takes its routes from what is advertised without the proxy, and none when the tunnel is gone', () => {
    const { device, host } = setUp()
    const everything = IpPrefix.parse('0.0.0.0/0').toRange()
    host.configure({ addresses: [], routes: [everything], mtu: 1400, outside: [address('192.0.2.1')] })
    const { routes } = device.configured.at(-1) as InterfaceSettings
    expect(routes.some(route => route.contains(address('192.0.2.77')))).to.equal(false)
    expect(routes.some(route => route.contains(address('192.0.3.1')))).to.equal(true)
    host.configure({ addresses: [], routes: [], mtu: 0 })
    expect(device.configured.at(-1)).to.deep.equal({ addresses: [], routes: [], mtu: undefined })
  })

  describe('whose tunnel is full', () => {
    function setUpFull() {
      const clock = new FakeClock()
      const device = new MemoryDevice()
      const host = new TunHost(device, { clock })
      const state = { hasRoom: false }
      host.hasRoom = () => state.hasRoom
      const bring = (): void => device.events.onPacket(ping('10.89.0.2', '10.90.0.1'))
      bring()
      return { clock, device, host, state, bring }
    }

    it('reads no more until there is room', async () => {
      const { clock, device, state, bring } = setUpFull()
      expect(device.isPaused).to.equal(true)
      await clock.advance(20)
      expect(device.isPaused).to.equal(true)
      state.hasRoom = true
      await clock.advance(2)
      expect(device.isPaused).to.equal(false)
      bring()
      expect(device.isPaused).to.equal(false)
      expect(clock.pendingTimers).to.equal(0)
    })

    it('goes on reading when nothing leaves for long, and waits again when something has left', async () => {
      const { clock, device, host, state, bring } = setUpFull()
      await clock.advance(200)
      expect(device.isPaused).to.equal(false)
      bring()
      expect(device.isPaused).to.equal(false)
      state.hasRoom = true
      bring()
      state.hasRoom = false
      bring()
      expect(device.isPaused).to.equal(true)
      expect(host.counters.sent).to.equal(4)
    })

    it('looks no more once it is closed', async () => {
      const { clock, host } = setUpFull()
      await host.closed()
      expect(clock.pendingTimers).to.equal(0)
    })
  })

  it('tells that it has set fewer routes than the proxy advertises', () => {
    const { problems, host } = setUp()
    // Every other address: no two of them make one route.
    const routes = Array.from({ length: MAX_ROUTES + 1 }, (_, i) =>
      IpPrefix.parse(`10.90.${i >> 7}.${(2 * i) & 255}/32`).toRange(),
    )
    host.configure({ addresses: [], routes, mtu: 1400 })
    expect(problems).to.deep.equal([
      `memory0: more than ${MAX_ROUTES} routes would be needed: the first ${MAX_ROUTES} are set`,
    ])
  })

  it('has no neighbours on its link, unless it is told how many bits name the network there', () => {
    const { device } = setUp()
    const lengths = (settings: InterfaceSettings | undefined) => settings?.addresses.map(({ length }) => length)
    expect(lengths(device.configured.at(-1))).to.deep.equal([32, 128])
    new TunHost(device, { prefixLength: () => 24 }).configure({
      addresses: [address('10.89.0.1')],
      routes: [],
      mtu: 1400,
    })
    expect(lengths(device.configured.at(-1))).to.deep.equal([24])
  })

  it('tells a problem once while it lasts, and again when it comes back', () => {
    const { device, problems, host } = setUp()
    const configure = (...found: string[]) => {
      device.problems = found
      host.configure({ addresses: [], routes: [], mtu: 1400 })
    }
    configure('a')
    configure('a', 'b')
    configure()
    configure('a')
    expect(problems).to.deep.equal(['a', 'b', 'a'])
  })

  it('sets everything anew when its device was taken down and is up again, and says what to do meanwhile', () => {
    const { device, problems, host } = setUp()
    const before = device.configured.length
    device.events.onUpDown?.(false)
    expect(problems.at(-1)).to.match(/^memory0 was taken down: .*ip link set memory0 up/)
    expect(device.configured).to.have.length(before)
    device.events.onUpDown?.(true)
    expect(device.configured).to.have.length(before + 1)
    expect(device.configured.at(-1)).to.deep.equal(device.configured.at(-2))
    host.close()
    device.events.onUpDown?.(true)
    expect(device.configured).to.have.length(before + 1)
  })

  it('tells that its device is gone as a problem, or to whom it matters more', () => {
    const { device, problems, host } = setUp()
    expect(host.isGone).to.equal(false)
    device.events.onGone('it is gone')
    expect(host.isGone).to.equal(true)
    expect(problems).to.deep.equal(['it is gone'])
    const told: string[] = []
    const other = new MemoryDevice()
    new TunHost(other, { onProblem: () => expect.fail(), onGone: why => told.push(why) })
    other.events.onGone('it is gone')
    expect(told).to.deep.equal(['it is gone'])
  })

  it('changes nothing any more when it is closed', () => {
    const { device, host } = setUp()
    host.close()
    host.configure({ addresses: [address('10.89.0.3')], routes: [], mtu: 1400 })
    expect(device.configured).to.have.length(1)
  })
})

describe('a host that is the system, which is given DNS servers', () => {
  /** What happens, in order. */
  function setUp() {
    const events: string[] = []
    const problems: string[] = []
    const device = new MemoryDevice()
    device.close = async () => {
      events.push('device closed')
    }
    let refusal: TunError | undefined
    const system: SystemDns = {
      abilities: { splits: true, searches: true, maxServers: 8 },
      set(settings) {
        if (refusal !== undefined) throw refusal
        events.push(`set ${describeDnsSettings(settings)}`)
      },
      restore() {
        events.push('restored')
        return []
      },
    }
    const host = new TunHost(device, { dns: system, onProblem: sentence => problems.push(sentence) })
    const configure = (server: string, routes = ['10.90.0.0/24'], outside: string[] = []): void =>
      host.configure({
        addresses: [address('10.89.0.2')],
        routes: routes.map(text => IpPrefix.parse(text).toRange()),
        mtu: 1400,
        outside: outside.map(address),
        dns: [
          {
            nameservers: [
              { priority: 1, addresses: [address(server)], authenticationName: '', parameters: NO_PARAMETERS },
            ],
            internalDomains: [''],
            searchDomains: [],
          },
        ],
      })
    const refuse = (error: TunError): void => {
      refusal = error
    }
    return { host, events, problems, configure, refuse }
  }

  it('sets them once, others in their place, and none while the tunnel is down', () => {
    const { host, events, configure } = setUp()
    configure('10.90.0.53')
    configure('10.90.0.53')
    configure('10.90.0.54')
    host.configure({ addresses: [], routes: [], mtu: 0 })
    host.configure({ addresses: [], routes: [], mtu: 0 })
    expect(events).to.deep.equal([
      'set 10.90.0.53 for all names',
      'restored',
      'set 10.90.0.54 for all names',
      'restored',
    ])
    expect(host.dnsSettings).to.equal(undefined)
  })

  it('puts them back before the device goes, and when the process ends', async () => {
    const { host, events, configure } = setUp()
    const listeners = process.listenerCount('exit')
    configure('10.90.0.53')
    process.listeners('exit').at(-1)?.(0)
    expect(events.splice(0)).to.deep.equal(['set 10.90.0.53 for all names', 'restored'])
    await host.closed()
    expect(events).to.deep.equal(['restored', 'device closed'])
    expect(process.listenerCount('exit')).to.equal(listeners)
  })

  it('uses none that is not behind the tunnel, or is the proxy itself, and says so', () => {
    const { events, problems, configure } = setUp()
    configure('192.0.2.53')
    configure('10.90.0.53', ['10.90.0.0/24'], ['10.90.0.53'])
    expect(events).to.deep.equal([])
    expect(problems).to.deep.equal([
      '192.0.2.53 is not used for DNS: the tunnel does not lead there',
      '10.90.0.53 is not used for DNS: the tunnel does not lead there',
    ])
  })

  it('are left to the system when the proxy changes them again and again, until there is another tunnel', () => {
    const { host, events, problems, configure } = setUp()
    for (let i = 1; i <= 40; i++) configure(`10.90.0.${i}`)
    expect(events.filter(event => event.startsWith('set'))).to.have.length(16)
    expect(events.at(-1)).to.equal('restored')
    expect(problems).to.deep.equal(['the proxy has changed its DNS servers more than 16 times: none is used'])
    host.configure({ addresses: [], routes: [], mtu: 0 })
    configure('10.90.0.53')
    expect(events.at(-1)).to.equal('set 10.90.0.53 for all names')
  })

  it('says what the system has refused, and tries it again with the next settings', () => {
    const { host, problems, configure, refuse } = setUp()
    refuse(new TunError('no-rights', 'run as root'))
    configure('10.90.0.53')
    configure('10.90.0.53')
    expect(problems).to.deep.equal(['DNS stays as it was: run as root'])
    expect(host.dnsSettings).to.equal(undefined)
  })
})

describe('differences between what there is and what is wanted', () => {
  it('lead from the one to the other, with nothing that is in both', () => {
    const sets = fc.array(fc.integer({ min: 0, max: 20 }))
    fc.assert(
      fc.property(sets, sets, (have, want) => {
        const { remove, add } = differences(have, want, String)
        const after = new Set([...have.filter(item => !remove.includes(item)), ...add])
        expect(after).to.deep.equal(new Set(want))
        expect(new Set(add).size).to.equal(add.length)
        expect(add.filter(item => have.includes(item))).to.deep.equal([])
        expect(remove.filter(item => want.includes(item))).to.deep.equal([])
      }),
    )
  })
})
