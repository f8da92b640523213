// mutant: the first queue is drained before the others; expect: packet from each
/**
 * Task 4: a pump that moves packets from several queues into the tunnel, in turns of bounded length.
 */

export type PumpEvent =
  | { type: 'turn'; queues: number[] }
  | { type: 'packet'; queue: number }
  | { type: 'empty'; queue: number }

export type PumpAction = { type: 'read'; queue: number } | { type: 'yield' } | { type: 'sleep' }

export class Pump {
  readonly #budget: number
  /** Queues that may hold packets. The first is read next; one that gave a packet goes to the end. */
  #ready: number[] = []
  /** Packets of this turn. */
  #taken = 0

  constructor(budget: number) {
    this.#budget = budget
  }

  step(event: PumpEvent): PumpAction {
    switch (event.type) {
      case 'turn':
        this.#taken = 0
        for (const queue of event.queues) if (!this.#ready.includes(queue)) this.#ready.push(queue)
        break
      case 'packet':
        this.#taken++
                break
      case 'empty':
        this.#ready = this.#ready.filter(queue => queue !== event.queue)
        break
    }
    if (this.#ready.length === 0) return { type: 'sleep' }
    if (this.#taken >= this.#budget) return { type: 'yield' }
    return { type: 'read', queue: this.#ready[0] }
  }
}
