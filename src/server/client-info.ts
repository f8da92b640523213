/** A tunnel and its client, as the API shows them. */

import { describeRoute } from '../connect-ip/route-advertisement.ts'
import { formatAddress } from '../net/udp.ts'
import type { QuicConnection } from '../quic/quic.ts'
import type { OpenTunnel } from './masque-handler.ts'
import type { ClientDetails, ClientInfo } from './status.ts'

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

/** `now` as from Date.now(). */
export function clientDetails(tunnel: OpenTunnel, now = Date.now()): ClientDetails {
  const { connection, connectedAt, proxyTunnel } = tunnel
  const paths = connection.quic?.paths().map(({ local, remote, ...path }) => ({
    local: formatAddress(local),
    remote: formatAddress(remote),
    ...path,
  }))
  return {
    ...clientInfo(tunnel),
    uptimeSeconds: Math.max(0, Math.round((now - connectedAt.getTime()) / 1000)),
    dropped: { ...proxyTunnel.tunnel.counters.dropped },
    connection: { id: connection.id, handshakeMs: connection.handshakeMs, resumed: connection.resumed },
    ...(paths !== undefined && { paths }),
  }
}

/** A client that is told to go and stays has no tunnel after this, in ms. */
const CLOSE_MS = 1_000

/** Ends a tunnel in good order; and when the client does not end its half in time, in any case. */
export function closeTunnel({ proxyTunnel: { tunnel } }: OpenTunnel, why: string): void {
  tunnel.end(why)
  setTimeout(() => tunnel.abort('cancelled', why), CLOSE_MS).unref()
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
