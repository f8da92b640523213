import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { makeTestCertificates } from '../../src/cert/make-certificates.ts'
import { CLEAN, type Impairment } from '../../src/link/profile/profile.ts'
import { Cubic } from '../../src/quic/typescript/recovery/congestion/cubic.ts'
import { NewReno } from '../../src/quic/typescript/recovery/congestion/new-reno.ts'
import { percentileOf } from '../../src/stats/statistics.ts'
import { VirtualBottleneck, type VirtualFlow, type VirtualFlowOptions } from '../../src/testbed/virtual-bottleneck.ts'
import { serverTls } from '../support/certificates.ts'

const END_MS = 12_000
const FROM_MS = 4000
const BITS_PER_SECOND = 2e6

const DOWN: Impairment = { ...CLEAN, delayMs: 30 }
const UP: Impairment = {
  ...DOWN,
  jitterMs: 4,
  keepOrder: true,
  rate: { bitsPerSecond: BITS_PER_SECOND, limit: { packets: 60 }, burstBytes: 4096 },
}

async function run(flows: readonly VirtualFlowOptions[], seed = 'a'): Promise<VirtualBottleneck> {
  const bottleneck = new VirtualBottleneck({ up: UP, down: DOWN, seed, serverTls: await serverTls() })
  for (const flow of flows) bottleneck.addFlow(flow)
  await bottleneck.run(END_MS)
  return bottleneck
}

const megabits = (flow: VirtualFlow) => (flow.goodput(FROM_MS, END_MS) * 8) / 1000

describe('testbed/virtual-bottleneck', () => {
  it('carries as much as the bottleneck lets through, and no more', async () => {
    const { flows } = await run([{ congestion: 'reno' }])
    // Of each frame of 1242 bytes, 1156 or so are data.
    expect(megabits(flows[0]!)).to.be.within(1.8, (BITS_PER_SECOND / 1e6) * (1200 / 1242))
  })

  it('lets packets wait in the queue, as long as it is', async () => {
    const { flows, dropped } = await run([{ congestion: 'reno' }])
    const delays = (from: number) => flows[0]!.between(from, END_MS).map(({ delayMs }) => delayMs)
    const full = (60 * 1242 * 8 * 1000) / BITS_PER_SECOND
    // In slow start the window goes far beyond what fits.
    expect(Math.max(...delays(0))).to.be.within(30 + 0.95 * full, 30 + full + 40)
    expect(percentileOf(delays(FROM_MS), 0.05)).to.be.greaterThan(60)
    expect(dropped).to.be.greaterThan(0)
  })

  it('does everything again with the same seed, and something else with another one', async () => {
    const pair = [{ congestion: 'reno' }, { congestion: 'cubic', fromMs: 3000 }] as const
    const [one, again, other] = [await run(pair), await run(pair), await run(pair, 'b')]
    const arrivals = (bottleneck: VirtualBottleneck) => bottleneck.flows.map(flow => flow.arrivals)
    expect(arrivals(again)).to.deep.equal(arrivals(one))
    expect(arrivals(other)).to.not.deep.equal(arrivals(one))
  })

  it('does the same with a certificate of another length, which a signature may have from run to run', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'masque-test-'))
    try {
      const { server, serverKey, ca } = await makeTestCertificates(folder, { serverNames: ['a-long-name.example'] })
      const other = { certificateChain: readFileSync(server), key: readFileSync(serverKey), ca: readFileSync(ca) }
      const arrivals = []
      for (const tls of [await serverTls(), other]) {
        const down = { ...DOWN, rate: { bitsPerSecond: BITS_PER_SECOND, limit: { packets: 60 }, burstBytes: 1500 } }
        const bottleneck = new VirtualBottleneck({ up: UP, down, seed: 'a', serverTls: tls })
        const flow = bottleneck.addFlow({ congestion: 'reno' })
        await bottleneck.run(FROM_MS)
        arrivals.push(flow.arrivals)
      }
      expect(arrivals[0]).to.deep.equal(arrivals[1])
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  })

  it('shares the line among connections, each from its time on and until its time', async () => {
    const { flows } = await run([{ congestion: 'cubic' }, { congestion: 'cubic', fromMs: 5000, untilMs: 8000 }])
    const [first, second] = flows as [VirtualFlow, VirtualFlow]
    expect(second.arrivals[0]!.atMs).to.be.greaterThan(5000)
    expect(second.arrivals.at(-1)!.atMs).to.be.within(7900, 9000)
    expect(first.goodput(5500, 8000)).to.be.lessThan(first.goodput(3000, 5000))
  })

  it('takes a controller of the reader, which may decide elsewhere', async () => {
    const here = await run([{ congestion: 'cubic' }])
    let asked = 0
    const settle = async () => {
      asked++
      await new Promise(resolve => setImmediate(resolve))
    }
    const elsewhere = await run([{ congestion: options => new Cubic(options), settle }])
    expect(asked).to.be.greaterThan(100)
    expect(elsewhere.flows[0]!.arrivals).to.deep.equal(here.flows[0]!.arrivals)
    const other = await run([{ congestion: options => new NewReno(options) }])
    expect(other.flows[0]!.arrivals).to.not.deep.equal(here.flows[0]!.arrivals)
  })

  it('ends when its signal is aborted', async () => {
    const controller = new AbortController()
    const bottleneck = new VirtualBottleneck({
      up: UP,
      down: DOWN,
      seed: 'a',
      serverTls: await serverTls(),
      signal: controller.signal,
    })
    bottleneck.addFlow({ congestion: 'reno' })
    const error = await bottleneck.run(END_MS, () => controller.abort(new Error('enough'))).catch(reason => reason)
    expect(error.message).to.equal('enough')
  })
})
