/** The panel of lab 2: charts of predictions beside measurements. */
import { expect } from 'chai'
import { render } from 'ink-testing-library'
import { plainText } from '../../../labs/kit/lab/text.ts'
import type { PanelProps } from '../../../labs/kit/lab/types.ts'
import { themeFor } from '../../../labs/kit/ui/theme.ts'
import { CHARTS_KEY, type Chart, showChart } from '../../../labs/lab-02-performance/chart.ts'
import { lab } from '../../../labs/lab-02-performance/lab.ts'
import pump from '../../../labs/lab-02-performance/mutants/pump.ts'
import { Charts } from '../../../labs/lab-02-performance/ui.tsx'
import { columns } from '../../../src/text/columns.ts'
import { Scratch } from '../grade-lab.ts'

const HANDSHAKE: Chart = {
  title: 'Handshake',
  unit: 'ms',
  rows: [
    { label: 'RTT 200 ms', predicted: 200, measured: 212, good: true },
    { label: 'RTT 40 ms', predicted: 400, measured: 52, good: false },
    { label: 'RTT 20 ms', predicted: 20 },
  ],
}

function props(charts: readonly Chart[], more: Partial<PanelProps> = {}): PanelProps {
  return {
    task: undefined,
    phases: [],
    live: { series: [], comparisons: [], shown: { [CHARTS_KEY]: charts } },
    running: false,
    passed: false,
    step: 0,
    width: 78,
    rows: 20,
    marks: themeFor({ LANG: 'C' }).marks,
    ...more,
  }
}

const shown = (charts: readonly Chart[], more: Partial<PanelProps> = {}) =>
  Charts.lines(props(charts, more)).map(plainText)

describe('labs/lab-02-performance: the panel', () => {
  it('shows a bar for what was measured, a mark for what was predicted, both numbers, and whether they fit', () => {
    const lines = shown([HANDSHAKE])
    expect(lines[0]).to.equal('Handshake, ms')
    expect(lines[1]).to.match(/= measured, \| predicted +predicted +measured$/)
    expect(lines[2]).to.match(/^RTT 200 ms =+\|-+ +200 +212 {2}\+$/)
    expect(lines[3]).to.match(/^RTT 40 ms {2}=+-+\| +400 +52 {2}x$/)
    expect(lines[4]).to.match(/^RTT 20 ms {2}-+\|-+ +20.0$|^RTT 20 ms {2}-+\|-+ +20$/)
  })

  it('draws with Ink what its lines say', () => {
    const given = props([HANDSHAKE])
    const { lastFrame, unmount } = render(<Charts {...given} />)
    const drawn = (lastFrame() ?? '').split('\n').map(line => line.replace(/\u001b\[[0-9;]*m/g, '').trimEnd())
    expect(drawn).to.deep.equal(Charts.lines(given).map(plainText))
    unmount()
  })

  it('keeps within the columns and rows that it is given, and still shows the row that does not fit', () => {
    const rows = Array.from({ length: 30 }, (_, i) => ({
      label: `a row with a long name, number ${i}`,
      predicted: i,
      measured: 30 - i,
      good: i !== 17,
    }))
    for (const [width, height] of [
      [78, 12],
      [40, 8],
      [30, 5],
      [120, 30],
    ] as const) {
      const lines = shown([{ title: 'A title that is rather long, for a chart', unit: 'bytes', rows }], {
        width,
        rows: height,
      })
      expect(lines.length).to.be.at.most(Math.min(height, 14))
      for (const line of lines) expect(columns(line), line).to.be.at.most(width)
      if (width >= 40) expect(lines.join('\n')).to.match(/ x$/m)
    }
  })

  it('draws numbers that are none: zero, infinity, nothing at all', () => {
    const rows = [
      { label: 'zero', predicted: 0, measured: 0 },
      { label: 'no number', predicted: Number.NaN, measured: Infinity },
      { label: 'nothing' },
    ]
    expect(shown([{ title: 'Edges', unit: '', rows }])).to.have.length(5)
  })

  it('gives each row a scale of its own where the rows are of different units', () => {
    const rows = [
      { label: 'packets', measured: 1 },
      { label: 'bytes', measured: 100_000 },
    ]
    const [first, second] = shown([{ title: 'Mixed', unit: '', rows, ownScales: true }]).slice(2)
    expect(first.match(/=/g)?.length).to.equal(second.match(/=/g)?.length)
  })

  it('goes step by step through the charts, in the order in which they were made last', () => {
    let latest: unknown
    const live = { show: (_: string, value: unknown) => (latest = value) }
    for (const title of ['first', 'second', 'first']) showChart(live, { ...HANDSHAKE, title })
    const charts = latest as Chart[]
    expect(Charts.steps?.(props(charts))).to.equal(2)
    expect(shown(charts)[0]).to.match(/^first, ms +1 of 2$/)
    expect(shown(charts, { step: 1 })[0]).to.match(/^second, ms +2 of 2$/)
  })

  it('shows nothing before a check has run', () => {
    expect(shown([])).to.deep.equal([])
  })

  it('gets its charts from the checks: what is beyond its limit is marked', async () => {
    const scratch = new Scratch(lab)
    try {
      scratch.solve(pump.find(({ id }) => id === 'no-budget'))
      const { live } = await scratch.check('pump')
      const step = (Charts.steps?.(props([], { live })) ?? 1) - 1
      expect(Charts.lines(props([], { live, step })).map(plainText).join('\n')).to.match(/^packets in a turn .* x$/m)
    } finally {
      scratch.remove()
    }
  })
})
