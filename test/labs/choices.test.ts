/** Nobody who knows nothing should find the right one of several choices by its length. */
import { expect } from 'chai'
import { readAnswers } from '../../labs/kit/check/answers.ts'
import type { Lab } from '../../labs/kit/lab/types.ts'
import { lab as deploy } from '../../labs/lab-01-deploy/lab.ts'
import { lab as performance } from '../../labs/lab-02-performance/lab.ts'
import { solutionFolder } from './grade-lab.ts'

const asked = ([deploy, performance] as Lab[]).flatMap(lab => {
  const answers = readAnswers(solutionFolder(lab))
  return lab.tasks.flatMap(task =>
    task.questions.flatMap(({ id, choices }) =>
      choices === undefined ? [] : [{ name: `${task.id}, ${id}`, choices, right: answers[task.id][id] }],
    ),
  )
})

describe('labs: questions with choices', () => {
  for (const { name, choices, right } of asked) {
    it(`${name}: the right one is not the longest`, () => {
      const lengths = Object.entries(choices).map(([letter, text]) => ({ letter, length: text.length }))
      const longest = lengths.reduce((a, b) => (b.length > a.length ? b : a))
      expect(longest.letter).to.not.equal(right)
    })
  }

  it('are sixteen in labs 1 and 2, and no letter is right in half of them', () => {
    expect(asked).to.have.length(16)
    for (const letter of 'abcd') expect(asked.filter(({ right }) => right === letter).length).to.be.below(5)
  })
})
