/**
 * CoDel as RFC 8289 §5 has it, for the checks: the student's queue is compared with it, in virtual time. And CoDel as it is
 * misread: each quirk is one known mistake, so that a check can say which one a wrong queue has.
 */

export interface CoDelOptions {
  targetMs: number
  intervalMs: number
  maxPacketBytes: number
  limitPackets: number
}

export type Operation = { op: 'enqueue'; id: number; bytes: number; nowMs: number } | { op: 'dequeue'; nowMs: number }

export interface Dequeued {
  id: number | undefined
  dropped: number[]
}

export const QUIRKS = {
  'drops-at-once':
    'A burst is dropped from as soon as a packet has waited longer than target. A queue that drains again is good, however high it was: only when every packet for a whole interval has waited longer than target is it bad.',
  'never-below':
    'Once above target, always above target: when a sojourn time is below it, or the queue is empty, the interval has to begin anew. Else a burst pays for the burst before it.',
  'last-packet':
    'The last packet is dropped too. On a slow link one packet alone takes longer than target; a queue of no more than one packet of the largest size is never bad, or such a link would carry nothing.',
  tail: 'CoDel drops at the head: the packet that has waited longest. The sender learns of it sooner, and the packets behind it wait less.',
  linear:
    'The time between drops is interval/√count, not interval/count: the rate of drops goes up little by little, as the throughput of TCP goes down with the square root of its losses.',
  constant:
    'The time between drops stays the same. It is interval/√count: as long as dropping does not help, it gets denser.',
  'from-now':
    'In the dropping state, the next drop is due an interval/√count after this one was due, not after now: a link that serves a packet now and then would drift behind.',
  'one-a-call':
    'When the link stood still, several drops are due at once: while the time of the next one has come, not if it has.',
  'never-leaves': 'The dropping state ends as soon as a packet may not be dropped: the queue is good again.',
  'count-reset':
    'When the queue turns bad again a short time after dropping has stopped, count does not begin with 1 again: it begins with the number of drops that were needed before (count - lastcount).',
  'count-kept':
    'After a long good time (16 intervals and more), count begins with 1 again: what was learnt about the traffic is out of date.',
  'count-total':
    'When the dropping state is entered again, count begins with count - lastcount, the drops of the last time, not with all of them.',
  'at-target':
    'A sojourn time of exactly target is not below it: the queue is bad when no packet has waited **less** than target.',
  'largest-packet-left':
    'A queue of exactly maxPacketBytes holds no more than one packet of the largest size: it is good. Only more than that may be bad.',
  'fixed-times':
    'This is CoDel with 5 ms and 100 ms, whatever the options say. targetMs and intervalMs are options: on a link of another kind they are others.',
  'fixed-size': 'This is CoDel with packets of 1500 bytes, whatever the options say. maxPacketBytes is an option.',
  seconds: 'All times here are in ms, targetMs and intervalMs too: nothing has to be multiplied or divided by 1000.',
  'stays-ready':
    'A drop is due only after an interval above target; the first packet above it starts the interval and is not dropped.',
} as const
export type Quirk = keyof typeof QUIRKS

export class CoDel {
  readonly #options: CoDelOptions
  readonly #quirk: Quirk | undefined
  readonly #packets: { id: number; bytes: number; arrivedMs: number }[] = []
  #bytes = 0
  #firstAboveMs = 0
  #dropping = false
  #dropNextMs = 0
  #count = 0
  #lastCount = 0

  constructor(options: CoDelOptions, quirk?: Quirk) {
    this.#options = quirk === undefined ? options : { ...options, ...otherOptions(options, quirk) }
    this.#quirk = quirk
  }

