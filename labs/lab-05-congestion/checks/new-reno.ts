/**
 * Task 3: NewReno. First its formulas; then calls as loss recovery makes them, after each of which RFC 9002 says what window and threshold are.
 */
import { initialWindow, minimumWindow } from '../../../src/quic/typescript/recovery/congestion/window-bounds.ts'
import { type Call, type CallGroup, expectGroups, groupsOf, sources } from '../../kit/check/calls.ts'
import { same } from '../../kit/check/format.ts'
import type { Seeded } from '../../kit/check/seeded.ts'
import type { CheckContext, Feedback, Reading } from '../../kit/lab/types.ts'
import { NewRenoModel, QUIRKS, type Quirk, type Told, type Window } from '../new-reno-model.ts'
import { loaded, played, type RemoteController, StudentControllers } from '../remote-controller.ts'

const FILE = 'new-reno.ts'
const READ: Reading[] = ['RFC 9002 §7.3', 'labs/lab-05-congestion/README.md, "NewReno"']
const SIZE = 1200

// Cases ---------------------------------------------------------------------------------------------------------------

function formulas(random: Seeded): CallGroup[] {
  const group = groupsOf(FILE, ['RFC 9002 §7.2'])
  const sizes = [1200, 1471, 1472, 1473, 7359, 7361, 9000, ...random.list(4, () => random.int(1200, 9000))]
  const calls = (returns: (size: number) => number): Call[] =>
    sizes.map(size => ({ about: `datagrams of ${size} bytes`, args: [size], returns: returns(size) }))
  return [
    group('initialWindow(): ten datagrams, within bounds', 'initialWindow', calls(initialWindow), [
      {
        says: 'Ten datagrams, but no more than 14720 bytes: ten large ones would be too much at once.',
        would: (size: number) => 10 * size,
      },
      {
        says: 'Where two datagrams are more than 14720 bytes, those two count: less than two is no window.',
        would: (size: number) => Math.min(10 * size, 14_720),
      },
      {
        says: 'Two datagrams are the bound from below, and not what a connection begins with.',
        would: (size: number) => Math.max(2 * size, 14_720),
      },
    ]),
    group('minimumWindow(): two datagrams', 'minimumWindow', calls(minimumWindow), [
      {
        says: 'With one datagram in flight the peer may wait for a second one before it acknowledges: two are the minimum.',
        would: (size: number) => size,
      },
    ]),
  ]
}

interface Scenario {
  name: string
  told: readonly Told[]
  /** In the order in which a mistake is to be recognised. */
  quirks: readonly Quirk[]
  because: string
}

/** Of a packet that was sent at `sentAt`, an ACK at `now`. */
function ack(now: number, sentAt: number, bytes = SIZE, isWindowUsed = true): Told {
  return { call: 'acked', now, sentAt, bytes, isWindowUsed }
}

function loss(now: number, sentAt: number, bytes = SIZE): Told {
  return { call: 'congestion', now, sentAt, bytes }
}

/** An ACK each ms, for packets that left a round trip before. */
function acksInRow(from: number, count: number, size: () => number): Told[] {
  return Array.from({ length: count }, (_, i) => ack(from + i, from + i - 50, size()))
}

/** Two times in congestion avoidance, each for several windows. */
function avoidance(random: Seeded): Told[] {
  const acks = (from: number, count: number) => acksInRow(from, count, () => random.int(40, SIZE))
  return [...acks(50, 8), loss(60, 20), ...acks(120, 80), loss(210, 170), ...acks(300, 60)]
}

function scenarios(random: Seeded): Scenario[] {
  const bytes = () => random.int(40, SIZE)
  const acks = (from: number, count: number, size = bytes) => acksInRow(from, count, size)
  const full = () => SIZE
  return [
    {
      name: 'slow start: the window grows by what is acknowledged',
      told: acks(50, 20),
      quirks: ['each-packet'],
      because: 'Each byte that is acknowledged lets the window grow by one.',
    },
    {
      name: 'a window that is not used does not grow',
      told: random.list(20, i => ack(50 + i, i, bytes(), i % 3 === 0)),
      quirks: ['not-used'],
      because: 'Only ACKs that come while the window is what holds the sender back let it grow.',
    },
    {
      name: 'a loss, and what was in flight with it',
      told: [...acks(50, 10), loss(60, 20), ...acks(61, 12), ack(130, 60), ack(131, 61), ...acks(132, 10)],
      quirks: ['grows-in-recovery', 'restarts', 'seventy-percent'],
      because: 'The window is halved. What was sent until then does not let it grow; what was sent after it does.',
    },
    {
      name: 'several losses of one flight',
      told: [...acks(50, 25), loss(80, 40), loss(82, 45), loss(90, 80), ack(132, 81), loss(140, 95)],
      quirks: ['halves-again'],
      because: 'The second and third loss were sent before the window was reduced; the last one was not.',
    },
    {
      name: 'a loss in a recovery period does not make it longer',
      told: [...acks(50, 25), loss(80, 40), loss(110, 70), ack(140, 95), ...acks(150, 30, full)],
      quirks: ['recovery-moves'],
      because: 'The packet that is acknowledged was sent after the window was reduced.',
    },
    {
      name: 'congestion avoidance: a datagram for each window',
      told: avoidance(random),
      quirks: ['no-threshold', 'each-ack', 'all-taken', 'still-counted'],
      because: 'Bytes are added up until they make a whole window.',
    },
    {
      name: 'congestion avoidance: a byte less than a window, and that byte',
      told: [loss(60, 20), ...acksInRow(120, 4, full), ack(124, 74, SIZE - 1), ack(125, 75, 1), ack(126, 76, 40)],
      quirks: ['each-ack'],
      because: 'The window grows when as many bytes as it has were acknowledged, and not before.',
    },
    {
      name: 'losses again and again',
      told: random.list(8, i => 100 * (i + 1)).flatMap(now => [loss(now, now - 50), ack(now + 60, now + 5)]),
      quirks: ['no-minimum', 'threshold-minimum'],
      because: 'The window never gets smaller than two datagrams. The threshold does.',
    },
    {
      name: 'persistent congestion',
      told: [
        ...acks(50, 30),
        loss(400, 80),
        { call: 'persistentCongestion', now: 400 },
        ...acks(401, 20, full),
        ...acks(450, 60, full),
      ],
      quirks: ['persistent-half', 'persistent-recovery'],
      because: 'The window is the minimum, and grows by slow start up to the threshold, with every ACK.',
    },
    {
      name: 'larger datagrams',
      told: [
        { call: 'datagramSize', bytes: 1400 },
        loss(60, 20, 1400),
        ...acks(120, 40, () => 1400),
        loss(200, 170, 1400),
        loss(300, 250, 1400),
        loss(400, 350, 1400),
        { call: 'datagramSize', bytes: 9000 },
        ...acks(450, 10, () => 9000),
      ],
      quirks: ['old-size'],
      because: 'Minimum and growth are counted in datagrams, and these have another size now.',
    },
  ]
}

