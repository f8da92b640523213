import { expect } from 'chai'
import fc from 'fast-check'
import { layoutMarkdown, parseInline } from '../../../../labs/kit/lab/markdown.ts'
import { lineColumns, plainText, wrap } from '../../../../labs/kit/lab/text.ts'
import { lab } from '../../../../labs/lab-01-deploy/lab.ts'

const plain = (markdown: string, width = 40) => layoutMarkdown(markdown, width).map(plainText)

describe('the Markdown of briefs', () => {
  it('takes away the indentation of the source, and joins the lines of a paragraph', () => {
    expect(plain('\n      One two\n      three.\n\n      Four.\n      ')).to.deep.equal(['One two three.', '', 'Four.'])
  })

  it('keeps code as it is, indented less where it would not fit, and lists under their marks', () => {
    expect(plain('```\nnpm run lab\n  -- 1\n```\n- one two three four\n  five\n1. six', 14)).to.deep.equal([
      '   npm run lab',
      '     -- 1',
      '',
      '- one two',
      '  three four',
      '  five',
      '1. six',
    ])
  })

  it('knows code, bold and emphasis inside a line, and leaves_names_with_underscores alone', () => {
    expect(parseInline('a `b_c_d` **e** _f_ g_h_i')).to.deep.equal([
      { text: 'a ' },
      { text: 'b_c_d', style: 'code' },
      { text: ' ' },
      { text: 'e', style: 'strong' },
      { text: ' ' },
      { text: 'f', style: 'emphasis' },
      { text: ' g_h_i' },
    ])
  })

  it('wraps without losing a word and never beyond the width', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ minLength: 1 })), fc.integer({ min: 4, max: 60 }), (words, width) => {
        const text = words.join(' ')
        const lines = wrap([{ text }], width, [{ text: '> ' }], [{ text: '  ' }])
        for (const line of lines) expect(lineColumns(line)).to.be.at.most(width)
        const kept = lines
          .map(line =>
            line
              .slice(1)
              .map(span => span.text)
              .join(''),
          )
          .join('')
        expect(kept.replace(/\s/g, '')).to.equal(text.replace(/\s/g, ''))
      }),
      { numRuns: 300 },
    )
  })

  it('fits the briefs of lab 1 into 78 columns, code included', () => {
    for (const task of lab.tasks) {
      for (const text of [task.brief, ...task.hints]) {
        for (const line of layoutMarkdown(text, 78)) expect(lineColumns(line), plainText(line)).to.be.at.most(78)
      }
    }
  })
})
