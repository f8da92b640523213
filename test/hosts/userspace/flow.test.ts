import { expect } from 'chai'
import fc from 'fast-check'
import {
  FLOW_HEADER_LENGTH,
  FLOW_WINDOW,
  type FlowOptions,
  FlowSink,
  FlowSource,
  flowIdAt,
} from '../../../src/hosts/userspace/flow.ts'
import { IpAddress } from '../../../src/ip/address.ts'
import { internetChecksum, pseudoHeaderSum } from '../../../src/ip/checksum.ts'
import { validateIpv4 } from '../../../src/ip/ipv4.ts'
import { validateIpv6 } from '../../../src/ip/ipv6.ts'
import { interarrivalJitter } from '../../../src/stats/statistics.ts'

const v4: FlowOptions = { source: IpAddress.parse('10.0.0.1'), destination: IpAddress.parse('10.0.0.2'), flowId: 7 }
const v6: FlowOptions = {
  source: IpAddress.parse('fd00::1'),
  destination: IpAddress.parse('fd00::2'),
  flowId: 0xfffffffe,
}
const PAYLOAD_V4 = 28
const PAYLOAD_V6 = 48

/** 0 when the UDP checksum is right. */
function verifyUdp(packet: Uint8Array): number {
  const [udp, addresses, length] = packet[0] >> 4 === 4 ? ([20, 12, 8] as const) : ([40, 8, 32] as const)
  const udpLength = packet.length - udp
  return internetChecksum(packet, udp, udpLength, pseudoHeaderSum(packet, addresses, length, 17, udpLength))
}

describe('FlowSource', () => {
  it('makes valid packets of the length asked for, in both IP versions', () => {
    for (const packetLength of [76, 77, 1200, 1281]) {
      const packet4 = new FlowSource({ ...v4, packetLength }).next(1)
      expect(validateIpv4(packet4)).to.equal(undefined)
      const packet6 = new FlowSource({ ...v6, packetLength }).next(1)
      expect(validateIpv6(packet6)).to.equal(undefined)
      expect([packet4.length, packet6.length]).to.deep.equal([packetLength, packetLength])
    }
  })

  it('has the right UDP checksum on every packet, whatever the time', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(v4, v6),
        fc.nat(0xffffffff),
        fc.array(fc.double({ min: 0, max: 2 ** 53, noNaN: true }), { minLength: 1, maxLength: 20 }),
        (options, flowId, times) => {
          const source = new FlowSource({ ...options, flowId, packetLength: 100 })
          for (const time of times) {
            const packet = source.next(time)
            expect(verifyUdp(packet)).to.equal(0)
            const udp = options === v4 ? 20 : 40
            expect((packet[udp + 6] << 8) | packet[udp + 7], 'zero means: no checksum').to.not.equal(0)
          }
        },
      ),
      { numRuns: 200 },
    )
  })

  it('numbers the packets from 0 and counts them', () => {
    const source = new FlowSource(v4)
    const sink = new FlowSink(7)
    for (let i = 0; i < 300; i++) sink.receive(source.next(i), PAYLOAD_V4, 1172, i)
    expect(source.sent).to.equal(300)
    expect(sink.summary(300)).to.deep.include({ received: 300, lost: 0, duplicates: 0, reordered: 0, bytes: 360_000 })
  })

  it('uses one buffer for all packets', () => {
    const source = new FlowSource(v4)
    expect(source.next(1)).to.equal(source.next(2))
  })

  it('refuses packets too short for the headers, or too long for IP', () => {
    const shortest4 = PAYLOAD_V4 + FLOW_HEADER_LENGTH
    expect(() => new FlowSource({ ...v4, packetLength: shortest4 - 1 })).to.throw(RangeError, `expected ${shortest4}`)
    expect(() => new FlowSource({ ...v4, packetLength: 65536 })).to.throw(RangeError)
    expect(new FlowSource({ ...v4, packetLength: shortest4 }).next(0)).to.have.length(shortest4)
    expect(() => new FlowSource({ ...v4, destination: v6.destination })).to.throw(RangeError, 'one IP version')
  })
})

describe('flowIdAt', () => {
  it('finds the flow id', () => {
    expect(flowIdAt(new FlowSource(v4).next(0), PAYLOAD_V4, 1172)).to.equal(7)
    expect(flowIdAt(new FlowSource(v6).next(0), PAYLOAD_V6, 1152)).to.equal(0xfffffffe)
  })

  it('is -1 without the magic number, or when the payload is too short', () => {
    const packet = Uint8Array.from(new FlowSource(v4).next(0))
    expect(flowIdAt(packet, PAYLOAD_V4, FLOW_HEADER_LENGTH - 1)).to.equal(-1)
    packet[PAYLOAD_V4] ^= 1
    expect(flowIdAt(packet, PAYLOAD_V4, 1172)).to.equal(-1)
  })
})

