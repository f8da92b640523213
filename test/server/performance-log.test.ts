import { expect } from 'chai'
import { PerformanceLog, STATS_SAMPLES } from '../../src/server/performance-log.ts'
import { FakeApiSource } from './fake-api-source.ts'

describe('PerformanceLog', () => {
  let now: number
  let source: FakeApiSource
  let log: PerformanceLog

  beforeEach(() => {
    now = 0
    source = new FakeApiSource()
    log = new PerformanceLog(source, () => now)
  })

  /** Seconds in which so many packets of 125 bytes come from clients. */
  async function seconds(count: number, packets: number): Promise<void> {
    for (let i = 0; i < count; i++) {
      now += 1000
      const { packets: before, bytes } = source.currentStatus
      source.currentStatus = {
        ...source.currentStatus,
        packets: { ...before, fromClients: before.fromClients + packets },
        bytes: { ...bytes, fromClients: bytes.fromClients + packets * 125 },
      }
      await log.sample()
    }
  }

  it('knows the rates of a window, and its best second', async () => {
    await seconds(60, 1)
    await seconds(9, 2)
    await seconds(1, 12)
    const { seconds: length, throughput, packets, bytes } = log.window('10s')
    expect(length).to.equal(10)
    expect(packets).to.deep.equal({ fromClients: 30, toClients: 0 })
    expect(bytes.fromClients).to.equal(30 * 125)
    expect(throughput).to.deep.equal({
      fromClients: { bitsPerSecond: 3000, packetsPerSecond: 3 },
      toClients: { bitsPerSecond: 0, packetsPerSecond: 0 },
      peakBitsPerSecond: 12_000,
    })
    expect(log.window('1m').packets.fromClients).to.equal(80)
  })

  it('knows both directions, and its best second is of both together', async () => {
    const { packets, bytes } = source.currentStatus
    source.currentStatus = {
      ...source.currentStatus,
      packets: { ...packets, fromClients: packets.fromClients + 4, toClients: packets.toClients + 6 },
      bytes: { fromClients: bytes.fromClients + 1000, toClients: bytes.toClients + 3000 },
    }
    await seconds(2, 0)
    expect(log.window('1m')).to.deep.include({
      packets: { fromClients: 4, toClients: 6 },
      bytes: { fromClients: 1000, toClients: 3000 },
      throughput: {
        fromClients: { bitsPerSecond: 4000, packetsPerSecond: 2 },
        toClients: { bitsPerSecond: 12_000, packetsPerSecond: 3 },
        peakBitsPerSecond: 32_000,
      },
    })
  })

  it('says how long the window really is while the server is younger', async () => {
    await seconds(3, 1)
    expect(log.window('1h')).to.deep.include({ window: '1h', seconds: 3 })
  })

  it('has no rates, and no NaN, in no time at all', () => {
    expect(log.window('10s').throughput.fromClients).to.deep.equal({ bitsPerSecond: 0, packetsPerSecond: 0 })
  })

  it('counts drops by reason, tunnels and handshakes of the window only', async () => {
    await seconds(20, 0)
    const { packets, handshakes } = source.currentStatus
    source.currentStatus = {
      ...source.currentStatus,
      packets: { ...packets, dropped: { ...packets.dropped, 'no-route': 10, 'queue-full': 2 } },
      tunnels: 1,
      tunnelsTotal: 8,
      handshakes: { ...handshakes, accepted: 9 },
    }
    await seconds(2, 0)
    const { dropped, tunnels, connections } = log.window('10s')
    expect(dropped).to.deep.equal({ 'no-route': 6, 'queue-full': 2 })
    expect(tunnels).to.deep.equal({ now: 1, least: 1, most: 3, opened: 3 })
    expect(connections).to.deep.equal({ now: 2, handshakes: 2 })
  })

  it('remembers so many samples and no more, also where they are taken more often', async () => {
    for (let i = 0; i < STATS_SAMPLES + 100; i++) {
      now += 500
      await log.sample()
    }
    expect(log.window('1h').seconds).to.be.within((STATS_SAMPLES - 1) / 2, STATS_SAMPLES / 2)
  })

  it('remembers an hour and no more', async () => {
    await seconds(STATS_SAMPLES + 100, 1)
    expect(log.window('1h').seconds).to.be.within(STATS_SAMPLES - 1, STATS_SAMPLES)
  })
  it('has the quantiles of the round trips of the window only', async () => {
    source.currentRtts = [500]
    await seconds(20, 0)
    source.currentRtts = [10, 20, 20, 40]
    await seconds(10, 0)
    const { p50Ms, p95Ms, readings } = log.window('10s').rtt
    expect(readings).to.equal(40)
    expect(p50Ms).to.be.within(19, 21)
    expect(p95Ms).to.be.within(38, 42)
    expect(log.window('1m').rtt).to.deep.include({ readings: 60 })
    expect(log.window('1m').rtt.p95Ms).to.be.within(475, 525)
  })

  it('has no round trips where nothing was measured', async () => {
    await seconds(3, 0)
    expect(log.window('1m').rtt).to.deep.equal({ p50Ms: null, p95Ms: null, readings: 0 })
  })

  it('goes on counting packets, and asks nobody twice at once, while round trips are slow to come', async () => {
    let asked = 0
    let answer = (): void => {}
    source.rtts = () => {
      asked++
      return new Promise(resolve => (answer = () => resolve([30])))
    }
    const first = log.sample()
    await seconds(3, 5)
    expect(asked).to.equal(1)
    expect(log.window('10s').packets.fromClients).to.equal(15)
    answer()
    await first
    expect(log.window('10s').rtt.readings).to.equal(1)
    const second = log.sample()
    expect(asked).to.equal(2)
    answer()
    await second
  })
})
