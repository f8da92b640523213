/**
 * Task 5: the student's CoDel in virtual time. First on scripts of arrivals and departures, where RFC 8289 says for every packet
 * what becomes of it; then in a closed loop with a sender that fills its window, against a plain queue.
 */

import { median } from '../../../src/stats/statistics.ts'
import { type CallGroup, describeOutcome, expectGroups, manners, sources } from '../../kit/check/calls.ts'
import { format, formatNumber, percent, ROUNDING, same } from '../../kit/check/format.ts'
import type { Seeded } from '../../kit/check/seeded.ts'
import type { CheckContext, Feedback, Reading } from '../../kit/lab/types.ts'
import type { StudentObject } from '../../kit/student-code/student-code.ts'
import { type BottleneckResult, PlainQueue, type Queue, runBottleneck } from '../bottleneck.ts'
import {
  CoDel,
  type CoDelOptions,
  type Dequeued,
  type Operation,
  play,
  QUIRKS,
  type Quirk,
  script,
} from '../codel-model.ts'
import { showDelays } from '../panel-data.ts'

const FILE = 'codel.ts'
const READ: Reading[] = ['RFC 8289 §5.5 and §5.6: the pseudocode', 'labs/lab-04-impairment/README.md, "CoDel"']

const OPTIONS: CoDelOptions = { targetMs: 5, intervalMs: 100, maxPacketBytes: 1500, limitPackets: 1000 }

// The closed loop
const BITS_PER_SECOND = 4_000_000
const PACKET = 1500
const ROUND_TRIP_MS = 40
const LIMIT = 200
const DURATION_MS = 12_000
const SETTLED_MS = 3000

// Cases ---------------------------------------------------------------------------------------------------------------

interface Scenario {
  name: string
  operations: Operation[]
  options?: CoDelOptions
  /** In the order in which a mistake is to be recognised. */
  quirks: readonly Quirk[]
  because: string
}

function controlLaw(random: Seeded): CallGroup {
  const call = (timeMs: number, intervalMs: number, count: number) => ({
    about: `drop number ${count}`,
    args: [timeMs, intervalMs, count],
    returns: timeMs + intervalMs / Math.sqrt(count),
  })
  return {
    text: 'controlLaw() is interval/√count',
    file: FILE,
    name: 'controlLaw',
    calls: [
      call(0, 100, 4),
      call(1000, 100, 1),
      ...random.list(5, i => call(random.int(1, 100_000), [30, 50, 200, 250][i] ?? 100, random.int(2, 500))),
    ],
    misconceptions: [
      { says: QUIRKS.linear, would: (time: number, interval: number, count: number) => time + interval / count },
      { says: QUIRKS.constant, would: (time: number, interval: number) => time + interval },
      {
        says: 'The more drops were needed, the sooner the next one: the interval is divided by √count.',
        would: (time: number, interval: number, count: number) => time + interval * Math.sqrt(count),
      },
      {
        says: 'A time is asked for, not a duration: `timeMs` is added.',
        would: (_: number, interval: number, count: number) => interval / Math.sqrt(count),
      },
    ],
    read: ['RFC 8289 §5.5 and §5.6'],
  }
}

