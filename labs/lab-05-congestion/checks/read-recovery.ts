/** Task 1: questions about a recorded run, whose answers follow from its qlog. The run is that of the starting files, or one that the student has recorded. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { readRegularFile } from '../../../src/config/read-file.ts'
import { fail } from '../../kit/check/calls.ts'
import { expectEach, expectNumber, MILLISECONDS } from '../../kit/check/questions.ts'
import type { CheckContext, Feedback, Reading } from '../../kit/lab/types.ts'
import { showCharts } from '../panel-data.ts'
import { figuresOf, RunError, type RunFigures } from '../run-figures.ts'

const FILE = 'run.sqlog'
const RECORD = 'npx tsx labs/lab-05-congestion/record-run.ts'
const READ: Reading[] = ['RFC 9002 §6 and §7', 'labs/lab-05-congestion/README.md, "Reading a qlog"']

/** Of a time that is the difference of two times in the file. */
const NEAR_MS = 1

interface Asked {
  right: (run: RunFigures) => number
  wrong: readonly { would: (run: RunFigures) => number; says: string }[]
  near?: number
  units?: Readonly<Record<string, number>>
}

const QUESTIONS: Readonly<Record<string, Asked>> = {
  lost: {
    right: ({ lost }) => lost,
    wrong: [
      {
        would: ({ byPackets }) => byPackets,
        says: 'Packets are declared lost by time, too: their `trigger` is another.',
      },
      {
        would: ({ byTime }) => byTime,
        says: 'Those by time are a part of them: `reordering_threshold` is the other one.',
      },
    ],
  },
  time: {
    right: ({ byTime }) => byTime,
    wrong: [
      {
        would: ({ byPackets }) => byPackets,
        says: '`reordering_threshold` is the other one: a packet has arrived that was sent three places later, or more.',
      },
      { would: ({ lost }) => lost, says: 'These are all that were lost: look at their `trigger`.' },
      {
        would: ({ ptos }) => ptos,
        says: 'A probe timeout declares nothing lost: it asks, and only an answer tells (RFC 9002 §6.2).',
      },
    ],
  },
  decided: {
    right: ({ decidedBy }) => decidedBy,
    wrong: [
      {
        would: ({ firstLost }) => firstLost + 3,
        says: 'Three places behind is the least that it takes. This ACK came for a later one: look at the last `packet_received` before the loss.',
      },
      {
        would: ({ firstLost }) => firstLost,
        says: 'That is the packet that was lost. What has told it is an ACK for a later one.',
      },
      {
        would: ({ firstLost }) => firstLost + 1,
        says: 'The next packet may have overtaken it. It takes three places (RFC 9002 §6.1.1).',
      },
    ],
  },
  window: {
    right: ({ windowAfter }) => windowAfter,
    wrong: [
      {
        would: ({ windowBefore }) => windowBefore,
        says: 'That is the window of before: the loss makes it smaller at once.',
      },
      {
        would: ({ windowBefore }) => Math.floor(windowBefore * 0.7),
        says: 'This sender has NewReno, and halves. 0.7 is what CUBIC leaves.',
      },
    ],
  },
  recovery: {
    right: ({ recoveryMs }) => recoveryMs,
    near: NEAR_MS,
    units: MILLISECONDS,
    wrong: [
      {
        would: ({ smoothedRtt }) => smoothedRtt,
        says: 'It is about a round trip, and a little more: it ends with the first ACK for something that was sent after it began, and that was not sent at once.',
      },
      {
        would: ({ windows, windowBefore, recoveryAt }) =>
          (windows.find(({ atMs, window }) => atMs > recoveryAt && window >= windowBefore)?.atMs ?? Number.NaN) -
          recoveryAt,
        says: 'The recovery period has nothing to do with how large the window is again. It ends when something is acknowledged that was sent after it began.',
      },
    ],
  },
  pto: {
    right: ({ ptos }) => ptos,
    wrong: [
      { would: ({ probes }) => probes, says: 'These are the probes. Each time it rings, up to two of them are sent.' },
      {
        would: ({ byTime }) => byTime,
        says: 'That packets are declared lost by time is the work of the other timer, which waits for 9/8 of a round trip.',
      },
    ],
  },
}

export async function check(context: CheckContext): Promise<Feedback> {
  const run = await context.do(`read ${FILE}`, () => readRun(context.exercises))
  showCourse(context, run)
  expectEach(
    context,
    Object.entries(QUESTIONS).map(
      ([id, asked]) =>
        (each: CheckContext) =>
          expectAnswer(each, id, asked, run),
    ),
  )
  return {
    passed: true,
    expected: 'six answers, as they stand in the qlog',
    found: `${run.lost} packets lost, ${run.byTime} of them by time; a recovery period of ${run.recoveryMs.toFixed(1)} ms`,
    read: READ,
  }
}

function readRun(exercises: string): RunFigures {
  const file = join(exercises, FILE)
  try {
    if (!existsSync(file)) throw new RunError('no such file')
    return figuresOf(readRegularFile(file).toString('utf8'))
  } catch (error) {
    if (!(error instanceof RunError)) throw error
    return fail({
      expected: `${FILE} to be the qlog of a run, as it is handed out or as \`${RECORD}\` records it`,
      found: error.message,
      read: READ,
    })
  }
}

function expectAnswer(context: CheckContext, id: string, asked: Asked, run: RunFigures): void {
  const { near = 0, units = {} } = asked
  const right = asked.right(run)
  const isNear = (value: number, exact: number) => Math.abs(value - exact) <= near + Math.abs(exact) * 1e-9
  expectNumber(context, id, {
    right: value => isNear(value, right),
    wrong: value => asked.wrong.find(({ would }) => isNear(value, would(run)))?.says,
    expected: `what follows from ${FILE}`,
    units,
    read: READ,
  })
}

const STEPS = 110

/** The window over time; `r`: the first recovery period begins, `e`: it ends. */
function showCourse(context: CheckContext, { windows, endMs, recoveryAt, recoveryMs }: RunFigures): void {
  const values = Array.from({ length: STEPS }, (_, i) => {
    const [from, until] = [(i / STEPS) * endMs, ((i + 1) / STEPS) * endMs]
    const before = windows.findLast(({ atMs }) => atMs <= from)
    const within = windows.filter(({ atMs }) => atMs > from && atMs <= until)
    return Math.max(0, ...[...(before === undefined ? [] : [before]), ...within].map(({ window }) => window))
  })
  const events = [
    { letter: 'r', at: recoveryAt / endMs },
    { letter: 'e', at: (recoveryAt + recoveryMs) / endMs },
  ]
  showCharts(context, [
    { caption: `run.sqlog: the window in bytes, ${(endMs / 1000).toFixed(1)} s`, values, style: 'accent', events },
  ])
}
