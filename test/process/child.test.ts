import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { Child, ChildError, type ChildOptions, LateAnswerError } from '../../src/process/child.ts'
import { isRunning } from '../../src/process/is-running.ts'
import { failure, until } from '../support/loopback.ts'
import type { SampleOrders } from './sample-child.ts'

const SAMPLE = new URL('./sample-child.ts', import.meta.url)

describe('a child process', () => {
  let directory: string
  const children: Child<SampleOrders>[] = []
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'masque-test-child-'))
  })
  afterEach(async () => {
    await Promise.all(children.splice(0).map(child => child.close()))
    rmSync(directory, { recursive: true, force: true })
  })

  function start(options: Partial<ChildOptions> = {}, file = SAMPLE): Child<SampleOrders> {
    const child = new Child<SampleOrders>(file, { name: 'the sample', ...options })
    children.push(child)
    return child
  }

  it('is started by another command, where one is given', async () => {
    if (process.platform === 'win32') return
    const child = start({ within: ['env', 'MASQUE_SAMPLE=1'], arguments: ['an argument'] })
    expect(await child.ask('where')).to.include({ argument: 'an argument', environment: '1' })
  })

  it('does what it is asked, with values that JSON does not know, and is gone when it was closed', async () => {
    const child = start({ arguments: ['an argument'] })
    const values = { bytes: Uint8Array.of(1, 2), none: undefined, forever: Infinity, big: 1n }
    expect(await Promise.all([child.ask('double', 21), child.ask('same', values)])).to.deep.equal([42, values])
    const { pid, argument } = await child.ask('where')
    expect([pid, argument]).to.deep.equal([child.pid, 'an argument'])
    await Promise.all([child.close(), child.close()])
    expect(isRunning(pid)).to.equal(false)
    await failure(child.ask('double', 1), ChildError)
  })

  it('tells something before its answer, and is told when nobody wants it any more', async () => {
    const stop = new AbortController()
    const counts: number[] = []
    const onReport = (count: number): void => {
      if (counts.push(count) === 3) stop.abort()
    }
    expect(await start().ask('countUntilStopped', null, { onReport, signal: stop.signal })).to.equal('stopped')
    expect(counts.slice(0, 3)).to.deep.equal([1, 2, 3])
  })

  it('answers with a sentence where there is one, and with the trace of a bug', async () => {
    class Refused extends Error {}
    const child = start({ error: Refused })
    expect((await failure(child.ask('refuse'), Refused)).message).to.equal('it will not do that')
    expect((await failure(child.ask('fail'), Refused)).message).to.match(/^TypeError: a bug\n.*sample-child\.ts/)
  })

  it('says how it died, with its last words, to those who wait and to those who come later', async () => {
    const deaths: Error[] = []
    const child = start({ onDeath: error => deaths.push(error) })
    const waiting = failure(child.ask('never'), ChildError)
    const died = await failure(child.ask('die', 3), ChildError)
    expect(died.message).to.equal('the sample ended with status 3; its last words:\nfirst line\nfamous last words')
    expect([await waiting, await failure(child.ask('double', 1), ChildError), ...deaths]).to.deep.equal(
      Array(3).fill(died),
    )

    const killed = start()
    await killed.ask('double', 1)
    killed.kill()
    // Gone by then, which is not known here yet.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 300)
    expect((await failure(killed.ask('never'), ChildError)).message).to.equal(
      'the sample was ended by SIGKILL and said nothing',
    )
  })

  it('that lives on, but cannot be talked to any more, is ended, and those who wait hear of it', async () => {
    const child = start()
    const waiting = failure(child.ask('never'), ChildError)
    const hungUp = await failure(child.ask('hangUp'), ChildError)
    expect(hungUp.message).to.equal('the sample cannot be talked to any more and said nothing')
    expect([await waiting, await failure(child.ask('double', 1), ChildError)]).to.deep.equal([hungUp, hungUp])
    await child.close()
  })

  it('that stands still is not waited for where the answer has a limit, gets no further orders, and is asked again when it goes on', async () => {
    if (process.platform === 'win32') return
    class Refused extends Error {}
    const child = start({ error: Refused })
    const { pid } = await child.ask('where')
    const inTime = { limitMs: 200 }
    expect(await child.ask('double', 1, { limitMs: 60_000 })).to.equal(2)
    process.kill(pid, 'SIGSTOP')
    const unlimited = child.ask('double', 3)
    const late = await failure(child.ask('count', null, inTime), LateAnswerError)
    expect(late.message).to.match(/^the sample runs, and has not answered within 0\.2 s \(order 'count'\)/)
    for (let asked = 0; asked < 10; asked++)
      expect(await failure(child.ask('count', null, inTime), LateAnswerError)).to.equal(late)
    process.kill(pid, 'SIGCONT')
    expect(await unlimited).to.equal(6)
    await until(() =>
      child.ask('double', 1, inTime).then(
        () => true,
        () => false,
      ),
    )
    // The one that was late, and this one: what was refused meanwhile was not sent.
    expect(await child.ask('count', null, { limitMs: 60_000 })).to.equal(2)
    process.kill(pid, 'SIGSTOP')
    const waiting = failure(child.ask('count', null, { limitMs: 60_000 }), Refused)
    child.kill()
    expect((await waiting).message).to.include('was ended by SIGKILL')
  })

  it('says why it could not be loaded', async () => {
    const child = start({}, new URL('./no-such-file.ts', import.meta.url))
    expect((await failure(child.ask('double', 1), ChildError)).message).to.match(/with status 1.*no-such-file\.ts/s)
  })

  it('tidies up before it ends, is left to its parent by signals, and is no death when it was closed', async () => {
    const note = join(directory, 'note')
    const child = start({ arguments: ['', note], onDeath: error => expect.fail(error.message) })
    const { pid } = await child.ask('where')
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.kill(pid, signal)
    expect(await child.ask('double', 1)).to.equal(2)
    const unanswered = failure(child.ask('never'), ChildError)
    await child.close()
    await unanswered
    expect(readFileSync(note, 'utf8')).to.equal('tidied up')
  })

  it('is killed when it does not end by itself, or has not even begun', async () => {
    const child = start()
    const { pid } = await child.ask('where')
    child.ask('stuck').catch(() => {})
    await child.close()
    expect(isRunning(pid)).to.equal(false)

    const starting = start()
    const began = performance.now()
    await starting.close()
    expect(performance.now() - began).to.be.lessThan(2_000)
  })

  for (const [how, end, tidied] of [
    ['is killed', 'process.kill(process.pid, "SIGKILL")', true],
    ['exits', 'process.exit()', false],
    ['exits, if it has something to tidy up', 'process.exit()', true],
  ] as const) {
    it(`does not outlive a parent that ${how}`, async () => {
      const note = join(directory, 'note')
      const program = `
        import { Child } from ${JSON.stringify(new URL('../../src/process/child.ts', import.meta.url).href)}
        const options = { name: 'the sample', arguments: ['', ${JSON.stringify(note)}], tidiesUp: ${tidied} }
        const child = new Child(new URL(${JSON.stringify(SAMPLE.href)}), options)
        await child.ask('double', 1)
        console.log(child.pid)
        ${end}
      `
      const parent = spawn(process.execPath, ['--import=tsx', '--input-type=module', '--eval', program], {
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      let pid = ''
      parent.stdout.setEncoding('utf8').on('data', text => {
        pid += text
      })
      await once(parent, 'close')
      await until(() => !isRunning(Number(pid)))
      expect(existsSync(note)).to.equal(tidied)
    })
  }

  it('does not outlive a parent that is killed while it still loads its code', async () => {
    const program = `
      import { Child } from ${JSON.stringify(new URL('../../src/process/child.ts', import.meta.url).href)}
      const child = new Child(new URL(${JSON.stringify(new URL('./slow-child.ts', import.meta.url).href)}), { name: 'the slow one' })
      console.log(child.pid)
    `
    const parent = spawn(process.execPath, ['--import=tsx', '--input-type=module', '--eval', program], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const [pid] = (await once(parent.stdout.setEncoding('utf8'), 'data')) as [string]
    parent.kill('SIGKILL')
    await until(() => !isRunning(Number(pid)))
  })
})
