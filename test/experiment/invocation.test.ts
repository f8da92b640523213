import { spawnSync } from 'node:child_process'
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { expect } from 'chai'
import { type InvocationOptions, runInvocation } from '../../src/experiment/invocation.ts'
import type { PlannedRun } from '../../src/experiment/matrix.ts'
import { ResultsError, type RunLine } from '../../src/experiment/results-file.ts'
import type { Progress, RunFunction } from '../../src/experiment/runner.ts'
import { failure } from '../support/loopback.ts'
import { fakeResult, SAMPLE, sampleDefinition } from './sample-experiment.ts'

describe('one call of npm run experiment', () => {
  let root: string
  let ran: string[]
  let notices: string[]
  /** As often as each cell is to fail, by run key. */
  let failing: Map<string, number>

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'masque-experiment-test-'))
    ran = []
    notices = []
    failing = new Map()
  })
  afterEach(() => rmSync(root, { recursive: true, force: true }))

  const fakeRun: RunFunction = async (run: PlannedRun) => {
    ran.push(run.key)
    const left = failing.get(run.key) ?? 0
    if (left > 0) {
      failing.set(run.key, left - 1)
      throw new Error('the tunnel fell down')
    }
    return fakeResult(10 + Number(run.seed))
  }

  function invocation(changes: Partial<InvocationOptions> = {}) {
    return runInvocation({
      definition: sampleDefinition(),
      run: fakeRun,
      resultsRoot: root,
      signal: new AbortController().signal,
      command: 'npm run experiment -- sample',
      onNotice: sentence => notices.push(sentence),
      ...changes,
    })
  }

  const linesOf = (directory: string): RunLine[] =>
    readFileSync(join(directory, 'results.jsonl'), 'utf8')
      .trim()
      .split('\n')
      .slice(1)
      .map(line => JSON.parse(line))

  it('records each run as a line with parameters, seed, measurements, machine and versions', async () => {
    const { directory, outcome } = await invocation()
    expect(outcome).to.include({ planned: 15, done: 15, failed: 0, left: 0, interrupted: false })
    const lines = linesOf(directory)
    expect(lines).to.have.length(15)
    expect(lines[0].parameters).to.include({ congestion_control: 'cubic' })
    expect(lines[0].measurements).to.have.property('ping.rtt_p50_ms')
    expect(lines[0].machine.cores).to.be.greaterThan(0)
    expect(lines[0].versions.node).to.equal(process.versions.node)
  })

  it('does nothing again that is done', async () => {
    await invocation()
    ran = []
    const { outcome } = await invocation()
    expect(ran).to.deep.equal([])
    expect(outcome.done).to.equal(15)
  })

  it('does only what is new when seeds and values are added', async () => {
    await invocation({ definition: sampleDefinition(SAMPLE, { seeds: 1 }) })
    ran = []
    await invocation({ definition: sampleDefinition(SAMPLE, { seeds: 2 }) })
    expect(ran).to.have.length(5)
    expect(ran.every(key => key.endsWith('seed=2'))).to.equal(true)
  })

  it('keeps what it has when it is interrupted, gives up the run under way, and goes on from there', async () => {
    const controller = new AbortController()
    const run: RunFunction = async (planned, context) => {
      if (ran.length === 4) {
        controller.abort(new Error('Ctrl-C'))
        throw context.signal.reason
      }
      return fakeRun(planned, context)
    }
    const { directory, outcome } = await invocation({ run, signal: controller.signal })
    expect(outcome).to.include({ done: 4, failed: 0, left: 11, interrupted: true })
    expect(linesOf(directory)).to.have.length(4)
    expect(readFileSync(join(directory, 'report.md'), 'utf8')).to.include('11 of 15 runs are missing')
    const before = ran
    ran = []
    expect((await invocation()).outcome).to.include({ done: 15, left: 0 })
    expect(new Set([...before, ...ran]).size).to.equal(15)
  })

  it('cuts off a torn last line, says so, and does that run again', async () => {
    const { directory } = await invocation()
    const path = join(directory, 'results.jsonl')
    const whole = readFileSync(path, 'utf8')
    writeFileSync(path, whole.slice(0, -30))
    ran = []
    await invocation()
    expect(ran).to.have.length(1)
    expect(notices.join()).to.include('was not finished')
    const lines = linesOf(directory)
    expect(lines).to.have.length(15)
    expect(new Set(lines.map(line => line.key)).size).to.equal(15)
  })

  it('leaves out a line that is no result, and says which', async () => {
    const { directory } = await invocation()
    appendFileSync(join(directory, 'results.jsonl'), 'not json\n')
    await invocation()
    expect(notices.join()).to.include('results.jsonl:17')
  })

  it('begins again when not even the first line was finished', async () => {
    const { directory } = await invocation()
    writeFileSync(join(directory, 'results.jsonl'), '{"type":"experi')
    ran = []
    expect((await invocation()).outcome.done).to.equal(15)
    expect(ran).to.have.length(15)
  })

  it('tries a run that failed once more, at the end', async () => {
    const key =
      'clients=1 congestion_control=cubic encapsulation=datagram idle_timeout_ms=30000 max_udp_payload=1400 packet_size=1200 packets_per_second=200 profile=loss-5 seed=1'
    failing.set(key, 1)
    const { directory, outcome } = await invocation()
    expect(outcome).to.include({ done: 15, failed: 0 })
    expect(ran[ran.length - 1]).to.equal(key)
    const lines = linesOf(directory).filter(line => line.key === key)
    expect(lines.map(line => [line.attempt, line.status, line.error])).to.deep.equal([
      [1, 'failed', 'the tunnel fell down'],
      [2, 'ok', undefined],
    ])
  })

  it('gives up a run that failed twice, reports it, and tries it again only when asked to', async () => {
    const failingRun: RunFunction = async (run, context) => {
      if (run.cell.parameters.profile === 'loss-10') failing.set(run.key, 1)
      return fakeRun(run, context)
    }
    const { directory, outcome } = await invocation({ run: failingRun })
    expect(outcome).to.include({ done: 12, failed: 3 })
    expect(readFileSync(join(directory, 'report.md'), 'utf8')).to.include('3 ×: the tunnel fell down')
    failing.clear()
    ran = []
    expect((await invocation()).outcome).to.include({ done: 12, failed: 3 })
    expect(ran).to.deep.equal([])
    expect((await invocation({ retryFailed: true })).outcome).to.include({ done: 15, failed: 0 })
  })

  it('begins in another folder when what is measured has changed, and says what', async () => {
    const { directory } = await invocation()
    const changed = sampleDefinition(SAMPLE.replace('duration_s = 2', 'duration_s = 4'))
    const after = await invocation({ definition: changed })
    expect(after.directory).not.to.equal(directory)
    expect(notices.join()).to.include('durationMs was 2000 and is 4000')
    expect(linesOf(directory)).to.have.length(15)
  })

  it('does not mix two definitions in one folder, and says what has changed', async () => {
    const out = join(root, 'out')
    await invocation({ out })
    const changed = sampleDefinition(SAMPLE.replace('interval_ms = 50', 'interval_ms = 20'))
    const error = await invocation({ out, definition: changed }).then(
      () => undefined,
      reason => reason,
    )
    expect(error).to.be.instanceOf(ResultsError)
    expect(error.message).to.include('probes.0.options.interval_ms was 50 and is 20').and.to.include('--fresh')
    await invocation({ out, definition: changed, fresh: true })
    expect(linesOf(out)).to.have.length(15)
    expect(readdirSync(out).some(name => name.startsWith('results-before-'))).to.equal(true)
  })

  it('refuses a folder that another process is writing to, and takes over one whose process has died', async () => {
    const out = join(root, 'out')
    await invocation({ out })
    writeFileSync(join(out, 'lock'), String(process.ppid))
    const error = await invocation({ out }).then(
      () => undefined,
      reason => reason,
    )
    expect(error).to.be.instanceOf(ResultsError)
    // The largest process id that Linux has is 2^22.
    writeFileSync(join(out, 'lock'), String(2 ** 22 + 1))
    await invocation({ out })
    expect(existsSync(join(out, 'lock'))).to.equal(false)
  })

  it('AT-16 refuses a folder with somebody’s results.jsonl or report.md, and changes nothing in it', async () => {
    const theirs: [file: string, content: string][] = [
      ['results.jsonl', '{"a":1}\n{"a":2}\nnot finished'],
      ['results.jsonl', 'not finished'],
      ['results.jsonl', '{"type":"run"}\n'],
      ['report.md', '# My thesis\n'],
      ['results.csv', 'a;b\n'],
      ['figures/mine.svg', '<svg/>'],
      ['lock', 'the combination is 1234'],
    ]
    for (const [i, [file, content]] of theirs.entries()) {
      const out = join(root, `out-${i}`)
      mkdirSync(dirname(join(out, file)), { recursive: true })
      writeFileSync(join(out, file), content)
      const error = await failure(invocation({ out }), ResultsError)
      expect(error.message).to.include(file.split('/')[0]).and.to.include('--out').and.not.include('\n')
      expect(readFileSync(join(out, file), 'utf8')).to.equal(content)
      expect(readdirSync(out, { recursive: true }).sort()).to.deep.equal(
        file.includes('/') ? [dirname(file), file] : [file],
      )
    }
    expect(ran).to.deep.equal([])
  })

  it('AT-16 puts everything of somebody else’s aside with --fresh, and overwrites nothing that was put aside before', async () => {
    const out = join(root, 'out')
    mkdirSync(join(out, 'figures'), { recursive: true })
    for (let i = 0; i < 3; i++) {
      rmSync(join(out, 'results.jsonl'), { force: true })
      writeFileSync(join(out, 'report.md'), `thesis ${i}`)
      writeFileSync(join(out, 'figures', 'mine.svg'), `<svg id="${i}"/>`)
      await invocation({ out, fresh: true })
    }
    const all = readdirSync(out, { recursive: true, encoding: 'utf8' })
      .filter(name => /before/.test(name) && statSync(join(out, name)).isFile())
      .map(name => readFileSync(join(out, name), 'utf8'))
    for (let i = 0; i < 3; i++) expect(all).to.include.members([`thesis ${i}`, `<svg id="${i}"/>`])
  })

  it('AT-16 knows its own: results, what was left by a process that was killed while it began, and other names', async () => {
    for (const begun of ['', '{"type":"exp', '{"type":"experiment","name":"sam']) {
      const out = join(root, `begun-${begun.length}`)
      mkdirSync(out)
      writeFileSync(join(out, 'results.jsonl'), begun)
      writeFileSync(join(out, 'notes.md'), 'mine')
      const { outcome } = await invocation({ out })
      expect(outcome.done).to.equal(15)
      await invocation({ out })
      expect(readFileSync(join(out, 'notes.md'), 'utf8')).to.equal('mine')
    }
  })

  it('AT-20 says in one sentence that results cannot be written', async () => {
    writeFileSync(join(root, 'file'), '')
    mkdirSync(join(root, 'folder', 'results.jsonl', 'full'), { recursive: true })
    mkdirSync(join(root, 'report', 'report.md', 'full'), { recursive: true })
    const cases: [out: string, sentence: RegExp][] = [
      [join(root, 'file'), /a file stands where a folder is expected; move it away/],
      [join(root, 'file', 'out'), /a file stands where a folder is expected; move it away/],
      [join(root, 'folder'), /holds results\.jsonl, which no experiment has written/],
      [join(root, 'report'), /holds report\.md/],
    ]
    for (const [out, sentence] of cases) {
      const error = await failure(invocation({ out }), ResultsError)
      expect(error.message).to.match(sentence).and.not.include('\n')
    }
  })

  it('AT-20 keeps what was measured when the disk is full, and goes on when there is room', async function () {
    const disk = smallDisk(root)
    if (disk === undefined) this.skip()
    try {
      const error = await failure(invocation({ out: disk.path }), ResultsError)
      expect(error.message)
        .to.match(/the disk is full; make room, and the same command goes on/)
        .and.not.include('\n')
      const before = ran.length
      expect(before).to.be.greaterThan(1)
      disk.makeRoom()
      ran = []
      const { outcome } = await invocation({ out: disk.path })
      expect(outcome).to.include({ done: 15, failed: 0, left: 0 })
      // The run whose line did not fit is done again.
      expect(ran.length).to.be.within(15 - before, 15 - before + 2)
    } finally {
      disk.remove()
    }
  })

  it('tells how much is done and how long it will take', async () => {
    const seen: Progress[] = []
    let clock = 0
    const run: RunFunction = async (planned, context) => {
      clock += 1000
      return fakeRun(planned, context)
    }
    const options = { definition: sampleDefinition(SAMPLE, { seeds: 1 }), run, now: () => clock }
    await invocation({ ...options, onProgress: progress => seen.push(progress) })
    expect(seen[0]).to.include({ total: 5, done: 0, leftMs: undefined })
    expect(seen.find(progress => progress.done === 2)?.leftMs).to.equal(3000)
    expect(seen[seen.length - 1]).to.include({ done: 5, leftMs: 0 })
  })

  it('writes a table for spreadsheets with a column for each parameter and measure', async () => {
    failing.set('none', 0)
    const { directory } = await invocation()
    const [header, ...rows] = readFileSync(join(directory, 'results.csv'), 'utf8').trim().split('\r\n')
    expect(header.split(',')).to.include.members(['profile', 'seed', 'status', 'ping.rtt_p50_ms', 'ping.jitter_ms'])
    expect(rows).to.have.length(15)
    expect(rows.every(row => row.split(',').length === header.split(',').length)).to.equal(true)
  })

  it('reports question, set-up, medians with intervals, figures, and how to repeat it; and no path of this machine', async () => {
    const { directory } = await invocation({ definition: sampleDefinition(SAMPLE, { seeds: 7 }) })
    const report = readFileSync(join(directory, 'report.md'), 'utf8')
    for (const part of ['# Sample', '> Does it count?', 'interval_ms = 50', 'npm run experiment -- sample']) {
      expect(report).to.include(part)
    }
    expect(report).to.match(/\| loss-5 \| single-stream \| 7 \|.* 14 \[1[1-4](\.\d)?, 1[4-7](\.\d)?\]/)
    for (const [, file] of report.matchAll(/\]\((figures\/[^)]+)\)/g)) {
      expect(readFileSync(join(directory, file), 'utf8')).to.match(/^<svg /)
    }
    expect(report).not.to.include(root)
  })
})

/** A file system of a few kilobytes, where this user may mount one. */
function smallDisk(root: string): { path: string; makeRoom(): void; remove(): void } | undefined {
  const path = join(root, 'disk')
  mkdirSync(path)
  const mounted = (...args: string[]) => spawnSync('mount', args, { stdio: 'ignore' }).status === 0
  if (!mounted('-t', 'tmpfs', '-o', 'size=12k', 'masque-test', path)) return undefined
  return {
    path,
    makeRoom: () => expect(mounted('-o', 'remount,size=4m', path)).to.equal(true),
    remove: () => spawnSync('umount', [path]),
  }
}
