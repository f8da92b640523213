/**
 * `bench goodput`: how much of a bulk transfer arrives a second over a link that loses packets, from each QUIC to the same receiver. The link is ours: 20 Mbit/s,
 * which no CPU here is too slow for, with a queue of what it carries in a round trip.
 *
 *   server: quic-go │ quic-go with its CUBIC │ the engine in TypeScript │ quiche   ── link emulator ──>   client: quic-go, or without Go ours
 *
 * In a round each of them has each path once, in random order, through an emulator of its own, all with the same seed. The ratios are of the same round.
 */

import { loadavg } from 'node:os'
import { buildGoPrograms, prepareGo } from '../interop/harness/go-programs.ts'
import { Unavailable } from '../interop/harness/skip.ts'
import type { TestCertificates } from '../src/cert/make-certificates.ts'
import { type EmulatorHandle, startEmulatorProcess } from '../src/link/emulator/emulator-process.ts'
import { Random } from '../src/link/model/random.ts'
import { CLEAN, type Impairment, type Profile } from '../src/link/profile/profile.ts'
import { Child } from '../src/process/child.ts'
import { chooseEngine } from '../src/quic/choose-engine.ts'
import { bootstrap, type Estimate } from '../src/stats/bootstrap.ts'
import type { GoodputCount, GoodputOrders } from './goodput-peer.ts'
import { bytesInRoundTrip, type GoodputPath, MBIT, PACKET_SIZE, PATHS, WARM_UP_MS } from './goodput-settings.ts'
import { buildWithCubic, GoStreams } from './quic-go-streams.ts'

export const CONTENDERS = ['quic-go', 'quic-go-cubic', 'typescript', 'quiche'] as const
export type Contender = (typeof CONTENDERS)[number]
const OURS: Contender = 'typescript'

/** Two full packets at a time, as an interface does. */
const BURST_BYTES = 3_100
const CONFIDENCE = 0.95
/** Before that an interval says little. */
const LEAST_ROUNDS = 4

export interface GoodputRow extends GoodputPath {
  rounds: number
  /** Mbit/s of each round. */
  mbps: Partial<Record<Contender, number[]>>
  mean: Partial<Record<Contender, Estimate>>
  /** The engine in TypeScript to each other: geometric mean over the rounds. */
  ratio: Partial<Record<Contender, Estimate>>
}

export interface GoodputResult {
  /** `virtual`: in virtual time, each with itself. */
  receiver: 'quic-go' | 'typescript' | 'virtual'
  mbit: number
  seconds: number
  /** Load averages while it ran. 2 on 2 cores: nothing had to wait. */
  load: { least: number; most: number }
  rows: GoodputRow[]
  /** Who did not take part, and why. */
  skipped: string[]
}

export interface GoodputOptions {
  certificates: TestCertificates
  seconds: number
  rounds: number
  /** A path is done when the intervals of all its ratios reach no further than so much from them. */
  within: number
  only?: readonly Contender[] | undefined
  onProgress(text: string): void
}

export async function benchGoodput(options: GoodputOptions): Promise<GoodputResult> {
  const { contenders, receiver, skipped, close } = await start(options)
  const measured = PATHS.map(() => emptyRow(contenders))
  const loads = [loadavg()[0]]
  const order = new Random('goodput', 'order')
  try {
    for (let round = 1; round <= options.rounds; round++) {
      const turns = PATHS.flatMap((path, i) => {
        const isDone = round > LEAST_ROUNDS && isNarrow(rowOf(path, measured[i]), options.within)
        return isDone ? [] : [...contenders.keys()].map(name => ({ name, path, i }))
      })
      if (turns.length === 0) break
      const links = new Links(`${round}`)
      try {
        for (const { name, path, i } of shuffled(turns, order)) {
          const mbps = await measure(await links.to(contenders.get(name) as number, path), receiver)
          measured[i][name]?.push(mbps)
          loads.push(loadavg()[0])
          options.onProgress(`round ${round}: ${title(path)}, ${name}: ${mbps.toFixed(2)} Mbit/s`)
        }
      } finally {
        await links.close()
      }
    }
  } finally {
    await close()
  }
  return {
    receiver: receiver.name,
    mbit: MBIT,
    seconds: options.seconds,
    load: { least: Math.min(...loads), most: Math.max(...loads) },
    rows: PATHS.map((path, i) => rowOf(path, measured[i])),
    skipped,
  }
}

