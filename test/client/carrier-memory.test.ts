import { expect } from 'chai'
import { CarrierMemory } from '../../src/client/carrier-memory.ts'
import { CarrierWatch } from '../../src/client/carrier-watch.ts'
import { FakeClock } from '../hosts/fake-clock.ts'

const MINUTE_MS = 60_000

describe('what a client remembers of carriers', () => {
  it('tries h3 first where nothing is known', () => {
    expect(new CarrierMemory().order(0)).to.deep.equal(['h3', 'h2'])
  })

  it('tries first what has worked, for ten minutes from when it last did', () => {
    const memory = new CarrierMemory()
    memory.stands('h2', 0)
    expect(memory.order(9 * MINUTE_MS)).to.deep.equal(['h2', 'h3'])
    memory.lost(60 * MINUTE_MS)
    expect(memory.order(69 * MINUTE_MS)).to.deep.equal(['h2', 'h3'])
    expect(memory.order(70 * MINUTE_MS)).to.deep.equal(['h3', 'h2'])
  })

  it('looks for h3 after 30 s, then after twice as long each time, but every ten minutes', () => {
    const memory = new CarrierMemory()
    const pauses = Array.from({ length: 7 }, () => memory.nextPauseMs() / 1000)
    expect(pauses).to.deep.equal([30, 60, 120, 240, 480, 600, 600])
  })

  it('begins anew only after h3 has carried a tunnel for ten minutes', () => {
    const memory = new CarrierMemory()
    for (let i = 0; i < 3; i++) memory.nextPauseMs()
    memory.stands('h3', 0)
    memory.lost(9 * MINUTE_MS)
    expect(memory.nextPauseMs()).to.equal(240_000)
    memory.stands('h3', 20 * MINUTE_MS)
    memory.lost(30 * MINUTE_MS)
    expect(memory.nextPauseMs()).to.equal(30_000)
  })

  it('does not count the time over h2 for which h3 was left, without a tunnel having been lost', () => {
    const memory = new CarrierMemory()
    for (let i = 0; i < 3; i++) memory.nextPauseMs()
    memory.stands('h3', 0)
    memory.stands('h2', MINUTE_MS)
    memory.lost(20 * MINUTE_MS)
    expect(memory.nextPauseMs()).to.equal(240_000)
    memory.stands('h3', 30 * MINUTE_MS)
    memory.stands('h2', 40 * MINUTE_MS)
    expect(memory.nextPauseMs()).to.equal(30_000)
  })
})

describe('the watch for h3', () => {
  /** UDP as a test has it; the tunnel is over h3 when a look has found it, and over h2 as soon as it is blocked. */
  const start = (options: { lookMs?: number } = {}) => {
    const clock = new FakeClock()
    const memory = new CarrierMemory()
    const state = { blocked: true, looks: [] as number[], atOnce: 0, most: 0, errors: [] as unknown[] }
    const watch = new CarrierWatch({
      nextPauseMs: () => memory.nextPauseMs(),
      look: async () => {
        state.looks.push(clock.now())
        state.most = Math.max(state.most, ++state.atOnce)
        await new Promise<void>(resolve => clock.setTimeout(resolve, options.lookMs ?? 10))
        state.atOnce--
        if (!state.blocked) {
          memory.stands('h3', clock.now())
          watch.stop()
        }
        return !state.blocked
      },
      onError: error => state.errors.push(error),
      clock,
    })
    const overH2 = () => {
      memory.lost(clock.now())
      memory.stands('h2', clock.now())
      watch.start()
    }
    overH2()
    return { clock, watch, state, overH2 }
  }

  it('looks again and again, more and more seldom, and never twice at once', async () => {
    const { clock, state } = start({ lookMs: 10_000 })
    await clock.advance(60 * MINUTE_MS)
    expect(state.looks.length).to.be.within(8, 10)
    expect(state.most).to.equal(1)
  })

  it('ends when the tunnel is over h3', async () => {
    const { clock, state } = start()
    state.blocked = false
    await clock.advance(60 * MINUTE_MS)
    expect(state.looks.length).to.equal(1)
    expect(clock.pendingTimers).to.equal(0)
  })

  it('does not run after UDP that is blocked and free again ten times: it looks once a stay on h2, later each time', async () => {
    const { clock, state, overH2 } = start()
    const stays: number[] = []
    for (let i = 0; i < 10; i++) {
      const begun = clock.now()
      state.blocked = false
      while (clock.pendingTimers > 0) await clock.advance(1000)
      stays.push(Math.round((clock.now() - begun) / 1000))
      await clock.advance(MINUTE_MS)
      state.blocked = true
      overH2()
    }
    expect(state.looks.length).to.equal(10)
    expect(stays.slice(0, 6).map(stay => Math.round(stay / 10) * 10)).to.deep.equal([30, 60, 120, 240, 480, 600])
    expect(state.most).to.equal(1)
  })

  it('goes on after a fault in a look, and tells of it', async () => {
    const clock = new FakeClock()
    const errors: unknown[] = []
    let looks = 0
    const fault = new Error('a bug')
    const watch = new CarrierWatch({
      nextPauseMs: () => 1000,
      look: () => {
        looks++
        return Promise.reject(fault)
      },
      onError: error => errors.push(error),
      clock,
    })
    watch.start()
    await clock.advance(3000)
    expect(looks).to.equal(3)
    expect(errors).to.deep.equal([fault, fault, fault])
    watch.stop()
    expect(clock.pendingTimers).to.equal(0)
  })
})
