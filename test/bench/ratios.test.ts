import { expect } from 'chai'
import { growthOf } from '../../bench/churn.ts'
import type { Held } from '../../bench/churn-proxy.ts'
import { compareLoads } from '../../bench/clients.ts'
import { rowOf } from '../../bench/goodput.ts'
import { type LoadResult, summary } from '../../bench/load.ts'
import { compareRuns, cpuPerGb, type TunFigures } from '../../bench/tun.ts'
import { compareFlows, type FlowResult } from '../../bench/tunnel.ts'

const flow = (pps: number, sender: number, receiver: number) => ({ pps, cpu: { sender, receiver } }) as FlowResult
const run = (up: number, pingP50: number) => ({ up, pingP50 }) as TunFigures

describe('what the benches make of their measurements', () => {
  it('tunnel: each round is compared by itself, and the median of these is the ratio', () => {
    const ours = [flow(100, 1, 1), flow(300, 1, 2), flow(800, 1, 1)]
    const theirs = [flow(200, 1, 1), flow(400, 1, 1), flow(800, 3, 1)]
    const { ratios, ratio, cpuRatio, flow: median } = compareFlows(ours, theirs)
    expect(ratios).to.deep.equal([0.5, 0.75, 1])
    expect(ratio).to.equal(0.75)
    // Packets a CPU second: 50 to 100, 100 to 200, 400 to 200.
    expect(cpuRatio).to.equal(0.5)
    expect(median).to.equal(theirs[1])
  })

  it('tun: throughput and ping are ours to theirs, and those who did not run are left out', () => {
    const { results, ratios, pingRatio } = compareRuns({
      masqueLab: [run(100, 2), run(300, 6), run(400, 3)],
      wireguardGo: [run(400, 1), run(600, 2), run(400, 2)],
      connectIpGo: [run(50, 1), run(100, 1), run(100, 1)],
    })
    expect(ratios).to.deep.equal({ wireguardGoDebian: undefined, wireguardGo: 0.5, connectIpGo: 3 })
    expect(pingRatio).to.equal(2)
    expect(results.masqueLab).to.deep.equal(run(300, 3))
    expect(compareRuns({ masqueLab: [run(1, 1)] }).pingRatio).to.be.NaN
  })

  it('tun: CPU time is for all that was sent, in the second too that iperf3 leaves out', () => {
    // 1000 Mbit/s for 8 seconds are 1 GB.
    expect(cpuPerGb(3, 1000, 7)).to.equal(3)
  })

  it('clients: the most against the fewest, in whatever order they ran', () => {
    const load = (clients: number, pps: number, idleRssBytes: number) =>
      ({ clients, pps, idleRssBytes, idleHeldBytes: idleRssBytes / 2 }) as LoadResult
    const runs = [load(10, 70, 5_000), load(101, 50, 14_000), load(1, 100, 4_000)]
    expect(compareLoads(runs)).to.deep.equal({ ratio: 0.5, bytesPerTunnel: 100, heldPerTunnel: 50 })
    expect(compareLoads(runs.slice(0, 1)).bytesPerTunnel).to.be.NaN
  })

  it('clients: pings without an answer are lost, and the slowest are in the last percentile', () => {
    const rtts = Array.from({ length: 100 }, (_, i) => 100 - i)
    expect(summary(103, rtts)).to.deep.equal({ sent: 103, lost: 3, p50Ms: 50, p99Ms: 99 })
    expect(summary(2, [])).to.deep.equal({ sent: 2, lost: 2, p50Ms: Number.NaN, p99Ms: Number.NaN })
  })

  it('goodput: each round of ours is compared with the same round of each other, and who did not run is left out', () => {
    const path = { loss: 0.01, rttMs: 20 }
    const mbps = { 'quic-go': [4, 8, 8], typescript: [2, 8, 4] }
    const { rounds, mean, ratio } = rowOf(path, mbps)
    expect(rounds).to.equal(3)
    expect(mean['quic-go']?.estimate).to.be.closeTo(20 / 3, 1e-9)
    // Of a half, one, and a half: the geometric mean.
    expect(ratio['quic-go']?.estimate).to.be.closeTo(0.25 ** (1 / 3), 1e-9)
    expect(ratio['quic-go']?.low).to.be.closeTo(0.5, 1e-9)
    expect(ratio['quic-go']?.high).to.be.closeTo(1, 1e-9)
    expect(ratio).to.have.all.keys('quic-go')
    expect(rowOf(path, { typescript: [] })).to.deep.include({ rounds: 0, mean: {}, ratio: {} })
  })

  it('churn: growth is a minute of the line that fits best', () => {
    const held = (heapBytes: number, rssBytes: number) => ({ heapBytes, rssBytes }) as Held
    const samples = [0, 30, 60].map(at => ({ at, held: held(1000 + 10 * at, 5000 - at) }))
    const { heapBytes, rssBytes } = growthOf(samples)
    expect(heapBytes).to.be.closeTo(600, 1e-6)
    expect(rssBytes).to.be.closeTo(-60, 1e-6)
  })
})
