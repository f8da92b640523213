import { expect } from 'chai'
import fc from 'fast-check'
import { FlowSource } from '../../../src/hosts/userspace/flow.ts'
import { PingError, Pinger } from '../../../src/hosts/userspace/pinger.ts'
import type { UdpDatagram } from '../../../src/hosts/userspace/udp-ports.ts'
import { UserspaceHost } from '../../../src/hosts/userspace/userspace-host.ts'
import { IpAddress } from '../../../src/ip/address.ts'
import {
  decodeIcmp,
  icmpDestinationUnreachable,
  icmpEchoReply,
  icmpEchoRequest,
  icmpFragmentationNeeded,
  icmpTimeExceeded,
} from '../../../src/ip/icmp.ts'
import { icmpError } from '../../../src/ip/icmp-error.ts'
import { decodeIcmpv6, icmpv6EchoRequest, icmpv6PacketTooBig } from '../../../src/ip/icmpv6.ts'
import { encodeIpv4 } from '../../../src/ip/ipv4.ts'
import { encodeIpv6 } from '../../../src/ip/ipv6.ts'
import { destinationOf, hopCountOf, sourceOf, validatePacket } from '../../../src/ip/packet.ts'
import { decodeUdp, encodeUdpPacket, verifyUdpChecksum } from '../../../src/ip/udp.ts'
import { withOptions } from '../../connect-ip/packets.ts'
import { FakeClock } from '../fake-clock.ts'

const address = IpAddress.parse
const A4 = address('10.0.0.1')
const A6 = address('fd00::1')
const B4 = address('10.0.0.2')
const B6 = address('fd00::2')
const B6_LINK = address('fe80::2')
const ROUTER = address('192.0.2.1')
const ROUTER6 = address('2001:db8::1')
const ALL_NODES = address('ff02::1')

/** Two hosts wired back to back, with a look at what passes. */
function twoHosts() {
  const clock = new FakeClock()
  const a = new UserspaceHost({ addresses: [A4, A6], clock, echoIdentifier: 77 })
  const b = new UserspaceHost({ addresses: [B4, B6, B6_LINK], clock })
  const toA: Uint8Array[] = []
  const toB: Uint8Array[] = []
  a.send = packet => {
    toB.push(packet)
    b.receive(packet)
  }
  b.send = packet => {
    toA.push(packet)
    a.receive(packet)
  }
  return { a, b, clock, toA, toB }
}

/** One host, what it sends, and nothing else. */
function oneHost(options: ConstructorParameters<typeof UserspaceHost>[0] = {}) {
  const clock = new FakeClock()
  const host = new UserspaceHost({ addresses: [A4, A6], clock, echoIdentifier: 77, ...options })
  const sent: Uint8Array[] = []
  host.send = packet => sent.push(Uint8Array.from(packet))
  return { host, clock, sent }
}

/** How the ping fails. A ping that succeeds fails the test. */
async function failureOf(ping: Promise<unknown>): Promise<PingError> {
  try {
    await ping
  } catch (error) {
    if (error instanceof PingError) return error
    throw error
  }
  throw new Error('the ping succeeded; expected a PingError')
}

const bytes = (length: number) => Uint8Array.from({ length }, (_, i) => i * 7)

