import { expect } from 'chai'
import { ContextIds } from '../../src/connect-ip/context.ts'
import { ConnectIpError } from '../../src/connect-ip/errors.ts'

describe('connect-ip/context', () => {
  it('CIP-22 allocates even ids as a client and odd ones as a proxy, never one twice', () => {
    const client = new ContextIds('client')
    const proxy = new ContextIds('proxy')
    expect([client.allocate(), client.allocate(), client.allocate()]).to.deep.equal([2n, 4n, 6n])
    expect([proxy.allocate(), proxy.allocate(), proxy.allocate()]).to.deep.equal([1n, 3n, 5n])
    client.close(2n)
    expect(client.allocate()).to.equal(8n)
  })

  it('CIP-22 knows context id 0 from the start and always', () => {
    const ids = new ContextIds('client')
    ids.close(0n)
    expect(ids.isOpen(0n)).to.equal(true)
    expect(ids.isOpen(1n)).to.equal(false)
  })

  it('CIP-22 refuses ids that are not the peer’s to allocate', () => {
    for (const id of [0n, 1n, 7n, -2n, 1n << 62n]) {
      expect(() => new ContextIds('proxy').registerPeer(id), `${id}`).to.throw(ConnectIpError)
    }
    for (const id of [0n, 2n, 1n << 62n]) {
      expect(() => new ContextIds('client').registerPeer(id), `${id}`).to.throw(ConnectIpError)
    }
  })

  it('CIP-22 refuses an id that was allocated before, also after it was closed', () => {
    const ids = new ContextIds('proxy')
    ids.registerPeer(40n)
    ids.registerPeer(2n)
    expect(ids.isOpen(40n)).to.equal(true)
    ids.close(40n)
    expect(ids.isOpen(40n)).to.equal(false)
    expect(() => ids.registerPeer(40n)).to.throw(ConnectIpError, 'second time')
  })

  it('CIP-18 remembers a bounded number of ids', () => {
    const ids = new ContextIds('proxy', 3)
    for (const id of [2n, 4n, 6n]) ids.registerPeer(id)
    expect(() => ids.registerPeer(8n))
      .to.throw(ConnectIpError)
      .with.property('abortReason', 'excessive-load')
  })
})
