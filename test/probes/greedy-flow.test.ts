import { expect } from 'chai'
import { LinkDirection } from '../../src/link/model/link-direction.ts'
import { Random } from '../../src/link/model/random.ts'
import { CLEAN } from '../../src/link/profile/profile.ts'
import { type GreedyFlowOptions, type GreedySample, runGreedyFlow } from '../../src/probes/greedy-flow.ts'
import { decodeGreedyAck, decodeGreedyData, encodeGreedyAck, writeGreedyData } from '../../src/probes/greedy-packets.ts'
import { GREEDY_PORT, GreedySink } from '../../src/probes/greedy-sink.ts'
import { SOURCE, TARGET, twoHosts } from './two-hosts.ts'
import { type Direction, PlainDirection } from './virtual-link.ts'

const MEGABIT = 1e6

function run(up: Direction, down: Direction, options: Partial<GreedyFlowOptions>) {
  const hosts = twoHosts(up, down)
  const sink = new GreedySink(hosts.library)
  const flow = runGreedyFlow({
    host: hosts.client,
    destination: TARGET,
    durationMs: 3000,
    flowId: 1,
    random: new Random('token'),
    ...options,
  })
  return { ...hosts, sink, flow }
}

/** The bottleneck: so many Mbit/s, a queue of so many bytes, 10 ms. */
const bottleneck = (megabits: number, queueBytes: number) =>
  new PlainDirection(10, { bitsPerSecond: megabits * MEGABIT, queueBytes })

const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length

