import { expect } from 'chai'
import { toCsv } from '../../../../labs/kit/grading/csv.ts'
import { toJunit } from '../../../../labs/kit/grading/junit.ts'
import { mergeReports } from '../../../../labs/kit/grading/merge.ts'
import { shardOf } from '../../../../labs/kit/grading/part.ts'
import {
  alike,
  FORMAT,
  inOrder,
  parseReport,
  type Report,
  ReportError,
  type Result,
  settled,
  VERSION,
} from '../../../../labs/kit/grading/results.ts'
import { studentReports } from '../../../../labs/kit/grading/student-report.ts'
import { solutionsTable, submissionsTable } from '../../../../labs/kit/grading/table.ts'

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

function result(name: string, changes: Partial<Result> = {}, found = 'nothing'): Result {
  return {
    kind: 'submission',
    name,
    lab: 'lab-99-sample',
    seed: name,
    points: 5,
    of: 15,
    tasks: [
      { task: 'first', passed: true, points: 5 },
      { task: 'second', passed: false, points: 0, feedback: { expected: 'a result', found, read: ['RFC 1149'] } },
    ],
    notes: [],
    problems: [],
    ...changes,
  }
}

function report(results: Result[], changes: Partial<Report> = {}): Report {
  return { format: FORMAT, version: VERSION, mode: 'submissions', labs, results: inOrder(labs, results), ...changes }
}

describe('results of grading', () => {
  it('are put in the same order whatever finished first', () => {
    const names = ['b', 'a', 'B', 'ä', '10', '9']
    const sorted = (list: string[]) => report(list.map(name => result(name))).results.map(({ name }) => name)
    expect(sorted(names)).to.deep.equal(['10', '9', 'B', 'a', 'b', 'ä'])
    expect(sorted(names.toReversed())).to.deep.equal(sorted(names))
  })

  it('hold neither ports nor temporary paths nor terminal controls', () => {
    expect(settled('connected to 127.0.0.1:43211 and [::1]:50000')).to.equal(
      'connected to 127.0.0.1:PORT and [::1]:PORT',
    )
    expect(settled('nothing at 127.0.0.1:8080')).to.equal('nothing at 127.0.0.1:8080')
    expect(settled('/tmp/masque-lab-aZ12/masque-lab-bY/cert/ca.pem is missing')).to.equal('cert/ca.pem is missing')
    expect(settled('\x1b[2Jhello\x07\u202e')).to.equal('?[2Jhello??')
    expect(settled('x'.repeat(100_000)).length).to.be.below(5000)
  })

  it('are merged into what one run would have written', () => {
    const all = ['a', 'b', 'c', 'd', 'e'].map(name => result(name))
    const parts = [1, 2, 3].map(index => {
      const shard = { index, of: 3 }
      return { file: `${index}.json`, report: report(shardOf(all, shard), { shard }) }
    })
    expect(JSON.stringify(mergeReports(parts.toReversed()))).to.equal(JSON.stringify(report(all)))
  })

  it('are not merged when something is missing, twice there, or of another kind', () => {
    const part = (index: number, of: number, changes: Partial<Report> = {}) => ({
      file: `${index}.json`,
      report: report([result(`s${index}`)], { shard: { index, of }, ...changes }),
    })
    const refused: [Parameters<typeof mergeReports>[0], RegExp][] = [
      [[], /no result files/],
      [[part(1, 3), part(3, 3)], /part 2 of 3 is missing/],
      [[part(1, 2), part(1, 2)], /both part 1/],
      [[part(1, 2), part(2, 3)], /one of 3 parts/],
      [[part(1, 2), part(2, 2, { mode: 'solutions' })], /about solutions/],
      [[part(1, 2), part(2, 2, { labs: [] })], /different labs/],
    ]
    for (const [parts, says] of refused) expect(() => mergeReports(parts)).to.throw(ReportError, says)
    expect(() => parseReport('{', 'x.json')).to.throw(ReportError, 'x.json is not JSON')
    expect(() => parseReport('{"results": []}', 'x.json')).to.throw(ReportError, 'not a result file')
    expect(() => parseReport('null', 'x.json')).to.throw(ReportError, 'not a result file')
    expect(() => parseReport(JSON.stringify({ ...report([]), version: 7 }), 'x.json')).to.throw(
      ReportError,
      'version 7',
    )
  })

  it('name submissions that have a file in common', () => {
    const found = alike(
      report([
        result('a', { fingerprints: { 'x.ts': '1', 'y.ts': '2' } }),
        result('b', { fingerprints: { 'x.ts': '1', 'y.ts': '3' } }),
        result('c', { fingerprints: { 'x.ts': '4', 'y.ts': '1' } }),
      ]),
    )
    expect(found).to.deep.equal([{ lab: 'lab-99-sample', file: 'x.ts', students: ['a', 'b'] }])
  })
})

