import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { type Edit, loadMutants, mutants, mutated } from '../../../../labs/kit/grading/mutants.ts'
import { loadLabs, ROOT } from '../../../../labs/kit/lab/registry.ts'

describe('mutants as edits of the solution', () => {
  const solution = 'function longer(a: number, b: number) {\n  if (a < b) return b\n  return a\n}\n'
  const edited = (...edits: [Edit, ...Edit[]]) => {
    const [mutant] = mutants('longer.ts', { 'a-mistake': { misconception: 'it is right', says: 'it is not', edits } })
    return mutated(mutant!, solution)
  }

  it('replace each text, wherever lines are broken, and leave the rest', () => {
    expect(edited(['a < b', 'a <= b'])).to.equal(solution.replace('<', '<='))
    expect(edited(['return a', 'return b'], ['if (a < b)   return b\n', ''])).to.equal(
      'function longer(a: number, b: number) {\n  \n  return b\n}\n',
    )
    expect(edited(['if (a < b) return b\n        return a', '$&']).includes('  $&\n}')).to.equal(true)
  })

  it('name the mutant, the file and the text that is not there exactly once', () => {
    const message = "a-mistake: expected once in the solution's longer.ts, found"
    expect(() => edited(['a > b', ''])).to.throw(`${message} nowhere: a > b`)
    expect(() => edited(['return', ''])).to.throw(`${message} 2 times: return`)
    expect(() => edited(['a < b', ''], ['if (a', ''])).to.throw('a-mistake: two edits of longer.ts overlap')
  })

  it('pass the type checker, unless it is said why not', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'masque-mutants-test-'))
    try {
      const untyped: string[] = []
      for (const lab of await loadLabs()) {
        const solutions = join(ROOT, 'solutions', lab.id)
        for (const [task, catalogue] of await loadMutants(ROOT, lab)) {
          for (const mutant of catalogue.filter(({ file }) => file.endsWith('.ts'))) {
            const own = join(folder, lab.id, task, mutant.id)
            if (mutant.untyped !== undefined) untyped.push(own)
            mkdirSync(own, { recursive: true })
            const text = mutated(mutant, readFileSync(join(solutions, mutant.file), 'utf8'))
            writeFileSync(join(own, mutant.file), text.replaceAll("from './", `from '${solutions}/`))
          }
        }
      }
      const compilerOptions = {
        typeRoots: [join(ROOT, 'node_modules/@types')],
        // What a mistake leaves without a use is no mistake of its own.
        noUnusedLocals: false,
        noUnusedParameters: false,
      }
      const config = { extends: join(ROOT, 'tsconfig.json'), compilerOptions, include: ['.'], exclude: [] }
      writeFileSync(join(folder, 'package.json'), '{"type":"module"}')
      writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(config))
      const tsc = join(ROOT, 'node_modules/typescript/bin/tsc')
      const { stdout } = spawnSync(process.execPath, [tsc, '--pretty', 'false', '-p', '.'], {
        cwd: folder,
        encoding: 'utf8',
      })
      const wrong = stdout.split('\n').filter(line => /^\S+\(\d+,\d+\): error/.test(line))
      const isUntyped = (line: string) => untyped.some(own => join(folder, line).startsWith(`${own}/`))
      expect(wrong.filter(line => !isUntyped(line))).to.deep.equal([])
      expect(untyped.filter(own => !wrong.some(line => join(folder, line).startsWith(`${own}/`)))).to.deep.equal([])
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  })
})
