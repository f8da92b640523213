import { expect } from 'chai'
import { PingError, type PingOptions, type PingResult } from '../../src/hosts/userspace/pinger.ts'
import { UserspaceHost } from '../../src/hosts/userspace/userspace-host.ts'
import { IpAddress } from '../../src/ip/address.ts'
import { type PingSource, pingTrain } from '../../src/probes/ping-train.ts'
import { FakeClock } from '../hosts/fake-clock.ts'
import { twoHosts } from './two-hosts.ts'
import { PlainDirection } from './virtual-link.ts'

const TARGET = IpAddress.parse('10.0.0.2')

/** What becomes of the echo requests, in turn: the reply's delay in ms (two: a duplicate), or how they fail. */
type Fate = number | [number, number] | PingError['kind']

function network(...fates: Fate[]) {
  const clock = new FakeClock()
  const sentAt: number[] = []
  const optionsSeen: PingOptions[] = []
  const host: PingSource = {
    clock,
    ping(target, options = {}) {
      const fate = fates[sentAt.length]
      sentAt.push(clock.now() - 1000)
      optionsSeen.push(options)
      return new Promise<PingResult>((resolve, reject) => {
        if (typeof fate === 'string') {
          clock.setTimeout(() => reject(new PingError(fate, target, 'fails')), options.timeoutMs ?? 1000)
          return
        }
        const [rttMs, duplicateMs] = typeof fate === 'number' ? [fate] : fate
        clock.setTimeout(() => resolve({ from: target, rttMs, hopCount: 63, bytes: 56 }), rttMs)
        if (duplicateMs !== undefined) clock.setTimeout(() => options.onDuplicate?.(), duplicateMs)
      })
    },
  }
  return { host, clock, sentAt, optionsSeen }
}

