/**
 * Task 6: outages. Formulas and configuration first; then `outage-3s`, with the outage moved to the beginning, and three clients on it:
 * two with the student's configuration, in datagrams and on a stream, one with an idle timeout that is shorter than the outage.
 *
 * What the live part decides on: that the session is the same afterwards (no busy machine ends it: the idle timeout is twice as long
 * as the outage at least), and that what was sent into the outage on the stream is answered within the longest recovery, doubled for
 * a machine on which everything takes longer, and with a second on top.
 */
import { join } from 'node:path'
import { type ClientConfig, parseClientConfig } from '../../../src/client/config.ts'
import { ConfigError } from '../../../src/config/config-error.ts'
import { readConfigFile } from '../../../src/config/read-toml.ts'
import { loadProfile } from '../../../src/link/profile/load-profile.ts'
import type { Profile } from '../../../src/link/profile/profile.ts'
import { type Call, type CallGroup, expectGroups, fail, groupsOf, valuesOf } from '../../kit/check/calls.ts'
import { formatNumber } from '../../kit/check/format.ts'
import type { Seeded } from '../../kit/check/seeded.ts'
import { watchTunnel } from '../../kit/check/window-recorder.ts'
import type { CheckContext, Feedback, Reading } from '../../kit/lab/types.ts'
import { pings, startTestbed } from '../live.ts'
import { type PredictionRow, showLink, showPredictions } from '../panel-data.ts'

const FILE = 'outage.ts'
const CONFIG = 'client.toml'
const READ: Reading[] = [
  'RFC 9000 §10.1',
  'RFC 9002 §6.2',
  'labs/lab-04-impairment/README.md, "When the network is gone"',
]

const OUTAGE_MS = 3000
const DEAD_WITHIN_MS = 15_000
const SERVER_IDLE_MS = 30_000
/** RFC 9000 §18.2: what both sides announce. */
const MAX_ACK_DELAY_MS = 25
/** The timeline begins with the first packet; the outage comes soon after, so that nobody waits for it. */
const BEFORE_MS = 1500
const INTO_OUTAGE_MS = 100

// Cases ---------------------------------------------------------------------------------------------------------------