// Judgement -----------------------------------------------------------------------------------------------------------

export async function check(context: CheckContext): Promise<Feedback> {
  await expectGroups(context, 'new-reno', formulas)
  const students = await context.do(`load ${FILE}`, () => loaded(StudentControllers.open(context, FILE, 'NewReno')))
  const [everybodys, own] = sources(context, 'new-reno')
  const all = [...scenarios(everybodys), ...scenarios(own)]
  const found = await context.do(`play ${all.length} courses of a connection`, () =>
    // At the same time: so what they share shows, and the student's process is asked for all of them together.
    played(Promise.all(all.map(({ told }) => windowsOf(students, told)))),
  )
  for (const [i, scenario] of all.entries()) await expectWindows(context, scenario, found[i]!)
  return {
    passed: true,
    expected: 'the window and the threshold of RFC 9002 §7.3 after each call',
    found: `${all.length} of ${all.length} courses of a connection are right`,
    read: READ,
  }
}

const APART =
  'Alone, this connection has the right window; beside others it has not. What a controller remembers belongs to its connection: in fields of the object, not in `static` ones or in variables of the file.'

async function expectWindows(context: CheckContext, scenario: Scenario, found: readonly Window[]): Promise<void> {
  const { name, told, because } = scenario
  const expected = new NewRenoModel(SIZE).play(told)
  const isRight = same(found, expected)
  const misconception = isRight ? undefined : await why(context, scenario, found)
  context.expect(name, isRight, () => {
    const at = expected.findIndex((one, i) => !same(found[i], one))
    return {
      expected: `after ${inWords(told[at]!)}: ${windowText(expected[at]!)}. ${because}`,
      found: windowText(found[at]!),
      misconception,
      failing: 'none',
      read: READ,
    }
  })
}

async function why(
  context: CheckContext,
  { told, quirks }: Scenario,
  found: readonly Window[],
): Promise<string | undefined> {
  const all = [...quirks, ...(Object.keys(QUIRKS) as Quirk[])]
  const quirk = all.find(one => same(found, new NewRenoModel(SIZE, one).play(told)))
  if (quirk !== undefined) return QUIRKS[quirk]
  const alone = await windowsOf(await StudentControllers.open(context, FILE, 'NewReno'), told)
  return same(alone, new NewRenoModel(SIZE).play(told)) ? APART : undefined
}

/** What the student's controller wants after each call. */
async function windowsOf(students: StudentControllers, told: readonly Told[]): Promise<Window[]> {
  const controller = await students.add(SIZE)
  const windows: Window[] = []
  for (const one of told) windows.push(await windowAfter(controller, one))
  return windows
}

async function windowAfter(controller: RemoteController, told: Told): Promise<Window> {
  tell(controller, told)
  await controller.settle()
  const { window, slowStartThreshold } = controller
  return { window, slowStartThreshold }
}

function tell(controller: RemoteController, told: Told): void {
  switch (told.call) {
    case 'acked':
      return controller.onAcked({ number: told.sentAt, ...told }, told.isWindowUsed, told.now)
    case 'congestion':
      return controller.onCongestion(told.sentAt, told.bytes, told.now)
    case 'persistentCongestion':
      return controller.onPersistentCongestion(told.now)
    case 'datagramSize':
      return controller.onDatagramSize(told.bytes)
  }
}

function inWords(told: Told): string {
  switch (told.call) {
    case 'acked':
      return `an ACK at ${told.now} ms for ${told.bytes} bytes that were sent at ${told.sentAt} ms${told.isWindowUsed ? '' : ', the window not being used'}`
    case 'congestion':
      return `the loss at ${told.now} ms of a packet that was sent at ${told.sentAt} ms`
    case 'persistentCongestion':
      return 'persistent congestion'
    case 'datagramSize':
      return `the path was found to carry ${told.bytes} bytes`
  }
}

function windowText({ window, slowStartThreshold }: Window): string {
  const threshold = slowStartThreshold === Number.POSITIVE_INFINITY ? 'none' : slowStartThreshold
  return `window ${window}, threshold ${threshold}`
}
