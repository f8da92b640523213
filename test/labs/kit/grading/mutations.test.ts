import { expect } from 'chai'
import { loadEquivalents } from '../../../../labs/kit/grading/mutants.ts'
import { mutationsOf } from '../../../../labs/kit/grading/mutations.ts'
import { mutationSubjects } from '../../../../labs/kit/grading/subjects.ts'
import { loadLabs, ROOT } from '../../../../labs/kit/lab/registry.ts'

/** What becomes of one line, within a program. */
function mutationsOfLine(line: string): string[] {
  const text = `import { a } from './a.ts'\n\n${line}\n`
  const mutations = mutationsOf(new Map([['line.ts', text]])).get('line.ts')!
  for (const mutation of mutations) {
    expect(mutation).to.include({ line: 3, before: line })
    expect(mutation.text.replace(/\s+/g, ' ')).to.equal(`import { a } from './a.ts' ${mutation.after} `)
  }
  return mutations.map(({ after }) => after)
}

describe('mutations of a program', () => {
  const lines: [what: string, line: string, becomes: string[]][] = [
    ['bounds', 'const x = a < b', ['const x = a <= b', 'const x = a >= b']],
    ['operators', 'const x = a * b', ['const x = a / b']],
    ['equality', 'const x = a === b', ['const x = a !== b']],
    ['parts of a condition', 'const x = a && b', ['const x = a', 'const x = b']],
    ['negations', 'const x = !a', ['const x = a']],
    ['numbers, as they are written', 'const x = 0x1fn', ['const x = 0x20n', 'const x = 0x1en']],
    ['numbers without a smaller neighbour', 'const x = 0', ['const x = 1', 'const x = (-1)']],
    ['either side of a choice', 'const x = a ? b : c', ['const x = b', 'const x = c']],
    ['the order of arguments', 'const x = new F(a, b)', ['const x = new F(b, a)']],
    ['the order of elements', 'const x = [a, b, b]', ['const x = [b, a, b]']],
    ['fields', 'const x = { a, b: c }', ['const x = { a: c, b: a }']],
    ['copies', 'const x = [...a]', ['const x = a']],
    ['steps on the way', 'const x = a.sort()', ['const x = a']],
    ['the names of methods', 'const x = a.some(b)', ['const x = a.every(b)']],
    ['statements', 'f()', [';']],
    ['assignments', 'a += b', [';', 'a -= b', 'a = b']],
    ['steps of one', 'a++', [';', 'a--']],
    ['conditions of statements', 'if (a) f()', ['if (true) f()', 'if (false) f()', 'if (a) ;']],
  ]
  for (const [what, line, becomes] of lines) {
    it(`are of ${what}`, () => {
      expect(mutationsOfLine(line)).to.have.members(becomes)
    })
  }

  it('are told apart by the lines before them', () => {
    const mutations = mutationsOf(new Map([['a.ts', 'f()\ng()\nf()\n']])).get('a.ts')!
    expect(mutations.map(({ before, after }) => [before, after])).to.deep.equal([
      ['f()', ';'],
      ['g()', ';'],
      ['g() f()', 'g() ;'],
    ])
  })

  it('are not of types or imports', () => {
    expect(mutationsOfLine('interface I { a: 1 | 2 }')).to.deep.equal([])
    expect(mutationsOfLine('const a: [1, 2] = b')).to.deep.equal([])
  })

  it('are graded one by one, but for those that are known to change nothing', async () => {
    const labs = (await loadLabs()).filter(({ number }) => number === 3)
    const { subjects, problems } = await mutationSubjects(ROOT, labs, ['varint'])
    expect(problems).to.deep.equal([])
    expect(subjects).to.have.length.of.at.least(100)
    expect(new Set(subjects.map(({ name }) => name)).size).to.equal(subjects.length)
    const { layers, tasks } = subjects.find(({ name }) => name.includes('→ if (value <= 1n << 6n) return 1'))!
    expect(tasks.map(({ id }) => id)).to.deep.equal(['varint'])
    expect(layers().files[0].get('varint.ts')!.toString()).to.include('  if (value <= 1n << 6n) return 1\n')
    const known = Object.values((await loadEquivalents(ROOT, labs[0]))['varint.ts']).flat()
    for (const [before, after] of known) {
      expect(subjects.some(({ name }) => name.endsWith(`${before} → ${after}`))).to.equal(false)
    }
  })

  it('are graded again with other hidden inputs, when that is asked for', async () => {
    const labs = (await loadLabs()).filter(({ number }) => number === 3)
    const once = (await mutationSubjects(ROOT, labs, ['varint'])).subjects
    const twice = (await mutationSubjects(ROOT, labs, ['varint'], 2)).subjects
    expect(twice).to.have.length(2 * once.length)
    for (const [i, { name, seed }] of once.entries()) {
      expect(twice[2 * i]).to.deep.include({ name, seed })
      expect(twice[2 * i + 1]).to.deep.include({ name })
      expect(twice[2 * i + 1].seed).not.to.equal(seed)
    }
  })

  it('are none of a task whose answer is a test: another test is as right', async () => {
    const labs = (await loadLabs()).filter(({ number }) => number === 3)
    expect((await mutationSubjects(ROOT, labs, ['break-bucket'])).subjects).to.deep.equal([])
  })

  it('have no equivalents that the solutions have no place for', async () => {
    const { problems } = await mutationSubjects(ROOT, await loadLabs())
    expect(problems.map(({ problem }) => problem)).to.deep.equal([])
  })
})
