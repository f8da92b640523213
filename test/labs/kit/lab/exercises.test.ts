import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import {
  ExercisesError,
  ensureExercises,
  exerciseFolder,
  exercisesProblem,
  resetExercises,
  startFolder,
} from '../../../../labs/kit/lab/exercises.ts'
import { withOwnPorts } from '../../../../labs/kit/lab/own-ports.ts'
import { ROOT } from '../../../../labs/kit/lab/registry.ts'
import { type Watcher, watchFiles } from '../../../../labs/kit/run/watch.ts'
import { userPorts } from '../../../../src/net/user-ports.ts'

const lab = { id: 'lab-99-sample' } as const

describe('exercise files', () => {
  let root: string
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'masque-exercises-test-'))
    mkdirSync(join(startFolder(root, lab), 'deep'), { recursive: true })
    writeFileSync(join(startFolder(root, lab), 'one.ts'), 'start one')
    writeFileSync(join(startFolder(root, lab), 'deep', 'two.ts'), 'start two')
  })
  afterEach(() => rmSync(root, { recursive: true, force: true }))
  const path = (file: string) => join(exerciseFolder(root, lab), file)
  const read = (file: string) => readFileSync(path(file), 'utf8')

  it('are copied from the starting files at first, and never written over after that', () => {
    expect(ensureExercises(root, lab)).to.deep.equal(['deep/two.ts', 'one.ts'])
    writeFileSync(path('one.ts'), 'my work')
    expect(ensureExercises(root, lab)).to.deep.equal([])
    rmSync(path('deep/two.ts'))
    expect(ensureExercises(root, lab)).to.deep.equal(['deep/two.ts'])
    expect(read('one.ts')).to.equal('my work')
  })

  it('have the user’s own ports in their configuration, the same in all files, and count as untouched with them', () => {
    const { proxy, api } = userPorts()
    const start = join(ROOT, 'labs', 'lab-01-deploy', 'start')
    for (const file of ['server.toml', 'client.toml', 'client-trust.toml'])
      cpSync(join(start, file), join(startFolder(root, lab), file))
    ensureExercises(root, lab)
    expect(read('server.toml')).to.match(new RegExp(`^port = ${proxy} .*^port = ${api} .*:${api}/health`, 'ms'))
    for (const file of ['client.toml', 'client-trust.toml'])
      expect(read(file).match(/\d{4,}/g), file).to.deep.equal([String(proxy), String(proxy)])
    expect(resetExercises(root, lab, ['server.toml'])).to.deep.equal([])
  })

  it('keep every number in code, and every other number in configuration', () => {
    const handedOut = (file: string, text: string) => withOwnPorts(file, Buffer.from(text), userPorts(1000)).toString()
    expect(handedOut('deep/a.ts', '4433')).to.equal('4433')
    expect(handedOut('deep/a.yml', '127.0.0.1:8080 14433 80800 4433')).to.equal('127.0.0.1:14001 14433 80800 14000')
  })

  it('that cannot be written are one sentence, which says what to do', function () {
    const message = () => {
      try {
        ensureExercises(root, lab)
      } catch (error) {
        if (error instanceof ExercisesError) return error.message
        throw error
      }
      return undefined
    }
    expect(exercisesProblem(root, lab)).to.equal(undefined)
    rmSync(exerciseFolder(root, lab), { recursive: true })
    writeFileSync(exerciseFolder(root, lab), 'a file where the folder would be')
    expect(exercisesProblem(root, lab)).to.equal(message())
    expect(message())
      .to.match(/exercises.*; .* move it away, or choose another name$/)
      .and.not.include('\n')
    rmSync(exerciseFolder(root, lab))

    if (process.getuid === undefined) this.skip()
    chmodSync(join(root, 'labs', lab.id), 0o555)
    chmodSync(root, 0o755)
    // Root may write everywhere, and is somebody else for a moment.
    const isRoot = process.getuid() === 0
    if (isRoot) process.seteuid!(65_534)
    try {
      expect(message())
        .to.match(/two\.ts cannot be written \(EACCES\), .*; clone the repository into a folder of your own/)
        .and.not.include('\n')
    } finally {
      if (isRoot) process.seteuid!(0)
      chmodSync(join(root, 'labs', lab.id), 0o755)
    }
  })

  it('are reset with a backup, and left alone when there is nothing to reset', () => {
    ensureExercises(root, lab)
    writeFileSync(path('one.ts'), 'my work')
    const now = new Date('2026-03-01T10:00:00.000Z')
    const backup = 'one.ts.bak-2026-03-01T10-00-00-000Z'
    expect(resetExercises(root, lab, ['one.ts', 'deep/two.ts'], now)).to.deep.equal([{ file: 'one.ts', backup }])
    expect(read('one.ts')).to.equal('start one')
    expect(read(backup)).to.equal('my work')
    expect(readdirSync(path('deep'))).to.deep.equal(['two.ts'])
  })

  it('are put back when they have been deleted', () => {
    expect(resetExercises(root, lab, ['one.ts'])).to.deep.equal([{ file: 'one.ts', backup: undefined }])
    expect(existsSync(path('one.ts'))).to.equal(true)
  })

  describe('being watched', () => {
    let watcher: Watcher | undefined
    let saved: string[][]
    beforeEach(() => {
      saved = []
      ensureExercises(root, lab)
      watcher = watchFiles(
        exerciseFolder(root, lab),
        ['one.ts', 'new.ts', 'measured.toml'],
        files => saved.push(files),
        5,
      )
    })
    afterEach(() => watcher?.stop())
    const until = async (count: number) => {
      for (let turn = 0; turn < 1000 && saved.length < count; turn++)
        await new Promise(resolve => setTimeout(resolve, 5))
      expect(saved).to.have.length(count)
    }

    it('tell of each save, also of one by renaming, of a new file and of a deleted one', async () => {
      writeFileSync(path('one.ts'), 'first save')
      await until(1)
      const { renameSync } = await import('node:fs')
      writeFileSync(path('one.ts~'), 'second save')
      renameSync(path('one.ts~'), path('one.ts'))
      await until(2)
      writeFileSync(path('new.ts'), 'new')
      await until(3)
      rmSync(path('new.ts'))
      await until(4)
      expect(saved).to.deep.equal([['one.ts'], ['one.ts'], ['new.ts'], ['new.ts']])
    })

    it('tell nothing of a save that changes nothing, of what the program or a check has written itself, and of other files', async () => {
      writeFileSync(path('one.ts'), 'start one')
      writeFileSync(path('other.ts'), 'other')
      writeFileSync(path('measured.toml'), '[[scaling]]')
      writeFileSync(path('new.ts'), 'written by the program')
      watcher!.acknowledge()
      await new Promise(resolve => setTimeout(resolve, 60))
      expect(saved).to.deep.equal([])
    })
  })
})
