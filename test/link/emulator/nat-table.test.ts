import { expect } from 'chai'
import { NatTable } from '../../../src/link/emulator/nat-table.ts'

describe('the table of client addresses', () => {
  it('finds an address again, on its attachment only', () => {
    const table = new NatTable<string>()
    const added = table.add(0, '127.0.0.1', 5000, 0, 'socket')
    expect(table.find(0, '127.0.0.1', 5000, 1)).to.equal(added)
    expect(table.find(1, '127.0.0.1', 5000, 1)).to.equal(undefined)
    expect(table.find(0, '127.0.0.1', 5001, 1)).to.equal(undefined)
    expect(table.find(0, '127.0.0.2', 5000, 1)).to.equal(undefined)
    expect(table.get(added?.id ?? 0)).to.equal(added)
  })

  it('forgets what was not seen for the idle time, and only that', () => {
    const table = new NatTable<string>({ idleMs: 1000 })
    table.add(0, 'a', 1, 0, 'quiet')
    table.add(0, 'b', 1, 0, 'busy')
    table.find(0, 'b', 1, 900)
    expect(table.expire(999)).to.deep.equal([])
    expect(table.expire(1000).map(({ value }) => value)).to.deep.equal(['quiet'])
    expect(table.find(0, 'a', 1, 1000)).to.equal(undefined)
    expect(table.find(0, 'b', 1, 1000)?.value).to.equal('busy')
  })

  it('takes no more than its maximum', () => {
    const table = new NatTable<number>({ maximum: 2 })
    expect([1, 2, 3].map(port => table.add(0, 'a', port, 0, port)?.value)).to.deep.equal([1, 2, undefined])
    expect(table.size).to.equal(2)
  })

  it('does not give a number twice, so that a late packet reaches nobody else', () => {
    const table = new NatTable<number>()
    const first = table.add(0, 'a', 1, 0, 1)
    if (first !== undefined) table.remove(first)
    expect(table.add(0, 'a', 1, 0, 2)?.id).not.to.equal(first?.id)
    expect(table.get(first?.id ?? 0)).to.equal(undefined)
  })
})
