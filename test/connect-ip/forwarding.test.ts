import { expect } from 'chai'
import fc from 'fast-check'
import { type Drop, DropReason, Forwarding, type ForwardingOptions } from '../../src/connect-ip/forwarding.ts'
import { parseScope } from '../../src/connect-ip/scope.ts'
import { IpAddress } from '../../src/ip/address.ts'
import { decodeIcmp } from '../../src/ip/icmp.ts'
import { icmpError } from '../../src/ip/icmp-error.ts'
import { decodeIcmpv6, icmpv6EchoReply } from '../../src/ip/icmpv6.ts'
import { encodeIpv6 } from '../../src/ip/ipv6.ts'
import { destinationOf, hopCountOf, sourceOf, validatePacket } from '../../src/ip/packet.ts'
import { IpPrefix } from '../../src/ip/prefix.ts'
import { IpProtocol } from '../../src/ip/protocol.ts'
import { mayBeFragmented, packet, ping, TCP, UDP, withExtensionHeaders, withOptions } from './packets.ts'

const gateway = { v4: IpAddress.parse('10.0.0.1'), v6: IpAddress.parse('2001:db8::1') }

function prefixes(...texts: string[]): IpPrefix[] {
  return texts.map(text => IpPrefix.parse(text))
}

function routes(...texts: (string | [string, number])[]) {
  return texts.map(text => {
    const [prefix, protocol] = typeof text === 'string' ? [text, 0] : text
    return { range: IpPrefix.parse(prefix).toRange(), protocol }
  })
}

/** The proxy's end: the client has 10.0.0.2 and 2001:db8::2 and may reach 10.0.0.0/24, 192.0.2.0/24, 2001:db8::/32. */
function proxy(options: Partial<ForwardingOptions> = {}): Forwarding {
  const forwarding = new Forwarding({ role: 'proxy', icmpSource: gateway, now: () => 0, ...options })
  forwarding.setPeerAddresses(prefixes('10.0.0.2', '2001:db8::2'))
  forwarding.setLocalRoutes(routes('10.0.0.0/24', '192.0.2.0/24', '2001:db8::/32'))
  return forwarding
}

/** The other end of the same tunnel. */
function client(options: Partial<ForwardingOptions> = {}): Forwarding {
  const forwarding = new Forwarding({ role: 'client', now: () => 0, ...options })
  forwarding.setLocalAddresses(prefixes('10.0.0.2', '2001:db8::2'))
  forwarding.setPeerRoutes(routes('10.0.0.0/24', '192.0.2.0/24', '2001:db8::/32'))
  return forwarding
}

/** "source-policy 3/13 to 10.0.0.9": reason, ICMP type and code, where the error goes. */
function summary(drop: Drop | undefined): string | undefined {
  if (!drop) return undefined
  if (!drop.icmp) return drop.reason
  expect(validatePacket(drop.icmp), 'the ICMP packet is valid').to.equal(undefined)
  const { type, code } = drop.icmp[0] >> 4 === 4 ? decodeIcmp(drop.icmp) : decodeIcmpv6(drop.icmp)
  return `${drop.reason} ${type}/${code} to ${destinationOf(drop.icmp)}`
}

/** Keeps a copy of the packet and expects it to be the same afterwards. */
function unchanged(bytes: Uint8Array, action: (bytes: Uint8Array) => Drop | undefined): Drop | undefined {
  const copy = bytes.slice()
  const result = action(bytes)
  expect(bytes, 'the packet is unchanged').to.deep.equal(copy)
  return result
}

