import { expect } from 'chai'
import { IpAddress } from '../../src/ip/address.ts'
import { AddressMemory } from '../../src/server/address-memory.ts'
import { clientCertificate, closeLoopback, connectClient, startServer, until } from '../support/loopback.ts'

const address = (text: string) => IpAddress.parse(text)

describe('the memory of addresses', () => {
  it('has the latest first, by IP version, and no more than a few', () => {
    const memory = new AddressMemory({ identities: 10, addressesEach: 3 })
    for (const text of ['10.0.0.1', 'fd00::1', '10.0.0.2', '10.0.0.1', '10.0.0.3']) memory.remember('a', address(text))
    expect(memory.recall('a', 4).map(String)).to.deep.equal(['10.0.0.3', '10.0.0.1', '10.0.0.2'])
    expect(memory.recall('a', 6)).to.deep.equal([])
    expect(memory.recall('b', 4)).to.deep.equal([])
  })

  it('forgets who was not here for longest, and knows nobody without an identity', () => {
    const memory = new AddressMemory({ identities: 2, addressesEach: 3 })
    for (const name of ['a', 'b', 'a', undefined, 'c']) memory.remember(name, address('10.0.0.1'))
    expect(['a', 'b', 'c', undefined].map(name => memory.recall(name, 4).length)).to.deep.equal([1, 0, 1, 0])
  })
})

describe('a client that comes back', () => {
  afterEach(closeLoopback)

  const assigned = ({ info }: Awaited<ReturnType<typeof connectClient>>) => info.assigned.map(String)

  it('gets the addresses that its identity had, whoever came in between', async () => {
    const server = await startServer({ auth: { mode: 'mtls' } })
    const tls = { one: await clientCertificate('client'), two: await clientCertificate('client2') }
    const first = await connectClient(server, { tls: tls.one })
    await connectClient(server, { tls: tls.two })
    await first.client.close()
    await until(() => server.status().tunnels === 1)
    await connectClient(server, { tls: tls.two })
    const again = await connectClient(server, { tls: tls.one })
    expect(assigned(again)).to.deep.equal(assigned(first))
    // What is in use is not given twice.
    const second = await connectClient(server, { tls: tls.one })
    expect(assigned(second)).to.not.include.members(assigned(first))
  })

  it('gets the next ones when it has no identity', async () => {
    const server = await startServer()
    const first = await connectClient(server)
    await first.client.close()
    await until(() => server.status().tunnels === 0)
    expect(assigned(await connectClient(server))).to.not.deep.equal(assigned(first))
  })
})
