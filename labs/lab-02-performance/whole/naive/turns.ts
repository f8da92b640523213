/**
 * The conversation with a student's `Pump`, some steps at a time: this file runs in the sandbox, beside `pump.ts`, and only what comes of it
 * goes through the pipe. One round trip for each packet would make the proxy as slow as the machine is busy. (It lies beside the naive pump, so that
 * the compiler knows one; in the sandbox it lies beside that of the student.)
 */
import { Pump } from './pump.ts'

type PumpEvent =
  | { type: 'turn'; queues: number[] }
  | { type: 'packet'; queue: number }
  | { type: 'empty'; queue: number }

export class Turns {
  readonly #pump: Pump
  /** What the pump is to be told next. */
  #event: PumpEvent | undefined

  constructor(budget: number) {
    this.#pump = new Pump(budget)
  }

  /**
   * Goes on until the turn ends or `packets` packets are read. `named`: where a turn begins, the queues that have become readable. `waiting`: how many
   * packets each queue holds now. Returns the queues that were read, in order, also those that were empty; and what ended the turn,
   * if something did. `steps`: the most that are made without a packet.
   */
  goOn(named: number[] | undefined, waiting: readonly number[], packets: number, steps: number) {
    const left = [...waiting]
    const reads: number[] = []
    if (named !== undefined) this.#event = { type: 'turn', queues: [...named] }
    for (let got = 0, idle = 0; got < packets && idle < steps; idle++) {
      const told = this.#event!
      const action = this.#pump.step(told)
      if (action?.type !== 'read' || !Number.isInteger(action.queue) || left[action.queue] === undefined)
        return { reads, told, action }
      const { queue } = action
      reads.push(queue)
      if (left[queue] > 0) {
        left[queue]--
        got++
        idle = 0
        this.#event = { type: 'packet', queue }
      } else this.#event = { type: 'empty', queue }
    }
    return { reads }
  }
}
