import { expect } from 'chai'
import { compareBlocks, type ScrapeBenchResult, sharesOf } from '../../bench/scrape.ts'
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

  it('says what one scrape a second takes, of windows with so many more', () => {
    const block = (pps: number, perCpuSecond: number, scrapes: number) => ({ pps, perCpuSecond, scrapes, cores: 0.5 })
    // Scrapes that take a thousandth of the packets, and two of those in a CPU second; as many a second as there was time for.
    const pairs = [20, 20, 10].map(scrapes => ({
      with: block(50_000 * (1 - 0.001 * scrapes), 70_000 * (1 - 0.002 * scrapes), scrapes),
      without: block(50_000, 70_000, 0),
    }))
    const { share, besideTunnelMs, rate, cores, pps } = sharesOf(pairs)
    for (const value of [share.estimate, share.low, share.high]) expect(value).to.be.closeTo(0.001, 1e-9)
    // Two thousandths of the half second that the proxy had.
    for (const value of [besideTunnelMs.estimate, besideTunnelMs.low, besideTunnelMs.high]) {
      expect(value).to.be.closeTo(1, 1e-6)
    }
    expect(cores).to.equal(0.5)
    expect([rate, pps]).to.deep.equal([20, 50_000])
  })

  it('measures scrapes of a proxy without clients and with some, and a tunnel beside them', async function () {
    // Four processes start.
    this.timeout(180_000)
    const { status, stdout, stderr } = await command(['bench', 'scrape', '--clients', '3', '--pairs', '1', '--json'])
    expect(status, stderr).to.equal(0)
    const { clients, alone, cost, pps, rate }: ScrapeBenchResult = JSON.parse(stdout)
    expect(clients).to.equal(3)
    for (const { cpuMs, lines, bytes, wallMs } of [alone, cost]) {
      expect(lines).to.be.within(200, 900)
      expect(bytes).to.be.above(10_000)
      expect(wallMs.p99).to.be.at.least(wallMs.p50)
      expect(cpuMs.low).to.be.at.most(cpuMs.estimate)
    }
    expect(pps).to.be.above(0)
    // More than one a second, however busy this machine is.
    expect(rate).to.be.within(1, 21)
  })
})
