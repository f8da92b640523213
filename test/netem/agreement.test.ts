import { expect } from 'chai'
import { type CaseRun, casesOf } from '../../netem/agreement/cases.ts'
import { compare } from '../../netem/agreement/compare.ts'
import { figures, lengthCounts, overloadFigures } from '../../netem/agreement/figures.ts'
import type { Disturbance, Measurement, Plan, RunResult } from '../../netem/agreement/measurement.ts'
import type { CompareOptions } from '../../netem/agreement/noise.ts'
import { timelineEvents } from '../../netem/agreement/timeline-events.ts'
import type { Row } from '../../netem/agreement/verdict.ts'
import { type Load, Mark, type Trail } from '../../src/link/check/probe.ts'
import { LinkDirection } from '../../src/link/model/link-direction.ts'
import { loadProfile } from '../../src/link/profile/load-profile.ts'
import { DIRECTIONS, type Direction, type Impairment, type Profile } from '../../src/link/profile/profile.ts'

/** As in test:netem: of each single comparison. */
const FALSE_ALARM = 1e-7
const QUIET = { ownMs: { up: 0, down: 0 }, spreadMs: 0.2, lateMs: 0.2 }
const OPTIONS: CompareOptions = { falseAlarm: FALSE_ALARM, kernelNoise: QUIET, emulatorNoise: QUIET }

/** A machine that nobody else uses. */
const NOTHING: Disturbance = {
  turns: new Float64Array(),
  oneProcessor: false,
  machineLosses: 0,
  lateMs: 0,
  lateShare: 0,
  stalledMs: 0,
}

/** What happened to the emulator's side of a comparison beside the link. */
interface Circumstances {
  /** On both sides. */
  both?: Partial<Impairment>
  /** When a packet was really sent. */
  late?: (atMs: number) => number
  spoil?: (trail: Trail) => Trail
  disturbance?: Partial<Disturbance>
}

/** A run through the model of the link, in virtual time, as the probe would have recorded it. */
function trailOf(
  impairment: Impairment,
  load: Load,
  durationMs: number,
  seed: string,
  late: (atMs: number) => number,
): Trail {
  const link = new LinkDirection(impairment, { seed, purpose: 'test' })
  const count = Math.floor((load.packetsPerSecond * durationMs) / 1000)
  const sentMs = Float64Array.from({ length: count }, (_, i) => late((i * 1000) / load.packetsPerSecond))
  const sequence: number[] = []
  const arrivedMs: number[] = []
  const marks: number[] = []
  const deliver = (payload: Uint8Array, tag: number, dueMs: number) => {
    sequence.push(tag)
    arrivedMs.push(dueMs)
    marks.push(payload.some(byte => byte !== 0) ? Mark.corrupted : 0)
  }
  sentMs.forEach((atMs, i) => {
    link.release(atMs, deliver)
    link.enqueue(new Uint8Array(load.payloadBytes), i, atMs)
  })
  link.release(Number.MAX_SAFE_INTEGER, deliver)
  return {
    payloadBytes: load.payloadBytes,
    sentMs,
    sequence: Uint32Array.from(sequence),
    arrivedMs: Float64Array.from(arrivedMs),
    marks: Uint8Array.from(marks),
    sources: [{ atMs: 0, address: 'client:1' }],
  }
}

function simulated(
  link: Profile,
  run: CaseRun,
  seed: string,
  { late, spoil, disturbance }: Circumstances = {},
): RunResult {
  const trails: RunResult['trails'] = {}
  const corrupted: RunResult['corrupted'] = {}
  for (const direction of DIRECTIONS) {
    const load = run.loads[direction]
    if (load === undefined) continue
    const trail = trailOf(link[direction], load, run.durationMs, `${seed} ${direction}`, late ?? (atMs => atMs))
    trails[direction] = spoil?.(trail) ?? trail
    corrupted[direction] = trail.marks.filter(mark => mark & Mark.corrupted).length
  }
  return { trails, corrupted, disturbance: { ...NOTHING, ...disturbance } }
}

