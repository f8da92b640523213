/**
 * The measurements behind `netem check`: first a trickle in both directions at once, for delay and loss, then a flood, for the
 * rate. With the trickle go the datagrams of a control run, which says what this machine adds. Where the limits of each line come
 * from is in judge.ts.
 */

import { type Attachment, DIRECTIONS, type Direction, type Impairment, type Profile } from '../profile/profile.ts'
import { impairmentAt } from '../profile/timeline.ts'
import type { CheckedLink, ControlDatagram, Link } from './checked-link.ts'
import { floodFlow, trickleFlow, trickleSpacingMs } from './flows.ts'
import { type Circumstances, judgeQueue, judgeRate, judgeTrickle, type Line } from './judge.ts'

/** Who looks on. */
export interface MeasureReport {
  /** What is being done, in a few words. */
  progress(what: string): void
  /** What the control run found, which is part of the limits of every delay. */
  lateness(control: Record<Direction, ControlDatagram[]>): void
}

interface MeasureOptions {
  /** In each direction; undefined: as many as it takes to judge the loss, in 25 s at most. */
  packets: number | undefined
  seed: string
  report: MeasureReport
}

/** One control datagram for so many of the link's. */
const CONTROL_EVERY = 2
const FLOOD_CONTROL_EVERY = 8

/**
 * Measures both directions of a link that runs, and gives a line for each thing that was measured, as soon as it is. Throws
 * StoppedError when the link's signal says so.
 */
export async function* measureLink(
  link: Link,
  checked: CheckedLink,
  { packets, seed, report }: MeasureOptions,
): AsyncGenerator<Line> {
  const circumstances = async (direction: Direction): Promise<Circumstances> => ({
    beganMs: checked.beganMs(direction),
    seed,
    machineLosses: await checked.machineLosses(),
  })
  const trickles = await checked.run(
    DIRECTIONS.map(direction => trickleFlow(direction, link[direction], trickleSpacingMs(link[direction]), packets)),
    {
      onSent: (direction, sequence) => {
        if (sequence % CONTROL_EVERY === 0) checked.sendControl(direction)
      },
      onProgress: share => report.progress(`delay and loss, ${Math.floor(share * 100)} %`),
    },
  )
  report.progress('delay and loss, expectation')
  const control = checked.takeControl()
  report.lateness(control)
  for (const [i, direction] of DIRECTIONS.entries()) {
    yield* judgeTrickle(link[direction], trickles[i], control[direction], await circumstances(direction))
  }
  const floods = DIRECTIONS.map(direction => floodFlow(direction, link[direction]))
  const flows = floods.filter(flood => typeof flood === 'object')
  const records = await checked.run(flows, {
    inBursts: true,
    onSent: (direction, sequence) => {
      if (sequence % FLOOD_CONTROL_EVERY === 0) checked.sendControl(direction)
    },
    onProgress: share => report.progress(`rate, ${Math.floor(share * 100)} %`),
  })
  const floodControl = checked.takeControl()
  for (const [i, direction] of DIRECTIONS.entries()) {
    const flood = floods[i]
    if (flood === undefined) continue
    const record = records.find(({ flow }) => flow === flood)
    if (record === undefined) yield unjudgedRate(direction, link[direction], String(flood))
    else {
      yield judgeRate(link[direction], record, await circumstances(direction))
      yield* judgeQueue(link[direction], record, floodControl[direction], await circumstances(direction))
    }
  }
}

function unjudgedRate(direction: Direction, { rate }: Impairment, note: string): Line {
  const expected = rate?.bitsPerSecond ?? 0
  const values = { measured: Number.NaN, expected, low: expected, high: expected, sampleSize: 0 }
  return { direction, name: 'rate', unit: 'bit/s', verdict: 'unjudged', ...values, note }
}

/** As a timeline's first moment has it. */
export function linkAtBeginning(profile: Profile, attachment: Attachment): Link {
  const link = (direction: Direction) => impairmentAt(profile, attachment, direction, 0)
  return { up: link('up'), down: link('down') }
}
