/** One end of the measured tunnel: the proxy with a host that counts, or the client with a host that sends. */

import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { FlowSource } from '../src/hosts/userspace/flow.ts'
import { IpAddress } from '../src/ip/address.ts'
import { IpPrefix } from '../src/ip/prefix.ts'
import { newTestClient, startTestProxy } from '../src/testbed/proxy-and-client.ts'
import type { Peer, PeerOrder } from './child.ts'

/** The host behind the proxy that the packets are for. */
export const SINK = IpAddress.parse('10.90.0.1')
const FLOW_ID = 1
const MAX_CLIENTS = 4096

/** Of a proxy with room for as many clients as anybody wants to start, all of them from one address. */
export const ROOM_FOR_ALL = {
  pool: { ipv4: IpPrefix.parse('10.89.0.0/16'), ipv6: IpPrefix.parse('fd00:89::/64') },
  limits: {
    maxConnections: MAX_CLIENTS,
    maxConnectionsPerAddress: MAX_CLIENTS,
    maxTunnels: MAX_CLIENTS,
    maxTunnelsPerAddress: MAX_CLIENTS,
    // Nobody here forges an address, and a round trip more for each client is not what is measured.
    retry: 'never',
  },
} as const

export function startTunnelPeer(order: PeerOrder): Promise<Peer> {
  return order.role === 'receiver' ? startProxy(order) : startClient(order)
}

const options = ({ kind, congestionControl, maxUdpPayload, datagramQueue }: PeerOrder) => ({
  quic: {
    congestionControl,
    maxUdpPayload,
    datagramQueue,
    ...(kind === 'typescript-tunnel' && { engine: 'typescript' as const }),
    ...(kind === 'quiche-tunnel' && { engine: 'quiche' as const }),
  },
  log: { level: 'error' as const },
})

async function startProxy(order: PeerOrder): Promise<Peer> {
  const hosts = [{ name: 'sink', ipv4: SINK }]
  const server = await startTestProxy(order.certificates, {
    ...options(order),
    hosts,
    ...(order.carrier === 'webtransport' && { webTransport: { packagePort: 0 } }),
    ...ROOM_FOR_ALL,
  })
  const sink = server.host('sink')
  const { port } = server.packageAddress ?? server.address
  return { port, count: () => ({ sent: 0, received: sink?.counters.flowPackets ?? 0 }) }
}

/** By this the client on the npm package for WebTransport knows the proxy. */
function hashOf(certificate: string): string {
  return new X509Certificate(readFileSync(certificate)).fingerprint256.replaceAll(':', '').toLowerCase()
}

async function startClient(order: PeerOrder): Promise<Peer> {
  const port = order.port as number
  const { carrier, encapsulation } = order
  const certificateSha256 = carrier === 'webtransport' ? hashOf(order.certificates.server) : undefined
  const client = newTestClient(
    order.certificates,
    { host: '127.0.0.1', port },
    { ...options(order), tunnel: { carrier, encapsulation, certificateSha256 } },
  )
  const info = await client.connect()
  const source = new FlowSource({
    source: info.assigned.find(prefix => prefix.version === 4)?.address as IpAddress,
    destination: SINK,
    flowId: FLOW_ID,
    packetLength: order.datagramLength,
  })
  const pump = (): void => {
    while (client.writable) client.sendPacket(source.next(performance.now() * 1000))
    setImmediate(pump)
  }
  pump()
  return { port, count: () => ({ sent: source.sent, received: 0 }) }
}
