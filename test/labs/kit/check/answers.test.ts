import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import fc from 'fast-check'
import { AnswerFileError, readAnswers, writeAnswer } from '../../../../labs/kit/check/answers.ts'
import { sampleRoot } from '../sample-lab.ts'

describe('answers in words', () => {
  let place: ReturnType<typeof sampleRoot>
  const text = () => readFileSync(join(place.exercises, 'answers.toml'), 'utf8')
  beforeEach(() => {
    place = sampleRoot('# On top.\n\n[ping]\nhost = "" # the library\ngateway = ""\n\n[trust]\nalert = ""\n')
  })
  afterEach(() => place.remove())

  it('are written into their line; every other line stays', () => {
    writeAnswer(place.exercises, 'ping', 'gateway', '64')
    expect(text()).to.equal('# On top.\n\n[ping]\nhost = "" # the library\ngateway = "64"\n\n[trust]\nalert = ""\n')
  })

  it('are added at the end of their section, or in a new one', () => {
    writeAnswer(place.exercises, 'ping', 'third', 'x')
    writeAnswer(place.exercises, 'address', 'origin', 'b')
    expect(text())
      .to.include('gateway = ""\nthird = "x"\n\n[trust]')
      .and.to.match(/\[address\]\norigin = "b"\n$/)
  })

  it('may be numbers, which count as what was typed', () => {
    writeFileSync(join(place.exercises, 'answers.toml'), '[ping]\nhost = 63\n')
    expect(readAnswers(place.exercises)).to.deep.equal({ ping: { host: '63' } })
  })

  it('are none when there is no file, and the first one makes it', () => {
    const empty = sampleRoot()
    expect(readAnswers(empty.exercises)).to.deep.equal({})
    writeAnswer(empty.exercises, 'ping', 'host', '63')
    expect(readAnswers(empty.exercises)).to.deep.equal({ ping: { host: '63' } })
    expect(readdirSync(empty.exercises)).to.deep.equal(['answers.toml'])
    empty.remove()
  })

  it('in a file that is not TOML are left alone, and the line is named', () => {
    writeFileSync(join(place.exercises, 'answers.toml'), '[ping]\nhost = 63"\n')
    expect(() => readAnswers(place.exercises)).to.throw(AnswerFileError, /answers\.toml line 2/)
    expect(() => writeAnswer(place.exercises, 'ping', 'host', '63')).to.throw(AnswerFileError)
    expect(text()).to.equal('[ping]\nhost = 63"\n')
  })

  it('come back as they were given, whatever is typed', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), answer => {
        writeAnswer(place.exercises, 'ping', 'host', answer)
        expect(readAnswers(place.exercises).ping?.host).to.equal(answer.trim())
      }),
      { numRuns: 200 },
    )
  })
})
