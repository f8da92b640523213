import { expect } from 'chai'
import { PreciseTimer } from '../../../src/link/emulator/precise-timer.ts'

describe('the timer for packets', () => {
  it('calls once for each deadline, in order and never early', async () => {
    const waits = [3, 0.1, 0.2, 25, 0, 1.5, 0.01]
    const called: { due: number; now: number }[] = []
    let due = 0
    await new Promise<void>((resolve, reject) => {
      PreciseTimer.start(now => {
        called.push({ due, now })
        const wait = waits[called.length]
        if (wait === undefined) return resolve()
        due = now + wait
        timer?.set(due)
      }).then(started => {
        timer = started
        due = performance.now() + waits[0]
        timer.set(due)
      }, reject)
      let timer: PreciseTimer | undefined
      after(() => timer?.close())
    })
    expect(called).to.have.length(waits.length)
    for (const call of called) expect(call.now).to.be.at.least(call.due)
  })

  it('takes an earlier deadline in place of a later one, and calls no more after close', async () => {
    let calls = 0
    let called = (): void => {}
    const first = new Promise<void>(resolve => {
      called = resolve
    })
    const timer = await PreciseTimer.start(() => {
      calls++
      called()
    })
    timer.set(performance.now() + 3_600_000)
    timer.set(performance.now() + 1)
    await first
    timer.set(performance.now() + 0.5)
    await timer.close()
    expect(calls).to.equal(1)
  })
})
