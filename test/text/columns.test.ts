import { expect } from 'chai'
import { lineColumns, wrap } from '../../labs/kit/lab/text.ts'
import { columns, cutAt, padEnd } from '../../src/text/columns.ts'

describe('text in columns', () => {
  it('counts what a terminal shows: two for a Chinese character, none for an accent that is written apart', () => {
    expect(columns('王小明')).to.equal(6)
    expect(columns('e\u0301')).to.equal(1)
    expect(columns('👩‍🎓')).to.equal(2)
    expect(columns('plain')).to.equal(5)
  })

  it('pads names to one width, so that a table stays straight', () => {
    const names = ['王小明', 'ada', 'Zoë', 'e\u0301va', '김철수']
    expect(new Set(names.map(name => columns(padEnd(name, 10))))).to.deep.equal(new Set([10]))
  })

  it('cuts between characters, and never has more than there is room for', () => {
    expect(cutAt('王小明', 5)).to.deep.equal(['王小', '明'])
    expect(cutAt('👩‍🎓👩‍🎓', 3)).to.deep.equal(['👩‍🎓', '👩‍🎓'])
    expect(cutAt('plain', 3)).to.deep.equal(['pla', 'in'])
  })

  it('breaks lines of wide characters at the width, and ends also where not even one fits', () => {
    for (const width of [1, 2, 3, 7, 20]) {
      const lines = wrap([{ text: '王小明在测试 plain 这是一个很长的句子' }], width)
      for (const line of lines) expect(lineColumns(line)).to.be.at.most(Math.max(2, width))
      expect(
        lines
          .flatMap(line => line.map(span => span.text))
          .join('')
          .replaceAll(' ', ''),
      ).to.equal('王小明在测试plain这是一个很长的句子')
    }
  })
})
