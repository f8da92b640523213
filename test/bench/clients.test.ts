import { expect } from 'chai'
import type { ClientsBenchResult } from '../../bench/clients.ts'
import { command } from '../support/command.ts'

describe('bench clients', () => {
  it('counts what gets through with all clients up, and what one tunnel more costs', async function () {
    // Six processes start, one after the other.
    this.timeout(180_000)
    const args = ['--clients', '1,3', '--seconds', '1', '--pings', '2', '--interval', '20', '--json']
    const { status, stdout, stderr } = await command(['bench', 'clients', ...args])
    expect(status, stderr).to.equal(0)
    const { runs, ratio, bytesPerTunnel }: ClientsBenchResult = JSON.parse(stdout)
    expect(runs.map(({ clients, connected, pings }) => ({ clients, connected, sent: pings.sent }))).to.deep.equal([
      { clients: 1, connected: 1, sent: 2 },
      { clients: 3, connected: 3, sent: 6 },
    ])
    for (const { pps, victim, idleRssBytes, idleHeldBytes, cpu } of runs) {
      expect(pps).to.be.above(0)
      expect(victim.sent).to.equal(50)
      expect(idleRssBytes).to.be.above(20e6)
      expect(idleHeldBytes).to.be.within(1e6, idleRssBytes)
      expect(cpu.proxy).to.be.above(0)
    }
    expect(ratio).to.be.closeTo(runs[1].pps / runs[0].pps, 0.01 * ratio)
    expect(bytesPerTunnel).to.be.closeTo((runs[1].idleRssBytes - runs[0].idleRssBytes) / 2, 1e5)
  })
})
