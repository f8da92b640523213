import { expect } from 'chai'
import { brokenLinks, filesBelow, read } from './repository.ts'

const PAGE = 'docs/security.md'

describe('docs/security.md', () => {
  const rows = [...read(PAGE).matchAll(/^\| (AT-\d\d) \|/gm)].map(match => match[1])
  const tested = new Set(
    filesBelow('test', ['.test.ts', '.test.tsx']).flatMap(file => [
      ...[...read(file).matchAll(/\b(?:it|describe)\(\s*(['"`])((?:\\.|(?!\1)[^\\])*)\1/g)].flatMap(
        match => match[2].match(/\bAT-\d\d\b/g) ?? [],
      ),
    ]),
  )

  it('has the attacks in order, each once', () => {
    expect(rows).to.deep.equal(Array.from({ length: 21 }, (_, i) => `AT-${String(i + 1).padStart(2, '0')}`))
  })

  it('has a test for each attack, whose title names it, and no test for an attack that is not there', () => {
    expect([...tested].sort()).to.deep.equal(rows)
  })

  it('links to code and pages that exist', () => {
    expect(brokenLinks(PAGE)).to.deep.equal([])
  })
})
