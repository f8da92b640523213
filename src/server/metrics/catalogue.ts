/**
 * All metrics of the server: names, what they mean, and every value that a label can have. Prometheus keeps a time series for weeks for each
 * combination of values, so none of them comes from a client: what is not listed here counts as `other`.
 *
 * Names are by Prometheus' rules: base units (seconds, bytes), `_total` at the end of counters and of nothing else, but for the pool's, which has the name
 * that it has in the article on masque-vpn. docs/monitoring.md has a row for each.
 */

import { STAGES } from '../../carriers/stage-clock.ts'
import { DropReason } from '../../connect-ip/forwarding.ts'
import { ICMP_KINDS } from '../../ip/icmp-kind.ts'
import { CARRIERS, CLOSE_OUTCOMES, CONNECTION_STATES } from '../connection-totals.ts'

export interface Definition {
  readonly type: 'counter' | 'gauge' | 'histogram'
  readonly help: string
  /** By name, the values that it can have beside `other`. */
  readonly labels?: Readonly<Record<string, readonly string[]>>
  /** Upper bounds of a histogram, in seconds. */
  readonly buckets?: readonly number[]
}

/** What stands for all values that are not listed. Such a time series appears with the first of them. */
export const OTHER = 'other'

const FAMILIES = ['ipv4', 'ipv6']
const DIRECTIONS = ['from_clients', 'to_clients']

/** Why tunnels, the router and the TUN device drop packets. */
const DROP_REASONS = [
  ...Object.values(DropReason).filter(reason => reason !== DropReason.ANSWERED),
  'queue-full',
  'queue-delay',
  'unknown-context',
  'link-only',
]

/** Why the operating system does not take a packet: quic/udp/unsent.ts, hosts/tun/tun-host.ts. */
const UNSENT_REASONS = [
  'full',
  'too-large',
  'unreachable',
  'forbidden',
  'closed',
  'refused',
  'down',
  'gone',
  'malformed',
]

/** 1 µs to 100 ms, three buckets a decade. */
const PACKET_BUCKETS = [
  1e-6, 2.5e-6, 5e-6, 1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 1e-2, 2.5e-2, 5e-2, 1e-1,
]
/** A stage may be a few instructions. */
const STAGE_BUCKETS = [1e-7, 2.5e-7, 5e-7, ...PACKET_BUCKETS]
/** 100 µs to 10 s: the second includes round trips of the client's path, and names that are resolved. */
const SET_UP_BUCKETS = [1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 1e-2, 2.5e-2, 5e-2, 1e-1, 0.25, 0.5, 1, 2.5, 5, 10]

