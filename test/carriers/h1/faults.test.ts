import { CapsulePackets } from '../../../src/carriers/capsule-packets.ts'
import { H1Carrier } from '../../../src/carriers/h1/carrier.ts'
import { H1ClientConnection } from '../../../src/carriers/h1/client-connection.ts'
import { H1ServerConnection } from '../../../src/carriers/h1/server-connection.ts'
import { H1Transport } from '../../../src/carriers/h1/transport.ts'
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
  H1Carrier,
  H1ClientConnection,
  H1ServerConnection,
  H1Transport,
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
  'H1Transport.guard',
  'TcpConnection.attempt',
  'H1Transport.failRequest',
  'MasqueHandler.onClosed',
  // What whoever starts the proxy waits for.
  'TcpListener.close',
  'TcpListener.local',
])

describeFaults('h1', CLASSES, BOUNDARIES)
