import { expect } from 'chai'
import { CODEL_INTERVAL_MS, CODEL_TARGET_MS, Codel, controlLaw } from '../../src/queue/codel.ts'

const PACKET = new Uint8Array(1000)

/** A queue that gets `inPerMs` packets of 1000 bytes a ms and gives one a ms, for so long; when it dropped some because of their delay, in ms. */
function dropTimes({ inPerMs, ms }: { inPerMs: (now: number) => number; ms: number }): number[] {
  const times: number[] = []
  let now = 0
  const codel = new Codel({
    limits: { packets: 100_000, bytes: 1e9 },
    onDrop: reason => reason === 'queue-delay' && times.push(now),
  })
  for (; now < ms; now++) {
    for (let i = 0; i < inPerMs(now); i++) codel.enqueue(PACKET, now)
    codel.dequeue(now)
  }
  return times
}

describe('CoDel', () => {
  it('has the target and the interval of RFC 8289 §4.3 and §4.4', () => {
    expect([CODEL_TARGET_MS, CODEL_INTERVAL_MS]).to.deep.equal([5, 100])
  })

  it('drops at intervals of 100 ms / √count: 100, 70.7, 57.7, 50 ms (RFC 8289 §5.5)', () => {
    const steps = [1, 2, 3, 4].map(count => controlLaw(1000, count) - 1000)
    expect(steps.map(step => step.toFixed(1))).to.deep.equal(['100.0', '70.7', '57.7', '50.0'])
  })

  it('leaves a queue alone whose packets wait for less than the target', () => {
    const codel = new Codel({ onDrop: () => expect.fail('nothing is to be dropped') })
    for (let now = 0; now < 1000; now += 1) {
      codel.enqueue(PACKET, now)
      if (now >= 4) expect(codel.dequeue(now)).to.have.length(1000)
    }
  })

  it('leaves a burst alone that has drained within an interval', () => {
    expect(dropTimes({ inPerMs: now => (now === 0 ? 100 : 0), ms: 300 })).to.deep.equal([])
  })

  it('begins to drop an interval after the delay has come above the target, then ever sooner', () => {
    const times = dropTimes({ inPerMs: () => 2, ms: 700 })
    // The packet that leaves at n ms came at n / 2, since two come for each that leaves: that of 9 ms has waited 5, and is the first above the target.
    expect(times[0]).to.equal(9 + CODEL_INTERVAL_MS)
    const expected = [times[0]]
    for (let count = 1, at = times[0]; count < times.length; count++) {
      at = controlLaw(at, count)
      expected.push(Math.ceil(at))
    }
    expect(times.slice(0, 8)).to.deep.equal(expected.slice(0, 8))
  })

  it('does not drop the last packets that wait, however old they are', () => {
    const codel = new Codel({ onDrop: () => expect.fail('nothing is to be dropped') })
    for (let now = 0; now < 2000; now += 100) {
      codel.enqueue(PACKET, now)
      codel.enqueue(PACKET, now)
      expect(codel.dequeue(now + 90)).to.have.length(1000)
      expect(codel.dequeue(now + 90)).to.have.length(1000)
    }
  })

  it('goes on nearly where it was when the queue is long again soon after dropping has ended', () => {
    const busy = { inPerMs: (now: number) => (now < 600 ? 2 : 0) }
    const first = dropTimes({ ...busy, ms: 600 }).length
    // It drains for a while, then is too long again: the second time it does not begin with 100 ms, 70 ms and so on.
    const times = dropTimes({ inPerMs: now => (now < 600 || now > 1250 ? 2 : 0), ms: 1600 }).slice(first)
    const again = times.filter(time => time > 1250)
    expect(again[1] - again[0]).to.be.lessThan(50)
  })

  it('drops and counts what comes when it is full, in packets or in bytes', () => {
    for (const limits of [
      { packets: 10, bytes: 1e9 },
      { packets: 1e9, bytes: 10_500 },
    ]) {
      const dropped: string[] = []
      const codel = new Codel({ limits, onDrop: reason => dropped.push(reason) })
      for (let i = 0; i < 12; i++) codel.enqueue(Uint8Array.of(i, ...PACKET.subarray(1)), 0)
      expect(dropped).to.deep.equal(['queue-full', 'queue-full'])
      expect([codel.packets, codel.bytes]).to.deep.equal([10, 10_000])
      expect(codel.dequeue(0)?.[0]).to.equal(0)
    }
  })

  it('keeps a copy of what it is given', () => {
    const codel = new Codel()
    const packet = Uint8Array.of(1, 2, 3)
    codel.enqueue(packet, 0)
    packet.fill(9)
    expect(codel.dequeue(0)).to.deep.equal(Uint8Array.of(1, 2, 3))
  })
})
