/**
 * Task 7: the outside of a tunnel changes. The student's code first: predictions by exact values, then what a proxy believes, event by event. Then the
 * answers; and, in front of the student, a run over emulated paths, whose figures the last two questions are about.
 *
 * No time decides: what the run decides on is that a tunnel that moves, or whose NAT forgets, is the same tunnel afterwards. In grading nothing
 * is measured: the run is the one in measured.toml.
 */
import {
  type Call,
  type CallGroup,
  expectGroups,
  groupsOf,
  type Misconception,
  valuesOf,
} from '../../kit/check/calls.ts'
import { formatNumber } from '../../kit/check/format.ts'
import { expectAroundRun, type OwnQuestion, type OwnRun } from '../../kit/check/own-runs.ts'
import { expectChoices } from '../../kit/check/questions.ts'
import { Seeded } from '../../kit/check/seeded.ts'
import { watchTunnel } from '../../kit/check/window-recorder.ts'
import type { CheckContext, Feedback, Reading } from '../../kit/lab/types.ts'
import { IDLE_MS, INTERVAL_MS, measureMoving, PAUSE_MS, recordMoving, TASK, WHOLE } from '../moving.ts'
import { expectNear } from '../near.ts'
import { type PredictionRow, showLink, showPredictions } from '../panel-data.ts'
import { followPath, type Path, type PathEvent, QUIRKS, type Quirk } from '../path-model.ts'

const FILE = 'migration.ts'
const READ: Reading[] = ['RFC 9000 §8.2, §9.1 to §9.3', 'labs/lab-04-impairment/README.md, "Another address"']

// Cases ---------------------------------------------------------------------------------------------------------------

function predictions(random: Seeded): CallGroup[] {
  const group = groupsOf(FILE, READ)
  const rtts = [20, ...random.list(4, () => random.int(5, 400))]
  return [
    {
      ...group(
        'moveSilenceMs(): the client moves',
        'moveSilenceMs',
        rtts.map(rtt => ({ about: `a round trip of ${rtt} ms`, args: [rtt], returns: 1.5 * rtt })),
        [
          {
            says: 'Before the first ping can leave on the new path, the path has to answer the challenge: that takes a round trip of its own.',
            would: (rtt: number) => rtt / 2,
          },
          {
            says: 'Before the first ping can leave on the new path, the path has to answer the challenge; and what had left the proxy before the move still arrives.',
            would: (rtt: number) => rtt,
          },
          {
            says: 'What had left the proxy before the move still arrives, until half a round trip later: the silence begins only then.',
            would: (rtt: number) => 2 * rtt,
          },
          {
            says: 'A handshake is what a new connection needs. This one goes on: a challenge and its answer, and then the first ping.',
            would: (rtt: number) => 4 * rtt,
          },
          {
            says: 'The client need not wait for the challenge of the proxy: it sends as soon as its own was answered.',
            would: (rtt: number) => 2.5 * rtt,
          },
        ],
      ),
      exact: true,
    },
    {
      ...group(
        'rebindSilenceMs(): a NAT forgets',
        'rebindSilenceMs',
        rtts.map(rtt => ({ about: `${rtt} ms from the NAT to the proxy and back`, args: [rtt], returns: rtt })),
        [
          {
            says: 'Until the proxy has a packet from the new port, it sends to the old one. That packet is under way for half of this time, and the reply to it for the other half.',
            would: (rtt: number) => rtt / 2,
          },
          {
            says: 'The proxy does not wait until the new port is validated: it sends there at once, if not without limit. So the challenge costs no time.',
            would: (rtt: number) => 2 * rtt,
          },
          {
            says: 'The client does not move here, and probes nothing: it does not even know. The proxy follows the first packet that comes.',
            would: (rtt: number) => 1.5 * rtt,
          },
          {
            says: 'What is on its way from the proxy to the NAT goes to a port that is no more, until the proxy has heard of the new one.',
            would: () => 0,
          },
        ],
      ),
      exact: true,
    },
    {
      ...group(
        'reconnectSilenceMs(): nobody moves',
        'reconnectSilenceMs',
        [
          [64, 4000, 25],
          ...random.list(5, () => [random.int(5, 400), random.int(1500, 60_000), random.int(5, 900)]),
        ].map(([rtt, idle, pause]) => ({
          about: `an idle timeout of ${idle} ms`,
          args: [rtt, idle, pause],
          returns: idle! + pause! + 4 * rtt!,
        })),
        [
          {
            says: 'That is the reconnect alone. Before it, the client has to notice that its session is dead, and it notices by nothing but silence: the idle timeout.',
            would: (rtt: number, _: number, pause: number) => pause + 4 * rtt,
          },
          {
            says: 'When the tunnel is there, nothing has come out of it yet: the first ping takes one more round trip.',
            would: (rtt: number, idle: number, pause: number) => idle + pause + 3 * rtt,
          },
          {
            says: 'One round trip is the handshake. Then the client waits for the SETTINGS, and for the response to its request: count as in task 1 of lab 2.',
            would: (rtt: number, idle: number, pause: number) => idle + pause + 2 * rtt,
          },
          {
            says: 'The pause before the first attempt is missing.',
            would: (rtt: number, idle: number) => idle + 4 * rtt,
          },
          {
            says: 'The idle timer begins anew with each packet that arrives, and with the first one that is sent after it (RFC 9000 §10.1): with pings all the time, that is the same moment. So it runs from the last reply on, and nothing comes on top for the way of that.',
            would: (rtt: number, idle: number, pause: number) => idle + pause + 4.5 * rtt,
          },
        ],
      ),
      exact: true,
    },
  ]
}

