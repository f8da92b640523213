import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { expectCalls } from '../../../../labs/kit/check/calls.ts'
import { runCheck } from '../../../../labs/kit/run/engine.ts'
import { sampleLab, sampleRoot, sampleTask } from '../sample-lab.ts'

describe('calls of student code and what they have to return', () => {
  let place: ReturnType<typeof sampleRoot>
  beforeEach(() => {
    place = sampleRoot()
  })
  afterEach(() => place.remove())

  /** The feedback of a check that calls `f` with 1, 2 and a long list, and wants the double of the first. */
  const feedbackTo = async (code: string) => {
    writeFileSync(join(place.exercises, 'a.ts'), code)
    const calls = [1, 2, Array.from({ length: 500 }, (_, i) => i)].map(arg => ({
      about: 'a call',
      args: [arg],
      returns: typeof arg === 'number' ? 2 * arg : 500,
    }))
    const task = sampleTask({
      async check(context) {
        await expectCalls(context, { text: 'it is called', file: 'a.ts', name: 'f', calls, read: [] })
        return { passed: true, expected: '', found: '', read: [] }
      },
    })
    return (await runCheck(sampleLab([task]), task, { root: place.root, mode: 'live' })).feedback
  }

  it('show where in the file an error was thrown, and what was printed before', async () => {
    const { found } = await feedbackTo(
      'export function f(x) {\n  console.log(x)\n  if (x > 1) throw new RangeError("no")\n  return 2\n}',
    )
    expect(found).to.match(/^a\.ts:3:\d+: RangeError: no\n {4}if \(x > 1\).*\nIt printed: 2$/)
  })

  it('show what was printed in the call whose result is wrong', async () => {
    const { found } = await feedbackTo('export function f(x) { console.log("called with", x); return 2 }')
    expect(found).to.equal('2\nIt printed: called with 2')
  })

  it('keep the failing call, whole, and no other', async () => {
    const { replay, expected } = await feedbackTo('export const f = x => (typeof x === "number" ? 2 * x : 0)')
    const text = readFileSync(join(place.root, replay!.file), 'utf8')
    expect(text).to.include(`show(await f([${Array.from({ length: 500 }, (_, i) => i).join(', ')}]))`)
    expect(text.match(/show\(await/g)).to.have.length(1)
    expect(expected.length).to.be.below(500)
  })

  it('name the await that is missing when a Promise has become text', async () => {
    const { misconception } = await feedbackTo('const g = async x => x\nexport const f = x => "2" + g(x)')
    expect(misconception).to.match(/async function returns one/)
  })
})