/** A packet as it arrives: its sequence number, when it was sent and when it came, in µs. */
interface Arrival {
  sequence: number
  sentUs: number
  arrivedUs: number
}

/** The payload of a flow packet; a FlowSource can only count up from 0. */
function flowPayload({ sequence, sentUs }: { sequence: number; sentUs: number }): Uint8Array {
  const payload = new Uint8Array(FLOW_HEADER_LENGTH)
  const view = new DataView(payload.buffer)
  view.setUint32(0, 0x6d6c6631)
  view.setBigUint64(8, BigInt(sequence))
  view.setFloat64(16, sentUs)
  return payload
}

function feed(sink: FlowSink, ...arrivals: Arrival[]): void {
  for (const arrival of arrivals) {
    expect(sink.receive(flowPayload(arrival), 0, FLOW_HEADER_LENGTH, arrival.arrivedUs)).to.equal(true)
  }
}

function inOrder(...sequences: number[]): Arrival[] {
  return sequences.map((sequence, i) => ({ sequence, sentUs: sequence * 10, arrivedUs: 5000 + i * 10 }))
}

/** The definitions, said as plainly as possible and remembering everything. */
function naiveSummary(arrivals: Arrival[], sent: number) {
  const firstCopies: Arrival[] = []
  const seen = new Set<number>()
  let duplicates = 0
  let reordered = 0
  for (const arrival of arrivals) {
    if (seen.has(arrival.sequence)) {
      duplicates++
      continue
    }
    if ([...seen].some(sequence => sequence > arrival.sequence)) reordered++
    seen.add(arrival.sequence)
    firstCopies.push(arrival)
  }
  const delays = firstCopies.map(arrival => (arrival.arrivedUs - arrival.sentUs) / 1000)
  return { received: seen.size, lost: sent - seen.size, duplicates, reordered, delays }
}

