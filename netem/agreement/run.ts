/**
 * `npm run test:netem`: do the emulator and the kernel's netem do the same to packets? For every shipped profile both are
 * measured with the same probe, and each property is compared. README.md in this folder has the method.
 *
 *     npm run test:netem                    all profiles
 *     npm run test:netem -- lte bursty      these only
 *     npm run test:netem -- --rounds 1 lte  once, without measuring again what differs
 *
 * The last line of output is `N passed, N failed` or `N passed, N failed, N skipped`.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { constants, setPriority, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { deserialize } from 'node:v8'
import { Command } from 'commander'
import { kernelBackendProblem } from '../../src/link/kernel/kernel-link.ts'
import { loadProfile, profileNames } from '../../src/link/profile/load-profile.ts'
import { runInUml, umlProblem } from '../uml/uml.ts'
import { bundleInside } from './bundle.ts'
import { compare } from './compare.ts'
import { measureEmulator } from './emulator-side.ts'
import type { Measurement, Plan } from './measurement.ts'
import { type CompareOptions, type Noise, noiseOf, toleranceMs } from './noise.ts'
import { planOf } from './plan.ts'
import { printRows } from './report.ts'
import { distributionRows, timelineRow } from './tables.ts'
import type { Row } from './verdict.ts'

/** That a run of all profiles says "differ" although nothing does. Shared out evenly to at most this many tests. */
const FALSE_ALARM = 1e-4
const MOST_TESTS = 1000
/** What differs or could not be measured is measured again: a real difference comes again, a moment's disturbance does not. */
const ROUNDS = 3
const ROUND_TIMEOUT_MS = 600_000
/** No new round that would probably end after this. */
const LATEST_MS = 780_000
/** A round may take so much longer than its share of the one before. */
const ROUND_MARGIN = 1.5
const REPOSITORY = fileURLToPath(new URL('../../', import.meta.url))
/** Measured first in each round: it shows what the backends and the probe add by themselves. */
const UNIMPAIRED = 'clean'

type RunInside = (script: string, progress: (line: string) => void, signal: AbortSignal) => Promise<void>

const stop = new AbortController()
let signalled: NodeJS.Signals | undefined
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(signal, () => {
    signalled = signal
    stop.abort(new Error(`interrupted by ${signal}`))
    // What does not end by itself is killed on exit.
    setTimeout(() => process.exit(128 + constants.signals[signal]), 3000).unref()
  })
}
// Before anything is made that would have to be taken away again.
const program = new Command('npm run test:netem --')
  .description('Measures profiles on the emulator and on the kernel, and compares them.')
  .argument('[profile...]', 'names of shipped profiles; all of them unless said otherwise')
  .option('--rounds <n>', 'how often what differs is measured', String(ROUNDS))
  .parse()
const folder = mkdtempSync(join(tmpdir(), 'masque-agreement-'))
process.once('exit', () => rmSync(folder, { recursive: true, force: true }))

process.exitCode = await main(program.args)
if (signalled) process.exit(128 + constants.signals[signalled])

async function main(wanted: string[]): Promise<number> {
  const known = profileNames()
  const unknown = wanted.find(name => !known.includes(name))
  if (unknown !== undefined) {
    console.error(`test:netem: no profile '${unknown}'; there are ${known.join(', ')}`)
    console.log('0 passed, 1 failed')
    return 2
  }
  const names = wanted.length > 0 ? wanted : known
  const rows = [
    ...distributionRows(),
    ...names
      .map(loadProfile)
      .filter(({ timeline }) => timeline.length > 0)
      .map(timelineRow),
  ]

  const place = await whereToRun()
  if (typeof place === 'string') {
    console.log(`test:netem: the kernel's netem cannot be measured here: ${place}`)
    return finish(rows, planOf(names).cases.length)
  }
  console.log(
    `test:netem: ${names.length} profiles; the kernel's netem ${place.where}, the emulator on the loopback interface`,
  )
  preferUs()
  rows.push(...(await measureInRounds(names, place.run)))
  return finish(rows, 0)
}

/** Where netem can run, or in one line why nowhere. */
async function whereToRun(): Promise<{ where: string; run: RunInside } | string> {
  const problem = kernelBackendProblem()
  if (problem === undefined) return { where: 'on this machine', run: runHere }
  const lacking = await umlProblem()
  const here = problem.message.split('\n', 1)[0]
  if (lacking !== undefined) return `${here}; ${lacking}`
  return {
    where: `in User Mode Linux (${here})`,
    run: async (script, progress, signal) => {
      await runInUml({ script, folder: REPOSITORY, timeoutMs: ROUND_TIMEOUT_MS, signal, onLine: progress })
    },
  }
}

async function runHere(script: string, progress: (line: string) => void, signal: AbortSignal): Promise<void> {
  // Namespaces of its own name, so that a session of the user's is left alone.
  const env = { ...process.env, MASQUE_NETEM_PREFIX: `agree${process.pid}` }
  const child = spawn('bash', ['-c', script], {
    cwd: REPOSITORY,
    stdio: ['ignore', 'inherit', 'pipe'],
    env,
    signal,
    timeout: ROUND_TIMEOUT_MS,
  })
  let rest = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    const lines = (rest + text).split('\n')
    rest = lines.pop() as string
    lines.forEach(progress)
  })
  try {
    const [status] = await once(child, 'close')
    if (status !== 0) throw new Error(`the measurement of the kernel ended with status ${status}: ${rest}`)
  } finally {
    // Interrupted, it leaves its namespaces behind.
    await once(spawn('bash', [join(REPOSITORY, 'netem/topology.sh'), 'down'], { stdio: 'ignore', env }), 'close')
  }
}

