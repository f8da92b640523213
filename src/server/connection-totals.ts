/** What is counted over all connections: how they ended, and what QUIC did on them, of those that are there and of those that are gone. */

import type { CloseReason, HttpServerConnection, HttpVersion } from '../carriers/http-connection.ts'
import type { QuicConnection, QuicStats } from '../quic/quic.ts'

export const CARRIERS = ['h3', 'h2', 'h1', 'webtransport'] as const satisfies readonly HttpVersion[]

/** `draining`: it takes no new requests, as the proxy is shutting down. */
export const CONNECTION_STATES = ['handshaking', 'open', 'draining'] as const
export type ConnectionState = (typeof CONNECTION_STATES)[number]

/**
 *   orderly     either side has closed it, and nothing was wrong
 *   timeout     nothing was heard from the client for too long, or it opened no tunnel in time
 *   refused     it ended before its handshake was over: a certificate that is not trusted, no protocol in common
 *   shut_down   closed while the proxy was shutting down
 *   error       all else: a rule was broken, the network has failed
 */
export const CLOSE_OUTCOMES = ['orderly', 'timeout', 'refused', 'shut_down', 'error'] as const
export type CloseOutcome = (typeof CLOSE_OUTCOMES)[number]

export type ByCarrier<T> = Record<HttpVersion, T>

/** A connection with what its handler knows about it. */
export interface MeasuredConnection {
  readonly connection: Pick<HttpServerConnection, 'version' | 'quic' | 'inUse' | 'handshakeMs'>
  readonly draining: boolean
  /** The proxy has closed it because there was no tunnel. */
  readonly timedOut: boolean
}

export interface ConnectionReadings {
  readonly connections: ByCarrier<Record<ConnectionState, number>>
  readonly closed: ByCarrier<Record<CloseOutcome, number>>
  readonly quic: {
    /** Summed since the start; `streamsOpen` over what is there. */
    readonly stats: QuicSums
    /** Over the connections that carry tunnels, and whose engine was asked at least once. Empty: there is none. */
    readonly rttsMs: readonly number[]
    /** Their mean congestion window, for each that carries tunnels. */
    readonly cwnd: number
  }
}

/** What of a connection's numbers makes sense as a sum. */
export type QuicSums = Omit<QuicStats, 'rttMs' | 'cwnd'>
type Sums = { -readonly [K in keyof QuicSums]: number }

/**
 * To ask a QUIC engine for its numbers takes some 30 µs. With more connections than this, they are asked in turns, so many before each reading: what engines
 * count is a few readings old then, but for connections that have ended, which are asked at their end.
 */
export const ASKED_AT_ONCE = 64
/** And so many before packets have their turn. */
const ASKED_IN_A_ROW = 8

export class ConnectionTotals {
  readonly #closed = byCarrier(() => counts(CLOSE_OUTCOMES))
  /** Of connections that are gone. */
  readonly #past = noStats()
  readonly #turns = new Turns()
  /** Turns of their own: between those of somebody else, some would always be left out. */
  readonly #rttTurns = new Turns()

