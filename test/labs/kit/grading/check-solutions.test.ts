import { mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { grade } from '../../../../labs/kit/grading/grade.ts'
import { inOrder, summarise } from '../../../../labs/kit/grading/results.ts'
import { type Subject, solutionSubjects } from '../../../../labs/kit/grading/subjects.ts'
import { overlay } from '../../../../labs/kit/grading/submission.ts'
import { solutionsTable } from '../../../../labs/kit/grading/table.ts'
import { loadLabs, ROOT } from '../../../../labs/kit/lab/registry.ts'
import type { Feedback } from '../../../../labs/kit/lab/types.ts'
import type { Runner } from '../../../../labs/kit/run/runner.ts'
import { command, type Ended } from '../../../support/command.ts'
import { type Class, classFolder } from './class-folder.ts'

/** The command itself. */
const run = (...args: string[]): Promise<Ended> => command(['check-solutions', ...args])

describe('npm run check-solutions', function () {
  // Each is several processes that check with servers and clients of their own; 49 s were seen where six others wanted each core.
  this.timeout(180_000)
  let submitted: Class
  let out: string
  beforeEach(() => {
    submitted = classFolder()
    out = mkdtempSync(join(tmpdir(), 'masque-grading-test-'))
  })
  afterEach(() => {
    submitted.remove()
    rmSync(out, { recursive: true, force: true })
  })

  it('finds lab 1 as it has to be', async () => {
    const { status, stdout } = await run('--lab', '1')
    expect(stdout).to.match(/✔ reference solutions: 9 of 9 checks pass/)
    expect(stdout).to.match(/✔ starting files: 9 of 9 checks fail/)
    expect(stdout).to.match(/✔ mutants: (\d+) of \1 are rejected/)
    expect(status).to.equal(0)
  })

  it('counts the runs of one task, and says which failure rate they still allow', async () => {
    const { status, stdout } = await run('--lab', '1', '--task', 'certificates', '--only', 'reference', '--repeat', '3')
    expect(stdout).to.match(/✔ reference solutions: 3 of 3 checks pass in 3 runs/)
    // 0.05^(1/3): three runs without a failure are not much of a proof.
    expect(stdout).to.match(/^ +certificates +3 +0 +63 %$/m)
    expect(stdout).not.to.match(/trust/)
    expect(status).to.equal(0)
    const all = await run('--task', 'certificates', '--only', 'start')
    expect(all.stdout.match(/^Lab \d/gm)).to.deep.equal(['Lab 1'])
    expect(await run('--lab', '1', '--task', 'certificate')).to.include({ status: 2, stdout: '' })
  })

  it('writes the same results in one run, in two parts merged, and again', async () => {
    submitted.handIn('ada', 'lab-01-deploy')
    submitted.handIn('bob', 'lab-01-deploy', { 'server.toml': '[pool', 'answers.toml': undefined })
    submitted.handIn('eve', 'lab-01-deploy', { 'client.toml': undefined })
    const base = ['--lab', '1', '--submissions', submitted.path, '--json']
    const file = (name: string) => join(out, name)
    const whole = await run(
      ...base,
      file('whole.json'),
      '--csv',
      file('whole.csv'),
      '--report',
      file('reports'),
      '--jobs',
      '2',
    )
    expect(whole).to.include({ status: 0, stderr: '' })
    await run(...base, file('1.json'), '--shard', '1/2', '--jobs', '1')
    const missing = await run('merge', file('1.json'))
    expect(missing).to.include({ status: 1, stdout: '' })
    expect(missing.stderr)
      .to.include(`part 2 of 2 is missing`)
      .and.include(`${file('2.json')} --shard 2/2 --jobs 1`)
    const first = readFileSync(file('1.json'), 'utf8')
    expect((await run(...base, file('1.json'), '--shard', '1/2')).stderr).to.equal('2 of 2 are done already\n')
    expect(JSON.parse(readFileSync(file('1.json'), 'utf8')).results).to.deep.equal(JSON.parse(first).results)
    await run(...base, file('2.json'), '--shard', '2/2', '--jobs', '1')
    mkdirSync(file('parts'))
    for (const name of ['1.json', '2.json']) renameSync(file(name), file(join('parts', name)))
    const merged = await run('merge', file('parts'), '--json', file('merged.json'), '--csv', file('merged.csv'))
    expect(merged).to.include({ status: 0, stdout: whole.stdout })
    expect(readFileSync(file('merged.json'), 'utf8')).to.equal(readFileSync(file('whole.json'), 'utf8'))
    expect(readFileSync(file('merged.csv'), 'utf8')).to.equal(readFileSync(file('whole.csv'), 'utf8'))
    expect(readdirSync(file('reports')).sort()).to.deep.equal(['ada.md', 'bob.md', 'eve.md'])
    expect(readFileSync(file('reports/bob.md'), 'utf8')).to.include('not valid TOML')
    expect(readFileSync(file('whole.json'), 'utf8')).to.not.include(ROOT)
  })

  it('says what is wrong with its arguments, and ends with status 2', async () => {
    const wrong: [string[], RegExp][] = [
      [['--shard', '3/2'], /1 ≤ i ≤ n/],
      [['--lab', '77'], /no lab '77'/],
      [['--submissions', join(out, 'none')], /is not a folder/],
      [['--report', out], /--report is for submissions/],
      [['--pairs', '--lab', '3'], /--pairs needs one --lab and --submissions/],
      [['merge', join(out, 'none.json')], /no such file/],
      [['--course', 'course.toml'], /--course is for submissions/],
      [['--grades', 'grades.csv'], /--handed-in and --grades are for --course/],
      [['--sideways'], /unknown option/],
    ]
    await Promise.all(
      wrong.map(async ([args, says]) => {
        const { status, stderr } = await run(...args)
        expect(stderr, args.join(' ')).to.match(says)
        expect(status, args.join(' ')).to.equal(2)
      }),
    )
  })
})

describe('what check-solutions insists on', () => {
  /** Checks that end as they are told to, by task. */
  const runner = (feedback: (task: string) => Partial<Feedback>) => (): Runner => ({
    demonstrate: async () => {
      throw new Error('not here')
    },
    check: async (_lab, task) => {
      const told: Feedback = { passed: false, expected: 'this', found: 'that', read: [], ...feedback(task.id) }
      return { task: task.id, passed: told.passed, feedback: told, steps: [], ms: 1 } as never
    },
    close: async () => {},
  })

  it('is that references pass, starting files fail, and mutants are rejected for the right reason', async () => {
    const [lab] = await loadLabs()
    const tasks = lab!.tasks.slice(0, 1)
    const subject = (kind: Subject['kind'], expects?: string): Subject => ({
      kind,
      name: kind,
      lab: lab!,
      seed: 's',
      tasks,
      layers: () => ({ files: [], notes: [] }),
      ...(expects === undefined ? {} : { expects }),
    })
    const problems = async (subject: Subject, feedback: Partial<Feedback>) =>
      (await grade([subject], { root: ROOT, jobs: 1, runner: runner(() => feedback) }))[0].problems.length
    expect(await problems(subject('reference'), { passed: true })).to.equal(0)
    expect(await problems(subject('reference'), { passed: false })).to.equal(1)
    expect(await problems(subject('start'), { passed: false })).to.equal(0)
    expect(await problems(subject('start'), { passed: true })).to.equal(1)
    expect(await problems(subject('mutant', 'THAT\n one'), { found: 'that  one' })).to.equal(0)
    expect(await problems(subject('mutant', 'this one'), { found: 'that one' })).to.equal(1)
    expect(await problems(subject('mutant', 'that'), { passed: true, found: 'that' })).to.equal(1)
  })

  it('is no verdict on a mutant that only software of others finds out, where that is not installed', async () => {
    const [lab] = await loadLabs()
    const asked: (boolean | undefined)[] = []
    const graded = async (withOthers: boolean, feedback: Partial<Feedback>) => {
      const subject: Subject = {
        kind: 'mutant',
        name: 'lenient/wrong',
        lab: lab!,
        seed: 's',
        tasks: lab!.tasks.slice(0, 1),
        layers: () => ({ files: [], notes: [] }),
        expects: 'that',
        ...(withOthers ? { withOthers } : {}),
      }
      const check: Runner['check'] = async (lab, task, options) => {
        asked.push(options.withOthers)
        return await runner(() => feedback)().check(lab, task, options)
      }
      const told = (): Runner => ({ ...runner(() => feedback)(), check })
      const [result] = await grade([subject], { root: ROOT, jobs: 1, runner: told })
      return result!
    }
    const absent = await graded(true, { passed: true, leftOut: 'the same with Go: it is not installed' })
    expect(absent).to.deep.include({ tasks: [], problems: [] })
    expect(absent.notes.join()).to.match(/^nothing is known .* it is not installed$/)
    expect(solutionsTable({ labs: [summarise(lab!)], results: [absent] } as never)).to.match(
      /✔ mutants: 0 of 0 are rejected\n {4}mutant lenient\/wrong: nothing is known of/,
    )
    expect((await graded(true, { passed: true })).problems).to.have.length(1)
    expect((await graded(false, { passed: true, leftOut: 'whatever' })).problems).to.have.length(1)
    expect((await graded(true, { passed: false, found: 'that' })).problems).to.deep.equal([])
    expect(asked).to.deep.equal([true, true, undefined, true])
  })

  it('is that a check whose process has ended is run again, and is not the fault of a student', async () => {
    const [lab] = await loadLabs()
    let runs = 0
    const gone = { broken: true as const, found: 'the process that runs it ended (SIGKILL)' }
    const subject: Subject = {
      kind: 'submission',
      name: 'ada',
      lab: lab!,
      seed: 'ada',
      tasks: lab!.tasks.slice(0, 1),
      layers: () => ({ files: [], notes: [] }),
    }
    const once = runner(() => (runs++ === 0 ? gone : { passed: true }))
    const [again] = await grade([subject], { root: ROOT, jobs: 1, runner: once })
    expect(again!.problems).to.deep.equal([])
    expect(again!.points).to.equal(again!.of)
    const [broken] = await grade([subject], { root: ROOT, jobs: 1, runner: runner(() => gone) })
    expect(broken!.problems).to.have.length(1)
  })

  it('is that each coding task has five mutants, each with words to look for', async () => {
    const { subjects, problems } = await solutionSubjects(ROOT, await loadLabs(), 3)
    expect(problems.map(({ problem }) => problem)).to.deep.equal([])
    expect(subjects.filter(({ kind }) => kind === 'mutant').every(({ expects }) => expects)).to.equal(true)
    const references = subjects.filter(({ kind }) => kind === 'reference')
    expect(new Set(references.map(({ lab, name }) => `${lab.id} ${name}`)).size).to.equal(references.length)
  })

  it('does not depend on the exercises that lie in the repository', async () => {
    const labs = await loadLabs()
    const folder = mkdtempSync(join(tmpdir(), 'masque-grading-test-'))
    try {
      for (const lab of labs) {
        overlay(ROOT, folder, lab, [])
        const start = readdirSync(join(ROOT, 'labs', lab.id, 'start'), { recursive: true }).sort()
        expect(readdirSync(join(folder, 'labs', lab.id, 'exercises'), { recursive: true }).sort()).to.deep.equal(start)
      }
      expect(inOrder(labs.map(summarise), [])).to.deep.equal([])
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  })
})
