/**
 * What Prometheus reads from /metrics.
 *
 * The packet path only counts plain numbers in its own objects. Everything here is filled in from the server's status when somebody
 * asks, except the duration histogram, which gets one packet in 64.
 */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import type { ClientInfo, ServerStatus } from './status.ts'

/** Where the numbers come from. */
export interface MetricsSource {
  status(): ServerStatus
  clients(): ClientInfo[]
}

/** 1 µs to 100 ms, about three buckets a decade. */
const DURATION_BUCKETS = [
  1e-6, 2.5e-6, 5e-6, 1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 1e-2, 2.5e-2, 5e-2, 1e-1,
]

/** Each value of a label is a time series of its own that Prometheus keeps for weeks. What comes on top counts as "other". */
const MAX_ERROR_TYPES = 50

/** QUIC's own counters, which are kept by connections and vanish with them. */
const QUIC_COUNTERS = ['sent', 'received', 'lost', 'streamsOpened', 'datagramsDropped'] as const
type QuicCounter = (typeof QUIC_COUNTERS)[number]

export interface MetricsOptions {
  /** Also report the process: CPU, memory, event loop lag, garbage collection. */
  process?: boolean
}

export class ServerMetrics {
  /** Its own, so that several servers in one process (as in the tests) do not share their numbers. */
  readonly registry = new Registry()
  readonly #source: MetricsSource
  readonly #errors = new Map<string, number>()
  readonly #quicTotals: Record<QuicCounter, number> = zeroCounters()
  /** By connection: what its counters were when they were last read. */
  readonly #quicSeen = new Map<string, Record<QuicCounter, number>>()
  /** By tunnel: for how long its stream had no room, when that was last read; and in all, in ms. */
  readonly #blockedSeen = new Map<string, number>()
  #blockedMs = 0
  readonly #gauges: ReturnType<typeof makeGauges>
  readonly #counters: ReturnType<typeof makeCounters>
  readonly #processing: Histogram