/** The base state of a profile, through the model twice; the second time with something changed. */
function rowsOf(
  name: string,
  change: (impairment: Impairment) => Partial<Impairment> = () => ({}),
  circumstances?: Circumstances,
): Row[] {
  const [{ link, ...rest }] = casesOf(name)
  const both = circumstances?.both
  const one = { ...rest, link: { ...link, up: { ...link.up, ...both }, down: { ...link.down, ...both } } }
  const plan: Plan = { cases: [one], timelines: [] }
  const changed = {
    ...one.link,
    up: { ...one.link.up, ...change(one.link.up) },
    down: { ...one.link.down, ...change(one.link.down) },
  }
  const measurement = (backend: Measurement['backend'], link: Profile, around?: Circumstances): Measurement => ({
    backend,
    cases: [one.runs.map(run => simulated(link, run, backend, around))],
    timelines: [],
    notes: [],
  })
  return compare(plan, measurement('kernel', one.link), measurement('emulator', changed, circumstances), OPTIONS)
}

const differing = (rows: Row[]) => [
  ...new Set(rows.filter(({ verdict }) => verdict === 'differ').map(({ property }) => property)),
]

describe('agreement of the backends', () => {
  // The seeds are fixed, so these either always pass or never do.
  for (const name of ['clean', 'jittery', 'lte', 'loss-5', 'bursty', 'bufferbloat', 'lte-weak']) {
    it(`finds that the model agrees with itself: ${name}`, () => {
      const rows = rowsOf(name)
      expect(rows.filter(({ verdict }) => verdict !== 'agree')).to.deep.equal([])
      expect(rows.length).to.be.at.least(8)
    })
  }

  it('finds twice the loss', () => {
    expect(differing(rowsOf('loss-2', () => ({ loss: { model: 'random', rate: 0.04, correlation: 0 } })))).to.include(
      'loss',
    )
  })

  it('finds losses of the same rate that do not come in bursts', () => {
    const random = () => ({ loss: { model: 'random', rate: 0.02, correlation: 0 } as const })
    expect(differing(rowsOf('bursty', random))).to.include('bursts')
  })

  it('finds a delay that is 3 ms longer', () => {
    expect(differing(rowsOf('clean', ({ delayMs }) => ({ delayMs: delayMs + 3 })))).to.include.members([
      'delay',
      'shape',
    ])
  })

  it('finds a jitter of another shape or another size', () => {
    expect(differing(rowsOf('jittery', () => ({ distribution: 'uniform' })))).to.include('shape')
    expect(differing(rowsOf('jittery', ({ jitterMs }) => ({ jitterMs: jitterMs * 1.5 })))).to.include('jitter')
  })

  it('finds jitter that keeps the order where it should not', () => {
    expect(differing(rowsOf('jittery', () => ({ keepOrder: true })))).to.include('reordering')
  })

  it('finds a bottleneck that is 5 % faster, and a queue that is 20 % longer', () => {
    const faster = ({ rate }: Impairment) => ({ rate: rate && { ...rate, bitsPerSecond: rate.bitsPerSecond * 1.05 } })
    const longer = ({ rate }: Impairment) => ({
      rate: rate && { ...rate, limit: { bytes: 'bytes' in rate.limit ? rate.limit.bytes * 1.2 : 0 } },
    })
    expect(differing(rowsOf('bufferbloat', faster))).to.include('rate')
    expect(differing(rowsOf('bufferbloat', longer))).to.include('queue')
  })

  it('finds duplicates and corrupted packets that should not be there', () => {
    const chance = { rate: 0.01, correlation: 0 }
    expect(differing(rowsOf('clean', () => ({ duplicate: chance })))).to.deep.equal(['duplicates'])
    expect(differing(rowsOf('clean', () => ({ corrupt: chance })))).to.include('corruption')
  })
})

/** The verdicts on one property. */
const verdicts = (rows: Row[], property: string, direction: Direction = 'up') => [
  ...new Set(
    rows.filter(row => row.property === property && row.direction === direction).map(({ verdict }) => verdict),
  ),
]
const unchanged = () => ({})

