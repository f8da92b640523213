import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import type { TaskResult } from '../../../../labs/kit/run/engine.ts'
import { NOTHING_YET } from '../../../../labs/kit/run/live.ts'
import { ProgressStore } from '../../../../labs/kit/run/progress.ts'
import type { Runner } from '../../../../labs/kit/run/runner.ts'
import { Program } from '../../../../labs/kit/ui/program.ts'
import { sampleLab, sampleRoot, sampleTask } from '../sample-lab.ts'

const LAB = 'lab-99-sample'
const NO_VIEW = { offsets: [0], limits: [0], hasPicture: false, steps: 1 }
const FAILED: TaskResult = {
  task: 'first',
  passed: false,
  feedback: { passed: false, expected: 'this', found: 'that', read: [] },
  steps: [],
  live: NOTHING_YET,
  ms: 1,
}
let checks = 0
const failing: Runner = {
  demonstrate: () => Promise.reject(new Error('there is no demonstration')),
  check: async () => {
    checks++
    return FAILED
  },
  close: async () => {},
}

describe('what the terminal UI does', () => {
  let place: ReturnType<typeof sampleRoot>
  let store: ProgressStore
  let program: Program

  const questions = [{ id: 'host', prompt: 'Which number?' }]
  const task = sampleTask({ questions, files: ['server.toml', 'answers.toml'] })
  const open = () => {
    program = new Program({ lab: sampleLab([task]), root: place.root, store, runner: failing, task, quit: () => {} })
    program.start()
  }
  const press = (...inputs: string[]) => {
    for (const input of inputs) {
      const key = input === '\r' ? { return: true } : {}
      program.dispatch({ type: 'key', input: input === '\r' ? '' : input, key, view: NO_VIEW })
    }
  }
  const until = async (holds: () => boolean) => {
    for (let turn = 0; turn < 500 && !holds(); turn++) await new Promise(resolve => setTimeout(resolve, 10))
    expect(holds()).to.equal(true)
  }
  const checked = () => program.state().results.first !== undefined

  beforeEach(() => {
    checks = 0
    place = sampleRoot('[first]\nhost = "62"\n')
    store = new ProgressStore(join(place.root, 'state'))
  })
  afterEach(() => {
    program.stop()
    place.remove()
  })

  it('counts a check that the student asked for as a try', async () => {
    open()
    press('c')
    await until(checked)
    expect(store.task(LAB, 'first')).to.include({ state: 'attempted', attempts: 1 })
    expect(program.state().progress.first!.attempts).to.equal(1)
  })

  it('checks at a save, and counts no try when it fails', async () => {
    open()
    writeFileSync(join(place.exercises, 'server.toml'), 'a new file')
    await until(checked)
    expect(store.task(LAB, 'first')).to.include({ state: 'attempted', attempts: 0 })
  })

  it('shows what was reached in another terminal', async () => {
    open()
    new ProgressStore(join(place.root, 'state')).recordCheck(LAB, 'first', true)
    await until(() => program.state().progress.first?.state === 'solved')
  })

  it('reads answers from their file, writes them there, and checks them once: writing is no save', async () => {
    open()
    expect(program.state().task.answers).to.deep.equal({ host: '62' })
    press('a', '0', '\r')
    expect(readFileSync(join(place.exercises, 'answers.toml'), 'utf8')).to.equal('[first]\nhost = "620"\n')
    await until(checked)
    expect(store.task(LAB, 'first').attempts).to.equal(1)
    await new Promise(resolve => setTimeout(resolve, 700))
    expect(checks).to.equal(1)
  })

  it('says what is wrong with an answers file that cannot be read', () => {
    writeFileSync(join(place.exercises, 'answers.toml'), 'host = = 3')
    open()
    expect(program.state().task.notice).to.match(/answers.toml to be TOML/)
  })
})
