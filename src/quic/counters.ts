/** What an endpoint counts, beside what its connections do. */
export interface EndpointCounters {
  accepted: number
  retried: number
  /** By reason: a connection attempt that was not let in. */
  rejected: { limit: number; token: number; version: number }
  /** UDP payloads that belong to no connection and start none, or that nobody could answer. */
  stray: number
  /** Of these, packets of connections that nobody knows here any more, which were answered with a stateless reset (RFC 9000 §10.3). */
  resets: number
  /** Packets that were not read, because too many waited for their connection's turn. */
  crowdedOut: number
  /** Packets that were not sent, because an address that is not validated gets three times what came from it (RFC 9000 §8.1). */
  withheld: number
  /** Connections that were not in use and had to make room for new ones. */
  evicted: number
  /** Packets whose reading failed in an unforeseen way, connections that were ended by an error of ours. */
  faults: number
}

export function newCounters(): EndpointCounters {
  return {
    accepted: 0,
    retried: 0,
    rejected: { limit: 0, token: 0, version: 0 },
    stray: 0,
    resets: 0,
    crowdedOut: 0,
    withheld: 0,
    evicted: 0,
    faults: 0,
  }
}
