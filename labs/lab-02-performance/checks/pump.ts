/** Task 4: the pump, in virtual time: seeded arrivals, stated costs, and what comes of them. */
import { fail, resultOf } from '../../kit/check/calls.ts'
import { format } from '../../kit/check/format.ts'
import { Seeded } from '../../kit/check/seeded.ts'
import type { CheckContext, Feedback, Reading } from '../../kit/lab/types.ts'
import type { StudentObject } from '../../kit/student-code/types.ts'
import { type ChartRow, showChart } from '../chart.ts'
import { turnsPicture } from '../picture.ts'

const FILE = 'pump.ts'
const READ: Reading[] = [
  'labs/lab-02-performance/README.md, "Why pumps work in turns"',
  'epoll(7), "Level-triggered and edge-triggered"',
  'src/quic/connection.ts, how many packets a turn may send',
]

// Cases ---------------------------------------------------------------------------------------------------------------

interface Scenario {
  title: string
  budget: number
  /** By queue: when packets arrive, in µs. */
  arrivals: readonly (readonly number[])[]
  /** Nothing of these queues may be lost; default all. */
  lossless?: readonly number[]
  /** No packet of these queues waits longer than that, in µs. */
  wait?: { queues: readonly number[]; limit: number; because: string }
  /** Turns, for each packet. */
  mostTurns?: number
  /** Queues that never run empty share evenly: each gets at least this part of its even share. */
  leastShare?: number
}

function scenarios(random: Seeded): Scenario[] {
  const every = (us: number, from: number, to: number) =>
    Array.from({ length: Math.floor((to - from) / us) }, (_, i) => from + i * us)
  const irregular = (mean: number, until: number) => {
    const times: number[] = []
    for (let at = random.int(0, mean); at < until; at += random.int(1, 2 * mean)) times.push(at)
    return times
  }
  const burst = (count: number, at: number) => Array.from({ length: count }, () => at)
  const turn = (budget: number) => budget * PACKET + OTHERS + 2 * WAKE_UP
  const late =
    'A packet is read in the turn after its arrival, or, when there is more than a budget, soon after: each queue in its turn.'
  return [
    { title: 'one packet', budget: 16, arrivals: [[10]], mostTurns: 1 },
    { title: 'two packets, far apart', budget: 16, arrivals: [[10, 5000]], mostTurns: 1 },
    {
      title: 'a burst of 60 packets in one queue',
      budget: 16,
      arrivals: [burst(60, 100)],
      mostTurns: 5 / 60,
    },
    {
      title: 'five queues with one packet, one with more, and a budget of four',
      budget: 4,
      arrivals: [...Array.from({ length: 5 }, () => burst(1, 100)), burst(11, 100)],
      mostTurns: 5 / 16,
    },
    {
      title: 'four queues with irregular traffic',
      budget: 16,
      arrivals: random.list(4, () => irregular(110, 6000)),
      mostTurns: 0.6,
      wait: { queues: [0, 1, 2, 3], limit: 2 * turn(16), because: late },
    },
    {
      title: 'a queue that is never empty, and three quiet ones',
      budget: 16,
      arrivals: [every(8, 0, 3500), ...random.list(3, () => irregular(500, 3500))],
      lossless: [1, 2, 3],
      mostTurns: 0.1,
      wait: {
        queues: [1, 2, 3],
        limit: 2 * turn(16),
        because:
          'Who reads one queue until it is empty never comes to the others when one is never empty. Take turns: a packet from each.',
      },
    },
    {
      title: 'six queues that are never empty, and a budget of four',
      budget: 4,
      arrivals: random.list(6, () => every(random.int(15, 30), 0, 4000)),
      lossless: [],
      mostTurns: 0.3,
      leastShare: 0.8,
    },
    {
      title: 'bursts in all queues, with pauses',
      budget: random.int(6, 10),
      arrivals: random.list(5, queue => [
        ...burst(random.int(5, 14), 100 + queue),
        ...burst(random.int(5, 14), 4000 - queue),
        9000,
      ]),
      mostTurns: 0.35,
    },
  ]
}

// Reference -----------------------------------------------------------------------------------------------------------

/** What things cost, in µs of virtual time. */
const WAKE_UP = 60
const PACKET = 12
const EMPTY_READ = 4
/** The others' turn of the event loop. */
const OTHERS = 40
/** Packets that one queue holds; what comes on top is lost, as in a network device. */
const CAPACITY = 64

interface QueueState {
  /** Arrived and not read. */
  waiting: number[]
  next: number
  /** Found empty by the pump, and not named since. */
  drained: boolean
  /** A packet has come since: to be named at the next turn. */
  edge: boolean
  read: number
  lost: number
  longestWait: number
}

// Judgement -----------------------------------------------------------------------------------------------------------

