/**
 * A client that sends whatever it likes into the tunnel of a proxy with a TUN device. Behind the proxy's kernel is one more machine:
 *
 *     client (here) ── proxy (here) ── tun0 ── kernel (of this namespace) ── 198.51.100.0/24, fd20::/64 ── far
 */
import { expect } from 'chai'
import type { MasqueClient } from '../../../src/client/client.ts'
import { fragmentIpv4 } from '../../../src/ip/fragment.ts'
import { describePacket } from '../../../src/ip/packet.ts'
import { IpPrefix } from '../../../src/ip/prefix.ts'
import { IpProtocol } from '../../../src/ip/protocol.ts'
import type { MasqueServer } from '../../../src/server/server.ts'
import { mayBeFragmented, packet, ping, withOptions } from '../../connect-ip/packets.ts'
import { addressOf, closeLoopback, connectClient, startServer, until } from '../../support/loopback.ts'
import { isMissing, sh } from './network.ts'

const FAR = { 4: '198.51.100.2', 6: 'fd20::2' }

/** Of a packet that is whole otherwise: one byte, or what is left of it. */
const changed = (bytes: Uint8Array, at: number, value: number): Uint8Array => {
  bytes[at] = value
  return bytes
}

/** RFC 2675: no payload length, and one of 32 bits in a Hop-by-Hop option. */
function jumbogram(from: string, to: string): Uint8Array {
  const bytes = packet(from, to, { protocol: IpProtocol.HOPOPT })
  bytes.set([IpProtocol.UDP, 0, 0xc2, 4, 0, 1, 0, 0], 40)
  bytes.set([0, 0], 4)
  return bytes
}

