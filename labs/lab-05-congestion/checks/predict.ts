/** Task 2: the course of a window, predicted at eight places, and then drawn as far as the prediction is right. */
import { expectEach, expectNumber, numberIn } from '../../kit/check/questions.ts'
import type { CheckContext, Feedback, Reading } from '../../kit/lab/types.ts'
import { showCharts } from '../panel-data.ts'
import { LETTERS, type Letter, playStory, SIZE } from '../story.ts'

const READ: Reading[] = ['RFC 9002 §7.3', 'labs/lab-05-congestion/README.md, "NewReno"']

const UNITS = { byte: 1, bytes: 1, b: 1, kb: 1000, datagram: SIZE, datagrams: SIZE, packets: SIZE } as const

/** By letter, each wrong answer that somebody has an idea behind. */
const WRONG: Readonly<Record<Letter, Readonly<Record<number, string>>>> = {
  a: {
    12000: 'In slow start the window grows by what is acknowledged, so with the first ACK.',
    13200: 'One datagram in a round trip is congestion avoidance. Slow start grows by all that is acknowledged.',
    13000: 'Slow start grows by all that is acknowledged.',
  },
  b: {
    48000: 'Three round trips double it three times: 24000 was after the first one.',
    36000:
      'It does not grow by the same amount each time: the larger the window, the more is acknowledged in a round trip.',
    72000: 'It doubles in each round trip: the larger the window, the more is acknowledged.',
    192000: 'Three round trips double it three times, and not four.',
  },
  c: {
    96000: 'A packet that is declared lost is a sign of congestion, at once.',
    67200: 'This is what CUBIC leaves, 0.7. NewReno halves.',
    48600:
      'The loss is heard of with the same ACK, and first: the window is halved before anything of this round has let it grow.',
    49800:
      'The loss is heard of with the same ACK, and first: the window is halved before anything of this round has let it grow.',
    94800:
      'The lost packet is not in flight any more. But what it says is that the window was too large: NewReno halves it.',
    12000: 'The window does not begin anew after a loss: all the rest has arrived. It is halved.',
    2400: 'The minimum is for persistent congestion, when nothing has arrived. After a loss the window is halved.',
  },
  d: {
    6000: 'All of them were sent before the window was halved: they belong to the same recovery period, and say again what the first loss has said.',
    24000:
      'All of them were sent before the window was halved: they belong to the same recovery period, and say again what the first loss has said.',
    120000:
      'What is acknowledged was sent by the window of before, and says nothing about the smaller one: in a recovery period the window does not grow.',
    49200:
      'What is acknowledged was sent by the window of before, and says nothing about the smaller one: in a recovery period the window does not grow.',
    50400:
      'What is acknowledged was sent by the window of before, and says nothing about the smaller one: in a recovery period the window does not grow.',
  },
  e: {
    48000:
      'The recovery period ends with the first ACK for something that was sent after it began. Then the window grows again.',
    96000:
      'From the threshold on, the window grows by one datagram for each window that is acknowledged: so ten in ten round trips.',
    49200: 'One datagram for each of the ten windows that were acknowledged.',
    58800: 'Each of the ten windows that were acknowledged is worth a datagram, the first as well.',
  },
  f: {
    61200:
      'Two packets in flight do not show that the path carries more than 60000 bytes: a window that is not used does not grow.',
    67200:
      'Two packets in flight do not show that the path carries more than 60000 bytes: a window that is not used does not grow.',
    12000:
      'RFC 9002 lets the window be as it is while little is sent (§7.8). TCP begins anew with the initial window after a pause in which it has sent nothing for longer than its retransmission timeout (RFC 5681 §4.1); here two packets are sent in each round trip.',
    2400: 'RFC 9002 lets the window be as it is while little is sent (§7.8).',
  },
  g: {
    30000:
      'That would be one loss among packets that arrive. Here nothing has arrived for longer than three probe timeouts.',
    60000: 'That everything was lost, for so long, is persistent congestion.',
    12000: 'The connection does not begin anew with the initial window: it begins with the minimum, two datagrams.',
    1200: 'The minimum is two datagrams: a single one might not be acknowledged at once.',
    0: 'With a window of nothing, nothing would ever be sent again.',
  },
  h: {
    6000: 'Below the threshold of 30000 it is slow start: the window doubles in each round trip.',
    4800: 'Three round trips, and the window doubles in each.',
    9600: 'Three round trips double it three times.',
    2400: 'With persistent congestion the recovery period is over: the window grows with the next ACK.',
    30000: 'It grows up to the threshold by slow start, and after three round trips it is not there yet.',
  },
}

export async function check(context: CheckContext): Promise<Feedback> {
  const course = playStory()
  const isRight = (letter: Letter) => numberIn(context.answers[letter], UNITS).value === course.at[letter].window
  const wrong = LETTERS.find(letter => !isRight(letter))
  const seen = wrong === undefined ? LETTERS : LETTERS.slice(0, LETTERS.indexOf(wrong))
  const last = seen.at(-1)
  if (last !== undefined) {
    const steps = course.windows.length
    showCharts(context, [
      {
        caption: 'the window in bytes, as far as you have predicted it',
        // Each step a few columns wide; what is to come stays empty.
        values: course.windows.flatMap((window, step) => Array(2).fill(step <= course.at[last].step ? window : 0)),
        style: 'accent',
        events: seen.map(letter => ({ letter, at: (course.at[letter].step + 0.5) / steps })),
      },
    ])
  }
  expectEach(
    context,
    LETTERS.map(letter => (each: CheckContext) => {
      expectNumber(each, letter, {
        text: `the window at ${letter}`,
        right: course.at[letter].window,
        wrong: WRONG[letter],
        units: UNITS,
        expected: 'the window that NewReno has there, in bytes',
        read: READ,
      })
    }),
  )
  return {
    passed: true,
    expected: 'the window at eight places',
    found: LETTERS.map(letter => `${letter} ${course.at[letter].window}`).join(', '),
    read: READ,
  }
}
