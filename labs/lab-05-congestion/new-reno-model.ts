/**
 * NewReno as RFC 9002 §7.3 has it, for the check: the student's is compared with it, call by call. And NewReno as it is misread: each quirk is
 * one known mistake, so that the check can say which one a wrong controller has.
 */
import { initialWindow, minimumWindow } from '../../src/quic/typescript/recovery/congestion/window-bounds.ts'

/** What a controller is told. Times in ms, sizes in bytes. */
export type Told =
  | { call: 'acked'; sentAt: number; bytes: number; isWindowUsed: boolean; now: number }
  | { call: 'congestion'; sentAt: number; bytes: number; now: number }
  | { call: 'persistentCongestion'; now: number }
  | { call: 'datagramSize'; bytes: number }

/** What it wants after each call. */
export interface Window {
  window: number
  slowStartThreshold: number
}

export const QUIRKS = {
  'halves-again':
    'The window is reduced for each loss. Packets that were sent before it was reduced last belong to the same recovery period: they say again what the first loss has said, and half of a half is too little.',
  'grows-in-recovery':
    'An ACK for a packet that was sent before the window was reduced lets it grow. What was in flight then says nothing about the smaller window: only what is sent after it does.',
  'recovery-moves':
    'A loss in the recovery period makes it begin anew. It began when the window was reduced, and ends with the first ACK for something that was sent later.',
  'not-used':
    'The window grows although it is not used. When the sender has too little to send, nothing has shown that the path would carry more (RFC 9002 §7.8).',
  'no-threshold':
    'Slow start goes on after a loss: from the threshold on, the path is known to be nearly full, and the window grows by one datagram for each window.',
  'each-ack':
    'In congestion avoidance the window grows by a datagram for **each ACK**. It grows by one for each whole window that is acknowledged, so about one in a round trip.',
  'each-packet':
    'In slow start the window grows by a datagram for each packet. It grows by the bytes that were acknowledged: a small packet has shown little.',
  restarts:
    'After a loss the window begins at its minimum again. That is for persistent congestion; one loss halves it, as the rest has arrived.',
  'seventy-percent': 'This is the factor of CUBIC, 0.7. NewReno halves the window.',
  'no-minimum':
    'The window gets smaller than two datagrams. With less than that in flight, the peer would not acknowledge before its timer, and a loss would not be found but by a probe timeout.',
  'threshold-minimum':
    'The minimum is one of the window. The threshold is half of what the window was, however little that is.',
  'all-taken':
    'When a whole window was acknowledged, what is more than that is lost. It counts towards the next datagram.',
  'still-counted':
    'What was acknowledged before the loss still counts towards the next datagram. A recovery period begins, and the counting with it.',
  'persistent-half':
    'Persistent congestion halves the window only. Nothing has arrived for several probe timeouts: what was known about the path is worth nothing, and the window is the minimum.',
  'persistent-recovery':
    'After persistent congestion the recovery period goes on, so that ACKs of what was sent before it change nothing. All begins anew: the window grows with the next ACK.',
  'old-size': 'The window still counts in datagrams of the old size. The path carries larger ones now.',
} as const
export type Quirk = keyof typeof QUIRKS

export class NewRenoModel {
  readonly #quirk: Quirk | undefined
  #size: number
  #window: number
  #threshold = Number.POSITIVE_INFINITY
  #recoveryStart = Number.NEGATIVE_INFINITY
  #acked = 0

  constructor(datagramSize: number, quirk?: Quirk) {
    this.#quirk = quirk
    this.#size = datagramSize
    this.#window = initialWindow(datagramSize)
  }

  /** What it wants after each of these calls. */
  play(told: readonly Told[]): Window[] {
    return told.map(one => {
      this.#hear(one)
      return { window: this.#window, slowStartThreshold: this.#threshold }
    })
  }

  #hear(told: Told): void {
    switch (told.call) {
      case 'acked':
        return this.#onAcked(told)
      case 'congestion':
        return this.#onCongestion(told)
      case 'persistentCongestion':
        this.#window = this.#has('persistent-half') ? Math.max(this.#window / 2, this.#least) : this.#least
        if (!this.#has('persistent-recovery')) this.#recoveryStart = Number.NEGATIVE_INFINITY
        return
      case 'datagramSize':
        this.#window = Math.max(this.#window, minimumWindow(told.bytes))
        if (!this.#has('old-size')) this.#size = told.bytes
    }
  }

  #onAcked({ sentAt, bytes, isWindowUsed }: Told & { call: 'acked' }): void {
    if (!isWindowUsed && !this.#has('not-used')) return
    if (sentAt <= this.#recoveryStart && !this.#has('grows-in-recovery')) return
    if (this.#window < this.#threshold || this.#has('no-threshold')) {
      this.#window += this.#has('each-packet') ? this.#size : bytes
      return
    }
    this.#acked += bytes
    if (this.#acked < this.#window && !this.#has('each-ack')) return
    this.#acked = this.#has('all-taken') ? 0 : this.#acked - this.#window
    this.#window += this.#size
  }

  #onCongestion({ sentAt, now }: Told & { call: 'congestion' }): void {
    const isKnown = sentAt <= this.#recoveryStart
    if (this.#has('recovery-moves') && isKnown) this.#recoveryStart = now
    if (isKnown && !this.#has('halves-again')) return
    this.#recoveryStart = now
    if (!this.#has('still-counted')) this.#acked = 0
    const left = Math.floor(this.#window * (this.#has('seventy-percent') ? 0.7 : 0.5))
    this.#threshold = this.#has('threshold-minimum') ? Math.max(left, this.#least) : left
    if (this.#has('restarts')) this.#window = this.#least
    else this.#window = this.#has('no-minimum') ? left : Math.max(left, this.#least)
  }

  get #least(): number {
    return minimumWindow(this.#size)
  }

  #has(quirk: Quirk): boolean {
    return this.#quirk === quirk
  }
}
