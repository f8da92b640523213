import { execFileSync } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect, createServer, type TLSSocket } from 'node:tls'
import { expect } from 'chai'
import { makeTestCertificates } from '../../src/cert/make-certificates.ts'

describe('certificates made by Node alone', () => {
  const directory = mkdtempSync(join(tmpdir(), 'masque-cert-'))
  after(() => rmSync(directory, { recursive: true, force: true }))
  const read = (file: string) => new X509Certificate(readFileSync(file))

  it('are signed by the CA and carry the names the server is reached by', async () => {
    const files = await makeTestCertificates(join(directory, 'names'), { clientNames: ['alice', 'bob'] })
    const ca = read(files.ca)
    const server = read(files.server)
    expect(ca.ca).to.equal(true)
    expect(server.ca).to.equal(false)
    expect(server.verify(ca.publicKey)).to.equal(true)
    expect(server.checkIssued(ca)).to.equal(true)
    expect(server.checkHost('localhost')).to.equal('localhost')
    expect(server.checkIP('127.0.0.1')).to.equal('127.0.0.1')
    expect(server.checkIP('::1')).to.equal('::1')
    const alice = read(files.clients.alice!.certificate)
    expect(alice.subject).to.include('CN=alice')
    expect(alice.checkIssued(ca)).to.equal(true)
    expect(read(files.clients.bob!.certificate).subject).to.include('CN=bob')
  })

  it('are accepted by a TLS 1.3 handshake in which both sides show one', async () => {
    const files = await makeTestCertificates(join(directory, 'tls'))
    const client = files.clients.client!
    const identity = await new Promise<string>((resolve, reject) => {
      const server = createServer(
        {
          cert: readFileSync(files.server),
          key: readFileSync(files.serverKey),
          ca: readFileSync(files.ca),
          requestCert: true,
          minVersion: 'TLSv1.3',
        },
        socket => {
          const peer = socket.getPeerCertificate()
          socket.end()
          server.close(() => resolve(`${peer.subject.CN} ${socket.authorized}`))
        },
      )
      server.on('tlsClientError', reject)
      server.listen(0, '127.0.0.1', () => {
        const { port } = server.address() as { port: number }
        const socket: TLSSocket = connect({
          port,
          host: '127.0.0.1',
          ca: readFileSync(files.ca),
          cert: readFileSync(client.certificate),
          key: readFileSync(client.key),
        })
        socket.on('error', reject)
        socket.resume()
      })
    })
    expect(identity).to.equal('client true')
  })

  it('keep their keys to their owner, also when files are written again', async function () {
    if (process.platform === 'win32') this.skip()
    const files = await makeTestCertificates(join(directory, 'modes'))
    const again = await makeTestCertificates(join(directory, 'modes'))
    expect(again).to.deep.equal(files)
    for (const key of [files.caKey, files.serverKey, files.clients.client!.key]) {
      expect(statSync(key).mode & 0o777).to.equal(0o600)
    }
  })

  it('can be expired, or valid for a few days only', async () => {
    const expired = await makeTestCertificates(join(directory, 'expired'), {
      notBefore: new Date('2020-01-01T00:00:00Z'),
      notAfter: new Date('2020-02-01T00:00:00Z'),
    })
    expect(read(expired.server).validTo).to.equal('Feb  1 00:00:00 2020 GMT')
    expect(Date.parse(read(expired.ca).validTo)).to.be.greaterThan(Date.now())
    const brief = await makeTestCertificates(join(directory, 'brief'), {
      notBefore: new Date('2049-12-30T12:00:00Z'),
      serverDays: 13,
    })
    expect(read(brief.server).validFrom).to.equal('Dec 30 12:00:00 2049 GMT')
    expect(read(brief.server).validTo).to.equal('Jan 12 12:00:00 2050 GMT')
  })

  it('satisfy openssl, where it is installed', async function () {
    try {
      execFileSync('openssl', ['version'], { stdio: 'ignore' })
    } catch {
      this.skip()
    }
    const files = await makeTestCertificates(join(directory, 'openssl'))
    const verify = (purpose: string, file: string) =>
      execFileSync('openssl', ['verify', '-x509_strict', '-purpose', purpose, '-CAfile', files.ca, file], {
        encoding: 'utf8',
      })
    expect(verify('sslserver', files.server)).to.include('OK')
    expect(verify('sslclient', files.clients.client!.certificate)).to.include('OK')
  })

  it('refuse a client name that would not be a safe file name', async () => {
    for (const name of ['../x', '', 'ca', 'server', 'a/b']) {
      let message = ''
      try {
        await makeTestCertificates(join(directory, 'bad'), { clientNames: [name] })
      } catch (error) {
        message = (error as Error).message
      }
      expect(message).to.include(`client name '${name}'`)
    }
  })
})