describe('runGreedyFlow', () => {
  it('fills the bottleneck', async () => {
    const { clock, flow, sink } = run(bottleneck(5, 20_000), new PlainDirection(10), {})
    const result = await clock.until(flow)
    expect(result).to.deep.include({ outcome: 'complete', badAcks: 0, timeouts: 0, suspect: 0 })
    // 1200-byte packets carry 1172 bytes of payload.
    expect(result.goodputBitsPerSecond / (5 * MEGABIT * (1172 / 1200))).to.be.within(0.95, 1.01)
    expect(result.lossEvents).to.be.above(0)
    expect(result.received).to.equal(sink.flow(1)!.received)
    expect(result.sent).to.equal(result.received + Math.round(result.lossRatio * result.sent))
  })

  it('shows what a deep queue does to the round-trip time', async () => {
    const shallow = run(bottleneck(5, 12_500), new PlainDirection(10), {})
    const deep = run(bottleneck(5, 250_000), new PlainDirection(10), {})
    const shallowResult = await shallow.clock.until(shallow.flow)
    const deepResult = await deep.clock.until(deep.flow)
    // 12 500 bytes at 5 Mbit/s are 20 ms, 250 000 are 400 ms; 20 ms and the packet itself come on top.
    expect(shallowResult.rttMs!.max).to.be.within(38, 46)
    expect(deepResult.rttMs!.max).to.be.within(400, 426)
    expect(deepResult.rttMs!.min).to.be.below(23)
    expect(deepResult.oneWayDelayMs!.max).to.be.within(390, 416)
    expect(deepResult.samples.at(-1)!.rttMs!.mean).to.be.above(150)
  })

  it('has a time series that shows slow start and the sawtooth', async () => {
    const seen: GreedySample[] = []
    const { clock, flow } = run(bottleneck(5, 20_000), new PlainDirection(10), {
      onProgress: sample => seen.push(sample),
    })
    const { samples, lossEvents, lossRatio, sent } = await clock.until(flow)
    expect(samples).to.have.length(30)
    expect(seen).to.deep.equal(samples)
    expect(samples[0].ssthreshPackets === Infinity || samples[0].lost > 0).to.equal(true)
    const windows = samples.map(({ cwndPackets }) => cwndPackets)
    // What the path holds: 5 Mbit/s · 20 ms + 20 000 bytes = 27 packets. The window swings between half of that and all.
    expect(Math.max(...windows.slice(10))).to.be.within(22, 32)
    expect(Math.min(...windows.slice(10))).to.be.within(11, 20)
    expect(mean(samples.slice(10).map(({ goodputBitsPerSecond }) => goodputBitsPerSecond))).to.be.within(4.6e6, 5e6)
    // What turns out to be lost after the last sample, while the last packets arrive, is in the total only.
    expect(samples.reduce((sum, { lost }) => sum + lost, 0)).to.be.closeTo(Math.round(lossRatio * sent), 5)
    expect(lossEvents).to.be.within(2, 30)
  })

  it('slows down with random loss about as the square root formula says', async () => {
    const random = new Random('loss')
    const rates: number[] = []
    for (const loss of [0.01, 0.04]) {
      const up = new PlainDirection(() => (random.float() < loss ? [] : 25))
      const { clock, flow } = run(up, new PlainDirection(25), { durationMs: 12_000 })
      const result = await clock.until(flow)
      expect(result.lossRatio).to.be.within(loss / 1.5, loss * 1.5)
      rates.push(result.goodputBitsPerSecond)
    }
    // Mathis et al. 1997: packets a round trip ≈ 1.22 / √loss, that is 12.2 and 6.1; timeouts make the second one less.
    expect(rates[0] / ((12.2 * 1172 * 8) / 0.05)).to.be.within(0.7, 1.3)
    expect(rates[0] / rates[1]).to.be.within(1.6, 3.2)
  })

  it('goes on after an outage, with timeouts', async () => {
    const up = new PlainDirection((_, nowMs) => (nowMs > 2000 && nowMs < 3500 ? [] : 10), {
      bitsPerSecond: 5 * MEGABIT,
      queueBytes: 20_000,
    })
    const { clock, flow } = run(up, new PlainDirection(10), { durationMs: 6000 })
    const result = await clock.until(flow)
    expect(result.outcome).to.equal('complete')
    expect(result.timeouts).to.be.within(2, 6)
    expect(result.samples.filter(({ goodputBitsPerSecond }) => goodputBitsPerSecond === 0)).to.have.length.within(
      15,
      30,
    )
    expect(mean(result.samples.slice(-10).map(({ goodputBitsPerSecond }) => goodputBitsPerSecond))).to.be.above(4e6)
  })

  it('takes reordering for loss only beyond its threshold, and knows afterwards', async () => {
    // Every 50th packet arrives 30 ms after those behind it.
    const up = () =>
      new PlainDirection((n: number) => (n % 50 === 49 ? 40 : 10), { bitsPerSecond: 5 * MEGABIT, queueBytes: 100_000 })
    const strict = run(up(), new PlainDirection(10), {})
    const lenient = run(up(), new PlainDirection(10), { reorderThreshold: 64 })
    const strictResult = await strict.clock.until(strict.flow)
    const lenientResult = await lenient.clock.until(lenient.flow)
    expect(strictResult.spuriousLosses).to.be.above(10)
    expect(strictResult.lossRatio).to.be.below(0.001)
    expect(lenientResult.spuriousLosses).to.equal(0)
    expect(lenientResult.goodputBitsPerSecond).to.be.above(strictResult.goodputBitsPerSecond)
  })

  it('gives up on a peer that falls silent, and keeps what there is', async () => {
    const up = new PlainDirection((_, nowMs) => (nowMs > 2000 ? [] : 10), { bitsPerSecond: 5e6, queueBytes: 20_000 })
    const { clock, flow } = run(up, new PlainDirection(10), { durationMs: 60_000, giveUpAfterMs: 5000 })
    const result = await clock.until(flow)
    expect(result.outcome).to.equal('silent')
    expect(result.received).to.be.above(100)
    expect(result.durationMs).to.be.within(6000, 12_000)
  })

  it('ends at once when nobody listens, and says what the host there said', async () => {
    const { clock, client } = twoHosts()
    const flow = runGreedyFlow({ host: client, destination: TARGET, durationMs: 5000, flowId: 1 })
    const result = await clock.until(flow)
    expect(result).to.deep.include({ outcome: 'refused', received: 0 })
    expect(result.error).to.equal('port unreachable, says 10.0.0.2')
    expect(result.durationMs).to.be.below(50)
  })

  it('ends when aborted or when its host is closed', async () => {
    const controller = new AbortController()
    const one = run(bottleneck(5, 20_000), new PlainDirection(10), { signal: controller.signal })
    one.clock.setTimeout(() => controller.abort(), 1000)
    const aborted = await one.clock.until(one.flow)
    expect(aborted).to.deep.include({ outcome: 'aborted' })
    expect(aborted.samples).to.have.length.within(9, 11)
    const two = run(bottleneck(5, 20_000), new PlainDirection(10), {})
    two.clock.setTimeout(() => two.client.close(), 1000)
    const closed = await two.clock.until(two.flow)
    expect(closed.outcome).to.equal('closed')
    expect(closed.received).to.be.above(100)
  })

  it('uses no time that was measured across a jump of the clock', async () => {
    const { clock, flow } = run(bottleneck(5, 20_000), new PlainDirection(10), {})
    clock.setTimeout(() => clock.jump(3000), 1000)
    const result = await clock.until(flow)
    expect(result.clockJumps).to.have.length(1)
    expect(result.suspect).to.be.above(0)
    expect(result.samples.filter(({ suspect }) => suspect)).to.have.length.within(1, 3)
    expect(result.rttMs!.max).to.be.below(100)
  })

  it('gets along with a link without delay, where answers come before the sending returns', async () => {
    const { clock, client, library } = twoHosts()
    client.send = packet => library.receive(packet)
    library.send = packet => client.receive(packet)
    new GreedySink(library)
    const flow = runGreedyFlow({ host: client, destination: TARGET, durationMs: 5, flowId: 1, sampleMs: 1 })
    const result = await clock.until(flow)
    expect(result.lossRatio).to.equal(0)
    expect(result.received).to.be.above(60)
  })

  it('is not led astray by acknowledgements of things that were never sent, forged or broken', async () => {
    const { clock, flow, library, client } = run(bottleneck(5, 20_000), new PlainDirection(10), {})
    const random = new Random('hostile')
    const word = () => random.uint32()
    let port = 0
    let token = 0
    const through = library.send
    library.send = packet => {
      // The address and token of the flow, as the sink sees them.
      port ||= (packet[22] << 8) | packet[23]
      token ||= decodeGreedyAck(packet.subarray(28)).token
      through(packet)
    }
    const attack = () => {
      const hostile = [
        encodeGreedyAck({ flowId: 1, token: word(), sequence: 0, highest: 5, delayUs: 0, before: [word(), word()] }),
        encodeGreedyAck({ flowId: 2, token, sequence: 0, highest: 5, delayUs: 0, before: [word(), word()] }),
        encodeGreedyAck({ flowId: 1, token, sequence: 9, highest: 2 ** 32 - 1, delayUs: 0, before: [word(), word()] }),
        Uint8Array.from({ length: random.uint32() % 60 }, () => word() & 0xff),
      ]
      for (const payload of hostile) {
        if (port === 0) continue
        library.udp.send({ sourcePort: GREEDY_PORT, destination: SOURCE, destinationPort: port }, payload)
      }
      clock.setTimeout(attack, 11)
    }
    attack()
    const result = await clock.until(flow)
    client.close()
    expect(result.badAcks).to.be.above(500)
    expect(result.goodputBitsPerSecond / (5 * MEGABIT * (1172 / 1200))).to.be.within(0.9, 1.01)
    expect(result.rttMs!.min).to.be.above(20)
  })

  it('runs over the link model too, the same each time', async () => {
    const direction = (purpose: string) => {
      const rate = { bitsPerSecond: 5 * MEGABIT, limit: { bytes: 30_000 }, burstBytes: 3000 }
      return new LinkDirection({ ...CLEAN, delayMs: 10, rate }, { seed: 'greedy', purpose })
    }
    const once = async () => {
      const { clock, flow } = run(direction('up'), direction('down'), { durationMs: 2000 })
      return clock.until(flow)
    }
    const result = await once()
    expect(result.goodputBitsPerSecond).to.be.within(4e6, 5e6)
    expect(await once()).to.deep.equal(result)
  })

  it('refuses what cannot be', () => {
    const { client } = twoHosts()
    const options = { host: client, destination: TARGET, durationMs: 1000, flowId: 1 }
    expect(() => runGreedyFlow({ ...options, packetLength: 63 })).to.throw(RangeError, 'expected 64 to 65535')
    expect(() => runGreedyFlow({ ...options, durationMs: 0 })).to.throw(RangeError, 'more than 0')
    expect(() => runGreedyFlow({ ...options, maxWindow: 1e9 })).to.throw(RangeError, 'expected 1 to 16384')
  })
})