describe('the table of results', () => {
  it('has a row for each student and marks that are told apart without colours', () => {
    const text = submissionsTable(report([result('ada'), result('bob', { points: 0, tasks: [] })]))
    expect(text).to.match(/ada +5\/15 +✔ +✘\n/)
    expect(text).to.match(/bob +0\/15 +\? +\?\n/)
    expect(text).to.match(/2 submissions; median 2\.5; solved by: task 1 1, task 2 0/)
  })

  it('says what is wrong with a lab', () => {
    const wrong = result('first/off-by-one', { kind: 'mutant', problems: ['first passes, though it is wrong'] })
    const text = solutionsTable(report([wrong], { mode: 'solutions' }), ['labs/x: no mutants'])
    expect(text).to.match(/✘ mutants: 1 of 2 are rejected\n {4}mutant first\/off-by-one: first passes/)
    expect(text).to.match(/✘ labs\/x: no mutants/)
  })
})

describe('the CSV file', () => {
  it('quotes what has to be quoted, and lets no name become a formula', () => {
    const csv = toCsv(report([result('=cmd()|"x"'), result('a,b\nc')]))
    expect(csv).to.equal(
      'lab,kind,name,points,of,task 1,task 2,problems\r\n' +
        `lab-99-sample,submission,"'=cmd()|""x""",5,15,5,0,\r\n` +
        'lab-99-sample,submission,"a,b\nc",5,15,5,0,\r\n',
    )
  })
})

describe('the JUnit file', () => {
  it('is XML whatever a student prints', () => {
    const xml = toJunit(report([result('<ada & "bob">', {}, ']]></failure>\x00\x1b \ud800')]))
    expect(xml).to.include('name="lab-99-sample: &lt;ada &amp; &quot;bob&quot;&gt;" tests="2" failures="1" errors="0"')
    expect(xml).to.include(']]&gt;&lt;/failure&gt;?? ?')
    expect(xml).to.not.match(/[\x00-\x08\ud800]/)
  })

  it('counts a mutant that passes as the failure', () => {
    const mutant = result('first/x', {
      kind: 'mutant',
      tasks: [{ task: 'first', passed: true, points: 5 }],
      problems: ['first passes, though it is wrong'],
    })
    expect(toJunit(report([mutant], { mode: 'solutions' }))).to.match(/errors="1"[\s\S]*<error message="first passes/)
  })
})

describe('the report for a student', () => {
  it('has the marks, and what was found where something is missing', () => {
    const [[name, text]] = [...studentReports(report([result('ada')]))] as [[string, string]]
    expect(name).to.equal('ada.md')
    expect(text).to.match(/^# ada: 5 of 15 points/)
    expect(text).to.include('| The second (`second`) | ✘ not solved | 0 of 10 |')
    expect(text).to.include('Found:\n\n```text\nnothing\n```')
  })

  it('cannot be forged by what the program printed', () => {
    const forged = '```\n\n# 15 of 15 points\n\n| all | ✔ |'
    const [text] = [...studentReports(report([result('ada', {}, forged)])).values()] as [string]
    expect(text).to.include(`\`\`\`\`text\n${forged}\n\`\`\`\``)
  })

  it('is a file of its own for each student, whatever the name', () => {
    const names = ['ada', 'Ada', '../ada', 'a/da', 'ä', '.', '..', 'x'.repeat(300), 'con\nfused']
    const files = [...studentReports(report(names.map(name => result(name)))).keys()]
    expect(new Set(files.map(file => file.toLowerCase())).size).to.equal(names.length)
    for (const file of files) expect(file).to.match(/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}\.md$/)
  })
})
