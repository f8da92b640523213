import { expect } from 'chai'
import fc from 'fast-check'
import {
  FRAME_BYTES,
  type KernelStep,
  kernelLimits,
  kernelSteps,
  netemOptions,
  steppedProfile,
  stillProfile,
  TcDevice,
  tcBytes,
  tcPercent,
  tcRate,
  tcTime,
} from '../../../src/link/kernel/tc.ts'
import { loadProfile, profileNames } from '../../../src/link/profile/load-profile.ts'
import {
  CLEAN,
  DIRECTIONS,
  DISTRIBUTIONS,
  type Direction,
  type Impairment,
  type Profile,
} from '../../../src/link/profile/profile.ts'
import { impairmentAt, timelineEndMs } from '../../../src/link/profile/timeline.ts'
import { parseTrace, traceRate } from '../../../src/link/profile/trace.ts'

const link = (changes: Partial<Impairment>): Impairment => ({ ...CLEAN, ...changes })
const netem = (changes: Partial<Impairment>): string => netemOptions(link(changes)).slice(2).join(' ')
const profile = (changes: Partial<Profile>): Profile => ({
  name: 'test',
  title: '',
  about: '',
  source: '',
  up: CLEAN,
  down: CLEAN,
  timeline: [],
  ...changes,
})
const rate = { bitsPerSecond: 1_000_000, limit: { packets: 50 }, burstBytes: 3000 }

describe('numbers as tc reads them', () => {
  it('times survive to the nanosecond', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 3_600_000_000_000 }), ns => {
        const text = tcTime(ns / 1e6)
        expect(text).to.match(/^\d+(\.\d+)?ms$/)
        expect(Math.round(Number.parseFloat(text) * 1e6)).to.equal(ns)
      }),
    )
  })

  it('chances survive in the 32 bits that the kernel has for them, without an exponent', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 0xffffffff }), bits => {
        const text = tcPercent(bits / 0xffffffff)
        expect(text).to.match(/^\d+(\.\d+)?%$/)
        // tc: rint(percent / 100 × UINT32_MAX). Eight decimals are good to within one unit.
        expect(Math.round((Number.parseFloat(text) / 100) * 0xffffffff)).to.be.closeTo(bits, 1)
      }),
    )
  })

  it('rates are whole bits a second, with the largest unit that is exact', () => {
    const factor = { bit: 1, kbit: 1000, mbit: 1_000_000 }
    fc.assert(
      fc.property(fc.integer({ min: 8, max: 100_000_000_000 }), bits => {
        const [, number, unit] = /^(\d+)(bit|kbit|mbit)$/.exec(tcRate(bits)) ?? []
        expect(Number(number) * factor[unit as keyof typeof factor]).to.equal(bits)
      }),
    )
    expect([tcRate(10e6), tcRate(1.5e6), tcRate(12_345)]).to.deep.equal(['10mbit', '1500kbit', '12345bit'])
  })

  it('sizes say that they are bytes', () => {
    expect(tcBytes(262_144)).to.equal('262144b')
  })
})

describe('netem’s options', () => {
  it('are none for a link that does nothing, except for room enough', () => {
    expect(netemOptions(CLEAN)).to.deep.equal(['limit', '65536'])
  })

  it('are those of the examples in tc-netem(8)', () => {
    expect(netem({ delayMs: 10, reorder: { rate: 0.25, correlation: 0.5, gap: 5 } })).to.equal(
      'delay 10ms reorder 25% 50% gap 5',
    )
    expect(netem({ delayMs: 10, reorder: { rate: 0.25, correlation: 0.5, gap: 1 } })).to.equal(
      'delay 10ms reorder 25% 50% gap 1',
    )
    expect(netem({ delayMs: 100, jitterMs: 20, distribution: 'normal' })).to.equal(
      'delay 100ms 20ms distribution normal',
    )
    expect(netem({ loss: { model: 'random', rate: 0.003, correlation: 0.25 } })).to.equal('loss random 0.3% 25%')
    expect(netem({ loss: { model: 'gemodel', p: 0.01, r: 0.1, oneMinusH: 0.7, oneMinusK: 0.001 } })).to.equal(
      'loss gemodel 1% 10% 70% 0.1%',
    )
    expect(netem({ loss: { model: 'state', p13: 0.01, p31: 0.3, p32: 0.1, p23: 0.2, p14: 0.004 } })).to.equal(
      'loss state 1% 30% 10% 20% 0.4%',
    )
    expect(netem({ duplicate: { rate: 0.01, correlation: 0 } })).to.equal('duplicate 1%')
    expect(netem({ corrupt: { rate: 0.001, correlation: 0 } })).to.equal('corrupt 0.1%')
  })

  it('make an outage a loss of everything', () => {
    expect(netem({ down: true, loss: { model: 'gemodel', p: 1, r: 1, oneMinusH: 1, oneMinusK: 0 } })).to.equal(
      'loss random 100%',
    )
  })

  it('name no distribution for uniform jitter, which is what the kernel does without a table', () => {
    expect(netem({ delayMs: 10, jitterMs: 5, distribution: 'uniform' })).to.equal('delay 10ms 5ms')
  })

  it('give a delay where tc demands one', () => {
    for (const distribution of DISTRIBUTIONS.filter(each => each !== 'uniform')) {
      expect(netem({ jitterMs: 5, distribution })).to.equal(`delay 0.001ms 5ms distribution ${distribution}`)
    }
    expect(netem({ reorder: { rate: 0.5, correlation: 0, gap: 1 } })).to.equal('delay 0.001ms reorder 50% gap 1')
  })

  it('keep the order by a rate that is too high to do anything else', () => {
    expect(netem({ delayMs: 10, jitterMs: 5, keepOrder: true })).to.equal('delay 10ms 5ms rate 100gbit')
  })
})

