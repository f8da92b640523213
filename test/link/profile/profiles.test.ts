import { expect } from 'chai'
import { ConfigError } from '../../../src/config/config-error.ts'
import { loadProfile, parseProfile, profileNames } from '../../../src/link/profile/load-profile.ts'
import { CLEAN } from '../../../src/link/profile/profile.ts'
import { steps, walkTimeline } from '../../../src/link/profile/timeline.ts'

const HEAD = 'title = "T"\nabout = "A"\nsource = "S"\n'
const parse = (body: string, head = '') => parseProfile(`${head}${HEAD}${body}`, { file: 'netem/profiles/mine.toml' })
const both = (line: string) => parse(`[both]\n${line}`)

function problems(body: string, head = ''): string {
  try {
    parse(body, head)
  } catch (error) {
    expect(error).to.be.instanceOf(ConfigError)
    return (error as Error).message
  }
  throw new Error('the profile was accepted')
}

describe('link/profile/load-profile', () => {
  const expected = [
    'clean',
    'wifi',
    'wifi-congested',
    'lte',
    'lte-weak',
    'lte-bloat',
    '3g',
    'metro',
    'train',
    'leo',
    'geo',
  ]
  expected.push('bufferbloat', 'bursty', 'jittery', 'outage-3s', 'handover-wifi-lte', 'nat-rebind', 'udp-blocked')
  for (let n = 1; n <= 10; n++) expected.push(`loss-${n}`)

  it('ships every profile that is promised, each with title, about and source', () => {
    expect(profileNames()).to.have.members(expected)
    for (const name of profileNames()) {
      const profile = loadProfile(name)
      expect(profile.name).to.equal(name)
      expect(profile.title.length * profile.about.length * profile.source.length).to.be.above(0)
      expect(steps(profile, 100).length).to.be.within(2, 1000)
    }
  })

  it('lists them in alphabetical order, numbers as numbers', () => {
    const names = profileNames()
    expect(names.indexOf('loss-10')).to.equal(names.indexOf('loss-9') + 1)
  })

  it('ships a profile that is driven by a trace', () => {
    expect(loadProfile('lte-weak').down.trace?.name).to.equal('lte-weak-down.trace')
  })

  it('says which profiles there are when a name is wrong', () => {
    expect(() => loadProfile('wlan')).to.throw(ConfigError, /wlan: there is no such profile; .* wifi/)
    expect(() => loadProfile('no/such.toml')).to.throw(ConfigError, /no\/such\.toml: there is no such profile file/)
  })

  it('reads values as netem writes them', () => {
    const { up } = both(
      'delay = "30ms 5ms 25%"\ndistribution = "normal"\nduplicate = "1% 10%"\nreorder = "2%"\ngap = 5\ncorrupt = "0.1%"\nrate = "10mbit"\nlimit = "50 packets"\nburst = "4kb"',
    )
    expect(up).to.deep.equal({
      ...CLEAN,
      delayMs: 30,
      jitterMs: 5,
      delayCorrelation: 0.25,
      distribution: 'normal',
      duplicate: { rate: 0.01, correlation: 0.1 },
      reorder: { rate: 0.02, correlation: 0, gap: 5 },
      corrupt: { rate: 0.001, correlation: 0 },
      rate: { bitsPerSecond: 10e6, limit: { packets: 50 }, burstBytes: 4096 },
    })
  })

  it('reads the loss models with the defaults of tc', () => {
    expect(both('loss = "2%"').up.loss).to.deep.equal({ model: 'random', rate: 0.02, correlation: 0 })
    expect(both('loss = "random 2% 25%"').up.loss).to.deep.equal({ model: 'random', rate: 0.02, correlation: 0.25 })
    expect(both('loss = "none"').up.loss).to.deep.equal({ model: 'none' })
    expect(both('loss = "gemodel 1%"').up.loss).to.deep.equal({
      model: 'gemodel',
      p: 0.01,
      r: 0.99,
      oneMinusH: 1,
      oneMinusK: 0,
    })
    expect(both('loss = "state 2%"').up.loss).to.deep.equal({
      model: 'state',
      p13: 0.02,
      p31: 0.98,
      p32: 0,
      p23: 1,
      p14: 0,
    })
  })

  it('takes [both] for both directions and lets [up] and [down] change it', () => {
    const { up, down } = parse('[both]\ndelay = "30ms 5ms"\nrate = "1mbit"\n[down]\ndelay = "40ms"\nrate = "2mbit"')
    expect([up.delayMs, up.jitterMs, up.rate?.bitsPerSecond]).to.deep.equal([30, 5, 1e6])
    expect([down.delayMs, down.jitterMs, down.rate?.bitsPerSecond]).to.deep.equal([40, 5, 2e6])
  })

  const wrong: [line: string, key: string, allowed: string][] = [
    ['delay = 30', 'delay', 'from 0ms to 1min'],
    ['delay = "-1ms"', 'delay', 'from 0ms to 1min'],
    ['delay = "61s"', 'delay', 'from 0ms to 1min'],
    ['delay = "30"', 'delay', 'with its unit'],
    ['delay = "1e9ms"', 'delay', 'with its unit'],
    ['delay = "30ms 5ms 25% 7"', 'delay', 'with its unit'],
    ['jitter = "3s"', 'jitter', 'from 0ms to 2s'],
    ['jitter = "3ms 101%"', 'jitter', '0% to 100%'],
    ['delay = "9ms 1ms"\ndistribution = "gauss"', 'distribution', '"paretonormal"'],
    ['distribution = "normal"', 'distribution', 'a delay and a jitter'],
    ['delay = "9ms 1ms"\njitter = "2ms"', 'jitter', 'one of the two'],
    ['loss = "101%"', 'loss', 'from 0% to 100%'],
    ['loss = "two"', 'loss', 'from 0% to 100%'],
    ['loss = "gemodel"', 'loss', 'gemodel P'],
    ['loss = "gemodel 1% 2% 3% 4% 5%"', 'loss', 'gemodel P'],
    ['loss = "state 60% 10% 10% 10% 50%"', 'loss', 'at most 100%'],
    ['duplicate = "-1%"', 'duplicate', 'from 0% to 100%'],
    ['reorder = "5%"', 'reorder', 'a delay above 0ms'],
    ['gap = 5', 'gap', 'a percentage for reorder'],
    ['delay = "1ms"\nreorder = "5%"\ngap = 0', 'gap', 'from 1 to 100000'],
    ['corrupt = "200%"', 'corrupt', 'from 0% to 100%'],
    ['rate = "0mbit"', 'rate', 'from 1kbit to 10gbit'],
    ['rate = "10mb/s"', 'rate', 'bit, kbit, mbit, gbit'],
    ['rate = "2gbps"', 'rate', 'from 1kbit to 10gbit'],
    ['rate = "1mbit"\nlimit = "0 packets"', 'limit', '1 to 65536'],
    ['rate = "1mbit"\nlimit = "100b"', 'limit', '1600b to 256mb'],
    ['rate = "1mbit"\nburst = "100b"', 'burst', 'from 1600b to 16mb'],
    ['limit = "50 packets"', 'limit', 'rate or trace'],
    ['burst = "4kb"', 'burst', 'expected a rate'],
    ['rate = "1mbit"\ntrace = "../traces/lte-weak-up.trace"', 'trace', 'one of the two'],
    ['trace = "nowhere.trace"', 'trace', 'a trace file'],
    ['order = "strict"', 'order', '"free", "keep"'],
    ['dealy = "3ms"', 'dealy', 'did you mean delay?'],
  ]
  for (const [line, key, allowed] of wrong) {
    it(`names file, key and what is allowed: ${line.replaceAll('\n', ', ')}`, () => {
      const message = problems(`[both]\n${line}`)
      expect(message).to.contain(`netem/profiles/mine.toml: both.${key}: `).and.to.contain(allowed)
    })
  }

  const wrongPhases: [phase: string, key: string, allowed: string][] = [
    ['kind = "pause"', 'kind', '"outage"'],
    ['kind = "outage"', 'for', 'missing'],
    ['kind = "outage"\nfor = "2h"', 'for', 'a time with its unit'],
    ['kind = "outage"\nfor = "1s"\nto = { delay = "1ms" }', 'to', 'only kind, at, for, direction, attachment'],
    ['kind = "outage"\nfor = "1s"\nonly = "tcp"', 'only', '"udp"'],
    ['kind = "handover"\nonly = "udp"', 'only', 'only kind, at, attachment'],
    ['kind = "set"', 'to', 'missing'],
    ['kind = "set"\nto = { loss = "x" }', 'to.loss', 'from 0% to 100%'],
    ['kind = "set"\nto = { order = "keep" }', 'to.order', 'cannot change'],
    ['kind = "ramp"\nfor = "1s"\nto = { rate = "1mbit" }', 'to.rate', 'begin with one'],
    ['kind = "ramp"\nfor = "1s"\nto = { loss = "gemodel 1%" }', 'to.loss', 'a percentage'],
    ['kind = "ramp"\nfor = "1s"\nto = { corrupt = "1%" }', 'to.corrupt', 'only delay, jitter, loss, rate'],
    ['kind = "oscillation"\nfor = "1s"\nto = { delay = "9ms" }', 'period', 'missing'],
    ['kind = "handover"', 'kind', '[second.both]'],
    ['kind = "outage"\nfor = "1s"\nattachment = "second"', 'attachment', '[second.both]'],
  ]
  for (const [phase, key, allowed] of wrongPhases) {
    it(`names the phase and its key: ${phase.replaceAll('\n', ', ')}`, () => {
      const message = problems(`[[timeline]]\nat = "1s"\n${phase}`)
      expect(message).to.contain(`: timeline[0].${key}: `).and.to.contain(allowed)
    })
  }

  it('wants phases to end before the timeline repeats', () => {
    const message = problems('[[timeline]]\nkind = "outage"\nat = "9s"\nfor = "2s"', 'repeat = "10s"\n')
    expect(message).to.contain('timeline[0].at').and.to.contain('10000 ms')
  })
})

