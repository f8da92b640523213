import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { expectBroken } from '../../../../labs/kit/check/break-it.ts'
import { runCheck } from '../../../../labs/kit/run/engine.ts'
import { sampleLab, sampleRoot, sampleTask } from '../sample-lab.ts'

const SOUND = ['export const double = (n: number) => 2 * n', 'export const double = (n: number) => n + n']
const BROKEN = [
  { fault: 'it squares', text: 'export const double = (n: number) => n * n' },
  { fault: 'it forgets the sign', text: 'export const double = (n: number) => Math.abs(2 * n)' },
]

describe('labs/kit: break it', () => {
  let place: ReturnType<typeof sampleRoot>
  beforeEach(() => {
    place = sampleRoot()
  })
  afterEach(() => place.remove())

  async function judged(body: string) {
    writeFileSync(
      join(place.exercises, 'a.ts'),
      `import assert from 'node:assert/strict'\nimport { double } from './subject.ts'\nexport function test() { ${body} }`,
    )
    const task = sampleTask({
      async check(context) {
        await expectBroken(context, { file: 'a.ts', subject: 'double.ts', sound: SOUND, broken: BROKEN, read: [] })
        return { passed: true, expected: '', found: '', read: [] }
      },
    })
    return await runCheck(sampleLab([task]), task, { root: place.root, mode: 'live' })
  }

  it('takes a test that returns for what is sound and throws for what is broken', async () => {
    expect((await judged('assert.equal(double(3), 6); assert.equal(double(-1), -2)')).passed).to.equal(true)
  })

  it('names what a test has not found out', async () => {
    const { feedback } = await judged('assert.equal(double(3), 6)')
    expect(feedback).to.include({ passed: false, found: 'it returns for 1 of them:\n- it forgets the sign' })
    expect(feedback).to.not.have.property('replay')
  })

  it('refuses a test that fails what is sound, and says where it threw', async () => {
    const { feedback } = await judged('assert.equal(double(3), 7)')
    expect(feedback.found).to.match(/a\.ts:3:\d+: AssertionError/)
    expect(feedback.misconception).to.match(/tests something else/)
    const replay = readFileSync(join(place.root, feedback.replay!.file), 'utf8')
    expect(replay).to.include("import { test } from '../a.ts'").and.include('show(await test())')
  })

  it('says so when the test is not written yet or does not compile', async () => {
    expect((await judged("throw new Error('TODO: test')")).feedback.found).to.equal('not written yet (TODO: test)')
    expect((await judged('assert.equal(')).feedback.expected).to.match(/compiles/)
  })
})
