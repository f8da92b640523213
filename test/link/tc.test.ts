import { expect } from 'chai'
import fc from 'fast-check'
import { loadProfile, profileNames } from '../../src/link/load-profile.ts'
import { CLEAN, DISTRIBUTIONS, type Impairment, type Profile } from '../../src/link/profile.ts'
import {
  FRAME_BYTES,
  type KernelStep,
  kernelLimits,
  kernelSteps,
  netemOptions,
  stillProfile,
  TcDevice,
  tcBytes,
  tcPercent,
  tcRate,
  tcTime,
} from '../../src/link/tc.ts'
import { timelineEndMs } from '../../src/link/timeline.ts'
import { parseTrace } from '../../src/link/trace.ts'

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

  it('follows a trace by a rate that carries as much as the trace does', () => {
    const trace = parseTrace('0\n3\n3\n10\n', { file: 'x.trace' })
    const steps = taken(profile({ up: link({ trace: { ...trace, limit: { packets: 20 } } }) }), 30)
    const rates = steps.flatMap(step =>
      step.kind === 'impairment' && step.direction === 'up' ? [step.impairment.rate!] : [],
    )
    expect(rates.length).to.be.at.least(20)
    for (const { bitsPerSecond, limit, burstBytes } of rates) {
      expect(limit).to.deep.equal({ packets: 20 })
      expect(burstBytes).to.equal(FRAME_BYTES)
      // Forty packets in 100 ms; one of them comes from the bucket, which tbf fills up at each change.
      expect(bitsPerSecond).to.be.closeTo((39 * FRAME_BYTES * 8) / 0.1, 1)
    }
  })

  it('takes the opportunities of a trace together over its gaps, so that there always is a rate', () => {
    const trace = parseTrace('1\n2\n950\n1000\n', { file: 'x.trace' })
    const steps = taken(profile({ up: link({ trace: { ...trace, limit: { packets: 20 } } }) }), 10)
    const up = steps.filter(step => step.kind === 'impairment' && step.direction === 'up')
    expect(up.map(step => step.atMs).slice(0, 3)).to.deep.equal([0, 100, 1000])
    for (const step of up) expect(step.kind === 'impairment' && step.impairment.rate!.bitsPerSecond).to.be.above(0)
  })

  it('a phase takes effect in the middle of a trace', () => {
    const trace = { ...parseTrace('1\n2\n', { file: 'x.trace' }), limit: { packets: 20 } }
    const outage = { kind: 'outage', atMs: 250, durationMs: 100, direction: 'up' } as const
    const steps = taken(profile({ up: link({ trace }), timeline: [outage] }), 9)
    const up = steps.flatMap(step => (step.kind === 'impairment' && step.direction === 'up' ? [step] : []))
    expect(up.map(step => [step.atMs, step.impairment.down]).slice(0, 6)).to.deep.equal([
      [0, false],
      [100, false],
      [200, false],
      [250, true],
      [350, false],
      [450, false],
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
