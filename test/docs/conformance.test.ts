import { expect } from 'chai'
import { readRows, TABLE } from './conformance-table.ts'
import { brokenLinks } from './repository.ts'
import { carriersOf, idsInTitles, REQUIREMENT } from './titles.ts'

describe('docs/conformance.md', () => {
  const rows = readRows()
  const byFile = idsInTitles(REQUIREMENT)

  it('has each requirement of RFC 9484, HTTP/3 and QUIC in one row, in order', () => {
    const ids = rows.map(row => row.id)
    for (const [prefix, atLeast] of [
      ['CIP', 35],
      ['H3', 8],
      ['Q', 0],
    ] as const) {
      const numbers = ids.filter(id => id.startsWith(`${prefix}-`)).map(id => Number(id.slice(prefix.length + 1)))
      expect(numbers.slice(0, atLeast)).to.deep.equal(Array.from({ length: atLeast }, (_, i) => i + 1))
      expect(numbers, prefix).to.deep.equal([...new Set(numbers)].sort((a, b) => a - b))
    }
  })

  it('has a test for each row, whose title names it', () => {
    const tested = new Set([...byFile.values()].flatMap(ids => [...ids]))
    expect(rows.map(row => row.id).filter(id => !tested.has(id))).to.deep.equal([])
  })

  it('has a row for each id that a title names', () => {
    const known = new Set(rows.map(row => row.id))
    const strangers = [...byFile].flatMap(([file, ids]) =>
      [...ids].filter(id => !known.has(id)).map(id => `${id} in ${file}`),
    )
    expect(strangers).to.deep.equal([])
  })

  it('links to files that exist', () => {
    expect(brokenLinks(TABLE)).to.deep.equal([])
  })

  it('links to code in src, and to tests that name the row', () => {
    for (const { id, code, tests } of rows) {
      expect(code, id).to.not.deep.equal([])
      for (const link of code) expect(link, id).to.match(/^\.\.\/src\//)
      expect(tests, id).to.not.deep.equal([])
      for (const link of tests)
        expect([...(byFile.get(link.replace('../', '')) ?? [])], `${link} for ${id}`).to.include(id)
    }
  })

  it('says over which carriers tests of a row run', () => {
    for (const { id, over, tests } of rows) {
      const found = new Set(tests.flatMap(link => carriersOf(link.replace('../', ''), id)))
      const expected =
        (['h3', 'h2', 'h1', 'webtransport'] as const).filter(carrier => found.has(carrier)).join(', ') || '–'
      expect(over, id).to.equal(expected)
    }
  })

  it('links to each suite over HTTP/1.1 and HTTP/2 whose tests name the row', () => {
    const ofTcp = [...byFile].filter(([file]) => /^(?:test\/carriers\/h[12]|interop\/h11)\//.test(file))
    expect(ofTcp).to.not.deep.equal([])
    const missing = rows.flatMap(({ id, tests }) =>
      ofTcp.filter(([file, ids]) => ids.has(id) && !tests.includes(`../${file}`)).map(([file]) => `${file} for ${id}`),
    )
    expect(missing).to.deep.equal([])
  })

  it('says of each row how far it is met', () => {
    for (const { id, status } of rows) expect(status, id).to.match(/^(?:met|partly: .+)$/)
  })
})
