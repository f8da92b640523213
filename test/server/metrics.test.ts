import { expect } from 'chai'
import { register } from 'prom-client'
import { ServerMetrics } from '../../src/server/metrics.ts'
import { client, FakeApiSource } from './fake-api-source.ts'

/** Reads Prometheus' text format: `name{label="value"}` → number. Throws on a line that is neither sample, comment nor empty. */
function parse(text: string): Map<string, number> {
  const samples = new Map<string, number>()
  for (const line of text.split('\n')) {
    if (line === '' || /^# (HELP|TYPE) [a-z_]+ \S/.test(line)) continue
    const match = /^([a-z_]+(?:\{(?:[a-z]+="[^"\\]*",?)*\})?) (\S+)$/.exec(line)
    if (match === null || samples.has(match[1])) throw new Error(`not a sample, or one given twice: ${line}`)
    const value = match[2] === '+Inf' ? Number.POSITIVE_INFINITY : Number(match[2])
    if (Number.isNaN(value)) throw new Error(`not a number: ${line}`)
    samples.set(match[1], value)
  }
  return samples
}

describe('metrics', () => {
  let source: FakeApiSource
  let metrics: ServerMetrics
  const read = async () => parse(await metrics.text())

  beforeEach(() => {
    source = new FakeApiSource()
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
      ['masque_vpn_packets_total{direction="from_clients"}', 100],
      ['masque_vpn_packets_total{direction="to_clients"}', 90],
      ['masque_vpn_bytes_total{direction="from_clients"}', 120_000],
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

  it('follow the status from one reading to the next', async () => {
    await read()
    source.currentStatus = {
      ...source.currentStatus,
      connections: 0,
      packets: { fromClients: 101, toClients: 90, answered: 6, dropped: {} },
      draining: true,
    }
    source.currentClients = []
    const samples = await read()
    expect(samples.get('masque_vpn_active_connections')).to.equal(0)
    expect(samples.get('masque_vpn_packets_total{direction="from_clients"}')).to.equal(101)
    expect(samples.get('masque_vpn_draining')).to.equal(1)
    expect([...samples.keys()].filter(name => name.includes('rtt'))).to.deep.equal([])
  })

  it('sort packet processing times into buckets from 1 µs to 100 ms', async () => {
    for (const seconds of [0.5e-6, 30e-6, 0.05, 2]) metrics.observePacketProcessing(seconds)
    const samples = await read()
    const bucket = (le: string) => samples.get(`masque_vpn_packet_processing_duration_seconds_bucket{le="${le}"}`)
    expect([bucket('0.000001'), bucket('0.00005'), bucket('0.1'), bucket('+Inf')]).to.deep.equal([1, 2, 3, 4])
    expect(samples.get('masque_vpn_packet_processing_duration_seconds_count')).to.equal(4)
    expect(samples.get('masque_vpn_packet_processing_duration_seconds_sum')).to.be.closeTo(2.05003, 1e-5)
  })

  it('count errors by type, and no more than a bounded number of types', async () => {
    metrics.countError('tls')
    metrics.countError('tls')
    for (let i = 0; i < 100; i++) metrics.countError(`type${i}`)
    const samples = await read()
    expect(samples.get('masque_vpn_errors_total{type="tls"}')).to.equal(2)
    expect(samples.get('masque_vpn_errors_total{type="other"}')).to.equal(51)
    expect([...samples.keys()].filter(name => name.startsWith('masque_vpn_errors_total'))).to.have.length(51)
  })

  it('count the QUIC packets of a connection once, however many tunnels it carries', async () => {
    const samples = await read()
    expect(samples.get('masque_vpn_quic_packets_total{direction="sent"}')).to.equal(150)
    expect(samples.get('masque_vpn_quic_packets_lost_total')).to.equal(2)
    expect(samples.get('masque_vpn_quic_congestion_window_bytes')).to.equal(24_000)
    expect(samples.get('masque_vpn_quic_rtt_seconds{stat="min"}')).to.equal(0.01)
    expect(samples.get('masque_vpn_quic_rtt_seconds{stat="mean"}')).to.equal(0.02)
    expect(samples.get('masque_vpn_quic_rtt_seconds{stat="max"}')).to.equal(0.03)
  })

  it('keep QUIC counters from going down when a client leaves', async () => {
    const sent = async () => (await read()).get('masque_vpn_quic_packets_total{direction="sent"}')
    expect(await sent()).to.equal(150)
    source.currentClients = [client('bb/0', 30, 70)]
    expect(await sent()).to.equal(170)
    source.currentClients = [client('cc/0', 30, 5)]
    expect(await sent()).to.equal(175)
  })

  it('show what waits in tunnels on streams, and keep the time without room when a tunnel ends', async () => {
    const overStream = (id: string, blockedMs: number) => ({
      ...client(id, 0, 0),
      carrier: 'h2' as const,
      quic: undefined,
      backlog: { bytes: 500, blockedMs, dropped: 1 },
    })
    source.currentClients = [client('aa/0', 10, 1), overStream('bb/1', 1000), overStream('bb/3', 500)]
    const before = await read()
    expect(before.get('masque_vpn_stream_backlog_bytes')).to.equal(1000)
    expect(before.get('masque_vpn_stream_blocked_seconds_total')).to.equal(1.5)
    source.currentClients = [overStream('bb/3', 700)]
    expect((await read()).get('masque_vpn_stream_blocked_seconds_total')).to.equal(1.7)
  })

  it('are kept apart from those of another server in the same process', async () => {
    const other = new ServerMetrics(source)
    other.countError('tls')
    expect((await read()).has('masque_vpn_errors_total{type="tls"}')).to.equal(false)
    expect(register.getMetricsAsArray().filter(metric => metric.name.startsWith('masque_vpn'))).to.deep.equal([])
  })

  it('tell about the process when asked to', async () => {
    expect(await metrics.text()).to.not.include('process_')
    const withProcess = new ServerMetrics(source, { process: true })
    expect(await withProcess.text()).to.include('process_resident_memory_bytes')
    withProcess.registry.clear()
  })
})
