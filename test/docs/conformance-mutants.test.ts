import { expect } from 'chai'
import { MUTANTS, mutate } from '../conformance-mutants/mutants.ts'
import { readRows } from './conformance-table.ts'
import { read } from './repository.ts'

describe('the mutants of docs/conformance.md', () => {
  it('still fit the code: what each takes away stands there exactly once', () => {
    for (const mutant of MUTANTS) mutate(read(`src/${mutant.file}`), mutant)
  })

  it('belong to rows that are there', () => {
    const ids = readRows().map(({ id }) => id)
    for (const { row } of MUTANTS) expect(ids).to.include(row)
  })
})
