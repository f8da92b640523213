import { expect } from 'chai'
import { compareBlocks, type ScrapeBenchResult } from '../../bench/scrape.ts'
import { command } from '../support/command.ts'

describe('bench scrape', () => {
  it('compares each second with a scrape to the one beside it', () => {
    const block = (pps: number, perCpuSecond: number) => ({ pps, perCpuSecond })
    const pairs = [1, 2, 3].map(n => ({ with: block(99 * n, 180 * n), without: block(100 * n, 200 * n) }))
    const { throughput, perCpuSecond, pps } = compareBlocks(pairs)
    for (const [found, expected] of [
      [throughput, 0.99],
      [perCpuSecond, 0.9],
    ] as const) {
      for (const value of [found.estimate, found.low, found.high]) expect(value).to.be.closeTo(expected, 1e-9)
    }
    expect(pps).to.equal(200)
  })

  it('measures scrapes of a proxy with clients, and a tunnel beside them', async function () {
    // Four processes start.
    this.timeout(180_000)
    const { status, stdout, stderr } = await command(['bench', 'scrape', '--clients', '3', '--pairs', '1', '--json'])
    expect(status, stderr).to.equal(0)
    const { clients, lines, bytes, pps, wallMs }: ScrapeBenchResult = JSON.parse(stdout)
    expect(clients).to.equal(3)
    expect(lines).to.be.within(200, 900)
    expect(bytes).to.be.above(10_000)
    expect(pps).to.be.above(0)
    expect(wallMs.p99).to.be.at.least(wallMs.p50)
  })
})
