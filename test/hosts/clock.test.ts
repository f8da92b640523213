import { expect } from 'chai'
import { systemClock } from '../../src/hosts/clock.ts'

describe('the clock of the system', () => {
  it('is that of all processes of the machine, to some microseconds', () => {
    for (let i = 0; i < 100; i++) {
      const before = systemClock.now()
      const [seconds, nanoseconds] = process.hrtime()
      const after = systemClock.now()
      expect(seconds * 1000 + nanoseconds / 1e6).to.be.within(before - 0.02, after + 0.02)
    }
  })
})
