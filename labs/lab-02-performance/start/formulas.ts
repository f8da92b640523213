/**
 * Task 1: how long it takes until a tunnel is there. Predict it before it is measured.
 *
 * Count round trips: how often does one side have to wait for the other before it can go on? Leave out what computing takes; so each
 * result is a multiple of the round-trip time. There was no connection to this server before, and nothing is lost.
 *
 *   client                                             server
 *     |  Initial: ClientHello                            |
 *     |------------------------------------------------->|
 *     |         Initial: ServerHello; Handshake: …       |
 *     |<-------------------------------------------------|
 *     |  Handshake: Finished                             |
 *     |------------------------------------------------->|
 *     |                  HTTP/3 SETTINGS                 |
 *     |<-------------------------------------------------|      the server sends nothing of HTTP/3 before
 *     |  Extended CONNECT, ADDRESS_REQUEST               |      it knows that the handshake is complete
 *     |------------------------------------------------->|
 *     |   200, ADDRESS_ASSIGN, ROUTE_ADVERTISEMENT       |      RFC 9220 §3: not before the SETTINGS of
 *     |<-------------------------------------------------|      the server have allowed it
 *
 * All times are in ms.
 */

/**
 * From the client's first packet until the handshake is complete **for the client**. `retry`: the server answers the first Initial with
 * a Retry packet, because it wants to see that the client's address is not forged (RFC 9000 §8.1.2).
 */
export function handshakeMs(rttMs: number, retry: boolean): number {
  throw new Error('TODO: handshakeMs')
}

/** From there until the client has an address and routes. */
export function sessionMs(rttMs: number): number {
  throw new Error('TODO: sessionMs')
}

/** From the client's first packet until a ping through the tunnel, sent as soon as it can be, has been answered. */
export function firstAnswerMs(rttMs: number, retry: boolean): number {
  throw new Error('TODO: firstAnswerMs')
}
