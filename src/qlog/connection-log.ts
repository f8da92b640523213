/**
 * The qlog of one connection: what it hears becomes records of a file. Sans-IO but for the clock, which comes in.
 *
 * Its size is bounded whatever a peer does. Packets are told of a hundred times a second, and those that are not are counted in the next one that is;
 * so it is with all other events, of which there are few. When the file is full, only the connection's end is still told of.
 *
 *   HTTP/3 ──── H3Tap ────────┐
 *                             ├──> budgets ──> records ──> file, once the handshake is done; before, a few of them wait
 *   engine ─── QuicObserver ──┘                            where it tells nothing, it is asked for its metrics now and then
 */

import { decodeSmallVarint } from '../bytes/varint.ts'
import type { H3Tap } from '../carriers/h3/tap.ts'
import type { QuicCloseReason, QuicConnection } from '../quic/quic.ts'
import { printable } from '../text/printable.ts'
import { MAX_QLOG_VALUE } from './http3-fields.ts'
import { Http3Watcher } from './http3-watcher.ts'
import { eventRecord, headerRecord } from './records.ts'
import { TransportWatcher } from './transport-watcher.ts'

/** Bytes of one file. */
export const MAX_QLOG_LENGTH = 8 << 20
/** Kept free for the end. */
const END_LENGTH = 8 << 10
/** Events a second of one connection: packets, and all others. */
export const QLOG_EVENTS_A_SECOND = 100
/** Of an engine that tells, in each so many ms, so that there is no long gap: packets; and of its timers and metrics, which change with each, so many each. */
export const QLOG_SLICE_MS = 50
export const QLOG_PACKETS_A_SLICE = 50
export const QLOG_RECOVERY_A_SLICE = 10
/** Bytes of records that wait for the end of the handshake. */
export const MAX_EARLY_LENGTH = 48 << 10
/** The engine is asked so often, in ms, while there is traffic. */
export const QLOG_METRICS_MS = 250

/** Whom records go to. */
export interface RecordSink {
  append(record: Uint8Array): boolean
  close(): void
}

export interface ConnectionLogOptions {
  readonly quic: Pick<QuicConnection, 'id' | 'role' | 'local' | 'remote' | 'paths' | 'observe'>
  readonly application: string
  /** ms that never go back, and what 0 is on the clock of the world, in ms since 1970. */
  readonly now: () => number
  readonly timeOrigin: number
  /** Called once, when the handshake is done. undefined: nothing is to be written. */
  readonly open: () => RecordSink | undefined
}

/** So many events in each so many ms; the others are counted. */
class EventBudget {
  readonly #most: number
  readonly #sliceMs: number
  #slice = Number.NEGATIVE_INFINITY
  #left = 0
  skipped = 0

  constructor(most: number, sliceMs: number) {
    this.#most = most
    this.#sliceMs = sliceMs
  }

  take(nowMs: number): boolean {
    const slice = Math.floor(nowMs / this.#sliceMs)
    if (slice !== this.#slice) {
      this.#slice = slice
      this.#left = this.#most
    }
    if (this.#left > 0) {
      this.#left--
      return true
    }
    this.skipped++
    return false
  }
}

export class ConnectionLog implements H3Tap {
  readonly #options: ConnectionLogOptions
  readonly #startedAt: number
  readonly #watcher: Http3Watcher
  readonly #budgets = {
    packets: new EventBudget(QLOG_EVENTS_A_SECOND, 1000),
    others: new EventBudget(QLOG_EVENTS_A_SECOND, 1000),
    transport: new EventBudget(QLOG_PACKETS_A_SLICE, QLOG_SLICE_MS),
    recovery: new EventBudget(QLOG_RECOVERY_A_SLICE, QLOG_SLICE_MS),
    timers: new EventBudget(QLOG_RECOVERY_A_SLICE, QLOG_SLICE_MS),
  }
  /** Of the handshake; undefined: it is over, or nothing is told of it. */
  #early: Uint8Array[] | undefined
  #earlyLength = 0
  /** The engine tells by itself. */
  readonly #isTold: boolean
  /** Of the last record. */
  #last = 0
  #sink: RecordSink | undefined
  #length = 0
  #isFull = false
  #metricsAt = Number.NEGATIVE_INFINITY
  #lastMetrics = ''