function formulas(random: Seeded): CallGroup[] {
  const group = groupsOf(FILE, READ)
  const idle = (own: number, peer: number): Call => ({
    about: own === 0 || peer === 0 ? '0 says: none of mine' : 'the smaller one counts',
    args: [own, peer],
    returns: own === 0 || peer === 0 ? Math.max(own, peer) : Math.min(own, peer),
    because:
      own === 0 || peer === 0
        ? '0 is no timeout of zero, but none: then that of the other side counts.'
        : 'Each side closes after its own timeout at the latest: the smaller one counts.',
  })
  const rtts = random.list(6, i => [
    random.int(10, 300),
    i < 2 ? random.int(0, 24) / 100 : random.int(1, 60),
    random.pick([0, 25, 50]),
  ])
  const series = random.list(5, () => [random.int(0, 5000), random.int(40, 400), random.int(4, 8)])
  const cases = [
    // A probe that is sent at the very end gets through.
    [0, 100, 300, 40],
    ...random.list(8, i => [
      random.int(0, 2000),
      random.int(50, 300),
      i === 0 ? 10 : random.int(3000, 9000),
      random.int(20, 200),
    ]),
  ]
  // The first two: found by trying every moment of sending.
  const outages = [
    [526, 363, 152],
    [2569, 349, 111],
    [100, 300, 40],
    ...random.list(4, () => [random.int(500, 9000), random.int(50, 400), random.int(10, 200)]),
  ].filter(([outage, pto]) => !Number.isInteger(Math.log2(outage! / pto! + 1)))
  return [
    group(
      'idleTimeoutMs(): both sides have a say',
      'idleTimeoutMs',
      [idle(30_000, 5000), idle(random.int(1000, 9000), 10_000), idle(0, 7000), idle(7000, 0), idle(0, 0)],
      [],
    ),
    group(
      'probeTimeoutMs(): when a sender gets nervous',
      'probeTimeoutMs',
      rtts.map(([srtt, variation, delay]) => ({
        about: variation! < 0.25 ? 'hardly any variation' : 'some variation',
        args: [srtt, variation, delay],
        returns: srtt! + Math.max(4 * variation!, 1) + delay!,
      })),
      [
        {
          says: 'Four times the variation, but at least 1 ms: a timer is not finer than that (kGranularity).',
          would: (srtt: number, variation: number, delay: number) => srtt + 4 * variation + delay,
        },
        {
          says: 'What the peer may delay an acknowledgement counts too: it does not answer every packet at once.',
          would: (srtt: number, variation: number) => srtt + Math.max(4 * variation, 1),
        },
        {
          says: 'The variation counts four times.',
          would: (srtt: number, variation: number, delay: number) => srtt + Math.max(variation, 1) + delay,
        },
      ],
    ),
    group(
      'probeTimesMs(): each waits twice as long',
      'probeTimesMs',
      series.map(([sent, pto, count]) => ({
        about: `${count} probes`,
        args: [sent, pto, count],
        returns: probes(sent!, pto!, count!),
      })),
      [
        {
          says: 'The waiting doubles: 1, 2, 4, 8 … timeouts. So the probes are 1, 3, 7, 15 … timeouts after the packet.',
          would: (sent: number, pto: number, count: number) =>
            Array.from({ length: count }, (_, i) => sent + pto * (i + 1)),
        },
        {
          says: 'Each wait begins with the probe before it: 1, then 2 more, then 4 more: 1, 3, 7, 15 … timeouts after the packet, not 1, 2, 4, 8.',
          would: (sent: number, pto: number, count: number) =>
            Array.from({ length: count }, (_, i) => sent + pto * 2 ** i),
        },
        {
          says: 'The packet itself is no probe: the first is sent one timeout after it.',
          would: (sent: number, pto: number, count: number) =>
            Array.from({ length: count }, (_, i) => sent + pto * (2 ** i - 1)),
        },
      ],
    ),
    group(
      'recoveredAtMs(): the first probe that gets through',
      'recoveredAtMs',
      cases.map(([sent, pto, end, rtt]) => ({
        about: `an outage until ${end} ms`,
        args: [sent, pto, end, rtt],
        returns: recovered(sent!, pto!, end!, rtt!),
      })),
      [
        {
          says: 'The end of the outage wakes nobody up: the sender does not know of it. It goes on with the next probe, whenever that is due.',
          would: (_sent: number, _pto: number, end: number, rtt: number) => end + rtt,
        },
        {
          says: 'The answer takes a round trip.',
          would: (sent: number, pto: number, end: number) => recovered(sent, pto, end, 0),
        },
        {
          says: 'This probe is sent while the outage is still on, and is lost.',
          would: (sent: number, pto: number, end: number, rtt: number) =>
            probes(sent, pto, 60).findLast(probe => probe < end)! + rtt,
        },
      ],
    ),
    group(
      'longestRecoveryMs(): at worst',
      'longestRecoveryMs',
      outages.map(([outage, pto, rtt]) => ({
        about: 'the last probe that is lost is sent just before the end of the outage',
        args: [outage, pto, rtt],
        returns: longest(outage!, pto!) + rtt!,
        because:
          'Probe n is due 2^n - 1 timeouts after the packet, and the next one 2^n timeouts later: so the more probes are lost, the longer is the last pause. But the packet was sent in the outage too: probe n can be lost only if 2^n - 1 timeouts fit into it.',
      })),
      [
        {
          says: 'This is a bound, and only reached when 1, 3, 7, 15 … timeouts are exactly as long as the outage. How many probes can be lost at most, when the packet was sent in the outage, too? As many timeouts as the next one waits pass after the last of them.',
          would: (outage: number, pto: number, rtt: number) => outage + pto + rtt,
        },
        {
          says: 'The answer takes a round trip.',
          would: (outage: number, pto: number) => longest(outage, pto),
        },
        {
          says: 'This is the pause before the last probe that is lost. The next one is twice as long.',
          would: (outage: number, pto: number, rtt: number) => longest(outage, pto) / 2 + rtt,
        },
        {
          says: 'So many probes do not fit into the outage: the packet would have been sent before it began.',
          would: (outage: number, pto: number, rtt: number) => longest(outage, pto) * 2 + rtt,
        },
      ],
    ),
  ]
}

