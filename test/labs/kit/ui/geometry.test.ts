import { expect } from 'chai'
import { codeColumns, layoutCode } from '../../../../labs/kit/lab/markdown.ts'
import { loadLabs } from '../../../../labs/kit/lab/registry.ts'
import { lineColumns, plainText } from '../../../../labs/kit/lab/text.ts'
import type { Panel, PanelProps } from '../../../../labs/kit/lab/types.ts'
import { NOTHING_YET } from '../../../../labs/kit/run/live.ts'
import { UNTOUCHED } from '../../../../labs/kit/run/progress.ts'
import { footerSpans, headerSpans } from '../../../../labs/kit/ui/geometry.ts'
import { reduce } from '../../../../labs/kit/ui/reduce.ts'
import { opened, type State } from '../../../../labs/kit/ui/state.ts'
import { layoutTask } from '../../../../labs/kit/ui/task-layout.ts'
import { themeFor } from '../../../../labs/kit/ui/theme.ts'
import { lab as protocol } from '../../../../labs/lab-03-protocol/lab.ts'
import { sampleLab, sampleTask } from '../sample-lab.ts'

const theme = themeFor({ LANG: 'C' })

function textOf(state: State, columns: number, rows: number): string[][] {
  const scene = { state, theme, size: { columns, rows }, panel: undefined, runningMs: 0, frame: 0 }
  return layoutTask(scene).columns.map(column => {
    for (const line of column.lines) expect(lineColumns(line)).to.be.at.most(column.width)
    return column.lines.map(plainText)
  })
}

