import { expect } from 'chai'
import { render } from 'ink-testing-library'
import { plainText } from '../../../labs/kit/lab/text.ts'
import type { PanelProps } from '../../../labs/kit/lab/types.ts'
import { type Chart, showCharts, showShares } from '../../../labs/lab-05-congestion/panel-data.ts'
import { CongestionPanel } from '../../../labs/lab-05-congestion/ui.tsx'
import { columns } from '../../../src/text/columns.ts'
import { panelProps, type Show, shownBy } from '../kit/panel-props.ts'

const props = (show: Show, more: Partial<PanelProps> = {}) => panelProps(shownBy(show), more)

const CHART: Chart = {
  caption: 'the window in bytes',
  values: Array.from({ length: 100 }, (_, i) => (i < 50 ? i * 1200 : 0)),
  style: 'accent',
  events: [
    { letter: 'a', at: 0 },
    { letter: 'b', at: 0.999 },
  ],
}
const everything: Show = live => {
  showCharts(live, [CHART, { caption: 'another', values: [1, 2, 3], style: 'good' }])
  showShares(live, [{ own: 0.25, cubic: 0.75, jain: 0.8 }])
}

describe('labs/lab-05-congestion: the panel', () => {
  const text = (given: PanelProps) => CongestionPanel.lines(given).map(plainText)

  it('draws values over time, with the highest one beside it', () => {
    const lines = text(props(live => showCharts(live, [CHART])))
    expect(lines[0]).to.equal('the window in bytes')
    expect(lines[1]).to.match(/^ +58800\|/)
    expect(lines.at(-2)).to.match(/^ +0\|/)
  })

  it('puts a letter below what happens, the last one within the chart', () => {
    const lines = text(props(live => showCharts(live, [CHART])))
    expect(lines.at(-1)).to.match(/^ {8}a +b$/)
    expect(lines.at(-1)).to.have.length(78 - 1)
  })

  it('says how the line is shared, without colours too', () => {
    const lines = text(props(live => showShares(live, [{ own: 0.25, cubic: 0.75, jain: 0.8 }])))
    expect(lines).to.have.length(1)
    expect(lines[0]).to.match(/^network 1: yours 25 % \S+ 75 % CUBIC, Jain 0\.80$/)
  })

  it('keeps within the columns and rows that it is given, and draws with Ink what its lines say', () => {
    for (const [width, rows] of [
      [78, 20],
      [48, 8],
      [150, 30],
    ] as const) {
      const lines = text(props(everything, { width, rows }))
      expect(lines.length).to.be.at.most(rows)
      expect(Math.max(...lines.map(columns)), `${width}`).to.be.at.most(width)
    }
    const given = props(everything)
    const { lastFrame, unmount } = render(<CongestionPanel {...given} />)
    const drawn = (lastFrame() ?? '').split('\n').map(line => line.replace(/\u001b\[[0-9;]*m/g, '').trimEnd())
    expect(drawn).to.deep.equal(text(given).map(line => line.trimEnd()))
    unmount()
  })

  it('shows nothing before a check has run', () => {
    expect(text(props(() => {}))).to.deep.equal([])
  })
})