interface Story {
  about: string
  because: string
  events: PathEvent[]
}

const received = (from: string, number: number, more: Partial<PathEvent & { kind: 'received' }> = {}): PathEvent => ({
  kind: 'received',
  from,
  bytes: 100,
  number,
  probing: false,
  ...more,
})
const probe = (from: string, number: number, more: Partial<PathEvent & { kind: 'received' }> = {}) =>
  received(from, number, { probing: true, bytes: 1200, ...more })
const sent = (to: string, bytes: number, challenge?: string): PathEvent => ({
  kind: 'sent',
  to,
  bytes,
  ...(challenge !== undefined && { challenge }),
})
const gaveUp = (challenge: string): PathEvent => ({ kind: 'gave-up', challenge })

const FOLLOWS =
  'It follows, at once, the packet with the highest number among those that are not probing (RFC 9000 §9.3).'
const LIMIT = 'Until the address is validated: at most three times the bytes that came from there (§8).'
const ANSWERED = 'The answer to a challenge validates the address that the challenge was sent to (§8.2.3).'
const STAYS = 'What is validated stays it.'
const BACK =
  'It goes back from the address that it sends to, if that is not validated, to the last one in use that was (§9.3.2).'

/** The handshake came from A. Each of them is about one decision. */
const STORIES: readonly Story[] = [
  { about: 'nothing has happened', because: 'The address of the handshake is validated.', events: [] },
  {
    about: 'a NAT has forgotten: the next packet comes from B',
    because: FOLLOWS,
    events: [received('A', 1), received('B', 2)],
  },
  {
    about: 'a client tries another path',
    because: FOLLOWS,
    events: [received('A', 1), probe('B', 2), sent('B', 1200, 'c1')],
  },
  {
    about: 'a packet that was sent before the move arrives after it',
    because: FOLLOWS,
    events: [received('A', 1), received('B', 3), received('A', 2)],
  },
  {
    about: 'the same packet number is no higher one',
    because: FOLLOWS,
    events: [received('A', 4), received('B', 4)],
  },
  {
    about: 'a probe from B has overtaken a packet from C',
    because: FOLLOWS,
    events: [received('A', 1), probe('B', 5), received('C', 3)],
  },
  {
    about: 'a packet from B, and what the proxy has sent there',
    because: LIMIT,
    events: [received('B', 2), sent('B', 50), sent('A', 1000), received('B', 3)],
  },
  {
    about: 'the client has probed, then moved',
    because: LIMIT,
    events: [probe('B', 2), sent('B', 1200, 'c1'), received('B', 3)],
  },
  {
    about: 'the proxy has sent as much as it may, and more',
    because: LIMIT,
    events: [received('B', 2), sent('B', 400)],
  },
  {
    about: 'the answer to the challenge has come',
    because: 'An address that has answered a challenge is validated: there is no limit any more.',
    events: [received('B', 2), sent('B', 300, 'c1'), received('B', 3, { response: 'c1' })],
  },
  {
    about: 'a response that answers no challenge',
    because: ANSWERED,
    events: [received('B', 2), sent('B', 300, 'c1'), received('B', 3, { response: 'c9' })],
  },
  {
    about: 'the answer comes on the old path',
    because: ANSWERED,
    events: [received('B', 4), sent('B', 300, 'c1'), probe('A', 5, { response: 'c1' })],
  },
  {
    about: 'the answer to a challenge that went to B comes from C, where the client is now',
    because: ANSWERED,
    events: [received('B', 2), sent('B', 300, 'c1'), received('C', 3, { response: 'c1' })],
  },
  {
    about: 'B was validated while the client still sent from A, and now it moves',
    because: STAYS,
    events: [
      probe('B', 2),
      sent('B', 1200, 'c1'),
      probe('B', 3, { response: 'c1' }),
      received('A', 4),
      received('B', 5),
    ],
  },
  {
    about: 'there and back again',
    because: STAYS,
    events: [received('A', 1), received('B', 2), received('A', 3)],
  },
  {
    about: 'no answer from B',
    because: BACK,
    events: [received('A', 1), received('B', 2), sent('B', 300, 'c1'), gaveUp('c1')],
  },
  {
    about: 'no answer from B, and then one more packet from there',
    because: 'It follows again, and the limit is still that of all that came from there and was sent there.',
    events: [received('B', 2), sent('B', 200, 'c1'), gaveUp('c1'), received('B', 3)],
  },
  {
    about: 'a challenge to B is given up when the client is back at A long since, and has gone to C',
    because: BACK,
    events: [received('B', 2), sent('B', 300, 'c1'), received('C', 3), gaveUp('c1')],
  },
  {
    about: 'the first of two challenges is given up; the second was answered',
    because: BACK,
    events: [
      received('B', 2),
      sent('B', 150, 'c1'),
      sent('B', 150, 'c2'),
      received('B', 3, { response: 'c2' }),
      gaveUp('c1'),
    ],
  },
  {
    about: 'moved to B, which has answered; then to C, which has not',
    because: BACK,
    events: [
      received('B', 2),
      sent('B', 300, 'c1'),
      received('B', 3, { response: 'c1' }),
      received('C', 4),
      sent('C', 300, 'c2'),
      gaveUp('c2'),
    ],
  },
  {
    about: 'B has answered before the client has moved there; then C, which does not answer',
    because: `${BACK} B was probed, and never in use.`,
    events: [
      probe('B', 2),
      sent('B', 1200, 'c1'),
      probe('B', 3, { response: 'c1' }),
      received('C', 4),
      sent('C', 300, 'c2'),
      gaveUp('c2'),
    ],
  },
]

