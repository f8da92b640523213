import { expect } from 'chai'
import type { Key } from 'ink'
import { plainText } from '../../../../labs/kit/lab/text.ts'
import type { Lab } from '../../../../labs/kit/lab/types.ts'
import type { TaskResult } from '../../../../labs/kit/run/engine.ts'
import { NOTHING_YET } from '../../../../labs/kit/run/live.ts'
import { type LabProgress, UNTOUCHED } from '../../../../labs/kit/run/progress.ts'
import { keysOf } from '../../../../labs/kit/ui/keys.ts'
import { reduce } from '../../../../labs/kit/ui/reduce.ts'
import { type Effect, type Event, opened, type State, type View } from '../../../../labs/kit/ui/state.ts'
import { layoutTask } from '../../../../labs/kit/ui/task-layout.ts'
import { themeFor } from '../../../../labs/kit/ui/theme.ts'
import { sampleLab, sampleTask } from '../sample-lab.ts'

const QUESTIONS = [
  { id: 'host', prompt: 'Which number?' },
  { id: 'letter', prompt: 'Which letter?' },
]
const TASKS = [
  sampleTask(),
  sampleTask({ id: 'second', title: 'The second task', files: ['answers.toml'], questions: QUESTIONS }),
]
const DEMONSTRATION: Lab['demonstration'] = {
  title: 'A demonstration',
  about: 'It shows something.',
  phases: [{ id: 'one', title: 'Phase one' }],
  run: () => Promise.reject(new Error('nothing is run here')),
}
const SOLVED = { ...UNTOUCHED, state: 'solved' as const }
const ALL_SOLVED = { first: SOLVED, second: SOLVED }
const RESULT: TaskResult = {
  task: 'first',
  passed: false,
  feedback: { passed: false, expected: 'this', found: 'that', read: [] },
  steps: [],
  live: NOTHING_YET,
  ms: 1,
}
const ESC = { escape: true }
const ENTER = { return: true }

/** The UI without a terminal: what it is asked to do is noted. */
class Session {
  state: State
  effects: Effect[]
  view: View = { offsets: [0], limits: [20], hasPicture: false, steps: 1 }

  constructor(opening: { lab?: Partial<Lab>; progress?: LabProgress; task?: number; watch?: boolean } = {}) {
    const { lab, progress = {}, task, watch } = opening
    const [state, effects] = opened({
      lab: sampleLab(TASKS, lab),
      progress,
      ...(task === undefined ? {} : { task: TASKS[task] }),
      ...(watch === undefined ? {} : { watch }),
    })
    this.state = state
    this.effects = [...effects]
  }

  happens(...events: Event[]): this {
    for (const event of events) {
      const [state, effects] = reduce(this.state, event)
      this.state = state
      this.effects.push(...effects)
    }
    return this
  }

  /** Letters, or keys that are none. */
  press(...keys: (string | Partial<Key>)[]): this {
    for (const key of keys) {
      const pressed = typeof key === 'string' ? { input: key, key: {} } : { input: '', key }
      this.happens({ type: 'key', ...pressed, view: this.view })
    }
    return this
  }

  /** What has been asked for since the last time. */
  asked(): string[] {
    return this.effects.splice(0).map(effect => effect.do)
  }
}

