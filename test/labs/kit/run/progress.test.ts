import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { ProgressStore, progressDirectory } from '../../../../labs/kit/run/progress.ts'

describe('progress of a student', () => {
  let directory: string
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'masque-progress-test-'))
  })
  afterEach(() => rmSync(directory, { recursive: true, force: true }))
  const now = () => new Date('2026-03-01T10:00:00.000Z')
  const store = () => new ProgressStore(directory, now)

  it('keeps the first predictions of a task, once all of them are there', () => {
    const store = new ProgressStore(directory)
    const questions = [
      { id: 'host', prompt: '?', prediction: true as const },
      { id: 'more', prompt: '?', prediction: { units: ['hops'] } },
      { id: 'other', prompt: '?' },
    ]
    const task = { id: 'ping', questions }
    store.lockPredictions('lab-01-deploy', task, { host: '63', more: '' })
    expect(store.task('lab-01-deploy', 'ping').predictions).to.equal(undefined)
    // What the check refuses is no prediction.
    store.lockPredictions('lab-01-deploy', task, { host: '64hops', more: '63' })
    store.lockPredictions('lab-01-deploy', task, { host: '64', more: 'sixty' })
    expect(store.task('lab-01-deploy', 'ping').predictions).to.equal(undefined)
    store.lockPredictions('lab-01-deploy', task, { host: '64', more: '63 hops', other: 'x' })
    store.lockPredictions('lab-01-deploy', task, { host: '63', more: '64' })
    expect(store.task('lab-01-deploy', 'ping').predictions).to.deep.equal({ host: '64', more: '63 hops' })
  })

  it('begins with everything open, and writes nothing until something happens', () => {
    expect(store().task('lab-01-deploy', 'ping')).to.deep.equal({
      state: 'open',
      attempts: 0,
      hints: 0,
      solutionShown: false,
    })
    expect(readdirSync(directory)).to.deep.equal([])
  })

  it('is there for the next process, with attempts, hints and the time of the solution', () => {
    const first = store()
    first.recordCheck('lab-01-deploy', 'ping', false)
    first.recordCheck('lab-01-deploy', 'ping', false)
    first.revealHint('lab-01-deploy', 'ping', 3)
    first.recordCheck('lab-01-deploy', 'ping', true)
    expect(store().task('lab-01-deploy', 'ping')).to.deep.equal({
      state: 'solved',
      attempts: 2,
      hints: 1,
      solutionShown: false,
      solvedAt: '2026-03-01T10:00:00.000Z',
    })
    expect(readdirSync(directory)).to.deep.equal(['progress.json'])
  })

  it('keeps a solved task solved when the student breaks it later on purpose', () => {
    const progress = store()
    progress.recordCheck('lab-01-deploy', 'trust', true)
    progress.recordCheck('lab-01-deploy', 'trust', false)
    expect(progress.task('lab-01-deploy', 'trust')).to.include({ state: 'solved', attempts: 0 })
  })

  it('shows no more hints than there are', () => {
    const progress = store()
    expect([1, 2, 3].map(() => progress.revealHint('lab-01-deploy', 'ping', 2))).to.deep.equal([1, 2, 2])
  })

  it('takes in what a second terminal has written in the meantime', () => {
    const [one, two] = [store(), store()]
    one.lab('lab-01-deploy')
    two.recordCheck('lab-01-deploy', 'config', true)
    one.recordCheck('lab-01-deploy', 'ping', false)
    expect(store().lab('lab-01-deploy')).to.have.keys('config', 'ping')
  })

  const broken: Record<string, string> = {
    'is cut off': '{"version":1,"labs":{"lab-01',
    'is empty': '',
    'is a list': '[]',
    'is of a later version': '{"version":99,"labs":{}}',
    'is of a version that never was': '{"version":0,"labs":{}}',
    'has no labs': '{"version":1}',
    'has a state that does not exist':
      '{"version":1,"labs":{"lab-01-deploy":{"ping":{"state":"won","attempts":0,"hints":0}}}}',
    'has a lab that is a text': '{"version":1,"labs":{"lab-01-deploy":"all"}}',
  }
  for (const [title, text] of Object.entries(broken)) {
    it(`keeps a file aside that ${title}, and starts afresh`, () => {
      writeFileSync(join(directory, 'progress.json'), text)
      const progress = store()
      expect(progress.task('lab-01-deploy', 'ping').state).to.equal('open')
      const aside = 'progress.json.broken-2026-03-01T10-00-00-000Z'
      expect(readdirSync(directory)).to.deep.equal([aside])
      expect(readFileSync(join(directory, aside), 'utf8')).to.equal(text)
      expect(progress.warning).to.include(aside)
      progress.recordCheck('lab-01-deploy', 'ping', true)
      expect(store().task('lab-01-deploy', 'ping').state).to.equal('solved')
    })
  }

  it('reads a file of version 1, keeps it beside the new one, and loses nothing', () => {
    const old = '{"version":1,"labs":{"lab-01-deploy":{"ping":{"state":"solved","attempts":2,"hints":1}}}}'
    writeFileSync(join(directory, 'progress.json'), old)
    const progress = store()
    expect(progress.task('lab-01-deploy', 'ping')).to.deep.equal({
      state: 'solved',
      attempts: 2,
      hints: 1,
      solutionShown: false,
    })
    expect(progress.warning).to.equal(undefined)
    progress.recordCheck('lab-01-deploy', 'trust', false)
    expect(readFileSync(join(directory, 'progress.json.version-1'), 'utf8')).to.equal(old)
    const now = JSON.parse(readFileSync(join(directory, 'progress.json'), 'utf8'))
    expect(now.version).to.equal(2)
    expect(now.labs['lab-01-deploy']).to.have.keys('ping', 'trust')
  })

  it('remembers that the solution has been looked at', () => {
    store().recordSolutionShown('lab-01-deploy', 'ping')
    expect(store().task('lab-01-deploy', 'ping').solutionShown).to.equal(true)
  })

  it('lasts as long as the process where nothing can be written, and says so', () => {
    const file = join(directory, 'a-file')
    writeFileSync(file, '')
    const progress = new ProgressStore(join(file, 'below'), now)
    progress.recordCheck('lab-01-deploy', 'ping', true)
    expect(progress.task('lab-01-deploy', 'ping').state).to.equal('solved')
    expect(progress.warning).to.include('MASQUE_LAB_HOME')
  })

  it('is kept where the platform keeps such things, unless MASQUE_LAB_HOME says otherwise', () => {
    const home = join('/', 'home', 'ada')
    expect(progressDirectory({ MASQUE_LAB_HOME: '/x', XDG_STATE_HOME: '/y' }, 'linux', home)).to.equal('/x')
    expect(progressDirectory({ XDG_STATE_HOME: '/y' }, 'linux', home)).to.equal(join('/y', 'masque-lab'))
    expect(progressDirectory({}, 'linux', home)).to.equal(join(home, '.local', 'state', 'masque-lab'))
    expect(progressDirectory({}, 'darwin', home)).to.equal(join(home, 'Library', 'Application Support', 'masque-lab'))
    expect(progressDirectory({ LOCALAPPDATA: '/appdata' }, 'win32', home)).to.equal(join('/appdata', 'masque-lab'))
  })
})
