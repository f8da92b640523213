/** Entry of a benchmark's child process: does what the order on the command line says. */
import { runCeilingPeer } from './ceiling.ts'
import type { PeerOrder } from './child.ts'
import { runTunnelPeer } from './tunnel-peer.ts'

const order = JSON.parse(process.argv[2]) as PeerOrder
if (order.kind === 'ceiling') runCeilingPeer(order)
else await runTunnelPeer(order)
