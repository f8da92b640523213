import { type ChildProcess, spawn } from 'node:child_process'
import fs, {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect } from 'chai'
import { runChecks } from '../../../../labs/kit/run/engine.ts'
import { MachineQueue, type Place, placeText, slotsOf } from '../../../../labs/kit/run/queue.ts'
import {
  type Entry,
  MAX_ENTRIES,
  type Places,
  QueueError,
  QueueFolder,
  queueFolder,
} from '../../../../labs/kit/run/queue-folder.ts'
import { systemClock } from '../../../../src/hosts/clock.ts'
import { until } from '../../../support/loopback.ts'
import { sampleLab, sampleRoot, sampleTask } from '../sample-lab.ts'

/** The folder as several users see it, without files. */
class SharedPlaces {
  readonly entries = new Map<string, Entry>()
  #made = 0

  of(uid: number): Places {
    return {
      add: (kind, number) => {
        const name = `${kind}-${number}-${uid}-0-${this.#made++}`
        this.entries.set(name, { name, kind, number, pid: uid, uid })
        return name
      },
      turn: (name, kind, number) => {
        const fresh = name.replace(/^\w+-\d+/, `${kind}-${number}`)
        const entry = { ...this.entries.get(name)!, name: fresh, kind, number }
        this.entries.delete(name)
        this.entries.set(fresh, entry)
        return fresh
      },
      remove: name => void this.entries.delete(name),
      touch: name => this.entries.has(name),
      list: () => [...this.entries.values()],
      close: () => {},
    }
  }
}

