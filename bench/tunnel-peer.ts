/** One end of the measured tunnel: the proxy with a host that counts, or the client with a host that sends. */

import { MasqueClient } from '../src/client/client.ts'
import { defaultClientConfig } from '../src/client/config.ts'
import { defaultTemplate } from '../src/connect-ip/uri-template.ts'
import { FlowSource } from '../src/hosts/userspace/flow.ts'
import { IpAddress } from '../src/ip/address.ts'
import { createLogger } from '../src/log/logger.ts'
import { defaultServerConfig } from '../src/server/config.ts'
import { MasqueServer } from '../src/server/server.ts'
import { type PeerOrder, reportEvery } from './child.ts'

/** The host behind the proxy that the packets are for. */
const SINK = IpAddress.parse('10.90.0.1')
const FLOW_ID = 1

export function runTunnelPeer(order: PeerOrder): Promise<void> {
  return order.role === 'receiver' ? runProxy(order) : runClient(order)
}

const quicOptions = (order: PeerOrder) => ({
  congestionControl: order.congestionControl,
  maxUdpPayload: order.maxUdpPayload,
  datagramQueue: order.datagramQueue,
})

async function runProxy(order: PeerOrder): Promise<void> {
  const server = await MasqueServer.start(
    defaultServerConfig({
      tls: { certificate: order.certificates.server, key: order.certificates.serverKey },
      hosts: [{ name: 'sink', ipv4: SINK }],
      api: { enabled: false },
      quic: quicOptions(order),
    }),
    { logger: createLogger({ level: 'error' }) },
  )
  const sink = server.host('sink')?.flowSink(FLOW_ID)
  process.send?.({ type: 'listening', port: server.address.port })
  reportEvery(
    order.reportMs,
    () => ({ sent: 0, received: sink?.received ?? 0 }),
    () => server.close(),
  )
}

async function runClient(order: PeerOrder): Promise<void> {
  const client = new MasqueClient(
    defaultClientConfig({
      proxy: { template: defaultTemplate('localhost', order.port as number) },
      tls: { ca: order.certificates.ca },
      tunnel: { encapsulation: order.encapsulation },
      quic: quicOptions(order),
      reconnect: { enabled: false },
    }),
    { logger: createLogger({ level: 'error' }) },
  )
  const info = await client.connect()
  const source = new FlowSource({
    source: info.assigned.find(prefix => prefix.version === 4)?.address as IpAddress,
    destination: SINK,
    flowId: FLOW_ID,
    packetLength: order.datagramLength,
  })
  let running = true
  const pump = (): void => {
    if (!running) return
    while (client.writable) client.sendPacket(source.next(performance.now() * 1000))
    setImmediate(pump)
  }
  pump()
  reportEvery(
    order.reportMs,
    () => ({ sent: source.sent, received: 0 }),
    () => {
      running = false
      client.close()
    },
  )
}