/** The same for everybody: where one decision hangs on a single millisecond or byte, and options that are not those of the RFC. */
function boundaries(): Scenario[] {
  const regular = (fromMs: number, toMs: number, everyMs: number, bytes: number) =>
    Array.from({ length: Math.floor((toMs - fromMs) / everyMs) }, (_, i) => ({ atMs: fromMs + i * everyMs, bytes }))
  /** One packet in each `everyMs`, `behind` of them in the queue when one is taken. */
  const standing = (everyMs: number, behind: number, bytes: number, untilMs = 3000) =>
    script(regular(everyMs / 2, untilMs, everyMs, bytes), {
      slotMs: everyMs,
      untilMs,
      stall: { fromMs: 0, toMs: everyMs * (behind + 1) },
    })
  const exact = script(regular(0, 900, 1, 1500), { slotMs: 1, untilMs: 900, stall: { fromMs: 0, toMs: 5 } })
  const named = (name: string, quirk: Quirk, operations: Operation[], options: CoDelOptions, because: string) => ({
    name,
    operations,
    options,
    quirks: [quirk],
    because,
  })
  /** Bursts, and a link that asks at these times only. */
  const asked = (bursts: readonly { atMs: number; count: number }[], atMs: readonly number[]): Operation[] => {
    const packets = bursts.flatMap(burst => Array.from({ length: burst.count }, () => burst.atMs))
    const operations: Operation[] = [
      ...packets.map((nowMs, id) => ({ op: 'enqueue' as const, id, bytes: 1500, nowMs })),
      ...atMs.map(nowMs => ({ op: 'dequeue' as const, nowMs })),
    ]
    return operations.sort((a, b) => a.nowMs - b.nowMs)
  }
  /** Three drops, at 110, 210 and 290 ms; the last one ends the state, and was due at 280.7 ms. Bad again, up to the first drop at `atMs`. */
  const badAgain = (atMs: number): Operation[] =>
    asked(
      [
        { atMs: 0, count: 8 },
        { atMs: atMs - 110, count: 20 },
      ],
      [10, 110, 210, 290, 291, ...[-100, 0, 80, 90, 110, 150].map(ms => atMs + ms)],
    )
  const SIZE = 'With no more than maxPacketBytes behind the packet that was taken, the queue is good.'
  const OTHERS = 'What is a good queue on one link is a bad one on another: the options say so.'
  return [
    named(
      'every packet waits exactly target',
      'at-target',
      exact,
      OPTIONS,
      'Bad is a queue in which no packet has waited less than target.',
    ),
    named('exactly maxPacketBytes are left', 'largest-packet-left', standing(12, 1, 1500), OPTIONS, SIZE),
    named('one byte more than maxPacketBytes is left', 'fixed-size', standing(12, 1, 1501), OPTIONS, SIZE),
    named(
      'an empty queue, then a standing one',
      'drops-at-once',
      asked([{ atMs: 2, count: 60 }], [1, ...Array.from({ length: 29 }, (_, i) => 20 + i * 10)]),
      OPTIONS,
      'The interval begins with the first packet that has waited too long, and a drop is due from its very moment on.',
    ),
    named(
      'bad again 15.5 intervals after two drops more than it began with',
      'count-reset',
      badAgain(1830),
      OPTIONS,
      'Less than 16 intervals behind the time when the next drop was due, count begins with count - lastcount.',
    ),
    named(
      'bad again 16.5 intervals after the drop that ended the state was due',
      'count-kept',
      badAgain(1930),
      OPTIONS,
      'A drop after which the queue is good ends the state, and no next one is due; 16 intervals behind it, count begins with 1.',
    ),
    named('smaller packets', 'fixed-size', standing(12, 2, 600), { ...OPTIONS, maxPacketBytes: 600 }, SIZE),
    named('larger packets', 'fixed-size', standing(12, 3, 3000), { ...OPTIONS, maxPacketBytes: 9000 }, SIZE),
    ...[
      { targetMs: 20, intervalMs: 200 },
      { targetMs: 30, intervalMs: 60 },
      { targetMs: 2, intervalMs: 40 },
    ].map(times =>
      named(
        `a target of ${times.targetMs} ms and an interval of ${times.intervalMs} ms`,
        'fixed-times',
        standing(3.3, 9, 1500),
        { ...OPTIONS, ...times },
        OTHERS,
      ),
    ),
  ]
}

