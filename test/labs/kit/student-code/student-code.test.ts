import { chmodSync, existsSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { feedbackOf } from '../../../../labs/kit/check/feedback.ts'
import { runCheck } from '../../../../labs/kit/run/engine.ts'
import { openStudentCode, SandboxError, StudentError } from '../../../../labs/kit/student-code/student-code.ts'
import { failure, until } from '../../../support/loopback.ts'
import { sampleLab, sampleRoot, sampleTask } from '../sample-lab.ts'
import { exerciseFolder, type Folder } from './sandbox-folder.ts'

async function errorOf(promise: Promise<unknown>): Promise<StudentError> {
  try {
    await promise
  } catch (error) {
    if (error instanceof StudentError) return error
    throw error
  }
  throw new Error('a StudentError was expected')
}

const told = (error: StudentError): string => {
  const { expected, found, misconception } = feedbackOf(error)
  return [expected, found, misconception].join('\n')
}

describe('student code', () => {
  let folder: Folder
  beforeEach(() => {
    folder = exerciseFolder()
  })
  afterEach(() => folder.remove())

  it('is called with values and answers with values', async () => {
    folder.write(
      'sum.ts',
      `import { one } from './lib/one.ts'
       import type { Never } from '../../src/never.ts'
       export function plus(a: bigint, bytes: Uint8Array): { sum: bigint; rest: Uint8Array } {
         if (!(bytes instanceof Uint8Array)) throw new Error('not bytes')
         return { sum: a + BigInt(bytes[0]) + one, rest: bytes.subarray(1) }
       }
       export const later = async (n: number) => { await null; return n * 2 }`,
    )
    folder.write('lib/one.ts', 'export const one = 1n')
    const code = folder.open()
    expect(await code.call('sum.ts', 'plus', 5n, Uint8Array.of(1, 2, 3))).to.deep.equal({
      sum: 7n,
      rest: Uint8Array.of(2, 3),
    })
    expect(await code.call('sum.ts', 'later', 4)).to.equal(8)
  })

  it('is called many times in one round trip, with an outcome for each', async () => {
    folder.write('a.ts', `export function check(n: number) { if (n > 1) throw new RangeError('too big'); return -n }`)
    const outcomes = await folder.open().batch('a.ts', 'check', [[0.5], [2], [1]])
    expect(outcomes.map(outcome => (outcome.ok ? outcome.value : outcome.error.errorName))).to.deep.equal([
      -0.5,
      'RangeError',
      -1,
    ])
  })

  it('may be a class, whose objects stay with the student', async () => {
    folder.write(
      'counter.ts',
      `export class Counter {
         total = 0
         #step: number
         constructor(step: number) { this.#step = step }
         add(times: number): number { return (this.total += this.#step * times) }
       }`,
    )
    const counter = await folder.open().create('counter.ts', 'Counter', 3)
    expect(await counter.call('add', 2)).to.equal(6)
    expect((await counter.batch('add', [[1], [1]])).map(outcome => outcome.ok && outcome.value)).to.deep.equal([9, 12])
    expect(await counter.get('total')).to.equal(12)
    const error = await errorOf(counter.call('Add', 1))
    expect(error.kind).to.equal('missing-export')
    expect(error.message).to.equal('there is no method Add; there is add. Is add meant to be Add?')
  })

  it('gets fresh copies: an argument that it changes is not changed for the check', async () => {
    folder.write('a.ts', `export function clear(bytes: Uint8Array) { bytes.fill(0); return bytes }`)
    const bytes = Uint8Array.of(1, 2)
    expect((await errorOf(folder.open().call('a.ts', 'clear', bytes))).kind).to.equal('changed-input')
    expect(bytes).to.deep.equal(Uint8Array.of(1, 2))
  })

  it('that is missing is named', async () => {
    const error = await errorOf(folder.open().call('none.ts', 'f'))
    expect(error.kind).to.equal('missing-file')
    expect(error.message).to.equal('there is no file none.ts among the exercises')
  })

  it('that does not compile is shown with file, line, column and source', async () => {
    folder.write('a.ts', `export function f() {\n  return (1 +\n}\n`)
    const error = await errorOf(folder.open().call('a.ts', 'f'))
    expect(error).to.include({ kind: 'compile', file: 'a.ts', line: 3, column: 1 })
    folder.write('b.ts', `export const g = 1\nexport const h: = 2\n`)
    expect(told(await errorOf(folder.open().call('b.ts', 'h')))).to.match(/b\.ts:2:17: .*\n +export const h: = 2/)
  })

  it('that throws while it is loaded is shown with the line of the student', async () => {
    folder.write('a.ts', `import { x } from './b.ts'\nexport const f = () => x`)
    folder.write('b.ts', `type Pad = {\n  a: 1\n}\nexport const x = JSON.parse('{')\n`)
    const error = await errorOf(folder.open().call('a.ts', 'f'))
    expect(error).to.include({ kind: 'import', file: 'b.ts', line: 4, errorName: 'SyntaxError' })
    expect(told(error)).to.match(/a\.ts|b\.ts:4/)
  })

  it('that throws when it is called is shown with the line of the student', async () => {
    folder.write(
      'a.ts',
      `export class MalformedError extends Error {}\n\n\nexport function f(x: number): number {\n  throw new MalformedError('bad ' + x)\n}\n`,
    )
    const error = await errorOf(folder.open().call('a.ts', 'f', 7))
    expect(error).to.include({ kind: 'threw', line: 5, column: 9, errorName: 'MalformedError', message: 'bad 7' })
    expect(error.source).to.equal("  throw new MalformedError('bad ' + x)")
    expect(told(error)).to.match(/a\.ts:5:9: MalformedError: bad 7/)
  })

  it('that throws something that is no Error is shown too', async () => {
    folder.write('a.ts', `export function f() { throw { code: 7 } }\nexport function g() { throw null }`)
    const code = folder.open()
    expect((await errorOf(code.call('a.ts', 'f'))).message).to.equal('{ code: 7 } (not an Error)')
    expect((await errorOf(code.call('a.ts', 'g'))).message).to.equal('null (not an Error)')
  })

  it('that throws after its function has returned is blamed for it', async () => {
    folder.write(
      'a.ts',
      `export function f() { setTimeout(() => { throw new TypeError('late') }, 0) }
       export const wait = () => new Promise(resolve => setTimeout(resolve, 2000))`,
    )
    const code = folder.open()
    await code.call('a.ts', 'f')
    const error = await errorOf(code.call('a.ts', 'wait'))
    expect(error).to.include({ kind: 'threw', errorName: 'TypeError', message: 'late', line: 1 })
  })

  it('that exports the wrong name is told what it exports', async () => {
    folder.write('a.ts', `export const decodevarint = () => 1\nexport const other = 2`)
    const error = await errorOf(folder.open().batch('a.ts', 'decodeVarint', [[], []]))
    expect(error.kind).to.equal('missing-export')
    expect(error.message).to.equal(
      'there is no export named decodeVarint; the file exports decodevarint, other. Is decodevarint meant to be decodeVarint?',
    )
    expect((await errorOf(folder.open().call('a.ts', 'toString'))).kind).to.equal('missing-export')
  })

  it('may import its neighbours and some of Node, and nothing else', async () => {
    const refused: [string, RegExp][] = [
      [`import { x } from '../../solutions/lab/a.ts'\nexport const f = x`, /outside the exercise folder/],
      [`import { readFileSync } from 'node:fs'\nexport const f = readFileSync`, /node:fs cannot be imported/],
      [`import { expect } from 'chai'\nexport const f = expect`, /only its neighbours/],
      [`import x from '/etc/hostname'\nexport const f = x`, /only its neighbours/],
      [`export const f = require('node:net')`, /node:net cannot be imported/],
      [`export const f = await import('node:' + 'fs')`, /node:fs cannot be imported/],
      [`import { x } from './none.js'\nexport const f = x`, /no file none\.js/],
    ]
    for (const [source, says] of refused) {
      folder.write('a.ts', source)
      const error = await errorOf(folder.open().call('a.ts', 'f'))
      expect(error.kind, source).to.equal('compile')
      expect(error.message).to.match(says)
      expect(error.line, source).to.be.a('number')
    }
  })

  it('may use all that is left of Node, as it is there', async () => {
    folder.write(
      'a.ts',
      `import assert from 'node:assert/strict'
       import { parse } from 'node:url'
       import { format, inspect, isDeepStrictEqual } from 'node:util'
       const error = (action: () => unknown) => { try { action(); return 'nothing' } catch (error: any) { return error.name + ' ' + error.code } }
       export async function f() {
         let aborted = ''
         await new Promise(resolve => AbortSignal.timeout(1).addEventListener('abort', event => { aborted = event.type; resolve(0) }))
         return [
           error(() => assert.deepEqual({ a: [1, 2] }, { a: [1, 3] })), error(() => assert(false)), error(() => assert.equal(1, 2)),
           parse('http://a/b').pathname, new (Buffer as any)(2).length, format('%s %d', 'a', 1),
           inspect({ a: new Set([1n]) }, { colors: true }).includes('1n'), isDeepStrictEqual([1], [1]), aborted,
           structuredClone(new Map([[1, 2]])), new URL('http://a/?b=1').searchParams.get('b'), new TextDecoder().decode(new TextEncoder().encode('é')),
         ]
       }`,
    )
    const failed = 'AssertionError ERR_ASSERTION'
    expect(await folder.open().call('a.ts', 'f')).to.deep.equal([
      ...[failed, failed, failed, '/b', 2, 'a 1', true, true, 'abort', new Map([[1, 2]]), '1', 'é'],
    ])
  })

  it('may await while it is loaded', async () => {
    folder.write(
      'a.ts',
      `import { inspect } from 'node:util'
       import * as util from 'util'
       import { two } from './b.ts'
       const one = await Promise.resolve(1)
       export const f = () => inspect([one, two, util.inspect === inspect])
       export class C { get() { throw new Error('here') } }
       export { f as default }
       const text = \`
export { nothing };
\``,
    )
    folder.write('b.ts', `export const two = await new Promise<number>(resolve => setTimeout(() => resolve(2), 5))`)
    const code = folder.open()
    expect(await code.call('a.ts', 'f')).to.equal('[ 1, 2, true ]')
    expect(await code.call('a.ts', 'default')).to.equal('[ 1, 2, true ]')
    const object = await code.create('a.ts', 'C')
    expect(await errorOf(object.call('get'))).to.include({ line: 6, message: 'here' })
    folder.write('never.ts', `await new Promise(() => {})\nexport const f = () => 1`)
    expect((await errorOf(folder.open({ wallMs: 300 }).call('never.ts', 'f'))).kind).to.equal('timeout')
    folder.write('bad.ts', `await null\nthrow new RangeError('at once')\nexport const f = () => 1`)
    expect(await errorOf(folder.open().call('bad.ts', 'f'))).to.include({ kind: 'import', line: 2 })
  })

  it('finds its neighbours by every name that tools know them by', async () => {
    folder.write('lib/one.ts', 'export const one = 1')
    for (const name of ['./lib/one.ts', './lib/one.js', './lib/one']) {
      folder.write('a.ts', `import { one } from '${name}'\nexport const f = () => one`)
      expect(await folder.open().call('a.ts', 'f'), name).to.equal(1)
    }
  })

  it('that returns a promise inside of something, or takes one for its value, is told of the await', async () => {
    folder.write(
      'a.ts',
      `const later = async () => 1
       export const f = () => [later()]
       export const g = () => { throw new Error('so many: ' + later()) }`,
    )
    const code = folder.open()
    expect((await errorOf(code.call('a.ts', 'f'))).message).to.match(/is a Promise: is an await missing\?/)
    expect(feedbackOf(await errorOf(code.call('a.ts', 'g'))).misconception).to.match(/await it, or drop the async/)
  })

  it('that never ends is stopped, and the call that did not end is the one that is blamed', async () => {
    folder.write('a.ts', `export function f(n: number) { while (n === 2) { /* for ever */ } return n }`)
    const outcomes = await folder.open({ cpuMs: 300 }).batch('a.ts', 'f', [[0], [1], [2], [3]])
    expect(outcomes.map(outcome => (outcome.ok ? outcome.value : outcome.error.kind))).to.deep.equal([
      0,
      1,
      'timeout',
      'timeout',
    ])
  })

  it('that never ends while it is loaded is stopped', async () => {
    folder.write('a.ts', `for (;;) { /* for ever */ }\nexport const f = () => 1`)
    const error = await errorOf(folder.open({ cpuMs: 300 }).call('a.ts', 'f'))
    expect(error.kind).to.equal('timeout')
    expect(told(error)).to.match(/loading a\.ts to end/)
  })

  it('whose promise is never settled is stopped', async () => {
    folder.write('a.ts', `export const f = () => new Promise(() => {})`)
    const error = await errorOf(folder.open({ wallMs: 300 }).call('a.ts', 'f'))
    expect(error.kind).to.equal('timeout')
  })

  it('that fills the heap is stopped', async () => {
    folder.write('a.ts', `export function f() { const all = []; for (;;) all.push({ a: [all.length] }) }`)
    const error = await errorOf(folder.open({ heapMb: 32 }).call('a.ts', 'f'))
    expect(error.kind).to.equal('memory')
  })

  it('that fills memory beside the heap is stopped', async () => {
    folder.write(
      'a.ts',
      `export function small() { const all = []; for (;;) all.push(new Uint8Array(1 << 20).fill(1)) }
       export function large() { return new Uint8Array(3_000_000_000).fill(1) }`,
    )
    for (const name of ['small', 'large']) {
      const error = await errorOf(folder.open({ memoryMb: 200 }).call('a.ts', name))
      expect(error.kind, name).to.equal('memory')
    }
  })

  it('that prints without end is stopped, and the beginning is kept', async () => {
    folder.write('a.ts', `export function f() { for (;;) console.log('x'.repeat(1000)) }`)
    const error = await errorOf(folder.open({ outputBytes: 200_000 }).call('a.ts', 'f'))
    expect(error.kind).to.equal('output')
    expect(error.output).to.match(/^x{1000}\n/)
    expect(error.output?.length).to.be.at.most(64 * 1024)
  })

  it('that ends its process has not returned anything', async () => {
    folder.write('a.ts', `export function f() { process.exit(0) }`)
    const error = await errorOf(folder.open().call('a.ts', 'f'))
    expect(error.kind).to.equal('exited')
    expect(told(error)).to.match(/exit status 0/)
  })

  it('that returns what cannot be copied is told so', async () => {
    folder.write(
      'a.ts',
      `export const f = () => ({ decode: [() => 1] })\nexport const g = () => 'x'.repeat(20_000_000)`,
    )
    const code = folder.open()
    expect((await errorOf(code.call('a.ts', 'f'))).message).to.match(/what f\(\) returned\.decode\[0\] is a function/)
    expect((await errorOf(code.call('a.ts', 'g'))).kind).to.equal('not-cloneable')
  })

  it('is not read through symbolic links, out of its folder, or without bounds', async () => {
    symlinkSync('/etc/passwd', join(folder.path, 'link.ts'))
    symlinkSync('/etc', join(folder.path, 'dir'))
    folder.write('big.ts', `//${'x'.repeat(600 * 1024)}\nexport const f = 1`)
    folder.write('via.ts', `import { x } from './link.ts'\nexport const f = x`)
    const kinds: [string, string, RegExp][] = [
      ['link.ts', 'missing-file', /symbolic link/],
      ['dir/passwd', 'missing-file', /symbolic link/],
      ['../../../etc/passwd', 'missing-file', /not inside/],
      ['/etc/passwd', 'missing-file', /not inside/],
      ['.', 'missing-file', /not an ordinary file/],
      ['big.ts', 'compile', /at most/],
      ['via.ts', 'compile', /symbolic link/],
    ]
    for (const [file, kind, says] of kinds) {
      const error = await errorOf(folder.open().call(file, 'f'))
      expect(error.kind, file).to.equal(kind)
      expect(error.message).to.match(says)
    }
  })

  it('that is nested absurdly deep harms nobody', async () => {
    const deep = 60_000
    folder.write('brackets.ts', `export const f = ${'['.repeat(deep)}1${']'.repeat(deep)}`)
    folder.write('signs.ts', `export const f = ${'!'.repeat(2 * deep)}1`)
    folder.write('good.ts', `export const f = () => 1`)
    for (const file of ['brackets.ts', 'signs.ts']) await errorOf(folder.open().call(file, 'f'))
    expect(await folder.open().call('good.ts', 'f')).to.equal(1)
  })

  describe('is not blamed for what goes wrong in the sandbox itself:', () => {
    const sandboxError = async (promise: Promise<unknown>): Promise<SandboxError> =>
      await failure(promise, SandboxError)
    const { execPath } = process
    afterEach(() => {
      process.execPath = execPath
    })
    /** A program in the place of Node. */
    const instead = (script: string): string => {
      folder.write('node', `#!/bin/sh\n${script}\n`)
      chmodSync(join(folder.path, 'node'), 0o755)
      return join(folder.path, 'node')
    }

    it('a process that ends before it is ready', async () => {
      folder.write('a.ts', `export const f = () => 1`)
      for (const script of [
        'echo "Error: Access to this API has been restricted" >&2; exit 1',
        'exit 0',
        'kill -ABRT $$',
      ]) {
        process.execPath = instead(script)
        const error = await sandboxError(folder.open().call('a.ts', 'f'))
        expect(error.message).to.match(/^the process for student code ended before it was ready, on Node [0-9.]+ \(/)
      }
      process.execPath = instead('echo "Error: no network" >&2; exit 1')
      expect((await sandboxError(folder.open().call('a.ts', 'f'))).message).to.match(
        /exit status 1\): Error: no network$/,
      )
    })

    it('a process that cannot be started', async () => {
      folder.write('a.ts', `export const f = () => 1`)
      process.execPath = join(folder.path, 'none')
      await sandboxError(folder.open().batch('a.ts', 'f', [[], []]))
    })

    it('a process that something outside has ended', async function () {
      if (!existsSync('/proc/self/task')) this.skip()
      folder.write('a.ts', `export const f = () => new Promise(() => {})`)
      const children = (): string => readFileSync(`/proc/${process.pid}/task/${process.pid}/children`, 'utf8')
      const before = children().split(' ')
      const waiting = sandboxError(folder.open().call('a.ts', 'f'))
      const child = () =>
        children()
          .split(' ')
          .find(pid => pid !== '' && !before.includes(pid))
      await until(() => child() !== undefined && /masque|-e/.test(readFileSync(`/proc/${child()}/cmdline`, 'latin1')))
      // Once it is ready: then it is waiting for a promise.
      await new Promise(resolve => setTimeout(resolve, 500))
      process.kill(Number(child()), 'SIGKILL')
      expect((await waiting).message).to.match(
        /^the process for student code (was ended from outside|ended before it was ready)/,
      )
    })

    it('and the feedback says so, in a check', async () => {
      process.execPath = instead('exit 1')
      const place = sampleRoot()
      writeFileSync(join(place.exercises, 'a.ts'), `export const f = () => 1`)
      const task = sampleTask({
        check: async ({ student }) => await student.call('a.ts', 'f'),
      })
      const result = await runCheck(sampleLab([task]), task, { root: place.root, mode: 'unattended' })
      place.remove()
      expect(result.feedback).to.include({ passed: false, broken: true })
      expect(result.feedback.expected).to.match(/no fault of yours/)
    })
  })

  it('is closed with the check that it belongs to', async () => {
    folder.write('a.ts', `export const f = () => new Promise(() => {})`)
    const stop = new AbortController()
    const code = openStudentCode({ exercises: folder.path, signal: stop.signal })
    const waiting = errorOf(code.call('a.ts', 'f'))
    setTimeout(() => stop.abort(), 50)
    const error = await waiting.catch((error: Error) => error)
    expect(error).to.be.instanceOf(Error)
    await code.close()
  })
})
