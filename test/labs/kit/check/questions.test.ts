import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import {
  choiceIn,
  expectChoice,
  expectEach,
  expectNumber,
  givenAnswers,
  letterIn,
  numberIn,
} from '../../../../labs/kit/check/questions.ts'
import type { CheckContext, Otherwise } from '../../../../labs/kit/lab/types.ts'
import { runCheck } from '../../../../labs/kit/run/engine.ts'
import { sampleLab, sampleRoot, sampleTask } from '../sample-lab.ts'

/** What the check says to this answer; `undefined`: it is right. */
function judged(answer: string, judge: (context: CheckContext) => void): Otherwise | undefined {
  let said: Otherwise | undefined
  const context = {
    answers: { one: answer },
    expect(_: string, holds: unknown, otherwise: Otherwise) {
      if (!holds) said = otherwise
    },
  }
  judge(context as unknown as CheckContext)
  return said
}
const choice = (answer: string) =>
  judged(answer, context => expectChoice(context, 'one', { right: 'b', wrong: { a: 'why not a', c: '' }, read: [] }))
const number = (answer: string) =>
  judged(
    answer,
    context =>
      void expectNumber(context, 'one', { right: 61, wrong: { 64: 'why not 64' }, units: ['addresses'], read: [] }),
  )

describe('labs/kit: questions', () => {
  it('takes a letter in any form in which it is one letter, and nothing else', () => {
    for (const answer of ['b', 'B', ' b) ', '(b)', 'b: because it is so'])
      expect(letterIn(answer), answer).to.equal('b')
    for (const answer of ['bz', 'The proxy', 'b or c', '']) expect(letterIn(answer), answer).to.not.have.length(1)
  })

  it('takes a number in any form in which it is one, and says what it does not understand', () => {
    for (const answer of ['61', '61.0', '0x3d', ' 61 addresses', '61 Addresses'])
      expect(numberIn(answer, ['addresses']), answer).to.deep.equal({ value: 61 })
    expect(numberIn('one').value).to.equal(1)
    expect(numberIn('4,064').value).to.equal(4064)
    for (const answer of ['4064', '4064 ms', '4,064 ms', '4.064 s', '4.064s'])
      expect(numberIn(answer, { ms: 1, s: 1000 }), answer).to.deep.equal({ value: 4064 })
    expect(numberIn('61 apples', ['addresses']).problem).to.equal('"apples" is no unit of this number')
    expect(numberIn('1.2.3').problem).to.equal('a number is asked for')
    // In German, and in other languages, a comma is what stands before the part below 1.
    for (const [answer, meant] of [
      ['5,62', '5.62'],
      ['0,125', '0.125'],
      ['-12,5 ms', '-12.5'],
      ['1070,5', '1070.5'],
    ])
      expect(numberIn(answer, ['ms']).problem, answer).to.equal(`with a decimal point, please: ${meant}`)
    expect(numberIn('').problem).to.equal('a number is asked for')
  })

  it('says why a wrong letter is wrong, and which letters there are where it is none', () => {
    expect(choice('B)')).to.equal(undefined)
    expect(choice('a')).to.include({ found: 'the answer "a"', misconception: 'why not a' })
    expect(choice('The proxy')).to.include({ found: 'the answer "The proxy"; the answers are a, b, c' })
    expect(choice('cz')?.found).to.equal('the answer "cz"; the answers are a, b, c')
    expect(choice('')?.found).to.equal('no answer yet to "one"')
  })

  it('says why a wrong number is wrong, and nothing where nobody knows', () => {
    expect(number('61 addresses')).to.equal(undefined)
    expect(number('64')?.misconception).to.equal('why not 64')
    expect(number('60')).to.include({ found: 'the answer "60"', misconception: undefined })
    expect(number('61 apples')?.found).to.equal('the answer "61 apples"; "apples" is no unit of this number')
  })

  it('takes a choice in its own words for its letter', () => {
    const question = { id: 'who', prompt: 'Who?', choices: { a: 'The client', b: 'The proxy.' } }
    expect(['The proxy', 'the proxy.', 'b', 'bz'].map(text => choiceIn(question, text))).to.deep.equal([
      'b',
      'b',
      'b',
      'bz',
    ])
  })

  it('says all wrong answers of a set at once, and one alone in full', async () => {
    const place = sampleRoot()
    const questions = ['one', 'two', 'three'].map(id => ({ id, prompt: id }))
    const task = sampleTask({
      questions,
      async check(context) {
        expectEach(
          context,
          questions.map(({ id }) => (each: CheckContext) => {
            expectChoice(each, id, { right: 'a', wrong: { b: `Not ${id}.` }, read: ['RFC 1'] })
          }),
        )
        return { passed: true, expected: '', found: 'all', read: [] }
      },
    })
    const said = async (answers: string) => {
      writeFileSync(join(place.exercises, 'answers.toml'), `[first]\n${answers}`)
      return await runCheck(sampleLab([task]), task, { root: place.root, mode: 'live' })
    }
    expect((await said('one = "a"\ntwo = "A)"\nthree = "a"')).passed).to.equal(true)
    const two = await said('one = "b"\ntwo = "x"\nthree = "a"')
    expect(two.steps.map(({ state }) => state)).to.deep.equal(['failed', 'failed', 'done'])
    expect(two.feedback.found).to.equal(
      '2 of 3 are not right yet\nyou answer the question "one": the answer "b". Not one.\nyou answer the question "two": the answer "x"; the answers are a, b.',
    )
    expect((await said('one = "b"\ntwo = "a"\nthree = "a"')).feedback).to.include({ misconception: 'Not one.' })
    place.remove()
  })

  it('belongs to the question that is named, and to no other by guess', () => {
    const task = { id: 'explain', questions: ['host', 'letter'].map(id => ({ id, prompt: id })) }
    const given = (...answers: string[]) => [...givenAnswers(task, answers)].map(pair => pair.join('='))
    expect(given('letter=c')).to.deep.equal(['letter=c'])
    expect(given('63', 'c')).to.deep.equal(['host=63', 'letter=c'])
    expect(given('letter = c', '63')).to.deep.equal(['letter=c', 'host=63'])
    expect(() => given('c')).to.throw('which question is "c" the answer to? --answer host=… or --answer letter=…')
    expect(() => given('lease=61')).to.throw("task 'explain' has no question 'lease'; it asks host, letter")
    expect(() => given('1', '2', '3')).to.throw('one more answer was given: 3')
  })
})
