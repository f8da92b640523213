import { DecodeError } from '../bytes/errors.ts'
import type { UdpBinding, UdpDatagram } from '../hosts/userspace/udp-ports.ts'
import type { UserspaceHost } from '../hosts/userspace/userspace-host.ts'
import type { IpAddress } from '../ip/address.ts'
import { type Summary, summarise } from '../stats/statistics.ts'
import { ClockWatch } from './clock-watch.ts'
import { AimdWindow, RttEstimator } from './congestion-window.ts'
import { decodeGreedyAck, type GreedyAck, SHORTEST_GREEDY_DATA, writeGreedyData } from './greedy-packets.ts'
import { GREEDY_PORT } from './greedy-sink.ts'
import { lossOf, type ProbeOutcome, type ProbeReport, sleep, sourceFor } from './report.ts'
import { ThinnedSamples } from './thinned-samples.ts'

export interface GreedyFlowOptions {
  host: UserspaceHost
  /** A host with a GreedySink (greedy-sink.ts). */
  destination: IpAddress
  /** Default 5002. */
  destinationPort?: number
  /** Whole IP packets, in bytes; default 1200. */
  packetLength?: number
  durationMs: number
  /** Any number that no other greedy flow to the destination uses at the time. */
  flowId: number
  /** One sample of the time series every so many ms; default 100. Longer when there would be more than 10 000. */
  sampleMs?: number
  /** Packets that may be under way at first; default 10. */
  initialWindow?: number
  /** Packets that may be under way at all; default 4096, at most 16384. */
  maxWindow?: number
  /** How many packets later ones must overtake a packet for it to count as lost; default 3, as in TCP. */
  reorderThreshold?: number
  /** Ends the flow when nothing was acknowledged for so long; default 30 000 ms. */
  giveUpAfterMs?: number
  signal?: AbortSignal
  /** With each sample. */
  onProgress?: (sample: GreedySample) => void
  /** Makes the token that acknowledgements must show; default random. */
  random?: { float(): number }
}

/** What happened in one stretch of time. */
export interface GreedySample {
  /** Its end, from the beginning of the flow. */
  atMs: number
  durationMs: number
  /** UDP payload acknowledged, bit/s. */
  goodputBitsPerSecond: number
  /** At the end of the stretch. */
  cwndPackets: number
  /** Infinity until the first loss. */
  ssthreshPackets: number
  inFlightPackets: number
  /** Undefined when nothing was acknowledged. */
  rttMs: { min: number; mean: number; max: number } | undefined
  /** Mean one-way delay to the sink; one machine's clock only. */
  oneWayDelayMs: number | undefined
  /** Less those that were taken for lost before and arrived after all; so it may be negative. */
  lost: number
  timeouts: number
  /** The clock jumped meanwhile. */
  suspect: boolean
}

export interface GreedyFlowResult extends ProbeReport {
  probe: 'greedy-flow'
  /** UDP payload acknowledged, bit/s, from the beginning to the last acknowledgement. */
  goodputBitsPerSecond: number
  payloadBytes: number
  rttMs: Summary | undefined
  oneWayDelayMs: Summary | undefined
  /** How often the window was halved, and how often it fell to 1. */
  lossEvents: number
  timeouts: number
  /** Packets that were taken for lost and arrived after all; they count as received. */
  spuriousLosses: number
  /** Acknowledgements that made no sense, were of another flow, or forged. */
  badAcks: number
  samples: GreedySample[]
  /** With outcome 'refused': what the ICMP error said. */
  error: string | undefined
}

const LARGEST_WINDOW = 16_384
const MAXIMUM_SAMPLES = 10_000
/** After so many packets in one turn the event loop gets one. */
const PACKETS_A_TURN = 64

