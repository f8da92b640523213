/**
 * BBR, version 1 (draft-cardwell-iccrg-bbr-congestion-control-00): models the path by its two limits, how much it delivers and how short its round
 * trip is, and keeps as much in flight as fits into that. Loss is no sign to it, nor would a mark be.
 *
 *    startup ── rate grows no more ──> drain ── queue is empty ──> probe bandwidth ──┐
 *    × 2.89 per round                 ÷ 2.89                        ↑      │         │ 1.25 · 0.75 · 1 · 1 · 1 · 1 · 1 · 1
 *                                                                   │      │         │ of the bottleneck's rate, a phase a round trip
 *                                                                   │      ↓         │
 *                                                               probe RTT: 4 packets in flight for 200 ms, every 10 s
 *
 *   rate of sending = pacing gain × bottleneck bandwidth          window = window gain × bottleneck bandwidth × shortest RTT
 */
import type { DeliveryRateSample } from '../delivery-rate.ts'
import type { Rtt } from '../rtt.ts'
import type { SentPacket } from '../sent-packet.ts'
import type { CongestionController, ControllerOptions } from './controller.ts'
import { initialWindow } from './window-bounds.ts'
import { WindowedMaximum } from './windowed-maximum.ts'

/** 2/ln 2: the smallest gain with which the rate of sending can double each round. */
const HIGH_GAIN = 2 / Math.LN2
const CYCLE = [1.25, 0.75, 1, 1, 1, 1, 1, 1] as const
const CRUISE_GAIN = 1
/** One BDP is on its way, another one for ACKs that are late or come together. */
const WINDOW_GAIN = 2

/** The pipe is full when the rate did not grow by a quarter in three rounds. */
const FULL_GROWTH = 1.25
const FULL_ROUNDS = 3

const BANDWIDTH_ROUNDS = 10
const MIN_RTT_VALID_MS = 10_000
const PROBE_RTT_MS = 200
const PROBE_RTT_PACKETS = 4

type State = 'startup' | 'drain' | 'probe-bandwidth' | 'probe-rtt'

export class Bbr implements CongestionController {
  readonly name = 'bbr'
  window: number
  readonly slowStartThreshold = Number.POSITIVE_INFINITY
  readonly ignoresMarks = true
  state: State = 'startup'
  readonly #rtt: Rtt
  readonly #random: () => number
  #datagramSize: number
  /** In bytes per ms. */
  readonly #bandwidth = new WindowedMaximum(BANDWIDTH_ROUNDS)
  #minRtt = Number.POSITIVE_INFINITY
  #minRttAt = 0
  #pacingGain = HIGH_GAIN
  #windowGain = HIGH_GAIN
  #round = 0
  /** A packet that was sent when so much was delivered begins the next round. */
  #roundEnd = 0
  #isRoundStart = false
  #isPipeFull = false
  #fullBandwidth = 0
  #fullRounds = 0
  #phase = 0
  #phaseAt = 0
  #probeRttUntil: number | undefined
  #isProbeRttRound = false
  #windowBefore = 0
  /** Nothing was in flight: what the first packets measure is not how the path is when it is used. */
  #isRestarting = false

  constructor({ datagramSize, rtt, random }: ControllerOptions) {
    this.#datagramSize = datagramSize
    this.#rtt = rtt
    this.#random = random
    this.window = initialWindow(datagramSize)
  }

  get pacingRate(): number | undefined {
    const bandwidth = this.#bandwidth.value
    if (bandwidth > 0) return this.#pacingGain * bandwidth
    // Nothing was measured yet but, perhaps, the round trip.
    return this.#rtt.hasSample ? (HIGH_GAIN * this.window) / Math.max(this.#rtt.smoothed, 1) : undefined
  }

  onSent(packet: SentPacket, inFlight: number): void {
    if (inFlight === packet.bytes && this.state === 'probe-bandwidth') {
      this.#isRestarting = true
      this.#pacingGain = CRUISE_GAIN
    }
  }

  onAcked(): void {}

  onCongestion(): void {}

  onPersistentCongestion(): void {
    this.window = PROBE_RTT_PACKETS * this.#datagramSize
  }

  onDatagramSize(bytes: number): void {
    this.#datagramSize = bytes
    this.window = Math.max(this.window, PROBE_RTT_PACKETS * bytes)
  }

