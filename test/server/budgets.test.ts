import { expect } from 'chai'
import { encodeAddressRequest } from '../../src/connect-ip/address-request.ts'
import { CapsuleType } from '../../src/connect-ip/capsule.ts'
import { RequestRejected } from '../../src/connect-ip/request.ts'
import { IpAddress } from '../../src/ip/address.ts'
import { IpPrefix } from '../../src/ip/prefix.ts'
import { BUDGET_LIMITS } from '../../src/server/budgets.ts'
import { LOOKUP_LIMITS, NameResolver } from '../../src/server/name-resolver.ts'
import { SharedBudget } from '../../src/server/shared-budget.ts'
import { closeHostilePeers, HostileClient } from '../support/hostile-peer.ts'
import { closeLoopback, connectClient, failure, newClient, startServer, until } from '../support/loopback.ts'

describe('a shared budget', () => {
  it('has so much for each and so much in all, and takes nothing when it refuses', () => {
    const budget = new SharedBudget({ each: 3, inAll: 5 })
    expect([
      budget.take('a', 3),
      budget.take('a'),
      budget.take('b', 3),
      budget.take('b', 2),
      budget.take('c'),
    ]).to.deep.equal([undefined, 'each', 'inAll', undefined, 'inAll'])
    budget.giveBack('a', 2)
    expect([budget.heldBy('a'), budget.heldBy('b'), budget.total]).to.deep.equal([1, 2, 3])
    expect(() => budget.giveBack('a', 2)).to.throw(RangeError, 'a gives back 2 and has 1')
  })
})

describe('looking up names', () => {
  /** Lookups that end when a test says so. */
  function slowResolver(timeoutMs?: number) {
    const waiting: (() => void)[] = []
    const resolver = new NameResolver(
      () => new Promise(resolve => waiting.push(() => resolve([IpAddress.parse('192.0.2.1')]))),
      timeoutMs,
    )
    return { waiting, look: (owner: string) => resolver.resolve('a.example', owner) }
  }
  const settle = () => new Promise(resolve => setImmediate(resolve))

  it('CIP-05 CIP-18 happens a few at a time for one owner, and some more for all together', async () => {
    const { waiting, look } = slowResolver()
    const lookups: Promise<IpAddress[]>[] = []
    for (let owner = 0; owner < LOOKUP_LIMITS.inAll / LOOKUP_LIMITS.each; owner++) {
      for (let i = 0; i < LOOKUP_LIMITS.each; i++) lookups.push(look(`${owner}`))
      const error = await failure(look(`${owner}`), RequestRejected)
      expect(error).to.include({ status: 429, proxyError: 'connection_limit_reached' })
      expect(error.message).to.equal(`too many names to look up at once: ${owner}`)
    }
    expect((await failure(look('another'), RequestRejected)).message).to.equal('the resolver is busy: another')
    waiting[0]()
    await lookups[0]
    await settle()
    lookups.push(look('another'))
    for (const finish of waiting) finish()
    expect((await Promise.all(lookups)).length).to.equal(LOOKUP_LIMITS.inAll + 1)
  })

  it('CIP-05 CIP-18 goes on counting when the answer is no longer waited for', async () => {
    const { waiting, look } = slowResolver(1)
    const lookups = Array.from({ length: LOOKUP_LIMITS.each }, () => failure(look('a'), RequestRejected))
    expect((await Promise.all(lookups)).map(({ proxyError }) => proxyError)).to.deep.equal(
      lookups.map(() => 'dns_timeout'),
    )
    expect((await failure(look('a'), RequestRejected)).proxyError).to.equal('connection_limit_reached')
    for (const finish of waiting.splice(0)) finish()
    await settle()
    expect((await failure(look('a'), RequestRejected)).proxyError).to.equal('dns_timeout')
  })

  it('CIP-05 gives back what it took when the resolver fails, in whatever way', async () => {
    const resolver = new NameResolver(() => {
      throw Object.assign(new Error('no such name'), { code: 'ENOTFOUND' })
    })
    for (let i = 0; i < LOOKUP_LIMITS.each + 1; i++) {
      const { proxyError, details } = await failure(resolver.resolve('a', 'a'), RequestRejected)
      expect([proxyError, details.rcode]).to.deep.equal(['dns_error', 'NXDOMAIN'])
    }
  })

  it('CIP-05 refuses a name that has no addresses', async () => {
    const error = await failure(new NameResolver(async () => []).resolve('a.example', 'a'), RequestRejected)
    expect(error).to.include({ status: 502, proxyError: 'dns_error', message: 'a.example has no addresses' })
  })
})

describe('what one client may hold', () => {
  afterEach(async () => {
    await closeHostilePeers()
    await closeLoopback()
  })

  it('CIP-18 is one address of each family in every tunnel, and a few more in all of its tunnels', async () => {
    const server = await startServer()
    const peer = await HostileClient.connect(server)
    const used = () => server.status().pools.map(pool => pool.used)
    const wishes = ['0.0.0.0/32', '::/128'].flatMap(any => Array.from({ length: 10 }, () => IpPrefix.parse(any)))
    const request = encodeAddressRequest(wishes.map((prefix, i) => ({ requestId: BigInt(i + 1), prefix })))
    for (let i = 0; i < 8; i++) {
      const tunnel = await peer.openTunnel()
      peer.sendData(tunnel.streamId, request)
      await tunnel.capsule(CapsuleType.ADDRESS_ASSIGN, 1)
    }
    const [v4, v6] = used()
    expect(v4 + v6).to.equal(2 * 8 + BUDGET_LIMITS.extraAddresses.each)
    peer.close()
    await until(() => used().join() === '0,0')
    const { info } = await connectClient(server)
    expect(info.assigned.length).to.equal(2)
  })

  it('CIP-18 is a number of tunnels from one IP address', async () => {
    const server = await startServer({ limits: { maxTunnelsPerAddress: 2 } })
    const { client } = await connectClient(server)
    await connectClient(server)
    const error = await failure((await newClient(server)).connect(), Error)
    expect(error).to.include({ kind: 'http', status: 429 })
    expect(error.message).to.match(/too many tunnels from this address/)
    await client.close()
    await until(() => server.status().tunnels === 1)
    await connectClient(server)
  })
})
