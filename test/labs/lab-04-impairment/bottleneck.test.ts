import { expect } from 'chai'
import { PlainQueue, type Queue, runBottleneck } from '../../../labs/lab-04-impairment/bottleneck.ts'
import { CoDel, play, script } from '../../../labs/lab-04-impairment/codel-model.ts'

const OPTIONS = { targetMs: 5, intervalMs: 100, maxPacketBytes: 1500, limitPackets: 200 }
const LINK = { bitsPerSecond: 4_000_000, packetBytes: 1500, roundTripMs: 40, durationMs: 8000 }

function codel(): Queue {
  const queue = new CoDel(OPTIONS)
  return {
    enqueue: (id, bytes, nowMs) => void queue.enqueue(id, bytes, nowMs),
    dequeue: async nowMs => queue.dequeue(nowMs),
  }
}

describe('labs/lab-04-impairment: the bottleneck', () => {
  it('fills a plain queue and keeps the link busy', async () => {
    const { sojourns, utilisation } = await runBottleneck({ ...LINK, queue: new PlainQueue(200) })
    expect(utilisation).to.be.greaterThan(0.98)
    const late = sojourns.filter(({ atMs }) => atMs > 2000).map(({ ms }) => ms)
    expect(Math.min(...late)).to.be.greaterThan(100)
    // 200 packets of 3 ms each are all that can wait.
    expect(Math.max(...late)).to.be.at.most(600)
  })

  it('with CoDel has little delay and hardly less throughput', async () => {
    const { sojourns, utilisation, dropped } = await runBottleneck({ ...LINK, queue: codel() })
    const late = sojourns.filter(({ atMs }) => atMs > 3000).map(({ ms }) => ms)
    expect(late.sort((a, b) => a - b)[Math.floor(late.length / 2)]).to.be.lessThan(15)
    expect(utilisation).to.be.greaterThan(0.85)
    expect(dropped).to.be.greaterThan(0)
  })

  it('drops the first packet an interval after the delay went above target, and the second interval/√1 later', () => {
    const arrivals = [
      ...Array.from({ length: 40 }, () => ({ atMs: 0.1, bytes: 1500 })),
      ...Array.from({ length: 400 }, (_, i) => ({ atMs: 1 + i * 3, bytes: 1500 })),
    ]
    const operations = script(arrivals, { slotMs: 3.1, untilMs: 900 })
    const results = play(new CoDel(OPTIONS), operations)
    const drops = operations.flatMap((operation, i) => {
      const result = results[i]
      return typeof result === 'object' && result.dropped.length > 0 ? [operation.nowMs] : []
    })
    // Above target at the second packet taken, at 6.2 ms.
    expect(drops[0]).to.be.within(106.2, 109.4)
    expect(drops[1] - drops[0]).to.be.within(100, 103.2)
    expect(drops[2] - drops[1]).to.be.within(100 / Math.SQRT2 - 3.2, 100 / Math.SQRT2 + 3.2)
  })
})