for (const offload of [false, true])
  describe(`a proxy with a TUN device${offload ? ', with offload,' : ''} and a hostile client`, function () {
    this.timeout(120_000)
    let server: MasqueServer
    let client: MasqueClient
    let own: { 4: string; 6: string }
    /** What has come out of the tunnel. */
    let received: string[]

    before(async function () {
      isMissing('ip', this, 'iproute2')
      isMissing('nft', this, 'nftables')
      sh('ip netns add far')
      sh('ip -n far link set lo up')
      sh('ip link add far1 type veth peer name far0 netns far')
      for (const [where, device, host] of [
        ['', 'far1', 1],
        ['-n far ', 'far0', 2],
      ] as const) {
        sh(`ip ${where}addr add 198.51.100.${host}/24 dev ${device}`)
        sh(`ip ${where}addr add fd20::${host}/64 dev ${device} nodad`)
        sh(`ip ${where}link set ${device} up`)
      }
      sh('ip -n far route add default via 198.51.100.1')
      sh('ip -n far -6 route add default via fd20::1')
      const routes = ['198.51.100.0/24', 'fd20::/64', '10.89.0.0/24', 'fd00:89::/64', '10.55.0.0/24']
      server = await startServer({
        tun: { name: 'tun0', offload, nat: true },
        hosts: [],
        routes: routes.map(text => ({ prefix: IpPrefix.parse(text), protocol: 0 })),
        tunnel: { clientRoutes: [IpPrefix.parse('10.55.0.0/24')] },
      })
      const connected = await connectClient(server)
      client = connected.client
      own = { 4: String(addressOf(connected.info, 4)), 6: String(addressOf(connected.info, 6)) }
      client.advertiseRoutes([{ range: IpPrefix.parse('10.55.0.0/24').toRange(), protocol: 0 }])
      await until(() => server.clients()[0].networks.length === 1)
      received = []
      void (async () => {
        for (;;) received.push(describePacket(await client.readPacket()))
      })().catch(() => {})
      await works()
    })

    after(async () => {
      await closeLoopback()
      sh('ip link del far1')
      sh('ip netns del far')
    })

    /** Past all that a client of ours checks. */
    const send = (bytes: Uint8Array): void => {
      expect(client.tunnel?.tunnel?.carrier.sendPacket(bytes)).to.equal('sent')
    }
    const dropped = (reason: string): number => server.status().packets.dropped[reason] ?? 0
    /** What the kernel was given. */
    const taken = (): number => JSON.parse(sh('ip -s -j link show tun0'))[0].stats64.rx.packets

    /** The far machine answers in both versions, through the kernel; and so everything from before has been dealt with. */
    async function works(): Promise<void> {
      for (const version of [4, 6] as const) {
        const isReply = (text: string): boolean => text.includes(FAR[version]) && text.includes('echo reply')
        const before = received.filter(isReply).length
        send(ping(own[version], FAR[version]))
        await until(() => received.filter(isReply).length > before)
      }
    }

    /** Title, what is sent, why it is dropped, and what the client hears of it, if anything: an error for a forged address is not for the client. */
    const cases: [string, () => Uint8Array, string, RegExp?][] = [
      ['from a forged address', () => packet('192.0.2.7', FAR[4]), 'source-policy'],
      ['from a forged address of IPv6', () => packet('fd00:7::7', FAR[6]), 'source-policy'],
      ['from the proxy’s own address', () => packet('10.89.0.1', FAR[4]), 'source-policy'],
      ['from the far machine’s address', () => packet(FAR[4], '10.89.0.1'), 'source-policy'],
      ['from a loopback address', () => packet('127.0.0.1', FAR[4]), 'link-scope'],
      ['to a loopback address', () => packet(own[4], '127.0.0.1'), 'link-scope'],
      ['to a broadcast address', () => packet(own[4], '255.255.255.255'), 'link-scope'],
      ['to a multicast address', () => packet(own[6], 'ff05::2'), 'link-scope'],
      ['of less than a header', () => packet(own[4], FAR[4]).subarray(0, 19), 'malformed'],
      ['of less than a header of IPv6', () => packet(own[6], FAR[6]).subarray(0, 39), 'malformed'],
      ['of nothing', () => new Uint8Array(0), 'malformed'],
      ['with a header that is too short', () => changed(packet(own[4], FAR[4]), 0, 0x44), 'malformed'],
      [
        'with a header that is longer than the packet',
        () => changed(packet(own[4], FAR[4], { size: 8 }), 0, 0x4f),
        'malformed',
      ],
      ['that says that it is longer than it is', () => changed(packet(own[4], FAR[4]), 2, 0xff), 'malformed'],
      ['of IPv6 that says that it is longer than it is', () => changed(packet(own[6], FAR[6]), 4, 0xff), 'malformed'],
      ['with a wrong checksum', () => changed(packet(own[4], FAR[4]), 10, 0), 'malformed'],
      ['that is a jumbogram', () => jumbogram(own[6], FAR[6]), 'malformed'],
      [
        'with extension headers that are cut off',
        () => packet(own[6], FAR[6], { protocol: IpProtocol.IPV6_FRAG, size: 4 }),
        'malformed',
      ],
      [
        'that brings its own route',
        () => withOptions(packet(own[4], FAR[4]), [131, 7, 4, 10, 89, 0, 1, 0]),
        'prohibited',
        /unreachable code 13/,
      ],
      ['for an address inside that nobody has', () => packet(own[4], '10.89.0.200'), 'no-route', /unreachable code 0/],
      ['for itself', () => packet(own[4], own[4]), 'no-route', /unreachable code 0/],
      ['for itself in IPv6', () => packet(own[6], own[6]), 'no-route', /ICMPv6 destination unreachable code 0/],
      ['for the network behind it', () => packet(own[4], '10.55.0.9'), 'no-route', /unreachable code 0/],
      ['that has no hop left', () => packet(own[4], FAR[4], { hops: 0 }), 'hop-limit', /ICMP time exceeded/],
    ]
    for (const [title, make, reason, answer] of cases) {
      it(`drops a packet ${title}: ${reason}`, async () => {
        const before = { dropped: dropped(reason), taken: taken(), received: received.length }
        send(make())
        await works()
        expect(dropped(reason)).to.equal(before.dropped + 1)
        // The two pings.
        expect(taken()).to.equal(before.taken + 2)
        // Not the answers to the two, nor the ping by which the proxy tries the link when it is new.
        const heard = received.slice(before.received).filter(text => !/echo (reply|request)/.test(text))
        if (answer === undefined) expect(heard).to.deep.equal([])
        else expect(heard.join('\n')).to.match(answer)
        expect(heard.length).to.be.at.most(1)
      })
    }

    it('lets no address of the tunnels out of the machine, not even of what NAT does not know', async () => {
      const rules = ['ip saddr 10.89.0.0/24 counter', 'ip6 saddr fd00:89::/64 counter'].join('\n')
      const chain = `chain seen {\ntype filter hook prerouting priority raw;\n${rules}\n}`
      sh('ip netns exec far nft -f -', `table inet seen {\n${chain}\n}`)
      // Answers that nobody has asked for, and a TCP packet that no connection begins with.
      send(changed(ping(own[4], FAR[4]), 20, 0))
      send(changed(ping(own[6], FAR[6]), 40, 129))
      send(packet(own[4], FAR[4], { protocol: IpProtocol.TCP }))
      await works()
      const seen = sh('ip netns exec far nft list table inet seen')
      expect(seen.match(/packets 0 bytes 0/g), seen).to.have.length(2)
    })

    it('leaves a packet with one hop to the kernel, which says that it was the last', async () => {
      const before = received.length
      send(packet(own[4], FAR[4], { hops: 1 }))
      send(packet(own[6], FAR[6], { hops: 1 }))
      await works()
      const heard = received.slice(before).join('\n')
      expect(heard).to.match(/IPv4 10\.89\.0\.1 → .* ICMP time exceeded/)
      expect(heard).to.match(/IPv6 fd00:89::1 → .* ICMPv6 time exceeded/)
    })

    it('hands on fragments, which the kernel puts together, and lives through those that never fit', async () => {
      const whole = mayBeFragmented(ping(own[4], '10.89.0.1', 3000))
      const before = received.length
      for (const fragment of fragmentIpv4(whole, 1000)) send(fragment)
      await until(() => received.slice(before).some(text => text.includes('10.89.0.1') && text.includes('fragment')))
      const [first, second] = fragmentIpv4(mayBeFragmented(ping(own[4], '10.89.0.1', 3000)), 1000)
      for (let i = 0; i < 200; i++) {
        for (const piece of [first, second]) {
          const strange = piece.slice()
          // Each of a packet of its own, or at a place where another is.
          strange[5] = i
          strange[7] = (i * 7) & 0xff
          send(mayBeFragmented(strange))
        }
        if (i % 20 === 0) await works()
      }
      await works()
    })

    it('counts all of it, and nothing else', () => {
      const { packets, unsent } = server.status()
      // What the system says to its link alone is none of the client's.
      expect(
        Object.keys(packets.dropped)
          .filter(reason => reason !== 'link-only')
          .sort(),
      ).to.deep.equal(['hop-limit', 'link-scope', 'malformed', 'no-route', 'prohibited', 'source-policy'])
      expect(unsent).to.deep.equal({ udp: {}, tun: {} })
    })

    it('goes on when somebody has taken the device down, and counts what the kernel does not take', async () => {
      sh('ip link set tun0 down')
      for (let i = 0; i < 3; i++) send(ping(own[4], FAR[4]))
      await until(() => server.status().unsent.tun.down === 3)
    })
  })
