/** One end of the measured tunnel: the proxy with a host that counts, or the client with a host that sends. */

import { FlowSource } from '../src/hosts/userspace/flow.ts'
import { IpAddress } from '../src/ip/address.ts'
import { newTestClient, startTestProxy } from '../src/testbed/proxy-and-client.ts'
import type { Peer, PeerOrder } from './child.ts'

/** The host behind the proxy that the packets are for. */
const SINK = IpAddress.parse('10.90.0.1')
const FLOW_ID = 1

export function startTunnelPeer(order: PeerOrder): Promise<Peer> {
  return order.role === 'receiver' ? startProxy(order) : startClient(order)
}

const options = ({ congestionControl, maxUdpPayload, datagramQueue }: PeerOrder) => ({
  quic: { congestionControl, maxUdpPayload, datagramQueue },
  log: { level: 'error' as const },
})

async function startProxy(order: PeerOrder): Promise<Peer> {
  const hosts = [{ name: 'sink', ipv4: SINK }]
  const server = await startTestProxy(order.certificates, { ...options(order), hosts })
  const sink = server.host('sink')?.flowSink(FLOW_ID)
  return { port: server.address.port, count: () => ({ sent: 0, received: sink?.received ?? 0 }) }
}

async function startClient(order: PeerOrder): Promise<Peer> {
  const port = order.port as number
  const { encapsulation } = order
  const client = newTestClient(
    order.certificates,
    { host: '127.0.0.1', port },
    { ...options(order), tunnel: { encapsulation } },
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
