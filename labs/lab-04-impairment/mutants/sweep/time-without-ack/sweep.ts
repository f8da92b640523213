// mutant: the time threshold does not wait for an acknowledgement; expect: nothing is taken for lost
/**
 * Task 2: what random loss does to a flow of packets, in QUIC datagrams and on one QUIC stream. A prediction.
 *
 * Packets of one size are sent one by one, `everyMs` apart. The link loses each of them with probability `loss`, whatever happened
 * to the others, and only on the way there. Acknowledgements come back at once and are never lost.
 */

export interface Flow {
  /** 0 to 1. */
  loss: number
  /** From one packet to the next, ms. */
  everyMs: number
  /** Delay of the link in one direction, ms. The round trip takes two of them. */
  oneWayMs: number
  /** Of one packet. */
  bytes: number
}

export interface Prediction {
  /** Share of the packets that arrive, sooner or later: 0 to 1. */
  delivered: number
  /** bit/s that arrive. */
  goodput: number
  /** Share of the packets that arrive later than the link alone would have them arrive: 0 to 1. */
  delayed: number
  /** Mean time from sending to delivery, of those that arrive, ms. */
  meanDelayMs: number
}

/** In datagrams: what is lost is lost, and nobody waits for it. */
export function predictDatagrams(flow: Flow): Prediction {
  const delivered = 1 - flow.loss
  return { delivered, goodput: delivered * offered(flow), delayed: 0, meanDelayMs: flow.oneWayMs }
}

/**
 * How long after a packet was sent its sender takes it for lost, ms (RFC 9002 §6.1). Whatever comes first of:
 *
 * - the **packet threshold**: the acknowledgement of the third packet behind it arrives;
 * - the **time threshold**: 9/8 of a round trip have passed since it was sent, and the acknowledgement of any packet behind it has
 *   arrived.
 *
 * The packets behind it are not lost.
 */
export function lossDetectionMs(flow: Flow): number {
  const { everyMs, oneWayMs } = flow
  const roundTripMs = 2 * oneWayMs
  const byPackets = 3 * everyMs + roundTripMs
  const byTime = (9 / 8) * roundTripMs
  return Math.min(byPackets, byTime)
}

/**
 * On one stream: what is lost is sent again as soon as it is taken for lost, and then arrives (that a packet is lost twice is
 * left out here). But a stream is delivered **in order**: all that was sent behind a lost packet waits for it.
 *
 * A lost packet comes R later than it should have, with R from `lossDetectionMs`. The packet that was sent k places behind it waits
 * for what is left of that: R - k · everyMs, if that is above 0. And when several are lost, for the one that keeps it longest, which
 * is the lost packet closest before it. (k is 0 for the lost packet itself.)
 */
export function predictStream(flow: Flow): Prediction {
  const { loss, everyMs, oneWayMs } = flow
  const recoveryMs = lossDetectionMs(flow)
  let delayed = 0
  let waitMs = 0
  for (let k = 0; recoveryMs - k * everyMs > 0; k++) {
    // The packet k places before is lost, and none of those between.
    const probability = loss * (1 - loss) ** k
    delayed += probability
    waitMs += probability * (recoveryMs - k * everyMs)
  }
  return { delivered: 1, goodput: offered(flow), delayed, meanDelayMs: oneWayMs + waitMs }
}

/** bit/s that are sent. */
function offered({ bytes, everyMs }: Flow): number {
  return (bytes * 8 * 1000) / everyMs
}