  /** The connection is gone: how it ended, and what was counted on it, stays. */
  close(measured: MeasuredConnection, reason: CloseReason): void {
    const { version, quic } = measured.connection
    this.#closed[version][outcomeOf(measured, reason)]++
    if (quic !== undefined) addStats(this.#past, quic.stats())
    this.#past.streamsOpen = 0
  }

  /** With these connections, which are there. What their engines count is as it was when `refresh` has asked them. */
  read(measured: Iterable<MeasuredConnection>): ConnectionReadings {
    const connections = byCarrier(() => counts(CONNECTION_STATES))
    const stats = { ...this.#past }
    const rttsMs: number[] = []
    let [cwnd, carrying] = [0, 0]
    for (const one of measured) {
      const { version, quic, inUse } = one.connection
      connections[version][stateOf(one)]++
      if (quic === undefined) continue
      const now = quic.lastStats
      addStats(stats, now)
      if (!inUse) continue
      carrying++
      // Its turn has not come yet.
      if (now.cwnd === 0) continue
      rttsMs.push(now.rttMs)
      cwnd += now.cwnd
    }
    const total = rttsMs.length === 0 ? 0 : (cwnd / rttsMs.length) * carrying
    return { connections, closed: this.#closed, quic: { stats, rttsMs, cwnd: total } }
  }

  /** Asks engines for what they have counted, and lets packets pass meanwhile. */
  async refresh(measured: Iterable<MeasuredConnection>): Promise<void> {
    await this.#turns.ask(quicOf(measured))
  }

  /** The round-trip times of connections that carry tunnels, in ms, as their engines tell them now: of all, or of ASKED_AT_ONCE in turns. */
  async rtts(measured: Iterable<MeasuredConnection>): Promise<number[]> {
    const carrying = [...measured].filter(({ connection }) => connection.inUse)
    const asked = await this.#rttTurns.ask(quicOf(carrying))
    // One that has ended before it was asked has told nothing.
    return asked.filter(({ cwnd }) => cwnd > 0).map(({ rttMs }) => rttMs)
  }
}

/** In which many engines are asked for their numbers. */
class Turns {
  /** Those that have had their turn in this round. */
  #asked = new WeakSet<QuicConnection>()

  /** What they say, at most ASKED_AT_ONCE of them. */
  async ask(all: readonly QuicConnection[]): Promise<QuicStats[]> {
    let waiting = all.filter(quic => !this.#asked.has(quic))
    if (all.length <= ASKED_AT_ONCE || waiting.length === 0) {
      this.#asked = new WeakSet()
      waiting = [...all]
    }
    const told: QuicStats[] = []
    for (const [i, quic] of waiting.slice(0, ASKED_AT_ONCE).entries()) {
      if (i > 0 && i % ASKED_IN_A_ROW === 0) await new Promise(resolve => setImmediate(resolve))
      this.#asked.add(quic)
      told.push(quic.stats())
    }
    return told
  }
}

function quicOf(measured: Iterable<MeasuredConnection>): QuicConnection[] {
  return [...measured].map(({ connection }) => connection.quic).filter(quic => quic !== undefined)
}

function stateOf({ connection, draining }: MeasuredConnection): ConnectionState {
  if (connection.handshakeMs === undefined) return 'handshaking'
  return draining ? 'draining' : 'open'
}

export function outcomeOf({ connection, draining, timedOut }: MeasuredConnection, reason: CloseReason): CloseOutcome {
  if (reason.source === 'timeout' || timedOut) return 'timeout'
  if (reason.tlsAlert !== undefined || connection.handshakeMs === undefined) return 'refused'
  if (!reason.orderly) return 'error'
  return draining ? 'shut_down' : 'orderly'
}

function byCarrier<T>(make: () => T): ByCarrier<T> {
  return { h3: make(), h2: make(), h1: make(), webtransport: make() }
}

function counts<K extends string>(names: readonly K[]): Record<K, number> {
  return Object.fromEntries(names.map(name => [name, 0])) as Record<K, number>
}

function noStats(): Sums {
  return {
    packetsSent: 0,
    packetsReceived: 0,
    packetsLost: 0,
    bytesSent: 0,
    bytesReceived: 0,
    datagramsSent: 0,
    datagramsReceived: 0,
    datagramsDropped: 0,
    streamsOpened: 0,
    streamsOpen: 0,
    pathChanges: 0,
  }
}

/** Field by field, as there may be a thousand connections. */
function addStats(total: Sums, more: QuicStats): void {
  total.packetsSent += more.packetsSent
  total.packetsReceived += more.packetsReceived
  total.packetsLost += more.packetsLost
  total.bytesSent += more.bytesSent
  total.bytesReceived += more.bytesReceived
  total.datagramsSent += more.datagramsSent
  total.datagramsReceived += more.datagramsReceived
  total.datagramsDropped += more.datagramsDropped
  total.streamsOpened += more.streamsOpened
  total.streamsOpen += more.streamsOpen
  total.pathChanges += more.pathChanges
}