describe('the room on a terminal', () => {
  it('has as many keys at the bottom as fit whole', () => {
    const keys = [
      ['c', 'check'],
      ['n', 'next'],
      ['q', 'quit'],
    ] as const
    const footer = (width: number) => plainText(footerSpans(keys, width))
    expect(footer(80)).to.equal('c check   n next   q quit')
    expect(footer(23)).to.equal('c check  n next  q quit')
    expect(footer(22)).to.equal('c check   n next')
  })

  it('leaves out what is before the state where the title needs the room', () => {
    const right = [[{ text: 'lab 3, task 1 of 11  ' }], [{ text: 'x tried' }]]
    expect(plainText(headerSpans(right, 'A title', 60))).to.equal('lab 3, task 1 of 11  x tried')
    expect(plainText(headerSpans(right, 'A title that is rather long', 58 - 4))).to.equal('x tried')
  })

  it('leaves the blanks in figures and code as they are, also where a line is too wide', () => {
    expect(layoutCode('a   b', 20, 4).map(plainText)).to.deep.equal(['    a   b'])
    expect(layoutCode('  one   two   three', 16, 0).map(plainText)).to.deep.equal(['  one   two', '      three'])
    expect(layoutCode('x'.repeat(30), 16, 0).map(plainText).join('').replaceAll(' ', '')).to.equal('x'.repeat(30))
  })

  it('gives a figure the width that it needs in two columns', () => {
    const task = protocol.tasks[0]
    const [state] = opened({ lab: protocol, progress: {}, task })
    const [left] = textOf(state, 120, 40)
    expect(codeColumns(task.brief)).to.be.above(65)
    expect(left!.join('\n')).to.include('c2 19 7c 5e ff 14 e8 8c   11 000010 00011001 ...       151288809941952652')
  })

  it('has room for every figure and command of a brief on a terminal of 80 columns', async () => {
    for (const lab of await loadLabs()) {
      for (const { id, brief } of lab.tasks) expect(codeColumns(brief), `${lab.id}, ${id}`).to.be.at.most(78)
    }
  })

  it('shows a solution whole, however narrow the terminal is', () => {
    const lines = [[{ text: `const long = [${'1234567, '.repeat(20)}]`, style: 'code' as const }]]
    const [before] = opened({ lab: sampleLab([sampleTask()]), progress: {}, watch: true })
    const [state] = reduce(before, { type: 'solution', lines })
    for (const [columns, rows] of [
      [60, 18],
      [120, 40],
    ] as const) {
      const shown = textOf(state, columns, rows).at(-1)!.join(' ')
      expect(shown.match(/1234567,/g)).to.have.length(20)
    }
  })

  it('says on every task that its files cannot be written, should it be so', () => {
    const task = sampleTask()
    const [state] = opened({ lab: sampleLab([task]), progress: {}, task, problem: 'it is somebody else’s folder' })
    expect(textOf(state, 80, 24)[0].at(-1)).to.equal('it is somebody else’s folder')
  })

  it('shows what was predicted beside the answer of now', () => {
    const questions = [{ id: 'ttl', prompt: 'Which TTL?', prediction: true as const }]
    const task = sampleTask({ questions })
    const progress = { first: { ...UNTOUCHED, predictions: { ttl: '64' } } }
    const [opening] = opened({ lab: sampleLab([task]), progress, task })
    const [state] = reduce(opening, { type: 'answers', answers: { ttl: '63' } })
    expect(textOf(state, 80, 24)[0].join('\n')).to.match(/Your answer: 63 +predicted before the measurement: 64/)
  })

  it('shows how far a check has come above its steps, of which there may be many; what it has measured is below', () => {
    const task = sampleTask({ brief: 'Do it.' })
    const [opening] = opened({ lab: sampleLab([task]), progress: {}, task })
    const steps = Array.from({ length: 40 }, (_, i) => ({ text: `step ${i}`, state: 'done' as const }))
    const series = [{ name: 'round trip', unit: 'ms', values: [1, 2], count: 2 }]
    const live = { ...NOTHING_YET, progress: { done: 3, total: 10, text: 'is compiled' }, series }
    const state: State = { ...opening, task: { ...opening.task, running: { steps, live }, latest: 'check' } }
    const lines = textOf(state, 80, 24)[0]
    const at = (text: string) => lines.findIndex(line => line.includes(text))
    expect(at('Checking')).to.be.above(-1)
    expect([at('30 %  is compiled'), at('step 0')]).to.deep.equal([at('Checking') + 1, at('Checking') + 2])
    expect(at('round trip')).to.be.above(at('step 39'))
    expect(lines.filter(line => line.includes('is compiled'))).to.have.length(1)
  })

  it('says of a solved task that fails now that it stays solved', () => {
    const task = sampleTask()
    const solved = { first: { ...UNTOUCHED, state: 'solved' as const } }
    const [opening] = opened({ lab: sampleLab([task]), progress: solved, task })
    const feedback = { passed: false, expected: 'this', found: 'that', read: [] }
    const result = { task: 'first', passed: false, feedback, steps: [], live: NOTHING_YET, ms: 1 }
    const [state] = reduce(opening, { type: 'checked', result })
    const text = textOf(state, 80, 24)[0].join('\n')
    expect(text).to.include('x Does not pass any more; the task stays solved').and.not.include('Not yet')
  })

  it('has the view of the picture that the student has switched to, where there is one of that name, with its own steps', () => {
    const panel: Panel = Object.assign(() => null, {
      lines: ({ view, step }: PanelProps) => [[{ text: `${view}, step ${step}` }]],
      steps: ({ view }: PanelProps) => (view === undefined ? 1 : 3),
      views: () => ['window'],
    })
    const task = sampleTask()
    const [state] = opened({ lab: sampleLab([task]), progress: {}, task })
    const layout = (pictureView: string | undefined) =>
      layoutTask({
        state: { ...state, pictureView },
        theme,
        size: { columns: 80, rows: 24 },
        panel,
        runningMs: 0,
        frame: 0,
      })
    expect(layout(undefined).view).to.deep.include({ views: ['window'], shown: undefined, steps: 1 })
    const { view, picture } = layout('window')
    expect(view).to.deep.include({ views: ['window'], shown: 'window', steps: 3 })
    expect(panel.lines(picture!.props).map(plainText)).to.deep.equal(['window, step 2'])
    // Of the task before, say.
    expect(layout('another').view).to.deep.include({ shown: undefined, steps: 1 })
  })
})
