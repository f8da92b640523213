/** The files of lab 5 fit together. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { startFolder } from '../../../labs/kit/lab/exercises.ts'
import { ROOT } from '../../../labs/kit/lab/registry.ts'
import { lab } from '../../../labs/lab-05-congestion/lab.ts'
import { solutionFolder } from '../grade-lab.ts'

const START = startFolder(ROOT, lab)
const SOLUTIONS = solutionFolder(lab)

describe('labs/lab-05-congestion: files', () => {
  const text = (folder: string, name: string) => readFileSync(join(folder, name), 'utf8')
  const files = [...new Set(lab.tasks.flatMap(task => task.files))]

  it('has a solution for each file that a student edits, and a starting file that says TODO', () => {
    // What was recorded is given, and answered about.
    for (const name of files.filter(file => !file.endsWith('.sqlog'))) {
      expect(readdirSync(SOLUTIONS)).to.include(name)
      if (name.endsWith('.ts')) expect(text(START, name)).to.include("throw new Error('TODO")
      if (name.endsWith('.ts')) expect(text(SOLUTIONS, name)).to.not.include('TODO')
    }
  })

  it('exports from each solution what the starting file exports', () => {
    const exported = (source: string) =>
      [...source.matchAll(/^export (?:const|function|class|interface|type) (\w+)/gm)].map(match => match[1]).sort()
    for (const name of files.filter(file => file.endsWith('.ts'))) {
      expect(exported(text(SOLUTIONS, name)), name).to.deep.equal(exported(text(START, name)))
    }
  })

  it('imports nothing but the types of the interface in files that a student has', () => {
    for (const folder of [START, SOLUTIONS]) {
      for (const name of files.filter(file => file.endsWith('.ts'))) {
        expect(text(folder, name), name).to.not.match(/^import (?!type .* from '\.\/congestion\.ts')/m)
      }
      expect(text(folder, 'congestion.ts')).to.not.match(/^(?:import|export) (?!type )/m)
    }
  })

  it('has the same interface in both places', () => {
    expect(text(START, 'congestion.ts').replaceAll('../../../src/', '../../src/')).to.equal(
      text(SOLUTIONS, 'congestion.ts'),
    )
  })

  it('names every task, its file and its points in the handout', () => {
    const handout = readFileSync(join(START, '..', 'README.md'), 'utf8')
    for (const [index, task] of lab.tasks.entries()) {
      expect(handout).to.match(
        new RegExp(`\\| ${index + 1} \\| \`${task.id}\` \\| .*\`${task.files[0]}\`.* \\| ${task.points} \\|`),
      )
    }
  })
})
