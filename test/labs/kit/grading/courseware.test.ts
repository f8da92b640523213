import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { annotations, classroomResult, harmless, summary, tellRunner } from '../../../../labs/kit/grading/github.ts'
import { toGradescope } from '../../../../labs/kit/grading/gradescope.ts'
import { FORMAT, type Report, ReportError, type Result, VERSION } from '../../../../labs/kit/grading/results.ts'

const labs = [
  {
    id: 'lab-99-sample',
    number: 99,
    title: 'A sample',
    tasks: [
      { id: 'first', title: 'The first', points: 5 },
      { id: 'second', title: 'The second', points: 10 },
    ],
  },
]

function result(name: string, found = 'nothing', changes: Partial<Result> = {}): Result {
  const feedback = { expected: 'a result', found, misconception: 'it is forgotten', read: ['RFC 1149'] }
  return {
    kind: 'submission',
    name,
    lab: 'lab-99-sample',
    seed: name,
    points: 5,
    of: 15,
    tasks: [
      { task: 'first', passed: true, points: 5, ms: 1500 },
      { task: 'second', passed: false, points: 0, feedback, ms: 250 },
    ],
    notes: [],
    problems: [],
    ...changes,
  }
}

const report = (...results: Result[]): Report => ({
  format: FORMAT,
  version: VERSION,
  mode: 'submissions',
  labs,
  results,
})

describe('results for Gradescope', () => {
  it('have a test for each task, with what the student sees, and the sum', () => {
    const { tests, ...whole } = toGradescope(report(result('ada')))
    expect(whole).to.deep.equal({ score: 5, execution_time: 1.75, output: '', stdout_visibility: 'hidden' })
    expect(tests).to.have.length(2)
    expect(tests[1]).to.deep.equal({
      name: 'Lab 99: The second (second)',
      number: '99.2',
      score: 0,
      max_score: 10,
      status: 'failed',
      output: 'Expected: a result\n\nFound: nothing\n\nit is forgotten\n\nRead: RFC 1149',
      output_format: 'text',
      visibility: 'visible',
    })
  })

  it('go by the course file where there is one: its points, its tasks, and what being late costs', () => {
    const grade = {
      lab: 'lab-99-sample',
      reached: 20,
      of: 20,
      weight: 1,
      tasks: [{ id: 'first', points: 20 }],
      daysLate: 1,
      points: 18,
      because: ['One day late.'],
    }
    const grades = [{ student: 'ada', percent: 90, labs: [grade], problems: [] }]
    const { score, tests, output } = toGradescope({ ...report(result('ada')), course: { title: 'A course', grades } })
    expect(score).to.equal(18)
    expect(tests.map(({ max_score }) => max_score)).to.deep.equal([20, 0])
    expect(output).to.equal('lab-99-sample: One day late.')
  })

  it('are of one student, and let no program write into them', () => {
    expect(() => toGradescope(report(result('ada'), result('bob')))).to.throw(
      ReportError,
      'one student, and there are 2',
    )
    expect(() => toGradescope(report())).to.throw(ReportError, 'there are 0')
    const [, second] = toGradescope(report(result('ada', '\x1b[2J</pre><script>\u202e'))).tests
    expect(second.output).to.include('Found: ?[2J</pre><script>?')
    expect(second.output_format).to.equal('text')
  })
})

describe('results for GitHub Actions', () => {
  it('annotate each task that is not solved, in one line whatever the program printed', () => {
    const text = annotations(report(result('ada', '100 %\n::set-output name=points::15')))
    expect(text.match(/\n/g)).to.have.length(1)
    expect(text).to.match(/^::error title=lab-99-sample ada%3A second::Expected: a result%0A/)
    expect(text).to.include('100 %25%0A::set-output')
    const many = Array.from({ length: 40 }, (_, i) => result(`s${i}`))
    expect(annotations(report(...many)).match(/\n/g)).to.have.length(10)
  })

  it('turn commands off while the table is printed, with a word that nobody can guess', () => {
    const [first, ...rest] = harmless('ada\n::add-mask::x').split('\n')
    const token = /^::stop-commands::([0-9a-f]{32})$/.exec(first)?.[1]
    expect(rest).to.deep.equal(['ada', '::add-mask::x', `::${token}::`, ''])
    expect(harmless('')).to.not.equal(harmless(''))
  })

  it('give GitHub Classroom the points of each task', () => {
    const broken = result('bob', '', { tasks: [{ task: 'first', passed: false, points: 0, broken: true }] })
    const decoded = (...results: Result[]) =>
      JSON.parse(Buffer.from(classroomResult(report(...results)), 'base64').toString())
    const { tests, ...whole } = decoded(result('ada'))
    expect(whole).to.deep.equal({ version: 1, status: 'fail', max_score: 15 })
    expect(tests.map(({ status, score }: { status: string; score: number }) => [status, score])).to.deep.equal([
      ['pass', 5],
      ['fail', 0],
    ])
    expect(decoded(broken).status).to.equal('error')
  })

  it('go into the files that the runner names: a summary, and an output of one line', () => {
    const folder = mkdtempSync(join(tmpdir(), 'masque-github-test-'))
    try {
      const env = { GITHUB_STEP_SUMMARY: join(folder, 'summary'), GITHUB_OUTPUT: join(folder, 'output') }
      tellRunner(report(result('ada', 'x\nresult=forged')), env)
      expect(readFileSync(env.GITHUB_STEP_SUMMARY, 'utf8')).to.match(/^# ada: 5 of 15 points/)
      expect(readFileSync(env.GITHUB_OUTPUT, 'utf8')).to.match(/^result=[A-Za-z0-9+/=]+\n$/)
      tellRunner(report(), {})
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
    expect(summary(report(result('ada'), result('b|b')))).to.include('| ada | lab-99-sample | 5 of 15 |  |\n| b\\|b |')
  })
})
