// mutant: takes the round-trip time for the way in one direction; expect: both are in the same packets
/**
 * Task 1: how long it takes until a tunnel is there, in multiples of the round-trip time.
 */

/**
 * One round trip: the client's Initial, and the server's Initial and Handshake packets back, after which the client knows the
 * server and has the keys. With a Retry, the server answers the first Initial with nothing but a token: one more.
 */
export function handshakeMs(rttMs: number, retry: boolean): number {
  return 2 * (retry ? 2 * rttMs : rttMs)
}

/**
 * Two round trips. The end of the client's handshake goes to the server, and its SETTINGS come back: only now the client knows that
 * Extended CONNECT is allowed. Then the request, with the ADDRESS_REQUEST right behind it, and the response with addresses and routes.
 */
export function sessionMs(rttMs: number): number {
  return 2 * rttMs
}

/** A ping through the new tunnel, sent at once: one round trip more than all that. */
export function firstAnswerMs(rttMs: number, retry: boolean): number {
  return handshakeMs(rttMs, retry) + sessionMs(rttMs) + rttMs
}
