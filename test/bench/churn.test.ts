import { expect } from 'chai'
import type { ChurnResult } from '../../bench/churn.ts'
import { command } from '../support/command.ts'

describe('bench churn', () => {
  it('leaves no connection, tunnel, lease or descriptor of clients that came, went and vanished', async () => {
    const { status, stdout, stderr } = await command(['bench', 'churn', '--seconds', '6', '--json'])
    expect(status, stderr).to.equal(0)
    const { before, middle, after, tunnels, vanished }: ChurnResult = JSON.parse(stdout)
    expect(vanished).to.be.above(0)
    expect(tunnels).to.be.above(vanished)
    expect(middle.tunnels).to.be.above(0)
    const { connections, leases, descriptors } = after
    expect({ connections, tunnels: after.tunnels, leases, descriptors }).to.deep.equal({
      connections: 0,
      tunnels: 0,
      leases: 0,
      descriptors: before.descriptors,
    })
  })
})
