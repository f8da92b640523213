import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { CheckFailure } from '../../../../labs/kit/check/check-failure.ts'
import {
  expectAroundRun,
  expectOwnNumber,
  MEASURED_FILE,
  type OwnQuestion,
  type OwnRun,
  ownRuns,
  recordRun,
} from '../../../../labs/kit/check/own-runs.ts'
import type { CheckContext, CheckMode, Otherwise } from '../../../../labs/kit/lab/types.ts'

const QUESTION: OwnQuestion = {
  task: 'scaling',
  figures: ['clients', 'per_second'],
  right: run => run.clients / run.per_second,
  wrong: [
    { says: 'upside down', would: run => run.per_second / run.clients },
    { says: 'in ms', would: run => (1000 * run.clients) / run.per_second },
    { says: 'the same for everybody', would: () => 7 },
    { says: 'the same for everybody, for another reason', would: () => 7 },
  ],
  read: [],
}

describe('labs/kit: questions about own runs', () => {
  let exercises: string
  beforeEach(() => {
    exercises = mkdtempSync(join(tmpdir(), 'masque-own-runs-'))
  })
  afterEach(() => rmSync(exercises, { recursive: true, force: true }))

  const record = (figures: Record<string, number>, mode: CheckMode = 'live', task = 'scaling') =>
    recordRun({ exercises, mode }, task, figures)

  /** What is said to this answer; undefined: it is right. */
  function said(answer: string, question = QUESTION): Otherwise | undefined {
    let found: Otherwise | undefined
    const context = {
      exercises,
      answers: { one: answer },
      expect(_: string, holds: unknown, otherwise: Otherwise) {
        if (!holds) found = otherwise
      },
    }
    try {
      expectOwnNumber(context as unknown as CheckContext, 'one', question)
    } catch (error) {
      if (!(error instanceof CheckFailure)) throw error
      return error.feedback
    }
    return found
  }

  it('take the answer that follows from a run, as it can be read off a chart, and no other', () => {
    record({ clients: 16, per_second: 3.2 })
    for (const answer of ['5', '5.0', '4.95', '5.05']) expect(said(answer), answer).to.equal(undefined)
    for (const answer of ['4.9', '5.1', '16', '']) expect(said(answer), answer).to.not.equal(undefined)
  })

  it('take the answer to an earlier run too, as long as that is kept: the last ten of a task', () => {
    for (let clients = 1; clients <= 11; clients++) record({ clients, per_second: 1 })
    record({ clients: 100, per_second: 1 }, 'live', 'another')
    expect(said('1')).to.not.equal(undefined)
    for (const answer of ['2', '11']) expect(said(answer), answer).to.equal(undefined)
    expect(said('100')).to.not.equal(undefined)
  })

  it('name an idea only where it gives this number, and no other idea does', () => {
    record({ clients: 16, per_second: 3.2 })
    expect(said('0.2')?.misconception).to.equal('upside down')
    expect(said('5000')?.misconception).to.equal('in ms')
    expect(said('7')?.misconception).to.equal(undefined)
    expect(said('9')?.misconception).to.equal(undefined)
    expect(said('many')?.found).to.include('a number is asked for')
  })

  it('do not say what the right answer is', () => {
    record({ clients: 16, per_second: 3.2 })
    expect(said('9')?.expected).to.include('measured.toml').and.not.match(/\b5\b/)
  })

  it('ask for a run where there is none that has the figures', () => {
    expect(said('5')).to.have.property('found').that.includes('no run of scaling yet')
    record({ clients: 16 })
    expect(said('5')).to.have.property('found').that.includes('no run of scaling yet')
    for (const text of ['scaling = 5', '[[scaling]]\nclients = "16"\nper_second = nan', 'scaling = [1, [2]]']) {
      writeFileSync(join(exercises, MEASURED_FILE), text)
      expect(ownRuns(exercises, 'scaling', QUESTION.figures), text).to.deep.equal([])
    }
  })

  it('count only as far as they are whole, and say why one is not', () => {
    const whole = { run: ({ per_second = 0 }: OwnRun) => per_second < 10, says: 'nobody is so fast' }
    record({ clients: 16, per_second: 32 })
    const right = String(QUESTION.right({ clients: 16, per_second: 32 }))
    expect(said(right)).to.equal(undefined)
    expect(said(right, { ...QUESTION, whole }))
      .to.have.property('found')
      .that.includes('nobody is so fast')
  })

  it('leave the comments at the top and the runs of other tasks as they are, and graded files altogether', () => {
    const file = join(exercises, MEASURED_FILE)
    writeFileSync(file, '# What was measured.\n\n[[run]]\nprofile = "lte"\n[run.rtt]\nmedian_ms = 66.4\n')
    record({ clients: 16, per_second: 3.2 }, 'unattended')
    expect(readFileSync(file, 'utf8')).to.not.include('scaling')
    record({ clients: 16, per_second: 3.2000001 })
    const text = readFileSync(file, 'utf8')
    expect(text)
      .to.match(/^# What was measured\.\n/)
      .and.include('profile = "lte"')
      .and.include('median_ms = 66.4')
    expect(ownRuns(exercises, 'scaling', QUESTION.figures)).to.deep.equal([{ clients: 16, per_second: 3.2 }])
  })

  it('say what to do with a file that is no TOML', () => {
    writeFileSync(join(exercises, MEASURED_FILE), 'clients = = 3')
    expect(said('5')).to.have.property('misconception').that.includes('Take it away')
  })

  describe('around a measurement', () => {
    /** What happens in a check: each judgement, measurement and picture by its name, and what is failed. */
    async function course(mode: CheckMode, answer: string, prediction = true): Promise<string[]> {
      const events: string[] = []
      const context = {
        exercises,
        mode,
        answers: { one: answer },
        expect(text: string, holds: unknown, otherwise: Otherwise) {
          events.push(`${holds ? 'holds' : 'fails'}: ${text}`)
          if (!holds) throw new CheckFailure(otherwise)
        },
      } as unknown as CheckContext
      try {
        const last = await expectAroundRun(context, {
          task: 'scaling',
          figures: QUESTION.figures,
          before: [each => each.expect('the prediction', prediction, { expected: 'it', found: 'another' })],
          measure: async () => {
            events.push('measured')
            record({ clients: 16, per_second: 3.2 }, mode)
          },
          draw: run => void events.push(`drawn: ${run.clients} clients`),
          own: { one: QUESTION },
        })
        events.push(`passed with ${last.clients} clients`)
      } catch (error) {
        if (!(error instanceof CheckFailure)) throw error
      }
      return events
    }
    const asked = 'you answer the question "one"'

    it('come behind the predictions, and it is made once; its picture is there in every check', async () => {
      expect(await course('live', '', false)).to.deep.equal(['fails: the prediction'])
      const first = await course('live', '')
      expect(first.slice(0, 3)).to.deep.equal(['holds: the prediction', 'measured', 'holds: the prediction'])
      expect(first.at(-1)).to.equal(`fails: ${asked}`)
      expect(await course('live', '5')).to.deep.equal([
        'drawn: 16 clients',
        'holds: the prediction',
        `holds: ${asked}`,
        'passed with 16 clients',
      ])
    })

    it('are judged by the runs that are there, and nothing is measured or drawn, in grading', async () => {
      expect((await course('unattended', '5')).slice(0, 2)).to.deep.equal([
        'holds: the prediction',
        'fails: a run of your own, for the question "one"',
      ])
      record({ clients: 16, per_second: 3.2 })
      expect(await course('unattended', '5')).to.deep.equal([
        'holds: the prediction',
        `holds: ${asked}`,
        'passed with 16 clients',
      ])
    })
  })
})
