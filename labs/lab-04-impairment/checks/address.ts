/**
 * Task 7: the client's address changes. The answers first; then both profiles are measured, with the change moved to the beginning.
 *
 * What the live part decides on: that the session survives the rebinding, and that after the handover traffic flows again by a new
 * session. Times are shown, not judged: the idle timeout makes up most of them.
 */
import { loadProfile } from '../../../src/link/profile/load-profile.ts'
import type { Profile } from '../../../src/link/profile/profile.ts'
import { formatNumber } from '../../kit/check/format.ts'
import { expectOwnNumber, type OwnQuestion, ownRuns, recordRun } from '../../kit/check/own-runs.ts'
import { expectChoice, expectEach, expectNumber, MILLISECONDS } from '../../kit/check/questions.ts'
import type { CheckContext, Feedback, Reading } from '../../kit/lab/types.ts'
import { RECOVERIES } from '../address-change.ts'
import { pings, startTestbed } from '../live.ts'
import { type PredictionRow, showLink, showPredictions } from '../panel-data.ts'

const READ: Reading[] = ['RFC 9000 §5.1, §9.3', 'labs/lab-04-impairment/README.md, "Another address"']

export const IDLE_MS = 4000
const KEEP_ALIVE_MS = 1000
const BEFORE_MS = 1500

// Cases ---------------------------------------------------------------------------------------------------------------

/** Accepted predictions of the gap: the idle timeout is most of it; what comes on top is well below a second. */
const GAP = { least: 3500, most: 5500 }

const CHOICES: Readonly<Record<string, { right: string; wrong: Readonly<Record<string, string>> }>> = {
  finds: {
    right: 'b',
    wrong: {
      a: 'That is how TCP finds a connection; and why TCP does not survive a change of address. QUIC has a name of its own for a connection.',
      c: 'A packet number says how many packets there were, and is encrypted. It is found out only when the connection is known.',
      d: 'The session ticket is for the next connection, not for this one.',
    },
  },
  rebind: {
    right: 'c',
    wrong: {
      a: 'The client knows nothing of a rebinding: its own address and port are the same as ever. So it cannot reconnect because of it.',
      b: 'The connection is found by its connection ID, not by the address. A known ID with another source port is a client that has moved.',
      d: 'Waiting for the idle timeout is for when nothing arrives. Here the packets of the client arrive all the time.',
    },
  },
  handover: {
    right: 'd',
    wrong: {
      a: 'QUIC can do this (RFC 9000 §9), but somebody has to: a client has to open a socket in the new network, and to probe the path. Here nobody tells this client where the second network is.',
      b: 'The server sends to the address that it knows. It cannot know the new one before the client has sent something from there.',
      c: 'Wi-Fi that is out of reach sends no error. There is just silence.',
    },
  },
}

const RECONNECT: OwnQuestion = {
  task: 'address',
  figures: ['session_lost_after_ms', 'traffic_after_ms'],
  right: run => run.traffic_after_ms - run.session_lost_after_ms,
  wrong: [
    {
      says: 'That is the whole gap: most of it is over before the client begins to connect again.',
      would: run => run.traffic_after_ms,
    },
    {
      says: 'That is how long the client did not know that its session is dead. The reconnect begins then.',
      would: run => run.session_lost_after_ms,
    },
    {
      says: 'The timeout is what was set. When the session really ended is among the figures of your run.',
      would: run => run.traffic_after_ms - IDLE_MS,
    },
    {
      says: 'That is in seconds.',
      would: run => (run.traffic_after_ms - run.session_lost_after_ms) / 1000,
    },
  ],
  units: MILLISECONDS,
  read: READ,
}

// Judgement -----------------------------------------------------------------------------------------------------------

export async function check(context: CheckContext): Promise<Feedback> {
  const reconnect = (each: CheckContext) => expectOwnNumber(each, 'reconnect', RECONNECT)
  // Who has not measured yet cannot answer it; and a wrong answer needs no new measurement.
  const isMeasured = ownRuns(context.exercises, 'address', RECONNECT.figures).length > 0
  const isAnswered = isMeasured && context.answers.reconnect !== ''
  let gap = Number.NaN
  expectEach(context, [
    ...Object.entries(CHOICES).map(([question, choice]) => (each: CheckContext) => {
      expectChoice(each, question, { ...choice, read: READ })
    }),
    each => {
      gap = expectNumber(each, 'gap', {
        text: 'your prediction of the gap',
        expected: 'a time in ms that follows from the timers in the brief, under [address], as gap',
        right: ms => ms >= GAP.least && ms <= GAP.most,
        wrong: gapMisconception,
        units: MILLISECONDS,
        read: READ,
      })
    },
    ...(context.mode === 'unattended' || isAnswered ? [reconnect] : []),
  ])
  const rows: PredictionRow[] = [
    { name: 'nat-rebind: nothing flows for', predicted: 0, unit: 'ms' },
    { name: 'handover: the session is lost after', predicted: IDLE_MS, unit: 'ms' },
    { name: 'handover: traffic flows again after', predicted: gap, unit: 'ms' },
  ]
  showPredictions(context, rows)
  await expectRebind(context, rows)
  await expectHandover(context, rows)
  recordRun(context, 'address', { session_lost_after_ms: rows[1].measured!, traffic_after_ms: rows[2].measured! })
  reconnect(context)
  return {
    passed: true,
    expected: 'a session that lives through a rebinding, and one that does not live through a handover',
    found: rows
      .map(row => `${row.name} ${formatNumber(row.measured!)} ms (predicted ${formatNumber(row.predicted)})`)
      .join('; '),
    read: READ,
  }
}

