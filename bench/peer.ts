/** A benchmark's child process: one end of what is measured, and its counters. */
import { serveParent } from '../src/process/serve-parent.ts'
import { startCeilingPeer } from './ceiling.ts'
import type { Peer, PeerOrder } from './child.ts'
import { heldBytes } from './held-bytes.ts'
import { startTunnelPeer } from './tunnel-peer.ts'

let peer: Peer | undefined

const orders = {
  /** The port on which the receiver listens. */
  async start(order: PeerOrder): Promise<number> {
    peer = await (order.kind.endsWith('tunnel') ? startTunnelPeer(order) : startCeilingPeer(order))
    return peer.port
  },
  held: heldBytes,
  counters() {
    const cpu = process.cpuUsage()
    return {
      atMs: performance.now(),
      ...(peer?.count() ?? { sent: 0, received: 0 }),
      cpuUs: cpu.user + cpu.system,
      rssBytes: process.memoryUsage.rss(),
    }
  },
}
export type PeerOrders = typeof orders
/** Counters since the child began. */
export type PeerReport = ReturnType<PeerOrders['counters']>

serveParent(orders)
