import { expect } from 'chai'
import { systemClock } from '../../src/hosts/clock.ts'
import { ClockWatch, JUMP_MS } from '../../src/probes/clock-watch.ts'
import { VirtualClock } from './virtual-link.ts'

const pause = (clock: VirtualClock, ms: number) =>
  clock.until(new Promise<void>(resolve => void clock.setTimeout(resolve, ms)))

describe('ClockWatch', () => {
  it('sees nothing in a clock that goes as it should, or a little late', async () => {
    const clock = new VirtualClock()
    const watch = new ClockWatch(clock)
    await pause(clock, 500)
    clock.jump(JUMP_MS - 1)
    await pause(clock, 500)
    watch.stop()
    expect(watch.jumps).to.deep.equal([])
    expect(watch.shiftMs).to.equal(0)
  })

  it('sees a clock that jumps ahead, and which measurements lie across', async () => {
    const clock = new VirtualClock()
    const watch = new ClockWatch(clock)
    await pause(clock, 500)
    const before = clock.now()
    clock.jump(3000)
    await pause(clock, 500)
    watch.stop()
    expect(watch.jumps).to.have.length(1)
    expect(watch.jumps[0].gapMs).to.be.within(2900, 3000)
    expect(watch.isSuspect(before - 100, before - 60)).to.equal(false)
    expect(watch.isSuspect(before - 10, before + 3010)).to.equal(true)
    expect(watch.isSuspect(before + 1000, before + 1010)).to.equal(true)
    expect(watch.isSuspect(before + 3100, before + 3110)).to.equal(false)
  })

  it('sees a clock that goes back', async () => {
    const clock = new VirtualClock()
    const watch = new ClockWatch(clock)
    await pause(clock, 500)
    clock.jump(-200)
    watch.look()
    watch.stop()
    expect(watch.jumps).to.have.length(1)
    // Up to 50 ms have passed since the last look, and hide as much of the step.
    expect(watch.jumps[0].gapMs).to.be.within(-200, -150)
    expect(watch.shiftMs).to.equal(watch.jumps[0].gapMs)
  })

  it('looks once more when it ends', () => {
    const clock = new VirtualClock()
    const watch = new ClockWatch(clock)
    clock.jump(1000)
    watch.stop()
    expect(watch.jumps).to.have.length(1)
  })
})

describe('systemClock', () => {
  it('is the monotonic clock that all processes of the machine share', () => {
    const before = systemClock.now()
    const [seconds, nanoseconds] = process.hrtime()
    const after = systemClock.now()
    expect(seconds * 1000 + nanoseconds / 1e6).to.be.within(before - 1, after + 1)
  })
})