function gapMisconception(gap: number): string {
  if (gap > 0 && gap < GAP.least / 100) return 'The answer is asked for in ms.'
  if (gap < GAP.least) {
    return 'A reconnect takes a few round trips, and that is the smaller part. Before it, the client has to notice that its session is dead, and it notices by nothing but silence.'
  }
  return 'As soon as the idle timeout is over, the client opens a new session. Nothing else keeps it waiting: neither the timeout of the server nor one more of its own.'
}

// Live ----------------------------------------------------------------------------------------------------------------

function early(name: string): Profile {
  const profile = loadProfile(name)
  const change = profile.timeline.find(phase => phase.kind === 'address-change')
  const by = (change?.atMs ?? 0) - BEFORE_MS
  const timeline = profile.timeline.filter(phase => phase.kind === 'address-change' || phase.atMs >= by)
  return { ...profile, timeline: timeline.map(phase => ({ ...phase, atMs: Math.max(0, phase.atMs - by) })) }
}

async function startMoving(context: CheckContext, profile: Profile) {
  const bed = await startTestbed(context, {
    profile: { ...profile, timeline: [] },
    seed: `${context.seed} ${profile.name}`,
    client: { quic: { idleTimeoutMs: IDLE_MS, keepAliveMs: KEEP_ALIVE_MS } },
  })
  const link = (state: string) =>
    showLink(context, {
      profile: profile.name,
      delayMs: { up: profile.up.delayMs, down: profile.down.delayMs },
      loss: { up: 0, down: 0 },
      state,
    })
  link('before')
  const changed = new Promise<number>(resolve => bed.link.once('address-change', () => resolve(performance.now())))
  await bed.setProfile(profile)
  await bed.link.beginTimeline()
  return { bed, changed, link }
}

async function expectRebind(context: CheckContext, rows: PredictionRow[]): Promise<void> {
  const { bed, changed, link } = await startMoving(context, early('nat-rebind'))
  let lost = ''
  bed.client.on('down', error => {
    lost = error.message
  })
  let changedAt = Number.POSITIVE_INFINITY
  void changed.then(at => {
    changedAt = at
    link('rebound: another port')
  })
  let worst = 0
  let heardAt = performance.now()
  const count = 70
  let done = 0
  await context.do('ping while the NAT forgets', () =>
    pings(context, bed, bed.client, { count, intervalMs: 50, timeoutMs: 1500 }, () => {
      if (performance.now() > changedAt) worst = Math.max(worst, performance.now() - heardAt)
      heardAt = performance.now()
      context.progress(++done, count, 'pings through the NAT')
    }),
  )
  rows[0].measured = Math.max(0, worst - 50)
  showPredictions(context, rows)
  const { addressChanges } = await bed.link.counters()
  context.expect('the session survives the rebinding', addressChanges > 0 && lost === '' && bed.client.connected, {
    expected: 'the same session after the change of the port',
    found: lost || `${addressChanges} address changes; connected: ${bed.client.connected}`,
    read: READ,
  })
  await context.do('close the first network', () => bed.close())
}

async function expectHandover(context: CheckContext, rows: PredictionRow[]): Promise<void> {
  const { bed, changed, link } = await startMoving(context, early('handover-wifi-lte'))
  const startedAt = performance.now()
  const expectMs = BEFORE_MS + IDLE_MS + 1000
  const timer = setInterval(() => {
    const nowMs = performance.now() - startedAt
    context.progress(Math.min(nowMs, expectMs), expectMs, nowMs < BEFORE_MS ? 'on Wi-Fi' : 'out of the house')
  }, 200)
  context.defer(() => clearInterval(timer))
  const keepTalking = setInterval(() => void bed.client.ping(bed.library).catch(() => {}), 100)
  context.defer(() => clearInterval(keepTalking))
  let lostAt = Number.NaN
  bed.client.once('down', () => {
    lostAt = performance.now()
  })
  const changedAt = await context.do('walk out of the house', () => bed.whileAlive(() => changed))
  link('second attachment')
  const { client, kept } = await context.do('get over it by a reconnect', () => RECOVERIES.reconnect(bed, bed.client))
  await context.do('ping over the new network', () => client.ping(bed.library, { timeoutMs: 10_000 }))
  clearInterval(timer)
  clearInterval(keepTalking)
  rows[1].measured = kept ? 0 : lostAt - changedAt
  rows[2].measured = performance.now() - changedAt
  showPredictions(context, rows)
}
