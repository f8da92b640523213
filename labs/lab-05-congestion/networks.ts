/**
 * The networks on which controllers are judged: the profile lte-bloat, each time with another rate and another delay; and what a controller does on them,
 * alone and beside a CUBIC. All of it in virtual time.
 */
import { readFileSync } from 'node:fs'
import { makeTestCertificates } from '../../src/cert/make-certificates.ts'
import { loadProfile } from '../../src/link/profile/load-profile.ts'
import type { Impairment } from '../../src/link/profile/profile.ts'
import type { TlsMaterial } from '../../src/quic/quic.ts'
import { percentileOf } from '../../src/stats/statistics.ts'
import {
  HANDSHAKES_MS,
  VirtualBottleneck,
  type VirtualFlow,
  type VirtualFlowOptions,
} from '../../src/testbed/virtual-bottleneck.ts'
import type { Seeded } from '../kit/check/seeded.ts'
import type { CheckContext } from '../kit/lab/types.ts'

const PROFILE = 'lte-bloat'

/** Of the profile's rate and delay. */
const FASTEST = 1.5
const SLOWEST = 0.75
const NEAREST = 0.75
const FARTHEST = 1.25

const ALONE_MS = 18_000
/** What comes before is the beginning, which is not judged. */
const ALONE_FROM_MS = 5000
export const DUEL_MS = 32_000
const DUEL_FROM_MS = 10_000
/** Who comes second begins so much later. */
const SECOND_AFTER_MS = 3000

/** One that somebody might have. */
export interface Network {
  readonly seed: string
  readonly up: Impairment
  readonly down: Impairment
  /** In a duel, who begins. */
  readonly isCubicFirst: boolean
}

export interface Alone {
  flow: VirtualFlow
  /** In bytes per ms. */
  goodput: number
  /** One way, in ms: so much or less for 95 of 100 packets. */
  p95: number
}

export interface Duel {
  /** In bytes per ms. */
  own: number
  cubic: number
}

export function drawNetworks(random: Seeded, count: number): Network[] {
  const { up, down } = loadProfile(PROFILE)
  const between = (low: number, high: number) => low + (high - low) * random.float()
  return random.list(count, (): Network => {
    const nearness = between(NEAREST, FARTHEST)
    const speed = between(SLOWEST, FASTEST)
    const rate = { ...up.rate!, bitsPerSecond: up.rate!.bitsPerSecond * speed }
    return {
      seed: random.word(12),
      up: { ...up, delayMs: up.delayMs * nearness, rate },
      down: { ...down, delayMs: down.delayMs * nearness },
      isCubicFirst: random.boolean(),
    }
  })
}

/** Of the server at the other end of every connection here. */
export async function serverTls(context: Pick<CheckContext, 'scratch'>): Promise<TlsMaterial> {
  const { server, serverKey, ca } = await makeTestCertificates(await context.scratch())
  return { certificateChain: readFileSync(server), key: readFileSync(serverKey), ca: readFileSync(ca) }
}

export class Judge {
  readonly #tls: TlsMaterial
  readonly #signal: AbortSignal

  constructor(tls: TlsMaterial, signal: AbortSignal) {
    this.#tls = tls
    this.#signal = signal
  }

  async alone(network: Network, congestion: VirtualFlowOptions): Promise<Alone> {
    const bottleneck = this.#bottleneck(network)
    const flow = bottleneck.addFlow(congestion)
    await bottleneck.run(ALONE_MS)
    const delays = flow.between(ALONE_FROM_MS, ALONE_MS).map(({ delayMs }) => delayMs)
    // Whoever sends nothing has no delay; nor is that a merit.
    const p95 = delays.length === 0 ? Number.POSITIVE_INFINITY : percentileOf(delays, 0.95)
    return { flow, goodput: flow.goodput(ALONE_FROM_MS, ALONE_MS), p95 }
  }

  async duel(network: Network, congestion: VirtualFlowOptions, onProgress?: (nowMs: number) => void): Promise<Duel> {
    const bottleneck = this.#bottleneck(network)
    const first = { fromMs: HANDSHAKES_MS }
    const second = { fromMs: HANDSHAKES_MS + SECOND_AFTER_MS }
    const own = bottleneck.addFlow({ ...congestion, ...(network.isCubicFirst ? second : first) })
    const cubic = bottleneck.addFlow({ congestion: 'cubic', ...(network.isCubicFirst ? first : second) })
    await bottleneck.run(DUEL_MS, onProgress)
    const goodput = (flow: VirtualFlow) => flow.goodput(DUEL_FROM_MS, DUEL_MS)
    return { own: goodput(own), cubic: goodput(cubic) }
  }

  #bottleneck({ up, down, seed }: Network): VirtualBottleneck {
    return new VirtualBottleneck({ up, down, seed, serverTls: this.#tls, signal: this.#signal })
  }
}

/** Jain's index of fairness, of n shares: 1 when all have the same, 1/n when one has all. */
export function jain(shares: readonly number[]): number {
  const sum = shares.reduce((a, b) => a + b, 0)
  const squares = shares.reduce((a, b) => a + b * b, 0)
  return squares === 0 ? 1 : sum ** 2 / (shares.length * squares)
}