export const title = ({ loss, rttMs }: GoodputPath): string => `${loss * 100} %, ${rttMs} ms`

// -- who takes part ----------------------------------------------------------------------------------------------

interface Receiver {
  name: 'quic-go' | 'typescript'
  receive(port: number): Promise<GoodputCount>
}

interface Participants {
  /** Name and port. */
  contenders: Map<Contender, number>
  receiver: Receiver
  skipped: string[]
  close(): Promise<void>
}

async function start(options: GoodputOptions): Promise<Participants> {
  const { certificates, only = CONTENDERS } = options
  const skipped: string[] = []
  const contenders = new Map<Contender, number>()
  const running: { close(): Promise<unknown> }[] = []
  const close = async (): Promise<void> => {
    await Promise.all(running.map(each => each.close()))
  }
  const isThere = async (what: string, step: () => Promise<unknown>): Promise<boolean> => {
    try {
      await step()
      return true
    } catch (error) {
      if (!(error instanceof Unavailable)) throw error
      skipped.push(`${what}: left out, ${error.message}`)
      return false
    }
  }
  try {
    const hasGo = await isThere('quic-go', async () => {
      await prepareGo()
      await buildGoPrograms()
    })
    const startGo = async (name: Contender, program?: string): Promise<void> => {
      const { server, serverKey } = certificates
      const peer = new GoStreams(
        ['-listen', '127.0.0.1:0', '-certificate', server, '-key', serverKey, '-packet-size', `${PACKET_SIZE}`],
        program,
      )
      running.push(peer)
      contenders.set(name, (await peer.next('listening')).port as number)
    }
    const startNode = async (engine: 'typescript' | 'quiche'): Promise<void> => {
      const child = newNodePeer(`the server on ${engine}`)
      running.push(child)
      contenders.set(engine, await child.ask('serve', { engine, certificates }))
    }
    if (hasGo && only.includes('quic-go')) await startGo('quic-go')
    if (hasGo && only.includes('quic-go-cubic'))
      await isThere('quic-go-cubic', async () => startGo('quic-go-cubic', await buildWithCubic()))
    if (only.includes('typescript')) await startNode('typescript')
    if (only.includes('quiche')) await isThere('quiche', () => withQuiche(() => startNode('quiche')))
    if (hasGo) return { contenders, receiver: goReceiver(options), skipped, close }
    const client = newNodePeer('the client')
    running.push(client)
    return { contenders, receiver: ourReceiver(options, client), skipped, close }
  } catch (error) {
    await close()
    throw error
  }
}

async function withQuiche(step: () => Promise<void>): Promise<void> {
  await chooseEngine('quiche').catch((error: Error) => {
    throw new Unavailable(error.message)
  })
  await step()
}

function newNodePeer(name: string): Child<GoodputOrders> {
  return new Child<GoodputOrders>(new URL('./goodput-peer.ts', import.meta.url), { name })
}

function goReceiver({ certificates, seconds }: GoodputOptions): Receiver {
  return {
    name: 'quic-go',
    async receive(port) {
      const client = new GoStreams([
        ...['-connect', `127.0.0.1:${port}`, '-ca', certificates.ca, '-packet-size', `${PACKET_SIZE}`],
        ...['-warm-up', `${WARM_UP_MS}ms`, '-for', `${seconds}s`],
      ])
      try {
        const { bytes = 0, ms = Number.NaN } = await client.next('counted')
        return { bytes, ms }
      } finally {
        await client.close()
      }
    },
  }
}

