/** Writes what the server has counted into the metrics, when somebody asks for them. */

import type { FamilyCounters } from '../../carriers/family-counters.ts'
import { ICMP_KINDS } from '../../ip/icmp-kind.ts'
import { CARRIERS, CONNECTION_STATES } from '../connection-totals.ts'
import { OTHER } from './catalogue.ts'
import type { Instruments } from './instruments.ts'
import type { Readings } from './readings.ts'

export function fillIn(metrics: Instruments, readings: Readings): void {
  fillInServer(metrics, readings)
  fillInConnections(metrics, readings)
  fillInPackets(metrics, readings)
  fillInIcmp(metrics, readings)
  fillInQuic(metrics, readings)
}

function fillInServer(metrics: Instruments, { status }: Readings): void {
  metrics.set('masque_vpn_uptime_seconds', status.uptimeSeconds)
  metrics.set('masque_vpn_draining', status.draining ? 1 : 0)
  for (const pool of status.pools) {
    const family = `ipv${pool.family}`
    metrics.set('masque_vpn_ip_pool_used', pool.used, { family })
    metrics.set('masque_vpn_ip_pool_total', Number(pool.total), { family })
  }
  metrics.count('masque_vpn_log_lines_lost_total', status.log.linesLost, { reason: 'not_written' })
  metrics.count('masque_vpn_log_lines_lost_total', status.log.linesLeftOut, { reason: 'left_out' })
}

function fillInConnections(metrics: Instruments, { status, connections, closed, endpoint, tcp }: Readings): void {
  metrics.set('masque_vpn_active_connections', status.connections)
  metrics.set('masque_vpn_tunnels', status.tunnels)
  metrics.count('masque_vpn_tunnels_opened_total', status.tunnelsTotal)
  metrics.count('masque_vpn_client_moves_total', status.movesTotal)
  for (const carrier of CARRIERS) {
    for (const state of CONNECTION_STATES) {
      metrics.set('masque_vpn_connections', connections[carrier][state], { carrier, state })
    }
    metrics.countEach('masque_vpn_connections_closed_total', 'outcome', closed[carrier], { carrier })
  }
  metrics.countEach('masque_vpn_handshakes_total', 'result', status.handshakes)
  metrics.count('masque_vpn_connections_evicted_total', endpoint.evicted, { transport: 'quic' })
  if (tcp === undefined) return
  const { accepted, rejected, failed, evicted } = tcp
  metrics.countEach('masque_vpn_tls_handshakes_total', 'result', { accepted, rejected, failed })
  metrics.count('masque_vpn_connections_evicted_total', evicted, { transport: 'tcp' })
}

function fillInPackets(metrics: Instruments, { status, traffic }: Readings): void {
  const { packets, ipv4, ipv6, fec } = traffic
  const families: [string, FamilyCounters][] = [
    ['ipv4', ipv4],
    ['ipv6', ipv6],
    // What has come and is of neither version.
    [OTHER, restOf(traffic)],
  ]
  for (const [family, counters] of families) {
    const [from, to] = ['from_clients', 'to_clients'].map(direction => ({ direction, family }))
    metrics.count('masque_vpn_packets_total', counters.packetsReceived, from)
    metrics.count('masque_vpn_packets_total', counters.packetsSent, to)
    metrics.count('masque_vpn_bytes_total', counters.bytesReceived, from)
    metrics.count('masque_vpn_bytes_total', counters.bytesSent, to)
  }
  metrics.count('masque_vpn_packets_answered_total', packets.answered)
  metrics.countEach('masque_vpn_packets_dropped_total', 'reason', status.packets.dropped)
  for (const [to, reasons] of Object.entries(status.unsent)) {
    metrics.countEach('masque_vpn_packets_unsent_total', 'reason', reasons, { to })
  }
  metrics.count('masque_vpn_fec_parities_total', fec.parityReceived, { direction: 'from_clients' })
  metrics.count('masque_vpn_fec_parities_total', fec.paritySent, { direction: 'to_clients' })
  metrics.count('masque_vpn_fec_recovered_total', fec.recovered)
  metrics.set('masque_vpn_stream_backlog_bytes', traffic.backlogBytes)
  metrics.count('masque_vpn_stream_blocked_seconds_total', traffic.blockedMs / 1000)
}

function restOf({ packets, bytes, ipv4, ipv6 }: Readings['traffic']): FamilyCounters {
  return {
    packetsReceived: packets.fromClients - ipv4.packetsReceived - ipv6.packetsReceived,
    packetsSent: packets.toClients - ipv4.packetsSent - ipv6.packetsSent,
    bytesReceived: bytes.fromClients - ipv4.bytesReceived - ipv6.bytesReceived,
    bytesSent: bytes.toClients - ipv4.bytesSent - ipv6.bytesSent,
    icmpReceived: [],
    icmpSent: [],
  }
}

function fillInIcmp(metrics: Instruments, { traffic, icmpToHosts }: Readings): void {
  for (const family of ['ipv4', 'ipv6'] as const) {
    for (const [kind, type] of ICMP_KINDS.entries()) {
      const sent = traffic[family].icmpSent[kind] + icmpToHosts[family][kind]
      metrics.count('masque_vpn_icmp_total', sent, { direction: 'sent', family, type })
      const received = traffic[family].icmpReceived[kind]
      metrics.count('masque_vpn_icmp_total', received, { direction: 'received', family, type })
    }
  }
}

function fillInQuic(metrics: Instruments, { quic, endpoint }: Readings): void {
  const { stats, rttsMs, cwnd } = quic
  metrics.set('masque_vpn_quic_congestion_window_bytes', cwnd)
  metrics.clear('masque_vpn_quic_rtt_seconds')
  if (rttsMs.length > 0) {
    const mean = rttsMs.reduce((sum, rtt) => sum + rtt, 0) / rttsMs.length
    for (const [stat, ms] of [
      ['min', Math.min(...rttsMs)],
      ['mean', mean],
      ['max', Math.max(...rttsMs)],
    ] as const) {
      metrics.set('masque_vpn_quic_rtt_seconds', ms / 1000, { stat })
    }
  }
  metrics.count('masque_vpn_quic_packets_total', stats.packetsReceived, { direction: 'received' })
  metrics.count('masque_vpn_quic_packets_total', stats.packetsSent, { direction: 'sent' })
  metrics.count('masque_vpn_quic_packets_lost_total', stats.packetsLost)
  const { stray, crowdedOut: crowded_out, withheld, resets } = endpoint
  metrics.countEach('masque_vpn_quic_packets_dropped_total', 'reason', { stray, crowded_out, withheld })
  metrics.count('masque_vpn_quic_stateless_resets_total', resets)
  metrics.count('masque_vpn_quic_streams_opened_total', stats.streamsOpened)
  metrics.set('masque_vpn_quic_streams_open', stats.streamsOpen)
  metrics.count('masque_vpn_quic_datagrams_total', stats.datagramsSent, { direction: 'sent' })
  metrics.count('masque_vpn_quic_datagrams_total', stats.datagramsReceived, { direction: 'received' })
  metrics.count('masque_vpn_quic_datagrams_dropped_total', stats.datagramsDropped)
  metrics.count('masque_vpn_quic_path_changes_total', stats.pathChanges)
}
