/**
 * Task 6: how QUIC comes back after the network was gone. The timers of RFC 9000 and RFC 9002, and what follows from them.
 */

/**
 * The idle timeout that holds for a connection, ms (RFC 9000 §10.1): each side announces one, and the smaller one counts. 0 says: none
 * of mine. 0 is returned when neither has one.
 */
export function idleTimeoutMs(ownMs: number, peerMs: number): number {
  if (ownMs === 0 || peerMs === 0) return Math.max(ownMs, peerMs)
  return Math.min(ownMs, peerMs)
}

/**
 * The probe timeout, ms (RFC 9002 §6.2.1): how long a sender waits for an acknowledgement before it sends a probe. The smoothed
 * round trip, four times its variation (but at least 1 ms), and what the peer may delay an acknowledgement.
 */
export function probeTimeoutMs(smoothedRttMs: number, rttVariationMs: number, maxAckDelayMs: number): number {
  return smoothedRttMs + Math.max(4 * rttVariationMs, 1) + maxAckDelayMs
}

/**
 * When the first `count` probes are sent, ms, after something was sent at `sentMs` and nothing is heard any more. The first
 * waits for one probe timeout, and each further one twice as long as the one before it (§6.2.1, backoff).
 */
export function probeTimesMs(sentMs: number, probeTimeout: number, count: number): number[] {
  return Array.from({ length: count }, (_, i) => sentMs + probeTimeout * (2 ** (i + 1) - 1))
}

/**
 * When the answer to a probe arrives, ms: to the first probe that is sent when the outage is over (at `outageEndMs` or later). From
 * then on the connection lives again.
 */
export function recoveredAtMs(sentMs: number, probeTimeout: number, outageEndMs: number, roundTripMs: number): number {
  let probeMs = sentMs
  for (let wait = probeTimeout; probeMs < outageEndMs || probeMs === sentMs; wait *= 2) probeMs += wait
  return probeMs + roundTripMs
}

/**
 * The longest that can pass from the end of an outage of `outageMs` to the answer, ms, whenever in the outage the packet was sent. The
 * longest pause follows a probe that just missed the end (count it as sent at the end itself, and lost). How many probes can be lost
 * before it, when the packet was sent within the outage, too; and how long after it is the next one due?
 */
export function longestRecoveryMs(outageMs: number, probeTimeout: number, roundTripMs: number): number {
  // Probe n is due at (2^n - 1) timeouts, and the next one 2^n timeouts later.
  let lost = 0
  while (probeTimeout * (2 ** (lost + 1) - 1) < outageMs) lost++
  return probeTimeout * 2 ** lost + roundTripMs
}