/**
 * Sends as much as the path takes, as TCP would: slow start, then additive increase, halved on loss (AimdWindow). So it fills
 * the queue of the bottleneck, and the time series shows what that does to the round-trip time.
 *
 * What differs from TCP: nothing is retransmitted, because only whether packets arrive is of interest; and every packet
 * is acknowledged at once.
 */
export function runGreedyFlow(options: GreedyFlowOptions): Promise<GreedyFlowResult> {
  return new GreedySource(options).run()
}

/** What is known of a packet; the rings below have one for each of the last packets. */
const IN_FLIGHT = 0
const ACKED = 1
const LOST = 2

class GreedySource {
  readonly #options: GreedyFlowOptions
  readonly #host: UserspaceHost
  readonly #payload: Uint8Array
  readonly #token: number
  readonly #window: AimdWindow
  readonly #rtt = new RttEstimator()
  readonly #watch: ClockWatch
  readonly #startedMs: number
  readonly #reorderThreshold: number
  #binding: UdpBinding | undefined
  #source: IpAddress

  // Packets by sequence number modulo the ring's length. All before #oldest are acknowledged or lost.
  readonly #ring: number
  readonly #sentMs: Float64Array
  readonly #state: Uint8Array
  #next = 0
  #oldest = 0
  #inFlight = 0
  #highestAcked = -1
  /** Losses of packets before this one belong to a loss event that the window has answered already. */
  #recoverUntil = 0

  #delivered = 0
  #lost = 0
  #lossEvents = 0
  #timeouts = 0
  #spurious = 0
  #badAcks = 0
  #suspect = 0
  #error: string | undefined
  #lastAckMs: number
  /** When the retransmission timer was last set back: at an acknowledgement, or when the first packet went out. */
  #timerFromMs: number
  #rtoTimer: unknown
  #pumpTimer: unknown
  #isPumping = false
  readonly #stop = new AbortController()
  #outcome: ProbeOutcome = 'complete'

  readonly #rtts = new ThinnedSamples()
  readonly #delays = new ThinnedSamples()
  readonly #samples: GreedySample[] = []
  #bin: Bin

  constructor(options: GreedyFlowOptions) {
    const { host, destination, packetLength = 1200, durationMs, maxWindow = 4096 } = options
    const headers = destination.version === 4 ? 28 : 48
    const shortest = headers + SHORTEST_GREEDY_DATA
    if (!(Number.isInteger(packetLength) && packetLength >= shortest && packetLength <= 65535)) {
      throw new RangeError(`greedy flow's packets of ${packetLength} bytes; expected ${shortest} to 65535`)
    }
    if (!(durationMs > 0 && Number.isFinite(durationMs))) {
      throw new RangeError(`greedy flow for ${durationMs} ms; expected more than 0`)
    }
    if (!(Number.isInteger(maxWindow) && maxWindow >= 1 && maxWindow <= LARGEST_WINDOW)) {
      throw new RangeError(`greedy flow's window of ${maxWindow} packets; expected 1 to ${LARGEST_WINDOW}`)
    }
    this.#options = options
    this.#host = host
    this.#source = sourceFor(host, destination)
    this.#payload = new Uint8Array(packetLength - headers)
    this.#token = Math.floor((options.random?.float() ?? Math.random()) * 2 ** 32)
    this.#window = new AimdWindow({ initial: options.initialWindow, max: maxWindow })
    this.#reorderThreshold = options.reorderThreshold ?? 3
    // Twice the window: packets that were taken for lost are remembered for a while, should they arrive after all.
    this.#ring = 2 * maxWindow + 64
    this.#sentMs = new Float64Array(this.#ring)
    this.#state = new Uint8Array(this.#ring)
    this.#watch = new ClockWatch(host.clock)
    this.#startedMs = this.#lastAckMs = this.#timerFromMs = host.clock.now()
    this.#bin = emptyBin(this.#startedMs)
  }

