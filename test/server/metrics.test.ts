import { expect } from 'chai'
import { register } from 'prom-client'
import { newFamilyCounters } from '../../src/carriers/family-counters.ts'
import type { Readings } from '../../src/server/metrics/readings.ts'
import { type ErrorType, ServerMetrics } from '../../src/server/metrics.ts'
import { FakeApiSource } from './fake-api-source.ts'
import { fakeReadings } from './fake-readings.ts'
import { parseMetrics } from './metrics/parse.ts'

/** A server's numbers to play with. */
class FakeSource {
  current: Readings = fakeReadings(new FakeApiSource().currentStatus)

  readings(): Readings {
    return this.current
  }
}

describe('metrics', () => {
  let source: FakeSource
  let metrics: ServerMetrics
  const read = async () => parseMetrics(await metrics.text())

  beforeEach(() => {
    source = new FakeSource()
    metrics = new ServerMetrics(source)
  })

  it('show the numbers of the status under their names', async () => {
    const samples = await read()
    for (const [name, value] of [
      ['masque_vpn_active_connections', 2],
      ['masque_vpn_tunnels', 3],
      ['masque_vpn_tunnels_opened_total', 5],
      ['masque_vpn_client_moves_total', 9],
      ['masque_vpn_ip_pool_used{family="ipv4"}', 3],
      ['masque_vpn_ip_pool_total{family="ipv4"}', 253],
      ['masque_vpn_ip_pool_used{family="ipv6"}', 2],
      ['masque_vpn_packets_answered_total', 6],
      ['masque_vpn_fec_parities_total{direction="from_clients"}', 12],
      ['masque_vpn_fec_parities_total{direction="to_clients"}', 11],
      ['masque_vpn_fec_recovered_total', 4],
      ['masque_vpn_packets_dropped_total{reason="no-route"}', 4],
      ['masque_vpn_packets_unsent_total{to="udp",reason="full"}', 8],
      ['masque_vpn_packets_unsent_total{to="tun",reason="full"}', 9],
      ['masque_vpn_packets_unsent_total{to="tun",reason="down"}', 1],
      ['masque_vpn_handshakes_total{result="retried"}', 2],
      ['masque_vpn_uptime_seconds', 61],
      ['masque_vpn_draining', 0],
    ] as const) {
      expect(samples.get(name), name).to.equal(value)
    }
  })

  it('show packets and bytes by family, and what is of neither as others', async () => {
    const { traffic } = source.current
    const ipv4 = {
      ...newFamilyCounters(),
      packetsReceived: 60,
      packetsSent: 50,
      bytesReceived: 100_000,
      bytesSent: 60_000,
    }
    const ipv6 = {
      ...newFamilyCounters(),
      packetsReceived: 39,
      packetsSent: 40,
      bytesReceived: 19_990,
      bytesSent: 20_000,
    }
    source.current = { ...source.current, traffic: { ...traffic, ipv4, ipv6 } }
    const samples = await read()
    const of = (name: string, direction: string, family: string) =>
      samples.get(`masque_vpn_${name}_total{direction="${direction}",family="${family}"}`)
    expect(of('packets', 'from_clients', 'ipv4')).to.equal(60)
    expect(of('packets', 'from_clients', 'ipv6')).to.equal(39)
    expect(of('packets', 'from_clients', 'other')).to.equal(1)
    expect(of('packets', 'to_clients', 'ipv6')).to.equal(40)
    expect(of('packets', 'to_clients', 'other')).to.equal(undefined)
    expect(of('bytes', 'from_clients', 'other')).to.equal(10)
    expect(of('bytes', 'to_clients', 'ipv4')).to.equal(60_000)
  })

  it('show ICMP by direction, family and kind, with what the proxy has told hosts behind it', async () => {
    const ipv6 = { ...newFamilyCounters(), icmpSent: [0, 2, 0, 3, 0, 0], icmpReceived: [2, 0, 0, 0, 0, 1] }
    source.current = {
      ...source.current,
      traffic: { ...source.current.traffic, ipv6 },
      icmpToHosts: { ipv4: [0, 0, 0, 0, 0, 0], ipv6: [0, 0, 0, 5, 0, 0] },
    }
    const samples = await read()
    const of = (direction: string, type: string) =>
      samples.get(`masque_vpn_icmp_total{direction="${direction}",family="ipv6",type="${type}"}`)
    expect(of('sent', 'too-big')).to.equal(8)
    expect(of('sent', 'echo-reply')).to.equal(2)
    expect(of('received', 'echo-request')).to.equal(2)
    expect(of('received', 'other')).to.equal(1)
    expect(of('received', 'time-exceeded')).to.equal(0)
  })

  it('show what QUIC has dropped, and what had to make room', async () => {
    const { endpoint, tcp } = source.current
    source.current = {
      ...source.current,
      endpoint: { ...endpoint, stray: 3, crowdedOut: 4, withheld: 5, evicted: 6, resets: 9 },
      tcp: tcp && { ...tcp, failed: 7, evicted: 8 },
    }
    const samples = await read()
    expect(samples.get('masque_vpn_quic_packets_dropped_total{reason="stray"}')).to.equal(3)
    expect(samples.get('masque_vpn_quic_packets_dropped_total{reason="crowded_out"}')).to.equal(4)
    expect(samples.get('masque_vpn_quic_packets_dropped_total{reason="withheld"}')).to.equal(5)
    expect(samples.get('masque_vpn_quic_stateless_resets_total')).to.equal(9)
    expect(samples.get('masque_vpn_connections_evicted_total{transport="quic"}')).to.equal(6)
    expect(samples.get('masque_vpn_connections_evicted_total{transport="tcp"}')).to.equal(8)
    expect(samples.get('masque_vpn_tls_handshakes_total{result="failed"}')).to.equal(7)
  })

  it('show the numbers of QUIC connections', async () => {
    const { quic } = source.current
    const stats = {
      ...quic.stats,
      packetsSent: 150,
      packetsLost: 2,
      datagramsReceived: 70,
      streamsOpen: 4,
      pathChanges: 1,
    }
    source.current = { ...source.current, quic: { stats, rttsMs: [10, 30], cwnd: 24_000 } }
    const samples = await read()
    expect(samples.get('masque_vpn_quic_packets_total{direction="sent"}')).to.equal(150)
    expect(samples.get('masque_vpn_quic_packets_lost_total')).to.equal(2)
    expect(samples.get('masque_vpn_quic_datagrams_total{direction="received"}')).to.equal(70)
    expect(samples.get('masque_vpn_quic_streams_open')).to.equal(4)
    expect(samples.get('masque_vpn_quic_path_changes_total')).to.equal(1)
    expect(samples.get('masque_vpn_quic_congestion_window_bytes')).to.equal(24_000)
    expect(samples.get('masque_vpn_quic_rtt_seconds{stat="min"}')).to.equal(0.01)
    expect(samples.get('masque_vpn_quic_rtt_seconds{stat="mean"}')).to.equal(0.02)
    expect(samples.get('masque_vpn_quic_rtt_seconds{stat="max"}')).to.equal(0.03)
  })

  it('show each number under its own name, and no two under one', async () => {
    const { status, quic, traffic, connections, closed } = source.current
    const stats = {
      ...quic.stats,
      packetsSent: 101,
      packetsReceived: 102,
      packetsLost: 103,
      datagramsSent: 104,
      datagramsReceived: 105,
      datagramsDropped: 106,
      streamsOpened: 107,
      streamsOpen: 108,
      pathChanges: 109,
    }
    source.current = {
      ...source.current,
      status: { ...status, log: { linesLost: 110, linesLeftOut: 111 } },
      quic: { ...quic, stats },
      traffic: { ...traffic, blockedMs: 112_000, backlogBytes: 113 },
      connections: { ...connections, h2: { handshaking: 114, open: 115, draining: 116 } },
      closed: { ...closed, h1: { orderly: 117, timeout: 118, refused: 119, shut_down: 120, error: 121 } },
      tcp: { accepted: 122, rejected: 123, failed: 124, evicted: 125 },
    }
    const samples = await read()
    const shown = [
      'quic_packets_total{direction="sent"}',
      'quic_packets_total{direction="received"}',
      'quic_packets_lost_total',
      'quic_datagrams_total{direction="sent"}',
      'quic_datagrams_total{direction="received"}',
      'quic_datagrams_dropped_total',
      'quic_streams_opened_total',
      'quic_streams_open',
      'quic_path_changes_total',
      'log_lines_lost_total{reason="not_written"}',
      'log_lines_lost_total{reason="left_out"}',
      'stream_blocked_seconds_total',
      'stream_backlog_bytes',
      ...['handshaking', 'open', 'draining'].map(state => `connections{carrier="h2",state="${state}"}`),
      ...['orderly', 'timeout', 'refused', 'shut_down', 'error'].map(
        outcome => `connections_closed_total{carrier="h1",outcome="${outcome}"}`,
      ),
      ...['accepted', 'rejected', 'failed'].map(result => `tls_handshakes_total{result="${result}"}`),
      'connections_evicted_total{transport="tcp"}',
    ].map(name => samples.get(`masque_vpn_${name}`))
    expect(shown).to.deep.equal(Array.from({ length: 25 }, (_, i) => 101 + i))
    for (const [i, result] of ['accepted', 'rejected', 'retried'].entries()) {
      expect(samples.get(`masque_vpn_handshakes_total{result="${result}"}`)).to.equal([7, 1, 2][i])
    }
  })

  it('follow what they are read from', async () => {
    await read()
    const { status, quic } = source.current
    const emptied = { ...status, connections: 0, tunnelsTotal: 6, draining: true }
    source.current = { ...source.current, status: emptied, quic: { ...quic, rttsMs: [] } }
    const samples = await read()
    expect(samples.get('masque_vpn_active_connections')).to.equal(0)
    expect(samples.get('masque_vpn_tunnels_opened_total')).to.equal(6)
    expect(samples.get('masque_vpn_draining')).to.equal(1)
    expect([...samples.keys()].filter(name => name.includes('rtt'))).to.deep.equal([])
  })

  it('never let a counter go down, whatever becomes of what it is read from', async () => {
    await read()
    const { status } = source.current
    source.current = { ...source.current, status: { ...status, tunnelsTotal: 2 } }
    expect((await read()).get('masque_vpn_tunnels_opened_total')).to.equal(5)
    source.current = { ...source.current, status: { ...status, tunnelsTotal: 7 } }
    expect((await read()).get('masque_vpn_tunnels_opened_total')).to.equal(7)
  })

  it('sort packet processing times into buckets from 1 µs to 100 ms', async () => {
    for (const ms of [0.5e-3, 0.03, 50, 2000]) metrics.onPacketTimed(ms, new Float64Array(4).fill(Number.NaN))
    const samples = await read()
    const bucket = (le: string) => samples.get(`masque_vpn_packet_processing_duration_seconds_bucket{le="${le}"}`)
    expect([bucket('0.000001'), bucket('0.00005'), bucket('0.1'), bucket('+Inf')]).to.deep.equal([1, 2, 3, 4])
    expect(samples.get('masque_vpn_packet_processing_duration_seconds_count')).to.equal(4)
    expect(samples.get('masque_vpn_packet_processing_duration_seconds_sum')).to.be.closeTo(2.05003, 1e-5)
  })

  it('sort the stages of packets, as far as they got', async () => {
    metrics.onPacketTimed(1, Float64Array.of(0.0002, 0.03, Number.NaN, Number.NaN))
    const samples = await read()
    const bucket = (stage: string, le: string) =>
      samples.get(`masque_vpn_packet_stage_duration_seconds_bucket{le="${le}",stage="${stage}"}`)
    expect([bucket('receive', '1e-7'), bucket('receive', '2.5e-7')]).to.deep.equal([0, 1])
    expect([bucket('policy', '0.000025'), bucket('policy', '0.00005')]).to.deep.equal([0, 1])
    expect(bucket('forward', '+Inf')).to.equal(undefined)
  })

  it('sort the times of handshakes and sessions into buckets, by carrier', async () => {
    metrics.observeHandshake('h3', 4)
    metrics.observeSessionSetup('h2', 0.2)
    const samples = await read()
    expect(samples.get('masque_vpn_handshake_duration_seconds_bucket{le="0.0025",carrier="h3"}')).to.equal(0)
    expect(samples.get('masque_vpn_handshake_duration_seconds_bucket{le="0.005",carrier="h3"}')).to.equal(1)
    expect(samples.get('masque_vpn_session_setup_duration_seconds_bucket{le="0.00025",carrier="h2"}')).to.equal(1)
  })

  it('count errors by type', async () => {
    metrics.countError('internal')
    metrics.countError('internal')
    metrics.countError('unheard of' as ErrorType)
    const samples = await read()
    expect(samples.get('masque_vpn_errors_total{type="internal"}')).to.equal(2)
    expect(samples.get('masque_vpn_errors_total{type="connection"}')).to.equal(0)
    expect(samples.get('masque_vpn_errors_total{type="other"}')).to.equal(1)
  })

  it('have no time series for a value that is not listed, whatever label it comes in', async () => {
    const { status } = source.current
    source.current = { ...source.current, status: { ...status, unsent: { unheard: { full: 3, of: 4 } } as never } }
    metrics.observeHandshake('unheard' as never, 4)
    metrics.observeSessionSetup('unheard' as never, 4)
    expect(await metrics.text()).to.not.include('unheard')
    const samples = await read()
    expect(samples.get('masque_vpn_handshake_duration_seconds_count{carrier="other"}')).to.equal(1)
    expect(samples.get('masque_vpn_session_setup_duration_seconds_count{carrier="other"}')).to.equal(1)
    expect(samples.get('masque_vpn_packets_unsent_total{to="other",reason="full"}')).to.equal(3)
    expect(samples.get('masque_vpn_packets_unsent_total{to="other",reason="other"}')).to.equal(4)
  })

  it('are kept apart from those of another server in the same process', async () => {
    const other = new ServerMetrics(source)
    other.countError('internal')
    expect((await read()).get('masque_vpn_errors_total{type="internal"}')).to.equal(0)
    expect(register.getMetricsAsArray().filter(metric => metric.name.startsWith('masque_vpn'))).to.deep.equal([])
  })

  it('tell about the process when asked to', async () => {
    expect(await metrics.text()).to.not.include('process_')
    const withProcess = new ServerMetrics(source, { process: true })
    const text = await withProcess.text()
    for (const name of ['process_resident_memory_bytes', 'process_cpu_seconds_total', 'nodejs_eventloop_lag_seconds']) {
      expect(text).to.include(name)
    }
  })
})