describe('GreedySink', () => {
  function send(hosts: ReturnType<typeof twoHosts>, fields: { flowId: number; token: number; sequence: number }): void {
    const payload = new Uint8Array(100)
    writeGreedyData({ ...fields, sentUs: hosts.clock.now() * 1000 }, payload)
    expect(decodeGreedyData(payload).flowId).to.equal(fields.flowId)
    hosts.client.udp.send({ sourcePort: 4000, destination: TARGET, destinationPort: GREEDY_PORT }, payload)
  }
  const pause = (hosts: ReturnType<typeof twoHosts>, ms: number) =>
    hosts.clock.until(new Promise<void>(resolve => void hosts.clock.setTimeout(resolve, ms)))

  it('counts a packet once, and answers with what it has had', async () => {
    const hosts = twoHosts()
    const sink = new GreedySink(hosts.library)
    const acks: ReturnType<typeof decodeGreedyAck>[] = []
    hosts.client.udp.bind(4000, ({ payload }) => acks.push(decodeGreedyAck(payload)))
    for (const sequence of [0, 1, 4, 4, 3]) send(hosts, { flowId: 9, token: 5, sequence })
    await pause(hosts, 100)
    expect(sink.flow(9)).to.deep.include({ received: 4, payloadBytes: 400, duplicates: 1 })
    expect(acks.map(({ sequence, highest }) => [sequence, highest])).to.deep.equal([
      [0, 0],
      [1, 1],
      [4, 4],
      [4, 4],
      [3, 4],
    ])
    // Before 4: 3 (bit 0) and then 1 and 0 (bits 2 and 3).
    expect(acks.at(-1)!.before).to.deep.equal([0b1101, 0])
    expect(acks.at(-1)!.delayUs).to.be.closeTo(10_000, 1)
  })

  it('begins anew when the source does', async () => {
    const hosts = twoHosts()
    const sink = new GreedySink(hosts.library)
    send(hosts, { flowId: 9, token: 5, sequence: 0 })
    send(hosts, { flowId: 9, token: 6, sequence: 0 })
    await pause(hosts, 100)
    expect(sink.flow(9)).to.deep.include({ received: 1, duplicates: 0 })
  })

  it('has room for so many flows and no more, until some have been silent', async () => {
    const hosts = twoHosts()
    const sink = new GreedySink(hosts.library)
    for (let flowId = 0; flowId < 70; flowId++) send(hosts, { flowId, token: 5, sequence: 0 })
    await pause(hosts, 100)
    expect(sink.ignored).to.equal(6)
    expect(sink.flow(69)).to.equal(undefined)
    await pause(hosts, 31_000)
    send(hosts, { flowId: 69, token: 5, sequence: 0 })
    await pause(hosts, 100)
    expect(sink.flow(69)).to.deep.include({ received: 1 })
  })

  it('frees its port', () => {
    const { library } = twoHosts()
    new GreedySink(library).close()
    expect(() => new GreedySink(library).close()).to.not.throw()
  })
})