describe('UserspaceHost answers echo requests', () => {
  it('in IPv4 with identifier, sequence number and data of the request, and a TTL of 64', () => {
    const { host, sent } = oneHost()
    host.receive(icmpEchoRequest({ source: B4, destination: A4, id: 5, seq: 65535, hopCount: 3 }, bytes(99)))
    expect(sent).to.have.length(1)
    expect(decodeIcmp(sent[0])).to.deep.equal({ type: 0, code: 0, id: 5, seq: 65535, data: bytes(99) })
    expect(sourceOf(sent[0]).equals(A4) && destinationOf(sent[0]).equals(B4)).to.equal(true)
    expect(hopCountOf(sent[0])).to.equal(64)
    expect(host.counters).to.deep.include({ received: 1, sent: 1, echoRequestsAnswered: 1 })
  })

  it('in IPv6 likewise', () => {
    const { host, sent } = oneHost()
    host.receive(icmpv6EchoRequest({ source: B6, destination: A6, id: 65535, seq: 0, hopCount: 1 }, bytes(1232)))
    expect(sent[0]).to.have.length(1280)
    expect(decodeIcmpv6(sent[0])).to.deep.equal({ type: 129, code: 0, id: 65535, seq: 0, data: bytes(1232) })
    expect(sourceOf(sent[0]).equals(A6) && destinationOf(sent[0]).equals(B6)).to.equal(true)
    expect(hopCountOf(sent[0])).to.equal(64)
  })

  it('to ff02::1 from its own address, the link-local one when it has one', () => {
    const { host, sent } = oneHost({ addresses: [A4, A6] })
    const request = icmpv6EchoRequest({ source: B6_LINK, destination: ALL_NODES, id: 1, seq: 1 }, bytes(8))
    host.receive(request)
    expect(sourceOf(sent[0]).toString()).to.equal('fd00::1')
    host.configure({ addresses: [A6, address('fe80::1')] })
    host.receive(request)
    expect(sourceOf(sent[1]).toString()).to.equal('fe80::1')
    host.configure({ addresses: [A4] })
    host.receive(request)
    expect(sent).to.have.length(2)
    expect(decodeIcmpv6(sent[1])).to.deep.include({ type: 129, id: 1, seq: 1 })
  })

  it('behind IPv6 extension headers', () => {
    const { host, sent } = oneHost()
    const request = icmpv6EchoRequest({ source: B6, destination: A6, id: 9, seq: 4 }, bytes(16))
    const options = Uint8Array.of(58, 0, 1, 4, 0, 0, 0, 0) // Destination Options with PadN
    const body = new Uint8Array([...options, ...request.subarray(40)])
    host.receive(encodeIpv6({ source: B6, destination: A6, nextHeader: 60, hopLimit: 9 }, body))
    expect(decodeIcmpv6(sent[0])).to.deep.include({ type: 129, id: 9, seq: 4 })
  })

  it('only from sources that can be answered', () => {
    const { host, sent } = oneHost()
    for (const source of ['0.0.0.0', '255.255.255.255', '224.0.0.1', '127.0.0.1']) {
      host.receive(icmpEchoRequest({ source: address(source), destination: A4, id: 1, seq: 1 }, bytes(8)))
    }
    for (const source of ['::', '::1', 'ff02::1']) {
      host.receive(icmpv6EchoRequest({ source: address(source), destination: A6, id: 1, seq: 1 }, bytes(8)))
    }
    expect(sent).to.have.length(0)
    expect(host.counters.dropped['bad-source']).to.equal(7)
  })

  it('only to its own addresses: not to others, broadcast or other groups', () => {
    const { host, sent } = oneHost()
    for (const destination of ['10.0.0.3', '255.255.255.255', '224.0.0.1']) {
      host.receive(icmpEchoRequest({ source: B4, destination: address(destination), id: 1, seq: 1 }, bytes(8)))
    }
    for (const destination of ['fd00::3', 'ff02::2', 'ff05::1']) {
      host.receive(icmpv6EchoRequest({ source: B6, destination: address(destination), id: 1, seq: 1 }, bytes(8)))
    }
    expect(sent).to.have.length(0)
    expect(host.counters.dropped['not-ours']).to.equal(6)
  })

  it('at new addresses, and no longer at old ones, once they have changed', () => {
    const { host, sent } = oneHost()
    host.configure({ addresses: [address('10.9.9.9')] })
    expect(host.addresses.map(String)).to.deep.equal(['10.9.9.9'])
    host.receive(icmpEchoRequest({ source: B4, destination: A4, id: 1, seq: 1 }, bytes(8)))
    host.receive(icmpEchoRequest({ source: B4, destination: address('10.9.9.9'), id: 1, seq: 2 }, bytes(8)))
    expect(sent.map(packet => decodeIcmp(packet).seq)).to.deep.equal([2])
  })
})

