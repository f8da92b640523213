/**
 * Task 7: the outside of a tunnel changes. How long the inside hears nothing, and when the proxy believes in a new address.
 */

/**
 * The client moves: at 0 the old path is gone, in both directions, and in the same moment the client begins to probe the new one, whose
 * round trip is the same. From the last reply on the old path to the first one on the new path, ms.
 */
export function moveSilenceMs(roundTripMs: number): number {
  throw new Error('TODO: moveSilenceMs')
}

/**
 * A NAT on the way forgets: from now on packets of the client leave it from another port, and what is sent to the old one is lost. From
 * the NAT to the proxy and back it takes `behindNatMs`. From the last reply to the next one, ms.
 */
export function rebindSilenceMs(behindNatMs: number): number {
  throw new Error('TODO: rebindSilenceMs')
}

/**
 * Nobody moves: the path is gone, the idle timeout ends the session, the client waits for `pauseMs`, and then connects anew on the other
 * path. From the last reply to the first one in the new tunnel, ms.
 */
export function reconnectSilenceMs(roundTripMs: number, idleTimeoutMs: number, pauseMs: number): number {
  throw new Error('TODO: reconnectSilenceMs')
}

/** What happens at the proxy, on one connection. Every packet that it receives is decrypted, and so really is of this connection. */
export type PathEvent =
  /**
   * `number`: its packet number. `probing`: it holds nothing but what probes a path (RFC 9000 §9.1). `response`: what its PATH_RESPONSE
   * says, if it has one.
   */
  | { kind: 'received'; from: string; bytes: number; number: number; probing: boolean; response?: string }
  /** `challenge`: what its PATH_CHALLENGE says, if it has one. */
  | { kind: 'sent'; to: string; bytes: number; challenge?: string }
  /** There was no response to this challenge, and there is no use in waiting any longer. */
  | { kind: 'gave-up'; challenge: string }

export interface Path {
  /** Where the proxy sends to now. */
  address: string
  /** How many bytes it may still send there, before more comes from there. A validated address: Infinity. */
  room: number
}

/**
 * Where the proxy sends to after all these events, in this order. `first` is the address from which the handshake came: it is validated.
 *
 * - The proxy follows the packet with the highest number among those that are not probing, and follows at once: it does not wait until
 *   the address is validated (RFC 9000 §9.3).
 * - Until then it sends at most three times as many bytes there as have come from there (§9.3, §8).
 * - A response that says the same as a challenge validates the address that the challenge was sent to, whichever path it comes on (§8.2.3).
 *   An address that is validated stays it.
 * - When the proxy gives up a challenge to the address that it sends to, and that is not validated, it goes back to the last one it has
 *   sent to that was (§9.3.2).
 */
export function followPath(first: string, events: readonly PathEvent[]): Path {
  throw new Error('TODO: followPath')
}