describe('connect-ip/forwarding', () => {
  describe('from the peer', () => {
    it('CIP-39 takes replies, and only those, at the link-local address that it pings from, in any scope', () => {
      const linkAddress = IpAddress.parse('fe80::7')
      const reply = (source: string, destination = linkAddress) =>
        icmpv6EchoReply({ source: IpAddress.parse(source), destination, id: 7, seq: 1 }, new Uint8Array(8))
      const scope = parseScope({ target: '2001:db8:1::/48', ipproto: '6' })
      for (const forwarding of [proxy({ linkAddress }), proxy({ linkAddress, scope })]) {
        expect(forwarding.checkInbound(reply('2001:db8::2'))).to.equal(undefined)
        expect(forwarding.checkInbound(reply('fe80::9'))).to.equal(undefined)
        expect(summary(forwarding.checkInbound(ping('2001:db8::2', 'fe80::7')))).to.equal('link-scope')
        expect(summary(forwarding.checkInbound(packet('2001:db8::2', 'fe80::7')))).to.equal('link-scope')
        expect(summary(forwarding.checkInbound(reply('2001:db8::2', IpAddress.parse('fe80::8'))))).to.equal(
          'link-scope',
        )
      }
      expect(summary(proxy().checkInbound(reply('2001:db8::2')))).to.equal('link-scope')
    })

    it('CIP-26 lets packets pass from an assigned address to an advertised route', () => {
      expect(proxy().checkInbound(packet('10.0.0.2', '192.0.2.7'))).to.equal(undefined)
      expect(proxy().checkInbound(packet('2001:db8::2', '2001:db8:1::7'))).to.equal(undefined)
      expect(client().checkInbound(packet('192.0.2.7', '10.0.0.2'))).to.equal(undefined)
    })

    it('CIP-26 lets packets pass from anywhere within an assigned prefix', () => {
      const forwarding = proxy()
      forwarding.setPeerAddresses(prefixes('10.9.0.0/16'))
      expect(forwarding.checkInbound(packet('10.9.255.255', '192.0.2.7'))).to.equal(undefined)
      expect(forwarding.checkInbound(packet('10.10.0.0', '192.0.2.7'))?.reason).to.equal('source-policy')
    })

    it('CIP-26 drops a foreign source address and says so by ICMP: IPv4 prohibited, IPv6 source policy', () => {
      expect(summary(proxy().checkInbound(packet('10.0.0.9', '192.0.2.7')))).to.equal('source-policy 3/13 to 10.0.0.9')
      expect(summary(proxy().checkInbound(packet('2001:db8::9', '2001:db8::7')))).to.equal(
        'source-policy 1/5 to 2001:db8::9',
      )
    })

    it('CIP-26 drops packets to a destination without a route and says so by ICMP', () => {
      expect(summary(proxy().checkInbound(packet('10.0.0.2', '8.8.8.8')))).to.equal('no-route 3/0 to 10.0.0.2')
      expect(summary(proxy().checkInbound(packet('2001:db8::2', '2001:db9::7')))).to.equal(
        'no-route 1/0 to 2001:db8::2',
      )
    })

    it('CIP-26 drops packets of another protocol than the route’s as administratively prohibited', () => {
      const forwarding = proxy()
      forwarding.setLocalRoutes(routes(['192.0.2.0/24', UDP], ['2001:db8::/32', UDP]))
      expect(forwarding.checkInbound(packet('10.0.0.2', '192.0.2.7', { protocol: UDP }))).to.equal(undefined)
      expect(summary(forwarding.checkInbound(packet('10.0.0.2', '192.0.2.7', { protocol: TCP })))).to.equal(
        'prohibited 3/13 to 10.0.0.2',
      )
      expect(summary(forwarding.checkInbound(packet('2001:db8::2', '2001:db8::7', { protocol: TCP })))).to.equal(
        'prohibited 1/1 to 2001:db8::2',
      )
    })

    it('CIP-26 sends its errors from the address that was configured, and quotes the packet', () => {
      const offending = packet('2001:db8::9', '2001:db8::7')
      const drop = proxy().checkInbound(offending)
      expect(String(drop?.icmp && sourceOf(drop.icmp))).to.equal('2001:db8::1')
      expect(drop?.icmp && decodeIcmpv6(drop.icmp).quoted).to.deep.equal(offending)
    })

    it('CIP-26 sends errors from the assigned address where none is configured, and none without any', () => {
      const drop = client().checkInbound(packet('172.16.0.1', '10.0.0.2'))
      expect(String(drop?.icmp && sourceOf(drop.icmp))).to.equal('10.0.0.2')
      const bare = new Forwarding({ role: 'client', now: () => 0 })
      expect(summary(bare.checkInbound(packet('172.16.0.1', '10.0.0.2')))).to.equal('source-policy')
    })

    it('CIP-26 accepts packets at a client to its own addresses only', () => {
      expect(client().checkInbound(packet('192.0.2.7', '10.0.0.3'))?.reason).to.equal('no-route')
    })

    it('CIP-20 lets packets pass between the networks behind both ends', () => {
      const forwarding = proxy()
      forwarding.setLocalAddresses(prefixes('192.168.7.200'))
      forwarding.setPeerRoutes(routes('192.168.7.0/24'))
      expect(forwarding.checkInbound(packet('192.168.7.3', '192.0.2.7'))).to.equal(undefined)
      expect(forwarding.checkInbound(packet('192.168.7.3', '192.168.7.200'))).to.equal(undefined)
      expect(forwarding.checkOutbound(packet('192.0.2.7', '192.168.7.3'), true)).to.equal(undefined)
      expect(forwarding.checkInbound(packet('192.168.8.3', '192.0.2.7'))?.reason).to.equal('source-policy')
    })

    it('CIP-12 drops packets from an address that was taken away', () => {
      const forwarding = proxy()
      forwarding.setPeerAddresses([])
      expect(forwarding.checkInbound(packet('10.0.0.2', '192.0.2.7'))?.reason).to.equal('source-policy')
    })

    it('CIP-19 drops a client’s packets before it has an address', () => {
      const forwarding = new Forwarding({ role: 'client', now: () => 0 })
      forwarding.setPeerRoutes(routes('0.0.0.0/0'))
      expect(forwarding.checkOutbound(packet('10.0.0.2', '192.0.2.7'), false)?.reason).to.equal('source-policy')
    })

    it('CIP-29 does not touch the hop count of a packet that comes out of the tunnel', () => {
      for (const hops of [255, 2, 1, 0]) {
        expect(unchanged(packet('10.0.0.2', '192.0.2.7', { hops }), p => proxy().checkInbound(p))).to.equal(undefined)
      }
    })

    it('CIP-30 drops malformed packets without an ICMP error', () => {
      const valid = packet('10.0.0.2', '192.0.2.7')
      const badChecksum = valid.with(10, valid[10] ^ 1)
      const longer = Uint8Array.of(...valid, 0)
      for (const bad of [badChecksum, longer, valid.subarray(0, 19), new Uint8Array(0), valid.with(0, 0x75)]) {
        expect(summary(proxy().checkInbound(bad))).to.equal('malformed')
        expect(summary(proxy().checkOutbound(bad, true))).to.equal('malformed')
      }
    })

    it('CIP-34 gives an answer to any bytes and never throws', () => {
      const header = fc.constantFrom(
        packet('10.0.0.2', '192.0.2.7'),
        ping('2001:db8::2', 'ff02::1'),
        packet('2001:db8::2', '::'),
      )
      const mutated = fc
        .tuple(header, fc.array(fc.tuple(fc.nat(60), fc.nat(255)), { maxLength: 4 }))
        .map(([base, changes]) => {
          const bytes = base.slice()
          for (const [at, value] of changes) if (at < bytes.length) bytes[at] = value
          return bytes
        })
      const forwarding = [proxy({ scope: parseScope({ target: '192.0.2.7', ipproto: '17' }) }), client()]
      fc.assert(
        fc.property(fc.oneof(fc.uint8Array({ maxLength: 100 }), mutated), fc.boolean(), (bytes, forwarded) => {
          for (const end of forwarding) {
            for (const drop of [end.checkInbound(bytes), end.checkOutbound(bytes, forwarded)]) {
              if (drop) expect(Object.values(DropReason)).to.include(drop.reason)
            }
          }
        }),
        { numRuns: 500 },
      )
    })
  })

  describe('to the peer', () => {
    it('CIP-26 lets packets pass to what was assigned to the peer, and what it advertised', () => {
      expect(proxy().checkOutbound(packet('192.0.2.7', '10.0.0.2'), true)).to.equal(undefined)
      expect(client().checkOutbound(packet('10.0.0.2', '192.0.2.7'), false)).to.equal(undefined)
    })

    it('CIP-26 drops packets that the peer offered no route for', () => {
      expect(summary(client().checkOutbound(packet('10.0.0.2', '8.8.8.8'), false))).to.equal('no-route 3/0 to 10.0.0.2')
      expect(summary(proxy().checkOutbound(packet('192.0.2.7', '10.0.0.3'), true))).to.equal(
        'no-route 3/0 to 192.0.2.7',
      )
    })

    it('CIP-26 drops packets whose source the peer would refuse', () => {
      expect(client().checkOutbound(packet('10.0.0.3', '192.0.2.7'), false)?.reason).to.equal('source-policy')
      expect(proxy().checkOutbound(packet('172.16.0.1', '10.0.0.2'), true)?.reason).to.equal('source-policy')
    })

    it('CIP-29 decrements the hop count of a forwarded packet', () => {
      for (const [from, to] of [
        ['192.0.2.7', '10.0.0.2'],
        ['2001:db8::7', '2001:db8::2'],
      ]) {
        const bytes = packet(from, to, { hops: 64 })
        expect(proxy().checkOutbound(bytes, true)).to.equal(undefined)
        expect(hopCountOf(bytes)).to.equal(63)
      }
    })

    it('CIP-29 does not decrement the hop count of a packet that this endpoint made itself', () => {
      for (const hops of [64, 1]) {
        const bytes = packet('10.0.0.2', '192.0.2.7', { hops })
        expect(unchanged(bytes, p => client().checkOutbound(p, false))).to.equal(undefined)
      }
    })

    it('CIP-29 answers a hop count of 1 or 0 with time exceeded, and leaves the packet as it was', () => {
      for (const hops of [1, 0]) {
        const v4 = unchanged(packet('192.0.2.7', '10.0.0.2', { hops }), p => proxy().checkOutbound(p, true))
        expect(summary(v4)).to.equal('hop-limit 11/0 to 192.0.2.7')
        const v6 = unchanged(packet('2001:db8::7', '2001:db8::2', { hops }), p => proxy().checkOutbound(p, true))
        expect(summary(v6)).to.equal('hop-limit 3/0 to 2001:db8::7')
      }
    })

    it('CIP-29 forwards a hop count of 2 as 1', () => {
      const bytes = packet('192.0.2.7', '10.0.0.2', { hops: 2 })
      expect(proxy().checkOutbound(bytes, true)).to.equal(undefined)
      expect(hopCountOf(bytes)).to.equal(1)
    })

    it('CIP-30 leaves a correct IPv4 header checksum behind, whatever the header', () => {
      fc.assert(
        fc.property(fc.integer({ min: 2, max: 255 }), fc.nat(65_535), fc.nat(255), (hops, size, protocol) => {
          const bytes = packet('192.0.2.7', '10.0.0.2', { hops, size: size % 300, protocol })
          expect(proxy().checkOutbound(bytes, true)).to.equal(undefined)
          expect(validatePacket(bytes)).to.equal(undefined)
          expect(hopCountOf(bytes)).to.equal(hops - 1)
        }),
        { numRuns: 200 },
      )
    })

    it('CIP-29 does not change a packet that is dropped for another reason', () => {
      unchanged(packet('192.0.2.7', '10.0.0.9'), p => proxy().checkOutbound(p, true))
      unchanged(packet('172.16.0.7', '10.0.0.2'), p => proxy().checkOutbound(p, true))
      unchanged(packet('fe80::1', '2001:db8::2'), p => proxy().checkOutbound(p, true))
    })

    it('CIP-32 answers a packet too big for the tunnel with its MTU', () => {
      const forwarding = proxy()
      forwarding.mtu = 1337
      const v4 = forwarding.checkOutbound(packet('192.0.2.7', '10.0.0.2', { size: 1400 }), true)
      expect(summary(v4)).to.equal('too-big 3/4 to 192.0.2.7')
      expect(v4?.icmp && decodeIcmp(v4.icmp).mtu).to.equal(1337)
      const v6 = forwarding.checkOutbound(packet('2001:db8::7', '2001:db8::2', { size: 1400 }), true)
      expect(summary(v6)).to.equal('too-big 2/0 to 2001:db8::7')
      expect(v6?.icmp && decodeIcmpv6(v6.icmp).mtu).to.equal(1337)
    })

    it('CIP-32 lets an IPv4 packet pass that is too big and may be fragmented, and never says that it needs to be', () => {
      const forwarding = proxy()
      forwarding.mtu = 1300
      const big = mayBeFragmented(packet('192.0.2.7', '10.0.0.2', { size: 1400, hops: 9 }))
      expect(forwarding.checkOutbound(big, true)).to.equal(undefined)
      expect(hopCountOf(big)).to.equal(8)
    })

    for (const size of [100, 1400]) {
      it(`CIP-26 CIP-29 CIP-32 judges a packet of ${size} bytes by its source, its way, its hops, and then by its size`, () => {
        const forwarding = proxy({ scope: parseScope({ ipproto: '17' }) })
        forwarding.mtu = 1300
        const judge = (from: string, to: string, options = {}) =>
          summary(forwarding.checkOutbound(packet(from, to, { size, hops: 1, ...options }), true))
        expect(judge('172.16.0.7', '10.0.0.9')).to.equal('source-policy 3/13 to 172.16.0.7')
        expect(judge('192.0.2.7', '10.0.0.9')).to.equal('no-route 3/0 to 192.0.2.7')
        expect(judge('192.0.2.7', '10.0.0.2', { protocol: TCP })).to.equal('prohibited 3/13 to 192.0.2.7')
        expect(judge('192.0.2.7', '10.0.0.2')).to.equal('hop-limit 11/0 to 192.0.2.7')
        const last = judge('192.0.2.7', '10.0.0.2', { hops: 2 })
        expect(last).to.equal(size === 100 ? undefined : 'too-big 3/4 to 192.0.2.7')
        expect(judge('2001:db8::7', '2001:db8::2')).to.equal('hop-limit 3/0 to 2001:db8::7')
      })
    }

    it('CIP-26 forwards no packet that brings its own route, in either direction, and reports options that make no sense', () => {
      const v4 = (from: string, to: string, options: number[]) => withOptions(packet(from, to), options)
      const directions = [
        (options: number[]) => proxy().checkInbound(v4('10.0.0.2', '192.0.2.7', options)),
        (options: number[]) => proxy().checkOutbound(v4('192.0.2.7', '10.0.0.2', options), true),
      ]
      for (const check of directions) {
        for (const type of [131, 137]) {
          for (const pointer of [4, 8]) {
            expect(summary(check([type, 7, pointer, 1, 2, 3, 4, 0]))).to.match(/^prohibited 3\/13 to/)
          }
        }
        // Record route, of which a router need not make anything; no operation and the end of the list.
        for (const harmless of [
          [7, 7, 4, 0, 0, 0, 0, 0],
          [1, 1, 1, 0],
          [0, 131, 7, 4],
        ]) {
          expect(check(harmless)).to.equal(undefined)
        }
        for (const [bad, pointer] of [
          [[7, 0, 4, 0], 21],
          [[7, 9, 4, 0], 21],
          [[1, 1, 1, 7], 23],
          [[131, 3, 0, 0], 22],
        ] as const) {
          const drop = check([...bad])
          expect(summary(drop)).to.match(/^malformed 12\/0 to/)
          expect(drop?.icmp && decodeIcmp(drop.icmp).pointer).to.equal(pointer)
        }
      }
    })

    it('CIP-26 leaves a source route that has been travelled to the host at its end', () => {
      expect(client().checkInbound(withOptions(packet('192.0.2.7', '10.0.0.2'), [131, 7, 8, 1, 2, 3, 4, 0]))).to.equal(
        undefined,
      )
    })

    it('CIP-32 checks the size itself when it knows the MTU, before it touches the packet', () => {
      const forwarding = proxy()
      forwarding.mtu = 1300
      const fits = packet('2001:db8::7', '2001:db8::2', { size: 1260 })
      expect(forwarding.checkOutbound(fits, true)).to.equal(undefined)
      const drop = unchanged(packet('2001:db8::7', '2001:db8::2', { size: 1261 }), p =>
        forwarding.checkOutbound(p, true),
      )
      expect(summary(drop)).to.equal('too-big 2/0 to 2001:db8::7')
      expect(drop?.icmp && decodeIcmpv6(drop.icmp).mtu).to.equal(1300)
    })
  })

  describe('scope', () => {
    const scoped = (options: { target?: string; ipproto?: string }, resolved?: string[]) => ({
      scope: parseScope(options),
      resolved: resolved?.map(text => IpAddress.parse(text)),
    })

    it('CIP-27 forwards to the target only', () => {
      const forwarding = proxy(scoped({ target: '192.0.2.7' }))
      expect(forwarding.checkInbound(packet('10.0.0.2', '192.0.2.7'))).to.equal(undefined)
      expect(summary(forwarding.checkInbound(packet('10.0.0.2', '192.0.2.8')))).to.equal('prohibited 3/13 to 10.0.0.2')
      expect(forwarding.checkInbound(packet('2001:db8::2', '2001:db8::7'))?.reason).to.equal('prohibited')
    })

    it('CIP-27 lets the client talk to an address that it assigned to the proxy, whatever the target', () => {
      const forwarding = proxy(scoped({ target: '192.0.2.7' }))
      forwarding.setLocalAddresses(prefixes('192.168.7.200'))
      expect(forwarding.checkInbound(packet('10.0.0.2', '192.168.7.200'))).to.equal(undefined)
      expect(forwarding.checkOutbound(packet('192.168.7.200', '10.0.0.2'), false)).to.equal(undefined)
    })

    it('CIP-27 forwards from the target only', () => {
      const forwarding = proxy(scoped({ target: '192.0.2.7' }))
      expect(forwarding.checkOutbound(packet('192.0.2.7', '10.0.0.2'), true)).to.equal(undefined)
      expect(forwarding.checkOutbound(packet('192.0.2.8', '10.0.0.2'), true)?.reason).to.equal('prohibited')
    })

    it('CIP-27 limits both directions at the client as well', () => {
      const forwarding = client(scoped({ target: '192.0.2.7' }))
      expect(forwarding.checkOutbound(packet('10.0.0.2', '192.0.2.7'), false)).to.equal(undefined)
      expect(forwarding.checkOutbound(packet('10.0.0.2', '192.0.2.8'), false)?.reason).to.equal('prohibited')
      expect(forwarding.checkInbound(packet('192.0.2.7', '10.0.0.2'))).to.equal(undefined)
      expect(forwarding.checkInbound(packet('192.0.2.8', '10.0.0.2'))?.reason).to.equal('prohibited')
    })

    it('CIP-27 forwards to the resolved addresses of a DNS name', () => {
      const forwarding = proxy(scoped({ target: 'a.example' }, ['192.0.2.7', '2001:db8::7']))
      expect(forwarding.checkInbound(packet('10.0.0.2', '192.0.2.7'))).to.equal(undefined)
      expect(forwarding.checkInbound(packet('2001:db8::2', '2001:db8::7'))).to.equal(undefined)
      expect(forwarding.checkInbound(packet('10.0.0.2', '192.0.2.8'))?.reason).to.equal('prohibited')
    })

    it('CIP-05 does not start a proxy’s tunnel to a DNS name that was not resolved', () => {
      expect(() => proxy(scoped({ target: 'a.example' }))).to.throw('resolve')
      expect(client(scoped({ target: 'a.example' })).checkOutbound(packet('10.0.0.2', '192.0.2.7'), false)).to.equal(
        undefined,
      )
    })

    it('CIP-27 forwards the protocol only, and ICMP always', () => {
      const forwarding = proxy(scoped({ ipproto: '17' }))
      expect(forwarding.checkInbound(packet('10.0.0.2', '192.0.2.7', { protocol: UDP }))).to.equal(undefined)
      expect(forwarding.checkInbound(packet('10.0.0.2', '192.0.2.7', { protocol: TCP }))?.reason).to.equal('prohibited')
      expect(forwarding.checkInbound(ping('10.0.0.2', '192.0.2.7'))).to.equal(undefined)
      expect(forwarding.checkInbound(ping('2001:db8::2', '2001:db8::7'))).to.equal(undefined)
      expect(forwarding.checkOutbound(packet('192.0.2.7', '10.0.0.2', { protocol: TCP }), true)?.reason).to.equal(
        'prohibited',
      )
      expect(forwarding.checkOutbound(ping('192.0.2.7', '10.0.0.2'), true)).to.equal(undefined)
    })

    it('CIP-27 takes ICMP for ICMP in its own IP version only', () => {
      const forwarding = proxy(scoped({ ipproto: '17' }))
      expect(forwarding.checkInbound(packet('10.0.0.2', '192.0.2.7', { protocol: 58 }))?.reason).to.equal('prohibited')
      expect(forwarding.checkInbound(packet('2001:db8::2', '2001:db8::7', { protocol: 1 }))?.reason).to.equal(
        'prohibited',
      )
    })

    it('CIP-27 allows ICMP on routes for another protocol', () => {
      const forwarding = proxy()
      forwarding.setLocalRoutes(routes(['192.0.2.0/24', UDP], ['2001:db8::/32', TCP]))
      expect(forwarding.checkInbound(ping('10.0.0.2', '192.0.2.7'))).to.equal(undefined)
      expect(forwarding.checkInbound(ping('2001:db8::2', '2001:db8::7'))).to.equal(undefined)
      expect(forwarding.checkInbound(ping('10.0.0.2', '8.8.8.8'))?.reason).to.equal('no-route')
    })

    it('CIP-27 delivers ICMP to a client from any source, also from outside the target', () => {
      const error = icmpError('no-route', packet('10.0.0.2', '192.0.2.7'), IpAddress.parse('203.0.113.99'))
      const bytes = error ?? new Uint8Array(0)
      expect(client(scoped({ target: '192.0.2.7', ipproto: '17' })).checkInbound(bytes.slice())).to.equal(undefined)
      expect(proxy(scoped({ target: '192.0.2.7' })).checkOutbound(bytes.slice(), true)).to.equal(undefined)
    })

    it('CIP-26 does not take ICMP from any source at the proxy', () => {
      expect(proxy().checkInbound(ping('10.0.0.9', '192.0.2.7'))?.reason).to.equal('source-policy')
    })

    it('CIP-28 matches the protocol after the extension headers', () => {
      const forwarding = proxy(scoped({ ipproto: '17' }))
      expect(forwarding.checkInbound(withExtensionHeaders('2001:db8::2', '2001:db8::7', UDP))).to.equal(undefined)
      expect(forwarding.checkInbound(withExtensionHeaders('2001:db8::2', '2001:db8::7', TCP))?.reason).to.equal(
        'prohibited',
      )
      expect(forwarding.checkInbound(withExtensionHeaders('2001:db8::2', '2001:db8::7', 58))).to.equal(undefined)
    })

    it('CIP-28 matches routes in the same way', () => {
      const forwarding = proxy()
      forwarding.setLocalRoutes(routes(['2001:db8::/32', TCP]))
      expect(forwarding.checkInbound(withExtensionHeaders('2001:db8::2', '2001:db8::7', TCP))).to.equal(undefined)
      expect(forwarding.checkInbound(withExtensionHeaders('2001:db8::2', '2001:db8::7', UDP))?.reason).to.equal(
        'prohibited',
      )
    })

    it('CIP-28 CIP-27 lets pieces of a packet pass whose protocol is known, and prohibits those that do not name it', () => {
      /** A piece whose Fragment header names `next`, at this offset in 8-byte units. */
      const piece = (next: number, offset: number) => {
        const body = Uint8Array.of(next, 0, offset >> 5, (offset << 3) | 1, 0, 0, 0, 9, UDP, 0, 1, 4, 0, 0, 0, 0)
        const [source, destination] = [IpAddress.parse('2001:db8::2'), IpAddress.parse('2001:db8::7')]
        return encodeIpv6({ source, destination, nextHeader: IpProtocol.IPV6_FRAG, hopLimit: 64 }, body)
      }
      const forwarding = proxy({ scope: parseScope({ ipproto: '17' }) })
      expect(forwarding.checkInbound(piece(UDP, 185))).to.equal(undefined)
      expect(summary(forwarding.checkInbound(piece(TCP, 185)))).to.equal('prohibited')
      // The chain goes on behind Destination Options: in the first piece it can be seen, in the later ones it cannot.
      expect(forwarding.checkInbound(piece(IpProtocol.IPV6_OPTS, 0))).to.equal(undefined)
      expect(summary(forwarding.checkInbound(piece(IpProtocol.IPV6_OPTS, 185)))).to.equal('prohibited')
      expect(proxy().checkInbound(piece(IpProtocol.IPV6_OPTS, 185))).to.equal(undefined)
    })

    it('CIP-28 drops a packet whose chain of extension headers is malformed', () => {
      const bytes = withExtensionHeaders('2001:db8::2', '2001:db8::7', UDP)
      bytes[41] = 200
      expect(proxy().checkInbound(bytes)?.reason).to.equal('malformed')
    })
  })

  describe('addresses that stay on a link', () => {
    it('CIP-31 does not forward link-local, multicast, broadcast and loopback packets, and sends no error', () => {
      const everything = proxy()
      everything.setLocalRoutes(routes('0.0.0.0/0', '::/0'))
      everything.setPeerAddresses(prefixes('0.0.0.0/0', '::/0'))
      for (const address of ['169.254.0.1', '224.0.0.1', '239.1.2.3', '255.255.255.255', '127.0.0.1', '0.0.0.0']) {
        expect(summary(everything.checkInbound(packet('10.0.0.2', address))), address).to.equal('link-scope')
        expect(summary(everything.checkInbound(packet(address, '10.0.0.2'))), address).to.equal('link-scope')
        expect(summary(everything.checkOutbound(packet('10.0.0.2', address), true)), address).to.equal('link-scope')
        expect(summary(everything.checkOutbound(packet(address, '10.0.0.2'), true)), address).to.equal('link-scope')
      }
      for (const address of ['fe80::1', 'febf::1', 'ff02::5', 'ff0e::1', '::1', '::']) {
        expect(summary(everything.checkInbound(packet('2001:db8::2', address))), address).to.equal('link-scope')
        expect(summary(everything.checkInbound(packet(address, '2001:db8::2'))), address).to.equal('link-scope')
        expect(summary(everything.checkOutbound(packet('2001:db8::2', address), true)), address).to.equal('link-scope')
      }
    })

    it('CIP-31 forwards the neighbours of those addresses', () => {
      const everything = proxy()
      everything.setLocalRoutes(routes('0.0.0.0/0', '::/0'))
      for (const address of ['169.253.0.1', '223.255.255.255', '240.0.0.1', '128.0.0.1', '126.0.0.1', '1.0.0.0']) {
        expect(everything.checkInbound(packet('10.0.0.2', address)), address).to.equal(undefined)
      }
      for (const address of ['fec0::1', '::2', '0:1::', 'fd00::1']) {
        expect(everything.checkInbound(packet('2001:db8::2', address)), address).to.equal(undefined)
      }
    })

    it('CIP-31 answers an echo request to ff02::1', () => {
      const request = ping('2001:db8::2', 'ff02::1', 1232)
      const drop = proxy().checkInbound(request)
      expect(summary(drop)).to.equal('answered 129/0 to 2001:db8::2')
      const reply = drop?.icmp ?? new Uint8Array(0)
      expect(reply).to.have.length(1280)
      expect(String(sourceOf(reply))).to.equal('2001:db8::1')
      expect(decodeIcmpv6(reply)).to.include({ id: 7, seq: 1 })
      expect(client().checkInbound(reply), 'and the client takes the answer').to.equal(undefined)
    })

    it('CIP-31 answers at the client as well, with its assigned address', () => {
      const drop = client().checkInbound(ping('2001:db8::1', 'ff02::1'))
      expect(summary(drop)).to.equal('answered 129/0 to 2001:db8::1')
      expect(proxy().checkInbound(drop?.icmp ?? new Uint8Array(0))).to.equal(undefined)
    })

    it('CIP-31 answers a link-local sender, and all-routers at the proxy only', () => {
      expect(summary(proxy().checkInbound(ping('fe80::2', 'ff02::1')))).to.equal('answered 129/0 to fe80::2')
      expect(summary(proxy().checkInbound(ping('2001:db8::2', 'ff02::2')))).to.equal('answered 129/0 to 2001:db8::2')
      expect(summary(client().checkInbound(ping('2001:db8::1', 'ff02::2')))).to.equal('link-scope')
    })

    it('CIP-31 CIP-28 answers no echo request to ff02::1 behind headers that forbid it, and reports those that ask for it', () => {
      const behind = (header: number, rest: number[]) => {
        const request = ping('2001:db8::2', 'ff02::1')
        const longer = Uint8Array.of(...request.subarray(0, 40), 58, ...rest, ...request.subarray(40))
        longer[5] += 8
        longer[6] = header
        return longer
      }
      const check = (packet: Uint8Array) => summary(proxy().checkInbound(packet))
      expect(check(behind(60, [0, 1, 4, 0, 0, 0, 0]))).to.equal('answered 129/0 to 2001:db8::2')
      expect(check(behind(43, [0, 0, 1, 0, 0, 0, 0]))).to.equal('link-scope')
      expect(check(behind(60, [0, 0x7e, 4, 0, 0, 0, 0]))).to.equal('link-scope')
      expect(check(behind(60, [0, 0xfe, 4, 0, 0, 0, 0]))).to.equal('link-scope')
      expect(check(behind(60, [0, 0xbe, 4, 0, 0, 0, 0]))).to.equal('link-scope 4/2 to 2001:db8::2')
    })

    it('CIP-31 answers nothing else that is sent to ff02::1', () => {
      expect(summary(proxy().checkInbound(packet('2001:db8::2', 'ff02::1')))).to.equal('link-scope')
      expect(summary(proxy().checkInbound(ping('::', 'ff02::1')))).to.equal('link-scope')
      expect(summary(proxy().checkInbound(ping('ff02::1', 'ff02::1')))).to.equal('link-scope')
      const damaged = ping('2001:db8::2', 'ff02::1')
      damaged[50] ^= 1
      expect(summary(proxy().checkInbound(damaged))).to.equal('link-scope')
    })

    it('CIP-31 lets our own probe to ff02::1 out, unless it is too big', () => {
      const forwarding = client()
      expect(forwarding.checkOutbound(ping('2001:db8::2', 'ff02::1', 1232), false)).to.equal(undefined)
      expect(forwarding.checkOutbound(ping('2001:db8::2', 'ff02::1', 1232), true)?.reason).to.equal('link-scope')
      forwarding.mtu = 1279
      expect(forwarding.checkOutbound(ping('2001:db8::2', 'ff02::1', 1232), false)?.reason).to.equal('too-big')
    })

    it('CIP-31 takes an ICMP error of the peer’s link-local address at the client', () => {
      const error = icmpError('too-big', packet('2001:db8::2', '2001:db8::7'), IpAddress.parse('fe80::1'), 1400)
      expect(client().checkInbound(error ?? new Uint8Array(0))).to.equal(undefined)
    })

    it('lets nothing into or out of a tunnel that would tell a system about its link, such as a router advertisement', () => {
      const icmp = (from: string, to: string, type: number): Uint8Array => {
        const isV6 = from.includes(':')
        const bytes = packet(from, to, { protocol: isV6 ? IpProtocol.ICMPV6 : IpProtocol.ICMP })
        bytes[isV6 ? 40 : 20] = type
        return bytes
      }
      // Listeners, Neighbor Discovery with its redirect, and listeners again (RFC 2710, RFC 4861, RFC 3810).
      for (const type of [130, 131, 132, 133, 134, 135, 136, 137, 143]) {
        for (const from of ['fe80::bad', '2001:db8::1']) {
          expect(summary(client().checkInbound(icmp(from, '2001:db8::2', type))), `${type}`).to.equal('link-scope')
        }
        expect(summary(proxy().checkInbound(icmp('2001:db8::2', '2001:db8::7', type)))).to.equal('link-scope')
        expect(summary(proxy().checkOutbound(icmp('2001:db8::7', '2001:db8::2', type), true))).to.equal('link-scope')
      }
      // A redirect, and router discovery (RFC 792, RFC 1256).
      for (const type of [5, 9, 10]) {
        expect(summary(client().checkInbound(icmp('10.0.0.1', '10.0.0.2', type))), `${type}`).to.equal('link-scope')
        expect(summary(proxy().checkOutbound(icmp('10.0.0.7', '10.0.0.2', type), true))).to.equal('link-scope')
      }
      for (const type of [1, 2, 3, 4, 127, 128, 129, 138, 142, 144]) {
        expect(client().checkInbound(icmp('fe80::1', '2001:db8::2', type)), `${type}`).to.equal(undefined)
      }
      for (const type of [0, 3, 4, 6, 8, 11]) {
        expect(client().checkInbound(icmp('10.0.0.1', '10.0.0.2', type)), `${type}`).to.equal(undefined)
      }
    })
  })

  describe('ICMP errors', () => {
    it('CIP-35 sends none about ICMP errors', () => {
      const v4 =
        icmpError('no-route', packet('10.0.0.9', '192.0.2.7'), IpAddress.parse('10.0.0.77')) ?? new Uint8Array(0)
      expect(summary(proxy().checkInbound(v4))).to.equal('source-policy')
      const v6 =
        icmpError('no-route', packet('2001:db8::9', '2001:db8::7'), IpAddress.parse('2001:db8::77')) ??
        new Uint8Array(0)
      expect(summary(proxy().checkInbound(v6))).to.equal('source-policy')
    })

    it('CIP-35 sends none about packets to multicast or broadcast addresses, nor from them', () => {
      const everything = proxy()
      everything.setLocalRoutes(routes('0.0.0.0/0', '::/0'))
      for (const [from, to] of [
        ['10.0.0.9', '224.0.0.1'],
        ['10.0.0.9', '255.255.255.255'],
        ['255.255.255.255', '10.0.0.9'],
        ['2001:db8::9', 'ff0e::1'],
      ]) {
        expect(everything.checkInbound(packet(from, to))?.icmp).to.equal(undefined)
      }
    })

    it('CIP-35 limits their rate', () => {
      let time = 0
      const forwarding = proxy({ now: () => time, icmpRate: { perSecond: 10, burst: 3 } })
      const flood = (count: number) => {
        let errors = 0
        for (let i = 0; i < count; i++) if (forwarding.checkInbound(packet('10.0.0.9', '192.0.2.7'))?.icmp) errors++
        return errors
      }
      expect(flood(100)).to.equal(3)
      time += 1000
      expect(flood(100)).to.equal(3)
      time += 100
      expect(flood(100)).to.equal(1)
      expect(forwarding.counters['source-policy']).to.equal(300)
      expect(forwarding.icmpErrors).to.equal(7)
      expect(forwarding.icmpErrorsSuppressed).to.equal(293)
    })

    it('CIP-35 does not spend the rate on packets about which no error may be sent', () => {
      const forwarding = proxy({ icmpRate: { perSecond: 1, burst: 1 } })
      const error =
        icmpError('no-route', packet('10.0.0.9', '192.0.2.7'), IpAddress.parse('10.0.0.77')) ?? new Uint8Array(0)
      for (let i = 0; i < 10; i++) forwarding.checkInbound(error)
      expect(forwarding.checkInbound(packet('10.0.0.9', '192.0.2.7'))?.icmp).to.not.equal(undefined)
    })

    it('CIP-34 counts every drop by its reason', () => {
      const forwarding = proxy()
      forwarding.checkInbound(new Uint8Array(3))
      forwarding.checkInbound(packet('10.0.0.9', '192.0.2.7'))
      forwarding.checkInbound(packet('10.0.0.2', '8.8.8.8'))
      forwarding.checkInbound(packet('10.0.0.2', '224.0.0.1'))
      forwarding.checkInbound(ping('2001:db8::2', 'ff02::1'))
      forwarding.checkOutbound(packet('192.0.2.7', '10.0.0.2', { hops: 1 }), true)
      forwarding.mtu = 20
      forwarding.checkOutbound(packet('192.0.2.7', '10.0.0.2'), true)
      forwarding.checkInbound(packet('10.0.0.2', '192.0.2.7'))
      expect(forwarding.counters).to.deep.equal({
        malformed: 1,
        'source-policy': 1,
        'no-route': 1,
        prohibited: 0,
        'link-scope': 1,
        'hop-limit': 1,
        'too-big': 1,
        answered: 1,
      })
    })
  })
})