export async function check(context: CheckContext): Promise<Feedback> {
  const random = new Seeded(context.seed, 'pump')
  const all = scenarios(random)
  let packets = 0
  let turns = 0
  for (const [index, scenario] of all.entries()) {
    context.progress(index, all.length, scenario.title)
    const result = await context.do(scenario.title, () => new Simulation(context, scenario).run())
    packets += result.packets
    turns += result.turns
  }
  context.progress(all.length, all.length, 'scenarios in virtual time')
  return {
    passed: true,
    expected: 'all packets, in few turns of bounded length, and no queue that waits for another',
    found: `${packets} packets in ${turns} turns, ${(packets / turns).toFixed(1)} a turn; nothing lost, nothing stuck, nobody starved`,
    read: READ,
  }
}

class Simulation {
  readonly #scenario: Scenario
  readonly #context: CheckContext
  readonly #queues: QueueState[]
  #pump!: StudentObject
  #now = 0
  #turns = 0
  #packetsOfTurn = 0
  #longestTurn = 0
  #emptyReads = 0
  #emptyReadsOfTurn = 0
  readonly #log: string[] = []
  /** For the picture: what each turn did. */
  readonly #done: string[][] = []
  #failed = false

  constructor(context: CheckContext, scenario: Scenario) {
    this.#context = context
    this.#scenario = scenario
    this.#queues = scenario.arrivals.map(() => ({
      waiting: [],
      next: 0,
      drained: true,
      edge: false,
      read: 0,
      lost: 0,
      longestWait: 0,
    }))
  }

  async run(): Promise<{ packets: number; turns: number }> {
    this.#pump = await this.#context.student.create(FILE, 'Pump', this.#scenario.budget)
    try {
      await this.#converse()
      this.#judge()
    } finally {
      this.#show()
    }
    return { packets: this.#packets, turns: this.#turns }
  }

  get #packets(): number {
    return this.#queues.reduce((sum, queue) => sum + queue.read, 0)
  }

  async #converse(): Promise<void> {
    let event = this.#sleep()
    while (event !== undefined) {
      const action = await this.#step(event)
      if (action?.type === 'read') event = this.#read(action.queue)
      else if (action?.type === 'yield') event = this.#yield()
      else if (action?.type === 'sleep') event = this.#sleep()
      else
        this.#wrong("step() to return { type: 'read', queue }, { type: 'yield' } or { type: 'sleep' }", format(action))
    }
  }

  async #step(event: object): Promise<{ type?: unknown; queue?: unknown } | undefined> {
    const [outcome] = await this.#pump.batch('step', [[event]])
    const action = resultOf(outcome, `step(${format(event)}) to say what to do`, READ) as { type?: unknown } | undefined
    this.#log.push(`${format(event)} → ${format(action)}`)
    if (this.#log.length > 4) this.#log.shift()
    return action
  }

  #read(number: unknown): object {
    const queue = this.#queues[number as number]
    if (queue === undefined)
      return this.#wrong(`a queue from 0 to ${this.#queues.length - 1}`, `queue ${format(number)}`)
    const { budget } = this.#scenario
    this.#pass(0)
    const arrived = queue.waiting.shift()
    if (arrived === undefined) {
      if (queue.drained && !queue.edge) this.#emptyReads++
      queue.drained = true
      this.#done.at(-1)?.push('.')
      this.#emptyReadsOfTurn++
      this.#pass(EMPTY_READ)
      if (this.#emptyReads > 3) {
        this.#wrong(
          'no reads of queues that were found empty',
          `${this.#emptyReads} such reads`,
          'A queue that was found empty is named again when there is something in it. To ask it before costs time, and brings nothing.',
        )
      }
      return { type: 'empty', queue: number }
    }
    // Read although nobody has named it: luck. The edge is used up with it.
    if (queue.drained) {
      queue.drained = false
      queue.edge = false
    }
    queue.read++
    this.#done.at(-1)?.push(String(number))
    queue.longestWait = Math.max(queue.longestWait, this.#now - arrived)
    this.#packetsOfTurn++
    this.#longestTurn = Math.max(this.#longestTurn, this.#packetsOfTurn)
    if (this.#packetsOfTurn > budget) {
      this.#wrong(
        `at most ${budget} packets in one turn`,
        `packet number ${this.#packetsOfTurn} of a turn`,
        'The budget is for the whole turn, all queues together. Whoever takes more lets timers and acknowledgements wait.',
      )
    }
    this.#pass(PACKET)
    return { type: 'packet', queue: number }
  }

  #yield(): object {
    this.#done.at(-1)?.push(' yield')
    const { budget } = this.#scenario
    const named = this.#queues.some(queue => !queue.drained)
    const holding = this.#queues.findIndex(queue => !queue.drained && queue.waiting.length > 0)
    if (holding >= 0 && this.#packetsOfTurn < budget) {
      this.#wrong(
        `no yield before ${budget} packets of a turn, while there is something in queue ${holding}`,
        `yield after ${this.#packetsOfTurn} packets and ${this.#emptyReadsOfTurn} reads that said empty`,
        this.#packetsOfTurn === 0
          ? 'The budget is for one turn: with each new turn the count begins at 0 again.'
          : this.#packetsOfTurn + this.#emptyReadsOfTurn === budget
            ? 'The budget is one of packets. A read that says empty has given none.'
            : 'A turn ends when nothing is left, or when the budget is used up, and not before: each turn costs as much as several packets.',
      )
    }
    if (!named) {
      this.#wrong(
        'to sleep when all queues were found empty',
        'one turn after the other in which nothing is read',
        'A pump that does not sleep keeps the processor busy with nothing.',
      )
    }
    this.#pass(OTHERS)
    return this.#turn()
  }

  #sleep(): object | undefined {
    this.#done.at(-1)?.push(' sleep')
    const forgotten = this.#queues.findIndex(queue => !queue.drained)
    if (forgotten >= 0) {
      this.#wrong(
        `not to sleep before queue ${forgotten} was found empty`,
        `sleep, with ${this.#queues[forgotten].waiting.length} packets in it`,
        'A queue is named once. What is left in it when the pump goes to sleep stays there: nothing wakes the pump for it again.',
      )
    }
    this.#pass(0)
    if (!this.#queues.some(queue => queue.edge)) {
      const next = this.#queues.map((queue, i) => this.#scenario.arrivals[i][queue.next] ?? Infinity)
      const at = Math.min(...next)
      if (at === Infinity) return undefined
      this.#now = at
      this.#pass(0)
    }
    this.#pass(WAKE_UP)
    return this.#turn()
  }

  #turn(): object {
    this.#turns++
    this.#done.push([])
    this.#packetsOfTurn = 0
    this.#emptyReadsOfTurn = 0
    const queues = this.#queues.flatMap((queue, number) => (queue.edge ? [number] : []))
    for (const number of queues) {
      this.#queues[number].edge = false
      this.#queues[number].drained = false
    }
    return { type: 'turn', queues }
  }

  /** Time passes, and packets arrive meanwhile. */
  #pass(us: number): void {
    this.#now += us
    this.#queues.forEach((queue, number) => {
      const arrivals = this.#scenario.arrivals[number]
      for (; arrivals[queue.next] <= this.#now; queue.next++) {
        if (queue.waiting.length >= CAPACITY) queue.lost++
        else queue.waiting.push(arrivals[queue.next])
        if (queue.drained) queue.edge = true
      }
    })
  }

  #judge(): void {
    const { lossless, wait, mostTurns, leastShare, arrivals } = this.#scenario
    for (const number of lossless ?? arrivals.keys()) {
      if (this.#queues[number].lost > 0) {
        this.#wrong(
          'no packet lost that a pump could have read in time',
          `${this.#queues[number].lost} lost, because queue ${number} was full`,
          wait?.because ?? 'A wake-up for each packet costs five times as much as the packet: take what is there.',
        )
      }
    }
    for (const number of wait?.queues ?? []) {
      const longest = this.#queues[number].longestWait
      if (longest > wait!.limit) {
        this.#wrong(
          `no packet of queue ${number} to wait longer than ${wait!.limit} µs`,
          `${longest} µs`,
          wait!.because,
        )
      }
    }
    if (leastShare !== undefined) {
      const share = Math.min(...this.#queues.map(queue => queue.read)) / (this.#packets / this.#queues.length)
      if (share < leastShare) {
        this.#wrong(
          `each queue to get at least ${leastShare * 100} % of an even share`,
          `packets by queue: ${this.#queues.map(queue => queue.read).join(', ')}`,
          'The next turn goes on where the last one stopped. When each turn begins with the same queue, the budget never reaches the last ones.',
        )
      }
    }
    const turns = this.#turns / this.#packets
    if (mostTurns !== undefined && turns > mostTurns + 1e-9) {
      this.#wrong(
        `at most ${(mostTurns * 100).toFixed(0)} turns for 100 packets`,
        `${this.#turns} turns for ${this.#packets} packets`,
        'A turn ends when nothing is left, or when the budget is used up, and not before: each turn costs as much as several packets.',
      )
    }
  }

  #wrong(expected: string, found: string, misconception?: string): never {
    this.#failed = true
    fail({
      expected: `${this.#scenario.title}: ${expected}`,
      found: `${found} (${this.#log.slice(-2).join('; ')})`,
      misconception,
      read: READ,
    })
  }

  #show(): void {
    const { title, budget, mostTurns, wait } = this.#scenario
    const row = (label: string, limit: number | undefined, measured: number): ChartRow => ({
      label,
      measured,
      ...(limit === undefined ? {} : { predicted: limit, good: measured <= limit + 1e-9 }),
    })
    const waits = this.#queues.map(queue => queue.longestWait)
    showChart(this.#context, {
      title: `Pump: ${title}`,
      unit: '',
      columns: ['limit', 'yours'],
      ownScales: true,
      rows: [
        row('packets in a turn', budget, this.#longestTurn),
        row(
          'turns for 100 packets',
          mostTurns === undefined ? undefined : 100 * mostTurns,
          (100 * this.#turns) / Math.max(1, this.#packets),
        ),
        ...waits.map((longest, number) =>
          row(`longest wait, queue ${number}, µs`, wait?.queues.includes(number) ? wait.limit : undefined, longest),
        ),
      ],
    })
    if (this.#failed) showChart(this.#context, turnsPicture(`The turns: ${title}`, this.#done, true))
  }
}
