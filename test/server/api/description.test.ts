import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { expect } from 'chai'
import { LinkEmulator } from '../../../src/link/emulator/emulator.ts'
import { loadProfile } from '../../../src/link/profile/load-profile.ts'
import { endpointsOf, readDescription, toMarkdown } from '../../../src/server/api/description.ts'
import type { LinkOptions } from '../../../src/server/attached-link.ts'
import { hashToken } from '../../../src/server/auth.ts'
import { read } from '../../docs/repository.ts'
import { askApi } from '../../support/api-client.ts'
import { closeLoopback, connectClient, startServer } from '../../support/loopback.ts'

const TOKEN = 'f00dfeedf00dfeedf00dfeed'
const link: LinkOptions = {
  profile: loadProfile('clean'),
  start: options => LinkEmulator.start({ ...options, seed: '1' }),
}

describe('the description of the REST API', () => {
  afterEach(closeLoopback)

  const startApi = () => startServer({ api: { enabled: true, port: 0, tokenSha256: hashToken(TOKEN) } }, { link })

  it('is docs/api.md, too: npm run docs:api makes it anew', () => {
    expect(read('docs/api.md')).to.equal(toMarkdown(readDescription()))
  })

  it('is served as JSON, and as a page that takes nothing from anywhere', async () => {
    const { apiUrl } = await startApi()
    const { body } = await askApi(apiUrl as string, '/api/openapi.json')
    expect(JSON.parse(body).paths).to.deep.equal(readDescription().paths)
    const page = await askApi(apiUrl as string, '/api/docs/')
    expect(page.headers['content-security-policy']).to.match(/^default-src 'none'; style-src 'sha256-/)
    for (const { path } of endpointsOf(readDescription())) expect(page.body).to.include(path)
    expect((await askApi(apiUrl as string, '/api/docs')).headers.location).to.equal('/api/docs/')
  })

  it('has examples for curl that a proxy answers', async function () {
    const run = promisify(execFile)
    const hasCurl = await run('bash', ['-c', 'command -v curl']).then(
      () => true,
      () => false,
    )
    if (!hasCurl) this.skip()
    const server = await startApi()
    await connectClient(server)
    const env = { ...process.env, TOKEN, ID: server.clients()[0].id.replace('/', '-') }
    const examples = [...read('docs/api.md').matchAll(/^```sh\n(.*)\n```$/gm)].map(match => match[1])
    expect(examples).to.have.length(endpointsOf(readDescription()).length)
    await Promise.all(
      examples
        // The client goes last.
        .filter(example => !example.includes('DELETE'))
        .map(example => answered(example)),
    )
    await answered(examples.find(example => example.includes('DELETE')) as string)

    async function answered(example: string): Promise<void> {
      const command = example
        .replace('http://127.0.0.1:8080', server.apiUrl as string)
        .replace(/^curl/, 'curl -sS --fail')
      // What has no end is ended by curl's own limit (28).
      await run('bash', ['-c', example.includes('/events') ? `${command}; [ $? = 28 ]` : command], { env })
    }
  })
})