  constructor(source: MetricsSource, options: MetricsOptions = {}) {
    this.#source = source
    // prom-client asks the metrics in the order of their registration. The first gauge fills in all the others, from one status,
    // so that the numbers of one answer fit together.
    this.#gauges = makeGauges([this.registry], () => this.#fillIn())
    this.#counters = makeCounters([this.registry])
    this.#processing = new Histogram({
      name: 'masque_vpn_packet_processing_duration_seconds',
      help: 'Time from the arrival of an IP packet to its hand-over, for a sample of the packets (one in 64).',
      buckets: DURATION_BUCKETS,
      registers: [this.registry],
    })
    if (options.process) collectDefaultMetrics({ register: this.registry })
  }

  /** The content type that goes with `text`. */
  get contentType(): string {
    return this.registry.contentType
  }

  /** All metrics in Prometheus' text format. */
  text(): Promise<string> {
    return this.registry.metrics()
  }

  /** One packet was processed in this time. Takes about a microsecond itself, so it is called for one packet in 64. */
  observePacketProcessing(seconds: number): void {
    this.#processing.observe(seconds)
  }

  /** Something went wrong. `type` is one of a few fixed words, never text from a peer. */
  countError(type: string): void {
    const known = this.#errors.has(type) || this.#errors.size < MAX_ERROR_TYPES
    const key = known ? type : 'other'
    this.#errors.set(key, (this.#errors.get(key) ?? 0) + 1)
  }

  #fillIn(): void {
    const gauges = this.#gauges
    const counters = this.#counters
    const status = this.#source.status()
    const clients = this.#source.clients()
    const connections = byConnection(clients)

    gauges.connections.set(status.connections)
    gauges.uptime.set(status.uptimeSeconds)
    gauges.draining.set(status.draining ? 1 : 0)
    gauges.tunnels.set(status.tunnels)
    for (const pool of status.pools) {
      const family = `ipv${pool.family}`
      gauges.poolUsed.set({ family }, pool.used)
      gauges.poolTotal.set({ family }, Number(pool.total))
    }
    const quic = [...connections.values()]
    gauges.congestionWindow.set(quic.reduce((sum, { cwnd }) => sum + cwnd, 0))
    const rtts = quic.map(({ rttMs }) => rttMs / 1000)
    gauges.rtt.reset()
    if (rtts.length > 0) {
      gauges.rtt.set({ stat: 'min' }, Math.min(...rtts))
      gauges.rtt.set({ stat: 'mean' }, rtts.reduce((sum, rtt) => sum + rtt, 0) / rtts.length)
      gauges.rtt.set({ stat: 'max' }, Math.max(...rtts))
    }

    setCounter(counters.tunnelsOpened, [[{}, status.tunnelsTotal]])
    setCounter(counters.moves, [[{}, status.movesTotal]])
    setCounter(counters.packets, [
      [{ direction: 'from_clients' }, status.packets.fromClients],
      [{ direction: 'to_clients' }, status.packets.toClients],
    ])
    setCounter(counters.bytes, [
      [{ direction: 'from_clients' }, status.bytes.fromClients],
      [{ direction: 'to_clients' }, status.bytes.toClients],
    ])
    setCounter(counters.answered, [[{}, status.packets.answered]])
    setCounter(counters.fecParities, [
      [{ direction: 'from_clients' }, status.fec.parityReceived],
      [{ direction: 'to_clients' }, status.fec.paritySent],
    ])
    setCounter(counters.fecRecovered, [[{}, status.fec.recovered]])
    setCounter(
      counters.dropped,
      Object.entries(status.packets.dropped).map(([reason, count]) => [{ reason }, count]),
    )
    setCounter(
      counters.unsent,
      Object.entries(status.unsent).flatMap(([to, reasons]) =>
        Object.entries(reasons).map(([reason, count]): [{ to: string; reason: string }, number] => [
          { to, reason },
          count,
        ]),
      ),
    )
    setCounter(
      counters.errors,
      [...this.#errors].map(([type, count]) => [{ type }, count]),
    )
    setCounter(
      counters.handshakes,
      Object.entries(status.handshakes).map(([result, count]) => [{ result }, count]),
    )
    setCounter(counters.logLinesLost, [
      [{ reason: 'not_written' }, status.log.linesLost],
      [{ reason: 'left_out' }, status.log.linesLeftOut],
    ])
    this.#addUpQuic(connections)
    gauges.backlog.set(clients.reduce((sum, { backlog }) => sum + (backlog?.bytes ?? 0), 0))
    this.#addUpBlocked(clients)
    setCounter(counters.blocked, [[{}, this.#blockedMs / 1000]])
    const totals = this.#quicTotals
    setCounter(counters.quicPackets, [
      [{ direction: 'received' }, totals.received],
      [{ direction: 'sent' }, totals.sent],
    ])
    setCounter(counters.quicLost, [[{}, totals.lost]])
    setCounter(counters.quicStreams, [[{}, totals.streamsOpened]])
    setCounter(counters.quicDatagramsDropped, [[{}, totals.datagramsDropped]])
  }

  /** As below, for tunnels on their request streams. */
  #addUpBlocked(clients: readonly ClientInfo[]): void {
    const now = new Map(
      clients.flatMap(({ id, backlog }) => (backlog === undefined ? [] : [[id, backlog.blockedMs] as const])),
    )
    for (const [id, blockedMs] of now) {
      this.#blockedMs += Math.max(0, blockedMs - (this.#blockedSeen.get(id) ?? 0))
      this.#blockedSeen.set(id, blockedMs)
    }
    for (const id of this.#blockedSeen.keys()) if (!now.has(id)) this.#blockedSeen.delete(id)
  }

  /**
   * Adds what has happened on each connection since the last time. A plain sum over the clients would go down when one leaves, and
   * Prometheus takes a counter that goes down for a restart. What a connection did after the last reading is not counted.
   */
  #addUpQuic(connections: ReadonlyMap<string, QuicNumbers>): void {
    for (const [id, quic] of connections) {
      const seen = this.#quicSeen.get(id) ?? zeroCounters()
      for (const name of QUIC_COUNTERS) {
        const now = quic[name] ?? 0
        this.#quicTotals[name] += Math.max(0, now - seen[name])
        seen[name] = now
      }
      this.#quicSeen.set(id, seen)
    }
    for (const id of this.#quicSeen.keys()) if (!connections.has(id)) this.#quicSeen.delete(id)
  }
}

function makeGauges(registers: Registry[], fillIn: () => void) {
  const connections = new Gauge({
    name: 'masque_vpn_active_connections',
    help: 'Connections that are open now.',
    registers,
    collect: fillIn,
  })
  const gauge = <L extends string = never>(name: string, help: string, labelNames: readonly L[] = []) =>
    new Gauge<L>({ name: `masque_vpn_${name}`, help, labelNames, registers })
  return {
    connections,
    uptime: gauge('uptime_seconds', 'Seconds since the server started.'),
    draining: gauge('draining', '1 while the server shuts down gracefully, else 0.'),
    tunnels: gauge('tunnels', 'CONNECT-IP tunnels that are open now.'),
    poolUsed: gauge('ip_pool_used', 'Addresses of the pool that are leased.', ['family']),
    poolTotal: gauge('ip_pool_total', 'Addresses that the pool can lease.', ['family']),
    rtt: gauge('quic_rtt_seconds', "Smoothed round-trip time of the clients' QUIC connections.", ['stat']),
    backlog: gauge('stream_backlog_bytes', 'Bytes that wait in tunnels whose packets travel on their request stream.'),
    congestionWindow: gauge('quic_congestion_window_bytes', "Congestion windows of the clients' connections, summed."),
  }
}

function makeCounters(registers: Registry[]) {
  const counter = <L extends string = never>(name: string, help: string, labelNames: readonly L[] = []) =>
    new Counter<L>({ name: `masque_vpn_${name}`, help, labelNames, registers })
  return {
    tunnelsOpened: counter('tunnels_opened_total', 'CONNECT-IP tunnels that were opened.'),
    moves: counter('client_moves_total', 'Clients that came from another address than before, by a move or a NAT.'),
    packets: counter('packets_total', 'IP packets through the tunnels.', ['direction']),
    bytes: counter('bytes_total', 'Bytes of IP packets through the tunnels.', ['direction']),
    answered: counter(
      'packets_answered_total',
      "IP packets for the proxy's end of a tunnel itself, which it answered.",
    ),
    fecParities: counter('fec_parities_total', 'Parities of forward error correction.', ['direction']),
    fecRecovered: counter('fec_recovered_total', 'IP packets from clients that were lost, and made again by a parity.'),
    dropped: counter('packets_dropped_total', 'IP packets that were dropped, by reason.', ['reason']),
    unsent: counter('packets_unsent_total', 'Packets that the operating system did not take, by reason.', [
      'to',
      'reason',
    ]),
    errors: counter('errors_total', 'Errors, by type.', ['type']),
    handshakes: counter('handshakes_total', 'QUIC handshakes, by what became of them.', ['result']),
    logLinesLost: counter('log_lines_lost_total', 'Lines that are missing in the log, by reason.', ['reason']),
    blocked: counter(
      'stream_blocked_seconds_total',
      'Time in which such a tunnel had no room for one more packet, summed over tunnels.',
    ),
    quicPackets: counter('quic_packets_total', "QUIC packets of the clients' connections.", ['direction']),
    quicLost: counter('quic_packets_lost_total', 'QUIC packets that were declared lost.'),
    quicStreams: counter('quic_streams_opened_total', "QUIC streams that were opened on the clients' connections."),
    quicDatagramsDropped: counter('quic_datagrams_dropped_total', 'Outgoing QUIC datagrams that met a full queue.'),
  }
}

type QuicNumbers = NonNullable<ClientInfo['quic']> & Partial<Record<QuicCounter, number>>

function zeroCounters(): Record<QuicCounter, number> {
  return { sent: 0, received: 0, lost: 0, streamsOpened: 0, datagramsDropped: 0 }
}

/** QUIC's numbers, once for each connection: a client's id is CONNECTION/STREAM, and one connection may carry several tunnels. */
function byConnection(clients: readonly ClientInfo[]): Map<string, QuicNumbers> {
  return new Map(clients.flatMap(({ id, quic }) => (quic === undefined ? [] : [[id.split('/', 1)[0], quic] as const])))
}

/** Gives a counter the values that are counted elsewhere. */
function setCounter<L extends string>(counter: Counter<L>, values: [Partial<Record<L, string>>, number][]): void {
  counter.reset()
  for (const [labels, value] of values) counter.inc(labels, value)
}