describe('a disturbance that was measured', () => {
  const without = (from: number, packets: number) => (trail: Trail) =>
    keep(trail, one => one < from || one >= from + packets)

  it('may be what a hole in the arrivals comes from, if the machine lost as many; and not if it lost fewer', () => {
    const lost = (machineLosses: number | undefined) =>
      rowsOf('clean', unchanged, { spoil: without(1000, 80), disturbance: { machineLosses } })
    expect(verdicts(lost(0), 'loss')).to.deep.equal(['differ'])
    expect(verdicts(lost(5), 'loss')).to.deep.equal(['differ'])
    expect(verdicts(lost(160), 'loss')).to.deep.equal(['not measured'])
    expect(lost(160).find(({ property }) => property === 'loss')?.bound).to.include('160 lost by the machine')
    expect(verdicts(lost(undefined), 'loss')).to.deep.equal(['not measured'])
  })

  it('of the emulator makes bursts of what it was sent, which a queue may drop, where there is one', () => {
    const lost = (name: string, stalledMs: number) =>
      verdicts(rowsOf(name, unchanged, { spoil: without(1000, 80), disturbance: { stalledMs } }), 'loss')
    expect(lost('metro', 0)).to.deep.equal(['differ'])
    expect(lost('metro', 10)).to.deep.equal(['differ'])
    expect(lost('metro', 80)).to.deep.equal(['not measured'])
    expect(lost('clean', 80)).to.deep.equal(['differ'])
  })

  it('is not where losses come from that the other side does not have', () => {
    const kernelHas = rowsOf('clean', () => ({ loss: { model: 'random', rate: 0.05, correlation: 0 } }), {
      disturbance: { machineLosses: 30 },
    })
    expect(verdicts(kernelHas, 'loss')).to.deep.equal(['differ'])
  })

  it('may be what makes bursts of losses longer, or more', () => {
    const holes = (trail: Trail) => keep(trail, one => one % 100 >= 30)
    const lost = (machineLosses: number) =>
      rowsOf('bursty', unchanged, { spoil: holes, disturbance: { machineLosses } })
    expect(verdicts(lost(0), 'burst length')).to.deep.equal(['differ'])
    expect(verdicts(lost(3000), 'burst length')).to.deep.equal(['not measured'])
    const single = (trail: Trail) => keep(trail, one => one % 20 !== 0)
    const more = (machineLosses: number) =>
      rowsOf('bursty', unchanged, { spoil: single, disturbance: { machineLosses } })
    expect(verdicts(more(0), 'bursts')).to.deep.equal(['differ'])
    expect(verdicts(more(2000), 'bursts')).to.deep.equal(['not measured'])
  })

  /** Of packets at even distances hardly one overtakes another; of those that are sent together every second one does. */
  const both = { delayMs: 5, jitterMs: 0.6 }

  it('of the sender changes who overtakes whom, but not as much as a link that keeps the order', () => {
    const late = (atMs: number) => Math.ceil(atMs / 25) * 25
    expect(verdicts(rowsOf('jittery', unchanged, { both, late }), 'reordering')).to.deep.equal(['not measured'])
    const seldom = (atMs: number) => (atMs % 1000 < 50 ? late(atMs) : atMs)
    const kept = rowsOf('jittery', () => ({ keepOrder: true }), { both, late: seldom })
    expect(verdicts(kept, 'reordering')).to.deep.equal(['differ'])
  })

  it('of the emulator changes who overtakes whom, which the moments of sending do not show', () => {
    const late = (atMs: number) => Math.ceil(atMs / 25) * 25
    const asSent = (trail: Trail): Trail => ({ ...trail, sentMs: trail.sentMs.map((_, i) => (i * 1000) / 1200) })
    const rows = (lateShare: number) =>
      rowsOf('jittery', unchanged, { both, late, spoil: asSent, disturbance: { lateShare } })
    expect(verdicts(rows(0), 'reordering')).to.deep.equal(['differ'])
    expect(verdicts(rows(0.9), 'reordering')).to.deep.equal(['not measured'])
  })

  it('makes times late by what it was late, not by more', () => {
    const rows = (lateMs: number) =>
      rowsOf('clean', ({ delayMs }) => ({ delayMs: delayMs + 3 }), { disturbance: { lateMs } })
    for (const property of ['delay', 'shape']) {
      expect(verdicts(rows(0), property)).to.deep.equal(['differ'])
      expect(verdicts(rows(1), property)).to.deep.equal(['differ'])
      expect(verdicts(rows(4), property)).to.deep.equal(['not measured'])
    }
  })

  it('takes as much of the rate as it took of the time', () => {
    const slower = ({ rate }: Impairment) => ({ rate: rate && { ...rate, bitsPerSecond: rate.bitsPerSecond * 0.95 } })
    // One turn in each 100 ms, of so many ms.
    const turns = (each: number) => Float64Array.from({ length: 400 }, (_, i) => (i >> 1) * 100 + (i % 2) * each)
    const rows = (each: number) =>
      rowsOf('bufferbloat', slower, { disturbance: { turns: turns(each), oneProcessor: true } })
    expect(verdicts(rows(0), 'rate')).to.deep.equal(['differ'])
    expect(verdicts(rows(2), 'rate')).to.deep.equal(['differ'])
    expect(verdicts(rows(6), 'rate')).to.deep.equal(['not measured'])
    const longer = ({ rate }: Impairment) => ({
      rate: rate && { ...rate, limit: { bytes: 'bytes' in rate.limit ? rate.limit.bytes * 1.2 : 0 } },
    })
    const queued = (each: number) =>
      rowsOf('bufferbloat', longer, { disturbance: { turns: turns(each), oneProcessor: true } })
    expect(verdicts(queued(2), 'queue', 'down')).to.deep.equal(['differ'])
    expect(verdicts(queued(30), 'queue', 'down')).to.deep.equal(['not measured'])
  })

  it('delays an event by the time that it took, not by more', () => {
    const profile = loadProfile('outage-3s')
    const trail = (toMs: number) =>
      keep(
        trailOf(loadProfile('clean').up, { packetsPerSecond: 200, payloadBytes: 40 }, 9000, 'events', atMs => atMs),
        one => one * 5 < 2000 || one * 5 >= toMs,
      )
    const verdict = (tookMs: number) => {
      const disturbance = { ...NOTHING, turns: Float64Array.from([4900, 4900 + tookMs]) }
      const timeline = (toMs: number, of: Disturbance) => ({
        profile: profile.name,
        trails: { up: trail(toMs) },
        disturbance: of,
      })
      const measurement = (backend: Measurement['backend'], one: ReturnType<typeof timeline>): Measurement => ({
        backend,
        cases: [],
        timelines: [one],
        notes: [],
      })
      const kernel = measurement('kernel', timeline(5900, disturbance))
      const emulator = measurement('emulator', timeline(5000, NOTHING))
      return verdicts(compare({ cases: [], timelines: [profile] }, kernel, emulator, OPTIONS), 'events')
    }
    expect(verdict(0)).to.deep.equal(['differ'])
    expect(verdict(300)).to.deep.equal(['differ'])
    expect(verdict(800)).to.deep.equal(['not measured'])
  })
})

