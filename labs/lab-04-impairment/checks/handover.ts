/**
 * Task 8: out of the house, from Wi-Fi to LTE. Prediction and reasons first; then, in front of the student, two tunnels on one link, whose figures the last
 * questions are about. What the run decides on is that both tunnels are the same afterwards, and no time. In grading the run is the one in measured.toml.
 */
import { loadProfile } from '../../../src/link/profile/load-profile.ts'
import { formatNumber } from '../../kit/check/format.ts'
import { expectAroundRun, type OwnQuestion, recordRun } from '../../kit/check/own-runs.ts'
import { expectChoices, expectNumber, MILLISECONDS, numberIn } from '../../kit/check/questions.ts'
import { watchTunnel } from '../../kit/check/window-recorder.ts'
import type { CheckContext, Feedback, Reading } from '../../kit/lab/types.ts'
import { figuresOf, INTERVAL_MS, measureHandover, PROFILE, TASK } from '../handover.ts'
import { expectNear } from '../near.ts'
import { type PredictionRow, showLink, showPredictions } from '../panel-data.ts'

const READ: Reading[] = ['RFC 9000 §9.4', 'labs/lab-04-impairment/README.md, "From Wi-Fi to LTE"']

// Cases ---------------------------------------------------------------------------------------------------------------

/** One way, ms: the Wi-Fi at its end, and LTE. As the profile says, and the task. */
const WIFI_MS = 20
const LTE_MS = 32
/** Challenge and first ping, less what was still on its way. */
const SILENCE_MS = 4 * LTE_MS - WIFI_MS
/** On top comes a part of the interval of pings. No more of it than leaves out what wrong ideas give: 104 ms, and 128. */
const ACCEPTED = { least: SILENCE_MS - 2, most: SILENCE_MS + INTERVAL_MS - 4 }

const CHOICES: Readonly<Record<string, { right: string; wrong: Readonly<Record<string, string>> }>> = {
  earlier: {
    right: 'c',
    wrong: {
      a: 'The challenge takes its round trip, but nobody waits for it: meanwhile all goes on over the Wi-Fi, which is still there.',
      b: 'For that the proxy would have to send everything twice. It sends to one address, and follows the client.',
      d: 'The proxy follows with the first packet that is no probe. It does not need to see the Wi-Fi fail.',
    },
  },
  slower: {
    right: 'b',
    wrong: {
      a: 'The window bounds how much is under way. A ping every 20 ms does not come near to it.',
      c: 'A challenge costs time once. In the median of two seconds nothing is left of it.',
      d: 'What is around a packet is the same on both networks.',
    },
  },
  reset: {
    right: 'a',
    wrong: {
      b: 'Nobody else is asked: each sender has a window of its own, and it may be large or small.',
      c: 'Keys and packet numbers go on as they were. What is begun anew is what was measured.',
      d: 'That is what the limit of three times is for, and it ends when the address is validated.',
    },
  },
}

const FIGURES = ['lte_p50_ms', 'wifi_p50_ms', 'path_ms', 'silence_ms', 'fading_sent', 'fading_missing', 'missing']

const CHALLENGE: OwnQuestion = {
  task: TASK,
  figures: FIGURES,
  right: run => run.path_ms! / run.lte_p50_ms!,
  wrong: [
    { says: 'That is in ms. How many round trips is it?', would: run => run.path_ms! },
    {
      says: 'The challenge was sent over LTE, not over the Wi-Fi: that was gone.',
      would: run => run.path_ms! / run.wifi_p50_ms!,
    },
    {
      says: 'That is the whole silence. The challenge is its first part; the first ping comes behind it.',
      would: run => run.silence_ms! / run.lte_p50_ms!,
    },
    { says: 'Upside down: the challenge, divided by the round trip.', would: run => run.lte_p50_ms! / run.path_ms! },
  ],
  units: ['rtt', 'round trips', 'trips'],
  read: READ,
}

const FADING: OwnQuestion = {
  task: TASK,
  figures: FIGURES,
  right: run => (100 * run.fading_missing!) / (run.fading_missing! + run.missing!),
  wrong: [
    {
      says: 'That is how much the Wi-Fi lost of what was sent over it. Asked for is its part in all that is missing.',
      would: run => (100 * run.fading_missing!) / run.fading_sent!,
    },
    {
      says: 'That is the other part: what was lost by the move.',
      would: run => (100 * run.missing!) / (run.fading_missing! + run.missing!),
    },
    {
      says: 'That is a share, and not percent.',
      would: run => run.fading_missing! / (run.fading_missing! + run.missing!),
    },
  ],
  units: ['%', 'percent'],
  read: READ,
}

