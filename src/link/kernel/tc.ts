/**
 * From a profile to the commands of `tc` that make the Linux kernel's netem do the same. Sans-IO: nothing is run here.
 *
 * One direction is one device, the one through which the router sends that way (src/link/kernel/kernel-topology.ts), with up to
 * three queueing disciplines on it:
 *
 *     root 1:  netem     delay, jitter, loss, duplicates, reordering, corruption
 *        10:   tbf       the bottleneck, when the profile has a rate: a token bucket …
 *          100: pfifo    … and the queue in front of it, in packets (bfifo: in bytes), which drops at its tail
 *
 * A packet waits out its delay in netem first and comes to the bottleneck then; netem's own `limit` is large enough that
 * only the bottleneck's queue drops for lack of room. The names are those of tc-netem(8), tc-tbf(8) and tc-pfifo(8).
 */
import {
  type AddressChange,
  type Attachment,
  DELAY_LIMIT_PACKETS,
  type Direction,
  type Impairment,
  type LossModel,
  type Profile,
  type QueueLimit,
  type Rate,
  type SetPhase,
  type TraceLink,
} from '../profile/profile.ts'
import { impairmentAt, walkTimeline } from '../profile/timeline.ts'
import { traceRate } from '../profile/trace.ts'

/** The arguments of one `tc` command, without `tc` itself. */
export type TcCommand = readonly string[]

/** How finely ramps and traces are followed. The kernel's own `tc` takes a few ms for a command. */
export const KERNEL_RESOLUTION_MS = 100

/** The largest Ethernet frame on a veth of MTU 1500. A token bucket must hold one: tbf drops what does not fit. */
export const FRAME_BYTES = 1514

// --- numbers, as tc reads them -------------------------------------------------------------------------------------------

/** ms → `30ms`, `0.25ms`. To the nanosecond, which is netem's own resolution. */
export function tcTime(ms: number): string {
  return `${decimal(ms, 6)}ms`
}

/** 0…1 → `2%`. tc makes a number of 32 bits of it, so that ten digits are enough. */
export function tcPercent(fraction: number): string {
  return `${decimal(fraction * 100, 8)}%`
}

/** bit/s → `10mbit`, `1500kbit`, `800bit`: whole numbers only. tc's k and m are powers of ten. */
export function tcRate(bitsPerSecond: number): string {
  const bits = Math.max(8, Math.round(bitsPerSecond))
  if (bits % 1_000_000 === 0) return `${bits / 1_000_000}mbit`
  return bits % 1000 === 0 ? `${bits / 1000}kbit` : `${bits}bit`
}

/** bytes → `3000b`: in tc a `b` behind a size is bytes. */
export function tcBytes(bytes: number): string {
  return `${Math.round(bytes)}b`
}

/** Without an exponent, which tc does not read, and without trailing zeros. */
function decimal(value: number, digits: number): string {
  return value
    .toFixed(digits)
    .replace(/(\.\d*?)0+$/, '$1')
    .replace(/\.$/, '')
}

// --- one impairment -------------------------------------------------------------------------------------------------------

/** So high that a packet takes a tenth of a microsecond. */
export const ORDER_KEEPING_RATE = '100gbit'

/**
 * netem's options.
 *
 * `netem change` keeps what is not mentioned (correlations, corruption, rate): with `everything`, also what is zero is mentioned.
 */
export function netemOptions(impairment: Impairment, everything = false): string[] {
  const { duplicate, corrupt } = impairment
  const options = ['limit', String(DELAY_LIMIT_PACKETS), ...delayOptions(impairment, everything)]
  options.push(
    ...lossOptions(impairment.down ? { model: 'random', rate: 1, correlation: 0 } : impairment.loss, everything),
  )
  if (everything || duplicate.rate > 0) options.push('duplicate', ...chance(duplicate, everything))
  if (everything || corrupt.rate > 0) options.push('corrupt', ...chance(corrupt, everything))
  // With a rate, netem lets no packet go before the one that came before it: that is all that this one does.
  if (impairment.keepOrder) options.push('rate', ORDER_KEEPING_RATE)
  else if (everything) options.push('rate', '0bit')
  return options
}

