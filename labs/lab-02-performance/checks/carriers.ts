/**
 * Task 11: carriers. Predictions and their reasons first; then, in front of the student, five tunnels at once, whose figures the last questions are
 * about. No measurement decides: in grading the run is the one in measured.toml.
 */
import { expectAroundRun, type OwnQuestion, type OwnRun, recordRun } from '../../kit/check/own-runs.ts'
import { expectChoices, expectNumber } from '../../kit/check/questions.ts'
import type { CheckContext, Feedback, Reading } from '../../kit/lab/types.ts'
import { flat, INTERVAL_MS, LATE_MS, LOSS, measureCarriers, RTT_MS, RUN_NAMES, TASK } from '../carriers.ts'
import { showChart } from '../chart.ts'

const READ: Reading[] = ['RFC 9002 §6.1', 'labs/lab-02-performance/README.md, "Three carriers"']

// Cases ---------------------------------------------------------------------------------------------------------------

/** When a loss is noticed, ms after the packet was sent: 9/8 of a round trip (RFC 9002 §6.1.2). */
const NOTICED_MS = (RTT_MS * 9) / 8
/** A packet that was sent so many places behind the lost one waits for so much less than it. */
const HELD_UP = Math.ceil((NOTICED_MS - LATE_MS) / INTERVAL_MS)
/** Of 100 pings: those for which none of the last HELD_UP was lost are in time. */
const LATE_OF_100 = 100 * (1 - (1 - LOSS) ** HELD_UP)
const LATE = { least: LATE_OF_100 - 4, most: LATE_OF_100 + 4 }

const CHOICES: Readonly<Record<string, { right: string; wrong: Readonly<Record<string, string>> }>> = {
  clean: {
    right: 'b',
    wrong: {
      a: 'A stream waits for what is missing. Where nothing is missing, it waits for nothing.',
      c: 'What HTTP/2 has around a packet are bytes, not round trips: they take microseconds.',
      d: 'A datagram takes the same way, in the same QUIC packets; only what is lost is treated differently.',
    },
  },
  h2: {
    right: 'd',
    wrong: {
      a: 'HTTP/2 has streams, but they all share one TCP connection, whose bytes come in one order: what is missing there holds up all of them.',
      b: 'TCP does send again. It needs the same round trip for it as QUIC, and gives nothing of what came meanwhile to anybody.',
      c: 'TCP gives up after many minutes in which nothing at all gets through. 2 % are its everyday life.',
    },
  },
  price: {
    right: 'a',
    wrong: {
      b: 'A loss is a loss for the congestion control, whatever was in the packet: both slow down by the same (RFC 9221 §5).',
      c: 'A datagram can overtake another one, but on this link nothing does: it delays all packets by the same.',
      d: 'The other way round: on a stream each packet has more around it, a type, a length and an offset.',
    },
  },
}

/** Round trips that are so much longer than the link's are the machine's. */
const BUSY = 1.2

const FIGURES = [
  'rtt_ms',
  'pings',
  'datagrams_p50_ms',
  'datagrams_lossy_p99_ms',
  'datagrams_lossy_missing',
  'datagrams_lossy_late',
  'stream_lossy_p99_ms',
  'stream_lossy_late',
  'stream_lossy_lost',
]

const BLOCKED: OwnQuestion = {
  task: TASK,
  figures: FIGURES,
  right: run => run.stream_lossy_late! / run.stream_lossy_lost!,
  wrong: [
    {
      says: 'That is how many were late in all. How many for each that was lost?',
      would: run => run.stream_lossy_late!,
    },
    {
      says: 'Upside down: late ones for each lost one.',
      would: run => run.stream_lossy_lost! / run.stream_lossy_late!,
    },
    {
      says: 'That is the part of all pings that was late. Divide by what was lost.',
      would: run => (100 * run.stream_lossy_late!) / run.pings!,
    },
    {
      says: 'Divide by what was lost on the link of this tunnel. In datagrams, what is missing is another run of bad luck.',
      would: run => run.stream_lossy_late! / run.datagrams_lossy_missing!,
    },
  ],
  read: READ,
}