describe('one device', () => {
  const lines = (device: TcDevice, changes: Partial<Impairment>) => device.to(link(changes)).map(each => each.join(' '))

  it('gets netem, the bottleneck behind it, and its queue', () => {
    expect(lines(new TcDevice('eth9'), { delayMs: 30, rate })).to.deep.equal([
      'qdisc add dev eth9 root handle 1: netem limit 65536 delay 30ms',
      'qdisc add dev eth9 parent 1:1 handle 10: tbf rate 1mbit burst 3000b limit 75700b',
      'qdisc replace dev eth9 parent 10:1 handle 100: pfifo limit 50',
    ])
    expect(lines(new TcDevice('eth9'), { rate: { ...rate, limit: { bytes: 9000 } } })).to.deep.equal([
      'qdisc add dev eth9 root handle 1: netem limit 65536',
      'qdisc add dev eth9 parent 1:1 handle 10: tbf rate 1mbit burst 3000b limit 9000b',
      'qdisc replace dev eth9 parent 10:1 handle 101: bfifo limit 9000b',
    ])
  })

  it('is changed in place, so that the packets on the link stay', () => {
    const device = new TcDevice('eth9')
    lines(device, { delayMs: 30, corrupt: { rate: 0.1, correlation: 0 }, rate })
    expect(lines(device, { delayMs: 40, rate: { ...rate, bitsPerSecond: 2_000_000 } })).to.deep.equal([
      'qdisc change dev eth9 root handle 1: netem limit 65536 delay 40ms 0ms 0% loss random 0% 0% duplicate 0% 0% corrupt 0% 0% rate 0bit',
      'qdisc change dev eth9 parent 1:1 handle 10: tbf rate 2mbit burst 3000b limit 75700b',
      'qdisc replace dev eth9 parent 10:1 handle 100: pfifo limit 50',
    ])
    expect(lines(device, { delayMs: 40 })).to.deep.equal(['qdisc del dev eth9 parent 1:1 handle 10:'])
  })

  it('is told nothing when nothing changes', () => {
    const device = new TcDevice('eth9')
    lines(device, { delayMs: 30, rate })
    expect(lines(device, { delayMs: 30, rate })).to.deep.equal([])
  })

  it('is set up anew when jitter loses its table, which netem would keep', () => {
    const device = new TcDevice('eth9')
    lines(device, { delayMs: 30, jitterMs: 3, distribution: 'pareto' })
    lines(device, { delayMs: 30 })
    expect(lines(device, { delayMs: 30, jitterMs: 3 })).to.deep.equal([
      'qdisc del dev eth9 root',
      'qdisc add dev eth9 root handle 1: netem limit 65536 delay 30ms 3ms',
    ])
  })
})

