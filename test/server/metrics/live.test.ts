import { expect } from 'chai'
import { addressOf, closeLoopback, connectClient, itOverAll, ping, startServer, until } from '../../support/loopback.ts'
import { IS_TYPESCRIPT } from '../../support/which-engine.ts'
import { parseMetrics } from './parse.ts'

describe('the metrics of a proxy with clients', () => {
  afterEach(closeLoopback)

  const read = async (server: { metrics: { text(): Promise<string> } }) => parseMetrics(await server.metrics.text())

  itOverAll('tell of its connections, sessions and packets, and keep it when they are gone', async () => {
    const server = await startServer()
    const { client, info } = await connectClient(server)
    const carrier = server.clients()[0].carrier
    await ping(client, '10.90.0.1')
    await ping(client, 'fd00:90::1')
    const during = await read(server)
    expect(during.get(`masque_vpn_connections{carrier="${carrier}",state="open"}`)).to.equal(1)
    expect(during.get(`masque_vpn_session_setup_duration_seconds_count{carrier="${carrier}"}`)).to.equal(1)
    for (const [family, version] of [
      ['ipv4', 4],
      ['ipv6', 6],
    ] as const) {
      expect(addressOf(info, version).version).to.equal(version)
      for (const [direction, of] of [
        ['received', 'echo-request'],
        ['sent', 'echo-reply'],
      ]) {
        const name = `masque_vpn_icmp_total{direction="${direction}",family="${family}",type="${of}"}`
        expect(during.get(name), name).to.be.at.least(1)
      }
      for (const direction of ['from_clients', 'to_clients']) {
        const labels = `{direction="${direction}",family="${family}"}`
        expect(during.get(`masque_vpn_packets_total${labels}`), labels).to.be.at.least(1)
        expect(during.get(`masque_vpn_bytes_total${labels}`), labels).to.be.at.least(28)
      }
    }
    if (carrier === 'h3') {
      expect(during.get('masque_vpn_quic_datagrams_total{direction="received"}')).to.be.at.least(2)
      expect(during.get('masque_vpn_quic_datagrams_total{direction="sent"}')).to.be.at.least(2)
      // The request's, and a control stream of each side.
      expect(during.get('masque_vpn_quic_streams_open')).to.be.at.least(3)
      const rttSeconds = during.get('masque_vpn_quic_rtt_seconds{stat="mean"}')
      expect(rttSeconds).to.be.within(0, 60)
      // quiche tells whole milliseconds, and a way over loopback may take less.
      if (IS_TYPESCRIPT) expect(rttSeconds).to.be.above(0)
    }

    await client.close()
    await until(() => server.status().connections === 0)
    const after = await read(server)
    expect(after.get(`masque_vpn_connections{carrier="${carrier}",state="open"}`)).to.equal(0)
    expect(after.get(`masque_vpn_connections_closed_total{carrier="${carrier}",outcome="orderly"}`)).to.equal(1)
    expect(after.get('masque_vpn_quic_streams_open')).to.equal(0)
    for (const [name, value] of during) {
      if (/_(total|count|sum|bucket)\b/.test(name) && !name.includes('ip_pool')) {
        expect(after.get(name), name).to.be.at.least(value)
      }
    }
  })
})