describe('pingTrain', () => {
  it('sends one request every interval, whether or not the previous ones were answered', async () => {
    const { host, clock, sentAt } = network(5, 350, 'timeout', 5)
    const train = pingTrain(host, TARGET, { count: 4, intervalMs: 100 })
    await clock.advance(5000)
    await train
    expect(sentAt).to.deep.equal([0, 100, 200, 300])
  })

  it('sums up what came back', async () => {
    const { host, clock } = network(10, 26, 'timeout', 10, 10)
    const train = pingTrain(host, TARGET, { count: 5, intervalMs: 100 })
    await clock.advance(5000)
    const result = await train
    expect(result).to.deep.include({ sent: 5, received: 4, lossRatio: 0.2, duplicates: 0, reordered: 0 })
    expect(result.rttMs).to.deep.include({ min: 10, p50: 10, p95: 26, p99: 26, max: 26, mean: 14 })
    expect(result.jitterMs).to.be.closeTo((1 + 15 / 16) * (15 / 16), 1e-12)
    expect(result.hopCounts).to.deep.equal([63])
    expect(result.failures).to.deep.equal({ timeout: 1 })
    expect(result.firstError).to.equal(undefined)
  })

  it('counts duplicates, also that of the last reply', async () => {
    const { host, clock } = network([10, 11], 10, [10, 90])
    const train = pingTrain(host, TARGET, { count: 3, intervalMs: 100 })
    await clock.advance(5000)
    expect(await train).to.deep.include({ received: 3, duplicates: 2, reordered: 0 })
  })

  it('counts a reply that comes after the reply to a later request as reordered', async () => {
    const { host, clock } = network(10, 350, 20, 10)
    const train = pingTrain(host, TARGET, { count: 4, intervalMs: 100 })
    await clock.advance(5000)
    expect(await train).to.deep.include({ received: 4, reordered: 1 })
  })

  it('has no round-trip times when nothing came back, and says what was wrong', async () => {
    const { host, clock } = network('timeout', 'icmp', 'icmp')
    const train = pingTrain(host, TARGET, { count: 3, intervalMs: 10 })
    await clock.advance(5000)
    const result = await train
    expect(result).to.deep.include({ received: 0, lossRatio: 1, rttMs: undefined, jitterMs: 0 })
    expect(result.failures).to.deep.equal({ timeout: 1, icmp: 2 })
    expect(result.firstError?.kind).to.equal('icmp')
  })

  it('sends all at once when the interval is 0', async () => {
    const { host, clock, sentAt } = network(3, 2, 1)
    const train = pingTrain(host, TARGET, { count: 3, intervalMs: 0 })
    await clock.advance(3)
    expect(await train).to.deep.include({ received: 3, reordered: 2 })
    expect(sentAt).to.deep.equal([0, 0, 0])
    expect(clock.pendingTimers).to.equal(0)
  })

  it('passes size, timeout and hop count on', async () => {
    const { host, clock, optionsSeen } = network(1)
    const train = pingTrain(host, TARGET, { count: 1, size: 8, timeoutMs: 7, hopCount: 6 })
    await clock.advance(5000)
    await train
    expect(optionsSeen[0]).to.deep.include({ size: 8, timeoutMs: 7, hopCount: 6 })
  })

  it('reports progress as requests end', async () => {
    const { host, clock } = network(150, 10, 'closed')
    const ended: string[] = []
    const train = pingTrain(host, TARGET, {
      count: 3,
      intervalMs: 100,
      onProgress: (sequence, outcome) => {
        ended.push(outcome instanceof PingError ? `${sequence} ${outcome.kind}` : `${sequence} ${outcome.rttMs} ms`)
      },
    })
    await clock.advance(5000)
    await train
    expect(ended).to.deep.equal(['1 10 ms', '0 150 ms', '2 closed'])
  })

  it('fails with an error of onProgress, and only then', async () => {
    const { host, clock } = network(1, 1)
    const train = pingTrain(host, TARGET, {
      count: 2,
      onProgress: () => {
        throw new Error('display gone')
      },
    })
    const message = train.then(
      () => 'no error',
      error => error.message,
    )
    await clock.advance(5000)
    expect(await message).to.equal('display gone')
  })

  it('refuses a count that makes no sense', async () => {
    const { host } = network()
    for (const count of [0, -1, 1.5]) {
      const message = await pingTrain(host, TARGET, { count }).catch(error => error.message)
      expect(message).to.include('expected 1 or more')
    }
  })

  it('runs over a real host', async () => {
    const clock = new FakeClock()
    const a = new UserspaceHost({ addresses: [IpAddress.parse('10.0.0.1')], clock })
    const b = new UserspaceHost({ addresses: [TARGET], clock })
    let passed = 0
    a.send = packet => {
      const copy = Uint8Array.from(packet)
      // Every third request is lost; the others take 4 ms.
      if (++passed % 3 !== 0) clock.setTimeout(() => b.receive(copy), 4)
    }
    b.send = packet => a.receive(packet)
    const train = pingTrain(a, TARGET, { count: 9, intervalMs: 10, timeoutMs: 50 })
    await clock.advance(1000)
    const result = await train
    expect(result).to.deep.include({ sent: 9, received: 6, lossRatio: 3 / 9, duplicates: 0, reordered: 0 })
    expect(result.rttMs).to.deep.include({ min: 4, max: 4 })
    expect(clock.pendingTimers).to.equal(0)
  })

  it('keeps a record of each request', async () => {
    const { host, clock } = network(10, 'timeout')
    const train = pingTrain(host, TARGET, { count: 2, intervalMs: 100 })
    await clock.advance(5000)
    const { records, outcome } = await train
    expect(outcome).to.equal('complete')
    expect(records).to.deep.equal([
      { sequence: 0, sentMs: 0, lateMs: 0, rttMs: 10, failure: undefined, suspect: false },
      { sequence: 1, sentMs: 100, lateMs: 0, rttMs: undefined, failure: 'timeout', suspect: false },
    ])
  })

  it('has an interval for the loss ratio', async () => {
    const { host, clock } = network(...Array.from({ length: 50 }, (_, i): Fate => (i % 10 === 0 ? 'timeout' : 5)))
    const train = pingTrain(host, TARGET, { count: 50, intervalMs: 10 })
    await clock.advance(5000)
    const { lossRatio, lossInterval } = await train
    expect(lossRatio).to.equal(0.1)
    expect(lossInterval.low).to.be.closeTo(0.0435, 1e-4)
    expect(lossInterval.high).to.be.closeTo(0.2136, 1e-4)
  })

  it('ends when aborted, with what there is, and does not count what is under way', async () => {
    const { host, clock } = network(10, 10, 10, 300, 10, 10)
    const controller = new AbortController()
    const train = pingTrain(host, TARGET, { count: 6, intervalMs: 100, signal: controller.signal })
    clock.setTimeout(() => controller.abort(), 350)
    await clock.advance(350)
    const result = await train
    expect(result).to.deep.include({ outcome: 'aborted', sent: 3, received: 3, lossRatio: 0 })
    expect(result.durationMs).to.equal(350)
  })

  it('sends nothing when it is aborted before it begins', async () => {
    const { host, sentAt } = network(10)
    const result = await pingTrain(host, TARGET, { signal: AbortSignal.abort() })
    expect(result).to.deep.include({ outcome: 'aborted', sent: 0, received: 0, lossRatio: 0 })
    expect(sentAt).to.deep.equal([])
  })

  it('ends when the peer was silent for too long, with what there is', async () => {
    const { clock, client } = twoHosts(new PlainDirection((n: number) => (n < 5 ? 10 : [])))
    const train = pingTrain(client, TARGET, { count: 1000, intervalMs: 100, timeoutMs: 500, giveUpAfterMs: 2000 })
    const result = await clock.until(train)
    expect(result).to.deep.include({ outcome: 'silent', received: 5 })
    expect(result.durationMs).to.be.within(2000, 2700)
    expect(result.rttMs).to.deep.include({ count: 5 })
  })

  it('ends when the host is closed', async () => {
    const { clock, client } = twoHosts()
    clock.setTimeout(() => client.close(), 250)
    const result = await clock.until(pingTrain(client, TARGET, { count: 100, intervalMs: 100 }))
    expect(result).to.deep.include({ outcome: 'closed', received: 3 })
  })

  it('marks what lies across a jump of the clock, uses it in no statistic, and moves its schedule', async () => {
    for (const jumpMs of [5000, -300]) {
      const { clock, client } = twoHosts()
      clock.setTimeout(() => clock.jump(jumpMs), 1005)
      const train = pingTrain(client, TARGET, { count: 40, intervalMs: 50, timeoutMs: 1000 })
      const result = await clock.until(train)
      expect(result.outcome).to.equal('complete')
      expect(result.sent).to.equal(40)
      expect(result.clockJumps).to.have.length(1)
      expect(result.suspect).to.be.within(1, 15)
      expect(result.records.filter(({ suspect }) => suspect)).to.have.length(result.suspect)
      expect(result.rttMs!.min).to.be.closeTo(20, 0.01)
      expect(result.rttMs!.max).to.be.closeTo(20, 0.01)
      expect(result.lossRatio).to.equal(0)
      // No burst: requests after the jump are still about an interval apart.
      const sent = result.records.filter(({ suspect }) => !suspect).map(({ sentMs }) => sentMs)
      const closest = Math.min(...sent.slice(1).map((ms, i) => Math.abs(ms - sent[i])))
      expect(closest).to.be.above(20)
    }
  })
})
