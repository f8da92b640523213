// `npm run test:interop`: our client and our proxy against implementations that no one here wrote.
//   --write        also writes docs/interop.md and docs/interop-cases.json
//   --table        only writes the table of cases in docs/interop.md, from docs/interop-cases.json
//   --only PEER    tries one peer only
//   --engine NAME  runs over that QUIC engine only, as MASQUE_QUIC does; without either, over each that this machine has
//   --grep TEXT    runs the cases whose titles contain it
// The last line of output is `N passed, N failed` or `N passed, N failed, N skipped`.
import { readFile, writeFile } from 'node:fs/promises'
import { Command, Option } from 'commander'
import Mocha from 'mocha'
import { ChoiceError } from '../src/quic/choice-error.ts'
import { chooseEngine } from '../src/quic/choose-engine.ts'
import { stopCasePrograms } from './harness/case-program.ts'
import { Unavailable } from './harness/skip.ts'
import { type CaseResult, runnerCases, withCaseTable } from './matrix/case-table.ts'
import { Notes, type Pass, page, type Run, shortMatrix } from './matrix/render.ts'
import { collectResults, type Results } from './matrix/results.ts'
import { PEERS, type Peer } from './peers.ts'

const TESTS = new URL('test/', import.meta.url)
const PAGE = new URL('../docs/interop.md', import.meta.url)
const CASES = new URL('../docs/interop-cases.json', import.meta.url)
const ENGINES = ['quiche', 'typescript'] as const
const TEST_TIMEOUT_MS = 20_000

// How long after the last test a socket or timer may still keep the process alive.
const LINGER_MS = 5000

const options = new Command('npm run test:interop --')
  .description('Lets our client and our proxy speak with implementations that no one here wrote.')
  .option('--write', 'write docs/interop.md and docs/interop-cases.json')
  .option('--table', 'only write the table of cases in docs/interop.md, from docs/interop-cases.json')
  .option('--only <peer>', `try one peer only: ${PEERS.map(({ name }) => name).join(', ')}`)
  .addOption(
    new Option('--engine <name>', 'run over that QUIC engine only (default: over each that this machine has)').choices(
      ENGINES,
    ),
  )
  .option('--grep <text>', 'run the cases whose titles contain it')
  .parse()
  .opts<{ write?: boolean; table?: boolean; only?: string; engine?: string; grep?: string }>()

process.exitCode = options.table ? await writeTable() : await run().catch(refused)
setTimeout(() => {
  console.error(`test:interop: something is left open after the last test: ${process.getActiveResourcesInfo()}`)
  process.exit(1)
}, LINGER_MS).unref()

async function writeTable(): Promise<number> {
  const cases = JSON.parse(await readFile(CASES, 'utf8')) as CaseResult[]
  await writeFile(PAGE, withCaseTable(await readFile(PAGE, 'utf8'), cases))
  return 0
}

/** An engine is wanted that is not there. */
function refused(error: unknown): number {
  if (!(error instanceof ChoiceError)) throw error
  console.error(error.message)
  return 2
}

async function run(): Promise<number> {
  const peers = PEERS.filter(({ name }) => options.only === undefined || name === options.only)
  if (peers.length === 0) {
    console.error(
      `--only ${options.only}: no such peer; one of ${PEERS.map(({ name }) => name).join(', ')} is expected`,
    )
    return 2
  }
  const engines = await enginesToRun()
  const { ready, skipped, broken } = await prepare(peers)
  const mocha = await loadTests(ready)
  const passes: Pass[] = []
  const total = { passes: 0, failures: broken.size, pending: skipped.size }
  for (const engine of engines) {
    console.log(`\ntest:interop: QUIC by ${engine}`)
    process.env.MASQUE_QUIC = engine
    if (passes.length > 0) leaveOutWhatNeedsNoQuic(mocha)
    const { results, stats } = await runTests(mocha)
    passes.push({ engine, results })
    total.passes += stats.passes
    total.failures += stats.failures
    total.pending += stats.pending
  }
  await stopCasePrograms()
  const shown: Run = { peers, skipped: new Map([...skipped, ...broken]), passes }
  const notes = new Notes()
  if (ready.length > 0) {
    for (const pass of passes) console.log(`\nQUIC by ${pass.engine}:\n\n${shortMatrix(shown, pass, notes)}`)
    console.log(`${notes.lines().join('\n')}\n`)
  }
  if (options.write) await write(shown)

  const { failures, pending } = total
  console.log(`${total.passes} passed, ${failures} failed${pending > 0 ? `, ${pending} skipped` : ''}`)
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

/** One that is asked for, or all. Their names are those of MASQUE_QUIC. */
async function enginesToRun(): Promise<string[]> {
  const asked = options.engine ?? process.env.MASQUE_QUIC
  if (asked) return [(await chooseEngine(undefined, { environment: asked })).name]
  const engines: string[] = []
  for (const name of ENGINES) {
    try {
      engines.push((await chooseEngine(name)).name)
    } catch (error) {
      if (!(error instanceof ChoiceError)) throw error
      console.log(`test:interop: engine ${name} skipped: ${error.message}`)
    }
  }
  return engines
}

async function loadTests(peers: readonly Peer[]): Promise<Mocha> {
  const mocha = new Mocha({ reporter: 'spec', timeout: TEST_TIMEOUT_MS, fgrep: options.grep })
  // It runs once for each engine.
  mocha.cleanReferencesAfterRun(false)
  // This is what defines describe, it and the rest. Mocha's own loader would `require` the files first, which by-passes tsx.
  mocha.suite.emit(Mocha.Suite.constants.EVENT_FILE_PRE_REQUIRE, globalThis, '', mocha)
  for (const name of new Set(peers.flatMap(peer => peer.tests))) await import(new URL(name, TESTS).href)
  return mocha
}

/** Another engine changes nothing about those. */
function leaveOutWhatNeedsNoQuic(mocha: Mocha): void {
  const titles = PEERS.filter(({ needsQuic }) => !needsQuic).flatMap(({ columns }) => columns.map(({ suite }) => suite))
  mocha.suite.suites = mocha.suite.suites.filter(({ title }) => !titles.includes(title))
}

function runTests(mocha: Mocha): Promise<{ results: Results; stats: Mocha.Stats }> {
  return new Promise(resolve => {
    const runner: Mocha.Runner = mocha.run(() => resolve({ results, stats: runner.stats as Mocha.Stats }))
    const results = collectResults(runner)
  })
}

/** The page tells of whole runs only: one that lacks a peer, a case or an engine would hide what it lacks. */
async function write(run: Run): Promise<void> {
  const isPartial = options.only !== undefined || options.grep !== undefined || run.skipped.size > 0
  if (isPartial || run.passes.length < ENGINES.length) {
    console.log('docs/interop.md is not written: this run lacks peers, cases or an engine')
    return
  }
  await writeFile(PAGE, page(run))
  await writeFile(CASES, `${JSON.stringify(runnerCases(run.passes), null, 2)}\n`)
  console.log('docs/interop.md and docs/interop-cases.json are written')
}
