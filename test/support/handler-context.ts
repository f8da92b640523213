import { policyRoutes } from '../../src/connect-ip/routes.ts'
import { DEFAULT_PATH_TEMPLATE, parsePathTemplate } from '../../src/connect-ip/uri-template.ts'
import { UserspaceHost } from '../../src/hosts/userspace/userspace-host.ts'
import { AddressPool } from '../../src/ip/address-pool.ts'
import { IpPrefix } from '../../src/ip/prefix.ts'
import { ComponentLogs } from '../../src/log/component-logs.ts'
import { LogBudget } from '../../src/log/log-budget.ts'
import { createLogger } from '../../src/log/logger.ts'
import { AddressMemory } from '../../src/server/address-memory.ts'
import { newBudgets } from '../../src/server/budgets.ts'
import { KeptLeases } from '../../src/server/kept-leases.ts'
import type { HandlerContext, OpenTunnel } from '../../src/server/masque-handler.ts'
import { PacketProcessor } from '../../src/server/packet-processor.ts'

/** What handlers take from a proxy that serves everybody, and what they have told it. */
export function newHandlerContext(changes: Partial<HandlerContext> = {}) {
  const internalErrors: string[] = []
  const rejected: string[] = []
  const pools = { 4: new AddressPool(IpPrefix.parse('10.89.0.0/24')) }
  const gateway = { v4: pools[4].gateway }
  const tunnels = new Map<string, OpenTunnel>()
  const budgets = newBudgets(10)
  const processor = new PacketProcessor({ gateway, clientToClient: false, now: () => 0 })
  processor.attachHost(new UserspaceHost({ addresses: [gateway.v4], verifyFlowChecksums: false }), true)
  const context: HandlerContext = {
    logBudget: new LogBudget(new ComponentLogs(createLogger({ level: 'silent' }))),
    template: parsePathTemplate(DEFAULT_PATH_TEMPLATE),
    proxyName: 'proxy.example',
    servesAuthority: () => true,
    encapsulations: ['datagram', 'single-stream', 'stream-per-packet'],
    pools,
    addressMemory: new AddressMemory(),
    keptLeases: new KeptLeases({ graceMs: 60_000, release: address => pools[4].release(address) }),
    budgets,
    routes: policyRoutes([{ prefix: IpPrefix.parse('0.0.0.0/0'), protocol: 0 }]),
    gateway,
    processor,
    clientRoutes: [],
    dns: [],
    nat64Prefixes: [],
    linkProbe: 'off',
    maxAddressesPerFamily: 4,
    tunnelTimeoutMs: 10_000,
    maxTunnels: 10,
    maxTunnelsPerAddress: 10,
    maxTunnelsPerConnection: 10,
    tunnels,
    draining: false,
    authorise: () => ({ allowed: true, identity: undefined, maxTunnels: 10 }),
    resolve: async () => [],
    tunnelsOf: () => 0,
    tunnelOpened: tunnel => tunnels.set(tunnel.id, tunnel),
    tunnelClosed: tunnel => tunnels.delete(tunnel.id),
    connected: () => {},
    moved: () => {},
    rejected: (_connection, reason) => rejected.push(reason),
    connectionClosed: () => {},
    internalError: error => internalErrors.push((error as Error).message),
    ...changes,
  }
  return { context, pools, tunnels, budgets, internalErrors, rejected }
}
