/**
 * A link emulator in front of the proxy: what it does to the packets of clients that come through it, for the API and the live view, and
 * how that is changed while they watch.
 *
 *     client --> emulated link --> proxy        and others beside it, to the proxy itself
 */

import type { EmulatorCounters } from '../link/emulator/emulator.ts'
import type { LinkCounters } from '../link/model/link-direction.ts'
import { expectedLoss } from '../link/model/loss.ts'
import { changedImpairment, loadProfile, profileNames } from '../link/profile/load-profile.ts'
import type { Direction, Impairment, Profile } from '../link/profile/profile.ts'
import { impairmentAt, standingStill } from '../link/profile/timeline.ts'
import { traceRate } from '../link/profile/trace.ts'
import { formatAddress, type SocketAddress } from '../net/udp.ts'
import { LateAnswerError } from '../process/child.ts'

/** The emulator, in this process or (better, where something is measured) in one of its own. */
export interface Emulator {
  readonly address: SocketAddress
  readonly secondAddress: SocketAddress | undefined
  counters(): EmulatorCounters | Promise<EmulatorCounters>
  setProfile(profile: Profile): void | Promise<void>
  close(): Promise<void>
}

export interface LinkOptions {
  readonly profile: Profile
  /**
   * `to`: where the proxy listens. `onDeath`: it has ended although nobody closed it. What it is asked for rejects with LateAnswerError when it is there and
   * does not answer.
   */
  start(options: { profile: Profile; to: SocketAddress; onDeath(error: Error): void }): Promise<Emulator>
}

/** What the link does in one direction, and has done. */
export interface LinkDirectionInfo {
  readonly delayMs: number
  readonly jitterMs: number
  /** In the long run; null: its model has no formula for that. */
  readonly lossPercent: number | null
  /** Of a trace: its mean. null: there is no bottleneck. */
  readonly rateKbit: number | null
  /** Nothing passes now. */
  readonly outage: boolean
  /** UDP packets since the link began. `dropped`: by a full queue, or in an outage. */
  readonly packets: {
    readonly offered: number
    readonly delivered: number
    readonly lost: number
    readonly dropped: number
  }
}

export interface LinkInfo {
  /** Where clients connect who want the link between them and the proxy. */
  readonly address: string
  readonly profile: string
  readonly title: string
  /** How often it was changed, by whoever may. */
  readonly changes: number
  /** Since the profile's timeline began; null: it has none, has not begun, or stands still because values were changed. */
  readonly timelineSeconds: number | null
  /** False: the emulator's process has ended, or stands still, and nothing passes. */
  readonly running: boolean
  readonly fromClients: LinkDirectionInfo
  readonly toClients: LinkDirectionInfo
}

export const LINK_DIRECTIONS = ['both', 'fromClients', 'toClients'] as const

/** First the profile, then the values on top of it. What is undefined stays as it is. */
export interface LinkChange {
  readonly profile?: string | undefined
  readonly direction: (typeof LINK_DIRECTIONS)[number]
  readonly delayMs?: number | undefined
  readonly jitterMs?: number | undefined
  readonly lossPercent?: number | undefined
  /** 0: no bottleneck. */
  readonly rateKbit?: number | undefined
}

/** A link that cannot be changed in this way, with a sentence for whoever wants it. */
export class LinkChangeError extends Error {
  override name = 'LinkChangeError'
  readonly kind: 'unknown' | 'impossible' | 'busy' | 'late'

  constructor(kind: LinkChangeError['kind'], message: string) {
    super(message)
    this.kind = kind
  }
}

/** What a change may say, and how many may wait for the ones before them. */
export const LINK_CHANGE_LIMITS = {
  delayMs: 10_000,
  jitterMs: 2_000,
  rateKbit: 10_000_000,
  profileName: 64,
  waiting: 8,
} as const

export const LINK_IS_LATE =
  'the emulator of the link runs, and does not answer: its process was stopped, or the machine is too busy; what it was told holds when it goes on'

const NAMES: Readonly<Record<Direction, 'fromClients' | 'toClients'>> = { up: 'fromClients', down: 'toClients' }

