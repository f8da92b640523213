import { expect } from 'chai'
import type { MasqueClient } from '../../src/client/client.ts'
import { TwoPaths } from '../../src/testbed/two-paths.ts'
import { clientCertificate, closeLoopback, connectClient, ping, startServer, until } from '../support/loopback.ts'

describe('a client whose proxy starts anew', () => {
  const cleanup: (() => unknown)[] = []
  afterEach(async () => {
    await closeLoopback()
    for (const undo of cleanup.splice(0).reverse()) await undo()
  })

  const addresses = ({ info }: Pick<MasqueClient, 'info'>) => info.assigned.map(String)

  it('is there again with its first knock that can be answered, and has the addresses that it had', async () => {
    let server = await startServer()
    const { host, port } = server.address
    const paths = await TwoPaths.open(server.address, 20)
    cleanup.push(() => paths.close())
    // Others have the first addresses, so that the next of a new proxy would be others than before.
    for (let i = 0; i < 3; i++) await connectClient(server)
    const { client } = await connectClient(server, {
      proxy: { address: paths.first },
      reconnect: { enabled: true, knockMs: 20, initialDelayMs: 60_000, maxDelayMs: 60_000 },
    })
    const before = addresses(client)
    for (let i = 0; i < 3; i++) {
      // Not knocked for otherwise.
      await new Promise(resolve => setTimeout(resolve, 1000))
      const up = new Promise(resolve => client.once('up', resolve))
      await server.close()
      expect(client.connected).to.equal(false)
      server = await startServer({ listen: { host, port } as never })
      await up
      expect(addresses(client)).to.deep.equal(before)
      await ping(client, '10.90.0.1')
    }
  })

  it('resumes TLS where the proxy is the same, and gets the addresses that were kept for it', async () => {
    const server = await startServer({ auth: { mode: 'mtls' } })
    const tls = await clientCertificate('client')
    const { client } = await connectClient(server, {
      tls,
      reconnect: { enabled: true, knockMs: 20, initialDelayMs: 10 },
    })
    const before = addresses(client)
    await until(() => client.tunnel?.resumptionTicket !== undefined)
    const up = new Promise(resolve => client.once('up', resolve))
    client.tunnel?.quic?.close(0x102, 'gone')
    await up
    expect(client.info.resumed).to.equal(true)
    expect(addresses(client)).to.deep.equal(before)
  })

  it('does not knock for a tunnel that the proxy has ended at once', async () => {
    const server = await startServer()
    const { client } = await connectClient(server, {
      reconnect: { enabled: true, knockMs: 1, initialDelayMs: 60_000, maxDelayMs: 60_000 },
    })
    const reconnecting = new Promise<number>(resolve => client.once('reconnecting', resolve))
    client.tunnel?.quic?.close(0x102, 'gone')
    expect(await reconnecting).to.be.at.least(30_000)
  })
})
