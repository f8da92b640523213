/** What is right in another way is accepted, and what is wrong is told apart from it at once. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { loadMutants, type Mutant, mutants } from '../../../labs/kit/grading/mutants.ts'
import { findTask, ROOT } from '../../../labs/kit/lab/registry.ts'
import { runCheck, type Step } from '../../../labs/kit/run/engine.ts'
import { lab } from '../../../labs/lab-02-performance/lab.ts'
import { Scratch, said } from '../grade-lab.ts'

describe('labs/lab-02-performance: right and wrong', () => {
  const scratch = new Scratch(lab)
  after(() => scratch.remove())

  /** The steps of a check, which is left once one of them is `last`. */
  async function stepsUntil(task: string, last: string): Promise<readonly Step[]> {
    const leave = new AbortController()
    let steps: readonly Step[] = []
    await runCheck(lab, findTask(lab, task)!, {
      root: scratch.root,
      mode: 'unattended',
      signal: leave.signal,
      onEvent: event => {
        if (event.type !== 'step') return
        steps = event.steps
        if (steps.some(step => step.text === last)) leave.abort()
      },
    })
    return steps
  }

  it('takes a capsule that is sent in two writes', async () => {
    scratch.solve(
      mutants('send-packet.ts', {
        'two-writes': {
          misconception: 'none',
          says: '',
          edits: [
            [
              `const data = concat(Uint8Array.from([DATA_FRAME, ...varint(capsule.length)]), capsule)
              return [{ type: 'write', stream: 'request', data, fin: false }]`,
              `const frame = Uint8Array.from([DATA_FRAME, ...varint(capsule.length)])
              return [frame, capsule].map(data => ({ type: 'write', stream: 'request', data, fin: false }) as const)`,
            ],
          ],
        },
      })[0] as Mutant,
    )
    const steps = await stepsUntil('send-packet', 'a peer that takes datagrams after all')
    expect(steps).to.deep.include({ text: 'a peer without datagrams', state: 'done' })
  })

  it('measures once what one measurement decides', async () => {
    const mutants = (await loadMutants(ROOT, lab)).get('handshake')
    scratch.solve(mutants?.find(({ id }) => id === 'settings-not-waited-for'))
    const { passed, steps } = await scratch.check('handshake')
    expect(passed).to.equal(false)
    expect(steps.filter(step => step.text.startsWith('connect'))).to.have.length(1)
  })

  it('does not mark as done a step whose result is none, and says why a Promise in a sum is no number', async () => {
    scratch.solve()
    const file = join(scratch.exercises, 'formulas.ts')
    writeFileSync(
      file,
      readFileSync(file, 'utf8')
        .replace(
          'function handshakeMs(rttMs: number, retry: boolean): number',
          'async function handshakeMs(rttMs, retry)',
        )
        .replace('rttMs, retry) + sessionMs', "rttMs, retry) + '' + sessionMs"),
    )
    const result = await scratch.check('handshake')
    expect(said(result)).to.match(/\[object Promise\].*\n.*async function/s)
    expect(result.steps.at(-1)).to.deep.equal({ text: 'ask firstAnswerMs for a prediction', state: 'failed' })
  })
})
