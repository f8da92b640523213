import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { expectChoice, expectEach, expectNumber } from '../../../../labs/kit/check/questions.ts'
import type { Check, CheckContext } from '../../../../labs/kit/lab/types.ts'
import { runCheck } from '../../../../labs/kit/run/engine.ts'
import { literal, runReplay } from '../../../../labs/kit/run/replay.ts'
import { isRunning } from '../../../../src/process/is-running.ts'
import { until } from '../../../support/loopback.ts'
import { sampleLab, sampleRoot, sampleTask } from '../sample-lab.ts'

const CODE = `
export function length(bytes: Uint8Array): number {
  console.log('so many:', bytes.length)
  if (bytes.length > 3000) throw new RangeError('too long')
  return bytes.length
}
export class Counter {
  total = 0
  add(by: bigint) {
    if (by < 0n) throw new TypeError('below zero')
    return (this.total += Number(by))
  }
}
`

describe('a failing input, alone', () => {
  let place: ReturnType<typeof sampleRoot>
  beforeEach(() => {
    place = sampleRoot()
    writeFileSync(join(place.exercises, 'a.ts'), CODE)
    writeFileSync(join(place.root, 'package.json'), '{ "type": "module" }')
  })
  afterEach(() => place.remove())

  const checked = async (check: Check, mode: 'live' | 'unattended' = 'live') => {
    const task = sampleTask({ check })
    const lab = sampleLab([task])
    const { feedback } = await runCheck(lab, task, { root: place.root, mode })
    return { feedback, lab, task }
  }
  const run = (file: string) =>
    execFileSync(process.execPath, ['--import', 'tsx', join(place.root, file)], { encoding: 'utf8', stdio: 'pipe' })
  const large: Check = async (context: CheckContext) => {
    const [first] = await context.student.batch('a.ts', 'length', [[new Uint8Array(2000)], [new Uint8Array(2)]])
    context.expect('counts every byte', first?.ok && first.value === 2001, { expected: '2001', found: '2000 */' })
    return { passed: true, expected: '', found: '', read: [] }
  }

  it('is a program beside the code, with the whole of the input, what was expected and what was found', async () => {
    const { feedback } = await checked(large)
    expect(feedback.replay).to.deep.equal({
      file: 'labs/lab-99-sample/exercises/.replay/first.ts',
      command: 'npm run lab -- 99 --task first --replay',
    })
    const text = readFileSync(join(place.root, feedback.replay!.file), 'utf8')
    expect(text).to.include('// Expected: 2001\n// Found:    2000 */').and.include("'../a.ts'")
    expect(text).to.include('00'.repeat(2000))
    expect(run(feedback.replay!.file)).to.equal('so many: 2000\n2000\nso many: 2\n2\n')
  })

  it('is told with the line that threw, and with what was printed', async () => {
    const { feedback } = await checked(async ({ student }) => {
      await student.batch('a.ts', 'length', [[new Uint8Array(7)]])
      return await student.call('a.ts', 'length', new Uint8Array(3001))
    })
    expect(feedback.found).to.match(/^a\.ts:4:\d+: RangeError: too long\n {4}if \(bytes.length > 3000\)/)
    expect(feedback.found.endsWith('\nIt printed: so many: 3001')).to.equal(true)
  })

  it('shows what was printed also where a result is wrong', async () => {
    expect((await checked(large)).feedback.found).to.equal('2000 */\nIt printed: so many: 2')
  })

  it('is none where an answer is wrong, and nothing is said of what was printed before', async () => {
    const { feedback } = await checked(async context => {
      await context.student.call('a.ts', 'length', new Uint8Array(7))
      expectEach(context, [
        each => expectChoice(each, 'one', { right: 'a', read: [] }),
        each => void expectNumber(each, 'other', { right: 3, read: [] }),
      ])
      return { passed: true, expected: '', found: '', read: [] }
    })
    expect(feedback).to.not.have.property('replay')
    expect(feedback.found)
      .to.match(/^2 of 2 are not right yet/)
      .and.not.include('so many')
  })

  it('is an object with all that was asked of it before', async () => {
    const { feedback, lab, task } = await checked(async ({ student }) => {
      const counter = await student.create('a.ts', 'Counter')
      for (const by of [1n, 2n, -1n]) await counter.call('add', by)
      return { passed: true, expected: '', found: '', read: [] }
    })
    const text = readFileSync(join(place.root, feedback.replay!.file), 'utf8')
    expect(text).to.match(/const it = new Counter\(\)\nshow\(await it.add\(1n\)\)\n.*2n\)\)\n.*-1n\)\)\n$/)
    expect(await runReplay(place.root, lab, sampleTask({ id: 'other' }), { say: () => {} })).to.equal(undefined)
    expect(() => run(`labs/${lab.id}/exercises/.replay/${task.id}.ts`)).to.throw(/a\.ts:10:\d+|below zero/)
  })

  it('is gone when the task passes, and is not written where nobody sits in front of it', async () => {
    const { feedback } = await checked(large)
    await checked(async () => ({ passed: true, expected: '', found: '', read: [] }))
    expect(existsSync(join(place.root, feedback.replay!.file))).to.equal(false)
    expect((await checked(large, 'unattended')).feedback).to.not.have.property('replay')
    expect(existsSync(join(place.exercises, '.replay'))).to.equal(true)
  })

  const replayed = async (code: string, limitMs?: number) => {
    const { lab, task } = await checked(large)
    writeFileSync(join(place.exercises, 'a.ts'), code)
    const said: string[] = []
    const say = (text: string) => void said.push(text)
    const status = await runReplay(place.root, lab, task, { say, ...(limitMs ? { limitMs } : {}) })
    return { status, said: said.join('\n') }
  }

  it('says what is wrong with code that does not compile as a check does', async () => {
    expect(await replayed('export const length = (\n')).to.deep.equal({
      status: 1,
      said: 'a.ts:2:1: Unexpected end of file',
    })
  })

  it('is ended after a while, and says so', async () => {
    const endless = await replayed('export const length = () => { for (;;); }', 1500)
    expect(endless).to.deep.include({ status: 1 })
    expect(endless.said).to.match(/^it had not ended after 1.5 s; with --inspect/)
  })

  /** A process that runs a replay, and what that says first. */
  const runnerOf = async (code: string, options: { inspect?: boolean } = {}) => {
    const { lab, task } = await checked(large)
    writeFileSync(join(place.exercises, 'a.ts'), code)
    const runner = join(place.root, 'runner.ts')
    const module = JSON.stringify(new URL('../../../../labs/kit/run/replay.ts', import.meta.url).href)
    const given = [place.root, lab, task].map(one => JSON.stringify(one)).join()
    const orders = `process.on('SIGTERM', () => process.exit(143))
      await runReplay(${given}, { ...${JSON.stringify(options)}, say: console.log })`
    writeFileSync(runner, `import { runReplay } from ${module}; ${orders}`)
    const parent = spawn(process.execPath, ['--import', 'tsx', runner], {
      stdio: ['ignore', 'ignore', 'pipe'],
      // A free port for the debugger: others run at the same time.
      env: { ...process.env, NODE_OPTIONS: '--inspect-port=0' },
    })
    const [said] = (await once(parent.stderr, 'data')) as [Buffer]
    return { parent, said: String(said) }
  }

  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    it(`ends with the program that runs it, also in an endless loop, when that gets ${signal}`, async () => {
      const code = 'console.error(process.pid)\nexport const length = () => { for (;;); }'
      const { parent, said } = await runnerOf(code)
      const pid = Number(said.trim())
      expect(pid, said).to.be.greaterThan(1)
      parent.kill(signal)
      try {
        await until(() => !isRunning(pid))
      } finally {
        if (isRunning(pid)) process.kill(pid, 'SIGKILL')
      }
    })
  }

  it('ends with a program that is killed also while it waits for a debugger', async () => {
    const { parent, said } = await runnerOf('export const length = () => 0', { inspect: true })
    expect(said).to.match(/^Debugger listening on ws:/)
    // The output is that of both, and has its end when the last of them has.
    const over = once(parent.stderr, 'close')
    parent.kill('SIGKILL')
    await over
  })

  it('is not that of an earlier check', async () => {
    const { feedback } = await checked(large)
    await checked(async context => context.expect('something else', false, { expected: 'a', found: 'b' }) as never)
    expect(existsSync(join(place.root, feedback.replay!.file))).to.equal(false)
  })

  it('writes every kind of value as TypeScript', () => {
    const values = [
      -0,
      NaN,
      2n ** 62n,
      undefined,
      null,
      'a"\n',
      { 'b c': [1, { d: new Map([[1n, new Set([true])]]) }] },
    ]
    expect(literal(values)).to.equal(
      '[-0, NaN, 4611686018427387904n, undefined, null, "a\\"\\n", { "b c": [1, { d: new Map([[1n, new Set([true])]]) }] }]',
    )
    expect(literal(Uint8Array.of(1, 255))).to.equal("bytes('01ff')")
    expect(literal(Uint32Array.of(7))).to.equal('Uint32Array.from([7])')
  })
})
