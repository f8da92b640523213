import { expect } from 'chai'
import { brokenLinks, read } from './repository.ts'
import { ATTACK, idsInTitles } from './titles.ts'

const PAGE = 'docs/security.md'
const HOLES_OF_QUICHE = 'test/quic/typescript/holes-of-quiche.test.ts'
const HOLE = /\bCVE-\d+-\d+\b/g

describe('docs/security.md', () => {
  const rows = [...read(PAGE).matchAll(/^\| (AT-\d\d) \|/gm)].map(match => match[1])
  const tested = new Set([...idsInTitles(ATTACK).values()].flatMap(ids => [...ids]))

  it('has the attacks in order, each once', () => {
    expect(rows).to.deep.equal(Array.from({ length: 36 }, (_, i) => `AT-${String(i + 1).padStart(2, '0')}`))
  })

  it('has a test for each attack, whose title names it, and no test for an attack that is not there', () => {
    expect([...tested].sort()).to.deep.equal(rows)
  })

  it('has a test for each hole of quiche, which shows that the engine in TypeScript is not open to it', () => {
    const named = [...read(PAGE).matchAll(/^\| (CVE-.*?) \|/gm)].flatMap(match => match[1].match(HOLE))
    expect(named).to.have.length.greaterThan(0)
    expect([...(idsInTitles(HOLE).get(HOLES_OF_QUICHE) ?? [])].sort()).to.deep.equal(named.sort())
  })

  it('links to code and pages that exist', () => {
    expect(brokenLinks(PAGE)).to.deep.equal([])
  })
})