const TAIL: OwnQuestion = {
  task: TASK,
  figures: FIGURES,
  right: run => (run.stream_lossy_p99_ms! - run.datagrams_lossy_p99_ms!) / run.rtt_ms!,
  wrong: [
    {
      says: 'That is in ms. How many round trips is it?',
      would: run => run.stream_lossy_p99_ms! - run.datagrams_lossy_p99_ms!,
    },
    {
      says: 'That is the whole p99 of the stream. By how much is it above that of the datagrams?',
      would: run => run.stream_lossy_p99_ms! / run.rtt_ms!,
    },
  ],
  units: ['rtt', 'round trips', 'trips'],
  read: READ,
}

// Judgement -----------------------------------------------------------------------------------------------------------

export async function check(context: CheckContext): Promise<Feedback> {
  const run = await expectAroundRun(context, {
    task: TASK,
    figures: FIGURES,
    before: [...expectChoices(CHOICES, READ), expectLate],
    measure: () => measure(context),
    draw: run => show(context, run),
    own: { blocked: BLOCKED, tail: TAIL },
  })
  return {
    passed: true,
    expected: 'what a lost packet costs on each carrier, and why',
    found: inWords(run),
    read: READ,
  }
}

function expectLate(context: CheckContext): void {
  expectNumber(context, 'late', {
    text: 'your prediction of the late ones',
    expected: `a number of 100 pings that follows from the loss, the round trip and the interval, under [${TASK}], as late`,
    right: value => value >= LATE.least && value <= LATE.most,
    wrong: value => {
      if (value <= 100 * LOSS + 1) {
        return 'Those are the lost ones. Each of them holds up all that were sent after it, until it has come the second time.'
      }
      if (value < LATE.least) {
        return `A loss is noticed after 9/8 of a round trip. Who was sent ${INTERVAL_MS} ms after the lost one waits ${INTERVAL_MS} ms less than it. How many of them wait for more than ${LATE_MS} ms?`
      }
      return value >= 90
        ? 'Between a loss and the next one there are 50 pings, on average. Not all of these wait.'
        : `Those that were sent last before the repair wait for less than ${LATE_MS} ms, and a packet that waits for two losses is late once.`
    },
    units: ['%', 'pings', 'of 100'],
    read: READ,
  })
}

function inWords(run: OwnRun): string {
  const part = (100 * run.stream_lossy_late!) / run.pings!
  const busy =
    run.datagrams_p50_ms! > BUSY * run.rtt_ms!
      ? `. The machine was busy: over the clean link, half of the replies took more than ${run.datagrams_p50_ms!.toFixed(0)} ms. For another run, take [[${TASK}]] out of measured.toml`
      : ''
  return `at 2 % loss ${part.toFixed(0)} of 100 pings were late on the stream, and ${run.datagrams_lossy_missing} of ${run.pings} missing in datagrams${busy}`
}

// Live ----------------------------------------------------------------------------------------------------------------

async function measure(context: CheckContext): Promise<void> {
  const run = flat(await context.do('ping through five tunnels at once', () => measureCarriers(context)))
  recordRun(context, TASK, run)
  show(context, run)
}

function show(context: CheckContext, run: OwnRun): void {
  const rows = RUN_NAMES.map(name => ({ name, label: name.replace('_lossy', ', 2 % loss') }))
  showChart(context, {
    title: 'Replies that came late, of 100 pings',
    unit: '',
    rows: rows.map(({ name, label }) => ({
      label,
      predicted: name === 'stream_lossy' ? Number.parseFloat(context.answers.late ?? '') : 0,
      measured: (100 * run[`${name}_late`]!) / run.pings!,
    })),
  })
  for (const [title, key] of [
    ['Round trip: one of 100 is longer', 'p99_ms'],
    ['Round trip: half of them are longer', 'p50_ms'],
  ] as const) {
    showChart(context, {
      title,
      unit: 'ms',
      columns: ['link', 'measured'],
      rows: rows.map(({ name, label }) => ({ label, predicted: RTT_MS, measured: run[`${name}_${key}`]! })),
    })
  }
}
