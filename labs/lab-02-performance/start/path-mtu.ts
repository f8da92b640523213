/**
 * Task 5: how large may a packet be? The arithmetic of the tunnel, and a search for the largest UDP payload that the path carries.
 */

/**
 * The largest IP packet that fits into the tunnel when a UDP payload may have `maxUdpPayload` bytes. In the UDP payload there is
 * one QUIC packet with a short header, and in it one DATAGRAM frame:
 *
 *   first byte                    1
 *   Destination Connection ID     connectionIdLength
 *   Packet Number                 1 to 4: an MTU must hold for every packet, so 4
 *   DATAGRAM frame                its type (1 byte), and its length, for which our QUIC library takes 2 bytes
 *     Quarter Stream ID           a varint: the id of the request's stream, divided by four
 *     Context ID                  a varint: 0
 *     the IP packet
 *   AEAD tag                      16
 */
export function tunnelMtu(maxUdpPayload: number, connectionIdLength: number, streamId: number): number {
  throw new Error('TODO: tunnelMtu')
}

export interface SearchOptions {
  /** A size that every path carries (BASE_PLPMTU; for QUIC 1200), in bytes of UDP payload, as all sizes here. */
  base: number
  /** Nothing above this is of use (MAX_PLPMTU), such as the MTU of the own network device. */
  max: number
  /** The search is over when what it may still gain is less than this. */
  granularity: number
  /** A size is given up when so many probes of it, one after the other, brought no answer (MAX_PROBES). */
  maxProbes: number
  /** An answer that is not there after this time is not waited for any longer (PROBE_TIMER). */
  probeTimeoutMs: number
}

export type SearchAction =
  /** Send a packet of this size now. There is never more than one probe on its way. */
  | { type: 'probe'; size: number }
  /** There is nothing to do before this time, unless something happens. */
  | { type: 'wait'; untilMs: number }
  /** The search is over (SEARCH_COMPLETE). */
  | { type: 'done' }

/**
 * Datagram packetization layer path MTU discovery, RFC 8899, as a machine without clock and sockets: it is told what happens
 * and what time it is, and says what to do.
 *
 *                 probe of `size` acknowledged
 *                +---------------------------+
 *                v                           |
 *   base ---> confirmed <= .... size .... <= ceiling <= max
 *                                            ^
 *                +---------------------------+
 *                 maxProbes probes of `size` brought no answer
 *
 * A probe that is lost says little: packets are lost for other reasons too. One that is acknowledged says for certain that its
 * size passes, also when the answer comes late. Halve what is between the two: trying one size after the other takes too long.
 */
export class PathMtuSearch {
  constructor(options: SearchOptions) {
    throw new Error('TODO: PathMtuSearch')
  }

  /** The largest size that is known to pass. At first `base`. Only an acknowledged probe raises it. */
  get confirmed(): number {
    throw new Error('TODO: confirmed')
  }

  /**
   * What to do now. It is called at the beginning, after everything that happened, and at the time it asked for by `wait`. The clock
   * is `nowMs`, in ms. After `done` it may be called again, and says `done`, until something happens.
   */
  next(nowMs: number): SearchAction {
    throw new Error('TODO: next')
  }

  /**
   * A probe of this size has arrived at the other end. It need not be the last one that was sent, and its size may have been given up
   * meanwhile: then nothing is left of what was concluded from its silence. A size that was not sent since the last black hole is an
   * answer about the old path: it counts for nothing.
   */
  acknowledged(size: number): void {
    throw new Error('TODO: acknowledged')
  }

  /**
   * A router says in an ICMP message Packet Too Big that UDP payloads of up to `largest` bytes pass it. Anybody can send such a
   * message. So it counts only while a probe is on its way, and when `largest` is neither below what is confirmed nor at least the
   * size of that probe. And then it only shows what need not be tried any more: it confirms nothing (RFC 8899 §4.6). When a larger
   * size than it named is acknowledged after all, nothing is left of it.
   */
  packetTooBig(largest: number): void {
    throw new Error('TODO: packetTooBig')
  }

  /** Large packets do not arrive any more: the path has changed (RFC 8899 §4.3). Back to `base`, and search again. */
  blackHole(): void {
    throw new Error('TODO: blackHole')
  }
}