export const CATALOGUE = {
  masque_vpn_active_connections: { type: 'gauge', help: 'Connections that are open now.' },
  masque_vpn_connections: {
    type: 'gauge',
    help: 'The same by the version of HTTP, and by what they are at.',
    labels: { carrier: CARRIERS, state: CONNECTION_STATES },
  },
  masque_vpn_connections_closed_total: {
    type: 'counter',
    help: 'Connections that have ended, by how.',
    labels: { carrier: CARRIERS, outcome: CLOSE_OUTCOMES },
  },
  masque_vpn_connections_evicted_total: {
    type: 'counter',
    help: 'Connections without a tunnel that had to make room for new ones.',
    labels: { transport: ['quic', 'tcp'] },
  },
  masque_vpn_handshakes_total: {
    type: 'counter',
    help: 'QUIC handshakes, by what became of them.',
    labels: { result: ['accepted', 'rejected', 'retried'] },
  },
  masque_vpn_tls_handshakes_total: {
    type: 'counter',
    help: 'TCP connections for TLS, by what became of them.',
    labels: { result: ['accepted', 'rejected', 'failed'] },
  },
  masque_vpn_handshake_duration_seconds: {
    type: 'histogram',
    help: 'Time from the first packet of a connection to the end of its handshake.',
    labels: { carrier: CARRIERS },
    buckets: SET_UP_BUCKETS,
  },
  masque_vpn_session_setup_duration_seconds: {
    type: 'histogram',
    help: 'Time from the request for a tunnel to the answer 200 with addresses.',
    labels: { carrier: CARRIERS },
    buckets: SET_UP_BUCKETS,
  },
  masque_vpn_tunnels: { type: 'gauge', help: 'CONNECT-IP tunnels that are open now.' },
  masque_vpn_tunnels_opened_total: { type: 'counter', help: 'CONNECT-IP tunnels that were opened.' },
  masque_vpn_client_moves_total: {
    type: 'counter',
    help: 'Clients that came from another address than before, by a move or a NAT.',
  },

  masque_vpn_packets_total: {
    type: 'counter',
    help: 'IP packets through the tunnels.',
    labels: { direction: DIRECTIONS, family: FAMILIES },
  },
  masque_vpn_bytes_total: {
    type: 'counter',
    help: 'Bytes of IP packets through the tunnels.',
    labels: { direction: DIRECTIONS, family: FAMILIES },
  },
  masque_vpn_packets_answered_total: {
    type: 'counter',
    help: "IP packets for the proxy's end of a tunnel itself, which it answered.",
  },
  masque_vpn_packets_dropped_total: {
    type: 'counter',
    help: 'IP packets that were dropped, by reason.',
    labels: { reason: DROP_REASONS },
  },
  masque_vpn_packets_unsent_total: {
    type: 'counter',
    help: 'Packets that the operating system did not take, by reason.',
    labels: { to: ['udp', 'tun'], reason: UNSENT_REASONS },
  },
  masque_vpn_packet_processing_duration_seconds: {
    type: 'histogram',
    help: "Time from the arrival of a client's IP packet to its hand-over, for a sample of the packets (one in 64).",
    buckets: PACKET_BUCKETS,
  },
  masque_vpn_packet_stage_duration_seconds: {
    type: 'histogram',
    help: 'The same by stage of its way.',
    labels: { stage: STAGES },
    buckets: STAGE_BUCKETS,
  },
  masque_vpn_icmp_total: {
    type: 'counter',
    help: 'ICMP packets from clients, and to clients or hosts behind the proxy.',
    labels: { direction: ['sent', 'received'], family: FAMILIES, type: ICMP_KINDS.filter(kind => kind !== OTHER) },
  },
  masque_vpn_fec_parities_total: {
    type: 'counter',
    help: 'Parities of forward error correction.',
    labels: { direction: DIRECTIONS },
  },
  masque_vpn_fec_recovered_total: {
    type: 'counter',
    help: 'IP packets from clients that were lost, and made again by a parity.',
  },
  masque_vpn_stream_backlog_bytes: {
    type: 'gauge',
    help: 'Bytes that wait in tunnels whose packets travel on their request stream.',
  },
  masque_vpn_stream_blocked_seconds_total: {
    type: 'counter',
    help: 'Time in which such a tunnel had no room for one more packet, summed over tunnels.',
  },

  masque_vpn_quic_rtt_seconds: {
    type: 'gauge',
    help: 'Smoothed round-trip time of the QUIC connections that carry tunnels.',
    labels: { stat: ['min', 'mean', 'max'] },
  },
  masque_vpn_quic_congestion_window_bytes: {
    type: 'gauge',
    help: 'Congestion windows of the QUIC connections that carry tunnels, summed.',
  },
  masque_vpn_quic_packets_total: {
    type: 'counter',
    help: "QUIC packets of the clients' connections.",
    labels: { direction: ['sent', 'received'] },
  },
  masque_vpn_quic_packets_lost_total: { type: 'counter', help: 'QUIC packets that were declared lost.' },
  masque_vpn_quic_packets_dropped_total: {
    type: 'counter',
    help: 'UDP payloads that were not read, or not sent, by reason.',
    labels: { reason: ['stray', 'crowded_out', 'withheld'] },
  },
  masque_vpn_quic_stateless_resets_total: {
    type: 'counter',
    help: 'Stateless resets: answers to packets of connections that a proxy before this one has left.',
  },
  masque_vpn_quic_streams_opened_total: {
    type: 'counter',
    help: "QUIC streams that were opened on the clients' connections.",
  },
  masque_vpn_quic_streams_open: { type: 'gauge', help: 'QUIC streams that are open now.' },
  masque_vpn_quic_datagrams_total: {
    type: 'counter',
    help: 'QUIC datagrams (DATAGRAM frames).',
    labels: { direction: ['sent', 'received'] },
  },
  masque_vpn_quic_datagrams_dropped_total: {
    type: 'counter',
    help: 'Outgoing QUIC datagrams that met a full queue.',
  },
  masque_vpn_quic_path_changes_total: {
    type: 'counter',
    help: 'Changes of the path on which packets of a connection leave: a client has moved, or a NAT has rebound.',
  },

  masque_vpn_ip_pool_used: {
    type: 'gauge',
    help: 'Addresses of the pool that are leased.',
    labels: { family: FAMILIES },
  },
  masque_vpn_ip_pool_total: { type: 'gauge', help: 'Addresses that the pool can lease.', labels: { family: FAMILIES } },
  masque_vpn_errors_total: {
    type: 'counter',
    help: 'Errors, by type.',
    labels: { type: ['request_rejected', 'tunnel_aborted', 'connection', 'internal'] },
  },
  masque_vpn_log_lines_lost_total: {
    type: 'counter',
    help: 'Lines that are missing in the log, by reason.',
    labels: { reason: ['not_written', 'left_out'] },
  },
  masque_vpn_uptime_seconds: { type: 'gauge', help: 'Seconds since the server started.' },
  masque_vpn_draining: { type: 'gauge', help: '1 while the server shuts down gracefully, else 0.' },
} as const satisfies Record<string, Definition>

export type MetricName = keyof typeof CATALOGUE
type LabelNames<N extends MetricName> = (typeof CATALOGUE)[N] extends { labels: infer L } ? keyof L & string : never
export type Labels<N extends MetricName> = Readonly<Record<LabelNames<N>, string>>
/** The last argument of what is told about a metric: its labels, where it has some. */
export type LabelArgument<N extends MetricName> = [LabelNames<N>] extends [never] ? [] : [labels: Labels<N>]
export type NamesOf<T extends Definition['type']> = {
  [N in MetricName]: (typeof CATALOGUE)[N]['type'] extends T ? N : never
}[MetricName]