// Reference -----------------------------------------------------------------------------------------------------------

function probes(sentMs: number, pto: number, count: number): number[] {
  return Array.from({ length: count }, (_, i) => sentMs + pto * (2 ** (i + 1) - 1))
}

/** From the last probe that can be lost in an outage, sent just before its end, to the next one, ms. */
function longest(outageMs: number, pto: number): number {
  let lost = 0
  while (pto * (2 ** (lost + 1) - 1) < outageMs) lost++
  return pto * 2 ** lost
}

function recovered(sentMs: number, pto: number, endMs: number, roundTripMs: number): number {
  return probes(sentMs, pto, 60).find(probe => probe >= endMs)! + roundTripMs
}

/** Round-trip time and its variation, ms (RFC 9002 §5.3). */
function estimateOf([first = 0, ...rtts]: readonly number[]): { smoothed: number; variation: number } {
  let [smoothed, variation] = [first, first / 2]
  for (const rtt of rtts) {
    variation += (Math.abs(smoothed - rtt) - variation) / 4
    smoothed += (rtt - smoothed) / 8
  }
  return { smoothed, variation }
}

// Judgement -----------------------------------------------------------------------------------------------------------

export async function check(context: CheckContext): Promise<Feedback> {
  await expectGroups(context, 'outage', formulas)
  const config = await expectConfig(context)
  return await expectSurvival(context, config)
}

async function expectConfig(context: CheckContext): Promise<ClientConfig> {
  const config = await context.do(`read ${CONFIG}`, () => {
    const file = join(context.exercises, CONFIG)
    try {
      return parseClientConfig(readConfigFile(file), { file })
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error
      return fail({ expected: `${CONFIG} to be a valid configuration`, found: error.message })
    }
  })
  const { idleTimeoutMs: idle, keepAliveMs: keepAlive = Math.round(idle / 3) } = config.quic
  // The answer may take as long again as the outage: see longestRecoveryMs.
  const needed = 2 * OUTAGE_MS + 300
  const found = `idle_timeout_ms = ${idle}, keep_alive_ms = ${keepAlive}`
  context.expect('the idle timeout outlives the outage', idle > OUTAGE_MS, {
    expected: `idle_timeout_ms above ${OUTAGE_MS}`,
    found,
    misconception:
      'Nothing arrives during an outage. When the idle timeout is over before it ends, the session is closed.',
    read: READ,
  })
  context.expect('and what it takes to recover', idle >= needed, {
    expected: `idle_timeout_ms of at least ${needed}`,
    found,
    misconception:
      'When the outage is over, nothing arrives yet: the next probe may be due as late again as the outage was long (longestRecoveryMs). The idle timer runs on until then.',
    read: READ,
  })
  context.expect(`a dead proxy is noticed within ${DEAD_WITHIN_MS / 1000} s`, idle <= DEAD_WITHIN_MS, {
    expected: `idle_timeout_ms of at most ${DEAD_WITHIN_MS}`,
    found,
    misconception: 'A longer idle timeout survives more, and notices later that there is nothing left to survive.',
    read: READ,
  })
  context.expect('a quiet tunnel is kept alive', keepAlive > 0 && keepAlive < idle, {
    expected: 'keep_alive_ms above 0 and below idle_timeout_ms',
    found,
    misconception:
      'On a quiet tunnel nothing arrives by itself: without a PING now and then, being quiet looks like being dead.',
    read: READ,
  })
  context.expect('one lost PING does not matter', keepAlive <= idle / 2, {
    expected: `keep_alive_ms of at most half of idle_timeout_ms, so ${idle / 2}`,
    found,
    misconception: 'With less than two PINGs in an idle timeout, the loss of one of them may end the session.',
    read: READ,
  })
  context.expect('and the battery lasts', keepAlive >= 1000, {
    expected: 'keep_alive_ms of at least 1000',
    found,
    misconception: 'A radio that is woken up more than once in a second never sleeps.',
    read: READ,
  })
  return config
}

