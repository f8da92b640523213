import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { makeTestCertificates, type TestCertificates } from '../../src/cert/make-certificates.ts'
import type { ClientConfigOverrides } from '../../src/client/config.ts'
import { ClientError } from '../../src/client/errors.ts'
import { defaultTemplate } from '../../src/connect-ip/uri-template.ts'
import { bindUdp, LOOPBACK } from '../../src/net/udp.ts'
import { initialText } from '../support/client-hello.ts'
import { closeLoopback, failure, newClient, startServer } from '../support/loopback.ts'

/** Addresses for documentation (RFC 5737, RFC 3849): nobody has them, and nothing can be dialled there. */
const ELSEWHERE = ['192.0.2.1', '2001:db8::1', 'proxy.example.org']

describe('whom the certificate of a proxy must be for', () => {
  let directory: string
  let certificates: TestCertificates

  before(async () => {
    directory = mkdtempSync(join(tmpdir(), 'masque-test-identity-'))
    certificates = await makeTestCertificates(directory, { serverNames: ELSEWHERE })
  })
  after(() => rmSync(directory, { recursive: true, force: true }))
  afterEach(closeLoopback)

  /** A client of the proxy with these certificates, which is known to it as `host` and dialled at 127.0.0.1. */
  const clientOf = async (host: string, tls: ClientConfigOverrides['tls'] = {}) => {
    const { server: certificate, serverKey: key, ca } = certificates
    const server = await startServer({ listen: { names: ['other.example.org'] }, tls: { certificate, key } })
    return newClient(server, { proxy: { template: defaultTemplate(host, 443) }, tls: { ca, ...tls } })
  }

  for (const host of ELSEWHERE) {
    it(`H3-09 is the host of the template, ${host}, wherever it is dialled`, async () => {
      const client = await clientOf(host.includes(':') ? `[${host}]` : host)
      expect((await client.connect()).remote).to.match(/^127\.0\.0\.1:/)
    })
  }

  for (const host of ['192.0.2.2', '[2001:db8::2]', 'other.example.org']) {
    it(`H3-09 is not the address that was dialled, when the template says ${host}`, async () => {
      const error = await failure((await clientOf(host)).connect(), ClientError)
      expect(error).to.include({ kind: 'tls' })
      expect(error.message).to.match(/^we do not trust the proxy/)
    })
  }

  it('H3-09 is tls.server_name where that is given, a name or an address', async () => {
    await (await clientOf('other.example.org', { serverName: 'proxy.example.org' })).connect()
    await (await clientOf('other.example.org', { serverName: '2001:db8::1' })).connect()
    const error = await failure((await clientOf('localhost', { serverName: '192.0.2.2' })).connect(), ClientError)
    expect(error.message).to.match(/the certificate does not name 192\.0\.2\.2/)
  })

  it('H3-09 is sent in the handshake when it is a name, and never when it is an address', async () => {
    const socket = await bindUdp(LOOPBACK)
    try {
      for (const [host, sent] of [
        ['proxy.example.org', true],
        ['192.0.2.1', false],
        ['[2001:db8::1]', false],
      ] as const) {
        const first = new Promise<Buffer>(resolve => socket.once('message', resolve))
        const client = await newClient(
          { address: { host: '127.0.0.1', port: socket.address().port } },
          { proxy: { template: defaultTemplate(host, 443) } },
        )
        client.connect().catch(() => {})
        expect(initialText(await first).includes(host.replace(/[[\]]/g, '')), host).to.equal(sent)
        await client.close()
      }
    } finally {
      socket.close()
    }
  })
})