function delayOptions({ delayMs, jitterMs, delayCorrelation, distribution, reorder }: Impairment, everything: boolean) {
  const options: string[] = []
  const reorders = reorder.rate > 0 && reorder.gap > 0
  if (everything || delayMs > 0 || jitterMs > 0 || reorders) {
    // tc refuses a distribution or reordering without a delay: a microsecond is none.
    const needsDelay = reorders || (jitterMs > 0 && distribution !== 'uniform')
    options.push('delay', needsDelay && delayMs === 0 ? '0.001ms' : tcTime(delayMs))
    if (everything || jitterMs > 0) options.push(tcTime(jitterMs))
    if (everything || (jitterMs > 0 && delayCorrelation > 0)) options.push(tcPercent(delayCorrelation))
    // Uniform is what the kernel does without a table; the manual page of iproute2 6.1 says normal.
    if (jitterMs > 0 && distribution !== 'uniform') options.push('distribution', distribution)
  }
  // A gap of 0, which is what the kernel assumes when nothing is said, switches reordering off.
  if (reorders) options.push('reorder', ...chance(reorder, everything), 'gap', String(reorder.gap))
  return options
}

function lossOptions(loss: LossModel, everything: boolean): string[] {
  switch (loss.model) {
    case 'none':
      return everything ? ['loss', 'random', '0%', '0%'] : []
    case 'random':
      return everything || loss.rate > 0 ? ['loss', 'random', ...chance(loss, everything)] : []
    case 'gemodel':
      return ['loss', 'gemodel', ...[loss.p, loss.r, loss.oneMinusH, loss.oneMinusK].map(tcPercent)]
    case 'state':
      return ['loss', 'state', ...[loss.p13, loss.p31, loss.p32, loss.p23, loss.p14].map(tcPercent)]
  }
}

function chance({ rate, correlation }: { rate: number; correlation: number }, everything: boolean): string[] {
  return everything || correlation > 0 ? [tcPercent(rate), tcPercent(correlation)] : [tcPercent(rate)]
}

/** tbf's options. Its own `limit` is that of a queue which our pfifo or bfifo replaces at once. */
function tbfOptions(rate: Rate): string[] {
  const limitBytes = 'bytes' in rate.limit ? rate.limit.bytes : rate.limit.packets * FRAME_BYTES
  return ['rate', tcRate(rate.bitsPerSecond), 'burst', tcBytes(rate.burstBytes), 'limit', tcBytes(limitBytes)]
}

/** The queue in front of the bottleneck; a handle of its own for each kind, because a kind cannot be changed. */
function queueOptions(limit: QueueLimit): string[] {
  return 'packets' in limit
    ? ['handle', '100:', 'pfifo', 'limit', String(limit.packets)]
    : ['handle', '101:', 'bfifo', 'limit', tcBytes(limit.bytes)]
}

/** Takes all our queueing disciplines from a device. */
export function clearCommand(device: string): TcCommand {
  return ['qdisc', 'del', 'dev', device, 'root']
}

/** One device, and what is on it. Gives the commands that lead to the next impairment and keep the packets on the link. */
export class TcDevice {
  readonly device: string
  /** What netem was told last, everything mentioned. */
  #netem: string | undefined
  /** The kernel keeps a distribution's table until netem is removed. */
  #hasTable = false
  #rate: Rate | undefined

  constructor(device: string) {
    this.device = device
  }

