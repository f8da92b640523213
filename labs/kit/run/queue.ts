/**
 * Checks that measure wait for each other, on one machine over all users: what is measured beside two other measurements is their
 * load. First come, first served, and one place a user: a second check of the same user draws its number when the first is through.
 *
 * It is Lamport's bakery, over files: whoever comes says that he draws a number, looks at the numbers that there are, and takes the
 * next one. It is his turn when fewer than `slots` with a lower number are left. A number that is drawn later is never lower, so the
 * line in front of somebody only grows shorter, and nobody decides for the others.
 */
import { availableParallelism } from 'node:os'
import type { Task } from '../lab/types.ts'
import { type Entry, type Places, QueueError, QueueFolder, STALE_MS } from './queue-folder.ts'

/**
 * No check takes longer, nor may: the longest has four minutes, and half a minute to end. Whoever holds a place in front for longer than that is
 * passed by.
 */
export const MAX_TURN_MS = 270_000
/** Who draws a number and does not take it is waited for no longer. */
const MAX_CHOOSING_MS = 2000
const TOUCH_EVERY_MS = 2000
/** The first in the line looks this often; who is further behind looks more seldom, since sixty that look cost time, too. */
const LOOK_EVERY_MS = 200
const LOOK_AT_LEAST_EVERY_MS = 2000

export interface Place {
  /** 1: the next. 0: still behind another check of the same user. */
  place: number
  /** How many run. */
  running: number
}

export interface QueueOptions {
  signal?: AbortSignal | undefined
  /** Called with every change, and not at all where nobody has to wait. */
  onPlace?: (place: Place) => void
  /** There is no queue here; one sentence says why. The check runs without. */
  onNote?: (note: string) => void
}

export interface CheckQueue {
  /** Waits for one's turn. Returns how to end it. Rejects only when the signal is aborted. */
  enter(options: QueueOptions): Promise<() => void>
}

/** Half of the cores: a check is at least two processes that talk to each other. `$MASQUE_LAB_SLOTS` sets another number. */
export function slotsOf(
  env: Readonly<Record<string, string | undefined>> = process.env,
  cores: number = availableParallelism(),
): number {
  const given = Number(env.MASQUE_LAB_SLOTS)
  if (Number.isInteger(given) && given >= 1 && given <= 1024) return given
  return Math.max(1, Math.floor(cores / 2))
}

export function placeText({ place, running }: Place): string {
  const run = running === 1 ? '1 check runs now' : `${running} checks run now`
  return place === 0 ? `behind another check of yours; ${run}` : `${ordinal(place)} in the queue; ${run}`
}

function ordinal(number: number): string {
  const last = number % 10
  const teen = Math.floor(number / 10) % 10 === 1
  return `${number}${teen || last > 3 || last === 0 ? 'th' : ['st', 'nd', 'rd'][last - 1]}`
}

export interface MachineQueueOptions {
  /** Default: the folder of this machine. */
  open?: () => Places
  slots?: number
  maxTurnMs?: number
  lookEveryMs?: number
  /** Who has not looked for so long goes to the end of the line. */
  staleMs?: number
}

export class MachineQueue implements CheckQueue {
  readonly #options: MachineQueueOptions

  constructor(options: MachineQueueOptions = {}) {
    this.#options = options
  }

  async enter({ signal, onPlace, onNote }: QueueOptions): Promise<() => void> {
    signal?.throwIfAborted()
    if (process.env.MASQUE_LAB_QUEUE === 'off' && this.#options.open === undefined) return () => {}
    const { lookEveryMs = LOOK_EVERY_MS } = this.#options
    let waiting: Waiting | undefined
    try {
      waiting = new Waiting(await this.#open(signal), this.#options)
      let told = ''
      for (let place = waiting.look(); place; place = waiting.look()) {
        if (JSON.stringify(place) !== told) onPlace?.(place)
        told = JSON.stringify(place)
        await sleep(Math.min(LOOK_AT_LEAST_EVERY_MS, lookEveryMs * Math.max(1, place.place)), signal)
      }
      return waiting.leave
    } catch (error) {
      waiting?.leave()
      signal?.throwIfAborted()
      const reason = error instanceof Error ? error.message : String(error)
      onNote?.(`this check does not wait for those of others, which may disturb what it measures: ${reason}`)
      return () => {}
    }
  }

  /** Who makes it needs a moment to open it for all. */
  async #open(signal: AbortSignal | undefined): Promise<Places> {
    const { open = () => new QueueFolder() } = this.#options
    try {
      return open()
    } catch {
      await sleep(LOOK_EVERY_MS, signal)
      return open()
    }
  }
}

/** Runs a check when it is its turn, where it has to wait for one. Rejects like `run`, or when the signal is aborted before. */
export async function inTurn<T>(
  task: Pick<Task, 'measures'>,
  queue: CheckQueue | undefined,
  options: QueueOptions,
  run: () => Promise<T>,
): Promise<T> {
  if (!task.measures || !queue) return await run()
  const leave = await queue.enter(options)
  try {
    return await run()
  } finally {
    leave()
  }
}

/** One check in the line, until it leaves. */
class Waiting {
  readonly #folder: Places
  readonly #slots: number
  readonly #maxTurnMs: number
  readonly #timer: NodeJS.Timeout
  #name: string
  /** Those that drew a number when this one did: theirs may be lower. */
  #choosing: Set<string> | undefined
  #numberedAt = 0
  #lookedAt = performance.now()
  readonly #staleMs: number
  /** Since when each user has been seen in front of this one. */
  readonly #inFront = new Map<number, number>()

