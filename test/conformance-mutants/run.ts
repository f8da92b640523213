/**
 * `npm run test:conformance-mutants`: does each row of docs/conformance.md, and each attack, have a test that would notice?
 *
 * For each entry of mutants.ts, one line of the code that meets a row is changed in a scratch copy of the repository, and the tests whose
 * titles name that row are run there. At least one must fail, and none when nothing is changed. Arguments: ids of rows (all without).
 * The last line of output is `N passed, N failed`.
 */
import { spawn } from 'node:child_process'
import { cpSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { styleText } from 'node:util'
import { Command } from 'commander'
import { transform } from 'esbuild'
import { filesBelow } from '../docs/repository.ts'
import { ATTACK, idsInTitles, REQUIREMENT } from '../docs/titles.ts'
import { ended, scratchFolder } from '../support/scratch.ts'
import { type Mutant, mutate } from './mutant.ts'
import { MUTANTS } from './mutants.ts'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
/** What the tests of the rows read: everything but what is generated. */
const COPIED = [
  'bin',
  'src',
  'test',
  'labs',
  'solutions',
  'netem',
  'cert',
  'config',
  'docs',
  'package.json',
  'tsconfig.json',
]
/** Each needs a core of its own, as the tests have deadlines. */
const AT_A_TIME = 2
/**
 * For one test, and for all of a row. A mutant may also be noticed because nothing comes to an end any more, which nobody wants to wait for; tests that need longer
 * say so themselves. What is as it should be may take its time on a machine that is busy.
 */
const LIMITS = { mutant: { testMs: 20_000, rowMs: 120_000 }, unchanged: { testMs: 180_000, rowMs: 600_000 } }

interface Outcome {
  /** Whether a test failed; undefined where no test could run, which shows nothing. */
  noticed: boolean | undefined
  output: string
}

const program = new Command('npm run test:conformance-mutants --')
  .description('Does each row of docs/conformance.md, and each attack, have a test that would notice?')
  .argument('[row...]', 'ids of rows, CIP-14 for instance; all of them unless said otherwise')
  .parse()
process.exitCode = await main(program.args)

async function main(wanted: readonly string[]): Promise<number> {
  const mutants = MUTANTS.filter(({ row }) => wanted.length === 0 || wanted.includes(row))
  if (mutants.length === 0) {
    console.error(
      `no mutant for ${wanted.join(', ')}: ids of rows in docs/conformance.md are expected, CIP-14 for instance`,
    )
    return 1
  }
  const scratches = await Promise.all(Array.from({ length: AT_A_TIME }, () => makeScratch()))
  let passed = 0
  let failed = 0
  const work = mutants.values()
  const tests = testFiles()
  /** By row: what its tests say before anything is changed. */
  const before = new Map<string, Promise<Outcome>>()
  await Promise.all(
    scratches.map(async scratch => {
      for (const mutant of work) {
        const files = tests.get(mutant.row) ?? []
        if (!before.has(mutant.row)) before.set(mutant.row, runTests(scratch, files, mutant.row, LIMITS.unchanged))
        const unchanged = await before.get(mutant.row)
        const verdict =
          unchanged?.noticed === false
            ? await tryMutant(scratch, mutant, files)
            : `the tests of the row fail as it is, too:\n${unchanged?.output}`
        if (verdict === undefined) passed++
        else failed++
        console.log(describe(mutant, verdict))
      }
    }),
  )
  console.log(`\n${passed} passed, ${failed} failed`)
  return failed === 0 ? 0 : 1
}

async function makeScratch(): Promise<string> {
  const scratch = scratchFolder('masque-conformance-')
  for (const name of COPIED) cpSync(join(ROOT, name), join(scratch, name), { recursive: true })
  symlinkSync(join(ROOT, 'node_modules'), join(scratch, 'node_modules'), 'dir')
  const files = ['src', 'test', 'labs'].flatMap(folder => filesBelow(folder, ['.ts', '.tsx']))
  await Promise.all(
    files.map(async file =>
      writeFileSync(join(scratch, file), await translate(file, readFileSync(join(ROOT, file), 'utf8'))),
    ),
  )
  return scratch
}

/** TypeScript to JavaScript. */
async function translate(file: string, text: string): Promise<string> {
  const { code } = await transform(text, { loader: file.endsWith('x') ? 'tsx' : 'ts', format: 'esm', target: 'esnext' })
  return code
}

/** Test files by the id that a title in them names; `interop/` runs elsewhere. */
function testFiles(): Map<string, string[]> {
  const files = new Map<string, string[]>()
  for (const pattern of [REQUIREMENT, ATTACK]) {
    for (const [file, ids] of idsInTitles(pattern)) {
      if (file.startsWith('test/')) for (const id of ids) files.set(id, [...(files.get(id) ?? []), file])
    }
  }
  return files
}

/** Undefined when the row's tests notice; otherwise what is wrong. */
async function tryMutant(scratch: string, mutant: Mutant, tests: readonly string[]): Promise<string | undefined> {
  if (tests.length === 0) return 'no test under test/ names the row'
  const original = readFileSync(join(ROOT, 'src', mutant.file), 'utf8')
  const file = join(scratch, 'src', mutant.file)
  const inScratch = readFileSync(file, 'utf8')
  const mutated = mutate(original, mutant)
  writeFileSync(file, /\.tsx?$/.test(file) ? await translate(file, mutated) : mutated)
  try {
    // The unit test of the same file mostly notices, and takes a fraction of the time that the others take to be loaded.
    const near = tests.filter(test => test === `test/${mutant.file.replace(/\.ts$/, '.test.ts')}`)
    const far = tests.filter(test => !near.includes(test))
    for (const stage of [near, far].filter(stage => stage.length > 0)) {
      const { noticed, output } = await runTests(scratch, stage, mutant.row)
      if (noticed === undefined) return `no test could run, which shows nothing:\n${output}`
      if (noticed) return undefined
    }
    return `not noticed by ${tests.join(', ')}`
  } finally {
    writeFileSync(file, inScratch)
  }
}

async function runTests(
  folder: string,
  tests: readonly string[],
  id: string,
  { testMs, rowMs } = LIMITS.mutant,
): Promise<Outcome> {
  const child = spawn(process.execPath, ['test/conformance-mutants/tests-of-a-row.mjs', String(testMs), id, ...tests], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'pipe'],
    // A group of its own: what a test has started and a mutant has kept from ending goes with it.
    detached: process.platform !== 'win32',
    env: { ...process.env, FORCE_COLOR: '0', NO_COLOR: '1', MASQUE_TEST_PATIENCE_MS: '50000' },
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', text => (output += text))
  const timer = setTimeout(() => child.kill('SIGKILL'), rowMs)
  const [status, signal] = await ended(child, { leads: true })
  clearTimeout(timer)
  const ran = /^ +\d+ (?:passing|failing)/m.test(output)
  // A process that ended in the middle, or did not end at all, has noticed too.
  const noticed = signal !== null || (ran ? status !== 0 : undefined)
  return { noticed, output: output.slice(-2000) }
}

function describe({ row, file, why }: Mutant, verdict: string | undefined): string {
  const mark = verdict === undefined ? styleText('green', 'ok  ') : styleText('red', 'FAIL')
  return `  ${mark}  ${row}  ${file}: ${why}${verdict === undefined ? '' : `\n        ${verdict}`}`
}
