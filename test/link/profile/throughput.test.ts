import { expect } from 'chai'
import fc from 'fast-check'
import { readThroughput, ThroughputError, toOpportunities } from '../../../src/link/profile/throughput.ts'
import { parseTrace, traceRate } from '../../../src/link/profile/trace.ts'

const units = { timeMs: 1000, bitsPerSecond: 1e6 }
const times = (text: string, of = units): number[] => toOpportunities(readThroughput(text, of))

describe('link/profile/throughput', () => {
  it('12 Mbit/s is one opportunity a millisecond, 6 Mbit/s every second one', () => {
    expect(times('0,12\n1,12\n').slice(0, 4)).to.deep.equal([1, 2, 3, 4])
    expect(times('0,12\n1,12\n')).to.have.length(2000)
    expect(times('0,6\n1,6\n').slice(0, 3)).to.deep.equal([2, 4, 6])
  })

  it('carries in each interval what the list says, and is as long', () => {
    const list = fc.array(fc.tuple(fc.integer({ min: 1, max: 3000 }), fc.integer({ min: 0, max: 20_000 })), {
      minLength: 2,
      maxLength: 8,
    })
    fc.assert(
      fc.property(list, rows => {
        fc.pre(rows.some(([, kbit]) => kbit > 0))
        let atMs = 0
        const samples = rows.map(([lastsMs, kbit]) => {
          const sample = { atMs, bitsPerSecond: kbit * 1000 }
          atMs += lastsMs
          return sample
        })
        const found = toOpportunities(samples)
        expect(found).to.deep.equal([...found].sort((a, b) => a - b))
        const lengthMs =
          samples[samples.length - 1].atMs + (samples[samples.length - 1].atMs - samples[samples.length - 2].atMs)
        expect(found.at(-1)).to.equal(lengthMs)
        let carried = 0
        for (const [i, { bitsPerSecond, atMs: from }] of samples.entries()) {
          const until = samples[i + 1]?.atMs ?? lengthMs
          carried += (bitsPerSecond * (until - from)) / 1000
          const opportunities = found.filter(time => time <= until).length
          // The one that is on its way, half a millisecond of rounding, and the one that ends the trace.
          expect(Math.abs(opportunities - carried / 12_000)).to.be.at.most(2 + bitsPerSecond / 12_000 / 1000)
        }
      }),
      { numRuns: 200 },
    )
  })

  it('gives a trace that loads and has the mean rate', () => {
    const list = Array.from({ length: 60 }, (_, i) => `${i},${(5 + 4 * Math.sin(i / 5)).toFixed(3)}`).join('\n')
    const trace = parseTrace(times(list).join('\n'), { file: 'x.trace' })
    const mean = list.split('\n').reduce((sum, line) => sum + Number(line.split(',')[1]), 0) / 60
    expect(trace.periodMs).to.equal(60_000)
    // traceRate counts frames: 1514 bytes for 1500.
    expect((traceRate(trace, 0, 60_000) * 1500) / 1514 / 1e6).to.be.closeTo(mean, mean * 0.001)
  })

  it('an outage is a gap; one at the end needs an opportunity to end it', () => {
    const found = times('0,12\n1,0\n3,12\n4,0\n5,0\n')
    expect(found.filter(time => time > 1000 && time <= 3000)).to.deep.equal([])
    expect(found.slice(-2)).to.deep.equal([4000, 6000])
  })

  for (const [name, text] of [
    ['a heading, and semicolons', 'time;rate\n10;12\n11;6\n'],
    ['blanks and comments', '# from a drive\n10 12\n\n11   6\n'],
    ['tabs and quotes', '"t"\t"Mbit/s"\n"10"\t"12"\n"11"\t"6"\n'],
    ['more columns', '10,12,x\n11,6,y\n'],
    ['JSON lists', '[[10, 12], [11, 6]]'],
    ['JSON objects', '[{"t": 10, "mbit": 12}, {"t": 11, "mbit": 6}]'],
  ]) {
    it(`reads ${name}; the first time is 0`, () => {
      expect(readThroughput(text, units)).to.deep.equal([
        { atMs: 0, bitsPerSecond: 12e6 },
        { atMs: 1000, bitsPerSecond: 6e6 },
      ])
    })
  }

  it('takes other units', () => {
    expect(readThroughput('0,1\n500,2', { timeMs: 1, bitsPerSecond: 8000 })).to.deep.equal([
      { atMs: 0, bitsPerSecond: 8000 },
      { atMs: 500, bitsPerSecond: 16_000 },
    ])
  })

  for (const [text, message] of [
    ['', /two samples at least/],
    ['0,1', /two samples at least/],
    ['0,1\n1,x', /line 2: found "1,x"/],
    ['0,1\n0,2', /line 2: found the time 0 after 0/],
    ['0,1\n1,-2', /line 2: found a throughput of -2/],
    ['0,0\n1,0', /above 0 somewhere/],
    ['0,1\n100000,1', /a day at most/],
    ['0,1000000\n10,1', /at most 2000000 opportunities/],
    ['[1, 2]', /entry 0: found 1/],
    ['[[1, 2], [3, null]]', /entry 1/],
    ['{"a": 1}', /JSON array/],
    ['[[1, 2', /not valid JSON/],
  ] as const) {
    it(`refuses ${JSON.stringify(text)} in a sentence`, () => {
      expect(() => times(text)).to.throw(ThroughputError, message)
    })
  }
})
