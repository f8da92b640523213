import { spawnSync } from 'node:child_process'
import { expect } from 'chai'
import fc from 'fast-check'
import { impairedDevice } from '../../../src/link/kernel/kernel-topology.ts'
import { netemOptions, stillProfile, TcDevice } from '../../../src/link/kernel/tc.ts'
import { TcImportError } from '../../../src/link/kernel/tc-commands.ts'
import { importTc } from '../../../src/link/kernel/tc-import.ts'
import { loadProfile, parseProfile, profileNames } from '../../../src/link/profile/load-profile.ts'
import {
  CLEAN,
  DISTRIBUTIONS,
  type Impairment,
  type LossModel,
  type Profile,
} from '../../../src/link/profile/profile.ts'

const load = (text: string, options = {}): Profile =>
  parseProfile(importTc(text, options).toml, { file: 'imported.toml' })
const netem = (words: string): Impairment => load(`tc qdisc add dev eth0 root netem ${words}`).up
const notes = (text: string): string => importTc(text).notes.join('\n')

/** The commands of a dry run, for both directions. */
function commands({ up, down }: Pick<Profile, 'up' | 'down'>): string {
  return (['up', 'down'] as const)
    .flatMap(direction => {
      const { device, router } = impairedDevice(0, direction)
      return new TcDevice(device)
        .to(direction === 'up' ? up : down)
        .map(command => `ip netns exec masque-${router} tc ${command.join(' ')}`)
    })
    .join('\n')
}

const share = fc.integer({ min: 1, max: 100_000 }).map(n => n / 100_000)
const maybe = <T>(value: fc.Arbitrary<T>, otherwise: T) => fc.oneof(value, fc.constant(otherwise))
const loss: fc.Arbitrary<LossModel> = fc.oneof(
  fc.constant<LossModel>({ model: 'none' }),
  fc.record({ model: fc.constant('random' as const), rate: share, correlation: maybe(share, 0) }),
  fc.record({ model: fc.constant('gemodel' as const), p: share, r: share, oneMinusH: share, oneMinusK: share }),
  fc
    .tuple(share, share, share, share, share)
    .map(([a, b, c, d, e]) => ({ model: 'state' as const, p13: a / 2, p31: b / 2, p32: c / 2, p23: d, p14: e / 2 })),
)
const chance = maybe(fc.record({ rate: share, correlation: maybe(share, 0) }), { rate: 0, correlation: 0 })
const impairment: fc.Arbitrary<Impairment> = fc
  .record({
    delayUs: fc.integer({ min: 1, max: 60_000_000 }),
    jitterUs: fc.integer({ min: 0, max: 2_000_000 }),
    delayCorrelation: maybe(share, 0),
    distribution: fc.constantFrom(...DISTRIBUTIONS),
    keepOrder: fc.boolean(),
    loss,
    duplicate: chance,
    corrupt: chance,
    reorder: chance,
    gap: fc.integer({ min: 1, max: 100_000 }),
    rate: fc.option(
      fc.record({
        bitsPerSecond: fc.integer({ min: 1000, max: 10_000_000_000 }),
        burstBytes: fc.integer({ min: 1600, max: 1024 ** 2 }),
        limit: fc.oneof(
          fc.record({ packets: fc.integer({ min: 1, max: 65_536 }) }),
          fc.record({ bytes: fc.integer({ min: 1600, max: 1024 ** 2 }) }),
        ),
      }),
      { nil: undefined },
    ),
  })
  .map(({ delayUs, jitterUs, reorder, gap, rate, delayCorrelation, distribution, ...rest }) => ({
    ...CLEAN,
    ...rest,
    delayMs: delayUs / 1000,
    jitterMs: jitterUs / 1000,
    delayCorrelation: jitterUs > 0 ? delayCorrelation : 0,
    distribution: jitterUs > 0 ? distribution : 'uniform',
    reorder: reorder.rate > 0 ? { ...reorder, gap } : CLEAN.reorder,
    ...(rate && { rate }),
  }))

