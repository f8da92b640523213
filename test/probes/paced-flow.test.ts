import { expect } from 'chai'
import type { FlowSummary } from '../../src/hosts/userspace/flow.ts'
import type { UserspaceHost } from '../../src/hosts/userspace/userspace-host.ts'
import { IpAddress } from '../../src/ip/address.ts'
import { runPacedFlow } from '../../src/probes/paced-flow.ts'
import { TARGET, twoHosts } from './two-hosts.ts'
import { PlainDirection } from './virtual-link.ts'

const sinkOf = (library: UserspaceHost) => (sent?: number) => Promise.resolve(library.flowSink(7)!.summary(sent))
const flow = { destination: TARGET, packetLength: 1000, packetsPerSecond: 500, durationMs: 2000, flowId: 7 }

describe('runPacedFlow', () => {
  it('sends at the rate it says, and reports what the sink saw', async () => {
    const { clock, client, library } = twoHosts(new PlainDirection((n: number) => (n % 10 === 9 ? [] : 25)))
    const result = await clock.until(runPacedFlow({ ...flow, host: client, fetchSink: sinkOf(library) }))
    expect(result).to.deep.include({ outcome: 'complete', sent: 1000, received: 900, lossRatio: 0.1, suspect: 0 })
    expect(result.lossInterval.low).to.be.within(0.08, 0.1)
    expect(result.oneWayDelayMs!.p50).to.be.closeTo(25, 0.5)
    expect(result.oneWayDelayMs!.max).to.be.closeTo(25, 0.001)
    expect(result.jitterMs).to.be.closeTo(0, 0.001)
    expect(result.offeredBitsPerSecond).to.be.closeTo(500 * 972 * 8, 500 * 8)
    expect(result.goodputBitsPerSecond).to.be.closeTo(450 * 972 * 8, 5000 * 8)
    expect(result.lateMs!.max).to.be.below(0.001)
  })

  it('counts losses at the very end too', async () => {
    const { clock, client, library } = twoHosts(new PlainDirection((n: number) => (n < 990 ? 1 : [])))
    const result = await clock.until(runPacedFlow({ ...flow, host: client, fetchSink: sinkOf(library) }))
    expect(result).to.deep.include({ sent: 1000, received: 990, lossRatio: 0.01 })
  })

  it('runs over IPv6', async () => {
    const { clock, client, library } = twoHosts()
    const destination = IpAddress.parse('fd00::2')
    const result = await clock.until(runPacedFlow({ ...flow, destination, host: client, fetchSink: sinkOf(library) }))
    expect(result).to.deep.include({ sent: 1000, received: 1000 })
  })

  it('ends when aborted, and does not count what is under way as lost', async () => {
    const { clock, client, library } = twoHosts(new PlainDirection(200))
    const controller = new AbortController()
    clock.setTimeout(() => controller.abort(), 1000)
    const { signal } = controller
    const result = await clock.until(runPacedFlow({ ...flow, host: client, signal, fetchSink: sinkOf(library) }))
    expect(result).to.deep.include({ outcome: 'aborted', lossRatio: 0 })
    expect(result.received).to.be.within(398, 402)
    expect(result.durationMs).to.be.within(999, 1001)
  })

  it('keeps what it knows when the sink cannot be asked', async () => {
    const { clock, client } = twoHosts()
    const fetchSink = () => Promise.reject(new Error('server process ended'))
    const result = await clock.until(runPacedFlow({ ...flow, host: client, fetchSink }))
    expect(result).to.deep.include({ outcome: 'silent', sent: 1000, received: 0, sink: undefined })
    expect(result.lossInterval).to.deep.equal({ low: 0, high: 1 })
    expect(result.sinkError).to.equal('the sink at 10.0.0.2 could not be asked: server process ended')
  })

  it('does not wait for ever for the sink', async () => {
    const { clock, client } = twoHosts()
    const result = await clock.until(runPacedFlow({ ...flow, host: client, fetchSink: () => new Promise(() => {}) }))
    expect(result).to.deep.include({ outcome: 'silent', sent: 1000 })
    expect(result.sinkError).to.include('no answer within 10000 ms')
  })

  it('does not make up for a jump of the clock with a burst', async () => {
    const arrivals: number[] = []
    const { clock, client, library } = twoHosts(
      new PlainDirection((_, nowMs) => {
        arrivals.push(nowMs)
        return 1
      }),
    )
    clock.setTimeout(() => clock.jump(3000), 1000)
    const result = await clock.until(runPacedFlow({ ...flow, host: client, fetchSink: sinkOf(library) }))
    expect(result.sent).to.equal(1000)
    expect(result.clockJumps).to.have.length(1)
    expect(result.suspect).to.equal(1000)
    const within = (from: number, to: number) => arrivals.filter(ms => ms >= from && ms < to).length
    const busiest = Math.max(...arrivals.map(ms => within(ms, ms + 100)))
    // 50 are due in 100 ms; the watch ticks every 50 ms, which makes up to 25 more.
    expect(busiest).to.be.at.most(80)
  })

  it('shows progress about ten times a second', async () => {
    const { clock, client, library } = twoHosts()
    const progress: number[] = []
    const onProgress = ({ sent }: { sent: number }) => progress.push(sent)
    await clock.until(runPacedFlow({ ...flow, host: client, onProgress, fetchSink: sinkOf(library) }))
    expect(progress.length).to.be.within(17, 21)
    expect(progress).to.deep.equal([...progress].sort((a, b) => a - b))
  })

  it('refuses what cannot be', async () => {
    const { client } = twoHosts()
    const fetchSink = (): Promise<FlowSummary> => Promise.reject(new Error())
    const refused = async (change: object): Promise<string> =>
      runPacedFlow({ ...flow, host: client, fetchSink, ...change }).then(
        () => 'nothing',
        error => error.message,
      )
    expect(await refused({ packetsPerSecond: 0 })).to.include('expected more than 0')
    expect(await refused({ durationMs: Number.NaN })).to.include('expected more than 0')
    expect(await refused({ packetLength: 10 })).to.include('expected 52 to 65535')
    client.configure({ addresses: [] })
    expect(await refused({})).to.include('the host has no address')
  })
})
