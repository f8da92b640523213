import { expect } from 'chai'
import { draftOf, edited } from '../../../../labs/kit/ui/draft.ts'
import { keyByKey } from '../../../../labs/kit/ui/key-reader.ts'
import { RowWriter } from '../../../../labs/kit/ui/row-writer.ts'

describe('drawing by rows', () => {
  let written: string[]
  let height: number
  let writer: RowWriter
  beforeEach(() => {
    written = []
    height = 24
    writer = new RowWriter(
      text => written.push(text),
      () => height,
    )
  })
  const draw = (picture: string) => {
    writer.draw(picture)
    writer.flush()
  }

  it('writes rows that have changed, and no others', () => {
    draw('one\ntwo\nthree')
    draw('one\n2\nthree')
    expect(written[1]).to.equal('\x1b[?2026h\x1b[2;1H2\x1b[0m\x1b[K\x1b[?2026l')
    draw('one\n2\nthree')
    expect(written).to.have.length(2)
  })

  it('clears rows that are there no longer', () => {
    draw('one\ntwo')
    draw('one')
    expect(written[1]).to.include('\x1b[2;1H\x1b[0m\x1b[K')
  })

  it('draws the last of several pictures at once', async () => {
    writer.draw('one')
    writer.draw('two')
    await new Promise(resolve => setImmediate(resolve))
    expect(written).to.have.length(1)
    expect(written[0]).to.include('two').and.not.to.include('one')
  })

  it('draws everything again when the size has changed, and nothing below the last row', () => {
    draw('one\ntwo\nthree')
    height = 2
    writer.forget()
    draw('one\ntwo\nthree')
    expect(written.at(-1)).to.include('one').and.include('two').and.not.include('three')
  })
})

describe('keys', () => {
  const keysOf = (...chunks: string[]) => {
    const stdin = keyByKey({ read: () => chunks.shift() ?? null } as unknown as NodeJS.ReadStream)
    const keys: unknown[] = []
    for (let key = stdin.read(); key !== null; key = stdin.read()) keys.push(key)
    return keys
  }

  it('come one by one, however they arrive', () => {
    expect(keysOf('63\r', '\x1b[Ax')).to.deep.equal(['6', '3', '\r', '\x1b[A', 'x'])
    expect(keysOf('\x1b', 'é\x03')).to.deep.equal(['\x1b', 'é', '\x03'])
  })

  it('make an enter of a line feed that the terminal made of an enter', () => {
    expect(keysOf('a\n')).to.deep.equal(['a', '\r'])
  })
})

describe('the line for an answer', () => {
  const type = (text: string, ...keys: [string, object][]) =>
    keys.reduce((draft, [input, key]) => edited(draft, input, key), draftOf(text))

  it('takes text at the cursor, and removes what is before it', () => {
    expect(type('63', ['', { backspace: true }], ['4', {}]).text).to.equal('64')
    expect(type('64', ['', { leftArrow: true }], ['0', {}]).text).to.equal('604')
    expect(type('64', ['', { leftArrow: true }], ['', { delete: true }]).text).to.equal('4')
    expect(type('64', ['u', { ctrl: true }])).to.deep.equal({ text: '', cursor: 0 })
  })

  it('is not moved by keys that mean nothing here', () => {
    for (const key of [{ upArrow: true }, { tab: true }, { ctrl: true }, { meta: true }, { rightArrow: true }])
      expect(type('64', ['', key])).to.deep.equal(draftOf('64'))
    expect(type('', ['', { backspace: true }])).to.deep.equal(draftOf(''))
  })
})