/** A connection whose client goes here and there, with packets out of order, probes, answers that come and that do not. */
function wandering(random: Seeded): PathEvent[] {
  const open = new Map<string, string>()
  let number = 1
  const event = (i: number): PathEvent => {
    const at = random.pick(['A', 'B', 'C', 'D'])
    const [challenge] = random.pick([[undefined], ...open])
    if (challenge !== undefined && random.boolean()) {
      const to = open.get(challenge) as string
      if (random.int(1, 3) > 1) open.delete(challenge)
      return random.boolean()
        ? received(random.pick([to, to, at]), number++, { probing: random.boolean(), response: challenge })
        : gaveUp(challenge)
    }
    if (random.int(1, 3) === 1) {
      const asks = at !== 'A' && random.boolean()
      if (asks) open.set(`c${i}`, at)
      return sent(at, random.int(40, 1400), asks ? `c${i}` : undefined)
    }
    const late = random.int(1, 4) === 1
    return received(at, late ? random.int(0, number) : (number += random.int(1, 3)), {
      bytes: random.int(40, 1400),
      probing: random.int(1, 4) === 1,
      ...(random.int(1, 8) === 1 && { response: 'guessed' }),
    })
  }
  return Array.from({ length: random.int(3, 14) }, (_, i) => event(i))
}

