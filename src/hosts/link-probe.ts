/**
 * Does a tunnel carry the 1280 bytes that IPv6 asks of every link? RFC 9484 §7.2: send ICMPv6 echo requests with 1232
 * bytes of data (40 + 8 + 1232 = 1280), and tear the tunnel down when there is no answer.
 */

import { IpAddress } from '../ip/address.ts'
import type { UserspaceHost } from './userspace/userspace-host.ts'

/** All nodes on the link: for an endpoint that knows no address of its peer. */
export const ALL_NODES = IpAddress.parse('ff02::1')

/** ICMPv6 echo data that makes a packet of 1280 bytes. */
export const PROBE_DATA_LENGTH = 1232

/**
 * `ok`: 1280 bytes came back. `too-small`: small packets are answered, those are not. `silent`: nothing is answered, so
 * that nothing is known; the RFC's letter is to tear down here too.
 */
export type LinkProbeResult = 'ok' | 'too-small' | 'silent'

const SETTLE_MS = 20

/** Probes until an answer comes, at most `attempts` times; a lossy path is not a narrow one. Stops early when `stopped`. */
export async function probeLink(
  host: UserspaceHost,
  target: IpAddress,
  options: { attempts?: number; timeoutMs?: number; stopped?: () => boolean } = {},
): Promise<LinkProbeResult> {
  const { attempts = 8, timeoutMs = 1000, stopped = () => false } = options
  const answered = (size: number): Promise<boolean> =>
    host.ping(target, { size, timeoutMs }).then(
      () => true,
      () => false,
    )
  let smallAnswered = false
  // A new tunnel has better things to do first, and its peer may not know its own addresses yet.
  await new Promise(resolve => setTimeout(resolve, SETTLE_MS).unref())
  for (let attempt = 0; attempt < attempts && !stopped(); attempt++) {
    if (await answered(PROBE_DATA_LENGTH)) return 'ok'
    smallAnswered ||= await answered(0)
  }
  return smallAnswered ? 'too-small' : 'silent'
}
