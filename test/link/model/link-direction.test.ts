import { expect } from 'chai'
import fc from 'fast-check'
import { LinkDirection } from '../../../src/link/model/link-direction.ts'
import { Random } from '../../../src/link/model/random.ts'
import { CLEAN, DELAY_LIMIT_PACKETS, type Impairment } from '../../../src/link/profile/profile.ts'

type Change = Partial<Impairment>
interface Delivery {
  tag: number
  dueMs: number
  payload: Uint8Array
}

const link = (change: Change, seed = 'test') => new LinkDirection({ ...CLEAN, ...change }, { seed, purpose: 'up' })

function released(direction: LinkDirection, nowMs: number): Delivery[] {
  const result: Delivery[] = []
  direction.release(nowMs, (payload, tag, dueMs) => result.push({ tag, dueMs, payload }))
  return result
}

/** `count` datagrams, one each `everyMs`, all released at the end. Frames of 1000 bytes unless said otherwise. */
function run(change: Change, count: number, everyMs: number, length = 958, seed = 'test') {
  const direction = link(change, seed)
  for (let i = 0; i < count; i++) direction.enqueue(new Uint8Array(length), i, i * everyMs)
  const all = released(direction, 1e9)
  return { direction, all, tags: all.map(each => each.tag) }
}

const EVERYTHING: Change = {
  delayMs: 20,
  jitterMs: 8,
  distribution: 'paretonormal',
  loss: { model: 'gemodel', p: 0.05, r: 0.3, oneMinusH: 0.8, oneMinusK: 0.01 },
  duplicate: { rate: 0.05, correlation: 0.2 },
  reorder: { rate: 0.2, correlation: 0, gap: 3 },
  corrupt: { rate: 0.05, correlation: 0 },
  rate: { bitsPerSecond: 4e6, limit: { packets: 20 }, burstBytes: 3200 },
}

