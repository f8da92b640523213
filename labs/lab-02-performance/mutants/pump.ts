/** Wrong solutions of `pump`. */
import { mutants } from '../../kit/grading/mutants.ts'

export default mutants('pump.ts', {
  'always-from-the-first': {
    misconception: 'each turn begins with the lowest queue',
    says: 'goes on where the last one stopped',
    edits: [
      [
        "if (this.#ready.length === 0) return { type: 'sleep' }",
        `if (event.type === 'turn') this.#ready.sort((a, b) => a - b)
        if (this.#ready.length === 0) return { type: 'sleep' }`,
      ],
    ],
  },
  'asks-everybody': {
    misconception: 'reads all queues it has ever seen',
    says: 'is named again when',
    edits: [
      [
        'constructor(budget: number) {',
        `readonly #seen = new Set<number>()
        #asked = 0
        constructor(budget: number) {`,
      ],
      [
        'this.#ready = this.#ready.filter(queue => queue !== event.queue)',
        `this.#ready = this.#ready.filter(queue => queue !== event.queue)
        this.#seen.add(event.queue)
        if (this.#ready.length === 0 && this.#seen.size > this.#asked++ % 3) return { type: 'read', queue: event.queue }`,
      ],
    ],
  },
  'budget-for-each-queue': {
    misconception: 'each queue has a budget of its own',
    says: 'whole turn, all queues together',
    edits: [['this.#taken >= this.#budget', 'this.#taken >= this.#budget * this.#ready.length']],
  },
  'budget-for-ever': {
    misconception: 'the count of packets is never begun again',
    says: 'with each new turn',
    edits: [['this.#taken = 0', 'this.#taken += 0']],
  },
  'empty-reads-count': {
    misconception: 'a read that says empty counts against the budget',
    says: 'budget is one of packets',
    edits: [
      [
        `case 'empty':`,
        `case 'empty':
        this.#taken++`,
      ],
    ],
  },
  'first-queue-first': {
    misconception: 'the first queue is drained before the others',
    says: 'packet from each',
    edits: [['this.#ready = [...this.#ready.filter(queue => queue !== event.queue), event.queue]', '']],
  },
  'forgets-what-was-left': {
    misconception: 'a new turn knows only the queues that are named',
    says: 'nothing wakes the pump',
    edits: [
      [
        'for (const queue of event.queues) if (!this.#ready.includes(queue)) this.#ready.push(queue)',
        'this.#ready = [...event.queues]',
      ],
    ],
  },
  'never-sleeps': {
    misconception: 'yields when there is nothing to do',
    says: 'keeps the processor busy',
    edits: [["return { type: 'sleep' }", "return { type: 'yield' }"]],
  },
  'no-budget': {
    misconception: 'drains everything before it lets others go on',
    says: 'whole turn, all queues together',
    edits: [["if (this.#taken >= this.#budget) return { type: 'yield' }", '']],
  },
  'one-more-than-the-budget': {
    misconception: 'the packet after the last one is still taken',
    says: 'whole turn, all queues together',
    edits: [['this.#taken >= this.#budget', 'this.#taken > this.#budget']],
  },
  'one-per-wake-up': {
    misconception: 'reads one packet and goes to sleep',
    says: 'nothing wakes the pump',
    edits: [["(this.#taken >= this.#budget) return { type: 'yield' }", "(this.#taken >= 1) return { type: 'sleep' }"]],
  },
  'sleeps-when-the-budget-is-used-up': {
    misconception: 'sleep instead of yield',
    says: 'nothing wakes the pump',
    edits: [["return { type: 'yield' }", "return { type: 'sleep' }"]],
  },
  'yields-after-each-packet': {
    misconception: 'every packet has a turn of its own',
    says: 'A turn ends when nothing is left',
    edits: [['this.#taken >= this.#budget', 'this.#taken >= 1']],
  },
})