describe('FlowSink', () => {
  it('judges as a naive model does, whatever is lost, duplicated, delayed and reordered', () => {
    // Each packet arrives 0 to 3 times, each time after a delay of its own.
    const fate = fc.array(fc.nat(2000), { maxLength: 3 })
    fc.assert(
      fc.property(fc.array(fate, { maxLength: 80 }), fc.nat(2 ** 45), (fates, offsetUs) => {
        const arrivals = fates
          .flatMap((delays, sequence) =>
            delays.map(delay => ({
              sequence,
              sentUs: offsetUs + sequence * 100,
              arrivedUs: offsetUs + sequence * 100 + delay,
            })),
          )
          .sort((a, b) => a.arrivedUs - b.arrivedUs)
        const sink = new FlowSink(0)
        feed(sink, ...arrivals)
        const { delays, ...counts } = naiveSummary(arrivals, fates.length)
        const summary = sink.summary(fates.length)
        expect(summary).to.deep.include({ ...counts, tooLate: 0 })
        expect(summary.jitterMs).to.be.closeTo(interarrivalJitter(delays), 1e-6)
        if (delays.length === 0) {
          expect(summary.delayMs).to.equal(undefined)
        } else {
          expect(summary.delayMs!.min).to.be.closeTo(Math.min(...delays), 1e-9)
          expect(summary.delayMs!.max).to.be.closeTo(Math.max(...delays), 1e-9)
          expect(summary.delayMs!.mean).to.be.closeTo(delays.reduce((a, b) => a + b) / delays.length, 1e-6)
          const p95 = delays.sort((a, b) => a - b)[Math.ceil(delays.length * 0.95) - 1]
          expect(summary.delayMs!.p95).to.be.closeTo(p95, Math.max(0.001, p95 / 64))
        }
      }),
      { numRuns: 300 },
    )
  })

  it('counts a packet that arrives after a later one as reordered, once (RFC 4737)', () => {
    const sink = new FlowSink(0)
    feed(sink, ...inOrder(0, 3, 1, 2, 4))
    expect(sink.summary()).to.deep.include({ received: 5, lost: 0, reordered: 2, duplicates: 0 })
  })

  it('does not count a duplicate as reordered', () => {
    const sink = new FlowSink(0)
    feed(sink, ...inOrder(0, 1, 2, 0, 2))
    expect(sink.summary()).to.deep.include({ received: 3, reordered: 0, duplicates: 2 })
  })

  it('knows of losses at the end only when told how many were sent', () => {
    const sink = new FlowSink(0)
    feed(sink, ...inOrder(0, 2))
    expect(sink.summary()).to.deep.include({ lost: 1, lossRatio: 1 / 3 })
    expect(sink.summary(4)).to.deep.include({ lost: 2, lossRatio: 0.5 })
  })

  it('counts losses at the beginning', () => {
    const sink = new FlowSink(0)
    feed(sink, ...inOrder(5))
    expect(sink.lost()).to.equal(5)
  })

  it('tells a late packet from a duplicate as far back as its window, and says so beyond', () => {
    const sink = new FlowSink(0)
    feed(sink, ...inOrder(1, FLOW_WINDOW - 1))
    feed(sink, ...inOrder(0))
    expect(sink).to.deep.include({ received: 3, reordered: 1, duplicates: 0, tooLate: 0 })
    feed(sink, ...inOrder(1))
    expect(sink).to.deep.include({ received: 3, duplicates: 1, tooLate: 0 })
    feed(sink, ...inOrder(FLOW_WINDOW + 1, 1, 2))
    expect(sink).to.deep.include({ received: 5, reordered: 2, duplicates: 1, tooLate: 1 })
  })

  it('forgets the whole window after a jump beyond it', () => {
    const sink = new FlowSink(0)
    feed(sink, ...inOrder(0, 1, 2, FLOW_WINDOW * 3 + 2, FLOW_WINDOW * 3 + 1, FLOW_WINDOW * 2 + 3))
    expect(sink).to.deep.include({ received: 6, duplicates: 0, reordered: 2, tooLate: 0 })
  })

  it('goes on past 2^32 packets', () => {
    const sink = new FlowSink(0)
    feed(sink, ...inOrder(2 ** 32 - 2, 2 ** 32, 2 ** 32 - 1, 2 ** 32 + 1, 2 ** 32))
    expect(sink).to.deep.include({ received: 4, duplicates: 1, reordered: 1, tooLate: 0 })
  })

  it('says the goodput in payload bits per second of the time between first and last arrival', () => {
    const sink = new FlowSink(0)
    for (let i = 0; i <= 10; i++) feed(sink, { sequence: i, sentUs: 0, arrivedUs: i * 1000 })
    expect(sink.summary()).to.deep.include({ durationMs: 10, bitsPerSecond: (11 * FLOW_HEADER_LENGTH * 8) / 0.01 })
  })

  it('has clean figures before anything arrives, and again after a reset', () => {
    const empty = new FlowSink(3).summary()
    expect(empty).to.deep.include({
      received: 0,
      lost: 0,
      lossRatio: 0,
      jitterMs: 0,
      delayMs: undefined,
      bitsPerSecond: 0,
    })
    const sink = new FlowSink(3)
    feed(sink, ...inOrder(4, 1, 1))
    sink.reset()
    expect(sink.summary()).to.deep.equal(empty)
    feed(sink, ...inOrder(0, 1))
    expect(sink.summary()).to.deep.include({ received: 2, lost: 0, duplicates: 0, reordered: 0 })
  })

  it('shows a negative delay when the clocks disagree, and does not hide it', () => {
    const sink = new FlowSink(0)
    feed(sink, { sequence: 0, sentUs: 9000, arrivedUs: 4000 })
    expect(sink.summary().delayMs).to.deep.equal({ min: -5, p50: -5, p95: -5, p99: -5, max: -5, mean: -5 })
  })

  it('takes any bytes after the magic number without throwing, and its figures stay finite', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ minLength: 24, maxLength: 24 }), { maxLength: 20 }), headers => {
        const sink = new FlowSink(0)
        for (const header of headers) sink.receive(header, 0, header.length, 1e15)
        const { received, lost, jitterMs, delayMs } = sink.summary()
        for (const figure of [received, lost, jitterMs, ...Object.values(delayMs ?? {})]) {
          expect(Number.isFinite(figure)).to.equal(true)
        }
      }),
      { numRuns: 300 },
    )
  })

  it('counts nothing for a header that no source makes', () => {
    const sink = new FlowSink(0)
    for (const sentUs of [Number.NaN, Number.POSITIVE_INFINITY, 1e300]) {
      expect(sink.receive(flowPayload({ sequence: 0, sentUs }), 0, FLOW_HEADER_LENGTH, 1)).to.equal(false)
    }
    expect(sink.receive(flowPayload({ sequence: 2 ** 60, sentUs: 0 }), 0, FLOW_HEADER_LENGTH, 1)).to.equal(false)
    expect(sink.received).to.equal(0)
  })
})