describe('link/profile/timeline', () => {
  const moving = () =>
    parse(
      '[both]\ndelay = "10ms"\n[second.both]\ndelay = "50ms"\n' +
        '[[timeline]]\nkind = "ramp"\nat = "1s"\nfor = "1s"\nto = { delay = "20ms" }\nattachment = "first"\n' +
        '[[timeline]]\nkind = "outage"\nat = "1500ms"\nfor = "100ms"\ndirection = "down"\n' +
        '[[timeline]]\nkind = "handover"\nat = "3s"\n',
      'repeat = "4s"\n',
    )

  it('walks a ramp in steps and holds its end', () => {
    const delays = steps(moving(), 250).flatMap(step =>
      step.kind === 'impairment' && step.attachment === 0 && step.direction === 'up' && !step.impairment.down
        ? [[step.atMs, step.impairment.delayMs]]
        : [],
    )
    expect(delays).to.deep.equal([
      [0, 10],
      [1250, 12.5],
      [1500, 15],
      [1600, 16],
      [1750, 17.5],
      [2000, 20],
    ])
  })

  it('takes one direction down for an outage', () => {
    const outages = steps(moving(), 250).flatMap(step =>
      step.kind === 'impairment' && step.atMs < 3000 && step.impairment.down ? [`${step.atMs} ${step.direction}`] : [],
    )
    expect(outages).to.deep.equal(['1500 down', '1500 down']) // of both attachments
  })

  it('blocks UDP in both directions, from the tenth second on for a minute', () => {
    const blocked = steps(loadProfile('udp-blocked'), 250).flatMap(step =>
      step.kind === 'impairment' ? [`${step.atMs} ${step.direction} ${step.impairment.down}`] : [],
    )
    expect(blocked).to.deep.equal([
      '0 up false',
      '0 down false',
      '10000 up true',
      '10000 down true',
      '70000 up false',
      '70000 down false',
    ])
  })

  it('says when the address changes, and leaves the old attachment dead', () => {
    const last = steps(moving(), 250).filter(step => step.atMs === 3000)
    expect(last.map(step => step.kind)).to.deep.equal(['impairment', 'impairment', 'address-change'])
    expect(last[0]).to.have.nested.property('impairment.down', true)
    expect(last[0]).to.have.property('attachment', 0)
    expect(last[2]).to.deep.equal({ kind: 'address-change', atMs: 3000, change: 'handover', to: 1 })
  })

  it('goes on without end when the profile repeats, and time never goes back', () => {
    let before = 0
    let count = 0
    for (const step of walkTimeline(moving(), 250)) {
      expect(step.atMs).to.be.at.least(before)
      before = step.atMs
      if (++count === 500) break
    }
    expect(count).to.equal(500)
    expect(before).to.be.above(8000)
  })

  it('swings from the value to the other one and back', () => {
    const profile = parse(
      '[both]\nrate = "2mbit"\n[[timeline]]\nkind = "oscillation"\nat = "0s"\nfor = "2s"\nperiod = "2s"\nto = { rate = "1mbit" }',
    )
    const rates = steps(profile, 500).flatMap(step =>
      step.kind === 'impairment' && step.direction === 'up' ? [step.impairment.rate?.bitsPerSecond] : [],
    )
    expect(rates).to.deep.equal([2e6, 1.5e6, 1e6, 1.5e6, 2e6])
  })
})