function ourReceiver({ certificates, seconds }: GoodputOptions, client: Child<GoodputOrders>): Receiver {
  return {
    name: 'typescript',
    receive: port =>
      client.ask('receive', {
        port,
        ca: certificates.ca,
        warmUpMs: WARM_UP_MS,
        ms: seconds * 1000,
      }),
  }
}

// -- one measurement ---------------------------------------------------------------------------------------------

/** An emulator for each server, which begin with the same seed. */
class Links {
  readonly #seed: string
  readonly #links = new Map<number, EmulatorHandle>()

  constructor(seed: string) {
    this.#seed = seed
  }

  /** The port of the way to this server's, which from now on is as the path says. */
  async to(port: number, path: GoodputPath): Promise<number> {
    const profile = profileOf(path)
    const there = this.#links.get(port)
    if (there !== undefined) {
      await there.setProfile(profile)
      return there.address.port
    }
    const link = await startEmulatorProcess({ profile, seed: this.#seed, to: { host: '127.0.0.1', port } })
    this.#links.set(port, link)
    return link.address.port
  }

  async close(): Promise<void> {
    await Promise.all([...this.#links.values()].map(link => link.close()))
  }
}

/** In Mbit/s. */
async function measure(port: number, receiver: Receiver): Promise<number> {
  const { bytes, ms } = await receiver.receive(port)
  return (bytes * 8) / 1000 / ms
}

function profileOf(path: GoodputPath): Profile {
  const harm = impairment(path)
  return { name: 'goodput', title: '', about: '', source: '', up: harm, down: harm, timeline: [] }
}

function impairment(path: GoodputPath): Impairment {
  const { loss, rttMs } = path
  return {
    ...CLEAN,
    delayMs: rttMs / 2,
    loss: loss === 0 ? { model: 'none' } : { model: 'random', rate: loss, correlation: 0 },
    rate: { bitsPerSecond: MBIT * 1e6, limit: { bytes: bytesInRoundTrip(path) }, burstBytes: BURST_BYTES },
  }
}

// -- what comes of it --------------------------------------------------------------------------------------------

type Measured = Partial<Record<Contender, number[]>>

function emptyRow(contenders: ReadonlyMap<Contender, unknown>): Measured {
  return Object.fromEntries([...contenders.keys()].map(name => [name, []]))
}

/** Each round of ours with the same round of each other. */
export function rowOf(path: GoodputPath, mbps: Measured): GoodputRow {
  const ours = mbps[OURS] ?? []
  const mean: GoodputRow['mean'] = {}
  const ratio: GoodputRow['ratio'] = {}
  for (const name of CONTENDERS) {
    const theirs = mbps[name]
    if (theirs === undefined || theirs.length === 0) continue
    mean[name] = estimate(theirs, average)
    if (name !== OURS && ours.length > 0)
      ratio[name] = estimate(
        ours.map((value, i) => value / theirs[i]),
        geometric,
      )
  }
  return { ...path, rounds: Math.max(0, ...Object.values(mbps).map(({ length }) => length)), mbps, mean, ratio }
}

function estimate(values: readonly number[], statistic: (sample: Float64Array) => number): Estimate {
  return bootstrap(values, statistic, CONFIDENCE, new Random('goodput'))
}

function average(sample: Float64Array): number {
  return sample.reduce((sum, value) => sum + value, 0) / sample.length
}

function geometric(sample: Float64Array): number {
  return Math.exp(average(sample.map(Math.log)))
}

function isNarrow({ ratio }: GoodputRow, within: number): boolean {
  const ratios = Object.values(ratio)
  return (
    ratios.length > 0 &&
    ratios.every(({ estimate, low, high }) => estimate - low <= within && high - estimate <= within)
  )
}

function shuffled<T>(values: readonly T[], random: Random): T[] {
  const result = [...values]
  for (let i = result.length - 1; i > 0; i--) {
    const j = Math.floor(random.float() * (i + 1))
    const other = result[j]
    result[j] = result[i]
    result[i] = other
  }
  return result
}
