import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { ConfigError } from '../../src/config/config-error.ts'
import { createLogger } from '../../src/log/logger.ts'
import { apiTokenSha256, SHORTEST_API_TOKEN } from '../../src/server/api-token.ts'
import { hashToken, LONGEST_TOKEN, parseBearer } from '../../src/server/auth.ts'
import { defaultServerConfig, loadServerConfig, type ServerConfigOverrides } from '../../src/server/config.ts'
import { checkServerFiles } from '../../src/server/server.ts'
import { askApi } from '../support/api-client.ts'
import { testCertificates } from '../support/certificates.ts'
import { closeLoopback, connectClient, startServer } from '../support/loopback.ts'

const TOKEN = 'f00dfeedf00dfeedf00dfeed'

describe('the token file of the REST API', () => {
  let folder: string
  let file: string

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'masque-test-api-token-'))
    file = join(folder, 'api-token.key')
    writeFileSync(file, `${TOKEN}\n`, { mode: 0o600 })
  })
  afterEach(async () => {
    await closeLoopback()
    rmSync(folder, { recursive: true })
  })

  const sha256 = (api: ServerConfigOverrides['api']) =>
    apiTokenSha256(defaultServerConfig({ api: { enabled: true, tokenFile: file, ...api } }))

  it('is read by who starts a proxy or checks its configuration: paths are relative to that', async () => {
    const { server, serverKey } = await testCertificates()
    const config = join(folder, 'server.toml')
    const tls = `tls = { certificate = ${JSON.stringify(server)}, key = ${JSON.stringify(serverKey)} }\n`
    writeFileSync(config, `${tls}pool.ipv4 = "10.89.0.0/24"\napi.token_file = "api-token.key"\n`)
    expect(loadServerConfig(config).api).to.include({ tokenFile: file }).and.not.have.property('tokenSha256')
    expect(checkServerFiles(loadServerConfig(config)).apiTokenSha256).to.equal(hashToken(TOKEN))
    writeFileSync(file, 'two words')
    expect(() => checkServerFiles(loadServerConfig(config))).to.throw(
      ConfigError,
      `${file}: this is not a bearer token`,
    )
  })

  it('is refused while others may read it, and the sentence says what to do', function () {
    if (process.platform === 'win32') this.skip()
    for (const mode of [0o640, 0o604, 0o620]) {
      chmodSync(file, mode)
      expect(() => sha256({})).to.throw(ConfigError, `(mode 0${mode.toString(8)}); run: chmod 600 ${file}`)
      expect(sha256({ allowExposedToken: true })).to.equal(hashToken(TOKEN))
    }
  })

  it('is refused when it is missing, a folder, or holds what is no token or none that is long enough, without a word of it', () => {
    expect(() => sha256({ tokenFile: join(folder, 'none') })).to.throw(ConfigError, '(api.token_file)')
    expect(() => sha256({ tokenFile: folder })).to.throw(ConfigError)
    const refusal = (text: string): string => {
      writeFileSync(file, text)
      try {
        sha256({})
      } catch (error) {
        return (error as Error).message
      }
      return ''
    }
    expect(refusal('')).to.include('this is not a bearer token')
    for (const text of ['sesame\nsesame', 'sesame sesame sesame', 'sesame', 'sesame'.repeat(1000)]) {
      expect(refusal(text)).to.match(/token/)
      expect(refusal(text)).to.not.include('sesame')
    }
    expect(refusal('x'.repeat(SHORTEST_API_TOKEN - 1))).to.include('15 characters (not shown); expected 16 to')
    expect(refusal('x'.repeat(SHORTEST_API_TOKEN))).to.equal('')
  })

  it('takes no token that is too long for a request', () => {
    const longest = 'x'.repeat(LONGEST_TOKEN)
    writeFileSync(file, longest)
    expect(sha256({})).to.equal(hashToken(longest))
    expect(parseBearer(`Bearer ${longest}`)).to.equal(longest)
    writeFileSync(file, `${longest}x`)
    expect(() => sha256({})).to.throw(ConfigError, `${LONGEST_TOKEN + 1} characters (not shown)`)
    expect(parseBearer(`Bearer ${longest}x`)).to.equal(undefined)
  })

  it('does not matter where the API is off', () => {
    expect(sha256({ enabled: false, tokenFile: join(folder, 'none') })).to.equal(undefined)
  })

  it('lets who has the token end a tunnel, and nobody else; the token is in no line of the log', async () => {
    const lines: string[] = []
    const logger = createLogger({ level: 'trace', to: { write: line => void lines.push(line) } })
    const server = await startServer({ api: { enabled: true, port: 0, tokenFile: file } }, { logger })
    await connectClient(server)
    const [{ id }] = server.clients()
    const remove = (token: string) =>
      askApi(server.apiUrl as string, `/api/v1/clients/${encodeURIComponent(id)}`, {
        method: 'DELETE',
        headers: { authorization: `Bearer ${token}` },
      })
    expect((await remove(`${TOKEN}0`)).status).to.equal(401)
    expect((await remove(TOKEN)).status).to.equal(204)
    expect(lines).to.not.have.length(0)
    expect(lines.join('')).to.not.include(TOKEN)
  })
})
