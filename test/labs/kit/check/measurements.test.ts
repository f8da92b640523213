import { expect } from 'chai'
import {
  formatNumber,
  liveLines,
  liveText,
  sparkline,
  withinExpected,
} from '../../../../labs/kit/check/measurements.ts'
import { plainText } from '../../../../labs/kit/lab/text.ts'
import type { LiveState } from '../../../../labs/kit/lab/types.ts'
import { LiveReporter } from '../../../../labs/kit/run/live.ts'
import { themeFor } from '../../../../labs/kit/ui/theme.ts'
import { columns } from '../../../../src/text/columns.ts'

describe('measurements', () => {
  const { marks } = themeFor({ LANG: 'C' }, 'linux')
  const state = (fill: (live: LiveReporter) => void): LiveState => {
    const reporter = new LiveReporter()
    fill(reporter)
    return reporter.finish()
  }

  it('draws the most recent values, from zero to the highest', () => {
    expect(sparkline([9, 0, 4, 8], 3, [' ', '-', '#'])).to.equal(' -#')
    expect(sparkline([0, 0], 5, [' ', '#'])).to.equal('  ')
    expect(sparkline([1, Number.NaN], 5, [' ', '#'])).to.equal('# ')
  })

  it('writes numbers with three digits that mean something', () => {
    expect([0, 63, 1.234, 12.34, 123.4, 1e9].map(formatNumber)).to.deep.equal([
      '0',
      '63',
      '1.23',
      '12.3',
      '123',
      '1000000000',
    ])
  })

  it('shows a series as a sparkline with percentiles, and says the same in words', () => {
    const live = state(reporter => {
      for (const value of [1, 2, 3, 4, 5, 6]) reporter.measure('round trip', value, 'ms')
    })
    const text = liveLines(live, 78, marks).map(plainText).join('\n')
    expect(text).to.match(/^round trip {2}[^ ]{6}\n +6 ms {2}p50 3\.50 {2}p95 6 {2}p99 6 {2}n 6$/)
    expect(liveText(live)).to.deep.equal([
      'Measured round trip: 6 values, 1 to 6 ms, median 3.50, 95th percentile 6, 99th 6.',
    ])
  })

  it('shows a few values as they are: they have no percentiles', () => {
    const live = state(reporter => {
      for (const value of [34.5, 36]) reporter.measure('round trip', value, 'ms')
    })
    expect(liveLines(live, 78, marks).map(plainText)[1]).to.equal('  36 ms  of 34.5, 36')
    expect(liveText(live)).to.deep.equal(['Measured round trip: 34.5, 36 ms.'])
  })

  it('shows what was measured beside what is expected, with a mark that needs no colour', () => {
    const draw = (measured: number, expected: { min?: number; max?: number }) => {
      const live = state(reporter => reporter.compare('goodput', measured, expected, 'Mbit/s'))
      return { lines: liveLines(live, 78, marks).map(plainText), text: liveText(live)[0] }
    }
    const good = draw(93, { min: 80, max: 120 })
    expect(good.lines[1]).to.match(/measured +=+-+ {2}93 Mbit\/s \+$/)
    expect(good.lines[2]).to.match(/expected +#+ +80 to 120 Mbit\/s$/)
    expect(good.text).to.equal('Measured goodput: 93 Mbit/s; expected 80 to 120 Mbit/s: as expected.')
    const bad = draw(12, { min: 80 })
    expect(bad.lines[1]).to.match(/12 Mbit\/s x$/)
    expect(bad.text).to.match(/80 Mbit\/s or more: not as expected\.$/)
    expect(draw(1, { max: 2 }).lines[2]).to.match(/2 Mbit\/s or less$/)
    expect(draw(0, { min: 0, max: 0 }).lines[1]).to.match(/0 Mbit\/s \+$/)
    expect(withinExpected({ name: '', unit: '', measured: Number.NaN, expected: { min: 1 } })).to.equal(false)
  })

  it('keeps every line inside the width', () => {
    const live = state(reporter => {
      for (let i = 0; i < 700; i++) reporter.measure('round trip', i, 'ms')
      reporter.compare('goodput of the tunnel', 1234.5, { min: 1, max: 99999 }, 'Mbit/s')
      reporter.progress(3, 7, 'packets')
    })
    expect(live.series[0]).to.include({ count: 700 })
    for (const width of [60, 78, 118])
      for (const line of liveLines(live, width, marks)) expect(columns(plainText(line))).to.be.at.most(width)
  })
})

describe('what a check tells while it runs', () => {
  it('is passed on at once in the end, and seldom before', async () => {
    const reports: LiveState[] = []
    const reporter = new LiveReporter(state => reports.push(state))
    for (let i = 0; i < 1000; i++) reporter.measure('x', i)
    expect(reports).to.deep.equal([])
    reporter.show('key', { bytes: Uint8Array.of(1) })
    reporter.finish()
    expect(reports).to.have.length(1)
    expect(reports[0].shown).to.deep.equal({ key: { bytes: Uint8Array.of(1) } })
    reporter.finish()
    expect(reports).to.have.length(1)
  })
})
