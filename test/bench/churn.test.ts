import { expect } from 'chai'
import type { ChurnResult } from '../../bench/churn.ts'
import { command } from '../support/command.ts'

describe('bench churn', () => {
  it('leaves no connection, tunnel, lease or descriptor of clients that came, went and vanished', async () => {
    const { status, stdout, stderr } = await command(['bench', 'churn', '--seconds', '5', '--json'])
    expect(status, stderr).to.equal(0)
    const { before, after, tunnels, vanished }: ChurnResult = JSON.parse(stdout)
    expect(vanished).to.be.above(0)
    expect(tunnels).to.be.above(vanished)
    const { connections, tunnels: left, leases } = after
    expect({ connections, left, leases }).to.deep.equal({ connections: 0, left: 0, leases: 0 })
    // At its start a process may hold one that it is about to close.
    expect(after.descriptors ?? 0).to.be.at.most(before.descriptors ?? 0)
  })
})