function scenarios(random: Seeded): Scenario[] {
  // Not a round number: no drop is due at the very moment at which the link asks for a packet.
  const slotMs = 2 + random.int(1, 999) / 1000
  const regular = (fromMs: number, toMs: number, everyMs: number) =>
    Array.from({ length: Math.max(0, Math.floor((toMs - fromMs) / everyMs)) }, (_, i) => ({
      atMs: fromMs + i * everyMs + random.int(0, 100) / 1000,
      bytes: random.int(1000, 1500),
    }))
  const burst = (atMs: number, count: number) => random.list(count, () => ({ atMs, bytes: random.int(1000, 1500) }))
  const inOrder = <T extends { atMs: number }>(arrivals: T[]): T[] => arrivals.sort((a, b) => a.atMs - b.atMs)
  const most = Math.floor(80 / slotMs)

  return [
    {
      name: 'a good queue: packets come as fast as the link takes them',
      operations: script(regular(0.2, 1500, slotMs * 1.02), { slotMs, untilMs: 1600 }),
      quirks: ['tail'],
      because: 'Nothing waits longer than target: everything is sent, first in, first out.',
    },
    {
      name: 'bursts that drain within an interval',
      operations: script(
        random.list(8, i => burst(1 + i * 400 + random.int(0, 50), random.int(Math.floor(most / 2), most))).flat(),
        { slotMs, untilMs: 3400 },
      ),
      quirks: ['drops-at-once', 'stays-ready', 'never-below'],
      because: 'A burst that drains before an interval is over is tolerated: that is what queues are for.',
    },
    {
      name: 'a busy link whose queue drains below target again and again',
      operations: script(
        inOrder([
          ...regular(0.3, 2000, slotMs * 2),
          ...random.list(14, i => burst(5 + i * 140, Math.floor(50 / slotMs / 2))).flat(),
        ]),
        { slotMs, untilMs: 2300 },
      ),
      quirks: ['never-below', 'drops-at-once'],
      because: 'Each time the sojourn time is below target, the interval begins anew.',
    },
    {
      name: 'a standing queue: 25 packets at once, then as fast as the link',
      operations: script(inOrder([...burst(0.1, 25), ...regular(0.5, 2500, slotMs)]), { slotMs, untilMs: 2600 }),
      quirks: ['tail', 'linear', 'constant', 'from-now', 'stays-ready', 'drops-at-once', 'never-leaves'],
      because:
        'The first drop is due an interval after the sojourn time went above target, the next ones interval/√1, interval/√2 … after it, until the sojourn time is below target.',
    },
    {
      name: 'overload: more comes than the link takes',
      operations: script(regular(0.5, 3000, slotMs / 1.3), { slotMs, untilMs: 3000 }),
      quirks: ['from-now', 'linear', 'constant', 'tail', 'one-a-call'],
      because: 'The drops get denser as long as they do not help.',
    },
    {
      name: 'a link that stands still for a third of a second while it is dropping',
      operations: script(regular(0.5, 2500, slotMs / 1.2), {
        slotMs,
        untilMs: 2500,
        stall: { fromMs: 1200, toMs: 1530 },
      }),
      quirks: ['one-a-call', 'from-now'],
      because: 'Several drops are due when the link is back.',
    },
    {
      name: 'bad again a short time after it was good',
      operations: script(inOrder([...regular(0.5, 1500, slotMs / 1.25), ...regular(2600, 4200, slotMs / 1.25)]), {
        slotMs,
        untilMs: 4300,
      }),
      quirks: ['count-reset', 'count-total'],
      because: 'The second time, dropping begins with the rate that was found the first time.',
    },
    {
      name: 'bad a third time: what counts is how many drops the last time needed',
      operations: script(
        inOrder([
          ...regular(0.5, 1500, slotMs / 1.25),
          ...regular(2400, 3100, slotMs / 1.15),
          ...regular(3900, 5400, slotMs / 1.25),
        ]),
        { slotMs, untilMs: 5600 },
      ),
      quirks: ['count-total', 'count-reset'],
      because: 'count begins with count - lastcount.',
    },
    {
      name: 'bad again after a long good time',
      operations: script(inOrder([...regular(0.5, 1200, slotMs / 1.25), ...regular(4500, 6000, slotMs / 1.25)]), {
        slotMs,
        untilMs: 6100,
      }),
      quirks: ['count-kept'],
      because: 'After 16 intervals without a drop, count begins with 1.',
    },
    {
      name: 'a slow link with never more than one packet behind the one that is sent',
      operations: script(inOrder([...burst(0.1, 2), ...regular(30 * slotMs * 0.4, 4000, slotMs * 12)]), {
        slotMs: slotMs * 12,
        untilMs: 4000,
      }),
      quirks: ['last-packet'],
      because: 'A queue of no more than one packet of the largest size is never bad.',
    },
    {
      name: 'a full queue',
      operations: script(burst(0.1, 60), { slotMs, untilMs: 60 * slotMs }),
      options: { ...OPTIONS, limitPackets: 40, intervalMs: 1000 },
      quirks: [],
      because: 'What comes on top of limitPackets is refused, and nothing else.',
    },
  ]
}

