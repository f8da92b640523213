/**
 * Does a tunnel carry the 1280 bytes that IPv6 asks of every link? RFC 9484 §7.2: send ICMPv6 echo requests with 1232
 * bytes of data (40 + 8 + 1232 = 1280), and tear the tunnel down when there is no answer.
 */

import { IpAddress } from '../ip/address.ts'

/** All nodes on the link: for an endpoint that knows no address of its peer. */
export const ALL_NODES = IpAddress.parse('ff02::1')

/**
 * The proxy's address on the link itself, where its others are of no use: the client of a scoped tunnel may not send to what
 * lies outside of the scope (RFC 9484 §4.6), but a reply to a link-local address goes no further than the tunnel. Nothing but
 * the probe uses it; it is an unlikely one, so that it is not the client's own.
 */
export const PROXY_LINK_ADDRESS = IpAddress.parse('fe80::6d61:7371:7565:1')

/** ICMPv6 echo data that makes a packet of 1280 bytes. */
export const PROBE_DATA_LENGTH = 1232

/**
 * `ok`: 1280 bytes came back. `too-small`: small packets are answered, those are not. `silent`: nothing is answered, so
 * that nothing is known; the RFC's letter is to tear down here too.
 */
export type LinkProbeResult = 'ok' | 'too-small' | 'silent'

/** How many rounds that say the same are a result, and how long one ping waits for its answer. */
export interface ProbeTiming {
  attempts?: number
  timeoutMs?: number
}

const SETTLE_MS = 20

/** The longest pause between two rounds of a probe that a busy tunnel keeps from saying anything. */
const MAX_PAUSE_MS = 30_000

/**
 * Probes until an answer comes; `ping` says whether one of that size was answered in time. After `attempts` rounds that all say the same, that is the result.
 *
 * A lossy path is not a narrow one, and a busy one is not a dead one: when no ping is answered while other packets keep
 * coming (`heard` counts them), the answers probably met a full queue. Such a round says nothing; the next comes later.
 */
export async function probeLink(
  ping: (size: number, timeoutMs: number) => Promise<boolean>,
  options: ProbeTiming & { stopped?: () => boolean; heard?: () => number } = {},
): Promise<LinkProbeResult> {
  const { attempts = 8, timeoutMs = 1000, stopped = () => false, heard = () => 0 } = options
  let narrow = 0
  let silent = 0
  let pauseMs = timeoutMs
  // A new tunnel has better things to do first, and its peer may not know its own addresses yet.
  await pause(SETTLE_MS)
  while (!stopped()) {
    const heardBefore = heard()
    const startedAt = performance.now()
    if (await ping(PROBE_DATA_LENGTH, timeoutMs)) return 'ok'
    if (await ping(0, timeoutMs)) narrow++
    else if (heard() === heardBefore) {
      silent++
      // Refused at once, as for an address that the peer does not know yet: that may be otherwise in a moment.
      if (silent < attempts) await pause(startedAt + timeoutMs - performance.now())
    } else {
      await pause(pauseMs)
      pauseMs = Math.min(pauseMs * 2, MAX_PAUSE_MS)
    }
    if (narrow + silent >= attempts) return narrow > 0 ? 'too-small' : 'silent'
  }
  return 'ok'
}

function pause(ms: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, ms).unref())
}
