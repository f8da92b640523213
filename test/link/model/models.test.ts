/**
 * Distributions, loss models, traces. The seeds are fixed, so nothing here is left to chance; the margins are those that a
 * random seed would break less than once in 10^6 runs (five standard deviations).
 */
import { expect } from 'chai'
import fc from 'fast-check'
import { ConfigError } from '../../../src/config/config-error.ts'
import { distributionTable, drawDelayMs } from '../../../src/link/model/distribution.ts'
import { Coin, expectedLoss, lossProcess } from '../../../src/link/model/loss.ts'
import { Random } from '../../../src/link/model/random.ts'
import type { LossModel } from '../../../src/link/profile/profile.ts'
import { parseTrace, traceRate } from '../../../src/link/profile/trace.ts'

describe('link/model/distribution', () => {
  /** FNV-1a of the 16-bit entries. */
  const fingerprint = (table: Int16Array) =>
    table.reduce((hash, entry) => Math.imul(hash ^ (entry & 0xffff), 0x01000193), 0x811c9dc5) >>> 0

  // The fingerprints of the files that iproute2 6.1 installs (normal.dist, pareto.dist, paretonormal.dist).
  for (const [name, expected] of [
    ['normal', 0x451d5f54],
    ['pareto', 0x4ca243f1],
    ['paretonormal', 0x9139b7b3],
  ] as const) {
    it(`makes the table of ${name} that iproute2 ships, entry by entry`, () => {
      expect(fingerprint(distributionTable(name)!)).to.equal(expected)
    })
  }

  it('draws what the kernel draws: remainder, table, rounding to whole nanoseconds', () => {
    const table = Int16Array.from({ length: 4096 }, (_, i) => i - 2048)
    expect(drawDelayMs(10, 1, 2048 + 4096 * 7, table)).to.equal(10) // entry 0
    expect(drawDelayMs(10, 1, 0, table)).to.equal(9.75) // entry -2048 is a quarter
    expect(drawDelayMs(10, 1, 0, undefined)).to.equal(9) // uniform: from mean minus jitter …
    expect(drawDelayMs(10, 1, 2_000_000 - 1, undefined)).to.equal(10.999999) // … to mean plus jitter, not included
    expect(drawDelayMs(10, 0, 5, table)).to.equal(10)
  })

  it('spreads a normal jitter as it should', () => {
    const random = new Random('normal')
    const table = distributionTable('normal')
    const draws = Array.from({ length: 20_000 }, () => drawDelayMs(50, 10, random.uint32(), table))
    const mean = draws.reduce((sum, x) => sum + x, 0) / draws.length
    const deviation = Math.sqrt(draws.reduce((sum, x) => sum + (x - mean) ** 2, 0) / draws.length)
    expect(mean).to.be.closeTo(50, 0.36) // 5 × 10 / √20000
    expect(deviation).to.be.closeTo(10, 0.26) // 5 × 10 / √40000
  })
})

describe('link/model/loss', () => {
  const COUNT = 100_000
  const outcomes = (model: LossModel) => {
    const process = lossProcess(model, new Random('loss', JSON.stringify(model)))
    return Array.from({ length: COUNT }, () => process.lost())
  }
  const share = (lost: boolean[]) => lost.filter(Boolean).length / lost.length

  it('random loss loses its share', () => {
    const lost = share(outcomes({ model: 'random', rate: 0.03, correlation: 0 }))
    expect(lost).to.be.closeTo(0.03, 5 * Math.sqrt((0.03 * 0.97) / COUNT))
  })

  it('0% draws nothing and 100% spares nothing', () => {
    expect(share(outcomes({ model: 'none' }))).to.equal(0)
    expect(share(outcomes({ model: 'random', rate: 1, correlation: 0 }))).to.equal(1)
  })

  it('a correlation makes a rare loss far rarer, as in the kernel', () => {
    const coin = new Coin(new Random('corr'), { rate: 0.1, correlation: 0.25 })
    let lost = 0
    for (let i = 0; i < COUNT; i++) if (coin.toss()) lost++
    expect(lost / COUNT).to.be.closeTo(0.0175, 0.003)
  })

  it('gemodel loses its share in bursts of mean length 1/r', () => {
    const model = { model: 'gemodel', p: 0.02, r: 0.25, oneMinusH: 1, oneMinusK: 0 } as const
    const lost = outcomes(model)
    // Variance of the share of a two-state chain: p r (2 - p - r) / (p + r)^3 / n.
    const variance = (0.02 * 0.25 * (2 - 0.27)) / 0.27 ** 3 / COUNT
    expect(share(lost)).to.be.closeTo(expectedLoss(model)!, 5 * Math.sqrt(variance))
    const bursts = lost.filter((each, i) => each && !lost[i - 1]).length
    const mean = lost.filter(Boolean).length / bursts
    expect(mean).to.be.closeTo(4, 5 * Math.sqrt(12 / bursts)) // geometric: variance (1 - r) / r²
  })

  it('gemodel decides by the state before it changes', () => {
    // Good for one packet, bad for one, and so on: every second one is lost, the first is not.
    const lost = outcomes({ model: 'gemodel', p: 1, r: 1, oneMinusH: 1, oneMinusK: 0 })
    expect(lost.slice(0, 6)).to.deep.equal([false, true, false, true, false, true])
  })

  it('the four states lose what the balance of the chain says', () => {
    const model = { model: 'state', p13: 0.02, p31: 0.3, p32: 0.1, p23: 0.4, p14: 0.005 } as const
    // Losses are correlated over some ten packets: the margin is wider by that.
    const margin = 5 * Math.sqrt((10 * 0.066) / COUNT)
    expect(share(outcomes(model))).to.be.closeTo(expectedLoss(model)!, margin)
  })
})

describe('link/profile/trace', () => {
  const parse = (text: string) => parseTrace(text, { file: 'dir/x.trace' })

  it('reads opportunities; the last line is the length', () => {
    const trace = parse('# made by hand\n0\n3\n3\n\n10\n')
    expect([...trace.opportunitiesMs]).to.deep.equal([0, 3, 3, 10])
    expect(trace).to.include({ name: 'x.trace', periodMs: 10 })
  })

  for (const [text, line, what] of [
    ['', 1, 'at least one'],
    ['1\n2\nabc\n', 3, 'found "abc"'],
    ['1\n-2\n', 2, 'found "-2"'],
    ['1.5\n', 1, 'whole number'],
    ['5\n4\n', 2, 'found 4 after 5'],
    ['0\n0\n', 3, 'above 0'],
    ['1\n99999999\n', 2, '86400000'],
    ['\0\u001b[2J\n', 1, 'whole number'],
  ] as const) {
    it(`names file and line of ${JSON.stringify(text)}`, () => {
      expect(() => parse(text))
        .to.throw(ConfigError, `dir/x.trace:${line}: `)
        .with.property('message')
        .that.contains(what)
    })
  }

  it('garbage is either a trace or a ConfigError', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 60 }), text => {
        try {
          expect(parse(text).periodMs).to.be.above(0)
        } catch (error) {
          expect(error).to.be.instanceOf(ConfigError)
        }
      }),
      { numRuns: 300 },
    )
  })

  it('says what it carries, over the end of the trace as well', () => {
    const trace = parse('2\n4\n6\n8\n10\n') // five frames in 10 ms
    expect(traceRate(trace, 0, 1000)).to.equal((5 * 1514 * 8) / 0.01)
    expect(traceRate(trace, 10, 30)).to.equal((5 * 1514 * 8) / 0.01)
    expect(traceRate(trace, 3, 3)).to.equal(0)
  })
})
