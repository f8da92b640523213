import { expect } from 'chai'
import fc from 'fast-check'
import { PathMtuSearch } from '../../src/quic/path-mtu.ts'

/** A path in virtual time, on which probes up to `limit` bytes arrive, unless chance has it otherwise. */
class Path {
  limit: number
  readonly #lost: () => boolean
  now = 0
  probes = 0

  constructor(limit: number, lost: () => boolean = () => false) {
    this.limit = limit
    this.#lost = lost
  }

  /** Lets the search have its way until nothing is due within `patienceMs`. Checks each size that it takes into use. */
  run(search: PathMtuSearch, patienceMs = 10_000): void {
    while (search.dueAt !== undefined && search.dueAt <= this.now + patienceMs) {
      this.now = Math.max(this.now, search.dueAt)
      const size = search.nextProbe(this.now) as number
      this.probes++
      this.now += 10
      const fits = size <= this.limit
      if (fits && !this.#lost()) search.onProbeAcked(this.now)
      else search.onProbeLost(this.now)
      if (this.probes > 10_000) throw new Error('the search does not end')
    }
  }
}

const seeded = (seed: number, rate: number) => () => {
  seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0
  return seed / 2 ** 32 < rate
}

describe('the search for the path MTU', () => {
  it('Q-01 starts from 1200 bytes and uses nothing larger that was not acknowledged', () => {
    const search = new PathMtuSearch({ max: 1400, now: 0 })
    expect(search.size).to.equal(1200)
    expect(search.settled).to.equal(false)
    expect(search.nextProbe(0)).to.equal(1400)
    expect(search.size).to.equal(1200)
    search.onProbeAcked(10)
    expect(search).to.include({ size: 1400, settled: true, dueAt: undefined })
  })

  it('Q-01 finds the size of every path, to the byte', () => {
    for (let limit = 1200; limit <= 1500; limit++) {
      const search = new PathMtuSearch({ max: 1452, now: 0 })
      const path = new Path(limit)
      path.run(search)
      expect(search).to.include({ size: Math.min(limit, 1452), settled: true })
      expect(path.probes).to.be.at.most(1 + 3 * 9)
    }
  })

  it('Q-01 never takes a size into use that does not fit, however much is lost', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1200, max: 9000 }),
        fc.double({ min: 0, max: 0.6, noNaN: true }),
        fc.nat(),
        (limit, rate, seed) => {
          const search = new PathMtuSearch({ max: 9000, now: 0 })
          new Path(limit, seeded(seed, rate)).run(search)
          expect(search.settled).to.equal(true)
          expect(search.size).to.be.within(1200, limit)
        },
      ),
    )
  })

  it('Q-01 does not take loss for a limit: at 10 % all but a few paths are found to the byte at once', () => {
    const exact = Array.from({ length: 500 }, (_, seed) => {
      const search = new PathMtuSearch({ max: 1400, now: 0 })
      new Path(1312, seeded(seed, 0.1)).run(search)
      return search.size === 1312
    })
    // A size fails wrongly with 0.1 to the third, and about eight sizes are tried: 0.8 % of the searches.
    expect(exact.filter(found => !found).length).to.be.lessThan(20)
  })

  it('Q-01 looks again after ten minutes whether the path carries more now', () => {
    const search = new PathMtuSearch({ max: 1400, now: 0 })
    const path = new Path(1300)
    path.run(search)
    const ended = path.now
    path.limit = 1400
    expect(search.nextProbe(ended + 599_000)).to.equal(undefined)
    path.run(search, 600_000)
    expect(search).to.include({ size: 1400, dueAt: undefined })
  })

  it('Q-01 falls back when a size that was proven no longer arrives, and searches anew', () => {
    const search = new PathMtuSearch({ max: 1400, now: 0 })
    const path = new Path(1400)
    path.run(search)
    path.limit = 1313
    search.suspect(path.now)
    for (let i = 0; i < 3; i++) {
      expect(search.nextProbe(path.now)).to.equal(1400)
      search.onProbeLost(path.now)
    }
    expect(search.size).to.equal(1200)
    path.run(search)
    expect(search.size).to.equal(1313)
  })

  it('Q-01 keeps a size that is suspected wrongly', () => {
    const search = new PathMtuSearch({ max: 1400, now: 0 })
    const path = new Path(1400)
    path.run(search)
    search.suspect(path.now)
    search.onProbeLost(path.now)
    search.onProbeLost(path.now)
    search.onProbeAcked(path.now)
    expect(search).to.include({ size: 1400, dueAt: undefined })
  })

  it('Q-01 learns nothing from a probe that could not be sent or that nothing was heard after, and waits longer each time', () => {
    const search = new PathMtuSearch({ max: 1400, now: 0 })
    const pauses: number[] = []
    for (let i = 0, now = 0; i < 10; i++) {
      expect(search.nextProbe(now)).to.equal(1400)
      search.onProbeVoid(now)
      pauses.push((search.dueAt as number) - now)
      now = search.dueAt as number
    }
    expect(pauses.slice(0, 4)).to.deep.equal([100, 200, 400, 800])
    expect(pauses[9]).to.equal(10_000)
    expect(search.settled).to.equal(false)
  })

  it('Q-01 has nothing to search where only 1200 bytes are allowed', () => {
    expect(new PathMtuSearch({ max: 1200, now: 0 })).to.include({ size: 1200, settled: true, dueAt: undefined })
  })
})
