import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { makeTestCertificates } from '../../src/cert/make-certificates.ts'
import type { Header } from '../../src/http/header.ts'
import { OwnNames } from '../../src/server/own-names.ts'
import { CONNECT_IP, GET } from '../http3/conversation.ts'
import { testCertificates } from '../support/certificates.ts'
import { closeHostilePeers, HostileClient } from '../support/hostile-peer.ts'
import { closeLoopback, startServer } from '../support/loopback.ts'

describe('the names of a proxy', () => {
  let plain: Uint8Array
  let wildcard: Uint8Array
  let directory: string

  before(async () => {
    directory = mkdtempSync(join(tmpdir(), 'masque-names-'))
    plain = readFileSync((await testCertificates()).server)
    wildcard = readFileSync(
      (await makeTestCertificates(directory, { serverNames: ['*.example.org', '192.0.2.7'] })).server,
    )
  })

  after(() => rmSync(directory, { recursive: true, force: true }))

  const own = (certificate: Uint8Array, names: string[], configured: string[] = []) => {
    const ours = new OwnNames(certificate, configured)
    return names.filter(name => ours.includes(name))
  }

  it('H3-09 are those of its certificate, whatever the port, the case and the way in which an address is written', () => {
    const names = [
      ...['localhost', 'localhost:4433', 'localhost:', 'LocalHost:1', 'localhost.', 'localhost.:4433', 'proxy.example'],
      ...['127.0.0.1', '127.0.0.1:4433', '[::1]', '[::1]:4433', '[0:0:0:0:0:0:0:1]:4433', '[0::0001]'],
    ]
    expect(own(plain, names)).to.deep.equal(names)
  })

  it('H3-09 are no others, and nothing that is not HOST or HOST:PORT', () => {
    const strangers = [
      ...[
        '',
        ':4433',
        'example.org',
        'localhost.example.org',
        'xlocalhost',
        'local',
        '127.0.0.2',
        '127.1',
        '[::2]',
        '::1',
      ],
      ...[
        'user@localhost',
        'localhost:x',
        'localhost:1:2',
        '[localhost]',
        '[127.0.0.1]',
        '127.0.0.01',
        '*',
        '*.example',
      ],
      ...[
        'localhost/',
        'localhost..',
        '%6cocalhost',
        'localhost\u0000',
        '[::1',
        '::1]',
        '[::1%25lo]',
        'a.proxy.example',
      ],
      // The issuer’s common name, and that of the certificate, where it is in no subjectAltName.
      'masque-lab CA',
    ]
    expect(own(plain, strangers)).to.deep.equal([])
  })

  it('H3-09 the common name is none, not even where there is no other (RFC 9525 §6.1)', async () => {
    const { clients } = await testCertificates()
    expect(own(readFileSync(clients.client.certificate), ['client'])).to.deep.equal([])
  })

  it('H3-09 a wildcard stands for one whole label', () => {
    const names = ['a.example.org', 'A.Example.ORG:443', 'a.b.example.org', 'example.org', '.example.org', '192.0.2.7']
    expect(own(wildcard, names)).to.deep.equal(['a.example.org', 'A.Example.ORG:443', '192.0.2.7'])
  })

  it('H3-09 are also those of the configuration', () => {
    const names = ['lab.example:9', '198.51.100.1', '[2001:db8::0:1]:4433', 'other.example', 'localhost']
    expect(own(plain, names, ['lab.example', '198.51.100.1', '2001:db8::1'])).to.deep.equal(
      names.filter(name => name !== 'other.example'),
    )
  })

  it('the first of them names it in Proxy-Status: of the configuration, or else of the certificate', () => {
    expect(new OwnNames(plain, ['lab.example']).first).to.equal('lab.example')
    expect(new OwnNames(plain).first).to.equal('localhost')
  })

  describe('on the wire', () => {
    afterEach(async () => {
      await closeHostilePeers()
      await closeLoopback()
    })

    const to = (authority: string, request: Header[] = CONNECT_IP): Header[] =>
      request.map(([name, value]) => [name, name === ':authority' ? authority : value])
    const head: Header[] = GET.map(([name, value]) => [name, name === ':method' ? 'HEAD' : value])
    const elsewhere: Header[] = CONNECT_IP.map(([name, value]) => [name, name === ':path' ? '/elsewhere' : value])

    it('H3-09 421 for a name that is not the proxy’s, whatever is asked for, and the connection goes on', async () => {
      const server = await startServer()
      const peer = await HostileClient.connect(server)
      for (const request of [CONNECT_IP, GET, head, elsewhere]) {
        const { status, headers } = await peer.request(to('192.0.2.1:4433', request), true)
        expect(status).to.equal('421')
        expect(headers.find(([name]) => name === 'proxy-status')?.[1]).to.match(
          /^"localhost"; ?error=http_request_error; ?details="\\"192\.0\.2\.1:4433\\" is not a name of this proxy"$/,
        )
      }
      expect(server.status().tunnelsTotal).to.equal(0)
      const answers = await Promise.all(
        [CONNECT_IP, GET].map(request => peer.request(to('LOCALHOST.:1', request), request === GET)),
      )
      expect(answers.map(({ status }) => status)).to.deep.equal(['200', '200'])
    })

    it('H3-09 also where credentials are missing: who is not meant, asks for none', async () => {
      const sha256 = 'ab'.repeat(32)
      const auth = { mode: 'token', tokens: [{ identity: 'a', sha256, maxTunnels: 1 }] } as const
      const peer = await HostileClient.connect(await startServer({ auth: { ...auth, tokens: [...auth.tokens] } }))
      expect((await peer.request(to('example.org'))).status).to.equal('421')
      expect((await peer.request(to('localhost'))).status).to.equal('401')
    })

    it('H3-09 names of the configuration are served, and the first names the proxy (RFC 9209 §2)', async () => {
      const server = await startServer({ listen: { names: ['lab.example', '2001:db8::1'] } })
      const peer = await HostileClient.connect(server)
      for (const name of ['lab.example', '[2001:DB8::1]:443', 'localhost']) {
        expect((await peer.request(to(name, GET), true)).status).to.equal('200')
      }
      const { headers } = await peer.request(elsewhere.map(([name, value]) => [name, name === ':path' ? '/x' : value]))
      expect(headers.find(([name]) => name === ':status')?.[1]).to.equal('404')
      const refused = await peer.request(to('other.example'))
      expect(refused.headers.find(([name]) => name === 'proxy-status')?.[1]).to.match(/^"lab\.example";/)
    })
  })
})
