/** The pump of the measurement "before": it reads a queue until nothing is left in it, and then the next one. */
type PumpEvent =
  | { type: 'turn'; queues: number[] }
  | { type: 'packet'; queue: number }
  | { type: 'empty'; queue: number }
type PumpAction = { type: 'read'; queue: number } | { type: 'yield' } | { type: 'sleep' }

export class Pump {
  readonly #ready: number[]

  /** It has no use for a budget. */
  constructor(_budget: number) {
    this.#ready = []
  }

  step(event: PumpEvent): PumpAction {
    if (event.type === 'turn') this.#ready.push(...event.queues.filter(queue => !this.#ready.includes(queue)))
    if (event.type === 'empty') this.#ready.splice(this.#ready.indexOf(event.queue), 1)
    return this.#ready.length === 0 ? { type: 'sleep' } : { type: 'read', queue: this.#ready[0] }
  }
}