  constructor(folder: Places, { slots = slotsOf(), maxTurnMs = MAX_TURN_MS, staleMs = STALE_MS }: MachineQueueOptions) {
    this.#staleMs = staleMs
    this.#folder = folder
    this.#slots = slots
    this.#maxTurnMs = maxTurnMs
    this.#name = folder.add('own', Date.now())
    this.#timer = setInterval(() => folder.touch(this.#name), TOUCH_EVERY_MS).unref()
    // Ctrl-C, and whatever else ends the process in an orderly way.
    process.once('exit', this.leave)
  }

  readonly leave = (): void => {
    if (this.#name === '') return
    clearInterval(this.#timer)
    process.off('exit', this.leave)
    this.#folder.remove(this.#name)
    this.#name = ''
    this.#folder.close()
  }

  /** Undefined: it is this one's turn. */
  look(): Place | undefined {
    const now = performance.now()
    // This process has stood still (Ctrl-Z), and the others have passed it by: the number that it had is no longer its turn.
    if (now - this.#lookedAt > this.#staleMs) this.#name = this.#folder.turn(this.#name, 'own', Date.now())
    this.#lookedAt = now
    this.#folder.touch(this.#name)
    let entries = this.#folder.list()
    let mine = entries.find(({ name }) => name === this.#name)
    if (!mine) throw new QueueError('somebody has taken the place away')
    if (mine.kind === 'own') {
      if (this.#hasOwnBefore(entries, mine)) return { place: 0, running: this.#lineOf(entries).running }
      this.#draw()
      entries = this.#folder.list()
      mine = entries.find(({ name }) => name === this.#name)
      if (!mine) throw new QueueError('somebody has taken the place away')
      // Two of one user have drawn at the same time.
      if (this.#hasOwnBefore(entries, mine)) {
        this.#name = this.#folder.turn(this.#name, 'own', Date.now())
        return { place: 0, running: this.#lineOf(entries).running }
      }
      this.#choosing = new Set(entries.filter(({ kind }) => kind === 'choosing').map(keyOf))
    }
    const { line, running } = this.#lineOf(entries)
    const ahead = line.filter(entry => isBefore(entry, mine)).length
    const place = ahead - this.#slots + 1
    if (place > 0) return { place, running }
    // One that has drawn meanwhile, and has not told its number yet, may still come before this one.
    const open = entries.some(entry => entry.kind === 'choosing' && this.#choosing?.has(keyOf(entry)))
    return open && performance.now() - this.#numberedAt < MAX_CHOOSING_MS ? { place: 1, running } : undefined
  }

  #draw(): void {
    this.#name = this.#folder.turn(this.#name, 'choosing', 0)
    // Behind one's own check somebody may have had several turns; from here on everybody has one at most before this one.
    this.#inFront.clear()
    const numbers = this.#lineOf(this.#folder.list()).line.map(({ number }) => number)
    this.#name = this.#folder.turn(this.#name, 'ticket', Math.min(999_999_999, Math.max(0, ...numbers) + 1))
    this.#numberedAt = performance.now()
  }

  #hasOwnBefore(entries: readonly Entry[], mine: Entry): boolean {
    const order = ['ticket', 'choosing', 'own']
    const rank = ({ kind }: Entry) => order.indexOf(kind)
    return entries.some(
      entry =>
        entry.uid === mine.uid &&
        entry.name !== mine.name &&
        (rank(entry) < rank(mine) || (entry.kind === mine.kind && isBefore(entry, mine))),
    )
  }

  /** Those that count, in their order: one a user, and nobody who has been in front for too long. */
  #lineOf(entries: readonly Entry[]): { line: Entry[]; running: number } {
    const users = new Set<number>()
    const line: Entry[] = []
    const now = performance.now()
    const tickets = entries.filter(({ kind }) => kind === 'ticket').sort((a, b) => (isBefore(a, b) ? -1 : 1))
    for (const entry of tickets) {
      // Known by its user, for whoever cheats can change its number, and have as many processes as he likes.
      const { uid } = entry
      if (users.has(uid) || now - (this.#inFront.get(uid) ?? now) > this.#maxTurnMs) continue
      users.add(uid)
      line.push(entry)
      if (line.length <= this.#slots) this.#inFront.set(uid, this.#inFront.get(uid) ?? now)
    }
    return { line, running: Math.min(this.#slots, line.filter(({ name }) => name !== this.#name).length) }
  }
}

/** The same file, whatever it has been called. */
function keyOf({ name }: Entry): string {
  return name.replace(/^\w+-\d+-/, '')
}

function isBefore(a: Entry, b: Entry): boolean {
  return a.number !== b.number ? a.number < b.number : keyOf(a) < keyOf(b)
}

async function sleep(ms: number, signal: AbortSignal | undefined): Promise<void> {
  signal?.throwIfAborted()
  return new Promise((resolve, reject) => {
    const stop = (): void => {
      clearTimeout(timer)
      reject(signal?.reason)
    }
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', stop)
      resolve()
    }, ms)
    signal?.addEventListener('abort', stop, { once: true })
  })
}
