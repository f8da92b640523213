import { expect } from 'chai'
import { mutate } from '../conformance-mutants/mutant.ts'
import { MUTANTS } from '../conformance-mutants/mutants.ts'
import { readRows } from './conformance-table.ts'
import { read } from './repository.ts'
import { ATTACK, idsInTitles } from './titles.ts'

describe('the mutants of docs/conformance.md, and of the attacks', () => {
  const withMutant = new Set(MUTANTS.map(({ row }) => row))
  const rows = readRows()
  const attacks = new Set([...idsInTitles(ATTACK).values()].flatMap(ids => [...ids]))

  it('still fit the code: what each takes away stands there exactly once', () => {
    for (const mutant of MUTANTS) mutate(read(`src/${mutant.file}`), mutant)
  })

  it('belong to rows that are there, or to attacks that a test is about', () => {
    expect([...withMutant].filter(id => !rows.some(row => row.id === id) && !attacks.has(id))).to.deep.equal([])
  })

  it('leave out no row of which anything is met', () => {
    const met = rows.filter(({ status }) => !status.startsWith('later'))
    expect(met.map(({ id }) => id).filter(id => !withMutant.has(id))).to.deep.equal([])
  })

  it('leave out no attack', () => {
    expect([...attacks].filter(id => !withMutant.has(id))).to.deep.equal([])
  })

  it('are no two the same', () => {
    const texts = MUTANTS.map(({ row, file, find, replace }) => JSON.stringify([row, file, find, replace]))
    expect(texts.filter((text, i) => texts.indexOf(text) !== i)).to.deep.equal([])
  })
})
