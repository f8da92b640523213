import { expect } from 'chai'
import { IpAddress } from '../../src/ip/address.ts'
import { IpPrefix } from '../../src/ip/prefix.ts'
import { KeptLeases } from '../../src/server/kept-leases.ts'
import { clientCertificate, closeLoopback, connectClient, startServer, until } from '../support/loopback.ts'

const at = (last: number) => IpAddress.parse(`10.89.0.${last}`)

describe('kept leases', () => {
  const kept: KeptLeases[] = []
  afterEach(() => {
    for (const each of kept.splice(0)) each.close()
  })

  const keeper = (options: { graceMs?: number; limits?: { total: number; each: number } } = {}) => {
    const released: string[] = []
    const leases = new KeptLeases({ graceMs: 60_000, release: address => released.push(String(address)), ...options })
    kept.push(leases)
    return { leases, released }
  }

  it('are for the identity that had them, and for nobody else', () => {
    const { leases, released } = keeper()
    leases.keep('alice', at(2))
    leases.keep('alice', at(3))
    expect(leases.take('bob', 4)).to.equal(undefined)
    expect(leases.take(undefined, 4)).to.equal(undefined)
    expect(leases.take('bob', 4, at(2))).to.equal(undefined)
    expect(leases.take('alice', 6)).to.equal(undefined)
    expect(String(leases.take('alice', 4, at(2)))).to.equal('10.89.0.2')
    expect(leases.take('alice', 4, at(2))).to.equal(undefined)
    expect(String(leases.take('alice', 4))).to.equal('10.89.0.3')
    expect(released).to.deep.equal([])
  })

  it('are not for those of whom nobody knows who they are, nor where none are to be kept', () => {
    const { leases, released } = keeper()
    leases.keep(undefined, at(2))
    expect(released).to.deep.equal(['10.89.0.2'])
    const none = keeper({ graceMs: 0 })
    none.leases.keep('alice', at(3))
    expect(none.released).to.deep.equal(['10.89.0.3'])
  })

  it('go back to the pool when their time is up', async () => {
    const { leases, released } = keeper({ graceMs: 5 })
    leases.keep('alice', at(2))
    await until(() => released.length > 0)
    expect(leases.take('alice', 4)).to.equal(undefined)
  })

  it('are bounded, for each identity and in all; the oldest goes', () => {
    const { leases, released } = keeper({ limits: { total: 4, each: 2 } })
    for (const last of [2, 3, 4]) leases.keep('alice', at(last))
    expect(released).to.deep.equal(['10.89.0.2'])
    for (const last of [5, 6, 7]) leases.keep(`client ${last}`, at(last))
    expect(released).to.deep.equal(['10.89.0.2', '10.89.0.3'])
  })

  it('make room, the oldest first', () => {
    const { leases, released } = keeper()
    leases.keep('alice', at(2))
    leases.keep('bob', at(3))
    expect(leases.giveUpOldest(({ version }) => version === 6)).to.equal(false)
    expect(leases.giveUpOldest(() => true)).to.equal(true)
    expect(released).to.deep.equal(['10.89.0.2'])
  })
})

describe('a client whose tunnel was lost', () => {
  afterEach(closeLoopback)

  const assigned = ({ info }: Awaited<ReturnType<typeof connectClient>>) => info.assigned.map(String)

  /** The tunnel ends without a word. */
  const lose = async (server: Awaited<ReturnType<typeof startServer>>, client: Lost) => {
    const tunnels = server.status().tunnels
    client.tunnel?.quic?.close(0x102, 'gone')
    await until(() => server.status().tunnels < tunnels)
  }
  type Lost = Awaited<ReturnType<typeof connectClient>>['client']

  it('finds its addresses again, which nobody else has got meanwhile', async () => {
    const server = await startServer({ auth: { mode: 'mtls' }, pool: { ipv4: IpPrefix.parse('10.89.0.0/29') } })
    const tls = { one: await clientCertificate('client'), two: await clientCertificate('client2') }
    const first = await connectClient(server, { tls: tls.one })
    await lose(server, first.client)
    // Room for five: the one that is kept is not among them.
    const others = []
    for (let i = 0; i < 4; i++) others.push(...assigned(await connectClient(server, { tls: tls.two })))
    expect(others).to.not.include.members(assigned(first))
    const again = await connectClient(server, { tls: tls.one })
    expect(assigned(again)).to.deep.equal(assigned(first))
  })

  it('makes room for others when the pool is empty', async () => {
    const server = await startServer({ auth: { mode: 'mtls' }, pool: { ipv4: IpPrefix.parse('10.89.0.0/30') } })
    const tls = { one: await clientCertificate('client'), two: await clientCertificate('client2') }
    const first = await connectClient(server, { tls: tls.one })
    await lose(server, first.client)
    const other = await connectClient(server, { tls: tls.two })
    expect(assigned(other)).to.deep.equal(assigned(first))
  })
})
