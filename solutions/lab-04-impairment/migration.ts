/**
 * Task 7: the outside of a tunnel changes. How long the inside hears nothing, and when the proxy believes in a new address.
 */

/**
 * The client moves: at 0 the old path is gone, in both directions, and in the same moment the client begins to probe the new one, whose
 * round trip is the same. From the last reply on the old path to the first one on the new path, ms.
 */
export function moveSilenceMs(roundTripMs: number): number {
  // What has left the proxy before 0 arrives until half a round trip later. One round trip for the challenge, one for the first ping.
  const lastReply = roundTripMs / 2
  const firstReply = roundTripMs + roundTripMs
  return firstReply - lastReply
}

/**
 * A NAT on the way forgets: from now on packets of the client leave it from another port, and what is sent to the old one is lost. From
 * the NAT to the proxy and back it takes `behindNatMs`. From the last reply to the next one, ms.
 */
export function rebindSilenceMs(behindNatMs: number): number {
  // The proxy follows the first packet from the new port: the silence lasts as long as that and the reply to it are under way.
  return behindNatMs
}

/**
 * Nobody moves: the path is gone, the idle timeout ends the session, the client waits for `pauseMs`, and then connects anew on the other
 * path. From the last reply to the first one in the new tunnel, ms.
 */
export function reconnectSilenceMs(roundTripMs: number, idleTimeoutMs: number, pauseMs: number): number {
  // The idle timer begins anew with the last reply. Then handshake, SETTINGS, request, and the first ping.
  return idleTimeoutMs + pauseMs + 4 * roundTripMs
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

interface Peer {
  received: number
  sent: number
  validated: boolean
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
  const peers = new Map<string, Peer>([[first, { received: 0, sent: 0, validated: true }]])
  const challenged = new Map<string, string>()
  let address = first
  let lastValidated = first
  let highest = -1
  const peer = (name: string): Peer => {
    const known = peers.get(name) ?? { received: 0, sent: 0, validated: false }
    peers.set(name, known)
    return known
  }

  for (const event of events) {
    if (event.kind === 'sent') {
      peer(event.to).sent += event.bytes
      if (event.challenge !== undefined) challenged.set(event.challenge, event.to)
    } else if (event.kind === 'received') {
      peer(event.from).received += event.bytes
      const proven = event.response === undefined ? undefined : challenged.get(event.response)
      if (proven !== undefined) peer(proven).validated = true
      if (!event.probing && event.number > highest) {
        highest = event.number
        address = event.from
      }
    } else if (challenged.get(event.challenge) === address && !peer(address).validated) {
      address = lastValidated
    }
    if (peer(address).validated) lastValidated = address
  }

  const { received, sent, validated } = peer(address)
  return { address, room: validated ? Number.POSITIVE_INFINITY : Math.max(0, 3 * received - sent) }
}
