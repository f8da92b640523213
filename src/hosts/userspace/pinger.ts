import type { IpAddress } from '../../ip/address.ts'
import type { Clock } from '../clock.ts'
import type { IcmpErrorReport } from './icmp-error-report.ts'

export interface PingOptions {
  /** Bytes of data in the echo request, without ICMP and IP headers; default 56, as in the ping command. */
  size?: number
  /** How long to wait for the reply, in ms; default 1000. */
  timeoutMs?: number
  /** TTL or hop limit of the request; default 64. */
  hopCount?: number
  /**
   * Default: the first of the host's addresses that suits the target. It may be an address that the host does not have, to see
   * what becomes of packets with a forged source.
   */
  source?: IpAddress
  /** Called for each further reply to the same request. */
  onDuplicate?: () => void
  /** Called when the reply comes after `timeoutMs`, at which the ping has failed already. */
  onLate?: (rttMs: number) => void
}

export interface PingResult {
  /** Who answered. Not the target when that is a multicast address. */
  from: IpAddress
  rttMs: number
  /** TTL or hop limit of the reply as it arrived. */
  hopCount: number
  /** Bytes of data in the reply, counted as `size` is. */
  bytes: number
}

/**
 *   timeout     nothing came in time
 *   icmp        an ICMP error about the request came: `icmp` says which, and who sent it
 *   mismatch    a reply came, with other data than was sent
 *   no-source   the host has no address of the target's IP version
 *   unreachable nothing is sent through a tunnel to such an address
 *   too-large   the request would not fit into an IP packet
 *   closed      the host was closed, or its tunnel is down
 */
export type PingFailure = 'timeout' | 'icmp' | 'mismatch' | 'no-source' | 'unreachable' | 'too-large' | 'closed'

/** How a ping ends that brings no reply. */
export class PingError extends Error {
  override name = 'PingError'
  readonly kind: PingFailure
  readonly target: IpAddress
  /** With kind 'icmp'. */
  readonly icmp: IcmpErrorReport | undefined

  constructor(kind: PingFailure, target: IpAddress, message: string, icmp?: IcmpErrorReport) {
    super(`ping ${target}: ${message}`)
    this.kind = kind
    this.target = target
    this.icmp = icmp
  }
}

export interface EchoMessage {
  identifier: number
  sequence: number
  data: Uint8Array
}

export interface PingCounters {
  sent: number
  answered: number
  duplicates: number
  /** Replies to requests that had timed out. */
  late: number
  /** Replies to requests that this host did not send, or whose sender cannot be the one asked. */
  unexpected: number
}

interface Ping {
  target: IpAddress
  data: Uint8Array
  sentAt: number
  timer: unknown
  answered: boolean
  onDuplicate: (() => void) | undefined
  onLate: ((rttMs: number) => void) | undefined
  resolve: (result: PingResult) => void
  reject: (error: PingError) => void
}

/** How many pings that have ended are remembered, to tell duplicates and late replies from nonsense. */
const REMEMBERED = 1024

/**
 * Pairs echo replies with the requests they answer, any number at the same time.
 *
 * A request is known by its identifier and sequence number, 16 bits each. The sequence number counts up; when it has
 * gone round, the identifier counts up too, so no two of the last 2^32 requests are confused.
 */
export class Pinger {
  readonly counters: PingCounters = { sent: 0, answered: 0, duplicates: 0, late: 0, unexpected: 0 }
  readonly #clock: Clock
  /** identifier × 65536 + sequence of the next request. */
  #nextKey: number
  readonly #waiting = new Map<number, Ping>()
  /** In order of their end (a Map keeps the order of insertion), so that the oldest is forgotten first. */
  readonly #ended = new Map<number, Ping>()

  /** `identifier`: of the first 65536 requests. */
  constructor(clock: Clock, identifier: number) {
    this.#clock = clock
    this.#nextKey = (identifier & 0xffff) * 65536 + 1
  }

  /** Sends an echo request through `send` and waits for its reply. Rejects with PingError. */
  ping(target: IpAddress, options: PingOptions, send: (request: EchoMessage) => void): Promise<PingResult> {
    return new Promise((resolve, reject) => {
      const key = this.#nextKey
      this.#nextKey = (key + 1) % 2 ** 32
      const { timeoutMs = 1000, onDuplicate, onLate } = options
      const data = pattern(options.size ?? 56)
      const timer = this.#clock.setTimeout(() => {
        this.#end(key, ping)
        reject(new PingError('timeout', target, `no reply within ${timeoutMs} ms`))
      }, timeoutMs)
      const sentAt = this.#clock.now()
      const ping: Ping = { target, data, sentAt, timer, answered: false, onDuplicate, onLate, resolve, reject }
      this.#waiting.set(key, ping)
      this.counters.sent++
      // Last, because over a link in memory the reply comes before this returns.
      send({ identifier: Math.floor(key / 65536), sequence: key & 0xffff, data })
    })
  }

  receiveReply(reply: EchoMessage, from: IpAddress, hopCount: number): void {
    const now = this.#clock.now()
    const key = reply.identifier * 65536 + reply.sequence
    const ping = this.#waiting.get(key)
    if (ping === undefined || !couldAnswer(ping, from)) return this.#receiveSurplus(this.#ended.get(key), from)
    this.#end(key, ping)
    if (!sameBytes(reply.data, ping.data)) {
      const text = `the reply's ${reply.data.length} bytes are not the ${ping.data.length} bytes that were sent`
      ping.reject(new PingError('mismatch', ping.target, text))
      return
    }
    ping.answered = true
    this.counters.answered++
    ping.resolve({ from, rttMs: now - ping.sentAt, hopCount, bytes: reply.data.length })
  }

  /** An ICMP error quotes an echo request with these numbers to this target. Harmless when it is none of ours. */
  receiveError(identifier: number, sequence: number, target: IpAddress, report: IcmpErrorReport): void {
    const key = identifier * 65536 + sequence
    const ping = this.#waiting.get(key)
    if (ping === undefined || !ping.target.equals(target)) return
    this.#end(key, ping)
    ping.reject(new PingError('icmp', ping.target, `${report.text}, says ${report.from}`, report))
  }

  /** Fails all that are waiting. */
  close(): void {
    for (const [key, ping] of [...this.#waiting]) {
      this.#end(key, ping)
      ping.reject(new PingError('closed', ping.target, 'the host was closed'))
    }
  }

  #receiveSurplus(ping: Ping | undefined, from: IpAddress): void {
    if (ping === undefined || !couldAnswer(ping, from)) {
      this.counters.unexpected++
    } else if (ping.answered) {
      this.counters.duplicates++
      ping.onDuplicate?.()
    } else {
      this.counters.late++
      ping.onLate?.(this.#clock.now() - ping.sentAt)
    }
  }

  #end(key: number, ping: Ping): void {
    this.#clock.clearTimeout(ping.timer)
    this.#waiting.delete(key)
    this.#ended.set(key, ping)
    if (this.#ended.size > REMEMBERED) this.#ended.delete(this.#ended.keys().next().value!)
  }
}

/** A reply comes from the address that was asked, except that anyone in the group may answer a multicast request. */
function couldAnswer(ping: Ping, from: IpAddress): boolean {
  return ping.target.isMulticast || ping.target.equals(from)
}

/** 0, 1, 2 … 255, 0 …: a byte that is missing or moved shows. */
function pattern(size: number): Uint8Array {
  const data = new Uint8Array(size)
  for (let i = 0; i < size; i++) data[i] = i
  return data
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i])
}
