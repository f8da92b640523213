/** The files of lab 2 fit together. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { startFolder } from '../../../labs/kit/lab/exercises.ts'
import { ROOT } from '../../../labs/kit/lab/registry.ts'
import { lab } from '../../../labs/lab-02-performance/lab.ts'
import { solutionFolder } from '../grade-lab.ts'

const START = startFolder(ROOT, lab)
const SOLUTIONS = solutionFolder(lab)

describe('labs/lab-02-performance: files', () => {
  const text = (folder: string, name: string) => readFileSync(join(folder, name), 'utf8')
  const code = [...new Set(lab.tasks.flatMap(task => task.files))].filter(file => file.endsWith('.ts'))

  it('has a solution for each file that a student edits, and a starting file that says what is to be done', () => {
    for (const name of lab.tasks.flatMap(task => task.files)) expect(readdirSync(SOLUTIONS)).to.include(name)
    for (const name of code) {
      // That of send-packet is the article's version: it works, and is to be made better.
      if (name !== 'send-packet.ts') expect(text(START, name)).to.include("throw new Error('TODO")
      expect(text(SOLUTIONS, name)).to.not.include('TODO')
    }
  })

  it('exports from each solution what the starting file exports', () => {
    const exported = (source: string) =>
      [...source.matchAll(/^export (?:const|function|class|interface|type) (\w+)/gm)].map(match => match[1]).sort()
    for (const name of code) expect(exported(text(SOLUTIONS, name)), name).to.deep.equal(exported(text(START, name)))
  })

  it('asks in answers.toml what the tasks ask', () => {
    for (const folder of [START, SOLUTIONS]) {
      const keys = [...text(folder, 'answers.toml').matchAll(/^(\w+) = /gm)].map(match => match[1])
      expect(keys).to.deep.equal(lab.tasks.flatMap(task => task.questions.map(question => question.id)))
    }
  })

  it('imports nothing from outside in files that a student has', () => {
    for (const folder of [START, SOLUTIONS]) {
      for (const name of code)
        expect(text(folder, name)).to.not.match(/^import .* from '(?!node:assert\/strict'|\.\/subject\.ts')/m)
    }
  })

  it('names every task and its file in the handout', () => {
    const handout = readFileSync(join(START, '..', 'README.md'), 'utf8')
    for (const task of lab.tasks) {
      expect(handout).to.match(
        new RegExp(`\`${task.id}\`: .* \\| \`${task.files[0]}\` \\| ${task.optional ? 'optional' : task.points} \\|`),
      )
    }
  })

  it('points to chapters that the handout has', () => {
    const handout = readFileSync(join(START, '..', 'README.md'), 'utf8')
    const checks = join(START, '..', 'checks')
    const sources = [...readdirSync(checks).map(name => text(checks, name)), text(join(START, '..'), 'lab.ts')]
    const named = sources.flatMap(source => [...source.matchAll(/(?:README\.md|\$\{HANDOUT\}), "([^"]+)"/g)])
    expect(named).to.have.length.greaterThan(6)
    for (const [, chapter] of named) expect(handout).to.include(`### ${chapter}\n`)
  })
})
