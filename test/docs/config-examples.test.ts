import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { expect } from 'chai'
import { makeTestCertificates } from '../../src/cert/make-certificates.ts'
import { loadClientConfig } from '../../src/client/config.ts'
import { loadClientTlsConfig } from '../../src/config/tls-config.ts'
import { loadServerConfig } from '../../src/server/config.ts'
import { checkServerFiles } from '../../src/server/server.ts'
import { ROOT, read } from './repository.ts'

const EXAMPLES = 'config/examples'
const FOLDERS = readdirSync(join(ROOT, EXAMPLES), { withFileTypes: true })
  .filter(entry => entry.isDirectory())
  .map(entry => entry.name)
const FILES = FOLDERS.flatMap(folder => readdirSync(join(ROOT, EXAMPLES, folder)).map(name => `${folder}/${name}`))

/** A proxy's file is named so; all others are of clients. */
const isServer = (file: string): boolean => ['server.toml', 'proxy.toml'].includes(basename(file))

describe('config/examples/', () => {
  let folder: string

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'masque-test-examples-'))
    cpSync(join(ROOT, EXAMPLES), join(folder, EXAMPLES), { recursive: true })
    mkdirSync(join(folder, 'cert/out'), { recursive: true })
    // The names that the README has made.
    const command = /^npm run cert -- (.*)$/m.exec(read(`${EXAMPLES}/README.md`))?.[1] ?? ''
    const named = (option: string) =>
      [...command.matchAll(new RegExp(`--${option} (\\S+)`, 'g'))].map(([, name]) => name)
    await makeTestCertificates(join(folder, 'cert/out'), { clientNames: named('client'), serverNames: named('name') })
  })
  after(() => rmSync(folder, { recursive: true, force: true }))

  for (const name of FILES) {
    it(`${name} passes --check, with the certificates that the README makes, and says how it is started`, () => {
      const file = join(folder, EXAMPLES, name)
      if (isServer(name)) checkServerFiles(loadServerConfig(file))
      else loadClientTlsConfig(loadClientConfig(file).tls)
      const command = isServer(name) ? `server -- -c ${EXAMPLES}/${name}` : `client -- -c ${EXAMPLES}/${name} --tun`
      expect(read(`${EXAMPLES}/${name}`)).to.include(`#   sudo npm run ${command}\n`)
    })
  }

  for (const name of FILES.filter(isServer)) {
    it(`${name} lets nobody in without a certificate, and has no API: copied as it is, it is no open proxy`, () => {
      const { auth, tls, api, tunnel } = loadServerConfig(join(folder, EXAMPLES, name))
      expect({ mode: auth.mode, tokens: auth.tokens }).to.deep.equal({ mode: 'mtls', tokens: [] })
      expect(tls.clientCa).to.be.a('string')
      expect(api.enabled).to.equal(false)
      // The clients of this one are laptops of people; those of the others have something to say to each other.
      if (name.startsWith('remote-access/')) expect(tunnel.clientToClient).to.equal(false)
    })
  }

  it('are all in the table of their README', () => {
    for (const each of FOLDERS) expect(read(`${EXAMPLES}/README.md`)).to.include(`| [${each}](${each}/) `)
  })
})
