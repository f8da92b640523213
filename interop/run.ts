// `npm run test:interop`: our client and our proxy against implementations that no one here wrote.
//   --write        also writes docs/interop.md
//   --only PEER    tries one peer only
//   --grep TEXT    runs the cases whose titles contain it
// The last line of output is `N passed, N failed` or `N passed, N failed, N skipped`.
import { writeFile } from 'node:fs/promises'
import { Command } from 'commander'
import Mocha from 'mocha'
import { stopCasePrograms } from './harness/case-program.ts'
import { Unavailable } from './harness/skip.ts'
import { Notes, page, type Run, shortMatrix } from './matrix/render.ts'
import { collectResults, type Results } from './matrix/results.ts'
import { PEERS, type Peer } from './peers.ts'

const TESTS = new URL('test/', import.meta.url)
const PAGE = new URL('../docs/interop.md', import.meta.url)
const TEST_TIMEOUT_MS = 20_000

// How long after the last test a socket or timer may still keep the process alive.
const LINGER_MS = 5000

const options = new Command('npm run test:interop --')
  .description('Lets our client and our proxy speak with implementations that no one here wrote.')
  .option('--write', 'write docs/interop.md')
  .option('--only <peer>', `try one peer only: ${PEERS.map(({ name }) => name).join(', ')}`)
  .option('--grep <text>', 'run the cases whose titles contain it')
  .parse()
  .opts<{ write?: boolean; only?: string; grep?: string }>()

process.exitCode = await run()
setTimeout(() => {
  console.error(`test:interop: something is left open after the last test: ${process.getActiveResourcesInfo()}`)
  process.exit(1)
}, LINGER_MS).unref()

async function run(): Promise<number> {
  const peers = PEERS.filter(({ name }) => options.only === undefined || name === options.only)
  if (peers.length === 0) {
    console.error(
      `--only ${options.only}: no such peer; one of ${PEERS.map(({ name }) => name).join(', ')} is expected`,
    )
    return 2
  }
  const { ready, skipped, broken } = await prepare(peers)
  const { results, stats } = await runTests(ready)
  await stopCasePrograms()
  const notes = new Notes()
  const shown: Run = { peers, skipped: new Map([...skipped, ...broken]), results }
  if (ready.length > 0) console.log(`\n${[shortMatrix(shown, notes), ...notes.lines()].join('\n')}\n`)
  if (options.write) await write(shown)

  const failures = stats.failures + broken.size
  const pending = stats.pending + skipped.size
  console.log(`${stats.passes} passed, ${failures} failed${pending > 0 ? `, ${pending} skipped` : ''}`)
  return failures > 0 ? 1 : 0
}

/** Installs and compiles all peers side by side. Says of each that cannot take part why, in one line. */
async function prepare(peers: readonly Peer[]) {
  const skipped = new Map<Peer, string>()
  const broken = new Map<Peer, string>()
  await Promise.all(
    peers.map(peer =>
      peer.prepare().catch(error => {
        const reason = error instanceof Error ? error.message : String(error)
        if (error instanceof Unavailable) console.log(`test:interop: ${peer.name} skipped: ${reason}`)
        else console.error(`test:interop: ${peer.name} cannot be built: ${reason}`)
        const those = error instanceof Unavailable ? skipped : broken
        those.set(peer, reason)
      }),
    ),
  )
  return { ready: peers.filter(peer => !skipped.has(peer) && !broken.has(peer)), skipped, broken }
}

async function runTests(peers: readonly Peer[]): Promise<{ results: Results; stats: Mocha.Stats }> {
  const mocha = new Mocha({ reporter: 'spec', timeout: TEST_TIMEOUT_MS, fgrep: options.grep })
  // This is what defines describe, it and the rest. Mocha's own loader would `require` the files first, which by-passes tsx.
  mocha.suite.emit(Mocha.Suite.constants.EVENT_FILE_PRE_REQUIRE, globalThis, '', mocha)
  for (const name of peers.flatMap(peer => peer.tests)) await import(new URL(name, TESTS).href)
  return new Promise(resolve => {
    const runner: Mocha.Runner = mocha.run(() => resolve({ results, stats: runner.stats as Mocha.Stats }))
    const results = collectResults(runner)
  })
}

/** The page tells of whole runs only: one that lacks a peer or a case would hide what it lacks. */
async function write(run: Run): Promise<void> {
  if (options.only !== undefined || options.grep !== undefined || run.skipped.size > 0) {
    console.log('docs/interop.md is not written: this run lacks peers or cases')
    return
  }
  await writeFile(PAGE, page(run))
  console.log('docs/interop.md is written')
}