export class AttachedLink {
  readonly #emulator: Emulator
  #profile: Profile
  #counters: EmulatorCounters
  /** When its timeline was how far: what is between two looks is computed. */
  #readAt = performance.now()
  #changes = 0
  #state: 'running' | 'late' | 'ended' = 'running'
  /** It was sent, and no answer has come: it holds as soon as anything else is answered. */
  #unanswered: Profile | undefined
  #waiting = 0
  #last: Promise<unknown> = Promise.resolve()
  #reading: Promise<void> | undefined

  /** Rejects with EmulatorError where the link cannot be. `onDeath`: when it has ended although nobody closed it. */
  static async start(
    { profile, start }: LinkOptions,
    to: SocketAddress,
    onDeath: (error: Error) => void = () => {},
  ): Promise<AttachedLink> {
    let link: AttachedLink | undefined
    const emulator = await start({
      profile,
      to,
      onDeath(error) {
        if (link) link.#state = 'ended'
        onDeath(error)
      },
    })
    try {
      link = new AttachedLink(emulator, profile, await emulator.counters())
      return link
    } catch (error) {
      await emulator.close()
      throw error
    }
  }

  private constructor(emulator: Emulator, profile: Profile, counters: EmulatorCounters) {
    this.#emulator = emulator
    this.#profile = profile
    this.#counters = counters
  }

  get address(): SocketAddress {
    return this.#emulator.address
  }

