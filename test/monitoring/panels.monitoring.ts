/** What the panels say of numbers that are known: a query that returns something else than its panel is called does so of every proxy. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { stringify } from 'yaml'
import { PATIENCE_MS } from '../support/patience.ts'
import { DASHBOARDS } from './queries.ts'

/** Gauges as they are, counters by what they grow in a second. Each series at the proxy `p`, unless it says another one. */
const GAUGES: Record<string, number> = {
  'masque_vpn_active_connections{}': 3,
  'masque_vpn_active_connections{instance="q"}': 4,
  'masque_vpn_tunnels{}': 5,
  'masque_vpn_tunnels{instance="q"}': 6,
  'masque_vpn_connections{state="open",carrier="h3"}': 7,
  'masque_vpn_connections{state="open",carrier="h2"}': 2,
  'masque_vpn_connections{state="open",carrier="h3",instance="q"}': 1,
  'masque_vpn_connections{state="closing",carrier="h3"}': 64,
  'masque_vpn_quic_rtt_seconds{stat="min"}': 0.25,
  'masque_vpn_quic_rtt_seconds{stat="mean"}': 0.5,
  'masque_vpn_quic_rtt_seconds{stat="max"}': 2,
  'masque_vpn_quic_rtt_seconds{stat="min",instance="q"}': 0.125,
  'masque_vpn_quic_rtt_seconds{stat="mean",instance="q"}': 1,
  'masque_vpn_quic_rtt_seconds{stat="max",instance="q"}': 4,
  'masque_vpn_ip_pool_used{family="ipv4"}': 10,
  'masque_vpn_ip_pool_total{family="ipv4"}': 40,
  'masque_vpn_ip_pool_used{family="ipv6"}': 4,
  'masque_vpn_ip_pool_total{family="ipv6"}': 8,
  'masque_vpn_ip_pool_used{family="ipv4",instance="q"}': 15,
  'masque_vpn_ip_pool_total{family="ipv4",instance="q"}': 20,
  'masque_vpn_quic_congestion_window_bytes{}': 1000,
  'masque_vpn_quic_congestion_window_bytes{instance="q"}': 500,
  'ALERTS{alertstate="firing",alertname="A"}': 1,
  'ALERTS{alertstate="firing",alertname="B"}': 1,
  'ALERTS{alertstate="firing",alertname="A",instance="q"}': 1,
  'ALERTS{alertstate="pending",alertname="C"}': 1,
  'nodejs_eventloop_lag_p50_seconds{}': 1,
  'nodejs_eventloop_lag_p99_seconds{}': 2,
  'nodejs_eventloop_lag_p99_seconds{instance="q"}': 3,
  'nodejs_eventloop_lag_max_seconds{}': 4,
}
const COUNTERS: Record<string, number> = {
  'masque_vpn_bytes_total{direction="from_clients",family="ipv4"}': 100,
  'masque_vpn_bytes_total{direction="to_clients",family="ipv4"}': 200,
  'masque_vpn_bytes_total{direction="to_clients",family="ipv6"}': 40,
  'masque_vpn_bytes_total{direction="from_clients",family="ipv4",instance="q"}': 60,
  'masque_vpn_packets_total{direction="from_clients",family="ipv4"}': 3,
  'masque_vpn_packets_total{direction="to_clients",family="ipv4"}': 4,
  'masque_vpn_packets_total{direction="to_clients",family="ipv6"}': 2,
  'masque_vpn_packets_total{direction="from_clients",family="ipv4",instance="q"}': 1,
  'masque_vpn_packets_dropped_total{reason="no-route"}': 4,
  'masque_vpn_packets_dropped_total{reason="queue-full"}': 1,
  'masque_vpn_packets_dropped_total{reason="queue-full",instance="q"}': 1,
  'masque_vpn_packets_dropped_total{reason="too-big"}': 0,
  'masque_vpn_quic_packets_total{direction="sent"}': 16,
  'masque_vpn_quic_packets_total{direction="sent",instance="q"}': 16,
  'masque_vpn_quic_packets_total{direction="received"}': 7,
  'masque_vpn_quic_packets_lost_total{}': 2,
  'masque_vpn_quic_packets_lost_total{instance="q"}': 6,
  'masque_vpn_handshakes_total{result="accepted"}': 4,
  'masque_vpn_handshakes_total{result="rejected"}': 1,
  'masque_vpn_tls_handshakes_total{result="accepted"}': 2,
  'masque_vpn_handshake_duration_seconds_bucket{carrier="h3",le="1"}': 8,
  'masque_vpn_handshake_duration_seconds_bucket{carrier="h3",le="2"}': 8,
  'masque_vpn_handshake_duration_seconds_bucket{carrier="h3",le="+Inf"}': 8,
  'masque_vpn_handshake_duration_seconds_bucket{carrier="h2",le="1"}': 0,
  'masque_vpn_handshake_duration_seconds_bucket{carrier="h2",le="2"}': 8,
  'masque_vpn_handshake_duration_seconds_bucket{carrier="h2",le="+Inf"}': 8,
  'masque_vpn_packet_processing_duration_seconds_bucket{le="1"}': 8,
  'masque_vpn_packet_processing_duration_seconds_bucket{le="2"}': 10,
  'masque_vpn_packet_processing_duration_seconds_bucket{le="+Inf"}': 10,
  'masque_vpn_packet_processing_duration_seconds_bucket{le="1",instance="q"}': 0,
  'masque_vpn_packet_processing_duration_seconds_bucket{le="2",instance="q"}': 10,
  'masque_vpn_packet_processing_duration_seconds_bucket{le="+Inf",instance="q"}': 10,
  'process_cpu_user_seconds_total{}': 0.5,
  'process_cpu_system_seconds_total{}': 0.25,
}