function believing(random: Seeded): CallGroup[] {
  const call = ({ about, because, events }: Story): Call => ({
    about,
    args: ['A', events],
    shown: `'A', [${events.map(inShort).join('; ')}]`,
    returns: followPath('A', events),
    because,
  })
  const misconceptions: Misconception[] = (Object.keys(QUIRKS) as Quirk[]).map(quirk => ({
    says: QUIRKS[quirk],
    would: (first: string, events: PathEvent[]) => followPath(first, events, quirk),
  }))
  const own = random.list(40, () =>
    call({ about: 'a client that goes here and there', because: 'All rules together.', events: wandering(random) }),
  )
  return [
    {
      ...groupsOf(FILE, READ)(
        'followPath(): when the proxy believes it',
        'followPath',
        [...STORIES.map(call), ...own],
        misconceptions,
      ),
      accepts: (found, expected) => {
        const [a, b] = [found as Partial<Path> | null, expected as Path]
        return a?.address === b.address && a.room === b.room
      },
    },
  ]
}

function inShort(event: PathEvent): string {
  if (event.kind === 'gave-up') return `gave up ${event.challenge}`
  if (event.kind === 'sent') {
    return `sent ${event.bytes} to ${event.to}${event.challenge === undefined ? '' : `, challenge ${event.challenge}`}`
  }
  const { from, number, bytes, probing, response } = event
  return `${probing ? 'probe' : 'packet'} ${number} from ${from}, ${bytes}${response === undefined ? '' : `, response ${response}`}`
}

const CHOICES: Readonly<Record<string, { right: string; wrong: Readonly<Record<string, string>> }>> = {
  finds: {
    right: 'b',
    wrong: {
      a: 'That is how TCP finds a connection; and why TCP does not survive a change of address. QUIC has a name of its own for a connection. (Who chooses connection IDs of no length has nothing but the addresses, either; those of our proxy have eight bytes.)',
      c: 'A packet number says how many packets there were, and is encrypted. It is found out only when the connection is known.',
      d: 'The session ticket is for the next connection, not for this one.',
    },
  },
  proves: {
    right: 'c',
    wrong: {
      a: 'The proxy has learnt nothing by answering: anybody can send a challenge from an address that is not theirs. So it sends one of its own.',
      b: 'For that there are two challenges, one in each direction. Each of them proves something to whoever has sent it.',
      d: 'That no packet was changed is what encryption is for, in every packet. A challenge is about the way.',
    },
  },
  inner: {
    right: 'a',
    wrong: {
      b: 'That is what a client does after a reconnect, when it has another session. Here it has the same one, and asks for nothing.',
      c: 'Leases are kept for a session that was lost. This one was not.',
      d: 'Outside and inside have nothing to do with each other: the proxy routes packets into the tunnel, and translates none for it.',
    },
  },
  flight: {
    right: 'd',
    wrong: {
      a: 'It has left the client when the path was still there, and what is on the path arrives.',
      b: 'A datagram is not sent again, and a ping is not delayed: it had no reply at all.',
      c: 'The proxy sends to the address that it knows, whether somebody is there or not.',
    },
  },
}

const FIGURES = [
  'rtt_ms',
  'move_silence_ms',
  'reconnect_silence_ms',
  'reconnect_noticed_ms',
  'reconnect_lost',
  'move_lost',
]

const TRIPS: OwnQuestion = {
  task: TASK,
  figures: FIGURES,
  whole: WHOLE,
  right: run => run.move_silence_ms! / run.rtt_ms!,
  wrong: [
    { says: 'That is the silence in ms. How many round trips is it?', would: run => run.move_silence_ms! },
    {
      says: 'Upside down: that is how much of the silence one round trip is.',
      would: run => run.rtt_ms! / run.move_silence_ms!,
    },
    {
      says: 'That is the way there: a round trip is there and back.',
      would: run => (2 * run.move_silence_ms!) / run.rtt_ms!,
    },
    {
      says: 'That is what was predicted. What was measured is among the figures of your run, and a little more.',
      would: () => 1.5,
    },
  ],
  units: ['rtt', 'round', 'trips', 'round trips'],
  read: READ,
}