  /** The commands from what is there now (at first: nothing of ours) to `impairment`, whose trace, if any, has become a rate. */
  to(impairment: Impairment): TcCommand[] {
    const commands: TcCommand[] = []
    const full = netemOptions(impairment, true)
    const hasTable = full.includes('distribution')
    const loseTable = this.#hasTable && !hasTable && impairment.jitterMs > 0
    if (loseTable) {
      commands.push(clearCommand(this.device))
      this.#netem = this.#rate = undefined
      this.#hasTable = false
    }
    if (this.#netem === undefined)
      commands.push(this.#qdisc('add', ['root', 'handle', '1:', 'netem', ...netemOptions(impairment)]))
    else if (this.#netem !== full.join(' '))
      commands.push(this.#qdisc('change', ['root', 'handle', '1:', 'netem', ...full]))
    this.#netem = full.join(' ')
    this.#hasTable ||= hasTable
    commands.push(...this.#toRate(impairment.rate))
    return commands
  }

  #toRate(rate: Rate | undefined): TcCommand[] {
    const before = this.#rate
    this.#rate = rate
    if (rate === undefined) return before === undefined ? [] : [this.#qdisc('del', ['parent', '1:1', 'handle', '10:'])]
    const commands: TcCommand[] = []
    const bucket = tbfOptions(rate)
    if (before === undefined || tbfOptions(before).join() !== bucket.join()) {
      const verb = before === undefined ? 'add' : 'change'
      commands.push(this.#qdisc(verb, ['parent', '1:1', 'handle', '10:', 'tbf', ...bucket]))
      // tbf hands its own limit on to the queue whenever it is changed: the queue is told its limit again.
      commands.push(this.#qdisc('replace', ['parent', '10:1', ...queueOptions(rate.limit)]))
    }
    return commands
  }

  #qdisc(verb: string, rest: readonly string[]): TcCommand {
    return ['qdisc', verb, 'dev', this.device, ...rest]
  }
}

// --- a timeline -----------------------------------------------------------------------------------------------------------

/** Something to be done to the kernel at one moment of a timeline. `impairment` has no trace. */
export type KernelStep =
  | { kind: 'impairment'; atMs: number; attachment: Attachment; direction: Direction; impairment: Impairment }
  | { kind: 'address-change'; atMs: number; change: AddressChange; to: Attachment }

/**
 * The same timeline that the emulator follows, in steps that the kernel can follow: a trace becomes a rate for each step.
 * Without end when the profile repeats or has a trace: take the steps one by one.
 */
export function* kernelSteps(profile: Profile, resolutionMs = KERNEL_RESOLUTION_MS): Generator<KernelStep, void> {
  const traces = new TraceSteps(resolutionMs)
  for (const step of walkTimeline(profile, resolutionMs)) {
    yield* traces.before(step.atMs)
    if (step.kind === 'address-change') {
      yield step
    } else if (!traces.set(step)) {
      const { rate } = step.impairment
      const brief = rate !== undefined && rateMoves(profile, step)
      yield brief ? { ...step, impairment: { ...step.impairment, rate: briefRate(rate, resolutionMs) } } : step
    }
  }
  yield* traces.before(Number.POSITIVE_INFINITY)
}

/** What a profile begins with, as a profile that stays so: no timeline, and a trace's average rate in place of the trace. */
export function stillProfile(profile: Profile): Profile {
  const begin = (attachment: Attachment, direction: Direction): Impairment => {
    const { trace, ...rest } = impairmentAt(profile, attachment, direction, 0)
    if (trace === undefined) return rest
    const bitsPerSecond = Math.round(traceRate(trace, 0, trace.periodMs))
    return { ...rest, rate: { bitsPerSecond, limit: trace.limit, burstBytes: 2 * FRAME_BYTES } }
  }
  const links = (attachment: Attachment) => ({ up: begin(attachment, 'up'), down: begin(attachment, 'down') })
  return { ...profile, ...links(0), second: profile.second && links(1), timeline: [], repeatMs: undefined }
}

type ImpairmentStep = Extract<KernelStep, { kind: 'impairment' }>

/** The links that follow a trace now, and their next steps. */
class TraceSteps {
  readonly #resolutionMs: number
  readonly #links = new Map<string, ImpairmentStep>()

  constructor(resolutionMs: number) {
    this.#resolutionMs = resolutionMs
  }

  /** True when this direction follows a trace from now on. */
  set(step: ImpairmentStep): boolean {
    const key = `${step.attachment} ${step.direction}`
    if (step.impairment.trace !== undefined) this.#links.set(key, step)
    else this.#links.delete(key)
    return step.impairment.trace !== undefined
  }

  /** All steps before that time, in order. */
  *before(untilMs: number): Generator<KernelStep, void> {
    for (;;) {
      const [key, next] = [...this.#links].reduce<[string?, ImpairmentStep?]>(
        (first, [name, step]) => (first[1] && first[1].atMs <= step.atMs ? first : [name, step]),
        [],
      )
      if (key === undefined || next === undefined || next.atMs >= untilMs) return
      const { trace, ...rest } = next.impairment
      if (trace === undefined) return
      const { rate, endMs } = traceStep(trace, next.atMs, this.#resolutionMs)
      this.#links.set(key, { ...next, atMs: endMs })
      yield { ...next, impairment: { ...rest, rate: briefRate(rate, endMs - next.atMs) } }
    }
  }
}

/** Longest time over which a trace's opportunities are taken together. */
const LONGEST_TRACE_STEP_MS = 10_000

/**
 * The step of a trace that begins at `fromMs`: the mean rate until `endMs`. Neighbours of the same rate are one step, because
 * the kernel is told nothing between them.
 */
function traceStep(trace: TraceLink, fromMs: number, resolutionMs: number): { rate: Rate; endMs: number } {
  let endMs = traceStepEnd(trace, fromMs, resolutionMs)
  const bitsPerSecond = traceRate(trace, fromMs, endMs)
  while (endMs - fromMs < LONGEST_TRACE_STEP_MS) {
    const nextMs = traceStepEnd(trace, endMs, resolutionMs)
    if (traceRate(trace, endMs, nextMs) !== bitsPerSecond) break
    endMs = nextMs
  }
  return { rate: { bitsPerSecond, limit: trace.limit, burstBytes: FRAME_BYTES }, endMs }
}

/**
 * What the kernel makes of a link that follows a trace, as a profile: for `untilMs`, a rate for each step in place of the
 * trace. With it the emulator does the same as the kernel. Takes a link without a timeline of its own.
 */
export function steppedProfile(link: Profile, untilMs: number, resolutionMs = KERNEL_RESOLUTION_MS): Profile {
  const timeline: SetPhase[] = []
  const stepped = (direction: Direction): Impairment => {
    const { trace, ...rest } = link[direction]
    if (trace === undefined) return rest
    for (let atMs = 0; atMs < untilMs; ) {
      const { rate, endMs } = traceStep(trace, atMs, resolutionMs)
      timeline.push({ kind: 'set', atMs, durationMs: endMs - atMs, direction, change: { rate } })
      atMs = endMs
    }
    return { ...rest, rate: traceStep(trace, 0, resolutionMs).rate }
  }
  return { ...link, up: stepped('up'), down: stepped('down'), timeline }
}

/** The step that begins at `fromMs` lasts until it holds two opportunities at least: a rate of zero is none. */
function traceStepEnd(trace: TraceLink, fromMs: number, resolutionMs: number): number {
  let endMs = fromMs + resolutionMs
  const bits = () => (traceRate(trace, fromMs, endMs) * (endMs - fromMs)) / 1000
  while (bits() < 2 * 8 * FRAME_BYTES && endMs - fromMs < LONGEST_TRACE_STEP_MS) endMs += resolutionMs
  return endMs
}

/**
 * tbf fills its bucket up whenever it is changed. For a rate that lasts `durationMs` only, the bucket is one frame, and the
 * rate is lowered by what each change gives away, so that a busy link carries what it should.
 *
 * That is not a whole frame. While packets wait, the bucket goes up from nothing to a frame and down again with each of them: a
 * change finds it half full in the mean, and what was in it is no gift. Nor is what the full bucket cannot take until the
 * queue looks at it again, a sixth of a frame in the mean: a change does not wake it, only a packet or the timer does (and a
 * packet makes it look twice, when it comes and when its delay is over). burst - frame/2 - frame/6 is a third of a frame
 * when the burst is one.
 */
const REFILL_BYTES = FRAME_BYTES - FRAME_BYTES / 2 - FRAME_BYTES / 6

function briefRate(rate: Rate, durationMs: number): Rate {
  const refill = (REFILL_BYTES * 8) / (durationMs / 1000)
  const bitsPerSecond = Math.round(Math.max(rate.bitsPerSecond / 2, rate.bitsPerSecond - refill))
  return { ...rate, bitsPerSecond, burstBytes: FRAME_BYTES }
}

/** Whether a ramp or an oscillation is changing the rate of this direction at that moment. */
function rateMoves(profile: Profile, { atMs, attachment, direction }: ImpairmentStep): boolean {
  const elapsedMs = profile.repeatMs === undefined ? atMs : atMs % profile.repeatMs
  return profile.timeline.some(
    phase =>
      (phase.kind === 'ramp' || phase.kind === 'oscillation') &&
      phase.to.bitsPerSecond !== undefined &&
      (phase.direction === 'both' || phase.direction === direction) &&
      (phase.attachment === undefined || phase.attachment === attachment) &&
      elapsedMs >= phase.atMs &&
      elapsedMs < phase.atMs + phase.durationMs,
  )
}

/** What a profile does that the kernel does in another way, in sentences for the user. */
export function kernelLimits(profile: Profile, resolutionMs = KERNEL_RESOLUTION_MS): string[] {
  const all = [profile.up, profile.down, profile.second?.up, profile.second?.down].filter(each => each !== undefined)
  const changes = profile.timeline.flatMap(phase => (phase.kind === 'set' ? [phase.change] : []))
  const traces = new Set([...all, ...changes].flatMap(each => (each.trace === undefined ? [] : [each.trace.name])))
  const sentences = [...traces].map(
    name =>
      `trace ${name}: the kernel has no trace replay; tbf follows its average rate in steps of ${resolutionMs} ms (longer where fewer than two packets can leave)`,
  )
  if (profile.timeline.some(phase => phase.kind === 'ramp' || phase.kind === 'oscillation')) {
    sentences.push(`ramps and oscillations are followed in steps of ${resolutionMs} ms`)
  }
  if (all.some(each => each.reorder.rate > 0 && (each.rate ?? each.trace) !== undefined)) {
    sentences.push('reordered packets do not wait at the bottleneck: netem sends them past tbf')
  }
  if (profile.timeline.some(phase => phase.kind === 'outage' && phase.only === 'udp')) {
    sentences.push('while UDP is blocked nothing passes, TCP neither: netem does not tell them apart')
  }
  return sentences
}