  enqueue(id: number, bytes: number, nowMs: number): boolean {
    if (this.#packets.length >= this.#options.limitPackets) return false
    this.#packets.push({ id, bytes, arrivedMs: nowMs })
    this.#bytes += bytes
    return true
  }

  dequeue(nowMs: number): Dequeued {
    const dropped: number[] = []
    let next = this.#take(nowMs)
    const drop = (): void => {
      let victim = next.packet!
      if (this.#quirk === 'tail' && this.#packets.length > 0) {
        victim = this.#packets.pop()!
        this.#packets.unshift(next.packet!)
        this.#bytes += next.packet!.bytes - victim.bytes
      }
      dropped.push(victim.id)
    }
    if (this.#dropping) {
      if (!next.mayDrop && this.#quirk !== 'never-leaves') this.#dropping = false
      while (this.#dropping && next.packet && nowMs >= this.#dropNextMs) {
        drop()
        this.#count++
        next = this.#take(nowMs)
        if (next.mayDrop || this.#quirk === 'never-leaves') {
          this.#dropNextMs = this.#after(this.#quirk === 'from-now' ? nowMs : this.#dropNextMs)
        } else this.#dropping = false
        if (this.#quirk === 'one-a-call') break
      }
    } else if (next.mayDrop) {
      drop()
      next = this.#take(nowMs)
      this.#dropping = true
      const { intervalMs } = this.#options
      const recent = this.#quirk === 'count-kept' || nowMs - this.#dropNextMs < 16 * intervalMs
      const before = this.#quirk === 'count-total' ? this.#count : this.#count - this.#lastCount
      this.#count = before > 1 && recent && this.#quirk !== 'count-reset' ? before : 1
      this.#dropNextMs = this.#after(nowMs)
      this.#lastCount = this.#count
    }
    return { id: next.packet?.id, dropped }
  }

  #take(nowMs: number) {
    const packet = this.#packets.shift()
    this.#bytes -= packet?.bytes ?? 0
    const { targetMs, intervalMs, maxPacketBytes } = this.#options
    if (packet === undefined) {
      this.#firstAboveMs = 0
      return { packet, mayDrop: false }
    }
    const sojournMs = nowMs - packet.arrivedMs
    const below = this.#quirk === 'at-target' ? sojournMs <= targetMs : sojournMs < targetMs
    const least = this.#quirk === 'largest-packet-left' ? this.#bytes < maxPacketBytes : this.#bytes <= maxPacketBytes
    const good = below || (least && this.#quirk !== 'last-packet')
    if (good) {
      if (this.#quirk !== 'never-below') this.#firstAboveMs = 0
      return { packet, mayDrop: false }
    }
    if (this.#quirk === 'drops-at-once') return { packet, mayDrop: true }
    if (this.#firstAboveMs === 0) {
      this.#firstAboveMs = nowMs + intervalMs
      return { packet, mayDrop: this.#quirk === 'stays-ready' }
    }
    return { packet, mayDrop: nowMs >= this.#firstAboveMs }
  }

  #after(timeMs: number): number {
    const { intervalMs } = this.#options
    if (this.#quirk === 'constant') return timeMs + intervalMs
    return timeMs + intervalMs / (this.#quirk === 'linear' ? this.#count : Math.sqrt(this.#count))
  }
}

function otherOptions({ targetMs, intervalMs }: CoDelOptions, quirk: Quirk): Partial<CoDelOptions> {
  if (quirk === 'fixed-times') return { targetMs: 5, intervalMs: 100 }
  if (quirk === 'fixed-size') return { maxPacketBytes: 1500 }
  if (quirk === 'seconds') return { targetMs: targetMs / 1000, intervalMs: intervalMs / 1000 }
  return {}
}

/** What each operation returns. */
export function play(queue: CoDel, operations: readonly Operation[]): (boolean | Dequeued)[] {
  return operations.map(one =>
    one.op === 'enqueue' ? queue.enqueue(one.id, one.bytes, one.nowMs) : queue.dequeue(one.nowMs),
  )
}

/**
 * Arrivals, and a link that asks for a packet every `slotMs` (and for nothing between `stall.fromMs` and `stall.toMs`):
 * everything in order of time.
 */
export function script(
  arrivals: readonly { atMs: number; bytes: number }[],
  link: { slotMs: number; untilMs: number; stall?: { fromMs: number; toMs: number } },
): Operation[] {
  const operations: Operation[] = arrivals.map(({ atMs, bytes }, id) => ({ op: 'enqueue', id, bytes, nowMs: atMs }))
  for (let nowMs = link.slotMs; nowMs < link.untilMs; nowMs += link.slotMs) {
    const { stall } = link
    if (!stall || nowMs < stall.fromMs || nowMs >= stall.toMs) operations.push({ op: 'dequeue', nowMs })
  }
  return operations.sort((a, b) => a.nowMs - b.nowMs)
}