  onAckDone(sample: DeliveryRateSample, inFlight: number, now: number): void {
    this.#countRounds(sample)
    const { rate, isAppLimited } = sample
    if (rate > 0 && (!isAppLimited || rate >= this.#bandwidth.value)) this.#bandwidth.add(rate, this.#round)
    if (this.state === 'probe-bandwidth') this.#cycle(sample, inFlight, now)
    this.#lookWhetherFull(sample)
    if (this.state === 'startup' && this.#isPipeFull) this.#drain()
    if (this.state === 'drain' && inFlight <= this.#bdp(1)) this.#probeBandwidth(now)
    this.#updateMinRtt(sample, inFlight, now)
    this.#setWindow(sample)
  }

  #countRounds({ priorDelivered, delivered, rttMs }: DeliveryRateSample): void {
    this.#isRoundStart = rttMs > 0 && priorDelivered >= this.#roundEnd
    if (!this.#isRoundStart) return
    this.#roundEnd = delivered
    this.#round++
  }

  // -- startup and drain

  #lookWhetherFull({ isAppLimited }: DeliveryRateSample): void {
    if (this.#isPipeFull || !this.#isRoundStart || isAppLimited) return
    if (this.#bandwidth.value >= this.#fullBandwidth * FULL_GROWTH) {
      this.#fullBandwidth = this.#bandwidth.value
      this.#fullRounds = 0
      return
    }
    this.#isPipeFull = ++this.#fullRounds >= FULL_ROUNDS
  }

  #drain(): void {
    this.state = 'drain'
    this.#pacingGain = 1 / HIGH_GAIN
    this.#windowGain = HIGH_GAIN
  }

  // -- probe bandwidth

  /** In any phase but the one that drains, so that flows which begin together do not probe together. */
  #probeBandwidth(now: number): void {
    this.state = 'probe-bandwidth'
    this.#windowGain = WINDOW_GAIN
    const random = Math.floor(this.#random() * (CYCLE.length - 1))
    this.#setPhase(random === 0 ? 0 : random + 1, now)
  }

  #cycle({ lost }: DeliveryRateSample, inFlight: number, now: number): void {
    const isPhaseOver = now - this.#phaseAt > this.#minRtt
    const gain = CYCLE[this.#phase]
    let isOver = isPhaseOver
    // What was asked for is in flight, or does not fit.
    if (gain > 1) isOver = isPhaseOver && (lost > 0 || inFlight >= this.#bdp(gain))
    // The queue is empty again.
    else if (gain < 1) isOver = isPhaseOver || inFlight <= this.#bdp(1)
    if (isOver) this.#setPhase((this.#phase + 1) % CYCLE.length, now)
  }

  #setPhase(phase: number, now: number): void {
    this.#phase = phase
    this.#phaseAt = now
    this.#pacingGain = CYCLE[phase]
  }

  // -- probe RTT

  #updateMinRtt({ rttMs, delivered }: DeliveryRateSample, inFlight: number, now: number): void {
    const isExpired = this.#minRtt !== Number.POSITIVE_INFINITY && now - this.#minRttAt > MIN_RTT_VALID_MS
    if (rttMs > 0 && (rttMs <= this.#minRtt || isExpired)) {
      this.#minRtt = rttMs
      this.#minRttAt = now
    }
    if (isExpired && !this.#isRestarting && this.state !== 'probe-rtt') {
      this.state = 'probe-rtt'
      this.#pacingGain = 1
      this.#windowGain = 1
      this.#windowBefore = this.window
      this.#probeRttUntil = undefined
    }
    this.#isRestarting = false
    if (this.state === 'probe-rtt') this.#probeRtt(delivered, inFlight, now)
  }

  #probeRtt(delivered: number, inFlight: number, now: number): void {
    if (this.#probeRttUntil === undefined) {
      if (inFlight > PROBE_RTT_PACKETS * this.#datagramSize) return
      this.#probeRttUntil = now + PROBE_RTT_MS
      this.#isProbeRttRound = false
      this.#roundEnd = delivered
      return
    }
    if (this.#isRoundStart) this.#isProbeRttRound = true
    if (!this.#isProbeRttRound || now < this.#probeRttUntil) return
    this.#minRttAt = now
    this.window = Math.max(this.window, this.#windowBefore)
    if (this.#isPipeFull) this.#probeBandwidth(now)
    else {
      this.state = 'startup'
      this.#pacingGain = HIGH_GAIN
      this.#windowGain = HIGH_GAIN
    }
  }

  // -- the window

  /** Bytes that fill the path, times `gain`, and some for a batch of packets at each end and for a late ACK. */
  #bdp(gain: number): number {
    const bandwidth = this.#bandwidth.value
    if (bandwidth === 0 || this.#minRtt === Number.POSITIVE_INFINITY) return gain * initialWindow(this.#datagramSize)
    return gain * bandwidth * this.#minRtt + 3 * this.#datagramSize
  }

  #setWindow({ acked, delivered }: DeliveryRateSample): void {
    const least = PROBE_RTT_PACKETS * this.#datagramSize
    if (this.state === 'probe-rtt') {
      this.window = Math.min(this.window, least)
      return
    }
    const target = Math.floor(this.#bdp(this.#windowGain))
    if (this.#isPipeFull) this.window = Math.min(this.window + acked, target)
    else if (this.window < target || delivered < initialWindow(this.#datagramSize)) this.window += acked
    this.window = Math.max(this.window, least)
  }
}