// Judgement -----------------------------------------------------------------------------------------------------------

export async function check(context: CheckContext): Promise<Feedback> {
  const [everybodys, own] = sources(context, 'codel')
  await expectGroups(context, 'codel', random => [controlLaw(random)])
  for (const scenario of [...boundaries(), ...scenarios(everybodys), ...scenarios(own)]) {
    await expectScenario(context, scenario)
  }
  await expectApart(context)
  const { plain, codel } = await closedLoop(context)
  const [before, after] = [delays(plain), delays(codel)]
  context.compare('median delay in the queue, CoDel', after.median, { max: 25 }, 'ms')
  context.compare('utilisation of the link, CoDel', codel.utilisation * 100, { min: 80 }, '%')
  context.expect('the standing queue is controlled', after.median <= 25, {
    expected: `a median delay of at most 25 ms in the queue (a plain queue: ${formatNumber(before.median)} ms)`,
    found: `${formatNumber(after.median)} ms`,
    read: READ,
  })
  context.expect('and the link is kept busy', codel.utilisation >= 0.8, {
    expected: 'at least 80 % of the time',
    found: percent(codel.utilisation),
    misconception: 'A queue that drops too much leaves the link idle: the sender halves its window each time.',
    read: READ,
  })
  return {
    passed: true,
    expected: 'a queue that lets bursts pass, and ends standing queues',
    found:
      `one TCP-like sender at ${BITS_PER_SECOND / 1e6} Mbit/s: median delay in the queue ${formatNumber(before.median)} ms before, ` +
      `${formatNumber(after.median)} ms with your CoDel; the link was busy ${percent(plain.utilisation)} and ${percent(codel.utilisation)} of the time`,
    read: READ,
  }
}

async function expectScenario(context: CheckContext, scenario: Scenario): Promise<void> {
  const { name, operations, quirks, because, options = OPTIONS } = scenario
  const queue = await context.student.create(FILE, 'CoDelQueue', options)
  const [outcome] = await context.do(`play: ${name}`, () => queue.batch<unknown[]>('play', [[operations]]))
  const expected = play(new CoDel(options), operations)
  const found = outcome?.ok ? outcome.value : []
  context.expect(name, outcome?.ok && same(found, expected, ROUNDING), () => {
    if (!outcome?.ok)
      return { expected: 'what RFC 8289 says', found: describeOutcome(outcome!), ...manners(outcome), read: READ }
    const all = [...quirks, ...(Object.keys(QUIRKS) as Quirk[])]
    const quirk = all.find(one => same(found, play(new CoDel(options, one), operations), ROUNDING))
    const difference = firstDifference(operations, expected, found)
    return {
      ...difference,
      expected: `${difference.expected}. ${because}`,
      ...(quirk === undefined ? {} : { misconception: QUIRKS[quirk] }),
      read: READ,
    }
  })
}

/** Two queues in turns, one of them standing. */
async function expectApart(context: CheckContext): Promise<void> {
  const arrivals = Array.from({ length: 150 }, (_, i) => ({ atMs: 0.1 + i * 2.9, bytes: 1500 }))
  const scripts = [script(arrivals, { slotMs: 3.3, untilMs: 500 }), script(arrivals, { slotMs: 2.9, untilMs: 500 })]
  const queues = [
    await context.student.create(FILE, 'CoDelQueue', OPTIONS),
    await context.student.create(FILE, 'CoDelQueue', OPTIONS),
  ]
  const found: unknown[][] = [[], []]
  for (let from = 0; from < Math.max(...scripts.map(operations => operations.length)); from += 20) {
    for (const [i, operations] of scripts.entries()) {
      const [outcome] = await queues[i].batch<unknown[]>('play', [[operations.slice(from, from + 20)]])
      if (outcome?.ok) found[i].push(...outcome.value)
    }
  }
  for (const [i, operations] of scripts.entries()) {
    const expected = play(new CoDel(OPTIONS), operations)
    context.expect('two queues in turns do not disturb each other', same(found[i], expected, ROUNDING), () => ({
      ...firstDifference(operations, expected, found[i]),
      misconception:
        'Alone, each queue is right. What a queue remembers belongs to that queue: in fields of the object, not in `static` ones or in variables of the file.',
      read: READ,
    }))
  }
}