// Live ----------------------------------------------------------------------------------------------------------------

/** The shipped profile with its outage moved forward. */
function earlyOutage(): Profile {
  const profile = loadProfile('outage-3s')
  return { ...profile, timeline: profile.timeline.map(phase => ({ ...phase, atMs: BEFORE_MS })) }
}

async function expectSurvival(context: CheckContext, config: ClientConfig): Promise<Feedback> {
  const profile = earlyOutage()
  const roundTripMs = profile.up.delayMs + profile.down.delayMs
  const outageEndMs = BEFORE_MS + OUTAGE_MS
  const sentMs = BEFORE_MS + INTO_OUTAGE_MS
  // After some pings of the same length the variation is small.
  const [pto] = await valuesOf<number>(context, FILE, 'probeTimeoutMs', [[roundTripMs, 0.5, MAX_ACK_DELAY_MS]], READ)
  const [answer] = await valuesOf<number>(
    context,
    FILE,
    'recoveredAtMs',
    [[sentMs, pto, outageEndMs, roundTripMs]],
    READ,
  )
  const [worst] = await valuesOf<number>(context, FILE, 'longestRecoveryMs', [[OUTAGE_MS, pto, roundTripMs]], READ)
  const rows: PredictionRow[] = [
    { name: 'datagrams, a ping in each 100 ms: back after', predicted: roundTripMs, unit: 'ms' },
    { name: 'stream, what was sent into the outage', predicted: answer! - outageEndMs, unit: 'ms' },
    { name: 'stream, at worst', predicted: worst!, unit: 'ms' },
    { name: 'an idle timeout of 2.5 s: lost after', predicted: 2500, unit: 'ms' },
  ]
  showPredictions(context, rows)

  const bed = await startTestbed(context, {
    profile: { ...profile, timeline: [] },
    seed: `${context.seed} outage`,
    idleTimeoutMs: SERVER_IDLE_MS,
    client: {
      quic: {
        idleTimeoutMs: config.quic.idleTimeoutMs,
        ...(config.quic.keepAliveMs !== undefined && { keepAliveMs: config.quic.keepAliveMs }),
      },
    },
  })
  const onStream = bed.addClient({ tunnel: { encapsulation: 'single-stream' } })
  const impatient = bed.addClient({ quic: { idleTimeoutMs: 2500, keepAliveMs: 500 } })
  await context.do('open two more tunnels', () =>
    bed.whileAlive(() => Promise.all([onStream.connect(), impatient.connect()])),
  )
  watchTunnel(context, 'idle timeout 2.5 s', impatient)
  watchTunnel(context, 'on one stream', onStream)
  const lost: string[] = []
  bed.client.on('down', error => lost.push(`in datagrams: ${error.message}`))
  onStream.on('down', error => lost.push(`on the stream: ${error.message}`))
  const before = await context.do('a few pings, so that both know the round trip', () =>
    pings(context, bed, onStream, { count: 20, intervalMs: 60, timeoutMs: 5000 }),
  )

  let beganAt = performance.now()
  bed.link.once('phase', ({ atMs }) => {
    beganAt = performance.now() - atMs
  })
  const endOfRun = outageEndMs + worst! * 2 + 1000
  impatient.once('down', () => {
    rows[3].measured = performance.now() - beganAt - BEFORE_MS
    showPredictions(context, rows)
  })
  await bed.setProfile(profile)
  await bed.link.beginTimeline()
  beganAt = performance.now()
  const look = () => {
    const nowMs = performance.now() - beganAt
    const out = nowMs >= BEFORE_MS && nowMs < outageEndMs
    showLink(context, {
      profile: 'outage-3s',
      delayMs: { up: profile.up.delayMs, down: profile.down.delayMs },
      loss: { up: out ? 1 : 0, down: out ? 1 : 0 },
      state: out ? 'outage' : nowMs < BEFORE_MS ? 'before' : 'over',
    })
    context.progress(
      Math.min(nowMs, endOfRun),
      endOfRun,
      out ? 'the outage' : nowMs < BEFORE_MS ? 'before the outage' : 'after the outage',
    )
  }
  const timer = setInterval(look, 200)
  context.defer(() => clearInterval(timer))
  const count = Math.ceil((outageEndMs + 1500) / 100)
  const [inDatagrams, back] = await context.do('an outage of three seconds', () =>
    Promise.all([
      pings(context, bed, bed.client, { count, intervalMs: 100, timeoutMs: 1000 }),
      (async () => {
        await new Promise(resolve => setTimeout(resolve, sentMs - (performance.now() - beganAt)))
        await onStream.ping(bed.library, { timeoutMs: endOfRun - sentMs }).catch(() => undefined)
        return performance.now() - beganAt - outageEndMs
      })(),
    ]),
  )
  clearInterval(timer)
  const first = inDatagrams.find(({ sentMs, rttMs }) => sentMs >= BEFORE_MS + 200 && rttMs !== undefined)
  rows[0].measured = first === undefined ? Number.NaN : Math.max(0, first.sentMs + first.rttMs! - outageEndMs)
  rows[1].measured = back
  showPredictions(context, rows)

  context.expect('the sessions survive', lost.length === 0 && bed.client.connected && onStream.connected, {
    expected: 'both tunnels open, without a reconnect',
    found: lost.join('; ') || 'a tunnel is not open',
    read: READ,
  })
  context.expect('packets in datagrams flow again', first !== undefined, {
    expected: 'answers within 1.5 s after the outage',
    found: 'none',
    read: READ,
  })
  context.expect('what was sent into the outage on the stream is answered', back <= 2 * worst! + 1000, {
    expected: `an answer at most ${formatNumber(worst!)} ms after the outage (twice that and a second on a busy machine)`,
    found: `none after ${formatNumber(back)} ms`,
    read: READ,
  })
  return {
    passed: true,
    expected: 'sessions that live through three seconds without a network, and a prediction of when they are back',
    found: `${rows
      .map(
        row =>
          `${row.name}: ${row.measured === undefined ? 'not measured' : `${formatNumber(row.measured)} ms`} (predicted ${formatNumber(row.predicted)})`,
      )
      .join('; ')}${whyItMissed(
      back,
      rows[1].predicted,
      pto!,
      before.flatMap(({ rttMs }) => rttMs ?? []),
    )}`,
    read: READ,
  }
}

