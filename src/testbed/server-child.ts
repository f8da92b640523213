/** The process that a testbed's server lives in: the proxy, and behind it the library, a host to measure against. */

import { FlowSource } from '../hosts/userspace/flow.ts'
import type { UserspaceHost } from '../hosts/userspace/userspace-host.ts'
import { IpAddress } from '../ip/address.ts'
import { GreedySink } from '../probes/greedy-sink.ts'
import { RequestResponder } from '../probes/request-responder.ts'
import { serveParent } from '../process/serve-parent.ts'
import type { ServerConfigOverrides } from '../server/config.ts'
import type { MasqueServer } from '../server/server.ts'
import { type DownwardFlow, LIBRARY, type ServerOrder, TestbedError } from './orders.ts'
import { loadControl } from './own-controller.ts'
import { startTestProxy } from './proxy-and-client.ts'

let server: MasqueServer | undefined

const orders = {
  async start(order: ServerOrder) {
    const { overrides } = order
    const controls = await Promise.all(order.congestionControls.map(loadControl))
    const [first] = controls
    let connections = 0
    const config: ServerConfigOverrides = {
      hosts: [{ name: LIBRARY.name, ipv4: IpAddress.parse(LIBRARY.ipv4), ipv6: IpAddress.parse(LIBRARY.ipv6) }],
      // The proxy's own pings would be among the packets that are counted, and on a link that loses all of them
      // (an outage) they would end the tunnel.
      tunnel: { linkProbe: 'off', ...overrides.tunnel },
      limits: overrides.limits,
      quic: {
        ...(typeof first === 'string' && { congestionControl: first }),
        maxUdpPayload: order.maxUdpPayload,
        idleTimeoutMs: order.idleTimeoutMs,
        ...overrides.quic,
      },
      api: { enabled: false, ...overrides.api },
      log: { level: 'error', ...overrides.log },
    }
    server = await startTestProxy(order.certificates, config, {
      ...((controls.length > 1 || typeof first === 'function') && {
        congestionControl: () => controls[connections++ % controls.length]!,
      }),
    })
    new GreedySink(library())
    new RequestResponder(library())
    return { ...server.address, apiUrl: server.apiUrl }
  },
  /** `sent`: how many packets the source made, so that losses at the very end count (see FlowSink.lost). */
  sink({ flowId, sent }: { flowId: number; sent: number | undefined }) {
    const sink = library().flowSink(flowId)
    if (sink === undefined)
      throw new TestbedError(`the library has no room for flow ${flowId}: forget another one first`)
    return sink.summary(sent)
  },
  forgetFlow: (flowId: number) => library().forgetFlow(flowId),
  sendFlow,
  status: (_: null) => running().status(),
  /** CPU time of the process since its start in ms, and its resident memory in bytes. */
  resources(_: null) {
    const { user, system } = process.cpuUsage()
    return { cpuMs: (user + system) / 1000, rssBytes: process.memoryUsage.rss() }
  },
}
export type ServerOrders = typeof orders

function running(): MasqueServer {
  if (server === undefined) throw new TestbedError('the server is not running')
  return server
}

function library(): UserspaceHost {
  return running().host(LIBRARY.name) as UserspaceHost
}

/** Paces by due times, not by intervals: a timer that is late sends what is due, so the rate holds on average. */
async function sendFlow(flow: DownwardFlow): Promise<{ sent: number }> {
  const host = library()
  const destination = IpAddress.parse(flow.destination)
  const source = IpAddress.parse(destination.version === 4 ? LIBRARY.ipv4 : LIBRARY.ipv6)
  const packets = new FlowSource({ source, destination, flowId: flow.flowId, packetLength: flow.packetLength })
  const total = Math.floor((flow.durationMs / 1000) * flow.packetsPerSecond)
  const start = host.clock.now()
  while (packets.sent < total && server !== undefined) {
    const due = Math.min(total, Math.floor(((host.clock.now() - start) / 1000) * flow.packetsPerSecond) + 1)
    // A copy: FlowSource hands out the same buffer each time, and the proxy lowers the hop count in place.
    while (packets.sent < due) host.send(packets.next(host.clock.now() * 1000).slice())
    const nextMs = start + (packets.sent / flow.packetsPerSecond) * 1000 - host.clock.now()
    await new Promise(resolve => setTimeout(resolve, Math.max(0, nextMs)))
  }
  return { sent: packets.sent }
}

serveParent(orders, async () => {
  const closing = server?.close()
  server = undefined
  await closing
})