describe('UserspaceHost drops and counts', () => {
  const request4 = () => icmpEchoRequest({ source: B4, destination: A4, id: 1, seq: 1 }, bytes(32))
  const request6 = () => icmpv6EchoRequest({ source: B6, destination: A6, id: 1, seq: 1 }, bytes(32))

  it('echo requests with a bit flipped in the ICMP message', () => {
    for (const [request, header] of [
      [request4(), 20],
      [request6(), 40],
    ] as const) {
      const { host, sent } = oneHost()
      // Not the type: as another type it would be "unhandled", with an equally wrong checksum.
      for (let i = header; i < request.length; i++) {
        request[i] ^= 0x10
        host.receive(request)
        request[i] ^= 0x10
      }
      expect(sent).to.have.length(0)
      expect(host.counters.dropped.checksum).to.equal(request.length - header)
    }
  })

  it('IPv4 packets with a bit flipped in the header', () => {
    const { host, sent } = oneHost()
    const request = request4()
    for (let i = 0; i < 20; i++) {
      request[i] ^= 0x10
      host.receive(request)
      request[i] ^= 0x10
    }
    expect(sent).to.have.length(0)
    expect(host.counters.dropped.malformed).to.equal(20)
  })

  it('UDP datagrams with a bit flipped', () => {
    const { host, sent } = oneHost()
    const packet = encodeUdpPacket({ source: B6, sourcePort: 4000, destination: A6, destinationPort: 7 }, bytes(10))
    packet[packet.length - 1] ^= 1
    host.receive(packet)
    expect(sent).to.have.length(0)
    expect(host.counters.dropped.checksum).to.equal(1)
  })

  it('fragments of either version, the first as well as later ones', () => {
    const { host, sent } = oneHost()
    for (const flags of [0x2000, 0x0001]) {
      const whole = request4()
      const fragment = encodeIpv4({ source: B4, destination: A4, protocol: 1, ttl: 9 }, whole.subarray(20))
      fragment[6] = flags >> 8
      fragment[7] = flags
      fixIpv4Checksum(fragment)
      host.receive(fragment)
    }
    for (const flags of [0x0001, 0x0008]) {
      const header = Uint8Array.of(58, 0xff, flags >> 8, flags, 0, 0, 0, 1)
      const body = new Uint8Array([...header, ...request6().subarray(40)])
      host.receive(encodeIpv6({ source: B6, destination: A6, nextHeader: 44, hopLimit: 9 }, body))
    }
    expect(sent).to.have.length(0)
    expect(host.counters.dropped.fragment).to.equal(4)
  })

  it('but not an atomic IPv6 fragment, which is a whole packet (RFC 6946)', () => {
    const { host, sent } = oneHost()
    const body = new Uint8Array([58, 0, 0, 0, 0, 0, 0, 1, ...request6().subarray(40)])
    host.receive(encodeIpv6({ source: B6, destination: A6, nextHeader: 44, hopLimit: 9 }, body))
    expect(sent).to.have.length(1)
  })

  it('protocols and ICMP messages that it knows nothing about', () => {
    const { host, sent } = oneHost()
    host.receive(encodeIpv4({ source: B4, destination: A4, protocol: 6, ttl: 9 }, bytes(20)))
    host.receive(encodeIpv6({ source: B6, destination: A6, nextHeader: 1, hopLimit: 9 }, request4().subarray(20)))
    expect(host.counters.dropped.unhandled).to.equal(2)
    // RFC 1122 §3.2.2.1, RFC 4443 §3.4: the sender hears of a protocol that is not there.
    expect(decodeIcmp(sent[0])).to.deep.include({ type: 3, code: 2 })
    expect(decodeIcmpv6(sent[1])).to.deep.include({ type: 4, code: 1, pointer: 6 })
    host.receive(encodeIpv6({ source: B6, destination: A6, nextHeader: 59, hopLimit: 9 }, bytes(8)))
    expect(host.counters.dropped.unhandled).to.equal(3)
    expect(sent).to.have.length(2)
  })

  describe('CIP-28 what its headers do not let it answer:', () => {
    /** An echo request behind one extension header of 8 bytes. */
    const behind = (header: number, rest: number[], destination = A6) => {
      const body = Uint8Array.of(
        58,
        ...rest,
        ...icmpv6EchoRequest({ source: B6, destination, id: 1, seq: 1 }, bytes(8)).subarray(40),
      )
      return encodeIpv6({ source: B6, destination, nextHeader: header, hopLimit: 9 }, body)
    }
    const request = () => icmpEchoRequest({ source: B4, destination: A4, id: 1, seq: 1 }, bytes(8))

    for (const [title, packet, expected] of [
      [
        'CIP-28 a Routing header with segments left',
        behind(43, [0, 0, 1, 0, 0, 0, 0]),
        { type: 4, code: 0, pointer: 42 },
      ],
      ['an option that says "discard"', behind(60, [0, 0x7e, 4, 0, 0, 0, 0]), undefined],
      ['an option that says "report"', behind(0, [0, 0xbe, 4, 0, 0, 0, 0]), { type: 4, code: 2, pointer: 42 }],
      ['the same to a group', behind(0, [0, 0xbe, 4, 0, 0, 0, 0], ALL_NODES), { type: 4, code: 2, pointer: 42 }],
      [
        'CIP-28 one that says "report", but not to groups',
        behind(60, [0, 0xfe, 4, 0, 0, 0, 0]),
        { type: 4, code: 2, pointer: 42 },
      ],
      ['the same to a group', behind(60, [0, 0xfe, 4, 0, 0, 0, 0], ALL_NODES), undefined],
      ['a route that ends elsewhere', withOptions(request(), [131, 7, 4, 1, 2, 3, 4, 0]), { type: 3, code: 5 }],
      ['an option that does not fit', withOptions(request(), [7, 0, 0, 0]), { type: 12, code: 0, pointer: 21 }],
    ] as const) {
      it(`${title}: ${expected === undefined ? 'silently' : `ICMP ${expected.type}/${expected.code}`}`, () => {
        const { host, sent } = oneHost()
        host.receive(packet)
        expect(host.counters.dropped.header).to.equal(1)
        expect(host.counters.echoRequestsAnswered).to.equal(0)
        expect(sent).to.have.length(expected === undefined ? 0 : 1)
        if (expected === undefined) return
        expect(validatePacket(sent[0])).to.equal(undefined)
        expect(packet[0] >> 4 === 4 ? decodeIcmp(sent[0]) : decodeIcmpv6(sent[0])).to.deep.include(expected)
        expect([String(A4), String(A6)]).to.include(String(sourceOf(sent[0])))
      })
    }

    it('CIP-35 at the rate of its other ICMP errors', () => {
      const { host, sent } = oneHost({ icmpErrorsPerSecond: 3 })
      for (let i = 0; i < 10; i++) host.receive(behind(43, [0, 0, 1, 0, 0, 0, 0]))
      expect(sent).to.have.length(3)
      expect(host.counters.icmpErrorsSuppressed).to.equal(7)
    })
  })

  it('CIP-29 no packet because its hops are used up: at its destination it has arrived', () => {
    const { host, sent } = oneHost()
    for (const hopCount of [0, 1]) {
      host.receive(icmpEchoRequest({ source: B4, destination: A4, id: 1, seq: 1, hopCount }, bytes(8)))
      host.receive(icmpv6EchoRequest({ source: B6, destination: A6, id: 1, seq: 1, hopCount }, bytes(8)))
    }
    // A route of any type that is at its end, and one that was travelled, are ignored.
    host.receive(
      withOptions(
        icmpEchoRequest({ source: B4, destination: A4, id: 1, seq: 1 }, bytes(8)),
        [131, 7, 8, 1, 2, 3, 4, 0],
      ),
    )
    expect(sent).to.have.length(5)
  })

  it('any bytes, without throwing', () => {
    const { host } = oneHost()
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), packet => host.receive(packet)),
      { numRuns: 500 },
    )
  })

  it('any bytes behind a valid IP header, without throwing', () => {
    const { host } = oneHost()
    const protocols = fc.constantFrom(0, 1, 6, 17, 43, 44, 51, 58, 59, 60)
    fc.assert(
      fc.property(fc.boolean(), protocols, fc.uint8Array({ maxLength: 100 }), (isV4, protocol, payload) => {
        host.receive(
          isV4
            ? encodeIpv4({ source: B4, destination: A4, protocol, ttl: 1 }, payload)
            : encodeIpv6({ source: B6, destination: A6, nextHeader: protocol, hopLimit: 1 }, payload),
        )
      }),
      { numRuns: 500 },
    )
    const { received, dropped } = host.counters
    expect(Object.values(dropped).reduce((a, b) => a + b)).to.equal(received)
  })

  it('any mutilation of real packets, without throwing', () => {
    const { host } = oneHost()
    const offending = encodeUdpPacket({ source: A4, sourcePort: 1, destination: B4, destinationPort: 2 }, bytes(9))
    const packets = [
      request4(),
      request6(),
      icmpDestinationUnreachable(offending, 3, B4),
      encodeUdpPacket({ source: B4, sourcePort: 1, destination: A4, destinationPort: 5001 }, bytes(30)),
      Uint8Array.from(new FlowSource({ source: B6, destination: A6, flowId: 1, packetLength: 90 }).next(1)),
    ]
    const edits = fc.array(fc.tuple(fc.nat(100), fc.nat(255)), { maxLength: 4 })
    fc.assert(
      fc.property(fc.constantFrom(...packets), edits, fc.nat(120), (packet, changes, cut) => {
        const copy = packet.slice(0, cut > 100 ? undefined : cut)
        for (const [at, value] of changes) if (at < copy.length) copy[at] = value
        if (copy.length >= 20 && copy[0] === 0x45) {
          copy[2] = copy.length >> 8
          copy[3] = copy.length
          fixIpv4Checksum(copy)
        }
        host.receive(copy)
      }),
      { numRuns: 500 },
    )
  })

  it('everything after it is closed', () => {
    const { host, sent } = oneHost()
    host.close()
    host.close()
    host.receive(request4())
    expect(sent).to.have.length(0)
  })
})

