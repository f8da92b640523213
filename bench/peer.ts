/** Entry of a benchmark's child process: does what the order on the command line says. */
import { runCeilingPeer } from './ceiling.ts'
import type { PeerOrder } from './child.ts'

const order = JSON.parse(process.argv[2]) as PeerOrder
if (order.kind === 'ceiling') runCeilingPeer(order)
