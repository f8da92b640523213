/**
 * The process that a testbed's server lives in: the proxy, and behind it the library, a host to measure against.
 *
 * It does what its parent asks, and ends with it: when the parent dies, however it dies, the IPC channel closes.
 */

import { FlowSource } from '../hosts/userspace/flow.ts'
import type { UserspaceHost } from '../hosts/userspace/userspace-host.ts'
import { IpAddress } from '../ip/address.ts'
import { createLogger } from '../log/logger.ts'
import { GreedySink } from '../measure/greedy-sink.ts'
import { RequestResponder } from '../measure/request-responder.ts'
import { defaultServerConfig } from '../server/config.ts'
import { MasqueServer } from '../server/server.ts'
import {
  type Answer,
  type DownwardFlow,
  LIBRARY,
  type Request,
  type RequestName,
  type ServerRequests,
} from './orders.ts'

let server: MasqueServer | undefined

type Handlers = {
  [N in RequestName]: (
    given: ServerRequests[N]['arguments'],
  ) => ServerRequests[N]['result'] | Promise<ServerRequests[N]['result']>
}

const handlers: Handlers = {
  async start(order) {
    const { overrides } = order
    const config = defaultServerConfig({
      tls: { certificate: order.certificate, key: order.key },
      hosts: [{ name: LIBRARY.name, ipv4: IpAddress.parse(LIBRARY.ipv4), ipv6: IpAddress.parse(LIBRARY.ipv6) }],
      // The proxy's own pings would be among the packets that are counted, and on a link that loses all of them
      // (an outage) they would end the tunnel.
      tunnel: { linkProbe: 'off', ...overrides.tunnel },
      limits: overrides.limits,
      quic: {
        congestionControl: order.congestionControl,
        maxUdpPayload: order.maxUdpPayload,
        idleTimeoutMs: order.idleTimeoutMs,
        ...overrides.quic,
      },
      api: { enabled: false, ...overrides.api },
      log: { level: 'error', ...overrides.log },
    })
    server = await MasqueServer.start(config, { logger: createLogger({ level: config.log.level }) })
    new GreedySink(library())
    new RequestResponder(library())
    return { ...server.address, apiUrl: server.apiUrl }
  },
  sink({ flowId, sent }) {
    const sink = library().flowSink(flowId)
    if (sink === undefined) throw new Error(`the library has no room for flow ${flowId}: forget another one first`)
    return sink.summary(sent)
  },
  forgetFlow({ flowId }) {
    library().forgetFlow(flowId)
    return null
  },
  sendFlow: sendFlow,
  status: () => running().status(),
  clients: () => running().clients(),
  metrics: () => running().metrics.text(),
  resources() {
    const { user, system } = process.cpuUsage()
    return { cpuMs: (user + system) / 1000, rssBytes: process.memoryUsage.rss() }
  },
  async close() {
    await server?.close()
    server = undefined
    return null
  },
}

function running(): MasqueServer {
  if (server === undefined) throw new Error('the server is not running')
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

async function answer(request: Request): Promise<void> {
  let reply: Answer
  try {
    const handle = handlers[request.name] as (given: unknown) => unknown
    reply = { id: request.id, result: await handle(request.arguments) }
  } catch (error) {
    reply = { id: request.id, error: (error as Error).message }
  }
  const sent = (): void => {
    if (request.name === 'close') process.exit(0)
  }
  if (process.connected) process.send?.(reply, undefined, undefined, sent)
}

process.on('message', message => void answer(message as Request))
process.on('disconnect', () => process.exit(0))
// Ctrl-C and the closing of a terminal reach every process of its group, and so does what a supervisor sends. It is for the parent to
// say what ends, and in which order.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => {})
// Ready.
process.send?.({ id: 0, result: null } satisfies Answer)
