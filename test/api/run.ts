// `npm run test:api`: schemathesis makes requests of docs/openapi.yaml, of which many are wrong, and holds the answers of a running proxy against
// it. Skipped where there is no Python, or no registry to install it from.
// The last line of output is `N passed, N failed, N skipped`: a path with a method is one.
import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Command } from 'commander'
import { cacheFolder } from '../../interop/harness/tool.ts'
import { makeTestCertificates } from '../../src/cert/make-certificates.ts'
import { hashToken } from '../../src/server/auth.ts'

const TOKEN = 'f00dfeedf00dfeedf00dfeed'
const requirements = fileURLToPath(new URL('requirements.txt', import.meta.url))

new Command('npm run test:api --')
  .description('Tests the REST API with requests that schemathesis makes from its description.')
  .parse()

const missing = await prepare()
if (missing === undefined) await fuzz()
else {
  console.log(`skipped: ${missing}`)
  console.log('0 passed, 0 failed, 1 skipped')
}

/** Why it cannot be had; undefined: it is there. */
async function prepare(): Promise<string | undefined> {
  const folder = cacheFolder('schemathesis')
  const done = join(folder, 'installed')
  const venv = join(folder, 'venv')
  // A virtual environment works only where it was made.
  const wanted = `${venv}\n${readFileSync(requirements, 'utf8')}`
  if (existsSync(done) && readFileSync(done, 'utf8') === wanted) return undefined
  rmSync(venv, { recursive: true, force: true })
  const made = await run('python3', ['-m', 'venv', venv])
  if (made.status !== 0) return 'python3 cannot make a virtual environment (Debian packages python3 and python3-venv)'
  const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--requirement', requirements]
  const installed = await run(join(venv, 'bin', 'python'), pip)
  if (installed.status !== 0)
    return 'pip cannot install schemathesis: the package registry cannot be reached, or Python is too old'
  writeFileSync(done, wanted)
  return undefined
}

async function fuzz(): Promise<void> {
  const scratch = mkdtempSync(join(tmpdir(), 'masque-api-'))
  const certificates = await makeTestCertificates(scratch)
  const api = { enabled: true, port: 0, tokenSha256: hashToken(TOKEN) }
  const { newTestClient, startTestProxy } = await import('../../src/testbed/proxy-and-client.ts')
  const server = await startTestProxy(certificates, { api })
  const client = newTestClient(certificates, server.address)
  try {
    await client.connect()
    const { status, output } = await run(
      join(cacheFolder('schemathesis'), 'venv', 'bin', 'schemathesis'),
      [
        'run',
        `${server.apiUrl}/api/openapi.json`,
        ...['--header', `Authorization: Bearer ${TOKEN}`],
        ...['--phases', 'coverage,fuzzing', '--max-examples', '25', '--seed', '9457', '--generation-database', 'none'],
        // Below what the API lets through.
        ...['--rate-limit', '60/s'],
        // It has no end.
        ...['--exclude-path', '/api/v1/events'],
        ...['--suppress-health-check', 'filter_too_much', '--warnings', 'off', '--no-color'],
      ],
      scratch,
    )
    console.log(output)
    await client.ping('10.90.0.1', { timeoutMs: 10_000 })
    const tested = Number(/Tested: (\d+)/.exec(output)?.[1] ?? 0)
    const failed = status === 0 && tested > 0 ? 0 : 1
    console.log(`${Math.max(0, tested - failed)} passed, ${failed} failed`)
    if (failed > 0) process.exitCode = 1
  } finally {
    await client.close()
    await server.close()
    rmSync(scratch, { recursive: true, force: true })
  }
}

/** `cwd`: schemathesis keeps a cache in the folder that it is started in. */
function run(command: string, args: string[], cwd = tmpdir()): Promise<{ status: number | null; output: string }> {
  return new Promise(resolve => {
    const child = spawn(command, args, { cwd, stdio: ['ignore', 'pipe', 'pipe'], timeout: 240_000 })
    let output = ''
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', chunk => {
        output += chunk
      })
    }
    child.once('error', () => resolve({ status: null, output }))
    child.once('close', status => resolve({ status, output }))
  })
}