function fixIpv4Checksum(packet: Uint8Array): void {
  packet[10] = packet[11] = 0
  let sum = 0
  for (let i = 0; i < 20; i += 2) sum += (packet[i] << 8) | packet[i + 1]
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16)
  packet[10] = ~sum >> 8
  packet[11] = ~sum
}

describe('UserspaceHost.ping', () => {
  it('brings the round-trip time, the hop count that arrived and the bytes, in both IP versions', async () => {
    const { host, clock, sent } = oneHost()
    for (const [target, request] of [
      [B4, decodeIcmp],
      [B6, decodeIcmpv6],
    ] as const) {
      const ping = host.ping(target, { size: 100, hopCount: 9 })
      const packet = sent.pop()!
      expect(hopCountOf(packet)).to.equal(9)
      await clock.advance(12.5)
      const { id, seq, data } = request(packet)
      expect(data).to.have.length(100)
      const replier = new UserspaceHost({ addresses: [target] })
      replier.send = reply => host.receive(reply)
      replier.receive(packet)
      expect(await ping).to.deep.equal({ from: target, rttMs: 12.5, hopCount: 64, bytes: 100 })
      expect([id, seq]).to.deep.equal([77, target === B4 ? 1 : 2])
    }
    expect(clock.pendingTimers).to.equal(0)
  })

  it('works for every size from nothing to the largest packet', async () => {
    const { a } = twoHosts()
    for (const size of [0, 1, 56, 1232, 65507]) expect((await a.ping(B4, { size })).bytes).to.equal(size)
    for (const size of [0, 1, 1232, 65527]) expect((await a.ping(B6, { size })).bytes).to.equal(size)
  })

  it('keeps a thousand apart that wait at the same time, and are answered backwards', async () => {
    const { host, clock, sent } = oneHost()
    const pings = Array.from({ length: 1000 }, () => host.ping(B4, { timeoutMs: 5000 }))
    const requests = sent.splice(0)
    const replies: Uint8Array[] = []
    const b = new UserspaceHost({ addresses: [B4] })
    b.send = packet => replies.push(packet)
    for (const request of requests) b.receive(request)
    for (const reply of replies.reverse()) {
      await clock.advance(0)
      host.receive(reply)
    }
    expect(await Promise.all(pings)).to.have.length(1000)
    expect(host.pingCounters).to.deep.equal({ sent: 1000, answered: 1000, duplicates: 0, late: 0, unexpected: 0 })
  })

  it('goes on after the sequence numbers are used up', () => {
    const pinger = new Pinger(new FakeClock(), 0xffff)
    const seen: number[][] = []
    for (let i = 0; i < 65537; i++) {
      pinger.ping(B4, { size: 0 }, request => {
        seen.push([request.identifier, request.sequence])
        pinger.receiveReply(request, B4, 64)
      })
    }
    expect(pinger.counters.answered).to.equal(65537)
    expect(seen.slice(65534)).to.deep.equal([
      [0xffff, 65535],
      [0, 0],
      [0, 1],
    ])
  })

  it('times out, and counts the reply that comes later as late', async () => {
    const { host, clock, sent } = oneHost()
    const late: number[] = []
    const failure = failureOf(host.ping(B4, { timeoutMs: 250, onLate: rttMs => late.push(rttMs) }))
    await clock.advance(249)
    expect(clock.pendingTimers).to.equal(1)
    await clock.advance(1)
    expect(await failure).to.deep.include({ kind: 'timeout', target: B4, icmp: undefined })
    expect((await failure).message).to.equal('ping 10.0.0.2: no reply within 250 ms')
    const { id = 0, seq = 0, data = bytes(0) } = decodeIcmp(sent[0])
    await clock.advance(1000)
    host.receive(icmpEchoReply({ source: B4, destination: A4, id, seq }, data))
    expect(host.pingCounters).to.deep.include({ sent: 1, answered: 0, late: 1 })
    expect(late).to.deep.equal([1250])
  })

  it('says who sent an ICMP error, and what it means', async () => {
    const { host, sent } = oneHost()
    const failure = failureOf(host.ping(B4, { hopCount: 1 }))
    host.receive(icmpTimeExceeded(sent[0], 0, ROUTER))
    const { kind, icmp, message } = await failure
    expect(kind).to.equal('icmp')
    expect(icmp).to.deep.equal({ kind: 'time-exceeded', type: 11, code: 0, from: ROUTER, text: 'TTL exceeded' })
    expect(message).to.equal('ping 10.0.0.2: TTL exceeded, says 192.0.2.1')
  })

  it('says the MTU when the request is too big for some link, in both IP versions', async () => {
    const { host, sent } = oneHost()
    const failure4 = failureOf(host.ping(B4, { size: 1400 }))
    host.receive(icmpFragmentationNeeded(sent[0], 1300, ROUTER))
    expect((await failure4).icmp).to.deep.include({ kind: 'packet-too-big', type: 3, code: 4, mtu: 1300, from: ROUTER })
    const failure6 = failureOf(host.ping(B6, { size: 1400 }))
    host.receive(icmpv6PacketTooBig(sent[1], 1280, ROUTER6))
    expect((await failure6).icmp).to.deep.include({
      kind: 'packet-too-big',
      type: 2,
      code: 0,
      mtu: 1280,
      from: ROUTER6,
    })
  })

  it('understands every kind of error that a CONNECT-IP proxy sends', async () => {
    const { host, sent } = oneHost()
    const expected = {
      'source-policy': ['destination-unreachable', 'destination-unreachable'],
      'no-route': ['destination-unreachable', 'destination-unreachable'],
      prohibited: ['destination-unreachable', 'destination-unreachable'],
      'hop-limit': ['time-exceeded', 'time-exceeded'],
      'too-big': ['packet-too-big', 'packet-too-big'],
    } as const
    for (const kind of Object.keys(expected) as (keyof typeof expected)[]) {
      const found: unknown[] = []
      for (const [target, router] of [
        [B4, ROUTER],
        [B6, ROUTER6],
      ]) {
        const failure = failureOf(host.ping(target))
        host.receive(icmpError(kind, sent.pop()!, router, 1280)!)
        found.push((await failure).icmp?.kind)
      }
      expect(found).to.deep.equal(expected[kind])
    }
  })

  it('with a forged source still sees the ICMP error about it, and answers nothing under that address', async () => {
    const { host, sent } = oneHost()
    const forged = address('198.51.100.7')
    const failure = failureOf(host.ping(B4, { source: forged }))
    expect(sourceOf(sent[0]).equals(forged)).to.equal(true)
    host.receive(icmpEchoRequest({ source: B4, destination: forged, id: 1, seq: 1 }, bytes(8)))
    host.receive(encodeUdpPacket({ source: B4, sourcePort: 4000, destination: forged, destinationPort: 7 }, bytes(8)))
    expect(sent).to.have.length(1)
    host.receive(icmpError('source-policy', sent[0], ROUTER)!)
    expect((await failure).icmp).to.deep.include({ type: 3, code: 13, from: ROUTER })
  })

  it('is not ended by an error about another ping, or by a reply from someone else', async () => {
    const { host, clock, sent } = oneHost()
    const failure = failureOf(host.ping(B4))
    const { id = 0, seq = 0, data = bytes(0) } = decodeIcmp(sent[0])
    const elsewhere = icmpEchoRequest({ source: A4, destination: ROUTER, id, seq }, data)
    host.receive(icmpDestinationUnreachable(elsewhere, 1, ROUTER))
    const otherSequence = icmpEchoRequest({ source: A4, destination: B4, id, seq: seq + 1 }, data)
    host.receive(icmpDestinationUnreachable(otherSequence, 1, ROUTER))
    host.receive(icmpEchoReply({ source: ROUTER, destination: A4, id, seq }, data))
    expect(host.pingCounters.unexpected).to.equal(1)
    await clock.advance(1000)
    expect((await failure).kind).to.equal('timeout')
  })

  it('calls onDuplicate for each further reply', async () => {
    const { host, sent } = oneHost()
    let duplicates = 0
    const ping = host.ping(B4, { onDuplicate: () => duplicates++ })
    const { id = 0, seq = 0, data = bytes(0) } = decodeIcmp(sent[0])
    for (let i = 0; i < 3; i++) host.receive(icmpEchoReply({ source: B4, destination: A4, id, seq }, data))
    await ping
    expect([duplicates, host.pingCounters.duplicates, host.pingCounters.answered]).to.deep.equal([2, 2, 1])
  })

  it('fails when the reply carries other data', async () => {
    const { host, sent } = oneHost()
    const failure = failureOf(host.ping(B4, { size: 4 }))
    const { id = 0, seq = 0 } = decodeIcmp(sent[0])
    host.receive(icmpEchoReply({ source: B4, destination: A4, id, seq }, Uint8Array.of(0, 1, 2, 4)))
    expect((await failure).kind).to.equal('mismatch')
  })

  it('of ff02::1 is answered by whoever is there', async () => {
    const { a } = twoHosts()
    expect((await a.ping(ALL_NODES)).from.toString()).to.equal('fd00::2')
  })

  it('fails at once without an address of that version, saying which the host has', async () => {
    const { host, clock } = oneHost({ addresses: [A4] })
    const failure = await failureOf(host.ping(B6))
    expect(failure.kind).to.equal('no-source')
    expect(failure.message).to.include('the host has only 10.0.0.1')
    expect(clock.pendingTimers).to.equal(0)
  })

  it('fails at once when it would not fit into a packet', async () => {
    const { host } = oneHost()
    for (const size of [65508, -1, 1.5, Number.NaN]) {
      expect((await failureOf(host.ping(B4, { size }))).kind).to.equal('too-large')
    }
    expect((await failureOf(host.ping(B6, { size: 65528 }))).kind).to.equal('too-large')
  })

  it('fails when the host is closed, before or meanwhile, and leaves no timer', async () => {
    const { host, clock } = oneHost()
    const waiting = [failureOf(host.ping(B4)), failureOf(host.ping(B6))]
    host.close()
    for (const failure of waiting) expect((await failure).kind).to.equal('closed')
    expect((await failureOf(host.ping(B4))).kind).to.equal('closed')
    expect(clock.pendingTimers).to.equal(0)
  })
})

