import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { render } from 'ink-testing-library'
import type { Lab, Phase, Task } from '../../../../labs/kit/lab/types.ts'
import type { DemonstrationOptions, DemonstrationOutcome } from '../../../../labs/kit/run/demonstrate.ts'
import type { RunOptions, TaskResult } from '../../../../labs/kit/run/engine.ts'
import { NOTHING_YET } from '../../../../labs/kit/run/live.ts'
import { ProgressStore } from '../../../../labs/kit/run/progress.ts'
import type { Runner } from '../../../../labs/kit/run/runner.ts'
import { App } from '../../../../labs/kit/ui/app.tsx'
import { themeFor } from '../../../../labs/kit/ui/theme.ts'
import { sampleLab, sampleRoot, sampleTask } from '../sample-lab.ts'

/** A runner whose demonstrations and checks end when the test says so. */
class TestRunner implements Runner {
  demonstration: { options: DemonstrationOptions; end(outcome: DemonstrationOutcome): void } | undefined
  checking: { task: Task; options: RunOptions; end(result: TaskResult): void } | undefined

  demonstrate(_lab: Lab, options: DemonstrationOptions): Promise<DemonstrationOutcome> {
    return new Promise(end => {
      this.demonstration = { options, end }
    })
  }

  check(_lab: Lab, task: Task, options: RunOptions): Promise<TaskResult> {
    return new Promise(end => {
      this.checking = { task, options, end }
    })
  }

  async close(): Promise<void> {}
}

const UP = '\u001B[A'
const ESC = '\u001B'
const ENTER = '\r'