/** By the panel's title, for each of its queries: by its labels, what it shows. */
const SHOWN: Record<string, Record<string, number>[]> = {
  Connections: [{ '{}': 7 }],
  Tunnels: [{ '{}': 11 }],
  'Through the tunnels': [{ '{}': 3200 }],
  'Round-trip time': [{ '{}': 0.75 }],
  'QUIC packets lost': [{ '{}': 0.25 }],
  'IP packets dropped': [{ '{}': 0.375 }],
  'Fullest address pool': [{ '{}': 0.75 }],
  Alerts: [{ '{}': 3 }],
  'By which carrier are clients connected?': [{ '{carrier="h2"}': 2, '{carrier="h3"}': 8 }],
  'How much goes through the tunnels?': [{ '{direction="from_clients"}': 1280, '{direction="to_clients"}': 1920 }],
  'How long is the way to the clients?': [{ '{}': 0.125 }, { '{}': 0.75 }, { '{}': 4 }],
  'How full are the address pools?': [{ '{family="ipv4"}': 25 / 60, '{family="ipv6"}': 0.5 }],
  'Which share is lost or dropped?': [{ '{}': 0.25 }, { '{}': 0.375 }],
  'Why are packets dropped?': [{ '{reason="no-route"}': 4, '{reason="queue-full"}': 2 }],
  'What becomes of handshakes?': [{ '{result="accepted"}': 4, '{result="rejected"}': 1 }, { '{result="accepted"}': 2 }],
  'How long does a handshake take?': [
    { '{carrier="h2"}': 1.5, '{carrier="h3"}': 0.5 },
    { '{carrier="h2"}': 1.95, '{carrier="h3"}': 0.95 },
  ],
  'And its quantiles?': [{ '{}': 1 + 2 / 12 }, { '{}': 1 + 10 / 12 }, { '{}': 1 + 11.8 / 12 }],
  'How many packets pass?': [
    {
      '{direction="from_clients", family="ipv4"}': 4,
      '{direction="to_clients", family="ipv4"}': 4,
      '{direction="to_clients", family="ipv6"}': 2,
    },
  ],
  'How large are the packets?': [{ '{direction="from_clients"}': 40, '{direction="to_clients"}': 40 }],
  'How many QUIC packets are sent, received, lost?': [
    { '{direction="received"}': 7, '{direction="sent"}': 32 },
    { '{}': 8 },
  ],
  'How much may be under way?': [{ '{}': 1500 }],
  'How late is the event loop?': [{ '{}': 1 }, { '{}': 3 }, { '{}': 4 }],
  'How much CPU?': [{ '{}': 0.5 }, { '{}': 0.25 }],
}

const EVERY_S = 5
const SAMPLES = 60

function seriesOf(name: string, values: string): { series: string; values: string }[] {
  const at = name.replace('}', `${name.includes('instance=') ? '' : ',instance="p"'}}`).replace('{,', '{')
  // A proxy of another job, which the dashboard's user has not chosen, has a thousand times as much, or as little.
  const factor = name.includes('stat="min"') ? 0.001 : 1000
  return [at.replace('}', ',job="masque-lab"}'), at.replace('}', ',job="other"}')].map((series, other) => ({
    series,
    values: other ? values.replace(/[\d.]+(?=x)/, amount => String(factor * Number(amount))) : values,
  }))
}

describe('the panels of the dashboards', () => {
  it('show what their titles say, of numbers that are known', () => {
    const panels = [...DASHBOARDS.values()].flatMap(({ panels }) => panels)
    const asked = Object.entries(SHOWN).flatMap(([title, shown]) => {
      const targets = panels.find(panel => panel.title === title)?.targets ?? []
      expect(targets, title).to.have.length(shown.length)
      return targets.map(({ expr }, i) => ({
        // In millionths: what rate() extrapolates is off in the last digits.
        expr: `round(1e6 * (${expr.replaceAll('$__rate_interval', '1m').replaceAll('$job', 'masque-lab').replaceAll('$instance', '.*')}))`,
        eval_time: '4m',
        exp_samples: Object.entries(shown[i] as object).map(([labels, value]) => ({
          labels,
          value: Math.round(1e6 * value),
        })),
      }))
    })
    const series = [
      ...Object.entries(GAUGES).flatMap(([name, value]) => seriesOf(name, `${value}x${SAMPLES}`)),
      ...Object.entries(COUNTERS).flatMap(([name, rate]) => seriesOf(name, `0+${rate * EVERY_S}x${SAMPLES}`)),
    ]
    const tests = [{ interval: `${EVERY_S}s`, input_series: series, promql_expr_test: asked }]
    const folder = mkdtempSync(join(tmpdir(), 'masque-panels-'))
    try {
      const file = join(folder, 'panels.test.yml')
      writeFileSync(file, stringify({ evaluation_interval: `${EVERY_S}s`, tests }))
      const run = spawnSync('promtool', ['test', 'rules', file], { encoding: 'utf8', timeout: PATIENCE_MS })
      expect(run.status, `${run.stdout}${run.stderr}`).to.equal(0)
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  })
})
