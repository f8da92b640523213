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
    expect(rows).to.deep.equal(Array.from({ length: 38 }, (_, i) => `AT-${String(i + 1).padStart(2, '0')}`))
  })

  it('has a test for each attack, whose title names it, and no test for an attack that is not there', () => {
    expect([...tested].sort()).to.deep.equal(rows)
  })

  it('has a test for each hole of quiche, which shows that the engine in TypeScript is not open to it', () => {
    const named = [...read(PAGE).matchAll(/^\| (CVE-.*?) \|/gm)].flatMap(match => match[1].match(HOLE))
    expect(named).to.have.length.greaterThan(0)
    expect([...(idsInTitles(HOLE).get(HOLES_OF_QUICHE) ?? [])].sort()).to.deep.equal(named.sort())
  })

  it('names for all bad input of a peer of the engine in TypeScript tests that there are', () => {
    const table = read(PAGE).split('| what a peer of it sends |')[1].split('\n\n')[0]
    const inputs = [...table.matchAll(/^\| (.*) \| .* \| (\[.*) \|$/gm)]
    expect(inputs).to.have.length(21)
    for (const [, input, tests] of inputs) {
      const named = [...tests.matchAll(/\[[^\]]*\]\(\.\.\/(test\/[^)]*)\): ("[^"]*"(?:; "[^"]*")*)/g)]
      expect(named, input).to.have.length(tests.split('](').length - 1)
      for (const [, file, titles] of named)
        for (const title of titles.slice(1, -1).split('"; "')) expect(read(file), input).to.include(`'${title}'`)
    }
  })

  it('links to code and pages that exist', () => {
    expect(brokenLinks(PAGE)).to.deep.equal([])
  })
})
