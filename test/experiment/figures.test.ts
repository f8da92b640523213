import { expect } from 'chai'
import fc from 'fast-check'
import { formatNumber, linearAxis, logAxis } from '../../src/experiment/charts/axis.ts'
import { cdfSteps, type Figure } from '../../src/experiment/charts/figure.ts'
import { svgFigure } from '../../src/experiment/charts/svg.ts'
import { terminalFigure } from '../../src/experiment/charts/terminal.ts'
import { figuresOf, numbersOf } from '../../src/experiment/figures.ts'
import type { RunLine } from '../../src/experiment/results-file.ts'
import { plannedRuns } from '../../src/experiment/runner.ts'
import { cellValue, summariseCells } from '../../src/experiment/summary.ts'
import { fakeResult, SAMPLE, sampleDefinition } from './sample-experiment.ts'

const base = { id: 'a', title: 'A & B', note: 'note', xLabel: 'x in ms', yLabel: 'y in %', log: false }
const line: Figure = {
  ...base,
  kind: 'line',
  series: ['one', 'two'].map((name, i) => ({
    name,
    points: [1, 5, 10].map(x => ({ x, y: x * (i + 1), low: x * (i + 1) - 0.5, high: x * (i + 1) + 0.5 })),
  })),
}
const bars: Figure = {
  ...base,
  kind: 'bars',
  categories: ['wifi', 'lte'],
  series: [
    { name: 'one', values: [{ y: 3, low: 2, high: 4 }, undefined] },
    { name: 'two', values: [undefined, { y: 1, low: 1, high: 1 }] },
  ],
}
const cdf: Figure = { ...base, kind: 'cdf', series: [{ name: 'one', values: [3, 1, 2, 2] }] }

describe('an axis', () => {
  it('has room for all values, round ticks, and 0 when nothing is below it', () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: 0, max: 1e6, noNaN: true }), { minLength: 1, maxLength: 20 }), values => {
        const axis = linearAxis(values)
        expect(axis.from).to.equal(0)
        expect(axis.to).to.be.at.least(Math.max(...values) * 0.999)
        expect(axis.ticks.length).to.be.within(2, 12)
      }),
    )
  })

  it('may be logarithmic, from a 1, 2 or 5 to another', () => {
    const axis = logAxis([3, 40, 700])
    expect([axis.from, axis.to]).to.deep.equal([2, 1000])
    expect(axis.position(2)).to.equal(0)
    expect(axis.position(1000)).to.be.closeTo(1, 1e-9)
  })

  it('writes numbers as people do', () => {
    expect([0, 0.0213, 3.1399, 12.5, 250, 1234.5, 56_789].map(formatNumber)).to.deep.equal([
      '0',
      '0.0213',
      '3.14',
      '12.5',
      '250',
      '1235',
      '56\u202f790',
    ])
  })
})

describe('a figure', () => {
  for (const figure of [line, bars, cdf]) {
    it(`(${figure.kind}) is SVG with a title, a description with the numbers, labels with units, and no stray character`, () => {
      const svg = svgFigure(figure)
      expect(svg).to.include('<title>A &amp; B</title>')
      expect(svg).to.match(/<desc>[^<]*one: /)
      expect(svg).to.include('>x in ms</text>').and.to.include('>y in %</text>')
      expect(svg).not.to.match(/NaN|undefined|Infinity/)
      expect(svg.match(/<text /g)?.length).to.equal(svg.match(/<\/text>/g)?.length)
    })

    it(`(${figure.kind}) fits the terminal, with block characters or without`, () => {
      for (const unicode of [true, false]) {
        const text = terminalFigure(figure, { width: 70, unicode })
        for (const row of text.split('\n')) expect(row.length).to.be.at.most(78)
        if (!unicode) expect(text).to.match(/^[\x20-\x7e\n]*$/)
      }
    })
  }

  it('tells its series apart without colour: by dash and marker, or by hatching', () => {
    expect(svgFigure(line)).to.include('stroke-dasharray').and.to.include('<circle').and.to.include('<rect')
    expect(svgFigure(bars)).to.include('url(#hatch0)').and.to.include('url(#hatch1)')
  })

  it('says so when there is nothing to show', () => {
    expect(terminalFigure({ ...line, series: [] } as Figure, { width: 70, unicode: true })).to.include('(no values)')
    expect(svgFigure({ ...line, series: [] } as Figure)).not.to.match(/NaN|Infinity/)
  })

  it('of a distribution rises from 0 to 1', () => {
    expect(cdfSteps([2, 1, 2, 3])).to.deep.equal([
      { x: 1, y: 0 },
      { x: 1, y: 0.25 },
      { x: 2, y: 0.25 },
      { x: 2, y: 0.75 },
      { x: 3, y: 0.75 },
      { x: 3, y: 1 },
    ])
  })
})

describe('the figures of an experiment', () => {
  const definition = sampleDefinition()
  const lines = plannedRuns(definition).map(
    run => ({ type: 'run', key: run.key, status: 'ok', ...fakeResult(Number(run.seed)) }) as unknown as RunLine,
  )

  it('take names that differ in a number as numbers', () => {
    expect(numbersOf(['loss-1', 'loss-10'])?.of('loss-10')).to.equal(10)
    expect(numbersOf(['wifi', 'lte'])).to.equal(undefined)
    expect(numbersOf(['loss-1', 'gain-1'])).to.equal(undefined)
  })

  it('are one for each important measure, unless the file says which', () => {
    const figures = figuresOf(definition, summariseCells(definition.cells, lines))
    expect(figures.map(figure => `${figure.kind} ${figure.yLabel}`)).to.deep.equal([
      'line RTT, median in ms',
      'line RTT, 95th percentile in ms',
      'line Pings lost in %',
      'cdf Share of the values',
      'cdf Share of the values',
      'cdf Share of the values',
    ])
    const [first] = figures
    expect(
      first.kind === 'line' && first.series.map(series => series.points.map(point => [point.x, point.y])),
    ).to.deep.equal([
      [
        [1, 2],
        [5, 2],
        [10, 2],
      ],
      [
        [1, 2],
        [5, 2],
      ],
    ])
  })

  it('are bars where the parameter is no number', () => {
    const named = sampleDefinition(
      SAMPLE.replace(
        '[quick]',
        '[[figure]]\nkind = "line"\nmeasure = "ping.loss_percent"\nx = "encapsulation"\n[quick]',
      ),
    )
    const [figure] = figuresOf(named, summariseCells(named.cells, lines))
    expect(figure.kind).to.equal('bars')
  })

  it('show the range where there are too few runs for a bootstrap, and the same interval every time', () => {
    expect(cellValue([3, 1, 2], 'a')).to.deep.equal({ median: 2, low: 1, high: 3, runs: 3 })
    const values = [5, 1, 4, 2, 3, 9, 7, 8]
    expect(cellValue(values, 'a')).to.deep.equal(cellValue(values, 'a'))
    const { low, median, high } = cellValue(values, 'a')
    expect(median).to.equal(4.5)
    expect(low).to.be.within(1, 4.5)
    expect(high).to.be.within(4.5, 9)
  })
})
