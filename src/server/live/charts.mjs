// The charts, by uPlot. They always show two minutes, and their scales move in steps: a chart that breathes cannot be read.

import { make, setAttribute, setText } from './dom.mjs'
import { bitRate, milliseconds, percent, roundUp } from './format.mjs'
import { SAMPLES } from './history.mjs'
import uPlot from './uPlot.esm.js'

const CHARTS = [
  { id: 'throughput', name: 'Throughput', lines: ['fromClients', 'toClients'], format: bitRate, least: 10_000 },
  {
    id: 'rtt',
    name: 'Round trip',
    lines: ['rtt', 'rttWorst'],
    format: milliseconds,
    axis: ms => [String(ms), 'ms'],
    least: 2,
  },
  { id: 'loss', name: 'Loss', lines: ['loss'], format: percent, least: 0.01 },
]

/** What a screen reader says of each line. */
const NAMES = { fromClients: 'from clients', toClients: 'to clients', rtt: 'median', rttWorst: 'slowest', loss: 'lost' }

export class Charts {
  #charts = []
  #colours
  #probe = make('span', undefined, { hidden: '' })

  constructor() {
    document.body.append(this.#probe)
    this.#readColours()
    for (const chart of CHARTS) {
      const holder = document.getElementById(`chart-${chart.id}`)
      holder.setAttribute('role', 'img')
      const plot = new uPlot(this.#options(chart, holder), [[], ...chart.lines.map(() => [])], holder)
      this.#charts.push({ ...chart, holder, plot, output: document.getElementById(`c-${chart.id}`) })
      new ResizeObserver(() => plot.setSize(sizeOf(holder))).observe(holder)
    }
  }

  /** The colours of the page have changed. */
  recolour() {
    this.#readColours()
    for (const { plot } of this.#charts) plot.redraw(false, false)
  }

  /** Shows a series of the history; `of` is whose it is. One client has one round trip. */
  show(series, of, isOne) {
    const now = series?.times.at(-1) ?? 0
    const ago = (series?.times ?? []).map(time => time - now)
    for (const { plot, lines, holder, output, format, name } of this.#charts) {
      plot.setData([ago, ...lines.map(line => series?.[line] ?? [])])
      const told = isOne ? lines.filter(line => line !== 'rttWorst') : lines
      const values = told.map(line => format(series?.last(line) ?? null).join(' '))
      setText(output, values.join('  /  '))
      const texts = told.map((line, i) => `${NAMES[line]} ${values[i]}`)
      setAttribute(holder, 'aria-label', `${name} of ${of} in the last two minutes; now ${texts.join(', ')}`)
    }
  }

  #options({ lines, format, axis: onAxis = format, least }, holder) {
    const colour = name => () => this.#colours[name]
    const styles = [
      { stroke: colour('from'), width: 2.5 },
      { stroke: colour('to'), width: 2.5, dash: [7, 5] },
    ]
    const axis = {
      stroke: colour('text'),
      grid: { stroke: colour('line'), width: 1 },
      ticks: { show: false },
      font: '13px system-ui',
    }
    return {
      ...sizeOf(holder),
      legend: { show: false },
      cursor: { show: false },
      padding: [8, 22, 0, 0],
      scales: {
        x: { time: false, range: [-SAMPLES, 0] },
        y: { range: (_plot, _least, most) => [0, roundUp(Math.max(least, most ?? 0))] },
      },
      axes: [
        {
          ...axis,
          size: 26,
          gap: 7,
          splits: [-120, -90, -60, -30, 0],
          values: (_plot, splits) => splits.map(ago => (ago === 0 ? 'now' : `${-ago} s ago`)),
        },
        {
          ...axis,
          size: 78,
          gap: 6,
          space: 38,
          values: (_plot, splits) => splits.map(value => onAxis(value).join(' ').replace(/\.0+ /, ' ')),
        },
      ],
      series: [{}, ...lines.map((_, i) => ({ ...styles[i], points: { show: false }, spanGaps: false }))],
    }
  }

  /** A canvas knows nothing of style sheets. */
  #readColours() {
    const read = name => {
      this.#probe.style.color = `var(--${name})`
      return getComputedStyle(this.#probe).color
    }
    this.#colours = { from: read('from'), to: read('to'), text: read('text'), line: read('line') }
  }
}

function sizeOf(holder) {
  return { width: Math.max(100, holder.clientWidth), height: Math.max(60, holder.clientHeight) }
}
