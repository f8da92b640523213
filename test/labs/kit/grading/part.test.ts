import { appendFileSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import fc from 'fast-check'
import { againCommand, MissingPartsError, mergeReports, readParts } from '../../../../labs/kit/grading/merge.ts'
import { inputsOf, Part, shardOf, UNFINISHED } from '../../../../labs/kit/grading/part.ts'
import {
  FORMAT,
  type Report,
  ReportError,
  type Result,
  type Run,
  VERSION,
} from '../../../../labs/kit/grading/results.ts'
import type { Subject } from '../../../../labs/kit/grading/subjects.ts'
import { sampleLab, sampleTask } from '../sample-lab.ts'

const lab = sampleLab([sampleTask()])
const RUN: Run = { version: '1', commit: 'abc', asked: { labs: [lab.id] }, inputs: 'f00d', results: 4 }
const MADE = { isolation: ['a wall'], node: ['20.20.2'] }

function subject(name: string, content = 'x'): Subject {
  const layers = () => ({ files: [new Map([['a.ts', Buffer.from(content)]])], notes: [] })
  return { kind: 'submission', name, lab, seed: name, tasks: lab.tasks, layers }
}

function result(name: string, problems: string[] = []): Result {
  const points = { points: 0, of: 5, tasks: [], notes: [] }
  return { kind: 'submission', name, lab: lab.id, seed: name, ...points, problems }
}

describe('a part of a run', () => {
  let folder: string
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'masque-part-test-'))
  })
  afterEach(() => rmSync(folder, { recursive: true, force: true }))
  const file = (index: number) => join(folder, `part-${index}.json`)

  const reportOf = (index: number, results: Result[], changes: Partial<Report> = {}): Report => ({
    format: FORMAT,
    version: VERSION,
    mode: 'submissions',
    shard: { index, of: 2, command: ['--lab', '99', '--shard', `${index}/2`, '--json', `out 9/part-${index}.json`] },
    run: RUN,
    ...MADE,
    labs: [],
    results,
    ...changes,
  })
  const open = (index: number, again = false, run = RUN) =>
    Part.open(file(index), { run, shard: { index, of: 2 }, made: MADE }, again)
  const grade = (part: Part, index: number, results: Result[]) => {
    for (const one of results) part.append(one)
    part.finish(JSON.stringify(reportOf(index, [...part.kept, ...results])))
  }

  it('shares nothing with the others, leaves nothing out, and is as large as they are', () => {
    const weights = fc.array(fc.integer({ min: 1, max: 20 }), { maxLength: 60 })
    fc.assert(
      fc.property(weights, fc.integer({ min: 1, max: 70 }), (tasks, of) => {
        const all = tasks.map((weight, id) => ({ id, weight }))
        const parts = Array.from({ length: of }, (_, i) => shardOf(all, { index: i + 1, of }, ({ weight }) => weight))
        const ids = parts.flat().map(({ id }) => id)
        expect(ids.sort((a, b) => a - b)).to.deep.equal(all.map(({ id }) => id))
        const sizes = parts.map(part => part.length)
        expect(Math.max(...sizes) - Math.min(...sizes)).to.be.at.most(1)
        // Dealt in order of their weight, two parts differ by one of the heaviest at most.
        const loads = parts.map(part => part.reduce((sum, { weight }) => sum + weight, 0))
        expect(Math.max(...loads) - Math.min(...loads)).to.be.at.most(Math.max(0, ...tasks))
      }),
    )
  })

  it('goes on where it was killed, without the half of a line that was being written', () => {
    const first = open(1)
    first.append(result('ada'))
    first.append(result('bob'))
    first.close()
    appendFileSync(file(1) + UNFINISHED, '{"kind":"submission","name":"ev')
    const second = open(1)
    expect(second.notice).to.equal(undefined)
    expect(second.rest(['ada', 'bob', 'eve'].map(name => subject(name))).map(({ name }) => name)).to.deep.equal(['eve'])
    grade(second, 1, [result('eve')])
    expect(readdirSync(folder)).to.deep.equal(['part-1.json'])
    expect(JSON.parse(readFileSync(file(1), 'utf8')).results.map(({ name }: Result) => name)).to.deep.equal([
      'ada',
      'bob',
      'eve',
    ])
  })

  it('that is done is not graded again, but for what could not be graded, and when that is asked for', () => {
    grade(open(1), 1, [result('ada'), result('bob', ['first: the worker ended'])])
    const rest = (part: Part) => {
      part.close()
      return part.rest([subject('ada'), subject('bob')]).map(({ name }) => name)
    }
    expect(rest(open(1))).to.deep.equal(['bob'])
    expect(rest(open(1, true))).to.deep.equal(['ada', 'bob'])
  })

  it('is graded anew when the submissions, the labs or the question have changed since', () => {
    grade(open(1), 1, [result('ada')])
    const changes: [Partial<Run>, RegExp][] = [
      [{ inputs: 'cafe' }, /what they graded is not the same/],
      [{ commit: 'def' }, /by commit abc, and by def/],
      [{ version: '2' }, /by version 1 of the labs, and by 2/],
      [{ asked: { labs: [] } }, /asked for was/],
    ]
    for (const [change, says] of changes) {
      const part = open(1, false, { ...RUN, ...change })
      part.close()
      expect(part.kept).to.deep.equal([])
      expect(part.notice)
        .to.match(says)
        .and.match(/graded anew/)
      rmSync(file(1) + UNFINISHED)
    }
    expect(inputsOf([subject('ada', 'a')])).to.not.equal(inputsOf([subject('ada', 'b')]))
    expect(inputsOf([subject('ada', 'a')])).to.equal(inputsOf([subject('ada', 'a')]))
  })

  it('says where it ran, on each machine that worked at it', () => {
    open(1).close()
    const elsewhere = { isolation: ['another wall'], node: ['22.1.0'] }
    const part = Part.open(file(1), { run: RUN, shard: { index: 1, of: 2 }, made: elsewhere }, false)
    part.close()
    expect(part.made).to.deep.equal({ isolation: ['a wall', 'another wall'], node: ['20.20.2', '22.1.0'] })
  })

  it('is named by the merge with the command that makes it, when it is missing or was begun', () => {
    writeFileSync(file(1), JSON.stringify(reportOf(1, [result('ada'), result('bob')])))
    const merged = () => {
      const { parts, unfinished } = readParts([folder])
      return mergeReports(parts, unfinished)
    }
    const command = "npm run check-solutions -- --lab 99 --shard 2/2 --json 'out 9/part-2.json'"
    expect(merged).to.throw(MissingPartsError, `part 2 of 2 is missing\n  ${command}`)
    open(2).close()
    expect(merged).to.throw(MissingPartsError, `${command}  # goes on with ${file(2)}${UNFINISHED}`)
    grade(open(2), 2, [result('eve'), result('zoe')])
    expect(existsSync(file(2) + UNFINISHED)).to.equal(false)
    expect(merged().results.map(({ name }) => name)).to.have.members(['ada', 'bob', 'eve', 'zoe'])
    expect(merged()).to.not.have.property('shard')
  })

  it('is refused by the merge when it is of another run, twice there, or shorter than it was, each with its name', () => {
    const part = (name: string, index: number, changes: Partial<Report> = {}) => ({
      file: name,
      report: reportOf(index, [result(`${name} 1`), result(`${name} 2`)], changes),
    })
    const run = (changes: Partial<Run>) => ({ run: { ...RUN, ...changes } })
    const of =
      (...parts: Parameters<typeof mergeReports>[0]) =>
      () =>
        mergeReports(parts)
    expect(of(part('a', 1), part('b', 2, run({ commit: 'def' })), part('c', 2, run({ inputs: 'x' })))).to.throw(
      ReportError,
      /^b and a are parts of different runs: by commit def, and by abc\nc and a .*: what they graded is not the same$/,
    )
    expect(of(part('a', 1), part('b', 1))).to.throw(ReportError, 'b and a are both part 1 of 2')
    expect(of(part('a', 1), part('b', 2, { results: [] }))).to.throw(ReportError, '2 results of 4')
    expect(of(part('a', 1), part('b', 2))).to.not.throw()
    expect(of(part('a', 1), part('b', 2, { run: undefined }))).to.throw(ReportError, 'does not say which')
  })

  it('whose submissions could not all be graded is named with the command that tries them again', () => {
    const whole = { file: 'a', report: reportOf(1, [result('ada')]) }
    expect(againCommand(whole)).to.equal(undefined)
    const failed = { file: 'b', report: reportOf(1, [result('ada'), result('bob', ['the worker ended'])]) }
    expect(againCommand(failed)).to.match(/^b: 1 of 2 could not be graded.*\n {2}npm run .* --shard 1\/2 /)
  })
})