describe('link/model/link-direction', () => {
  it('a clean link passes everything at once and in order', () => {
    const { all, tags } = run({}, 100, 1)
    expect(tags).to.deep.equal(Array.from({ length: 100 }, (_, i) => i))
    expect(all.every(({ tag, dueMs }) => dueMs === tag)).to.equal(true)
  })

  it('a delay is added to the time of arrival, and nothing comes before it is due', () => {
    const direction = link({ delayMs: 30 })
    direction.enqueue(new Uint8Array(1), 7, 100)
    expect(direction.nextDueMs()).to.equal(130)
    expect(released(direction, 129.999)).to.deep.equal([])
    expect(released(direction, 130)[0]).to.include({ tag: 7, dueMs: 130 })
    expect(direction.nextDueMs()).to.equal(undefined)
  })

  it('decides by seed and arrivals alone, not by when release is called', () => {
    const arrivals = fc.array(fc.tuple(fc.integer({ min: 0, max: 30 }), fc.integer({ min: 0, max: 1400 })), {
      minLength: 1,
      maxLength: 120,
    })
    fc.assert(
      fc.property(arrivals, fc.array(fc.integer({ min: 0, max: 10 }), { maxLength: 30 }), (gaps, pauses) => {
        const play = (often: boolean) => {
          const direction = link(EVERYTHING)
          const got: string[] = []
          const note = ({ tag, dueMs, payload }: Delivery) => got.push(`${tag} ${dueMs} ${payload.join('')}`)
          let now = 0
          for (const [i, [gap, length]] of gaps.entries()) {
            now += gap
            direction.enqueue(new Uint8Array(length), i, now)
            if (often && (pauses[i % (pauses.length || 1)] ?? 0) < 5) released(direction, now).forEach(note)
          }
          released(direction, 1e6).forEach(note)
          return { got, counters: direction.counters }
        }
        expect(play(true)).to.deep.equal(play(false))
      }),
      { numRuns: 100 },
    )
  })

  it('another seed gives other decisions', () => {
    expect(run(EVERYTHING, 200, 1).tags).not.to.deep.equal(run(EVERYTHING, 200, 1, 958, 'other').tags)
  })

  it('more jitter does not change which packets are lost', () => {
    const loss = { model: 'random', rate: 0.3, correlation: 0 } as const
    const sorted = (change: Change) => run(change, 500, 1).tags.sort((a, b) => a - b)
    expect(sorted({ loss, delayMs: 50, jitterMs: 20 })).to.deep.equal(sorted({ loss }))
  })

  it('accounts for every datagram, and delivers in order of due time', () => {
    const { direction, all } = run(EVERYTHING, 5000, 0.7)
    const c = direction.counters
    expect(c.offered + c.duplicated).to.equal(c.delivered + c.lost + c.outage + c.overflow + c.queued)
    expect(c.queued).to.equal(0)
    for (const kind of ['lost', 'overflow', 'duplicated', 'reordered', 'corrupted'] as const) {
      expect(c[kind], kind).to.be.above(0)
    }
    expect(all.every((each, i) => i === 0 || each.dueMs >= all[i - 1].dueMs)).to.equal(true)
  })

  it('jitter changes the order, and does not when order is kept', () => {
    const jitter: Change = { delayMs: 20, jitterMs: 5 }
    const inOrder = (tags: number[]) => tags.every((tag, i) => i === 0 || tag > tags[i - 1])
    expect(inOrder(run(jitter, 300, 0.5).tags)).to.equal(false)
    expect(inOrder(run({ ...jitter, keepOrder: true }, 300, 0.5).tags)).to.equal(true)
  })

  it('reorders each gap-th packet when the chance is 100%: it leaves at once', () => {
    const { all } = run({ delayMs: 10, reorder: { rate: 1, correlation: 0, gap: 5 } }, 20, 1)
    expect(all.filter(({ tag, dueMs }) => dueMs === tag).map(({ tag }) => tag)).to.deep.equal([4, 9, 14, 19])
  })

  it('turns over exactly one bit of a corrupted packet, and never one of its twin', () => {
    const { all } = run({ corrupt: { rate: 1, correlation: 0 }, duplicate: { rate: 1, correlation: 0 } }, 50, 1)
    expect(all.length).to.equal(100)
    const bits = (bytes: Uint8Array) =>
      bytes.reduce((sum, byte) => sum + byte.toString(2).replaceAll('0', '').length, 0)
    expect(all.every(({ payload }) => bits(payload) === 1)).to.equal(true)
  })

  it('corrupts an empty datagram without harm', () => {
    expect(run({ corrupt: { rate: 1, correlation: 0 } }, 1, 0, 0).all.length).to.equal(1)
  })

  it('a token bucket lets a burst pass and the rest at its rate', () => {
    // 8 Mbit/s are one 1000-byte frame a millisecond; the bucket holds two.
    const rate = { bitsPerSecond: 8e6, limit: { packets: 100 }, burstBytes: 2000 }
    const { all } = run({ rate }, 6, 0)
    expect(all.map(each => each.dueMs)).to.deep.equal([0, 0, 1, 2, 3, 4])
  })

  it('a frame that is bigger than the bucket is dropped, as tbf does', () => {
    const rate = { bitsPerSecond: 8e6, limit: { packets: 100 }, burstBytes: 2000 }
    expect(run({ rate }, 1, 0, 1959).direction.counters.overflow).to.equal(1)
  })

  it('drops at the tail of a queue in packets', () => {
    const rate = { bitsPerSecond: 8e6, limit: { packets: 3 }, burstBytes: 1600 }
    expect(run({ rate }, 10, 0).tags).to.deep.equal([0, 1, 2, 3]) // one leaves at once, three wait
  })

  it('drops at the tail of a queue in bytes', () => {
    const rate = { bitsPerSecond: 8e6, limit: { bytes: 2500 }, burstBytes: 1600 }
    expect(run({ rate }, 10, 0).tags).to.deep.equal([0, 1, 2])
  })

  it('a trace carries 1500 bytes of IP packets at each opportunity, over and over again', () => {
    const trace = { name: 't', opportunitiesMs: Float64Array.of(3, 3, 10), periodMs: 10, limit: { packets: 100 } }
    const full = run({ trace }, 7, 0, 1472).all.map(each => each.dueMs)
    expect(full).to.deep.equal([3, 3, 10, 13, 13, 20, 23])
    const halves = run({ trace }, 5, 0, 722).all.map(each => each.dueMs) // IP packets of 750 bytes
    expect(halves).to.deep.equal([3, 3, 3, 3, 10])
  })

  it('an opportunity at which nothing waits is lost', () => {
    const trace = { name: 't', opportunitiesMs: Float64Array.of(3, 10), periodMs: 10, limit: { packets: 100 } }
    const direction = link({ trace })
    direction.enqueue(new Uint8Array(100), 1, 0)
    direction.enqueue(new Uint8Array(100), 2, 5)
    expect(released(direction, 100).map(each => each.dueMs)).to.deep.equal([3, 10])
  })

  it('nothing enters during an outage; what is under way arrives', () => {
    const direction = link({ delayMs: 10 })
    direction.enqueue(new Uint8Array(1), 1, 0)
    direction.set({ ...CLEAN, delayMs: 10, down: true }, 5)
    direction.enqueue(new Uint8Array(1), 2, 6)
    direction.set({ ...CLEAN, delayMs: 10 }, 8)
    direction.enqueue(new Uint8Array(1), 3, 9)
    expect(released(direction, 100).map(each => each.tag)).to.deep.equal([1, 3])
    expect(direction.counters.outage).to.equal(1)
  })

  it('what waits in the queue leaves at the new rate after a change', () => {
    const rate = { bitsPerSecond: 8e6, limit: { packets: 100 }, burstBytes: 2000 }
    const direction = link({ rate })
    for (let i = 0; i < 6; i++) direction.enqueue(new Uint8Array(958), i, 0)
    direction.set({ ...CLEAN, rate: { ...rate, bitsPerSecond: 4e6 } }, 2)
    expect(released(direction, 100).map(each => each.dueMs)).to.deep.equal([0, 0, 1, 2, 4, 6])
  })

  it('what waits in the queue leaves at once when the bottleneck goes', () => {
    const direction = link({ rate: { bitsPerSecond: 8e3, limit: { packets: 100 }, burstBytes: 1600 } })
    for (let i = 0; i < 4; i++) direction.enqueue(new Uint8Array(958), i, 0)
    direction.set(CLEAN, 10)
    expect(released(direction, 10).map(each => each.dueMs)).to.deep.equal([0, 10, 10, 10])
  })

  it('an equal impairment does not end a loss burst or restart a trace', () => {
    const impairment = { ...CLEAN, ...EVERYTHING }
    const play = (again: boolean) => {
      const direction = new LinkDirection(impairment, { seed: 's', purpose: 'p' })
      for (let i = 0; i < 500; i++) {
        if (again) direction.set(structuredClone(impairment), i)
        direction.enqueue(new Uint8Array(100), i, i)
      }
      return released(direction, 1e6).map(({ tag, dueMs }) => [tag, dueMs])
    }
    expect(play(true)).to.deep.equal(play(false))
  })

  it('a clock that jumps back or forth loses nothing and delivers nothing early', () => {
    const times = fc.array(fc.integer({ min: -1000, max: 5000 }), { minLength: 1, maxLength: 100 })
    fc.assert(
      fc.property(times, nows => {
        const direction = link({
          delayMs: 10,
          rate: { bitsPerSecond: 8e6, limit: { packets: 1000 }, burstBytes: 1600 },
        })
        let latest = Number.NEGATIVE_INFINITY
        let count = 0
        for (const [i, now] of nows.entries()) {
          latest = Math.max(latest, now)
          direction.enqueue(new Uint8Array(500), i, now)
          for (const { dueMs } of released(direction, now)) {
            expect(dueMs).to.be.at.most(latest)
            count++
          }
        }
        expect(count + released(direction, 1e6).length).to.equal(nows.length)
      }),
      { numRuns: 200 },
    )
  })

  it('nextDueMs is when the next one is delivered, whatever the impairment', () => {
    const random = new Random('next due')
    const direction = link(EVERYTHING)
    for (let i = 0, now = 0; i < 1000; i++, now += 3 * random.float()) {
      direction.enqueue(new Uint8Array(600), i, now)
      const due = direction.nextDueMs()
      if (due === undefined || due > now) {
        expect(released(direction, now)).to.deep.equal([])
      } else {
        expect(released(direction, now)[0].dueMs).to.equal(due)
      }
    }
  })

  it('holds a bounded number of datagrams, and counts the rest as overflow', () => {
    const direction = link({ delayMs: 60_000 })
    const payload = new Uint8Array(8)
    for (let i = 0; i < DELAY_LIMIT_PACKETS + 100; i++) direction.enqueue(payload, i, 0)
    expect(direction.counters).to.include({ queued: DELAY_LIMIT_PACKETS, overflow: 100 })
    expect(released(direction, 60_000).length).to.equal(DELAY_LIMIT_PACKETS)
    direction.enqueue(payload, 1, 60_001)
    expect(direction.counters.overflow).to.equal(100)
  })
})
