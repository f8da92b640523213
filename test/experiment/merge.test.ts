import { appendFileSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import fc from 'fast-check'
import { type ExperimentDefinition, loadExperiment } from '../../src/experiment/definition.ts'
import { type InvocationOptions, resultsDirectory, runInvocation } from '../../src/experiment/invocation.ts'
import { plan, type Shard, shardOf } from '../../src/experiment/matrix.ts'
import { type MergeOptions, mergeShards } from '../../src/experiment/merge.ts'
import { ResultsError } from '../../src/experiment/results-file.ts'
import type { RunFunction } from '../../src/experiment/runner.ts'
import { loadProfile } from '../../src/link/profile/load-profile.ts'
import { command } from '../support/command.ts'
import { failure } from '../support/loopback.ts'
import { fakeResult, SAMPLE, sampleDefinition } from './sample-experiment.ts'

describe('an experiment in parts', () => {
  let root: string
  let ran: string[]
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'masque-experiment-test-'))
    ran = []
  })
  afterEach(() => rmSync(root, { recursive: true, force: true }))

  const definition = sampleDefinition()
  const fakeRun: RunFunction = async run => {
    ran.push(run.key)
    return fakeResult(10 + Number(run.seed))
  }
  const run = (shard: Shard | undefined, changes: Partial<InvocationOptions> = {}) =>
    runInvocation({
      definition,
      run: fakeRun,
      resultsRoot: root,
      signal: new AbortController().signal,
      command: 'npm run experiment -- sample',
      ...(shard ? { shard } : {}),
      ...changes,
    })
  const merge = (changes: Partial<MergeOptions> = {}) =>
    mergeShards({ definition, folders: [], resultsRoot: root, command: 'npm run experiment -- sample', ...changes })
  const part = (index: number, of: number) => ({ index, of })
  const folderOf = (shard: Shard, of: ExperimentDefinition = definition) => resultsDirectory(of, root, shard)

  it('has each run in one part, and parts of the same length whose seeds are whole where there are enough', () => {
    const counts = fc.record({
      cells: fc.integer({ min: 1, max: 12 }),
      seeds: fc.integer({ min: 1, max: 12 }),
      of: fc.integer({ min: 1, max: 30 }),
    })
    fc.assert(
      fc.property(counts, ({ cells, seeds, of }) => {
        const names = Array.from({ length: seeds }, (_, i) => String(i))
        const all = plan(
          Array.from({ length: cells }, (_, i) => ({ key: `c${i}`, parameters: {} })),
          names,
          'order',
        )
        const parts = Array.from({ length: of }, (_, i) => shardOf(all, part(i + 1, of)))
        expect(parts.flat()).to.deep.equal(all)
        const sizes = parts.map(({ length }) => length)
        expect(Math.max(...sizes) - Math.min(...sizes)).to.be.at.most(1)
        if (seeds % of !== 0) return
        for (const runs of parts) {
          for (const seed of new Set(runs.map(run => run.seed))) {
            expect(runs.filter(run => run.seed === seed)).to.have.length(cells)
          }
        }
      }),
    )
  })

  it('gives the same report and the same table as one machine', async () => {
    for (const index of [2, 3, 1]) await run(part(index, 3))
    const parts = [...ran]
    const { directory, ...merged } = merge()
    expect(merged).to.deep.include({ planned: 15, done: 15, failed: 0, lacking: [] })
    const whole = await run(undefined, { out: join(root, 'whole') })
    expect(parts.toSorted()).to.deep.equal(ran.slice(parts.length).toSorted())
    const text = (folder: string, file: string) =>
      readFileSync(join(folder, file), 'utf8')
        // Each line says when, for how long and under which load.
        .replace(/\d{4}-\d\d-\d\dT[\d:.]+Z|\d{4}-\d\d-\d\d/g, 'WHEN')
        // Said or not, by what else the machine does while this test runs.
        .replace(/^\*\*The machine was busy\*\*.*\n\n/m, '')
    expect(text(directory, 'report.md').split('## Set-up')[0]).to.equal(
      text(whole.directory, 'report.md').split('## Set-up')[0],
    )
    expect(readdirSync(join(directory, 'figures'))).to.deep.equal(readdirSync(join(whole.directory, 'figures')))
    const rows = (folder: string) =>
      text(folder, 'results.csv')
        .split('\r\n')
        .map(row => row.split(',').slice(0, 8))
    expect(rows(directory)).to.deep.equal(rows(whole.directory))
  })

  it('says of a part what it is part of, and writes no report that could be taken for the whole', async () => {
    const { directory, outcome } = await run(part(1, 3))
    expect(outcome).to.include({ planned: 5, done: 5 })
    expect(readdirSync(directory)).to.deep.equal(['results.jsonl'])
    const [header, first] = readFileSync(join(directory, 'results.jsonl'), 'utf8').split('\n')
    expect(JSON.parse(header).shard).to.deep.equal({ index: 1, of: 3 })
    expect(JSON.parse(first).versions).to.include.keys('masqueLab', 'node')
    const other = await failure(run(part(2, 3), { out: directory }), ResultsError)
    expect(other.message).to.include('holds part 1 of 3 of the runs, and part 2 of 3 was asked for')
  })

  it('goes on with a part that was killed, and does not run again what is done', async () => {
    const controller = new AbortController()
    const stopping: RunFunction = async (planned, context) => {
      if (ran.length === 2) {
        controller.abort()
        throw context.signal.reason
      }
      return fakeRun(planned, context)
    }
    await run(part(1, 3), { run: stopping, signal: controller.signal })
    appendFileSync(join(folderOf(part(1, 3)), 'results.jsonl'), '{"type":"run","key":"ha')
    expect(merge().lacking[0]).to.deep.include({ shard: part(1, 3), missing: 3, failed: 0 })
    await run(part(1, 3))
    expect(new Set(ran).size).to.equal(5)
    expect(ran).to.have.length(5)
  })

  it('is merged as far as it goes; parts that are missing or have failed are named, and later ones added', async () => {
    await run(part(1, 3))
    await run(part(3, 3), {
      run: async () => {
        throw new Error('no route')
      },
    })
    const first = merge()
    expect(first).to.deep.include({ planned: 15, done: 5, failed: 5 })
    expect(first.lacking).to.deep.equal([
      { shard: part(2, 3), folder: undefined, missing: 5, failed: 0 },
      { shard: part(3, 3), folder: folderOf(part(3, 3)), missing: 0, failed: 5 },
    ])
    expect(readFileSync(join(first.directory, 'report.md'), 'utf8')).to.include('5 of 15 runs are missing')
    await run(part(2, 3))
    await run(part(3, 3), { retryFailed: true })
    expect(merge()).to.deep.include({ done: 15, failed: 0, lacking: [] })
    const lines = readFileSync(join(first.directory, 'results.jsonl'), 'utf8')
    merge()
    expect(readFileSync(join(first.directory, 'results.jsonl'), 'utf8')).to.equal(lines)
  })

  it('is not merged with parts of another experiment, of other versions, or twice, each of which is named', async () => {
    await run(part(1, 2))
    const other = sampleDefinition(SAMPLE.replace('duration_s = 2', 'duration_s = 3'))
    await run(part(2, 2), { definition: other, out: join(root, 'other') })
    await run(part(1, 2), { out: join(root, 'twice') })
    const { directory } = await run(part(2, 2), { out: join(root, 'version') })
    const file = join(directory, 'results.jsonl')
    writeFileSync(file, readFileSync(file, 'utf8').replaceAll(/"masqueLab":"[^"]*"/g, '"masqueLab":"0.0.1"'))
    await run(undefined, { out: join(root, 'all') })
    const folders = ['other', 'twice', 'version', 'all'].map(name => join(root, name))
    const merged = () => merge({ folders: [folderOf(part(1, 2)), ...folders], out: join(root, 'out') })
    expect(merged).to.throw(ResultsError, /other holds results of another experiment: durationMs was 3000 and is 2000/)
    expect(merged).to.throw(ResultsError, /twice and .* both hold part 1 of 2/)
    expect(merged).to.throw(ResultsError, /version was run by masque-lab 0\.0\.1/)
    expect(merged).to.throw(ResultsError, /all holds no part/)
    expect(existsSync(join(root, 'out'))).to.equal(false)
    expect(() => merge({ folders: [join(root, 'none')] })).to.throw(ResultsError, 'there is no such folder')
    expect(() => merge({ folders: [root], out: root })).to.not.throw(TypeError)
  })

  it('names the command of what is missing, and ends with status 1', async () => {
    const file = join(root, 'sample.toml')
    writeFileSync(file, SAMPLE)
    const loaded = loadExperiment(file, { loadProfile })
    const out = join(root, 'first')
    await run(part(1, 2), { definition: loaded, out })
    const { status, stdout } = await command(['experiment', 'merge', file, out, '--out', join(root, 'all')])
    expect(stdout).to.match(/^7 of 15 runs done$/m)
    expect(stdout).to.include(`part 2 of 2: 8 runs are missing`).and.include(`experiment -- ${file} --shard 2/2\n`)
    expect(status).to.equal(1)
  })
})
