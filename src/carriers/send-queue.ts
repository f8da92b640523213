/**
 * The send queue of a tunnel by its name in the configuration: the disciplines are in queue/, one file each. Another one gets its name in `SEND_QUEUES`
 * (config/sections.ts) and its line here.
 */

import { randomInt } from 'node:crypto'
import type { SendQueueName } from '../config/sections.ts'
import { Codel } from '../queue/codel.ts'
import type { QueueDiscipline, QueueDropReason } from '../queue/discipline.ts'
import { FLOW_PRIME, newFlowSecret } from '../queue/flow-hash.ts'
import { FqCodel } from '../queue/fq-codel.ts'

/** Makes the queue of one tunnel. */
export type NewQueue = (onDrop: (reason: QueueDropReason) => void) => QueueDiscipline

/** Nobody outside of this process knows which flows share a queue. */
const FLOW_SECRET = newFlowSecret(() => randomInt(FLOW_PRIME))

/** undefined: packets go straight to QUIC, whose own queue is first in, first out (`quic.datagram_queue`). */
export function sendQueue(name: SendQueueName): NewQueue | undefined {
  switch (name) {
    case 'fifo':
      return undefined
    case 'codel':
      return onDrop => new Codel({ onDrop })
    case 'fq-codel':
      return onDrop => new FqCodel({ onDrop, secret: FLOW_SECRET })
  }
}
