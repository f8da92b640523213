/**
 * Task 4: a pump that moves packets from several queues into the tunnel, in turns of bounded length.
 *
 * Each queue is something that packets are read from without waiting: a TUN device, a socket. One read gives one packet, or says
 * that there is none (EAGAIN). When a queue has become readable, the event loop begins a turn of the pump. What the pump does is
 * a conversation: it is told what happened, and answers with what to do next.
 *
 *   told                                  answers
 *   { type: 'turn', queues: [0, 2] }      { type: 'read', queue: 0 }
 *   { type: 'packet', queue: 0 }          { type: 'read', queue: 2 }
 *   { type: 'packet', queue: 2 }          { type: 'read', queue: 0 }
 *   { type: 'empty', queue: 0 }           { type: 'read', queue: 2 }
 *   { type: 'empty', queue: 2 }           { type: 'sleep' }
 */

export type PumpEvent =
  /** A turn begins: the first one after `sleep`, or the next one after `yield`. `queues`: those that have become readable. */
  | { type: 'turn'; queues: number[] }
  /** The read gave a packet. It is on its way into the tunnel. */
  | { type: 'packet'; queue: number }
  /** The read gave nothing. */
  | { type: 'empty'; queue: number }

export type PumpAction =
  | { type: 'read'; queue: number }
  /** End the turn, because others are waiting (timers, acknowledgements, other clients), and begin the next right after them. */
  | { type: 'yield' }
  /** End the turn until a queue becomes readable. */
  | { type: 'sleep' }

/**
 * What a wake-up costs: 60 µs. What one more packet costs, once awake: 12 µs. So take what is there. But whoever takes all that
 * is there, however much it is, lets everything else wait for as long.
 *
 * - At most `budget` packets in one turn, from all queues together; then `yield`. Not earlier while there is something to read.
 * - A queue is named in `queues` when a packet arrives in it for the first time since it was found empty, **and not again**
 *   (edge-triggered, as with EPOLLET). It may hold packets until a read says `empty`. Who sleeps before that may sleep for ever.
 * - A queue that was found empty is not read until it is named again.
 * - No queue waits because another one is never empty: they take turns. Also when there are more queues than the budget.
 */
export class Pump {
  constructor(budget: number) {
    throw new Error('TODO: Pump')
  }

  step(event: PumpEvent): PumpAction {
    throw new Error('TODO: step')
  }
}