function firstDifference(operations: readonly Operation[], expected: readonly unknown[], found: readonly unknown[]) {
  const at = expected.findIndex((one, i) => !same(one, found[i], ROUNDING))
  const operation = operations[Math.max(0, at)]
  const dropsBefore = expected.slice(0, at).reduce<number>((sum, one) => sum + dropsIn(one), 0)
  const waited = (id: number | undefined): string => {
    const arrival = operations.find(one => one.op === 'enqueue' && one.id === id)
    return arrival === undefined ? '' : `, which waited ${formatNumber(operation.nowMs - arrival.nowMs)} ms`
  }
  const text = (value: unknown): string => {
    if (typeof value !== 'object' || value === null) return format(value)
    const { id, dropped } = value as Dequeued
    if (!Array.isArray(dropped)) return format(value)
    const drops = dropped.length === 0 ? 'nothing dropped' : `dropped ${dropped.map(String).join(', ')}`
    return `${id === undefined ? 'no packet' : `packet ${id}${waited(id)}`}; ${drops}`
  }
  return {
    expected: `${operation.op}() at ${operation.nowMs.toFixed(1)} ms, after ${dropsBefore} drops: ${text(expected[at])}`,
    found: text(found[at]),
  }
}

function dropsIn(value: unknown): number {
  return typeof value === 'object' && value !== null ? (value as Dequeued).dropped.length : 0
}

// Live ----------------------------------------------------------------------------------------------------------------

async function closedLoop(context: CheckContext): Promise<{ plain: BottleneckResult; codel: BottleneckResult }> {
  const options = {
    bitsPerSecond: BITS_PER_SECOND,
    packetBytes: PACKET,
    roundTripMs: ROUND_TRIP_MS,
    durationMs: DURATION_MS,
  }
  const plain = await runBottleneck({ ...options, queue: new PlainQueue(LIMIT) })
  showDelays(context, { plain: series(plain) })
  const object = await context.student.create(FILE, 'CoDelQueue', { ...OPTIONS, limitPackets: LIMIT })
  let shownAt = 0
  const codel = await context.do('a sender that fills its window, before and after your CoDel', () =>
    runBottleneck({
      ...options,
      queue: new StudentQueue(object),
      onProgress(nowMs) {
        if (nowMs - shownAt < 500) return
        shownAt = nowMs
        context.progress(nowMs, DURATION_MS, 'the closed loop, in virtual time')
      },
    }),
  )
  context.progress(DURATION_MS, DURATION_MS, 'the closed loop, in virtual time')
  showDelays(context, { plain: series(plain), codel: series(codel) })
  return { plain, codel }
}

/** The student's queue as the bottleneck wants it: one round trip to the student's process for each packet that is sent. */
class StudentQueue implements Queue {
  readonly #object: StudentObject
  #waiting: Operation[] = []

  constructor(object: StudentObject) {
    this.#object = object
  }

  enqueue(id: number, bytes: number, nowMs: number): void {
    this.#waiting.push({ op: 'enqueue', id, bytes, nowMs })
  }

  async dequeue(nowMs: number): Promise<Dequeued> {
    const operations = [...this.#waiting, { op: 'dequeue', nowMs }]
    this.#waiting = []
    const results = await this.#object.call<unknown[]>('play', operations)
    return results.at(-1) as Dequeued
  }
}

/** The median of each tenth of a second; what was sent in none is as it was before. */
function series({ sojourns }: BottleneckResult): number[] {
  const step = 100
  const values: number[] = []
  for (let from = 0; from < DURATION_MS; from += step) {
    const here = sojourns.filter(({ atMs }) => atMs >= from && atMs < from + step).map(({ ms }) => ms)
    values.push(here.length === 0 ? (values.at(-1) ?? 0) : median(here))
  }
  return values
}

function delays({ sojourns }: BottleneckResult): { median: number } {
  const settled = sojourns.filter(({ atMs }) => atMs >= SETTLED_MS).map(({ ms }) => ms)
  return { median: settled.length === 0 ? 0 : median(settled) }
}
