import type { LogComponent } from '../config/log-section.ts'
import { IpAddress } from '../ip/address.ts'
import { IpPrefix } from '../ip/prefix.ts'
import { TokenBucket } from '../ip/token-bucket.ts'
import type { ComponentLogs } from './component-logs.ts'
import type { Logger } from './logger.ts'

/** Lines at once, and lines per second in the long run. */
export const LINES = {
  connection: { burst: 20, perSecond: 2 },
  address: { burst: 200, perSecond: 20 },
  all: { burst: 1000, perSecond: 100 },
} as const

/** Characters of a line's text. Peers may put long ones into it: a path, the reason of a CONNECTION_CLOSE. */
export const MAX_TEXT = 1000
/** What was left out is said at most so often. */
const REPORT_EVERY_MS = 10_000
/** Addresses that are remembered; those that come on top share one bucket. */
const MAX_ADDRESSES = 1024
/** Addresses that a report names. */
const NAMED = 3

type Level = 'debug' | 'info' | 'warn' | 'error'

/** The part of a logger that is used for what a peer can cause, and so must be bounded. Every line carries `bindings`. */
export class BoundedLog {
  readonly #log: Logger
  readonly #bindings: object
  readonly #allows: () => boolean

  constructor(log: Logger, bindings: object, allows: () => boolean) {
    this.#log = log
    this.#bindings = bindings
    this.#allows = allows
  }

  /** Where what is to be said costs something, too. */
  isEnabled(level: Level): boolean {
    return this.#log.isLevelEnabled(level)
  }

  debug(details: object, text: string): void {
    this.#write('debug', details, text)
  }

  info(details: object, text: string): void {
    this.#write('info', details, text)
  }

  warn(details: object, text: string): void {
    this.#write('warn', details, text)
  }

  error(details: object, text: string): void {
    this.#write('error', details, text)
  }

  #write(level: Level, details: object, text: string): void {
    if (!this.#log.isLevelEnabled(level) || !this.#allows()) return
    this.#log[level]({ ...this.#bindings, ...details }, shortened(text))
  }
}

/** The log of one connection: each component's part of it. They share one budget. */
export type ConnectionLog = (component: LogComponent) => BoundedLog

interface Address {
  readonly name: string
  readonly bucket: TokenBucket
  leftOut: number
}

/**
 * How many lines peers may cause: on one connection, from one address, and in all. What is above is left out and counted, and a line
 * now and then says how much that was. A client needs no credentials to be refused, and each refusal is a line: without a
 * budget, whoever reaches the port could fill the disk.
 */
export class LogBudget {
  readonly #logs: ComponentLogs
  readonly #component: LogComponent
  readonly #now: () => number
  readonly #all: TokenBucket
  readonly #addresses = new Map<string, Address>()
  readonly #others: Address
  #leftOut = 0
  #unreported = 0
  #timer: NodeJS.Timeout | undefined

  /** `now` gives milliseconds that never go back. `component` tells of what was left out. */
  constructor(logs: ComponentLogs, now: () => number = () => performance.now(), component: LogComponent = 'proxy') {
    this.#logs = logs
    this.#component = component
    this.#now = now
    this.#all = this.#bucket(LINES.all)
    this.#others = { name: 'others', bucket: this.#bucket(LINES.address), leftOut: 0 }
  }

  /** Lines that were left out since the start. */
  get leftOut(): number {
    return this.#leftOut
  }

  /** The log of one connection, whose lines carry `bindings`. */
  forConnection(host: string, bindings: object): ConnectionLog {
    const bucket = this.#bucket(LINES.connection)
    const allows = (): boolean => {
      const address = this.#addressOf(host)
      // A line that one bucket refuses takes nothing from the others.
      const buckets = [bucket, address.bucket, this.#all]
      if (!buckets.every(each => each.isAvailable)) return this.#leaveOut(address)
      for (const each of buckets) each.take()
      return true
    }
    return component => new BoundedLog(this.#logs.of(component), bindings, allows)
  }

  /** The log for what peers can cause and no connection can be named for. */
  forNobody(component: LogComponent): BoundedLog {
    return new BoundedLog(this.#logs.of(component), {}, () => this.#all.take() || this.#leaveOut(this.#others))
  }

  /** Says what was left out and not said yet. */
  close(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#report()
  }

  #leaveOut(address: Address): false {
    this.#leftOut++
    this.#unreported++
    address.leftOut++
    this.#timer ??= setTimeout(() => this.close(), REPORT_EVERY_MS).unref()
    return false
  }

  #report(): void {
    if (this.#unreported === 0) return
    const addresses = [...this.#addresses.values(), this.#others].filter(({ leftOut }) => leftOut > 0)
    const most = addresses.toSorted((a, b) => b.leftOut - a.leftOut).slice(0, NAMED)
    const lines = this.#unreported === 1 ? '1 line' : `${this.#unreported} lines`
    this.#logs
      .of(this.#component)
      .warn(
        { leftOut: this.#unreported, most: Object.fromEntries(most.map(({ name, leftOut }) => [name, leftOut])) },
        `${lines} left out: more was to be said about some clients than the log has room for`,
      )
    this.#unreported = 0
    for (const address of addresses) address.leftOut = 0
  }

  #addressOf(host: string): Address {
    const name = network(host)
    let address = this.#addresses.get(name)
    if (address !== undefined) return address
    if (this.#addresses.size >= MAX_ADDRESSES) this.#forgetQuiet()
    if (this.#addresses.size >= MAX_ADDRESSES) return this.#others
    address = { name, bucket: this.#bucket(LINES.address), leftOut: 0 }
    this.#addresses.set(name, address)
    return address
  }

  /** Those whose bucket is full again are like those that were never seen. */
  #forgetQuiet(): void {
    for (const [name, { bucket, leftOut }] of this.#addresses) {
      if (bucket.isFull && leftOut === 0) this.#addresses.delete(name)
    }
  }

  #bucket(rate: { burst: number; perSecond: number }): TokenBucket {
    return new TokenBucket({ ...rate, now: this.#now })
  }
}

/** Whoever has one IPv6 address has a /64 of them (RFC 4291 §2.5.1). */
function network(host: string): string {
  const [withoutZone] = host.split('%', 1)
  const address = IpAddress.parse(withoutZone)
  const text = String(address)
  // An IPv4 client of a proxy that listens on `::` comes from ::ffff:192.0.2.1.
  if (address.version === 4 || text.includes('.')) return text
  return String(IpPrefix.containing(address, 64))
}

function shortened(text: string): string {
  return text.length <= MAX_TEXT ? text : `${text.slice(0, MAX_TEXT)} ... (${text.length - MAX_TEXT} more characters)`
}
