import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { bareCode, likeness, MIN_OWN } from '../../../../labs/kit/grading/likeness.ts'
import { alike, FORMAT, NAMES_ASIDE, type Report, type Result, VERSION } from '../../../../labs/kit/grading/results.ts'
import { submissionSubjects } from '../../../../labs/kit/grading/subjects.ts'
import { submissionsTable } from '../../../../labs/kit/grading/table.ts'
import { loadLabs, ROOT } from '../../../../labs/kit/lab/registry.ts'
import { type Class, classFolder } from './class-folder.ts'

const START = `export function median(values: readonly number[]): number {
  // your code
  throw new Error('not written yet')
}
`
const ADA = `/** The middle. */
export function median(values: readonly number[]): number {
  const sorted: number[] = [...values].sort((a, b) => a - b)
  if (sorted.length === 0) throw new RangeError('there is no median of nothing at all, and so none is returned')
  if (sorted.some(Number.isNaN)) throw new RangeError(\`there is none of \${sorted.length} numbers with NaN\`)
  const middle = Math.floor(sorted.length / 2)
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}
`
/** The same, after an editor's "rename symbol", other comments, other line breaks and no types. */
const BOB = `export function median(list) {
  const zahlen = [...list].sort((erste, zweite) => erste - zweite) // sortieren
  if (zahlen.length === 0) {
    throw new RangeError("there is no median of nothing at all, and so none is returned")
  }
  if (zahlen.some(Number.isNaN)) throw new RangeError(\`there is none of \${zahlen.length} numbers with NaN\`)
  const mitte = Math.floor(zahlen.length / 2);
  return zahlen.length % 2 === 1
    ? zahlen[mitte]
    : (zahlen[mitte - 1] + zahlen[mitte]) / 2;
}
`

describe('the likeness of code', () => {
  let start: string | undefined
  before(async () => {
    start = await bareCode(START)
  })

  it('does not depend on names, comments, blanks and types', async () => {
    expect(await likeness(ADA, start))
      .to.be.a('string')
      .and.equal(await likeness(BOB, start))
  })

  it('depends on what the code does, on texts, and on the names of what it exports', async () => {
    const own = await likeness(ADA, start)
    const others = [
      ADA.replace('% 2 === 1', '% 2 !== 0'),
      ADA.replace('nothing at all', 'an empty list of values'),
      ADA.replace('function median', 'function mean'),
      ADA.replace('.sort(', '.toSorted('),
    ]
    for (const other of others) expect(await likeness(other, start)).to.not.equal(own)
  })

  it('is not told of the starting file, of little code, and of what is no code', async () => {
    expect(await likeness(START, start)).to.equal(undefined)
    const oneLine = START.replace("throw new Error('not written yet')", 'return values[values.length >> 1]')
    expect(await likeness(oneLine, start)).to.equal(undefined)
    expect(ADA.length).to.be.greaterThan(MIN_OWN)
    expect(await likeness(`${ADA}}`, start)).to.equal(undefined)
    expect(await likeness('['.repeat(100_000), start)).to.equal(undefined)
    expect(await likeness(ADA, start), 'after what cannot be parsed').to.be.a('string')
  })
})

describe('hints at code that several have in common', () => {
  let submitted: Class
  beforeEach(() => {
    submitted = classFolder()
  })
  afterEach(() => submitted.remove())

  it('are given for renamed variables, and never for the reference or the starting file', async () => {
    const labs = (await loadLabs()).filter(({ number }) => number === 3)
    const reference = readFileSync(join(ROOT, 'solutions', 'lab-03-protocol', 'varint.ts'), 'utf8')
    const names: Record<string, string> = { bytes: 'octets', rest: 'left', at: 'position' }
    const renamed = (text: string) => text.replace(/\b(bytes|rest|at)\b/g, name => names[name])
    expect(renamed(reference)).to.not.equal(reference)
    // Not the reference's: an own text in an own function.
    const own = `${reference}\nexport function own(value: number): string {\n  return 'own ' + value\n}\n`
    const files: Record<string, string> = { ada: own, bob: renamed(own), copy: reference, again: renamed(reference) }
    for (const [student, text] of Object.entries(files))
      submitted.handIn(student, 'lab-03-protocol', { 'varint.ts': text })
    const results = await Promise.all(
      submissionSubjects(ROOT, submitted.path, labs, true).map(async ({ name, lab, layers, fingerprints }) => {
        const found = await fingerprints?.(layers().files[0] as Map<string, Buffer>)
        return {
          kind: 'submission',
          name,
          lab: lab.id,
          points: 0,
          tasks: [],
          problems: [],
          fingerprints: found,
        } as never as Result
      }),
    )
    const tasks = labs[0].tasks.map(({ id, title, points }) => ({ id, title, points }))
    const summary = { id: labs[0].id, number: 3, title: labs[0].title, tasks }
    const report: Report = { format: FORMAT, version: VERSION, mode: 'submissions', labs: [summary], results }
    const groups = alike(report).filter(({ file }) => file.endsWith(NAMES_ASIDE))

    expect(groups.map(({ students }) => students)).to.deep.equal([['ada', 'bob']])
    expect(submissionsTable(report)).to.include(
      'The same lab-03-protocol/varint.ts, but for blanks, comments and names: ada, bob',
    )
  })

  it('name those that are the same with their names only once', () => {
    const result = (name: string, exact: string, bare: string) =>
      ({ kind: 'submission', lab: 'l', name, fingerprints: { 'x.ts': exact, [`x.ts${NAMES_ASIDE}`]: bare } }) as never
    const files = (...results: Result[]) =>
      alike({ results } as never).map(({ file, students }) => [file, students.join()])
    expect(files(result('a', '1', '9'), result('b', '1', '9'))).to.deep.equal([['x.ts', 'a,b']])
    expect(files(result('a', '1', '9'), result('b', '1', '9'), result('c', '2', '9'))).to.deep.equal([
      ['x.ts', 'a,b'],
      [`x.ts${NAMES_ASIDE}`, 'a,b,c'],
    ])
  })
})