describe('the terminal UI, as a function of what happens', () => {
  it('begins with the demonstration, which going on stops', () => {
    const session = new Session({ lab: { demonstration: DEMONSTRATION } })
    expect(session.asked()).to.deep.equal(['demonstrate'])
    expect(session.press(ENTER).asked()).to.deep.equal(['stop the demonstration'])
    expect(session.state.screen).to.equal('tasks')
    expect(session.press('d').asked()).to.deep.equal(['demonstrate'])
    expect(session.state.demonstration.phases[0].state).to.equal('waiting')
  })

  it('begins with the first task that is not solved, or with the one that is named', () => {
    expect(new Session({ progress: { first: SOLVED } }).state.selected).to.equal(1)
    const named = new Session({ task: 0, progress: { first: SOLVED } })
    expect(named.state).to.include({ screen: 'task', selected: 0 })
    expect(named.asked()).to.deep.equal(['read answers'])
  })

  it('runs a check when asked to, shows how it goes and what it found', () => {
    const session = new Session({ task: 0 })
    session.asked()
    expect(session.press('c').asked()).to.deep.equal(['read answers', 'check'])
    session.happens({ type: 'steps', steps: [{ text: 'a step', state: 'running' }] })
    expect(session.state.task.running!.steps).to.have.length(1)
    session.happens({ type: 'checked', result: RESULT })
    expect(session.state.task.running).to.equal(undefined)
    expect(session.state.results.first).to.equal(RESULT)
    session.happens({ type: 'steps', steps: [] })
    expect(session.state.task.running).to.equal(undefined)
  })

  it('shows the place of a check that waits for those of others, which moves, until it begins', () => {
    const session = new Session({ task: 0 })
    const waiting = () => session.state.task.running?.waiting
    session.press('c').happens({ type: 'queued', text: '2nd in the queue; 1 check runs now' })
    expect(waiting()).to.equal('2nd in the queue; 1 check runs now')
    const lines = layoutTask({
      state: session.state,
      theme: themeFor({}),
      size: { columns: 80, rows: 40 },
      panel: undefined,
      runningMs: 0,
      frame: 0,
    }).columns.flatMap(column => column.lines.map(plainText))
    expect(lines).to.include.members(['Waiting', '2nd in the queue; 1 check runs now'])
    session.happens({ type: 'queued', text: '1st in the queue; 1 check runs now' })
    expect(waiting()).to.equal('1st in the queue; 1 check runs now')
    session.happens({ type: 'queued', text: undefined }, { type: 'steps', steps: [] })
    expect(waiting()).to.equal(undefined)
    session.press(ESC)
    session.happens({ type: 'queued', text: 'too late' })
    expect(session.state.task.running).to.equal(undefined)
  })

  it('keeps the place of a check that waits when a file is saved, and says of it what is true', () => {
    const session = new Session({ task: 1, watch: true }).press('c')
    session.happens({ type: 'queued', text: '1st in the queue; 1 check runs now' })
    session.asked()
    session.happens({ type: 'saved', files: ['answers.toml'] })
    expect(session.asked()).to.deep.equal(['read answers'])
    expect(session.press('n').state.task.notice).to.match(/esc gives up its place/)
    session.happens({ type: 'queued', text: undefined })
    expect(session.state.task.notice).to.equal(undefined)
    session.happens({ type: 'saved', files: ['answers.toml'] })
    expect(session.asked()).to.include('check')
    expect(session.press('n').state.task.notice).to.match(/esc stops it/)
    expect(session.press(ESC).state.task.notice).to.equal(undefined)
  })

  it('lets no other key than escape end a check that runs', () => {
    const session = new Session({ task: 0 }).press('c')
    session.asked()
    for (const key of ['n', 'c', 'a', 'R']) session.press(key)
    expect(session.asked()).to.deep.equal([])
    expect(session.state.selected).to.equal(0)
    expect(session.state.task.notice).to.match(/esc stops it/)
    expect(session.press(ESC).asked()).to.deep.equal(['stop the check'])
    expect(session.state.screen).to.equal('task')
    expect(session.press('n').state.selected).to.equal(1)
  })

  it('checks when a file of the task is saved, which counts as no try; not while a question is being answered', () => {
    const session = new Session({ task: 1, watch: true })
    session.asked()
    session.happens({ type: 'saved', files: ['answers.toml'] })
    expect(session.effects).to.deep.include({ do: 'check', task: TASKS[1], asked: false })
    session.happens({ type: 'checked', result: { ...RESULT, task: 'second' } }).press('a')
    session.asked()
    session.happens({ type: 'saved', files: ['answers.toml'] })
    expect(session.asked()).to.deep.equal(['read answers'])
  })

  it('shows answers that were typed into the file, also where a save does not check', () => {
    const session = new Session({ task: 0 }).press('w')
    session.asked()
    expect(session.happens({ type: 'saved', files: ['server.toml'] }).asked()).to.deep.equal([])
    expect(session.happens({ type: 'saved', files: ['answers.toml'] }).asked()).to.deep.equal(['read answers'])
  })

  it('asks one question after the other, and writes what was typed', () => {
    const session = new Session({ task: 1 }).press('a', '6', '4', { home: true }, '1', { end: true }, '0', ENTER)
    expect(session.state.task).to.deep.include({ question: 1, answers: { host: '1640' } })
    session.press('b', ENTER)
    expect(session.state.task.question).to.equal(undefined)
    expect(session.asked()).to.deep.equal(['read answers', 'write answer', 'write answer', 'read answers', 'check'])
  })

  it('leaves no verdict on another answer in sight: the last answer checks, and an answer alone takes it away', () => {
    const session = new Session({ task: 1 }).happens({ type: 'answers', answers: { host: '62', letter: 'b' } })
    const checked: Event = { type: 'checked', result: { ...RESULT, task: 'second' } }
    session.happens(checked).press('a', ENTER, ENTER)
    expect(session.effects.at(-1)).to.deep.include({ do: 'check', asked: true })
    session.happens(checked).press('a', '0', ENTER, ESC)
    expect(session.state.results).to.deep.equal({})
    session.happens(checked, { type: 'answers', answers: { host: '620', letter: 'b' } })
    expect(session.state.results).to.have.property('second')
    session.happens({ type: 'answers', answers: { host: '63', letter: 'b' } })
    expect(session.state.results).to.deep.equal({})
  })

  it('puts the starting files back only after a y', () => {
    const session = new Session({ task: 0 })
    session.asked()
    expect(session.press('R').state.task.confirming).to.equal(true)
    expect(session.press(ENTER).asked()).to.deep.equal([])
    expect(session.press('R', 'y').asked()).to.deep.equal(['put the starting files back'])
    expect(session.state.task.confirming).to.equal(false)
  })

  it('scrolls from what is seen, and no further than there is text', () => {
    const session = new Session({ task: 0 })
    session.view = { ...session.view, offsets: [5, 0], limits: [20, 3] }
    expect(session.press('j').state.task.scrolled).to.deep.equal([6, 1])
    expect(session.press({ pageDown: true }).state.task.scrolled).to.deep.equal([13, 3])
    expect(session.press({ end: true }).state.task.scrolled).to.deep.equal([20, 3])
    expect(session.press({ home: true }).state.task.scrolled).to.deep.equal([0, 0])
  })

  it('gives a picture the whole screen, or none; and says where there is none to be given that', () => {
    const session = new Session({ task: 0 })
    expect(session.press('v').state.picture).to.equal('auto')
    expect(session.state.task.notice).to.match(/no picture here yet/)
    expect(keysOf(session.state, session.view).map(([key]) => key)).to.not.include('v')
    session.view = { ...session.view, hasPicture: true }
    expect(session.press('v').state.picture).to.equal('full')
    expect(session.press('v').state.picture).to.equal('off')
    expect(session.press('v').state.picture).to.equal('auto')
    expect(keysOf(session.state, session.view).map(([key]) => key))
      .to.include('v')
      .and.not.include('[ ]')
    expect(keysOf(session.state, { ...session.view, steps: 2 }).map(([key]) => key)).to.include('[ ]')
  })

  it('switches to the other views of a picture and back, at their last step; and says where there are none', () => {
    const session = new Session({ task: 0 })
    const footer = () => keysOf(session.state, session.view)
    expect(session.press('g').state.pictureView).to.equal(undefined)
    expect(session.state.task.notice).to.match(/no graph here yet/)
    expect(footer().map(([key]) => key)).to.not.include('g')
    session.view = { ...session.view, hasPicture: true, steps: 3, views: ['window'] }
    session.press('v', 'v', '[')
    expect(session.state.picture).to.equal('off')
    expect(footer()).to.deep.include(['g', 'window'])
    session.press('g')
    expect(session.state).to.deep.include({ pictureView: 'window', picture: 'auto' })
    expect(session.state.task).to.deep.include({ step: undefined, notice: undefined })
    session.view = { ...session.view, shown: 'window' }
    expect(footer()).to.deep.include(['g', 'window off'])
    expect(session.press('g').state.pictureView).to.equal(undefined)
  })

  it('has the key for the windows also while a check runs, and no word about there being none once there are', () => {
    const session = new Session({ task: 0 })
    session.press('c', 'g')
    expect(session.state.task.notice).to.match(/no graph here yet/)
    session.view = { ...session.view, views: ['window'] }
    expect(keysOf(session.state, session.view)).to.deep.include(['g', 'window'])
    session.happens({ type: 'checked', result: RESULT })
    expect(session.state.task.notice).to.equal(undefined)
  })

  it('goes through the steps of a picture from the last one: [ back, ] on', () => {
    const session = new Session({ task: 0 })
    session.view = { ...session.view, steps: 3 }
    expect(session.state.task.step).to.equal(undefined)
    expect(session.press('[').state.task.step).to.equal(1)
    expect(session.press('[', '[', '[').state.task.step).to.equal(0)
    expect(session.press(']').state.task.step).to.equal(1)
    expect(session.press(']', ']').state.task.step).to.equal(undefined)
  })

  it('shows the solution after three tries, and says before how many are left', () => {
    const session = new Session({ task: 0, progress: { first: { ...UNTOUCHED, state: 'attempted', attempts: 2 } } })
    session.asked()
    expect(session.press('s').asked()).to.deep.equal([])
    expect(session.state.task.notice).to.match(/one more check that fails/)
    session.happens({ type: 'progress', progress: { first: { ...UNTOUCHED, state: 'attempted', attempts: 3 } } })
    expect(session.press('s').asked()).to.deep.equal(['show the solution'])
  })

  it('has an end, once everything is solved: from the list, and from any task', () => {
    const open = new Session({ progress: { first: SOLVED } })
    expect(open.press('e').state.screen).to.equal('tasks')
    open.happens({ type: 'progress', progress: ALL_SOLVED })
    expect(open.press('e').state.screen).to.equal('end')
    expect(open.press(ESC).state.screen).to.equal('tasks')
    for (const key of ['n', ENTER]) {
      expect(new Session({ task: 1, progress: ALL_SOLVED }).press(key).state.screen).to.equal('end')
    }
    expect(keysOf(new Session({ task: 0, progress: ALL_SOLVED }).state)).to.deep.include(['enter', 'the end'])
  })

  it('shows all keys over any screen, and quits from there too', () => {
    const session = new Session({ task: 0 }).press('?')
    expect(session.state.help).to.equal(true)
    expect(session.press('c').state).to.include({ help: false, screen: 'task' })
    session.asked()
    expect(session.press('?', 'q').asked()).to.deep.equal(['quit'])
  })
})