describe('the queue of checks that measure', () => {
  let shared: SharedPlaces
  beforeEach(() => {
    shared = new SharedPlaces()
  })

  /** A check of that user: `in` becomes true when it is its turn. */
  const enter = (uid: number, { slots = 1, maxTurnMs = 1e9, staleMs = 1e9 } = {}) => {
    const stop = new AbortController()
    const check = { in: false, places: [] as number[], note: '', leave: () => {}, stop, ended: Promise.resolve() }
    const queue = new MachineQueue({ open: () => shared.of(uid), slots, maxTurnMs, staleMs, lookEveryMs: 1 })
    const onPlace = ({ place }: Place) => void check.places.push(place)
    const onNote = (note: string) => {
      check.note = note
    }
    check.ended = queue.enter({ signal: stop.signal, onPlace, onNote }).then(
      leave => {
        check.in = true
        check.leave = leave
      },
      () => {},
    )
    return check
  }

  it('lets as many run as there are slots, and the others in the order in which they came', async () => {
    const checks: ReturnType<typeof enter>[] = []
    for (let uid = 1; uid <= 6; uid++) {
      const check = enter(uid, { slots: 2 })
      checks.push(check)
      await until(() => check.in || check.places.length > 0)
    }
    expect(checks.map(check => check.in)).to.deep.equal([true, true, false, false, false, false])
    expect(checks.slice(2).map(({ places }) => places)).to.deep.equal([[1], [2], [3], [4]])
    for (let done = 0; done < 6; done++) {
      await until(() => checks[done].in)
      expect(checks.filter(check => check.in).length).to.be.at.most(done + 2)
      checks[done].leave()
      const left = checks.slice(done + 3)
      await until(() => left.every(({ places }, at) => places.at(-1) === at + 1))
    }
    expect(checks[5].places).to.deep.equal([4, 3, 2, 1])
    expect(shared.entries.size).to.equal(0)
  })

  it('gives a user one place: a second check draws its number when the first is through, behind all that came meanwhile', async () => {
    const first = enter(1)
    await until(() => first.in)
    const second = enter(1)
    await until(() => second.places.length > 0)
    const other = enter(2)
    await until(() => other.places.length > 0)
    expect([second.places, other.places]).to.deep.equal([[0], [1]])
    first.leave()
    await until(() => other.in)
    await until(() => second.places.at(-1) === 1)
    expect(second.in).to.equal(false)
    other.leave()
    await until(() => second.in)
    second.leave()
  })

  it('is left by whoever stops waiting, and the others move up', async () => {
    const [first, second, third] = [enter(1), enter(2), enter(3)]
    await until(() => first.in && second.places.length > 0 && third.places.at(-1) === 2)
    second.stop.abort(new Error('Ctrl-C'))
    await second.ended
    expect(second.in).to.equal(false)
    await until(() => third.places.at(-1) === 1)
    first.leave()
    await until(() => third.in)
    third.leave()
    expect(shared.entries.size).to.equal(0)
  })

  it('passes by whoever keeps a place for longer than any check takes, and is not stopped by many tickets of one user', async () => {
    const hostile = shared.of(666)
    for (let number = 1; number < 100; number++) hostile.add('ticket', number)
    const check = enter(1, { maxTurnMs: 50 })
    await until(() => check.in)
    expect(check.places).to.deep.equal([1])
    check.leave()
  })

  it('is held up by one user no longer, however often his places change their numbers and processes', async () => {
    const places = shared.of(1)
    let pid = 1000
    // Another one in front at each look.
    const hostile = (): Entry => ({ name: `ticket-1-${++pid}-0-0`, kind: 'ticket', number: 1, pid, uid: 666 })
    const open = (): Places => ({ ...places, list: () => [hostile(), ...places.list()] })
    const seen: number[] = []
    const leave = await new MachineQueue({ open, slots: 1, maxTurnMs: 50, lookEveryMs: 1 }).enter({
      onPlace: ({ place }) => void seen.push(place),
    })
    expect(seen).to.deep.equal([1])
    leave()
  })

  it('sends to its end who has stood still, and whom the others have passed by', async () => {
    const first = enter(1)
    await until(() => first.in)
    // At every look, it has not looked for longer than that.
    const stopped = enter(2, { staleMs: -1 })
    await until(() => stopped.places.length > 0)
    const third = enter(3)
    await until(() => third.places.at(-1) === 1 && stopped.places.at(-1) === 2)
    first.leave()
    await until(() => third.in)
    expect(stopped.in).to.equal(false)
    third.leave()
    await until(() => stopped.in)
    stopped.leave()
  })

  it('waits a moment for who draws a number at the same time, and no longer', async () => {
    shared.of(666).add('choosing', 0)
    const check = enter(1)
    await until(() => check.places.length > 0)
    expect(check.places).to.deep.equal([1])
    await until(() => check.in)
    check.leave()
  })

  it('is no obstacle: whose place was taken away goes on without one and is told', async () => {
    const first = enter(1)
    await until(() => first.in)
    const second = enter(2)
    await until(() => second.places.length > 0)
    for (const { name, uid } of shared.entries.values()) if (uid === 2) shared.entries.delete(name)
    await until(() => second.in)
    expect(second.note).to.include('does not wait').and.include('taken the place away')
    first.leave()
  })

  it('has half as many slots as there are cores, one at least, or as many as MASQUE_LAB_SLOTS says', () => {
    expect([1, 2, 3, 8].map(cores => slotsOf({}, cores))).to.deep.equal([1, 1, 1, 4])
    expect(['3', '0', 'many', '1.5', '1e9'].map(MASQUE_LAB_SLOTS => slotsOf({ MASQUE_LAB_SLOTS }, 4))).to.deep.equal([
      3, 2, 2, 2, 2,
    ])
  })

  it('says its places in words', () => {
    const words = [1, 2, 3, 4, 11, 12, 21, 111].map(place => placeText({ place, running: 2 }).split(' ')[0])
    expect(words).to.deep.equal(['1st', '2nd', '3rd', '4th', '11th', '12th', '21st', '111th'])
    expect(placeText({ place: 3, running: 2 })).to.equal('3rd in the queue; 2 checks run now')
    expect(placeText({ place: 0, running: 1 })).to.equal('behind another check of yours; 1 check runs now')
  })

  describe('as checks use it', () => {
    let place: ReturnType<typeof sampleRoot>
    beforeEach(() => {
      place = sampleRoot()
    })
    afterEach(() => place.remove())

    it('is for tasks that measure; the others begin at once', async () => {
      const seen: string[] = []
      const queue = {
        enter: async () => {
          seen.push('enter')
          return () => void seen.push('leave')
        },
      }
      const task = (id: string, measures?: true) =>
        sampleTask({
          id,
          measures,
          check: async () => {
            seen.push(id)
            return { passed: true, expected: '', found: '', read: [] }
          },
        })
      const tasks = [task('reads'), task('measures', true)]
      const results = await runChecks(sampleLab(tasks), tasks, { root: place.root, mode: 'live', queue })
      expect(results.length).to.equal(2)
      expect(seen).to.deep.equal(['reads', 'enter', 'measures', 'leave'])
    })

    it('ends with the check that is stopped while it waits', async () => {
      const first = enter(1)
      await until(() => first.in)
      const stop = new AbortController()
      let began = false
      const task = sampleTask({
        measures: true,
        check: async () => {
          began = true
          return { passed: true, expected: '', found: '', read: [] }
        },
      })
      const queue = new MachineQueue({ open: () => shared.of(2), slots: 1, lookEveryMs: 1 })
      const results = await runChecks(sampleLab([task]), [task], {
        root: place.root,
        mode: 'live',
        signal: stop.signal,
        queue,
        onEvent: event => {
          if (event.type === 'queued') stop.abort(new Error('Ctrl-C'))
        },
      })
      expect({ results, began }).to.deep.equal({ results: [], began: false })
      expect(shared.entries.size).to.equal(1)
      first.leave()
    })
  })

  describe('of processes, in a folder', () => {
    if (process.platform === 'win32') return
    let parent: string
    let folder: string
    const children: { child: ChildProcess; said: string; is(word: string): boolean }[] = []
    beforeEach(() => {
      parent = mkdtempSync(join(tmpdir(), 'masque-queue-test-'))
      chmodSync(parent, 0o777)
      folder = join(parent, 'queue')
    })
    afterEach(() => {
      for (const { child } of children.splice(0)) child.kill('SIGKILL')
      rmSync(parent, { recursive: true, force: true })
    })

    function start(uid?: number): (typeof children)[number] {
      const file = fileURLToPath(new URL('./queue-child.ts', import.meta.url))
      // What tsx keeps belongs to one user.
      const env = { ...process.env, TMPDIR: parent }
      const child: ChildProcess = spawn(process.execPath, ['--import', 'tsx', file, folder, '1'], {
        stdio: ['pipe', 'pipe', 'inherit'],
        env,
        ...(uid === undefined ? {} : { uid, gid: uid }),
      })
      const process_ = { child, said: '', is: (word: string) => process_.said.endsWith(`${word}\n`) }
      child.stdout!.on('data', text => {
        process_.said += text
      })
      children.push(process_)
      return process_
    }

    const users = process.getuid?.() === 0 ? [65001, 65002, 65003] : []

    it('a process that is killed leaves no place behind, and one that is told to stop leaves', async () => {
      const [first, second, third] = [start(), start(), start()]
      const isIn = () => [first, second, third].filter(({ is }) => is('in'))
      await until(() => isIn().length === 1 && [first, second, third].every(({ said }) => said !== ''))
      const [holder] = isIn()
      const [next, last] = [first, second, third].filter(one => one !== holder)
      last.child.kill('SIGINT')
      await until(() => last.is('left'))
      holder.child.kill('SIGKILL')
      await until(() => next.is('in'))
      next.child.stdin!.write('\n')
      await until(() => next.is('out'))
      expect(readdirSync(folder)).to.deep.equal([])
    })

    it('is open to all from its first moment on: who starts in that moment waits, too', () => {
      const modes: number[] = []
      const { chmodSync: chmod } = fs
      fs.chmodSync = (path, mode) => {
        // Somebody who looks before this one sets the mode.
        modes.push(statSync(folder).mode & 0o7777)
        new QueueFolder(folder).close()
        chmod(path, mode)
      }
      syncBuiltinESMExports()
      const before = process.umask(0o077)
      try {
        new QueueFolder(folder).close()
        expect(process.umask(), 'as it was').to.equal(0o077)
      } finally {
        process.umask(before)
        fs.chmodSync = chmod
        syncBuiltinESMExports()
      }
      expect(modes).to.deep.equal([0o1777])
    })

    it('users of their own wait for each other, with the umask 077', async function () {
      if (users.length === 0) {
        console.log('      (skipped: only root can start processes of several users)')
        this.skip()
      }
      const old = process.umask(0o077)
      const waiting = users.map(uid => start(uid))
      process.umask(old)
      for (let left = waiting; left.length > 0; ) {
        await until(() => left.filter(({ is }) => is('in')).length === 1 && left.every(({ said }) => said !== ''))
        const holder = left.find(({ is }) => is('in'))!
        // Another user's file cannot be taken away, so what a killed process leaves has to be seen through.
        holder.child.kill('SIGKILL')
        left = left.filter(one => one !== holder)
      }
      expect(waiting.map(({ said }) => said).join('')).not.to.include('note')
    })

    it('a folder that is a link, a file, or not open to all is not used, and the check runs and says so', async () => {
      const note = async () => {
        let said = ''
        const queue = new MachineQueue({ open: () => new QueueFolder(folder) })
        const leave = await queue.enter({
          onNote: text => {
            said = text
          },
        })
        leave()
        rmSync(folder, { recursive: true, force: true })
        return said
      }
      mkdirSync(join(parent, 'elsewhere'), { mode: 0o777 })
      symlinkSync('elsewhere', folder)
      expect(await note())
        .to.include('does not wait for those of others')
        .and.match(/ENOTDIR|ELOOP/)
      expect(readdirSync(join(parent, 'elsewhere'))).to.deep.equal([])
      writeFileSync(folder, '')
      expect(await note()).to.include('ENOTDIR')
      mkdirSync(folder, { mode: 0o755 })
      chmodSync(folder, 0o755)
      expect(await note()).to.include('has mode 755')
      expect(await note()).to.equal('')
    })

    it('files that are no places, of processes that are gone, or untouched for a minute do not count', () => {
      const places = new QueueFolder(folder)
      const mine = places.add('ticket', 7)
      for (const name of ['notes.txt', mine.replace(/-\d+-(\d+-\d+)$/, '-999999999-$1'), mine.replace(/\d+-0$/, '1-0')])
        writeFileSync(join(folder, name), '')
      expect(places.list().map(({ name, number, pid }) => ({ name, number, pid }))).to.deep.equal([
        { name: mine, number: 7, pid: process.pid },
      ])
      for (const time of [systemClock.now() / 1000 - 61, 4e9]) {
        utimesSync(join(folder, mine), time, time)
        expect(places.list(), `${time}`).to.deep.equal([])
      }
      expect(places.touch(mine)).to.equal(true)
      expect(places.list().length).to.equal(1)
      places.remove(mine)
      places.close()
    })

    it('nobody has been away because somebody has set the time of day', () => {
      const places = new QueueFolder(folder)
      const mine = places.add('ticket', 7)
      const now = Date.now
      try {
        for (const ms of [-3_600_000, 3_600_000]) {
          Date.now = () => now() + ms
          expect(places.list().map(({ name }) => name)).to.deep.equal([mine])
          places.touch(mine)
          Date.now = now
          expect(places.list().map(({ name }) => name)).to.deep.equal([mine])
        }
      } finally {
        Date.now = now
        places.close()
      }
    })

    it('one user has no more places by ids that are no accounts', async function () {
      if (users.length === 0) {
        console.log('      (skipped: only root can start processes of several users)')
        this.skip()
      }
      const [account, made] = [start(users[0]), start(users[1])]
      await until(() => [account, made].every(({ said }) => said !== ''))
      const seen = (isSubordinate: (uid: number) => boolean) => {
        const places = new QueueFolder(folder, isSubordinate)
        const uids = places.list().map(({ uid }) => uid)
        places.close()
        return uids.sort()
      }
      expect(seen(() => false)).to.deep.equal([users[0], users[1]])
      expect(seen(uid => uid === users[1])).to.deep.equal([users[0]])
      expect(seen(uid => uid === users[0])).to.deep.equal([users[1]])
    })

    it('folders and links that are called like a place do not count', () => {
      const places = new QueueFolder(folder)
      const mine = places.add('ticket', 7)
      mkdirSync(join(folder, mine.replace(/\d$/, '8')))
      symlinkSync(mine, join(folder, mine.replace(/\d$/, '9')))
      expect(places.list().map(({ name }) => name)).to.deep.equal([mine])
      places.close()
    })

    it('a place with the process of somebody else does not count', function () {
      if (users.length === 0) {
        console.log('      (skipped: only root can give files away)')
        this.skip()
      }
      const places = new QueueFolder(folder)
      const mine = places.add('ticket', 7)
      expect(places.list().length).to.equal(1)
      chownSync(join(folder, mine), users[0], users[0])
      expect(places.list()).to.deep.equal([])
      places.close()
    })

    it('a folder with more files than its bound is not used', () => {
      const places = new QueueFolder(folder)
      for (let i = 0; i < MAX_ENTRIES; i++) writeFileSync(join(folder, `${i}`), '')
      expect(places.list()).to.deep.equal([])
      places.add('ticket', 1)
      expect(() => places.list()).to.throw(QueueError, `more than ${MAX_ENTRIES} files`)
      places.close()
    })

    it('is the same for all users of a machine, wherever their temporary files are', () => {
      expect(queueFolder({ TMPDIR: '/home/ada/tmp' }, 'linux')).to.equal('/tmp/masque-lab-queue')
      expect(queueFolder({ MASQUE_LAB_QUEUE: '/srv/queue' }, 'linux')).to.equal('/srv/queue')
    })
  })
})
