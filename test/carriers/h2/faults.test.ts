import { CapsulePackets } from '../../../src/carriers/capsule-packets.ts'
import { H2Carrier } from '../../../src/carriers/h2/carrier.ts'
import { H2ClientConnection } from '../../../src/carriers/h2/client-connection.ts'
import { H2ServerConnection } from '../../../src/carriers/h2/server-connection.ts'
import { H2Transport } from '../../../src/carriers/h2/transport.ts'
import { TcpConnection } from '../../../src/carriers/tcp/connection.ts'
import { TcpListener } from '../../../src/carriers/tcp/listener.ts'
import { StreamCarrier } from '../../../src/carriers/tcp/stream-carrier.ts'
import { Tunnel } from '../../../src/carriers/tunnel.ts'
import { ConnectIpSession } from '../../../src/connect-ip/session.ts'
import { MasqueHandler } from '../../../src/server/masque-handler.ts'
import { ProxyTunnel } from '../../../src/server/proxy-tunnel.ts'
import { describeFaults } from '../../support/carrier-faults.ts'

const CLASSES = {
  CapsulePackets,
  H2Carrier,
  H2ClientConnection,
  H2ServerConnection,
  H2Transport,
  StreamCarrier,
  TcpConnection,
  TcpListener,
  Tunnel,
  ConnectIpSession,
  MasqueHandler,
  ProxyTunnel,
}

/** What catches faults, and tells of an end, cannot be what throws them. */
const BOUNDARIES = new Set([
  'H2Transport.guard',
  'TcpConnection.attempt',
  'H2Transport.failStream',
  'TcpConnection.heard',
  'MasqueHandler.onClosed',
  // What whoever starts the proxy waits for.
  'TcpListener.close',
  'TcpListener.local',
])

describeFaults('h2', CLASSES, BOUNDARIES)
