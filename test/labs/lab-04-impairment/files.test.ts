/** The files of lab 4 fit together. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { startFolder } from '../../../labs/kit/lab/exercises.ts'
import { ROOT } from '../../../labs/kit/lab/registry.ts'
import { lab } from '../../../labs/lab-04-impairment/lab.ts'
import { wilson } from '../../../solutions/lab-04-impairment/estimate.ts'
import { wilson as reference } from '../../../src/stats/intervals.ts'
import { solutionFolder } from '../grade-lab.ts'

const START = startFolder(ROOT, lab)
const SOLUTIONS = solutionFolder(lab)

describe('labs/lab-04-impairment: files', () => {
  const text = (folder: string, name: string) => readFileSync(join(folder, name), 'utf8')

  it('has a solution for each file that a student edits, and a starting file that says TODO', () => {
    for (const name of lab.tasks.flatMap(task => task.files)) {
      expect(readdirSync(SOLUTIONS)).to.include(name)
      if (name.endsWith('.ts')) expect(text(START, name)).to.include("throw new Error('TODO")
      if (name.endsWith('.ts')) expect(text(SOLUTIONS, name)).to.not.include('TODO')
    }
  })

  it('exports from each solution what the starting file exports', () => {
    const exported = (source: string) =>
      [...source.matchAll(/^export (?:const|function|class|interface|type) (\w+)/gm)].map(match => match[1]).sort()
    for (const name of lab.tasks.flatMap(task => task.files).filter(file => file.endsWith('.ts'))) {
      expect(exported(text(SOLUTIONS, name)), name).to.deep.equal(exported(text(START, name)))
    }
  })

  it('imports nothing from outside in files that a student has', () => {
    for (const folder of [START, SOLUTIONS]) {
      for (const name of readdirSync(folder).filter(file => file.endsWith('.ts'))) {
        expect(text(folder, name), name).to.not.match(/^import .* from '(?!node:assert\/strict'|\.\/subject\.ts')/m)
      }
    }
  })

  it('names every task, its file and its points in the handout', () => {
    const handout = readFileSync(join(START, '..', 'README.md'), 'utf8')
    for (const [index, task] of lab.tasks.entries()) {
      expect(handout).to.match(
        new RegExp(`\\| ${index + 1} \\| \`${task.id}\` \\| .*\`${task.files[0]}\`.* \\| ${task.points} \\|`),
      )
    }
  })

  it('has the interval of src/stats as its solution', () => {
    for (const [lost, sent] of [
      [0, 50],
      [3, 200],
      [50, 50],
    ] as const) {
      const expected = reference(lost, sent, 0.95)
      const found = wilson(lost, sent, 1.959964)
      expect(found.low).to.be.closeTo(expected.low, 1e-6)
      expect(found.high).to.be.closeTo(expected.high, 1e-6)
    }
  })
})
