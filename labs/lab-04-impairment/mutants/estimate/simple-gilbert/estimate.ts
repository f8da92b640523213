// mutant: every loss is the bad state, every arrival the good one; expect: the simple Gilbert model
/**
 * Task 1: what a link does to packets, estimated from what arrived.
 *
 * A **trace** is a Uint8Array with one byte for each packet that was sent, in the order of sending: 1 when it was lost, 0 when
 * it arrived.
 */

/** Shares, 0 to 1. */
export interface Interval {
  low: number
  high: number
}

/**
 * The model that `tc netem` calls `loss gemodel` (its 1-k is 0 here): a link is in one of two states, and changes between
 * them before each packet.
 *
 *               p
 *       +----------------->+
 *     good                bad        good: nothing is lost
 *       +<-----------------+         bad:  a packet is lost with probability 1-h
 *               r
 */
export interface GilbertElliott {
  /** Probability of a change from good to bad, a packet. */
  p: number
  /** Probability of a change from bad to good, a packet. */
  r: number
  /** Probability that a packet is lost in the bad state. */
  oneMinusH: number
}

/**
 * The interval of Wilson (1927) for the loss rate: every rate for which `lost` of `sent` is no further away from what is
 * expected than `z` standard deviations.
 *
 *     low, high  =  ( x + z²/(2n)  ∓  z · √( x(1-x)/n + z²/(4n²) ) )  /  ( 1 + z²/n )         x = lost / sent,  n = sent
 *
 * @param z standard deviations: 1.96 for 95 %, 3.29 for 99.9 %
 * @returns never below 0 or above 1; from 0 to 1 when nothing was sent: then nothing is known
 */
export function wilson(lost: number, sent: number, z: number): Interval {
  if (sent === 0) return { low: 0, high: 1 }
  const x = lost / sent
  const centre = x + z ** 2 / (2 * sent)
  const half = z * Math.sqrt((x * (1 - x)) / sent + z ** 2 / (4 * sent ** 2))
  const scale = 1 + z ** 2 / sent
  return { low: Math.max(0, (centre - half) / scale), high: Math.min(1, (centre + half) / scale) }
}

/**
 * The lengths of the bursts of losses, in the order in which they happened. A burst is a run of losses with no arrival between
 * them: in 0 1 1 0 0 1 they are [2, 1].
 */
export function burstLengths(trace: Uint8Array): number[] {
  const bursts: number[] = []
  let length = 0
  for (const lost of trace) {
    if (lost) length++
    else if (length > 0) {
      bursts.push(length)
      length = 0
    }
  }
  if (length > 0) bursts.push(length)
  return bursts
}

/**
 * The parameters of the model, from a trace, by the method of Gilbert (1960). Three things are counted:
 *
 *     a   how many of all packets are lost
 *     b   of the packets after a lost one, how many are lost as well
 *     c   of the packets between two lost ones (1?1), how many are lost as well
 *
 * and from them follow, with  x = (ac - b²) / (2ac - b(a + c)) , the probability to stay in the bad state:
 *
 *     r = 1 - x           1-h = b / x           p = a·r / (1-h - a)
 *
 * @returns undefined when the trace does not say: no loss, nothing behind a loss, no pair 1?1, or a result that is not a
 *   probability above 0 and at most 1
 */
export function fitGilbertElliott(trace: Uint8Array): GilbertElliott | undefined {
  let losses = 0
  let followed = 0
  let pairs = 0
  let filled = 0
  let gaps = 0
  for (let i = 0; i < trace.length; i++) {
    if (!trace[i]) continue
    losses++
    if (i + 1 >= trace.length) continue
    followed++
    if (trace[i + 1]) pairs++
    if (i + 2 >= trace.length || !trace[i + 2]) continue
    if (trace[i + 1]) filled++
    else gaps++
  }
  if (losses === 0 || followed === 0 || filled + gaps === 0) return undefined
  const a = losses / trace.length
  const b = pairs / followed
  const x = b
  const r = 1 - x
  const oneMinusH = b / x
  const p = (a * (1 - b)) / (1 - a)
  return [p, r, oneMinusH].every(value => value > 0 && value <= 1) ? { p, r, oneMinusH } : undefined
}
