/** A tunnel and its client, as the API shows them. */

import { describeRoute } from '../connect-ip/route-advertisement.ts'
import type { QuicConnection } from '../quic/quic.ts'
import type { OpenTunnel } from './masque-handler.ts'
import type { ClientInfo } from './status.ts'

export function clientInfo({ id, proxyTunnel, identity, connectedAt, connection, handler }: OpenTunnel): ClientInfo {
  const { counters, carrier, fec } = proxyTunnel.tunnel
  const { quic, remote } = connection
  return {
    id,
    identity,
    carrier: connection.version,
    remote: `${remote.host}:${remote.port}`,
    moves: handler.moves.count,
    ...(handler.moves.lastAt && { lastMovedAt: handler.moves.lastAt.toISOString() }),
    connectedAt: connectedAt.toISOString(),
    addresses: proxyTunnel.addresses.map(String),
    routes: proxyTunnel.advertised.map(describeRoute),
    networks: proxyTunnel.networks.map(String),
    encapsulation: carrier.encapsulation,
    mtu: proxyTunnel.tunnel.mtu,
    linkProbe: proxyTunnel.linkProbe,
    packets: {
      sent: counters.packetsSent,
      received: counters.packetsReceived,
      answered: counters.answered,
      dropped: Object.values(counters.dropped).reduce((sum, count) => sum + count, 0),
    },
    bytes: { sent: counters.bytesSent, received: counters.bytesReceived },
    ...(fec !== undefined && { fec }),
    ...(carrier.backlog !== undefined && { backlog: carrier.backlog }),
    ...(quic !== undefined && { quic: quicInfo(quic) }),
  }
}

function quicInfo(quic: QuicConnection): NonNullable<ClientInfo['quic']> {
  const stats = quic.stats()
  const path = quic.paths().find(candidate => candidate.active)
  return {
    rttMs: path?.rttMs ?? 0,
    cwnd: path?.cwnd ?? 0,
    lost: stats.packetsLost,
    sent: stats.packetsSent,
    received: stats.packetsReceived,
    streamsOpened: stats.streamsOpened,
    datagramsDropped: stats.datagramsDropped,
  }
}