// Judgement -----------------------------------------------------------------------------------------------------------

export async function check(context: CheckContext): Promise<Feedback> {
  let predicted = Number.NaN
  const run = await expectAroundRun(context, {
    task: TASK,
    figures: FIGURES,
    before: [
      each => {
        predicted = expectSilence(each)
      },
      ...expectChoices(CHOICES, READ),
    ],
    measure: () => measure(context, predicted),
    draw: run => {
      const { value } = numberIn(context.answers.silence, MILLISECONDS)
      showPredictions(context, predictionRows(value, run.silence_ms, run.earlier_silence_ms))
    },
    own: { challenge: CHALLENGE, fading: FADING },
  })
  return {
    passed: true,
    expected: 'what a handover costs, and which part of it is the network',
    found: `your run: silent for ${formatNumber(run.silence_ms!)} ms; ${run.missing} pings were lost by the move, and ${run.fading_missing} of ${run.fading_sent} by the Wi-Fi before it`,
    read: READ,
  }
}

function expectSilence(context: CheckContext): number {
  return expectNumber(context, 'silence', {
    text: 'your prediction of the silence',
    expected: `a time in ms that follows from the delays in the brief, under [${TASK}], as silence`,
    right: ms => ms >= ACCEPTED.least && ms <= ACCEPTED.most,
    wrong: ms => {
      if (ms <= 1) return 'The answer is asked for in ms.'
      if (ms <= 2 * LTE_MS + INTERVAL_MS) {
        return 'Before the first ping may leave over LTE, the challenge has to be answered there: that is a round trip of LTE for itself. The ping is the second one.'
      }
      const near = (wrong: number) => Math.abs(ms - wrong) <= 1
      if (near(4 * LTE_MS) || near(4 * LTE_MS + INTERVAL_MS)) {
        return 'What had left the proxy before the Wi-Fi was gone still arrives: the silence begins only with the last reply over it.'
      }
      if (near(3 * LTE_MS)) {
        return 'The last reply comes over the Wi-Fi, in the 20 ms that it takes there, and not in the 32 ms of LTE.'
      }
      if (near(2 * WIFI_MS + 2 * LTE_MS)) {
        return 'Both round trips are those of LTE: nothing comes back over the Wi-Fi any more.'
      }
      if (ms < 5 * LTE_MS) return undefined
      return ms < 500
        ? 'The connection goes on: there is no handshake, and nothing is asked for. A challenge, a ping, and less by what was still on its way over the Wi-Fi.'
        : 'No timer has to run out here: the client is told that the Wi-Fi is gone.'
    },
    units: MILLISECONDS,
    read: READ,
  })
}

// Live ----------------------------------------------------------------------------------------------------------------

function predictionRows(predicted: number, atOnce?: number, earlier?: number): PredictionRow[] {
  return [
    { name: 'moves when the Wi-Fi is gone: silent for', predicted, measured: atOnce, unit: 'ms' },
    { name: 'moves two seconds earlier: silent for', predicted: INTERVAL_MS, measured: earlier, unit: 'ms' },
  ]
}

async function measure(context: CheckContext, predicted: number): Promise<void> {
  const profile = loadProfile(PROFILE)
  showPredictions(context, predictionRows(predicted))
  const measured = await context.do('walk out of the house, with two tunnels', () =>
    measureHandover({
      seed: context.seed,
      signal: context.signal,
      onTunnel: (title, client) => watchTunnel(context, title, client),
      onProgress: (doneMs, totalMs, state) => {
        context.progress(doneMs, totalMs, state)
        const { up, down } = state === 'LTE' ? (profile.second ?? profile) : profile
        showLink(context, {
          profile: PROFILE,
          delayMs: { up: up.delayMs, down: down.delayMs },
          loss: { up: 0, down: 0 },
          state,
        })
      },
    }),
  )
  const { atOnce, earlier } = measured
  const rows = predictionRows(predicted, atOnce.silenceMs, earlier.silenceMs)
  showPredictions(context, rows)
  context.expect('both tunnels are the same after the handover', atOnce.kept && earlier.kept, {
    expected: 'the same sessions with the same addresses inside',
    found: 'another session, or none',
    read: READ,
  })
  recordRun(context, TASK, figuresOf(measured))
  expectNear(context, TASK, rows.slice(0, 1), READ)
}