describe('UserspaceHost UDP', () => {
  it('echoes on port 7, in both IP versions', () => {
    const { a, toA, b } = twoHosts()
    const received: string[] = []
    const { port } = a.udp.bind(0, ({ source, sourcePort, destination, payload, hopCount }) => {
      received.push(`${source} ${sourcePort} → ${destination}: ${payload.join(' ')}, ${hopCount}`)
    })
    expect(a.udp.send({ sourcePort: port, destination: B4, destinationPort: 7 }, Uint8Array.of(1, 2, 3))).to.equal(true)
    expect(a.udp.send({ sourcePort: port, destination: B6, destinationPort: 7 }, new Uint8Array(0))).to.equal(true)
    expect(received).to.deep.equal(['10.0.0.2 7 → 10.0.0.1: 1 2 3, 64', 'fd00::2 7 → fd00::1: , 64'])
    expect(toA.map(packet => validatePacket(packet))).to.deep.equal([undefined, undefined])
    expect(b.counters.udpEchoed).to.equal(2)
  })

  it('does not let two echo services talk to each other for ever', () => {
    const { a, b } = twoHosts()
    a.udp.send({ sourcePort: 7, destination: B4, destinationPort: 7 }, bytes(5))
    expect([b.counters.udpEchoed, b.counters.dropped['bad-source'], a.counters.received]).to.deep.equal([0, 1, 0])
  })

  it('discards on port 9, and counts', () => {
    const { a, b } = twoHosts()
    for (const size of [0, 10, 1000]) a.udp.send({ sourcePort: 4000, destination: B6, destinationPort: 9 }, bytes(size))
    expect(b.counters).to.deep.include({ discarded: 3, discardedBytes: 1010, sent: 0 })
  })

  it('answers an unused port with port unreachable, and hands that to who sent', () => {
    for (const [target, from, type, code] of [
      [B4, '10.0.0.2', 3, 3],
      [B6, 'fd00::2', 1, 4],
    ] as const) {
      const { a, b } = twoHosts()
      const errors: unknown[] = []
      a.udp.bind(
        4000,
        () => {},
        (report, destination, port) =>
          errors.push([report.text, report.type, report.code, `${report.from}`, `${destination}`, port]),
      )
      a.udp.send({ sourcePort: 4000, destination: target, destinationPort: 999 }, bytes(5))
      expect(errors).to.deep.equal([['port unreachable', type, code, from, from, 999]])
      expect(b.counters.icmpErrorsSent).to.equal(1)
      expect(b.counters.dropped.port).to.equal(1)
      expect(a.counters.icmpErrorsReceived).to.equal(1)
    }
  })

  it('CIP-35 limits the rate of ICMP errors', async () => {
    const { host, clock, sent } = oneHost({ icmpErrorsPerSecond: 10 })
    const packet = encodeUdpPacket({ source: B4, sourcePort: 1, destination: A4, destinationPort: 999 }, bytes(5))
    for (let i = 0; i < 50; i++) host.receive(packet)
    expect(sent).to.have.length(10)
    await clock.advance(500)
    for (let i = 0; i < 50; i++) host.receive(packet)
    expect(sent).to.have.length(15)
    expect(host.counters).to.deep.include({ icmpErrorsSent: 15, icmpErrorsSuppressed: 85 })
  })

  it('CIP-35 sends no ICMP error about multicast', () => {
    const { host, sent } = oneHost()
    host.receive(encodeUdpPacket({ source: B6, sourcePort: 1, destination: ALL_NODES, destinationPort: 999 }, bytes(5)))
    expect(sent).to.have.length(0)
    expect(host.counters).to.deep.include({ icmpErrorsSuppressed: 1 })
  })

  it('CIP-35 sends no ICMP error about an ICMP error', () => {
    const { host, sent } = oneHost()
    const never = encodeUdpPacket({ source: A4, sourcePort: 4321, destination: B4, destinationPort: 1 }, bytes(5))
    host.receive(icmpDestinationUnreachable(never, 3, B4))
    expect(sent).to.have.length(0)
    expect(host.counters.icmpErrorsReceived).to.equal(1)
  })

  it('tells the handler everything about a datagram', () => {
    const { host } = oneHost()
    const seen: UdpDatagram[] = []
    host.udp.bind(53, datagram => seen.push({ ...datagram, payload: Uint8Array.from(datagram.payload) }))
    const addressing = { source: B6, sourcePort: 4000, destination: A6, destinationPort: 53, hopCount: 17 }
    host.receive(encodeUdpPacket(addressing, bytes(3)))
    expect(seen).to.deep.equal([{ ...addressing, payload: bytes(3) }])
  })

  it('gives a port to one user at a time, and frees it on close', () => {
    const { host } = oneHost()
    const first = host.udp.bind(53, () => {})
    expect(() => host.udp.bind(53, () => {})).to.throw('UDP port 53 is taken')
    first.close()
    const second = host.udp.bind(53, () => {})
    first.close()
    expect(() => host.udp.bind(53, () => {})).to.throw('taken')
    second.close()
    expect(() => host.udp.bind(65536, () => {})).to.throw(RangeError)
  })

  it('finds a free port when asked for port 0, until none is left', () => {
    const { host } = oneHost()
    const ports = new Set(Array.from({ length: 16384 }, () => host.udp.bind(0, () => {}).port))
    expect([ports.size, Math.min(...ports), Math.max(...ports)]).to.deep.equal([16384, 49152, 65535])
    expect(() => host.udp.bind(0, () => {})).to.throw('no free UDP port')
  })

  it('says false to what cannot be sent', () => {
    const { host, sent } = oneHost({ addresses: [A4] })
    const port = { sourcePort: 1, destinationPort: 2 }
    expect(host.udp.send({ ...port, destination: B6 }, bytes(1))).to.equal(false)
    expect(host.udp.send({ ...port, destination: B4 }, new Uint8Array(65508))).to.equal(false)
    expect(host.udp.send({ ...port, destination: B4 }, new Uint8Array(65507))).to.equal(true)
    host.close()
    expect(host.udp.send({ ...port, destination: B4 }, bytes(1))).to.equal(false)
    expect(sent).to.have.length(1)
    expect(verifyUdpChecksum(sent[0], 20)).to.equal(true)
    expect(decodeUdp(sent[0], 20).payload).to.have.length(65507)
  })
})