describe('the terminal UI', () => {
  let place: ReturnType<typeof sampleRoot>
  let ui: ReturnType<typeof render> | undefined
  let runner: TestRunner
  let store: ProgressStore

  const tasks = () => [
    sampleTask(),
    sampleTask({
      id: 'second',
      title: 'The second task',
      questions: [
        { id: 'host', prompt: 'Which number?', placeholder: 'a number' },
        { id: 'letter', prompt: 'Which letter?', choices: { a: 'Alpha.', b: 'Beta.' } },
      ],
    }),
  ]
  const demonstration: Lab['demonstration'] = {
    title: 'A demonstration',
    about: 'It shows something.',
    phases: [
      { id: 'one', title: 'Phase one' },
      { id: 'two', title: 'Phase two' },
    ],
    run: () => Promise.reject(new Error('the runner of this test does not run it')),
  }
  const open = (changes: Partial<Lab> = {}, env: Record<string, string> = { LANG: 'C.UTF-8' }) => {
    const lab = sampleLab(tasks(), changes)
    ui = render(<App lab={lab} root={place.root} store={store} runner={runner} theme={themeFor(env, 'linux')} />)
    return ui
  }
  const frame = () => ui?.lastFrame() ?? ''
  /** Waits until the screen shows something: effects and input run in later turns of the event loop. */
  const shows = async (text: string | RegExp) => {
    const there = () => (typeof text === 'string' ? frame().includes(text) : text.test(frame()))
    for (let turn = 0; turn < 2500 && !there(); turn++) await new Promise(resolve => setTimeout(resolve, 2))
    if (typeof text === 'string') expect(frame()).to.include(text)
    else expect(frame()).to.match(text)
    // A text input listens one turn after it is drawn.
    await new Promise(resolve => setTimeout(resolve, 10))
  }
  const press = (...keys: string[]) => {
    for (const key of keys) ui!.stdin.write(key)
  }
  const result = (changes: Partial<TaskResult> = {}): TaskResult => ({
    task: 'first',
    passed: false,
    feedback: {
      passed: false,
      expected: 'a TTL of 63',
      found: 'a TTL of 64',
      misconception: 'Forwarding costs one hop.',
      read: ['RFC 9484 §7.2'],
    },
    steps: [
      { text: 'start a server', state: 'done' },
      { text: 'compare the TTL', state: 'failed' },
    ],
    live: NOTHING_YET,
    ms: 12,
    ...changes,
  })

  beforeEach(() => {
    place = sampleRoot()
    store = new ProgressStore(join(place.root, 'state'))
    runner = new TestRunner()
  })
  afterEach(() => {
    ui?.unmount()
    ui = undefined
    place.remove()
  })

  it('shows the phases of the demonstration as they pass, then leads to the tasks', async () => {
    open({ demonstration })
    await shows('Phase two')
    const phases: Phase[] = [
      { id: 'one', title: 'Phase one', state: 'done', detail: 'all is well', ms: 4.2 },
      { id: 'two', title: 'Phase two', state: 'waiting' },
    ]
    runner.demonstration!.options.onPhases!(phases)
    await shows(/✓ Phase one +4\.20 ms {2}all is well/)
    expect(frame()).to.include('· Phase two').and.to.include('skip to the tasks')
    runner.demonstration!.end({ phases, summary: ['You have seen it.'], ms: 9 })
    await shows('You have seen it.')
    press(ENTER)
    await shows('You will be able to')
  })

  it('says why a demonstration failed, and runs it again when asked to', async () => {
    open({ demonstration })
    await shows('Phase one')
    const first = runner.demonstration
    first!.end({ phases: [], summary: [], failure: 'the port is in use', ms: 1 })
    await shows('The demonstration failed: the port is in use')
    press('r')
    await shows('skip to the tasks')
    expect(runner.demonstration).to.not.equal(first)
  })

  it('stops the demonstration when the student goes on', async () => {
    open({ demonstration })
    await shows('Phase one')
    press(ENTER)
    await shows('The second task')
    expect(runner.demonstration!.options.signal!.aborted).to.equal(true)
  })

  it('moves through the list by letters and by arrows, and shows states by mark and word', async () => {
    store.recordCheck('lab-99-sample', 'first', true)
    open()
    await shows(/❯ ○ 2 {2}The second task +open/)
    expect(frame())
      .to.match(/✓ 1 {2}The first task +solved/)
      .and.to.include('1 of 2 solved')
    press('k')
    await shows(/❯ ✓ 1/)
    press('j')
    await shows(/❯ ○ 2/)
    press(UP)
    await shows(/❯ ✓ 1/)
  })

  it('renders the brief, and reveals hints one at a time', async () => {
    open()
    press(ENTER)
    await shows('Read this and run:')
    expect(frame()).to.include('    npm run something').and.to.include('labs/lab-99-sample/exercises/server.toml')
    expect(frame()).to.include('hint (2 left)').and.not.to.include('A nudge.')
    press('h')
    await shows('A nudge.')
    expect(frame()).to.include('hint (1 left)').and.not.to.include('Nearly the solution.')
    press('h')
    await shows('Nearly the solution.')
    expect(frame()).to.not.include('left)')
    expect(store.task('lab-99-sample', 'first').hints).to.equal(2)
  })

  it('shows the steps of a running check, then what was expected, what was found and where to read', async () => {
    open()
    press(ENTER)
    await shows('Read this')
    press('c')
    await shows('Checking')
    const { options, task, end } = runner.checking!
    expect(options.mode).to.equal('live')
    options.onEvent!({ type: 'step', task, steps: [{ text: 'start a server', state: 'running' }] })
    await shows('start a server')
    end(result())
    await shows('✗ Not yet')
    for (const text of [
      'a TTL of 63',
      'a TTL of 64',
      'Forwarding costs one hop.',
      'RFC 9484 §7.2',
      'compare the TTL',
      '✗ tried',
    ])
      expect(frame()).to.include(text)
    press('c')
    await shows('Checking')
    runner.checking!.end(result({ passed: true, feedback: { passed: true, expected: 'it', found: 'it', read: [] } }))
    await shows('✓ Solved')
    expect(store.task('lab-99-sample', 'first').state).to.equal('solved')
  })

  it('stops a check on escape, and then leaves the task on escape', async () => {
    open()
    press(ENTER)
    await shows('Read this')
    press('c')
    await shows('stop the check')
    press(ESC)
    await shows('c check')
    expect(runner.checking!.options.signal!.aborted).to.equal(true)
    runner.checking!.end(result())
    press('b')
    await shows('You will be able to')
    expect(store.task('lab-99-sample', 'first').state).to.equal('open')
  })

  it('asks one question after the other and keeps the answers in the answers file', async () => {
    open()
    press('j')
    await shows(/❯ ○ 2/)
    press(ENTER)
    await shows('(no answer yet)')
    press('a')
    await shows('save the answer')
    press('63')
    await shows('❯ 63')
    press(ENTER)
    await shows(/❯ *\n/)
    press('b')
    await shows('❯ b')
    press(ENTER)
    await shows('Your answer: b')
    expect(frame()).to.include('Your answer: 63')
    expect(readFileSync(join(place.exercises, 'answers.toml'), 'utf8')).to.equal(
      '[second]\nhost = "63"\nletter = "b"\n',
    )
  })

  it('leaves a question on escape without an answer', async () => {
    open()
    press('j', ENTER)
    await shows('a answer')
    press('a')
    await shows('save the answer')
    press(ESC)
    await shows('c check')
    expect(frame()).to.include('(no answer yet)')
  })

  it('keeps every line inside the width, and fits the height', async () => {
    open({ demonstration })
    await shows('Phase one')
    for (const keys of [[], [ENTER], [ENTER], ['h'], ['c']]) {
      press(...keys)
      await new Promise(resolve => setTimeout(resolve, 10))
      const lines = frame().split('\n')
      expect(lines).to.have.length(23)
      for (const line of lines) expect([...line].length).to.be.at.most(100)
    }
  })

  it('uses plain ASCII marks where the terminal promises no more', async () => {
    store.recordCheck('lab-99-sample', 'first', true)
    open({}, { LANG: 'C' })
    await shows('> o 2  The second task')
    expect([...frame()].every(character => character.charCodeAt(0) < 0x7f)).to.equal(true)
  })

  it('uses no colour when NO_COLOR is set', () => {
    const styles = ['code', 'good', 'bad', 'accent', 'heading', 'muted', 'strong', 'emphasis'] as const
    for (const style of styles) expect(themeFor({ NO_COLOR: '1' }).style(style)).to.not.have.property('color')
    expect(themeFor({}).style('good')).to.have.property('color')
  })
})