describe('link/kernel/tc-import', () => {
  it('gives a profile whose commands are the same that were read, for every impairment', () => {
    fc.assert(
      fc.property(impairment, impairment, (up, down) => {
        const text = commands({ up, down })
        const imported = importTc(text)
        expect(imported.notes).to.deep.equal([])
        expect(commands(parseProfile(imported.toml, { file: 'x.toml' }))).to.equal(text)
      }),
      { numRuns: 150 },
    )
  })

  it('gives the commands of every shipped profile again, as it begins', () => {
    for (const name of profileNames()) {
      const text = commands(stillProfile(loadProfile(name)))
      expect(commands(load(text)), name).to.equal(text)
    }
  })

  it('reads a line with everything that netem knows, and names what a profile cannot say', () => {
    const line =
      'tc qdisc add dev eth0 root netem delay 100ms 20ms distribution normal loss gemodel 1% 10% 70% 0.1% reorder 25% 50% gap 5 rate 10mbit limit 1000 duplicate 1% corrupt 0.1% slot 800us 1ms packets 42'
    const { up, down } = load(line)
    expect(up).to.deep.equal(down)
    expect(up).to.deep.include({
      delayMs: 100,
      jitterMs: 20,
      distribution: 'normal',
      loss: { model: 'gemodel', p: 0.01, r: 0.1, oneMinusH: 0.7, oneMinusK: 0.001 },
      reorder: { rate: 0.25, correlation: 0.5, gap: 5 },
      duplicate: { rate: 0.01, correlation: 0 },
      corrupt: { rate: 0.001, correlation: 0 },
    })
    expect(up.rate).to.deep.include({ bitsPerSecond: 10e6, limit: { packets: 1000 } })
    expect(notes(line)).to.contain('slot 800us 1ms packets 42: a profile has no slots').and.contain("netem's rate")
    expect(importTc(line).toml).to.contain('# - line 1: slot 800us')
    expect(importTc(line).toml).to.contain(`source = ${JSON.stringify(line)}`)
  })

  it('reads tc’s spellings: words cut short, other names, any unit, correlations', () => {
    expect(netem('latency .1secs 20msec 25 dist pareto')).to.deep.include({
      delayMs: 100,
      jitterMs: 20,
      delayCorrelation: 0.25,
      distribution: 'pareto',
    })
    expect(netem('drop 2 25').loss).to.deep.equal({ model: 'random', rate: 0.02, correlation: 0.25 })
    expect(netem('loss random 2%').loss).to.deep.equal({ model: 'random', rate: 0.02, correlation: 0 })
    expect(netem('loss state 1% 2% 3% 4% 5%').loss).to.deep.include({ model: 'state', p13: 0.01, p14: 0.05 })
    expect(netem('dup 1% corr 2%')).to.deep.include({
      duplicate: { rate: 0.01, correlation: 0 },
      corrupt: { rate: 0.02, correlation: 0 },
    })
    expect(netem('rate 1000bps').rate?.bitsPerSecond).to.equal(8000)
    expect(netem('rate 64000').rate?.bitsPerSecond).to.equal(64_000)
    expect(netem('delay 30ms 5ms rate 100gbit').keepOrder).to.equal(true)
  })

  it('reads prompts, sudo, paths, continued lines and several commands on one', () => {
    const text = `# a comment\n$ sudo /sbin/tc qdisc add dev eth0 root handle 1: \\\n  netem delay 30ms && tc -s qdisc show; sudo tc qdisc add dev eth0 parent 1:1 handle 10: tbf rate 1Mbit burst 32kbit latency 400ms\n`
    const { up } = load(text.replace(' && tc -s qdisc show', ''))
    expect(up.delayMs).to.equal(30)
    // tc makes 1 Mbit/s × 400 ms and the bucket of a latency.
    expect(up.rate).to.deep.equal({ bitsPerSecond: 1e6, burstBytes: 4096, limit: { bytes: 54_096 } })
  })

  it('reads what `tc -s qdisc show` prints', () => {
    const text = `qdisc noqueue 0: dev lo root refcnt 2
 Sent 0 bytes 0 pkt (dropped 0, overlimits 0 requeues 0)
 backlog 0b 0p requeues 0
qdisc netem 1: dev eth0 root refcnt 2 limit 1000 delay 100ms  20ms 25% loss gemodel p 1% r 10% 1-h 70% 1-k 0.1% duplicate 1% reorder 25% 50% corrupt 0.1% rate 10Mbit packetoverhead 5 gap 5
 Sent 1234 bytes 12 pkt (dropped 1, overlimits 0 requeues 0)
 backlog 0b 0p requeues 0
qdisc tbf 10: dev eth1 root refcnt 2 rate 1Mbit burst 5Kb lat 400ms
 Sent 0 bytes 0 pkt (dropped 0, overlimits 0 requeues 0)
 backlog 0b 0p requeues 0`
    const { up, down } = load(text)
    expect(up).to.deep.include({ delayMs: 100, jitterMs: 20, delayCorrelation: 0.25 })
    expect(up.loss).to.deep.equal({ model: 'gemodel', p: 0.01, r: 0.1, oneMinusH: 0.7, oneMinusK: 0.001 })
    expect(up.reorder).to.deep.equal({ rate: 0.25, correlation: 0.5, gap: 5 })
    expect(up.rate).to.deep.include({ bitsPerSecond: 10e6, limit: { packets: 1000 } })
    expect(down).to.deep.equal({ ...CLEAN, rate: { bitsPerSecond: 1e6, burstBytes: 5120, limit: { bytes: 55_120 } } })
    expect(notes(text))
      .to.match(/eth0 is taken for up/)
      .and.match(/overheads/)
      .and.match(/does not show how jitter/)
  })

  it('reads a bottleneck above netem, as tutorials have it, and says what becomes of it', () => {
    const tutorial = `tc qdisc add dev eth0 root handle 1: htb default 10
tc class add dev eth0 parent 1: classid 1:10 htb rate 5mbit ceil 8mbit
tc qdisc add dev eth0 parent 1:10 handle 10: netem delay 50ms limit 300
tc filter add dev eth0 protocol ip parent 1: u32 match ip dst 10.0.0.1 flowid 1:10`
    const { up } = load(tutorial)
    expect(up).to.deep.include({ delayMs: 50 })
    expect(up.rate).to.deep.include({ bitsPerSecond: 5e6, limit: { packets: 300 } })
    expect(notes(tutorial))
      .to.match(/ceil 8mbit/)
      .and.match(/above netem/)
      .and.match(/tc filter/)
  })

  it('takes one device for both directions, or for the one that was named', () => {
    const line = 'tc qdisc add dev eth0 root netem delay 30ms'
    expect(notes(line)).to.match(/both directions get it/)
    expect(load(line, { direction: 'down' })).to.deep.include({ up: CLEAN, down: { ...CLEAN, delayMs: 30 } })
    expect(importTc(line, { direction: 'down' }).notes).to.deep.equal([])
  })

  it('a later command takes the place of an earlier one, which is said; a deleted one leaves nothing', () => {
    const text = 'tc qdisc add dev eth0 root netem delay 30ms\ntc qdisc change dev eth0 root netem delay 50ms loss 1%\n'
    expect(load(text).up).to.deep.include({ delayMs: 50 })
    expect(notes(text)).to.match(/line 2 takes the place of line 1/)
    expect(() => importTc(`${text}tc qdisc del dev eth0 root`)).to.throw(TcImportError, 'no queueing discipline')
  })

  const wrong: [string, RegExp][] = [
    ['', /no queueing discipline/],
    ['tc qdisc add dev eth0 root fq_codel', /^there is no queueing discipline in it that impairs a link/],
    ['hello', /line 1: found "hello", expected a command such as/],
    ['tc qdisc add dev eth0 root', /line 1: found no queueing discipline/],
    ['tc qdisc add root netem delay 1ms', /line 1: found no device/],
    ['tc qdisc add dev eth0 root netem delay', /found delay without a value/],
    ['tc qdisc add dev eth0 root netem delay 100', /without a unit, which tc takes for microseconds; .* 100ms/],
    ['tc qdisc add dev eth0 root netem dealy 100ms', /found "dealy", expected one of netem's words/],
    ['tc qdisc add dev eth0 root netem loss 200%', /found "200%" for loss/],
    ['tc qdisc add dev eth0 root netem delay 2h', /found "2h" for delay/],
    ['tc qdisc add dev eth0 root netem delay 90s', /a profile cannot say this: both\.delay: found "90s"/],
    ['\n\ntc qdisc add dev eth0 root netem rate $RATE', /line 3: found the rate "\$RATE"/],
    ['tc qdisc add dev eth0 root tbf burst 5kb limit 9kb', /tbf without a rate/],
    ['tc qdisc add dev eth0 root tbf rate 1mbit burst 5kb limit', /limit without a value/],
    [
      'tc qdisc add dev eth0 root netem delay 1ms\ntc qdisc add dev a root netem\ntc qdisc add dev b root netem',
      /at most two/,
    ],
  ]
  for (const [text, message] of wrong) {
    it(`refuses ${JSON.stringify(text.slice(0, 60))} in a sentence`, () => {
      expect(() => importTc(text))
        .to.throw(TcImportError, message)
        .with.property('message')
        .that.does.not.contain('\n')
    })
  }

  it('takes the words that tc takes, and refuses those that it refuses', function () {
    if (spawnSync('tc', ['-V']).status !== 0) this.skip()
    const lines = [
      'delay 100msec',
      'latency 1secs 2usecs 3',
      'drop 1',
      'dup 1%',
      'loss gemodel 1% 10% 70% 0.1%',
      'loss state 1% 2%',
      'delay 10ms rate 8000bps',
      'rate 1Gbit 10 53 5',
      'reorder 25% 50% gap 5 delay 5ms',
      'jitter 3ms',
      'loss x',
      'delay 5h',
      'rate 5mb',
      'bogus 1',
      'loss 101%',
      'corrupt',
    ]
    for (const words of lines) {
      // tc reads all words before it looks for the device.
      const { stderr } = spawnSync(
        'tc',
        ['qdisc', 'add', 'dev', 'nosuchdevice', 'root', 'netem', ...words.split(' ')],
        { encoding: 'utf8' },
      )
      const taken = /^Cannot find device/.test(stderr)
      const ours = (): unknown => importTc(`tc qdisc add dev nosuchdevice root netem ${words}`)
      if (taken) expect(ours, words).not.to.throw()
      else expect(ours, words).to.throw(TcImportError)
    }
  })

  it('netem’s words for a profile without a bottleneck are those that were read, but for netem’s own limit', () => {
    const words =
      'delay 100ms 20ms 25% distribution normal reorder 5% 50% gap 3 loss random 2% duplicate 1% corrupt 0.1%'
    const again = netemOptions(netem(words)).join(' ')
    for (const part of [
      'delay 100ms 20ms 25% distribution normal',
      'reorder 5% 50% gap 3',
      'loss random 2%',
      'duplicate 1%',
      'corrupt 0.1%',
    ]) {
      expect(again).to.contain(part)
    }
  })
})
