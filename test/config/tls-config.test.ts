import { createPrivateKey } from 'node:crypto'
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { makeTestCertificates, type TestCertificates } from '../../src/cert/make-certificates.ts'
import { loadClientTlsConfig, loadTlsConfig, TlsConfigError } from '../../src/config/tls-config.ts'

const DAY_MS = 86_400_000

describe('TLS files', () => {
  let directory: string
  let good: TestCertificates
  let server: { certificate: string; key: string; clientCa: string }

  before(async () => {
    directory = mkdtempSync(join(tmpdir(), 'masque-lab-tls-'))
    good = await makeTestCertificates(join(directory, 'good'), { serverDays: 30 })
    server = { certificate: good.server, key: good.serverKey, clientCa: good.ca }
  })
  after(() => rmSync(directory, { recursive: true }))

  /** A file with this text and mode 0600. */
  function file(name: string, text: string): string {
    const path = join(directory, name)
    writeFileSync(path, text, { mode: 0o600 })
    return path
  }

  function refuses(load: () => unknown, path: string, sentence: string): void {
    expect(load)
      .to.throw(TlsConfigError, `${path}: `)
      .with.property('message')
      .that.includes(sentence)
      .and.does.not.include('\n')
  }

  it('are read as they are, with the day on which the certificate expires', () => {
    const tls = loadTlsConfig(server)
    expect(Buffer.from(tls.certificateChain).equals(readFileSync(good.server))).to.equal(true)
    expect(Buffer.from(tls.key).equals(readFileSync(good.serverKey))).to.equal(true)
    expect(Buffer.from(tls.clientCa!).equals(readFileSync(good.ca))).to.equal(true)
    expect(tls.expiresAt.getTime() - Date.now()).to.be.within(29 * DAY_MS, 30 * DAY_MS)
  })

  it('may hold a chain, which expires with the first of its certificates', async () => {
    const chain = file('chain.pem', readFileSync(good.server, 'utf8') + readFileSync(good.ca, 'utf8'))
    expect(loadTlsConfig({ certificate: chain, key: good.serverKey }).expiresAt).to.deep.equal(
      loadTlsConfig(server).expiresAt,
    )
    const damaged = file(
      'damaged-chain.pem',
      `${readFileSync(good.server, 'utf8')}-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n`,
    )
    refuses(
      () => loadTlsConfig({ certificate: damaged, key: good.serverKey }),
      damaged,
      'certificate 2 of 2 in it is damaged',
    )
  })

  it('of the client are optional', () => {
    expect(loadClientTlsConfig({})).to.deep.equal({})
    const { certificate, key } = good.clients.client
    const tls = loadClientTlsConfig({ ca: good.ca, certificate, key })
    expect(Object.keys(tls).sort()).to.deep.equal(['ca', 'certificateChain', 'expiresAt', 'key'])
  })

  it('are refused when they are missing, are a directory or hold something else', () => {
    const none = join(directory, 'none.pem')
    refuses(
      () => loadTlsConfig({ ...server, certificate: none }),
      none,
      'there is no such file; a certificate is expected (npm run cert',
    )
    refuses(() => loadTlsConfig({ ...server, key: none }), none, 'there is no such file; a private key is expected')
    refuses(() => loadClientTlsConfig({ ca: none }), none, 'a CA certificate is expected')
    refuses(() => loadTlsConfig({ ...server, key: directory }), directory, 'this is a directory')
    const text = file('text.pem', 'hello')
    refuses(() => loadTlsConfig({ ...server, certificate: text }), text, 'there is no certificate in it')
    refuses(() => loadTlsConfig({ ...server, key: text }), text, 'there is no private key in it')
    refuses(() => loadTlsConfig({ ...server, key: good.server }), good.server, 'there is no private key in it')
    const damaged = file('damaged.pem', '-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n')
    refuses(() => loadTlsConfig({ ...server, key: damaged }), damaged, 'the private key in it is damaged')
  })

  it('are refused when the key needs a passphrase', () => {
    const key = createPrivateKey(readFileSync(good.serverKey))
    const pem = key.export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'x' }).toString()
    const encrypted = file('encrypted.pem', pem)
    refuses(
      () => loadTlsConfig({ ...server, key: encrypted }),
      encrypted,
      'is encrypted; a key without a passphrase is expected',
    )
  })

  it('are refused when the key belongs to another certificate', () => {
    const { key } = good.clients.client
    refuses(() => loadTlsConfig({ ...server, key }), key, `does not belong to the certificate ${good.server}`)
  })

  it('are refused after they have expired and before they are valid', () => {
    const later = Date.now() + 31 * DAY_MS
    refuses(
      () => loadTlsConfig({ certificate: good.server, key: good.serverKey }, later),
      good.server,
      'the certificate of localhost expired on',
    )
    const earlier = Date.now() - DAY_MS
    refuses(() => loadTlsConfig(server, earlier), good.server, 'is not valid before')
    refuses(() => loadClientTlsConfig({ ca: good.ca }, earlier), good.ca, 'check the clock')
  })

  it('are refused as a CA when they are none', () => {
    const { certificate } = good.clients.client
    refuses(
      () => loadTlsConfig({ ...server, clientCa: certificate }),
      certificate,
      'the certificate of client is not one of a CA',
    )
  })

  it('are refused, with the command that helps, while everybody may read the key', function () {
    if (process.platform === 'win32') this.skip()
    const key = file('open-key.pem', readFileSync(good.serverKey, 'utf8'))
    chmodSync(key, 0o644)
    refuses(() => loadTlsConfig({ ...server, key }), key, `(mode 0644); run: chmod 600 ${key}`)
    chmodSync(key, 0o640)
    expect(() => loadTlsConfig({ ...server, key })).to.not.throw()
  })
})
