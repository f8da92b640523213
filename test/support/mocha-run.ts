/** Mocha in a process of its own, for suites that need more than `npm test` has: a command line in front of it, or a browser. */

import { spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ended, scratchFolder } from './scratch.ts'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))

interface Outcome {
  readonly fullTitle: string
  readonly err: { readonly message?: string; readonly stack?: string }
}

export interface MochaRun {
  readonly files: string
  readonly grep: string | undefined
  readonly timeoutMs: number
  /** Of the folder for all that the tests leave behind. */
  readonly scratchPrefix: string
  /** A command that runs what stands behind it. */
  readonly within?: readonly string[]
}

/** Prints a line for each test, and `N passed, N failed, N skipped` at the end; sets the exit status. */
export async function runMocha({ files, grep, timeoutMs, scratchPrefix, within = [] }: MochaRun): Promise<void> {
  const folder = scratchFolder(scratchPrefix)
  const results = join(folder, 'results.json')
  const reporter = ['--reporter', 'json', '--reporter-option', `output=${results}`]
  const mocha = [process.execPath, 'node_modules/mocha/bin/mocha.js', ...reporter, files]
  if (grep !== undefined) mocha.push('--grep', grep)
  const [command, ...args] = [...within, ...mocha]
  const child = spawn(command, args, {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: timeoutMs,
    killSignal: 'SIGKILL',
    env: { ...process.env, TMPDIR: folder },
  })
  let output = ''
  child.stderr.on('data', text => {
    output += text
  })
  child.stdout.on('data', text => {
    // The results come in a file; what tests print, such as why they are skipped, is for people.
    for (const line of String(text).split('\n')) if (line.includes('skipped:')) console.log(`  ${line.trim()}`)
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