  /** Those that it can play: a handover needs a second attachment. */
  get profiles(): readonly { readonly name: string; readonly title: string }[] {
    return profileNames()
      .map(loadProfile)
      .filter(profile => this.#canPlay(profile))
      .map(({ name, title }) => ({ name, title }))
  }

  /** As it was when it was last read. */
  info(): LinkInfo {
    const elapsedMs = this.#elapsedMs()
    const side = (direction: Direction): LinkDirectionInfo => ({
      ...values(impairmentAt(this.#profile, 0, direction, elapsedMs ?? -1)),
      packets: packets(this.#counters[direction]),
    })
    return {
      address: formatAddress(this.#emulator.address),
      profile: this.#profile.name,
      title: this.#profile.title,
      changes: this.#changes,
      timelineSeconds: elapsedMs === undefined ? null : Math.round(elapsedMs) / 1000,
      running: this.#state === 'running',
      fromClients: side('up'),
      toClients: side('down'),
    }
  }

  /** Reads what it has done since. Never rejects, `state` tells; one reading serves all who ask meanwhile. */
  read(): Promise<void> {
    this.#reading ??= this.#read().finally(() => {
      this.#reading = undefined
    })
    return this.#reading
  }

  /** Rejects with LinkChangeError. One after the other: each builds on what the one before has left. */
  change(wanted: LinkChange): Promise<LinkInfo> {
    if (this.#waiting >= LINK_CHANGE_LIMITS.waiting) {
      return Promise.reject(new LinkChangeError('busy', 'the link is being changed; ask again in a moment'))
    }
    this.#waiting++
    const done = this.#last
      .then(() => this.#change(wanted))
      .finally(() => {
        this.#waiting--
      })
    this.#last = done.catch(() => {})
    return done
  }

  /** As it was when it was last read. `late`: its process is there and does not answer. */
  get state(): 'running' | 'late' | 'ended' {
    return this.#state
  }

  close(): Promise<void> {
    return this.#emulator.close()
  }

  async #read(): Promise<void> {
    try {
      this.#counters = await this.#emulator.counters()
      this.#readAt = performance.now()
      this.#state = 'running'
      // It does one thing after the other, so by now that is done, too.
      if (this.#unanswered) this.#changedTo(this.#unanswered)
    } catch (error) {
      // The proxy goes on without it.
      this.#state = error instanceof LateAnswerError ? 'late' : 'ended'
    }
  }

  async #change(wanted: LinkChange): Promise<LinkInfo> {
    await this.#read()
    this.#mustRun()
    const before = this.#wantedProfile(wanted.profile)
    const after = changed(before, wanted, before === this.#profile ? this.#elapsedMs() : undefined)
    // Nothing is wanted: a timeline does not begin anew.
    if (after === this.#profile) return this.info()
    try {
      await this.#emulator.setProfile(after)
    } catch (error) {
      if (error instanceof LateAnswerError) this.#unanswered = after
      // Where it still answers, it was not its end.
      await this.#read()
      this.#mustRun()
      throw error
    }
    this.#changedTo(after)
    await this.#read()
    return this.info()
  }

  #changedTo(profile: Profile): void {
    this.#unanswered = undefined
    this.#profile = profile
    this.#changes++
  }

  #mustRun(): void {
    if (this.#state === 'ended') throw new LinkChangeError('impossible', 'the emulator of the link has ended')
    if (this.#state === 'late') throw new LinkChangeError('late', LINK_IS_LATE)
  }

  #wantedProfile(name: string | undefined): Profile {
    if (name === undefined) return this.#profile
    if (!profileNames().includes(name)) {
      throw new LinkChangeError('unknown', `there is no profile ${name}; docs/netem.md has those that are shipped`)
    }
    const profile = loadProfile(name)
    if (this.#canPlay(profile)) return profile
    throw new LinkChangeError(
      'impossible',
      `the profile ${name} has a second attachment: start the proxy with it, then the link has one`,
    )
  }

  #canPlay({ second }: Profile): boolean {
    return second === undefined || this.#emulator.secondAddress !== undefined
  }

  #elapsedMs(): number | undefined {
    const { timelineMs } = this.#counters
    if (timelineMs === undefined || this.#profile.timeline.length === 0) return undefined
    return timelineMs + performance.now() - this.#readAt
  }
}

/** The same profile when no value is wanted. Throws LinkChangeError. */
function changed(profile: Profile, change: LinkChange, elapsedMs: number | undefined): Profile {
  const { direction, delayMs, jitterMs, lossPercent, rateKbit } = change
  const texts: Record<string, string> = {
    ...(delayMs !== undefined && { delay: `${delayMs}ms` }),
    ...(jitterMs !== undefined && { jitter: `${jitterMs}ms` }),
    ...(lossPercent !== undefined && { loss: `${lossPercent.toFixed(4)}%` }),
    ...(rateKbit !== undefined && { rate: rateKbit === 0 ? 'none' : `${rateKbit}kbit` }),
  }
  if (Object.keys(texts).length === 0) return profile
  const still = standingStill(profile, elapsedMs)
  const side = (each: Direction, impairment: Impairment): Impairment =>
    direction === 'both' || direction === NAMES[each] ? changedImpairment(impairment, texts) : impairment
  const both = (link: Record<Direction, Impairment>) => ({ up: side('up', link.up), down: side('down', link.down) })
  try {
    return { ...still, ...both(still), ...(still.second && { second: both(still.second) }) }
  } catch (cause) {
    // What the rules of a profile forbid: packets that overtake others without a delay, say.
    throw new LinkChangeError('impossible', (cause as Error).message)
  }
}

function values({ delayMs, jitterMs, loss, rate, trace, down }: Impairment): Omit<LinkDirectionInfo, 'packets'> {
  const lost = expectedLoss(loss)
  const bitsPerSecond = trace === undefined ? rate?.bitsPerSecond : traceRate(trace, 0, trace.periodMs)
  return {
    delayMs: rounded(delayMs),
    jitterMs: rounded(jitterMs),
    lossPercent: lost === undefined ? null : rounded(lost * 100),
    rateKbit: bitsPerSecond === undefined ? null : Math.round(bitsPerSecond / 1000),
    outage: down,
  }
}

/** Of all attachments. */
function packets(links: readonly LinkCounters[]): LinkDirectionInfo['packets'] {
  const sum = (of: (counters: LinkCounters) => number): number => links.reduce((total, each) => total + of(each), 0)
  return {
    offered: sum(({ offered }) => offered),
    delivered: sum(({ delivered }) => delivered),
    lost: sum(({ lost }) => lost),
    dropped: sum(({ outage, overflow }) => outage + overflow),
  }
}

function rounded(value: number): number {
  return Math.round(value * 1000) / 1000
}
