/** One contender, once through the stretch of a profile. */

import type { Profile } from '../../src/link/profile/profile.ts'
import type { Contender, Setting } from './contender.ts'
import { type LinkEvent, stretchOf } from './events.ts'
import { type Arrival, type Echo, figuresOf, type RunFigures, type TcpFigures, tcpFigures } from './figures.ts'
import { ContenderError, INNER } from './start-program.ts'

export interface Run {
  readonly contender: string
  readonly figures: RunFigures
  /** Times from the beginning of the run. */
  readonly echoes: readonly Echo[]
  readonly events: readonly LinkEvent[]
  /** Of TCP only. */
  readonly tcp?: TcpFigures
  /** How often the emulator itself was held up, so that packets were late. */
  readonly stalls: number
}

/** What is sent through the tunnel: the echo train and the paced flow, or one TCP flow that takes all it gets. */
export type Traffic = 'udp' | 'tcp'

const REACH_MS = 15_000

/** Rejects with what kept the contender from carrying anything at all. */
export async function runOnce(
  setting: Setting,
  contender: Contender,
  profile: Profile,
  seed: string,
  traffic: Traffic = 'udp',
): Promise<Run> {
  const { network } = setting
  const { fromMs, toMs, events } = stretchOf(profile)
  const link = await network.startLink(profile, seed, contender.carriedBy)
  let stalls = 0
  link.on('stall', () => stalls++)
  try {
    const running = await contender.start(setting)
    link.on('address-change', ({ change, to }) => {
      if (change !== 'handover') return
      void network.handOver(to === 1 ? 'lte' : 'wifi').then(() => running.moved?.())
    })
    const { client, server } = network.probes
    if (!(await client.ask('reach', { target: INNER.server, forMs: REACH_MS }))) {
      throw new ContenderError(`${contender.title}: nothing has come through its tunnel for ${REACH_MS / 1000} s`)
    }
    await server.ask('arrivals')
    const order = { target: INNER.server, forMs: toMs - fromMs }
    const sending =
      traffic === 'tcp'
        ? client.ask('pour', order).then(isOpen => ({ echoes: [], isOpen }))
        : client.ask('train', order).then(echoes => ({ echoes }))
    const began = await link.beginTimeline(fromMs)
    const sent = await sending
    const arrivals = await server.ask('arrivals')
    return written({ contender: contender.name, ...sent, arrivals, stalls }, began, { fromMs, toMs, events })
  } finally {
    await network.endPrograms()
    await link.close()
  }
}

/** `began`: when the clock showed what the timeline calls `fromMs`. */
export function written(
  raw: {
    contender: string
    echoes: readonly Echo[]
    arrivals: readonly Arrival[]
    stalls: number
    /** Of TCP: whether the connection was there to the end. */
    isOpen?: boolean
  },
  began: number,
  stretch: { fromMs: number; toMs: number; events: readonly LinkEvent[] },
): Run {
  const echoes = raw.echoes.map(({ sentMs, rttMs }) => ({ sentMs: sentMs - began, rttMs }))
  const events = stretch.events.map(({ kind, atMs, endMs }) => ({
    kind,
    atMs: atMs - stretch.fromMs,
    endMs: endMs - stretch.fromMs,
  }))
  const arrivals = raw.arrivals.map(({ atMs, bytes }) => ({ atMs: atMs - began, bytes }))
  const toMs = stretch.toMs - stretch.fromMs
  return {
    contender: raw.contender,
    figures: figuresOf({ echoes, arrivals, fromMs: 0, toMs, events }),
    echoes,
    events,
    stalls: raw.stalls,
    ...(raw.isOpen !== undefined && { tcp: tcpFigures({ arrivals, toMs, events, isOpen: raw.isOpen }) }),
  }
}