describe('UserspaceHost flows', () => {
  const flow6 = { source: B6, destination: A6, flowId: 5 }
  const flow4 = { source: B4, destination: A4, flowId: 4 }

  it('feeds each flow to a sink of its own, by the clock of the host', async () => {
    const { host, clock } = oneHost()
    const sources = [new FlowSource(flow4), new FlowSource(flow6)]
    for (let i = 0; i < 10; i++) {
      const packets = sources.map(source => source.next(clock.now() * 1000).slice())
      await clock.advance(3)
      for (const packet of packets) host.receive(packet)
    }
    expect([...host.flows.keys()]).to.deep.equal([4, 5])
    const { received, bytes, payloadBytes, lost, delayMs, durationMs } = host.flows.get(5)!.summary(10)
    expect({ received, bytes, payloadBytes, lost, durationMs }).to.deep.equal({
      received: 10,
      bytes: 12000,
      payloadBytes: 11520,
      lost: 0,
      durationMs: 27,
    })
    expect(delayMs).to.deep.equal({ min: 3, p50: 3, p95: 3, p99: 3, max: 3, mean: 3 })
    expect(host.counters.flowPackets).to.equal(20)
  })

  it('drops flow packets with a wrong checksum, unless told not to look', () => {
    for (const verifyFlowChecksums of [true, false]) {
      const { host } = oneHost({ verifyFlowChecksums })
      const packet = new FlowSource(flow4).next(0)
      packet[1100] ^= 1
      host.receive(packet)
      expect(host.counters.dropped.checksum).to.equal(verifyFlowChecksums ? 1 : 0)
      expect(host.counters.flowPackets).to.equal(verifyFlowChecksums ? 0 : 1)
    }
  })

  it('treats other datagrams for the flow port like any others', () => {
    const { host, sent } = oneHost()
    host.receive(encodeUdpPacket({ source: B4, sourcePort: 1, destination: A4, destinationPort: 5001 }, bytes(50)))
    expect(host.flows.size).to.equal(0)
    expect(decodeIcmp(sent[0])).to.deep.include({ type: 3, code: 3 })
  })

  it('takes flows on another port, or on none', () => {
    const packet = () => new FlowSource({ ...flow4, destinationPort: 6000 }).next(0)
    const other = oneHost({ flowPort: 6000 }).host
    other.receive(packet())
    expect(other.flows.size).to.equal(1)
    const none = oneHost({ flowPort: 0 }).host
    none.receive(packet())
    expect(none.flows.size).to.equal(0)
  })

  it('has room for 256 flows, whoever invents more', () => {
    const { host } = oneHost()
    const receiveFlow = (flowId: number) => host.receive(new FlowSource({ ...flow4, flowId }).next(0))
    for (let flowId = 0; flowId < 260; flowId++) receiveFlow(flowId)
    expect(host.flows.size).to.equal(256)
    expect(host.counters.dropped['flow-limit']).to.equal(4)
    host.forgetFlow(3)
    receiveFlow(259)
    expect(host.flows.get(259)?.received).to.equal(1)
  })
})