  async run(): Promise<GreedyFlowResult> {
    const { signal, durationMs, destination } = this.#options
    const { clock } = this.#host
    const onAbort = () => this.#end('aborted')
    if (signal?.aborted) onAbort()
    signal?.addEventListener('abort', onAbort)
    const sampleMs = Math.max(this.#options.sampleMs ?? 100, durationMs / MAXIMUM_SAMPLES)
    try {
      this.#binding = this.#host.udp.bind(
        0,
        datagram => this.#receive(datagram),
        (report, about) => {
          if (!about.equals(destination)) return
          this.#error = `${report.text}, says ${report.from}`
          if (report.kind === 'destination-unreachable' || report.kind === 'packet-too-big') this.#end('refused')
        },
      )
      this.#armTimer()
      this.#pump()
      // One turn a sample. The end moves with the clock when that jumps.
      const endMs = () => this.#startedMs + durationMs + this.#watch.shiftMs
      while (!this.#stop.signal.aborted) {
        // The next whole multiple: a turn that comes late makes one sample longer, and not several of no length.
        const elapsedMs = clock.now() - this.#startedMs - this.#watch.shiftMs
        const nextMs = (Math.floor(elapsedMs / sampleMs + 1e-6) + 1) * sampleMs - elapsedMs
        await sleep(clock, Math.min(nextMs, endMs() - clock.now()), this.#stop.signal)
        this.#watch.look()
        this.#sample()
        if (clock.now() >= endMs()) break
      }
      this.#stop.abort()
      // What is under way gets the time to arrive; what does not is neither received nor lost.
      if (this.#outcome === 'complete') await this.#drain()
    } finally {
      this.#stop.abort()
      this.#watch.stop()
      this.#binding?.close()
      clock.clearTimeout(this.#rtoTimer)
      clock.clearTimeout(this.#pumpTimer)
      signal?.removeEventListener('abort', onAbort)
    }
    return this.#result()
  }

  #end(outcome: ProbeOutcome): void {
    if (this.#stop.signal.aborted) return
    this.#outcome = outcome
    this.#stop.abort()
  }

  async #drain(): Promise<void> {
    const { clock } = this.#host
    const until = clock.now() + this.#rtt.rtoMs
    const { signal } = this.#options
    while (this.#inFlight > 0 && clock.now() < until && !signal?.aborted) await sleep(clock, 10, signal)
  }

  /** Sends what the window allows. */
  #pump(): void {
    // Over a link in memory the acknowledgement comes while the packet is still being sent.
    if (this.#isPumping || this.#stop.signal.aborted) return
    this.#isPumping = true
    let left = PACKETS_A_TURN
    while (this.#mayAnotherGo() && left-- > 0) this.#sendOne()
    this.#isPumping = false
    if (left < 0 && this.#mayAnotherGo()) {
      this.#host.clock.clearTimeout(this.#pumpTimer)
      this.#pumpTimer = this.#host.clock.setTimeout(() => this.#pump(), 0)
    }
  }

  #mayAnotherGo(): boolean {
    const isRoom = this.#next - this.#oldest < this.#ring && this.#next < 2 ** 32
    return this.#inFlight < Math.max(1, Math.floor(this.#window.cwnd)) && isRoom && !this.#stop.signal.aborted
  }

  #sendOne(): void {
    const { destination, destinationPort = GREEDY_PORT, flowId } = this.#options
    const nowMs = this.#host.clock.now()
    const sequence = this.#next++
    this.#sentMs[sequence % this.#ring] = nowMs
    this.#state[sequence % this.#ring] = IN_FLIGHT
    if (this.#inFlight++ === 0) this.#timerFromMs = nowMs
    writeGreedyData({ flowId: flowId >>> 0, token: this.#token, sequence, sentUs: nowMs * 1000 }, this.#payload)
    const addressing = { source: this.#source, sourcePort: this.#binding!.port, destination, destinationPort }
    // Nothing is wrong with the addresses (sourceFor), so only a closed host says no.
    if (!this.#host.udp.send(addressing, this.#payload)) this.#end('closed')
  }

  #receive({ source, sourcePort, payload }: UdpDatagram): void {
    const { destination, destinationPort = GREEDY_PORT, flowId } = this.#options
    let ack: GreedyAck
    try {
      ack = decodeGreedyAck(payload)
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error
      this.#badAcks++
      return
    }
    const isOurs = source.equals(destination) && sourcePort === destinationPort
    if (!isOurs || ack.flowId !== flowId >>> 0 || ack.token !== this.#token || ack.highest >= this.#next) {
      this.#badAcks++
      return
    }
    this.#acknowledge(ack)
    this.#pump()
  }

  #acknowledge(ack: GreedyAck): void {
    const nowMs = this.#host.clock.now()
    this.#watch.look()
    this.#lastAckMs = this.#timerFromMs = nowMs
    const { sequence, highest, before } = ack
    // A time is only to be had from the first acknowledgement of a packet, sent for that packet.
    if (this.#isUndecided(sequence)) this.#measure(this.#sentMs[sequence % this.#ring], nowMs, ack.delayUs / 1000)
    let acked = this.#deliver(sequence) + this.#deliver(highest)
    for (let i = 0; i < 64 && highest - 1 - i >= 0; i++) {
      if ((before[i >>> 5] & (1 << (i & 31))) !== 0) acked += this.#deliver(highest - 1 - i)
    }
    if (highest > this.#highestAcked) this.#highestAcked = highest
    // While a loss event is being answered the window does not grow.
    if (this.#highestAcked >= this.#recoverUntil) this.#window.onAcked(acked)
    this.#detectLosses()
  }

  #isUndecided(sequence: number): boolean {
    return sequence >= this.#oldest && sequence < this.#next && this.#state[sequence % this.#ring] === IN_FLIGHT
  }

  /** A packet has arrived. Returns 1 when that is news about a packet in flight, else 0. */
  #deliver(sequence: number): 0 | 1 {
    if (sequence < 0 || sequence >= this.#next || sequence < this.#next - this.#ring) return 0
    const at = sequence % this.#ring
    if (this.#state[at] === ACKED) return 0
    if (this.#state[at] === LOST) {
      this.#spurious++
      this.#lost--
      this.#bin.lost--
    } else {
      this.#inFlight--
    }
    const isNews = this.#state[at] === IN_FLIGHT
    this.#state[at] = ACKED
    this.#delivered++
    this.#bin.delivered++
    return isNews ? 1 : 0
  }

  #measure(sentMs: number, nowMs: number, delayMs: number): void {
    if (this.#watch.jumps.length > 0 && this.#watch.isSuspect(sentMs, nowMs)) {
      this.#suspect++
      return
    }
    const rttMs = nowMs - sentMs
    this.#rtt.sample(rttMs)
    this.#rtts.add(rttMs)
    this.#delays.add(delayMs)
    const bin = this.#bin
    bin.rtts++
    bin.rttSum += rttMs
    bin.rttMin = Math.min(bin.rttMin, rttMs)
    bin.rttMax = Math.max(bin.rttMax, rttMs)
    bin.delaySum += delayMs
  }

  /** A packet that `reorderThreshold` later ones have overtaken is lost. */
  #detectLosses(): void {
    const limit = this.#highestAcked - this.#reorderThreshold
    for (; this.#oldest < this.#next; this.#oldest++) {
      const isUndecided = this.#state[this.#oldest % this.#ring] === IN_FLIGHT
      if (isUndecided && this.#oldest > limit) break
      if (isUndecided) this.#lose(this.#oldest)
    }
  }

  #lose(sequence: number): void {
    this.#state[sequence % this.#ring] = LOST
    this.#inFlight--
    this.#lost++
    this.#bin.lost++
    if (sequence < this.#recoverUntil) return
    this.#recoverUntil = this.#next
    this.#lossEvents++
    this.#window.onLoss()
  }

  /** One timer, set anew only when it runs out: setting it back with each acknowledgement would cost more than the packet. */
  #armTimer(): void {
    const { clock } = this.#host
    const leftMs = Math.max(1, this.#timerFromMs + this.#rtt.rtoMs - clock.now())
    this.#rtoTimer = clock.setTimeout(() => {
      if (this.#stop.signal.aborted) return
      this.#watch.look()
      const nowMs = clock.now()
      const { giveUpAfterMs = 30_000 } = this.#options
      if (nowMs - this.#lastAckMs >= giveUpAfterMs) return this.#end('silent')
      if (this.#inFlight > 0 && nowMs >= this.#timerFromMs + this.#rtt.rtoMs) this.#onTimeout(nowMs)
      this.#armTimer()
    }, leftMs)
  }

  #onTimeout(nowMs: number): void {
    this.#timeouts++
    this.#bin.timeouts++
    this.#recoverUntil = this.#next
    for (; this.#oldest < this.#next; this.#oldest++) {
      if (this.#state[this.#oldest % this.#ring] === IN_FLIGHT) this.#lose(this.#oldest)
    }
    this.#window.onTimeout()
    this.#rtt.backOff()
    this.#timerFromMs = nowMs
    this.#pump()
  }

  #sample(): void {
    const nowMs = this.#host.clock.now()
    const { sinceMs, delivered, rtts, rttSum, rttMin, rttMax, delaySum, lost, timeouts } = this.#bin
    const durationMs = nowMs - sinceMs
    this.#bin = emptyBin(nowMs)
    if (durationMs <= 0) return
    const sample: GreedySample = {
      atMs: nowMs - this.#startedMs,
      durationMs,
      goodputBitsPerSecond: (delivered * this.#payload.length * 8000) / durationMs,
      cwndPackets: this.#window.cwnd,
      ssthreshPackets: this.#window.ssthresh,
      inFlightPackets: this.#inFlight,
      rttMs: rtts === 0 ? undefined : { min: rttMin, mean: rttSum / rtts, max: rttMax },
      oneWayDelayMs: rtts === 0 ? undefined : delaySum / rtts,
      lost,
      timeouts,
      suspect: this.#watch.isSuspect(sinceMs, nowMs),
    }
    this.#samples.push(sample)
    this.#options.onProgress?.(sample)
  }

  #result(): GreedyFlowResult {
    const sent = this.#delivered + this.#lost
    const payloadBytes = this.#delivered * this.#payload.length
    const activeMs = this.#lastAckMs - this.#startedMs
    return {
      probe: 'greedy-flow',
      outcome: this.#outcome,
      startedMs: this.#startedMs,
      durationMs: this.#host.clock.now() - this.#startedMs,
      sent,
      received: this.#delivered,
      ...lossOf(sent, this.#delivered),
      clockJumps: this.#watch.jumps,
      suspect: this.#suspect,
      goodputBitsPerSecond: activeMs > 0 ? (payloadBytes * 8000) / activeMs : 0,
      payloadBytes,
      rttMs: summarise(this.#rtts.values),
      oneWayDelayMs: summarise(this.#delays.values),
      lossEvents: this.#lossEvents,
      timeouts: this.#timeouts,
      spuriousLosses: this.#spurious,
      badAcks: this.#badAcks,
      samples: this.#samples,
      error: this.#error,
    }
  }
}

/** What adds up until the next sample. */
interface Bin {
  sinceMs: number
  delivered: number
  rtts: number
  rttSum: number
  rttMin: number
  rttMax: number
  delaySum: number
  lost: number
  timeouts: number
}

function emptyBin(sinceMs: number): Bin {
  return {
    sinceMs,
    delivered: 0,
    rtts: 0,
    rttSum: 0,
    rttMin: Infinity,
    rttMax: -Infinity,
    delaySum: 0,
    lost: 0,
    timeouts: 0,
  }
}