  constructor(options: ConnectionLogOptions) {
    this.#options = options
    this.#startedAt = options.now()
    this.#watcher = new Http3Watcher((name, data) => this.#tell(name, data))
    const watcher = new TransportWatcher(options.quic.role, (kind, name, now, data) => {
      this.#tellTransport(this.#budgets[kind], name, now, data)
    })
    // It tells at once how it stands.
    this.#early = []
    this.#isTold = options.quic.observe?.(watcher) === true
    if (!this.#isTold) this.#early = undefined
  }

  // -- H3Tap ---------------------------------------------------------------------------------------------------

  established(): void {
    const { quic, application, timeOrigin, open } = this.#options
    // Nothing comes of a handshake that fails, so that nobody fills a disk with Initial packets.
    this.#sink = open()
    const referenceTime = timeOrigin + this.#startedAt
    this.#put(headerRecord({ application, vantagePoint: quic.role, groupId: quic.id, referenceTime }))
    this.#put(eventRecord(0, 'connectivity:connection_started', this.#ends()))
    const early = this.#early ?? []
    this.#early = undefined
    for (const record of early) this.#put(record)
    if (!this.#isTold) this.#tell('connectivity:connection_state_updated', { new: 'handshake_complete' })
    this.#metrics()
  }

  streamSent(streamId: number, data: Uint8Array, fin: boolean): void {
    this.#watch('local', streamId, data, fin)
  }

  streamReceived(streamId: number, data: Uint8Array, fin: boolean): void {
    this.#watch('remote', streamId, data, fin)
  }

  streamAborted(streamId: number): void {
    this.#watcher.forget(streamId)
  }

  datagramSent(datagram: Uint8Array): void {
    this.#datagram('http3:datagram_created', datagram)
  }

  datagramReceived(datagram: Uint8Array): void {
    this.#datagram('http3:datagram_parsed', datagram)
  }

  pathChanged(): void {
    this.#tell('connectivity:path_assigned', { path_id: '', ...this.#ends() })
    this.#metricsAt = Number.NEGATIVE_INFINITY
  }

  closed({ source, application, code, reason }: QuicCloseReason): void {
    const { packets, others, transport, recovery, timers } = this.#budgets
    const at = this.#time()
    const left = {
      packets: packets.skipped,
      others: others.skipped,
      ...(this.#isTold && { transport: transport.skipped, recovery: recovery.skipped, timers: timers.skipped }),
    }
    this.#early = undefined
    this.#put(
      eventRecord(at, 'connectivity:connection_closed', {
        owner: source === 'peer' ? 'remote' : 'local',
        ...(source !== 'timeout' && { [application ? 'application_code' : 'connection_code']: code }),
        // A peer may write anything there.
        reason: printable(reason).slice(0, MAX_QLOG_VALUE),
        trigger: triggerOf({ source, application, code }),
        ...(Object.values(left).some(count => count > 0) && { skipped: left }),
      }),
    )
    this.#sink?.close()
    this.#sink = undefined
  }

  // ------------------------------------------------------------------------------------------------------------

  #watch(initiator: 'local' | 'remote', streamId: number, data: Uint8Array, fin: boolean): void {
    // A server's SETTINGS may leave before the handshake is over.
    if ((this.#sink === undefined && this.#early === undefined) || this.#isFull) return
    this.#watcher.stream(initiator, streamId, data, fin)
    this.#metrics()
  }

  #datagram(name: string, datagram: Uint8Array): void {
    if (this.#sink === undefined || this.#isFull) return
    this.#metrics()
    const budget = this.#budgets.packets
    if (!budget.take(this.#options.now())) return
    const quarter = decodeSmallVarint(datagram)
    if (quarter < 0) return
    this.#event(name, { quarter_stream_id: quarter, raw: { length: datagram.length } }, budget)
  }

  /** DATA frames are as frequent as packets are, where those travel on a stream, and so are streams of ours, where each packet has one. */
  #tell(name: string, data: object): void {
    const { frame, stream_type } = data as { frame?: { frame_type?: string }; stream_type?: string }
    const isPacket = frame?.frame_type === 'data' || stream_type === 'unknown'
    const budget = isPacket ? this.#budgets.packets : this.#budgets.others
    if (budget.take(this.#options.now())) this.#event(name, data, budget)
  }

  #tellTransport(budget: EventBudget, name: string, now: number, data: () => object): void {
    if (this.#isFull || (this.#sink === undefined && this.#early === undefined)) return
    if (!budget.take(now)) return
    const fields = data()
    if (Object.keys(fields).length > 0) this.#event(name, fields, budget, now)
  }

  #event(name: string, data: object, budget: EventBudget, now = this.#options.now()): void {
    if (this.#isFull) return
    const { skipped } = budget
    budget.skipped = 0
    const record = eventRecord(this.#time(now), name, skipped === 0 ? data : { ...data, skipped_before: skipped })
    if (this.#early !== undefined) {
      if (!this.#putEarly(record)) budget.skipped = skipped + 1
      return
    }
    if (this.#length + record.length <= MAX_QLOG_LENGTH - END_LENGTH) {
      // The disk is behind: as if it had not been told of.
      if (!this.#put(record)) budget.skipped = skipped + 1
      return
    }
    this.#isFull = true
    const message = `this file has ${MAX_QLOG_LENGTH >> 20} MiB: of what follows, only the end of the connection is told of`
    this.#put(eventRecord(this.#time(), 'loglevel:warning', { message }))
  }

  #putEarly(record: Uint8Array): boolean {
    if (this.#earlyLength + record.length > MAX_EARLY_LENGTH) return false
    this.#earlyLength += record.length
    this.#early?.push(record)
    return true
  }

  /** What the engine knows of the path, when it was last asked a while ago. */
  #metrics(): void {
    if (this.#isTold) return
    const now = this.#options.now()
    if (now - this.#metricsAt < QLOG_METRICS_MS) return
    this.#metricsAt = now
    const path = this.#options.quic.paths().find(({ active }) => active)
    if (path === undefined) return
    const metrics = { smoothed_rtt: Math.round(path.rttMs * 1000) / 1000, congestion_window: path.cwnd }
    const text = JSON.stringify(metrics)
    // The draft wants what has changed only.
    if (text !== this.#lastMetrics) this.#tell('recovery:metrics_updated', metrics)
    this.#lastMetrics = text
  }

  #ends(): object {
    const { local, remote } = this.#options.quic
    return {
      ip_version: local.host.includes(':') ? 'v6' : 'v4',
      src_ip: local.host,
      dst_ip: remote.host,
      protocol: 'QUIC',
      src_port: local.port,
      dst_port: remote.port,
    }
  }

  /** An engine's time may be a little older than ours; that of a record never goes back. */
  #time(now = this.#options.now()): number {
    this.#last = Math.max(this.#last, now - this.#startedAt)
    return this.#last
  }

  /** False: it is not in the file. */
  #put(record: Uint8Array): boolean {
    if (this.#sink?.append(record) !== true) return false
    this.#length += record.length
    return true
  }
}

/** RFC 9114 §8.1: H3_NO_ERROR. */
const NO_ERROR = 0x100

function triggerOf({ source, application, code }: Omit<QuicCloseReason, 'reason'>): string {
  if (source === 'timeout') return 'idle_timeout'
  if (application) return code === NO_ERROR ? 'clean' : 'application'
  return code === 0 ? 'clean' : 'error'
}