describe('the timeline for the kernel', () => {
  const taken = (from: Profile, most: number): KernelStep[] => {
    const result: KernelStep[] = []
    for (const step of kernelSteps(from)) if (result.push(step) === most) break
    return result
  }

  for (const name of profileNames()) {
    it(`the profile ${name} becomes commands`, () => {
      const shipped = loadProfile(name)
      const end = Math.min(timelineEndMs(shipped), 60_000)
      const devices = new Map<string, TcDevice>()
      let commands = 0
      let before = 0
      for (const step of kernelSteps(shipped)) {
        if (step.atMs > end) break
        expect(step.atMs).to.be.at.least(before)
        before = step.atMs
        if (step.kind === 'address-change') continue
        expect(step.impairment.trace).to.equal(undefined)
        const key = `${step.attachment}${step.direction}`
        devices.set(key, devices.get(key) ?? new TcDevice(key))
        for (const command of devices.get(key)!.to(step.impairment)) {
          commands++
          expect(command[0]).to.equal('qdisc')
          expect(command.join(' ')).not.to.match(/NaN|undefined|Infinity|\de[-+]?\d| {2}/)
        }
      }
      expect(commands).to.be.at.least(2)
    })
  }

  const rates = (steps: readonly KernelStep[]) =>
    steps.flatMap(step => (step.kind === 'impairment' && step.direction === 'up' ? [step.impairment.rate!] : []))

  /** Opportunities at even distances: `first` of them in 100 ms, `second` in the next 100 ms. */
  const twoSpeeds = (first: number, second: number) => {
    const times = [
      ...Array.from({ length: first }, (_, i) => Math.floor((i * 100) / first)),
      ...Array.from({ length: second }, (_, i) => 100 + Math.floor((i * 100) / second)),
    ]
    times[times.length - 1] = 200
    return { ...parseTrace(times.join('\n'), { file: 'x.trace' }), limit: { packets: 20 } }
  }

  it('follows a trace by a rate that carries as much as the trace does', () => {
    const measured = rates(taken(profile({ up: link({ trace: twoSpeeds(40, 20) }) }), 30))
    expect(measured.length).to.be.at.least(20)
    for (const [i, { bitsPerSecond, limit, burstBytes }] of measured.entries()) {
      expect(limit).to.deep.equal({ packets: 20 })
      expect(burstBytes).to.equal(FRAME_BYTES)
      // A third of a frame of each 100 ms comes from the bucket, which tbf fills up at each change.
      const packets = i % 2 === 0 ? 40 : 20
      expect(bitsPerSecond).to.be.closeTo(((packets - 1 / 3) * FRAME_BYTES * 8) / 0.1, 1)
    }
  })

  it('says nothing to the kernel between two parts of a trace that carry the same', () => {
    const trace = parseTrace('0\n3\n3\n10\n', { file: 'x.trace' })
    const steps = taken(profile({ up: link({ trace: { ...trace, limit: { packets: 20 } } }) }), 4)
    const up = steps.filter(step => step.kind === 'impairment' && step.direction === 'up')
    expect(up.map(step => step.atMs)).to.deep.equal([0, 10_000, 20_000])
    // Forty packets in 100 ms, and a third of one of ten seconds from the bucket.
    for (const { bitsPerSecond } of rates(up))
      expect(bitsPerSecond).to.be.closeTo((40 * FRAME_BYTES * 8) / 0.1, FRAME_BYTES)
  })

  it('gives the emulator the steps that the kernel takes, without what tbf needs taken off', () => {
    const trace = twoSpeeds(40, 20)
    const like = steppedProfile({ ...profile({ up: link({ trace }) }) }, 1000)
    expect(like.up.trace).to.equal(undefined)
    for (const atMs of [0, 150, 250, 950]) {
      const { rate } = impairmentAt(like, 0, 'up', atMs)
      const step = Math.floor(atMs / 100) * 100
      expect(rate?.bitsPerSecond).to.be.closeTo(traceRate(trace, step, step + 100), 1)
      expect(rate?.limit).to.deep.equal({ packets: 20 })
    }
    expect(impairmentAt(like, 0, 'down', 500).rate).to.equal(undefined)
  })

  /**
   * What sch_tbf of Linux 6.1 passes in `untilMs` while packets always wait, in bytes: a change fills the bucket up, and does not
   * wake the queue, which looks again when its timer goes off, or when a packet comes to netem or is ready there: both happen
   * half as often again as a packet can leave.
   */
  const tbfPasses = (from: Profile, direction: Direction, frame: number, untilMs: number): number => {
    const steps = kernelSteps(from)
    let next = steps.next()
    let [bytesPerMs, burst, tokens, clockMs, timerMs, passed] = [0, 0, 0, 0, 0, 0]
    let arrivalMs = 0
    let down = false
    while (true) {
      const stepMs = next.done ? Number.POSITIVE_INFINITY : next.value.atMs
      const nowMs = Math.min(stepMs, timerMs, arrivalMs)
      if (nowMs >= untilMs) return passed
      if (nowMs === stepMs && !next.done) {
        const { value } = next
        if (value.kind === 'impairment' && value.direction === direction && value.attachment === 0) {
          const rate = value.impairment.rate!
          down = value.impairment.down
          if (rate.bitsPerSecond / 8000 !== bytesPerMs || rate.burstBytes !== burst) tokens = rate.burstBytes
          bytesPerMs = rate.bitsPerSecond / 8000
          burst = rate.burstBytes
        }
        next = steps.next()
        continue
      }
      if (nowMs === arrivalMs) arrivalMs += frame / (2 * 1.5 * bytesPerMs)
      tokens = Math.min(burst, tokens + (nowMs - clockMs) * bytesPerMs)
      clockMs = nowMs
      while (tokens >= frame) {
        tokens -= frame
        if (!down) passed += frame
      }
      timerMs = nowMs + Math.max(1e-6, (frame - tokens) / bytesPerMs)
    }
  }

  for (const direction of DIRECTIONS) {
    it(`a token bucket that is filled up at each step still carries what the trace carries (${direction})`, () => {
      const shipped = loadProfile('lte-weak')
      const trace = shipped[direction].trace!
      const carried = tbfPasses(shipped, direction, 1442, trace.periodMs)
      expect(carried / ((traceRate(trace, 0, trace.periodMs) * trace.periodMs) / 8000)).to.be.within(0.98, 1.02)
    })
  }

  const moving = profileNames()
    .map(loadProfile)
    .filter(({ timeline }) =>
      timeline.some(phase => 'to' in phase && typeof phase.to === 'object' && phase.to.bitsPerSecond),
    )

  for (const shipped of moving) {
    it(`the same holds for the ramps and oscillations of ${shipped.name}`, () => {
      const endMs = Math.min(60_000, timelineEndMs(shipped))
      let expected = 0
      for (let atMs = 0; atMs < endMs; atMs += 10) {
        const { rate, down } = impairmentAt(shipped, 0, 'down', atMs + 5)
        if (!down) expected += (rate!.bitsPerSecond / 8000) * 10
      }
      expect(tbfPasses(shipped, 'down', 1442, endMs) / expected).to.be.within(0.98, 1.02)
    })
  }

  it('takes the opportunities of a trace together over its gaps, so that there always is a rate', () => {
    const trace = parseTrace('1\n2\n950\n1000\n', { file: 'x.trace' })
    const steps = taken(profile({ up: link({ trace: { ...trace, limit: { packets: 20 } } }) }), 10)
    const up = steps.filter(step => step.kind === 'impairment' && step.direction === 'up')
    expect(up.map(step => step.atMs).slice(0, 3)).to.deep.equal([0, 100, 1000])
    for (const step of up) expect(step.kind === 'impairment' && step.impairment.rate!.bitsPerSecond).to.be.above(0)
  })

  it('a phase takes effect in the middle of a trace', () => {
    const trace = twoSpeeds(40, 20)
    const outage = { kind: 'outage', atMs: 220, durationMs: 100, direction: 'up' } as const
    const steps = taken(profile({ up: link({ trace }), timeline: [outage] }), 9)
    const up = steps.flatMap(step => (step.kind === 'impairment' && step.direction === 'up' ? [step] : []))
    expect(up.map(step => [step.atMs, step.impairment.down]).slice(0, 6)).to.deep.equal([
      [0, false],
      [100, false],
      [200, false],
      [220, true],
      [320, false],
      [420, false],
    ])
  })

  it('stands still for --once: what holds at the beginning, and a trace’s average rate', () => {
    const trace = { ...parseTrace('5\n10\n', { file: 'x.trace' }), limit: { packets: 20 } }
    const outage = { kind: 'outage', atMs: 0, durationMs: 100, direction: 'down' } as const
    const still = stillProfile(profile({ up: link({ trace }), timeline: [outage], repeatMs: 1000 }))
    expect(still.up.rate?.bitsPerSecond).to.be.closeTo((2 * FRAME_BYTES * 8) / 0.01, 2 * FRAME_BYTES * 800)
    expect(still.down.down).to.equal(true)
    expect(taken(still, 10)).to.have.length(2)
  })

  it('says what the kernel does in another way', () => {
    const trace = { ...parseTrace('1\n2\n', { file: 'x.trace' }), limit: { packets: 20 } }
    expect(kernelLimits(profile({}))).to.deep.equal([])
    expect(kernelLimits(profile({ up: link({ trace }) })).join())
      .to.contain('x.trace')
      .and.contain('average rate')
    const reorder = { rate: 0.1, correlation: 0, gap: 1 }
    expect(kernelLimits(profile({ down: link({ reorder, rate }) })).join()).to.contain('past tbf')
  })
})
