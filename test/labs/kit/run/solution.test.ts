import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { plainText } from '../../../../labs/kit/lab/text.ts'
import { attemptsToGo, solutionFiles, solutionLines } from '../../../../labs/kit/run/solution.ts'
import { sampleLab, sampleRoot, sampleTask } from '../sample-lab.ts'

describe('reference solutions', () => {
  let place: ReturnType<typeof sampleRoot>
  beforeEach(() => {
    place = sampleRoot()
  })
  afterEach(() => place.remove())
  const progress = { state: 'open', attempts: 0, hints: 0, solutionShown: false } as const

  it('may be seen once solved, or after three attempts', () => {
    expect(attemptsToGo(progress)).to.equal(3)
    expect(attemptsToGo({ ...progress, state: 'attempted', attempts: 2 })).to.equal(1)
    expect(attemptsToGo({ ...progress, state: 'attempted', attempts: 3 })).to.equal(0)
    expect(attemptsToGo({ ...progress, state: 'solved' })).to.equal(0)
  })

  it('show of the answers only those to this task', () => {
    const task = sampleTask({ files: ['answers.toml'] })
    mkdirSync(join(place.root, 'solutions', 'lab-99-sample'), { recursive: true })
    const text = '# all\n[other]\na = "1"\n\n[first]\nb = "2"\n# why\n\n[third]\nc = "3"\n'
    writeFileSync(join(place.root, 'solutions', 'lab-99-sample', 'answers.toml'), text)
    expect(solutionFiles(place.root, sampleLab([task]), task)).to.deep.equal([
      { path: 'solutions/lab-99-sample/answers.toml', text: '[first]\nb = "2"\n# why' },
    ])
  })

  it('say so when an instructor has taken them out', () => {
    const task = sampleTask()
    const text = solutionLines(place.root, sampleLab([task]), task)
      .map(plainText)
      .join('\n')
    expect(text).to.include('not part of this copy')
  })
})