const NOTICING: OwnQuestion = {
  task: TASK,
  figures: FIGURES,
  whole: WHOLE,
  right: run => (100 * run.reconnect_noticed_ms!) / run.reconnect_silence_ms!,
  wrong: [
    {
      says: 'That is the part in which the client connects anew, and nothing but that.',
      would: run => 100 - (100 * run.reconnect_noticed_ms!) / run.reconnect_silence_ms!,
    },
    { says: 'That is a share, and not percent.', would: run => run.reconnect_noticed_ms! / run.reconnect_silence_ms! },
    {
      says: 'The timeout is what was set. When the client really noticed is among the figures of your run.',
      would: run => (100 * IDLE_MS) / run.reconnect_silence_ms!,
    },
    { says: 'That is in ms. How much of the whole silence is it?', would: run => run.reconnect_noticed_ms! },
  ],
  units: ['%', 'percent'],
  // Of what was set and what was measured, the difference is some ms.
  tolerance: 0.002,
  read: READ,
}

// Judgement -----------------------------------------------------------------------------------------------------------

export async function check(context: CheckContext): Promise<Feedback> {
  await expectGroups(context, TASK, random => [...predictions(random), ...believing(random)])
  const run = await expectAroundRun(context, {
    task: TASK,
    figures: FIGURES,
    whole: WHOLE,
    before: expectChoices(CHOICES, READ),
    measure: () => measure(context),
    draw: run => draw(context, run),
    own: { trips: TRIPS, noticing: NOTICING },
  })
  return {
    passed: true,
    expected: 'a tunnel that moves within a few round trips, and one that does not move and waits for a timer',
    found: `your run: a move took ${formatNumber(run.move_silence_ms!)} ms and ${run.move_lost} pings, a reconnect ${formatNumber(run.reconnect_silence_ms!)} ms and ${run.reconnect_lost}, at a round trip of ${run.rtt_ms} ms`,
    read: READ,
  }
}

// Live ----------------------------------------------------------------------------------------------------------------

/** What the student's formulas give for such a round trip. */
async function predicted(context: CheckContext, rttMs: number): Promise<PredictionRow[]> {
  // From one reply to the next one is the interval of the pings, even if nothing happens: it comes on top.
  const row = async (name: string, formula: string, ...args: number[]): Promise<PredictionRow> => {
    const [silenceMs] = await valuesOf<number>(context, FILE, formula, [args], READ)
    return { name: `${name}: silent for`, predicted: silenceMs! + INTERVAL_MS, unit: 'ms' }
  }
  return [
    await row('the client moves', 'moveSilenceMs', rttMs),
    // On this link the NAT is beside the proxy: it is 0 ms from one to the other.
    await row('a NAT at the proxy forgets', 'rebindSilenceMs', 0),
    await row('nobody moves', 'reconnectSilenceMs', rttMs, IDLE_MS, PAUSE_MS),
  ]
}

async function draw(context: CheckContext, run: OwnRun): Promise<void> {
  const measured = [run.move_silence_ms, run.rebind_silence_ms, run.reconnect_silence_ms]
  const rows = await predicted(context, run.rtt_ms!)
  showPredictions(
    context,
    rows.map((row, i) => ({ ...row, measured: measured[i] })),
  )
}

async function measure(context: CheckContext): Promise<void> {
  const rttMs = new Seeded(context.seed, 'moving').int(80, 140)
  const rows = await predicted(context, rttMs)
  showPredictions(context, rows)
  let step = 0
  const measured = await context.do(`measure a move, a rebinding and a reconnect, over paths of ${rttMs} ms`, () =>
    measureMoving(rttMs, {
      signal: context.signal,
      onTunnel: (title, client) => watchTunnel(context, title, client),
      onStep: state => {
        context.progress(step++, 3, state)
        showLink(context, {
          profile: 'two paths',
          delayMs: { up: rttMs / 2, down: rttMs / 2 },
          loss: { up: 0, down: 0 },
          state,
        })
      },
    }),
  )
  const { move, rebind, reconnect } = measured
  rows[0]!.measured = move.silenceMs
  rows[1]!.measured = rebind.silenceMs
  rows[2]!.measured = reconnect.silenceMs
  showPredictions(context, rows)
  for (const [what, { kept }] of [
    ['the move', move],
    ['the rebinding', rebind],
  ] as const) {
    context.expect(`the tunnel survives ${what}`, kept, {
      expected: 'the same session with the same addresses inside',
      found: 'another session, or none',
      read: READ,
    })
  }
  await context.do('keep the figures of the run', () => recordMoving(context, measured))
  expectNear(context, TASK, rows, READ)
}
