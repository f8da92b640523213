/** What a call may not do, whatever it returns: change its arguments, or what earlier calls have returned. */
import { expect } from 'chai'
import { feedbackOf } from '../../../../labs/kit/check/feedback.ts'
import type { Outcome } from '../../../../labs/kit/student-code/types.ts'
import { exerciseFolder, type Folder } from './sandbox-folder.ts'

const kinds = (outcomes: readonly Outcome[]) => outcomes.map(outcome => (outcome.ok ? 'ok' : outcome.error.kind))
const told = (outcome: Outcome | undefined) => (outcome?.ok === false ? feedbackOf(outcome.error) : undefined)

describe('what belongs to the caller of student code', () => {
  let folder: Folder
  beforeEach(() => {
    folder = exerciseFolder()
  })
  afterEach(() => folder.remove())

  it('are the bytes that it handed over', async () => {
    folder.write(
      'a.ts',
      'export function f(n: number, bytes: Uint8Array) { if (n > 1) bytes[1]--; return bytes.slice() }',
    )
    const outcomes = await folder.open().batch('a.ts', 'f', [
      [1, Uint8Array.of(4, 64)],
      [2, Uint8Array.of(4, 64)],
    ])
    expect(kinds(outcomes)).to.deep.equal(['ok', 'changed-input'])
    expect(told(outcomes[1])).to.deep.include({
      expected: 'f() to leave its arguments as they are',
      found: 'a.ts: argument 2 is not what it was before the call; its byte 1 was 64 and is 63 now',
    })
    expect(told(outcomes[1])?.misconception).to.match(/Change a copy/)
  })

  it('are lists and objects, however deep, and the line that tries to change them is named', async () => {
    folder.write(
      'a.ts',
      `export const sort = (list: number[]) => list.sort()
       export const deep = (list: { a: { b: number } }[]) => {
         list[0].a.b = 2
       }
       export const map = (map: Map<string, number>) => map.clear()`,
    )
    const code = folder.open()
    const [sorted] = await code.batch('a.ts', 'sort', [[[2, 1]]])
    const [deep] = await code.batch('a.ts', 'deep', [[[{ a: { b: 1 } }]]])
    expect(told(deep)?.found).to.match(/^a\.ts:3:\d+: TypeError: .*read only/)
    for (const outcome of [sorted, deep]) expect(told(outcome)?.expected).to.match(/leave its arguments as they are/)
    expect(kinds(await code.batch('a.ts', 'map', [[new Map([['a', 1]])]]))).to.deep.equal(['changed-input'])
  })

  it('is what was returned to it before, by this function or another, and by any object', async () => {
    folder.write(
      'a.ts',
      `const shared = new Uint8Array(8)
       export const f = (n: number) => shared.fill(n).subarray(0, 2)
       export const g = (n: number) => { shared.fill(n) }
       export class Queue {
         #all: number[] = []
         push(n: number) { this.#all.push(n); return this.#all }
         chained() { this.#all = [1]; return this }
       }`,
    )
    const code = folder.open()
    expect(kinds(await code.batch('a.ts', 'f', [[1], [1], [2], [2]]))).to.deep.equal([
      'ok',
      'ok',
      'changed-output',
      'ok',
    ])
    const [other] = await code.batch('a.ts', 'g', [[9]])
    expect(told(other)?.found).to.match(/changed what an earlier call of f\(\) had returned/)
    const queue = await code.create('a.ts', 'Queue')
    expect(kinds(await queue.batch('push', [[1], [2]]))).to.deep.equal(['ok', 'changed-output'])
    expect(kinds(await queue.batch('chained', [[], []]))).to.deep.equal(['ok', 'ok'])
  })

  it('may be a part of a larger buffer, except for a call alone in which bytes are whole', async () => {
    folder.write(
      'a.ts',
      `let calls = 0
       export const first = (bytes: Uint8Array) => new DataView(bytes.buffer).getUint8(0)
       export const floats = (values: Float64Array) => [...values]
       export const count = () => ++calls`,
    )
    const code = folder.open()
    expect(await code.call('a.ts', 'first', Uint8Array.of(7))).to.not.equal(7)
    expect(await code.call('a.ts', 'floats', Float64Array.of(0.5, 2))).to.deep.equal([0.5, 2])
    expect(await code.alone('a.ts', 'first', [Uint8Array.of(7)], true)).to.deep.equal({ ok: true, value: 7 })
    await code.call('a.ts', 'count')
    expect(await code.alone('a.ts', 'count', [], false)).to.deep.equal({ ok: true, value: 1 })
  })

  it('gets results with what classes compute, and errors with the classes above theirs', async () => {
    folder.write(
      'a.ts',
      `class MalformedError extends Error {}
       class TooShort extends MalformedError {}
       class Interval {
         #low = 1
         get low() { return this.#low }
         get later(): number { throw new Error('not yet') }
       }
       export const interval = () => new Interval()
       export const refuse = () => { throw new TooShort('x') }`,
    )
    const code = folder.open()
    expect(await code.call('a.ts', 'interval')).to.deep.equal({ low: 1 })
    const [outcome] = await code.batch('a.ts', 'refuse', [[]])
    expect(outcome?.ok === false && outcome.error.classes).to.include.members(['TooShort', 'MalformedError'])
  })
})
