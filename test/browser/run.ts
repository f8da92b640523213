// `npm run test:browser`: the page that joins the tunnel, in a real browser. Skipped where there is no Chromium.
// The last line of output is `N passed, N failed, N skipped`.
import { spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Command } from 'commander'
import { ended, scratchFolder } from '../support/scratch.ts'
import { browserProgram } from './browser-program.ts'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const TIMEOUT_MS = 300_000

interface Outcome {
  readonly fullTitle: string
  readonly err: { readonly message?: string; readonly stack?: string }
}

const { grep } = new Command('npm run test:browser --')
  .description('Tests the page with which a browser joins the tunnel, in Chromium.')
  .option('--grep <text>', 'only tests whose title has this')
  .parse()
  .opts<{ grep?: string }>()

if (browserProgram() === undefined) {
  console.log('skipped: there is no chromium (Debian package chromium)')
  console.log('0 passed, 0 failed, 1 skipped')
} else {
  await runAll()
}

async function runAll(): Promise<void> {
  const folder = scratchFolder('masque-browser-')
  const results = join(folder, 'results.json')
  const reporter = ['--reporter', 'json', '--reporter-option', `output=${results}`]
  const mocha = ['node_modules/mocha/bin/mocha.js', ...reporter, 'test/browser/*.browser.ts']
  if (grep !== undefined) mocha.push('--grep', grep)
  const child = spawn(process.execPath, mocha, {
    cwd: ROOT,
    stdio: ['ignore', 'ignore', 'pipe'],
    timeout: TIMEOUT_MS,
    killSignal: 'SIGKILL',
    env: { ...process.env, TMPDIR: folder },
  })
  let output = ''
  child.stderr.on('data', text => {
    output += text
  })
  const [status] = await ended(child)
  if (!existsSync(results)) {
    console.log(output.trim().slice(-3000))
    console.log('0 passed, 1 failed, 0 skipped')
    process.exitCode = 1
    return
  }
  const { stats, passes, failures } = JSON.parse(readFileSync(results, 'utf8')) as {
    stats: { passes: number; failures: number; pending: number }
    passes: Outcome[]
    failures: Outcome[]
  }
  for (const { fullTitle } of passes) console.log(`  ok    ${fullTitle}`)
  for (const { fullTitle, err } of failures) {
    console.log(`  FAIL  ${fullTitle}\n        ${(err.stack ?? err.message ?? '').replaceAll('\n', '\n        ')}`)
  }
  console.log(`${stats.passes} passed, ${stats.failures} failed, ${stats.pending} skipped`)
  process.exitCode = stats.failures > 0 || status !== 0 ? 1 : 0
}