/** Nothing when the answer on the stream came about when it was predicted, ms after the outage. `rtts`: of the pings before it. */
function whyItMissed(backMs: number, predictedMs: number, pto: number, rtts: readonly number[]): string {
  const near = (otherMs: number) => Math.abs(backMs - otherMs) <= 50 + 0.2 * otherMs
  if (near(predictedMs) || rtts.length < 2) return ''
  const { smoothed, variation } = estimateOf(rtts)
  const real = smoothed + Math.max(4 * variation, 1) + MAX_ACK_DELAY_MS
  const sinceSentMs = OUTAGE_MS - INTO_OUTAGE_MS
  const thenMs = recovered(0, real, sinceSentMs, smoothed) - sinceSentMs
  const number = probes(0, real, 60).findIndex(probe => probe >= sinceSentMs) + 1
  const fits = [3, 4, 5, 6, 7].flatMap(n => {
    const timeout = (sinceSentMs + backMs - smoothed) / (2 ** n - 1)
    return timeout >= smoothed && timeout * (2 ** (n - 1) - 1) < sinceSentMs
      ? [`${formatNumber(timeout)} ms (probe ${n})`]
      : []
  })
  return (
    `. Why the answer on the stream missed its prediction: probe n is due 2^n - 1 timeouts after the packet, so what the timeout is off by counts so many times. ` +
    `Predicted was a timeout of ${formatNumber(pto)} ms. The pings before the outage took ${formatNumber(smoothed)} ms and varied by ${formatNumber(variation)} ms, ` +
    `which makes ${formatNumber(real)} ms; with that, probe ${number} is answered ${formatNumber(thenMs)} ms after the outage` +
    (near(thenMs) || fits.length === 0 ? '' : `. The answer that came fits a timeout of ${fits.join(' or ')}`)
  )
}