/** The arrivals of these packets only. */
function keep(trail: Trail, wanted: (sequence: number) => boolean): Trail {
  const kept = [...trail.sequence.keys()].filter(i => wanted(trail.sequence[i]))
  return {
    ...trail,
    sequence: Uint32Array.from(kept, i => trail.sequence[i]),
    arrivedMs: Float64Array.from(kept, i => trail.arrivedMs[i]),
    marks: Uint8Array.from(kept, i => trail.marks[i]),
  }
}

describe('figures of a trail', () => {
  const trail = (arrivals: [sequence: number, arrivedMs: number, mark?: number][], sent = 6): Trail => ({
    payloadBytes: 958,
    sentMs: Float64Array.from({ length: sent }, (_, i) => i * 10),
    sequence: Uint32Array.from(arrivals, ([sequence]) => sequence),
    arrivedMs: Float64Array.from(arrivals, ([, arrivedMs]) => arrivedMs),
    marks: Uint8Array.from(arrivals, ([, , mark = 0]) => mark),
    sources: [],
  })

  it('counts losses and their runs, copies, changed packets and those that were overtaken', () => {
    const { lost, lossRuns, duplicates, corrupted, reordered, delaysMs } = figures(
      trail([
        [0, 5],
        [0, 6],
        [3, 35],
        [1, 36],
        [5, 55, Mark.corrupted],
      ]),
    )
    expect([...lost]).to.deep.equal([0, 0, 1, 0, 1, 1])
    expect(lossRuns).to.deep.equal([1, 2])
    expect(lengthCounts(lossRuns)).to.deep.equal([1, 1])
    expect({ duplicates, corrupted }).to.deep.equal({ duplicates: 1, corrupted: 1 })
    expect([...reordered]).to.deep.equal([0, 0, 1])
    expect([...delaysMs]).to.deep.equal([5, 26, 5])
  })

  it('leaves out the times of packets that were held up, not the packets', () => {
    const { lost, delaysMs, heldUpShare } = figures(
      trail(
        [
          [0, 90, Mark.heldUp],
          [1, 15],
        ],
        2,
      ),
    )
    expect([...lost]).to.deep.equal([0, 0])
    expect([...delaysMs]).to.deep.equal([5])
    expect(heldUpShare).to.equal(0.5)
  })

  it('measures a bottleneck while packets keep coming', () => {
    // Frames of 1000 bytes: every second packet of one each 10 ms gets through, after 15 ms.
    const arrivals = Array.from({ length: 50 }, (_, i): [number, number] => [2 * i, 20 * i + 15])
    const { bitsPerSecond, dropped, delayMs } = overloadFigures(trail(arrivals, 100), 200)
    expect(bitsPerSecond).to.be.closeTo(400_000, 1)
    expect(dropped).to.equal(0.5)
    expect(delayMs).to.equal(15)
  })

  it('leaves out the times that a stall of the backend has spoilt, and no others', () => {
    // As above, but nothing comes between 500 and 580 ms; what was sent meanwhile got in late, and comes late, too.
    const arrivals = Array.from({ length: 50 }, (_, i): [number, number] => {
      const due = 20 * i + 15
      if (due > 500 && due < 580) return [2 * i, 580]
      return [2 * i, 20 * i > 495 && 20 * i < 580 ? due + 30 : due]
    })
    const stalled = overloadFigures(trail(arrivals, 100), 200)
    expect(stalled.delayMs).to.equal(15)
    expect(stalled.longDelayMs).to.equal(15)
    expect(stalled.heldUpShare).to.be.within(0.05, 0.15)
    const longer = arrivals.map(([sequence, atMs], i): [number, number] => [sequence, i < 40 ? 20 * i + 15 : atMs + 9])
    expect(overloadFigures(trail(longer, 100), 200).longDelayMs).to.equal(24)
  })

  it('does not take a full queue for the consequence of a stall before it was full', () => {
    // A packet comes, then none for 50 ms; afterwards each waits longer than that first one, because the queue is filling.
    const arrivals = Array.from({ length: 50 }, (_, i): [number, number] => {
      return [2 * i, i === 0 ? 1 : 20 * i + 40 + Math.min(30, 3 * i)]
    })
    const filling = overloadFigures(trail(arrivals, 110), 300)
    expect(filling.heldUpShare).to.equal(0)
    expect(filling.delayMs).to.equal(70)
  })

  it('dates a gap and a change of address', () => {
    const arrivals = Array.from({ length: 400 }, (_, i): [number, number] => [i, i * 10 + 5])
    const passed = arrivals.filter(([sequence]) => sequence < 30 || sequence >= 230)
    const sources = [
      { atMs: 5, address: 'a' },
      { atMs: 2505, address: 'b' },
    ]
    const profile = loadProfile('clean')
    const events = timelineEvents({ ...trail(passed, 400), sources }, profile, 'up' satisfies Direction)
    expect(events.map(({ what }) => what)).to.deep.equal(['gap begins', 'gap ends', 'address changes'])
    expect(events.map(({ atMs }) => Math.round(atMs / 10) * 10)).to.deep.equal([300, 2300, 2510])
  })
})
