import { expect } from 'chai'
import { GoPeer } from '../harness/go-peer.ts'
import { type Certificates, makeCertificates, testGoPrograms } from '../harness/go-programs.ts'

// When one of these fails, the fault is not in masque-lab: the Go library is speaking with itself.
describe('control: the Go client against the Go proxy', () => {
  let certificates: Certificates
  let proxy: GoPeer
  let client: GoPeer

  before(async () => {
    certificates = await makeCertificates('interop-client')
    const { server } = certificates
    proxy = new GoPeer('proxy', ['-certificate', server.certificate, '-key', server.key])
    const { port } = await proxy.waitFor('listening')
    client = new GoPeer('client', [
      ...['-url', `https://127.0.0.1:${port}/.well-known/masque/ip/*/*/`, '-ca', certificates.ca],
    ])
  })

  after(async () => {
    await client?.kill()
    await proxy?.kill()
    await certificates?.remove()
  })

  it('passes the unit tests of the Go programs', async function () {
    this.timeout(120_000) // compiles the tests the first time
    await testGoPrograms()
  })

  it('assigns addresses and advertises routes', async () => {
    expect((await client.waitFor('assigned')).prefixes).to.deep.equal(['10.77.0.2/32', 'fd77::2/128'])
    expect((await client.waitFor('routes')).routes).to.have.length(5)
  })

  for (const [from, target] of [
    ['client', '10.77.0.1'],
    ['client', '2001:db8:77::5'],
    ['proxy', '10.77.0.2'],
    ['proxy', 'fd77::2'],
  ] as const) {
    it(`answers pings from the ${from} to ${target}`, async () => {
      for (const size of [0, 56, 1232]) {
        const report = await (from === 'client' ? client : proxy).ping({ target, size, count: 2 })
        expect(report).to.include({ sent: 2, received: 2 })
      }
    })
  }

  it('closes in order', async () => {
    expect(await client.close()).to.equal(0)
    expect(await client.waitFor('closed')).to.include({ by: 'us' })
    expect(await proxy.waitFor('tunnel-closed')).to.include({ by: 'peer' })
    expect(await proxy.waitFor('connection-closed')).to.include({ by: 'peer', code: 0x100 })
    expect(await proxy.close()).to.equal(0)
  })
})
