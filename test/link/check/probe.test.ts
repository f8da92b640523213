import type { Socket } from 'node:dgram'
import { expect } from 'chai'
import { flowRecord } from '../../../src/link/check/flow-record.ts'
import { Mark, type ProbeRun, type ProbeSockets, probe, type Trail } from '../../../src/link/check/probe.ts'
import { bindUdp, LOOPBACK } from '../../../src/net/udp.ts'
import { until } from '../../support/loopback.ts'

describe('link/check/probe', () => {
  const sockets: Socket[] = []
  let ends: ProbeSockets
  const load = { packetsPerSecond: 2000, payloadBytes: 30 }

  beforeEach(async () => {
    for (let i = 0; i < 2; i++) sockets.push(await bindUdp(LOOPBACK))
    const [client, server] = sockets
    ends = { client, server, target: () => ({ ...LOOPBACK, port: server.address().port }), napMs: 0.1 }
  })
  afterEach(() => {
    for (const socket of sockets.splice(0)) socket.close()
  })

  it('learns where the client is, and brings every packet of either direction with its times', async () => {
    const run: ProbeRun = { durationMs: 100, drainMs: 20, loads: { up: load, down: load } }
    const { up, down } = await probe(ends, run)
    for (const trail of [up, down] as Trail[]) {
      expect(trail.sentMs.length).to.be.within(1, 200)
      expect([...trail.sequence]).to.deep.equal([...trail.sentMs.keys()])
      trail.arrivedMs.forEach((ms, i) => void expect(ms).to.be.at.least(trail.sentMs[i]))
      expect(trail.marks.some(mark => mark & Mark.corrupted)).to.equal(false)
      expect(trail.sources.length).to.equal(1)
    }
  })

  it('sends as many packets as are asked for, however late it is, and tells of each before', async () => {
    const numbers: number[] = []
    let arrived = 0
    ends.server.on('message', () => arrived++)
    let drained = false
    const { up, down } = await probe(
      { ...ends, napMs: 1 },
      {
        durationMs: 0,
        drainMs: async () => {
          await until(() => arrived === 150)
          drained = true
        },
        loads: { up: { ...load, packets: 150, whenLate: 'burst' } },
      },
      { onSend: (_, sequence) => numbers.push(sequence) },
    )
    expect(down).to.equal(undefined)
    expect(up?.sequence.length).to.equal(150)
    expect(numbers).to.deep.equal(Array.from({ length: 150 }, (_, i) => i))
    expect(drained).to.equal(true)
  })

  it('tells of each turn, without a gap between them, so that what arrived late is known by the turn it arrived in', async () => {
    const turns: [fromMs: number, toMs: number][] = []
    const run: ProbeRun = { durationMs: 40, drainMs: 20, loads: { up: load } }
    const onSend = (_: unknown, sequence: number): void => {
      if (sequence === 5) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 30)
    }
    const { up } = await probe(ends, run, { onSend, onTurn: (fromMs, toMs) => turns.push([fromMs, toMs]) })
    turns.slice(1).forEach(([fromMs], i) => void expect(fromMs).to.equal(turns[i][1]))
    expect(Math.max(...turns.map(([fromMs, toMs]) => toMs - fromMs))).to.be.at.least(29)
    for (const atMs of (up as Trail).arrivedMs) {
      expect(turns.filter(([fromMs, toMs]) => fromMs <= atMs && atMs <= toMs)).to.have.length.at.least(1)
    }
  })

  it('makes up for nothing when told so: packets go on at their distance', async () => {
    let stood = false
    const onSend = (_: unknown, sequence: number): void => {
      if (sequence !== 20 || stood) return
      stood = true
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 60)
    }
    const up = { ...load, packetsPerSecond: 1000, packets: 60, whenLate: 'later' as const }
    const trails = await probe(ends, { durationMs: 0, drainMs: 20, loads: { up } }, { onSend })
    const { sentMs } = trails.up as Trail
    expect(sentMs[59] - sentMs[0]).to.be.at.least(59 + 60 - 10)
  })

  it('ends with the reason of its signal', async () => {
    const stop = new AbortController()
    const run: ProbeRun = { durationMs: 60_000, drainMs: 20, loads: { up: load } }
    const running = probe(ends, run, { signal: stop.signal })
    stop.abort(new Error('enough'))
    let said: unknown
    await running.catch(error => (said = error.message))
    expect(said).to.equal('enough')
    expect(sockets.map(socket => socket.listenerCount('message'))).to.deep.equal([0, 0])
  })
})

describe('link/check/flow-record', () => {
  it('counts copies, changed contents and what comes behind a later one', () => {
    const trail: Trail = {
      payloadBytes: 30,
      sentMs: Float64Array.from([0, 10, 20, 30]),
      sequence: Uint32Array.from([0, 2, 1, 2, 9]),
      arrivedMs: Float64Array.from([5, 26, 27, 28, 40]),
      marks: Uint8Array.from([0, Mark.corrupted, 0, 0, 0]),
      sources: [],
    }
    const flow = { direction: 'up', packets: 4, spacingMs: 10, payloadBytes: 30 } as const
    expect(flowRecord(flow, trail)).to.deep.equal({
      flow,
      sentMs: trail.sentMs,
      delays: [5, 6, 17],
      sequences: [0, 2, 1],
      arrivalsMs: [5, 26, 27, 28],
      duplicates: 1,
      reordered: 1,
      corrupted: 1,
    })
  })
})
