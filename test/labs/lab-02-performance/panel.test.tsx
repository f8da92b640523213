/** The panel of lab 2: charts of predictions beside measurements. */
import { expect } from 'chai'
import { render } from 'ink-testing-library'
import { COURSES_KEY } from '../../../labs/kit/check/window-recorder.ts'
import { plainText } from '../../../labs/kit/lab/text.ts'
import type { PanelProps } from '../../../labs/kit/lab/types.ts'
import { CHARTS_KEY, type Chart, showChart } from '../../../labs/lab-02-performance/chart.ts'
import { lab } from '../../../labs/lab-02-performance/lab.ts'
import pump from '../../../labs/lab-02-performance/mutants/pump.ts'
import {
  flightsOf,
  foundOutPicture,
  ladderPicture,
  type Picture,
  sequencePicture,
  turnsPicture,
} from '../../../labs/lab-02-performance/picture.ts'
import { Charts } from '../../../labs/lab-02-performance/ui.tsx'
import { columns } from '../../../src/text/columns.ts'
import { Scratch } from '../grade-lab.ts'
import { panelProps } from '../kit/panel-props.ts'
import { windowCourse } from '../kit/window-course.ts'

const HANDSHAKE: Chart = {
  title: 'Handshake',
  unit: 'ms',
  rows: [
    { label: 'RTT 200 ms', predicted: 200, measured: 212, good: true },
    { label: 'RTT 40 ms', predicted: 400, measured: 52, good: false },
    { label: 'RTT 20 ms', predicted: 20 },
  ],
}

const props = (charts: readonly Chart[], more: Partial<PanelProps> = {}) => panelProps({ [CHARTS_KEY]: charts }, more)

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
    expect(shown(charts)[0]).to.match(/^first, ms +picture 1 of 2$/)
    expect(shown(charts, { step: 1 })[0]).to.match(/^second, ms +picture 2 of 2$/)
  })

  const drawn = (picture: Picture, more: Partial<PanelProps> = {}) =>
    Charts.lines(props([picture as unknown as Chart], more)).map(plainText)

  it('draws the turns of a pump, the last ones where there is room for some', () => {
    const turns = [
      ['0', '1', ' yield'],
      ['1', '.', ' sleep'],
    ]
    expect(drawn(turnsPicture('The turns', turns, true))).to.deep.equal([
      'The turns',
      'turn 1    0 1  yield',
      'turn 2    1 .  sleep',
      '0, 1, …: a packet of that queue   .: a read that said empty',
    ])
    expect(drawn(turnsPicture('The turns', turns, true), { rows: 3 })).to.have.length(3)
  })

  it('lists whole what a test has found out, and at the end what it has missed', () => {
    const results = [
      { fault: 'it has a probe before one is due', caught: undefined },
      { fault: 'after a stall it never tries again what it had ruled out before', caught: 'AssertionError' },
    ]
    expect(drawn(foundOutPicture('Broken searches', results))).to.deep.equal([
      'Broken searches: 1 of 2 found out',
      'found out   after a stall it never tries again what it had ruled out before',
      'missed      it has a probe before one is due',
    ])
  })

  it('draws the probes of a search between what is confirmed and what the path carries', () => {
    const rungs = [
      { size: 1336, atMs: 0, passed: true, confirmed: 1200 },
      { size: 1404, atMs: 40, passed: false, confirmed: 1336 },
    ]
    const [, first, second] = drawn(
      ladderPicture('Search', { base: 1200, max: 1472, path: 1370, rungs, failed: false }),
    )
    expect(first).to.match(/^1336 at 0 ms +\| {22}o {4}: +\|$/)
    expect(second).to.match(/^1404 at 40 ms +\|={22} {5}: {4}x +\|$/)
  })

  it('draws packets as a sequence, those that come together as one, and what was reached between them', () => {
    const datagrams = [
      { atMs: 0, from: 'client', bytes: 1200 },
      { atMs: 204, from: 'server', bytes: 1200 },
      { atMs: 206, from: 'server', bytes: 800 },
      { atMs: 212, from: 'client', bytes: 90 },
    ] as const
    const lines = drawn(sequencePicture('Packets', flightsOf(datagrams), [{ atMs: 210, text: 'it is complete' }]))
    expect(lines.slice(2).map(text => text.replace(/-+/g, '-').replace(/ +/g, ' ').trim())).to.deep.equal([
      '0 ms |- 1 datagram, 1200 bytes ->|',
      '204 ms |<- 2 datagrams, 2000 bytes -|',
      '210 ms | it is complete |',
      '212 ms |- 1 datagram, 90 bytes ->|',
    ])
    expect(new Set(lines.slice(2).map(text => columns(text)))).to.have.property('size', 1)
  })

  it('has the windows of the tunnels as another view', () => {
    const course = windowCourse({ title: 'a tunnel', engine: 'quiche' })
    const live = { series: [], comparisons: [], shown: { [CHARTS_KEY]: [HANDSHAKE], [COURSES_KEY]: [course] } }
    expect(Charts.views?.(props([HANDSHAKE]))).to.deep.equal([])
    expect(Charts.views?.(props([], { live }))).to.deep.equal(['window'])
    expect(shown([], { live })).to.deep.equal(shown([HANDSHAKE]))
    expect(shown([], { live, view: 'window' })[0]).to.equal('a tunnel   engine quiche, a sample each 0.1 s')
  })

  it('shows nothing before a check has run', () => {
    expect(shown([])).to.deep.equal([])
  })

  it('gets its charts from the checks: what is beyond its limit is marked, and a failure drawn', async () => {
    const scratch = new Scratch(lab)
    try {
      scratch.solve(pump.find(({ id }) => id === 'no-budget'))
      const { live } = await scratch.check('pump')
      const last = (Charts.steps?.(props([], { live })) ?? 1) - 1
      const at = (step: number) => Charts.lines(props([], { live, step })).map(plainText).join('\n')
      expect(at(last - 1)).to.match(/^packets in a turn .* x$/m)
      // And behind it the turn that went too far.
      expect(at(last)).to.match(/^turn 1 +0( 0){16}$/m)
    } finally {
      scratch.remove()
    }
  })
})
