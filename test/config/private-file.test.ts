import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { readToken } from '../../src/client/token.ts'
import { describeExposure, folderKeepsModes, GROUP_AND_OTHERS, OTHERS } from '../../src/config/private-file.ts'
import { loadTlsConfig, TlsConfigError } from '../../src/config/tls-config.ts'
import { testCertificates } from '../support/certificates.ts'

describe('a file that only its owner may read', () => {
  let folder: string
  let file: string

  before(function () {
    if (process.platform === 'win32') this.skip()
  })
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'masque-test-private-'))
    file = join(folder, 'secret')
    writeFileSync(file, 'token', { mode: 0o600 })
  })
  afterEach(() => rmSync(folder, { recursive: true, force: true }))

  const key = { forbidden: OTHERS, what: 'key', accept: 'tls.allow_exposed_key' }

  it('is private with mode 0600; a key may be shared with a group', () => {
    expect(describeExposure(file, key)).to.equal(undefined)
    chmodSync(file, 0o640)
    expect(describeExposure(file, key)).to.equal(undefined)
    expect(describeExposure(file, { ...key, forbidden: GROUP_AND_OTHERS })).to.equal(
      `others may read or change this key (mode 0640); run: chmod 600 ${file}`,
    )
  })

  it('is made so with chmod, where that does something', () => {
    chmodSync(file, 0o644)
    expect(describeExposure(file, key)).to.equal(
      `everybody on this machine may read or change this key (mode 0644); run: chmod 600 ${file}`,
    )
    expect(folderKeepsModes(folder)).to.equal(true)
    expect(readdirSync(folder)).to.deep.equal(['secret'])
    expect(folderKeepsModes(join(folder, 'none')), 'nobody can tell').to.equal(true)
  })

  it('cannot be made so on a file system without modes: the advice is to move it, or to accept it', () => {
    chmodSync(file, 0o777)
    const sentence = describeExposure(file, { ...key, keepsModes: () => false })
    expect(sentence).to.match(
      /^everybody on this machine may read or change this key \(mode 0777\), and chmod cannot change that/,
    )
    expect(sentence).to.match(
      /Move it to a folder on a Linux file system, .* or, .* set tls\.allow_exposed_key = true$/,
    )
  })

  it('is accepted as it is when the configuration says so', async () => {
    const { server, serverKey } = await testCertificates()
    const exposed = join(folder, 'key.pem')
    writeFileSync(exposed, readFileSync(serverKey))
    chmodSync(exposed, 0o777)
    const files = { certificate: server, key: exposed }
    expect(() => loadTlsConfig(files)).to.throw(TlsConfigError, 'mode 0777')
    expect(loadTlsConfig({ ...files, allowExposedKey: true }).key.length).to.be.greaterThan(0)
    chmodSync(file, 0o777)
    expect(() => readToken({ tokenFile: file })).to.throw('mode 0777')
    expect(readToken({ tokenFile: file, allowExposedToken: true })).to.equal('token')
  })
})