/** Measures, compares, and measures again what did not agree. The rows of the last round hold. */
async function measureInRounds(names: readonly string[], run: RunInside): Promise<Row[]> {
  const began = performance.now()
  const results = new Map<string, Row[]>()
  let left = [...names]
  let perProfileMs = 0
  const fits = (profiles: readonly string[]) =>
    performance.now() - began + ROUND_MARGIN * perProfileMs * (profiles.length + 1) < LATEST_MS
  for (let round = 1; round <= Number(program.opts<{ rounds: string }>().rounds) && left.length > 0; round++) {
    // On a machine that is busy there may be time for what differs, and not for what was not measured.
    if (round > 1 && !fits(left))
      left = left.filter(name => results.get(name)?.some(({ verdict }) => verdict === 'differ'))
    if (round > 1 && (left.length === 0 || !fits(left))) break
    const roundBegan = performance.now()
    const measured = [UNIMPAIRED, ...left.filter(name => name !== UNIMPAIRED)]
    if (round > 1) console.log(`\nround ${round}: ${left.join(', ')}`)
    try {
      const rows = await measureOnce(planOf(measured), measured, `agreement ${round}`, run)
      for (const name of left)
        results.set(
          name,
          better(
            results.get(name) ?? [],
            rows.filter(row => row.profile === name),
          ),
        )
    } catch (error) {
      console.error(`test:netem: ${error instanceof Error ? error.message : error}`)
      return [...[...results.values()].flat(), broken(error)]
    }
    perProfileMs = (performance.now() - roundBegan) / measured.length
    left = left.filter(name => results.get(name)?.some(({ verdict }) => verdict !== 'agree'))
    const open = left.flatMap(name => results.get(name)?.filter(({ verdict }) => verdict !== 'agree') ?? [])
    if (open.length > 0) printRows(open)
  }
  return [...results.values()].flat()
}

/** Property by property: what was found to agree once does; what differs must differ each time. */
function better(before: readonly Row[], now: readonly Row[]): Row[] {
  const key = ({ state, direction, property }: Row) => `${state} ${direction} ${property}`
  const rows = new Map(before.filter(({ verdict }) => verdict !== 'not measured').map(row => [key(row), row]))
  for (const row of now) {
    const known = rows.get(key(row))
    if (known === undefined || (known.verdict === 'differ' && row.verdict !== 'not measured')) rows.set(key(row), row)
  }
  return [...rows.values()]
}

/** Both backends at the same time: User Mode Linux keeps one core busy, the emulator and its probe share the other. */
async function measureOnce(plan: Plan, names: readonly string[], seed: string, run: RunInside): Promise<Row[]> {
  const inside = await bundleInside(folder)
  const output = join(folder, 'kernel.bin')
  const quoted = [process.execPath, inside, 'measure', output, ...names].map(
    word => `'${word.replaceAll("'", "'\\''")}'`,
  )
  const total = plan.cases.length + plan.timelines.length
  const progress = (which: string) => {
    let done = 0
    return (line: string) => {
      if (/^[\w-]+( \(|, its timeline)/.test(line)) console.log(`  ${which} ${++done}/${total}: ${line}`)
    }
  }
  const together = new AbortController()
  const signal = AbortSignal.any([stop.signal, together.signal])
  const both = [
    run(quoted.join(' '), progress('kernel  '), signal),
    measureEmulator(plan, seed, progress('emulator'), signal),
  ] as const
  // One that fails ends the other, and both have cleaned up before the error goes on.
  for (const side of both) side.catch(error => together.abort(error))
  await Promise.allSettled(both)
  await both[0]
  const emulator = await both[1]
  const kernel = deserialize(readFileSync(output)) as Measurement
  const clean = plan.cases.findIndex(({ profile, state }) => profile === UNIMPAIRED && state === 'base')
  const [kernelNoise, emulatorNoise] = [kernel, emulator].map(one => noiseOf(one.cases[clean][0]))
  const options: CompareOptions = { falseAlarm: FALSE_ALARM / MOST_TESTS, kernelNoise, emulatorNoise }
  console.log(`  ${[...kernel.notes, ...emulator.notes].join('\n  ')}`)
  console.log(`  unimpaired: ${describe('kernel', kernelNoise)}; ${describe('emulator', emulatorNoise)}`)
  console.log(`  so times agree within ${toleranceMs(kernelNoise, emulatorNoise).toFixed(2)} ms`)
  return compare(plan, kernel, emulator, options)
}

function describe(name: string, { ownMs, spreadMs }: Noise): string {
  return `${name} ${ownMs.up.toFixed(2)} ms up, ${ownMs.down.toFixed(2)} ms down, spread ${spreadMs.toFixed(2)} ms`
}

/** As root: other programs on the machine disturb less. */
function preferUs(): void {
  try {
    setPriority(-10)
  } catch {
    // Not root: what was disturbed is measured again.
  }
}

function broken(error: unknown): Row {
  const why = error instanceof Error ? error.message.split('\n', 1)[0] : String(error)
  return {
    profile: 'all',
    state: '',
    direction: 'up',
    property: 'measurement',
    kernel: '',
    emulator: '',
    difference: why,
    bound: '',
    verdict: 'differ',
  }
}

/** The table, the sums, and the exit status. */
function finish(rows: readonly Row[], skippedCases: number): number {
  printRows(rows)
  const count = (verdict: Row['verdict']) => rows.filter(row => row.verdict === verdict).length
  const [passed, failed] = [count('agree'), count('differ')]
  const skipped = count('not measured') + skippedCases
  console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`)
  return failed > 0 ? 1 : 0
}
