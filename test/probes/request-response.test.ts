import { expect } from 'chai'
import { Random } from '../../src/link/model/random.ts'
import { encodeSegment } from '../../src/probes/request-packets.ts'
import { REQUEST_PORT, RequestResponder } from '../../src/probes/request-responder.ts'
import { type RequestResponseOptions, runRequestResponse } from '../../src/probes/request-response.ts'
import { SOURCE, TARGET, twoHosts } from './two-hosts.ts'
import { type Direction, PlainDirection } from './virtual-link.ts'

function run(up: Direction, down: Direction, options: Partial<RequestResponseOptions>) {
  const hosts = twoHosts(up, down)
  const responder = new RequestResponder(hosts.library)
  const probe = runRequestResponse({
    host: hosts.client,
    destination: TARGET,
    count: 10,
    responseLength: 20_000,
    random: new Random('token'),
    ...options,
  })
  return { ...hosts, responder, probe }
}

describe('runRequestResponse', () => {
  it('takes one round trip, and the time on the bottleneck', async () => {
    const down = new PlainDirection(10, { bitsPerSecond: 8e6, queueBytes: 1e6 })
    const { clock, probe } = run(new PlainDirection(10), down, {})
    const result = await clock.until(probe)
    expect(result).to.deep.include({ outcome: 'complete', sent: 10, received: 10, lossRatio: 0, retransmissions: 0 })
    // 18 packets of 1156 bytes of data, 20 792 bytes in all with headers, at 1000 bytes a millisecond.
    expect(result.completionMs!.p50).to.be.closeTo(20 + 20.8, 0.2)
    expect(result.firstByteMs!.p50).to.be.closeTo(20 + 1.2, 0.1)
    expect(result.records.map(({ index }) => index)).to.deep.equal([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
  })

  it('asks for long responses 64 packets at a time', async () => {
    const { clock, probe, responder } = run(new PlainDirection(10), new PlainDirection(10), {
      count: 1,
      responseLength: 1156 * 200,
    })
    const result = await clock.until(probe)
    expect(responder.answered).to.equal(4)
    expect(result.completionMs!.p50).to.be.closeTo(80, 0.1)
  })

  it('gets everything in the end, whatever is lost', async () => {
    const random = new Random('loss')
    const lossy = () => new PlainDirection(() => (random.float() < 0.2 ? [] : 10))
    const { clock, probe } = run(lossy(), lossy(), { count: 30 })
    const result = await clock.until(probe)
    expect(result).to.deep.include({ received: 30, badSegments: 0 })
    expect(result.retransmissions).to.be.above(10)
    expect(result.completionMs!.max).to.be.above(200)
  })

  it('asks for empty responses too', async () => {
    const { clock, probe } = run(new PlainDirection(10), new PlainDirection(10), { responseLength: 0, count: 3 })
    const result = await clock.until(probe)
    expect(result.records.map(({ completionMs }) => completionMs)).to.deep.equal([20, 20, 20])
  })

  it('counts from when a request was due, when there is a schedule', async () => {
    // The host cannot send between 1500 and 1700 ms: its turn comes late. (Time begins at 1000.)
    const { clock, probe } = run(new PlainDirection(10), new PlainDirection(10), { intervalMs: 100, responseLength: 0 })
    clock.setTimeout(() => clock.jump(200), 450)
    const result = await clock.until(probe)
    expect(result.clockJumps).to.deep.equal([])
    const late = result.records.find(({ dueMs }) => dueMs === 500)!
    expect(late.sentMs).to.be.closeTo(700, 1)
    expect(late.completionMs).to.be.closeTo(220, 1)
  })

  it('gives up on a response that takes too long, and goes on', async () => {
    const down = new PlainDirection((n: number) => (n >= 18 && n < 200 ? [] : 10))
    const { clock, probe } = run(new PlainDirection(10), down, { count: 3, timeoutMs: 1500 })
    const result = await clock.until(probe)
    expect(result.outcome).to.equal('complete')
    expect(result.sent).to.equal(3)
    expect(result.received).to.be.below(3)
    expect(result.records[1]).to.deep.include({ completionMs: undefined, firstByteMs: undefined })
  })

  it('ends when aborted, when refused, and when its host is closed, with what there is', async () => {
    const controller = new AbortController()
    const one = run(new PlainDirection(10), new PlainDirection(10), { count: 1000, signal: controller.signal })
    one.clock.setTimeout(() => controller.abort(), 210)
    expect(await one.clock.until(one.probe)).to.deep.include({
      outcome: 'aborted',
      sent: 10,
      received: 10,
      lossRatio: 0,
    })

    const two = run(new PlainDirection(10), new PlainDirection(10), { count: 1000 })
    two.responder.close()
    const refused = await two.clock.until(two.probe)
    expect(refused).to.deep.include({ outcome: 'refused', sent: 0, error: 'port unreachable, says 10.0.0.2' })

    const three = run(new PlainDirection(10), new PlainDirection(10), { count: 1000, intervalMs: 50 })
    three.clock.setTimeout(() => three.client.close(), 210)
    expect(await three.clock.until(three.probe)).to.deep.include({ outcome: 'closed', sent: 4, received: 4 })
  })

  it('takes nothing but what it asked for', async () => {
    const { clock, probe, library } = run(new PlainDirection(10), new PlainDirection(10), { count: 50 })
    const request = { id: 0, token: 1, responseLength: 20_000, segmentLength: 1156, first: 0, wanted: [1, 0] as const }
    let port = 0
    const through = library.send
    library.send = packet => {
      port ||= (packet[22] << 8) | packet[23]
      through(packet)
    }
    const attack = () => {
      for (const payload of [encodeSegment(request, 1), new Uint8Array(3), new Uint8Array(2000)]) {
        if (port !== 0)
          library.udp.send({ sourcePort: REQUEST_PORT, destination: SOURCE, destinationPort: port }, payload)
      }
      clock.setTimeout(attack, 5)
    }
    attack()
    const result = await clock.until(probe)
    expect(result.badSegments).to.be.above(100)
    expect(result).to.deep.include({ received: 50, retransmissions: 0 })
    expect(result.completionMs!.min).to.be.closeTo(20, 0.01)
  })

  it('marks what lies across a jump of the clock', async () => {
    const { clock, probe } = run(new PlainDirection(10), new PlainDirection(10), { count: 20 })
    clock.setTimeout(() => clock.jump(2000), 205)
    const result = await clock.until(probe)
    expect(result.clockJumps).to.have.length(1)
    expect(result.suspect).to.be.within(1, 4)
    expect(result.completionMs!.max).to.be.closeTo(20, 0.01)
  })

  it('refuses what cannot be', async () => {
    const { client } = twoHosts()
    const options = { host: client, destination: TARGET, count: 1, responseLength: 100 }
    const refused = (change: object) =>
      runRequestResponse({ ...options, ...change }).then(
        () => 'nothing',
        error => error.message,
      )
    expect(await refused({ count: 0 })).to.include('expected 1 or more')
    expect(await refused({ responseLength: 1e9 })).to.include('expected 0 to 16777216')
    expect(await refused({ packetLength: 50 })).to.include('expected 60 to 65000')
  })
})
