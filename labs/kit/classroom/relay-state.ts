/**
 * What a relay measurement knows of the tunnels that students have opened to it. Round trips and throughput are what their programs have told, and nothing of it
 * is proven; bounded, whatever they tell. The clock is an argument.
 */
import { median } from '../../../src/stats/statistics.ts'
import { RELAY_PLAN, type RelayReport } from '../run/relay-plan.ts'
import { fields, Refusal } from './class-state.ts'

export const RELAY_LIMITS = {
  /** Students with a place, which is theirs as long as the relay runs. */
  students: 200,
  /** Of one student, in a minute; there are 60 when all goes well. */
  reports: 120,
} as const
const MINUTE_MS = 60_000
/** A tunnel that nothing was heard of for so long counts as closed. */
const SILENT_MS = 5000
/** A ping that takes longer than its time is lost, but on a busy machine that time is up late. */
const MAX_MS = 10 * RELAY_PLAN.timeoutMs
/** More than is sent: what was held up comes back all at once. */
const MAX_BITS = 4 * RELAY_PLAN.pingsPerSecond * RELAY_PLAN.payloadBytes * 8

interface RelayTunnel extends RelayReport {
  startedAt: number
  lastAt: number
  minute: number
  reports: number
}

export interface RelayView {
  /** Open now. */
  open: number
  /** Of those that are open, in bit/s. */
  bitsPerSecond: number
  /** Of the medians of those that are open; null: none has told one. */
  medianMs: number | null
  slowestMs: number | null
  tunnels: { alias: string; open: boolean; medianMs: number | null; slowestMs: number | null; bitsPerSecond: number }[]
}

export class RelayState {
  readonly #now: () => number
  readonly #tunnels = new Map<string, RelayTunnel>()

  constructor(now: () => number = Date.now) {
    this.#now = now
  }

  /** The student is about to open one. Throws a Refusal. */
  start(id: string): void {
    const now = this.#now()
    const before = this.#tunnels.get(id)
    if (before === undefined && this.#tunnels.size >= RELAY_LIMITS.students)
      throw new Refusal(429, `the relay is full (${RELAY_LIMITS.students})`)
    const { minute, reports } = before ?? { minute: now, reports: 0 }
    const tunnel = { medianMs: null, slowestMs: null, bitsPerSecond: 0, startedAt: now, lastAt: now, minute, reports }
    this.#count(tunnel)
    this.#tunnels.set(id, tunnel)
  }

  /** Throws a Refusal. */
  report(id: string, given: unknown): void {
    const tunnel = this.#tunnels.get(id)
    if (tunnel === undefined) throw new Refusal(409, 'no measurement of yours runs here')
    this.#count(tunnel)
    const now = this.#now()
    // Some seconds for the connection to come up, and for the last report.
    if (now - tunnel.startedAt > RELAY_PLAN.seconds * 1000 + 2 * SILENT_MS)
      throw new Refusal(409, 'the time of the measurement is up')
    const { medianMs, slowestMs, bitsPerSecond } = fields(given)
    const isTime = (value: unknown): value is number | null => value === null || isWithin(value, MAX_MS)
    if (!isTime(medianMs) || !isTime(slowestMs) || !isWithin(bitsPerSecond, MAX_BITS))
      throw new Refusal(400, 'round trips in ms, or null, and a throughput that is possible here are expected')
    Object.assign(tunnel, { medianMs, slowestMs, bitsPerSecond, lastAt: now })
  }

  leave(id: string): void {
    this.#tunnels.delete(id)
  }

  /** `aliasOf`: undefined for whoever has left. */
  view(aliasOf: (id: string) => string | undefined): RelayView {
    const now = this.#now()
    const tunnels = [...this.#tunnels]
      .flatMap(([id, { medianMs, slowestMs, bitsPerSecond, lastAt }]) => {
        const alias = aliasOf(id)
        const open = now - lastAt <= SILENT_MS
        return alias === undefined
          ? []
          : [{ alias, open, medianMs, slowestMs, bitsPerSecond: open ? bitsPerSecond : 0 }]
      })
      .sort((a, b) => a.alias.localeCompare(b.alias))
    const open = tunnels.filter(tunnel => tunnel.open)
    const medians = open.flatMap(({ medianMs }) => medianMs ?? [])
    const slowest = open.flatMap(({ slowestMs }) => slowestMs ?? [])
    return {
      open: open.length,
      bitsPerSecond: open.reduce((sum, { bitsPerSecond }) => sum + bitsPerSecond, 0),
      medianMs: medians.length > 0 ? median(medians) : null,
      slowestMs: slowest.length > 0 ? Math.max(...slowest) : null,
      tunnels,
    }
  }

  #count(tunnel: RelayTunnel): void {
    const now = this.#now()
    if (now - tunnel.minute >= MINUTE_MS) Object.assign(tunnel, { minute: now, reports: 0 })
    if (++tunnel.reports > RELAY_LIMITS.reports)
      throw new Refusal(429, `more than ${RELAY_LIMITS.reports} reports in a minute`)
  }
}

function isWithin(value: unknown, most: number): value is number {
  return typeof value === 'number' && value >= 0 && value <= most
}
