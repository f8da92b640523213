import { expect } from 'chai'
import { render } from 'ink-testing-library'
import { COURSES_KEY } from '../../../labs/kit/check/window-recorder.ts'
import { plainText } from '../../../labs/kit/lab/text.ts'
import type { PanelProps } from '../../../labs/kit/lab/types.ts'
import { showDelays, showLink, showPredictions } from '../../../labs/lab-04-impairment/panel-data.ts'
import { LinkPanel } from '../../../labs/lab-04-impairment/ui.tsx'
import { columns } from '../../../src/text/columns.ts'
import { panelProps, type Show, shownBy } from '../kit/panel-props.ts'
import { windowCourse } from '../kit/window-course.ts'

const props = (show: Show, more: Partial<PanelProps> = {}) => panelProps(shownBy(show), more)

const LINK = { profile: 'outage-3s', delayMs: { up: 25, down: 20 }, loss: { up: 0.05, down: 0 } }
const ROWS = [
  { name: '5 % loss, datagrams: arrive', predicted: 95, measured: 94.5, low: 91.8, high: 96.5, unit: '%' },
  { name: '5 % loss, stream: wait', predicted: 9.67, unit: 'ms' },
]
const everything: Show = live => {
  showLink(live, { ...LINK, queue: { packets: 60, limit: 100 }, rate: { up: 1e6 } })
  showPredictions(live, ROWS)
  showDelays(live, { plain: Array.from({ length: 120 }, (_, i) => i * 5), codel: Array.from({ length: 120 }, () => 7) })
}

describe('labs/lab-04-impairment: the panel', () => {
  const text = (given: PanelProps) => LinkPanel.lines(given).map(plainText)

  it('shows what the link does in each direction', () => {
    const lines = text(props(live => showLink(live, LINK)))
    expect(lines[0]).to.match(/^client -+\[ 25 ms, loses 5 % \]-+> proxy +outage-3s$/)
    expect(lines[1]).to.match(/<-+\[ 20 ms \]-+/)
  })

  it('shows an outage without colours too', () => {
    const lines = text(props(live => showLink(live, { ...LINK, state: 'outage' })))
    expect(lines[0]).to.match(/x+\[ nothing passes \]x+/)
    expect(lines[1]).to.match(/outage$/)
  })

  it('has room for every word about what the link does now', () => {
    const states = ['Wi-Fi, weaker and weaker', 'the network is gone, and nobody moves']
    for (const profile of ['two paths', 'handover-wifi-lte']) {
      for (const state of states) {
        for (const width of [48, 58, 78, 138]) {
          const lines = text(props(live => showLink(live, { ...LINK, profile, state }), { width }))
          expect(lines.join(' ').replaceAll(/ +/g, ' '), `${width}`).to.include(state)
          if (width >= 78) expect(lines, `${width}`).to.have.length(2)
          expect(Math.max(...lines.map(columns)), `${width}`).to.be.at.most(width)
          if (width >= 58) expect(lines[0]).to.match(new RegExp(`${profile}$`))
        }
      }
    }
  })

  it('shows predictions beside measurements, with their interval', () => {
    const lines = text(props(live => showPredictions(live, ROWS)))
    expect(lines[0]).to.match(/predicted +measured$/)
    expect(lines[1]).to.match(/95 % +94\.5 % +91\.8 to 96\.5$/)
    expect(lines[2]).to.match(/9\.67 ms +\.\.\.$/)
  })

  it('names the two columns after what is in them', () => {
    const lines = text(props(live => showPredictions(live, ROWS, ['reported', 'fresh'])))
    expect(lines[0]).to.match(/reported +fresh$/)
  })

  it('says how full the queue is within 80 columns', () => {
    const queue = { packets: 12345, limit: 12345 }
    const lines = text(props(live => showLink(live, { ...LINK, queue })))
    expect(lines[2]).to.match(/12345 packets, about 12345 fit$/)
  })

  it('keeps within the columns and rows that it is given, and draws with Ink what its lines say', () => {
    for (const [width, rows] of [
      [78, 20],
      [60, 8],
      [150, 30],
    ] as const) {
      const given = props(everything, { width, rows })
      const lines = LinkPanel.lines(given)
      expect(lines.length).to.be.at.most(rows)
      for (const line of lines) expect(columns(plainText(line))).to.be.at.most(width)
    }
    const given = props(everything)
    const { lastFrame, unmount } = render(<LinkPanel {...given} />)
    const drawn = (lastFrame() ?? '').split('\n').map(line => line.replace(/\u001b\[[0-9;]*m/g, '').trimEnd())
    expect(drawn).to.deep.equal(text(given))
    unmount()
  })

  it('has room for both charts on a small terminal', () => {
    const lines = text(props(live => showDelays(live, { plain: [1, 300], codel: [1, 5] }), { rows: 8 }))
    expect(lines).to.have.length(8)
    expect(lines.join('\n')).to.match(/a plain queue[\s\S]+your CoDel/)
  })

  it('has the windows of the tunnels as another view', () => {
    const course = windowCourse({ title: 'a tunnel', engine: 'quiche' })
    const show: Show = live => {
      everything(live)
      live.show(COURSES_KEY, [course])
    }
    expect(LinkPanel.views?.(props(everything))).to.deep.equal([])
    expect(LinkPanel.views?.(props(show))).to.deep.equal(['window'])
    expect(text(props(show))).to.deep.equal(text(props(everything)))
    expect(text(props(show, { view: 'window' }))[0]).to.equal('a tunnel   engine quiche, a sample each 0.1 s')
  })

  it('shows nothing before a check has run', () => {
    expect(text(props(() => {}))).to.deep.equal([])
  })
})
